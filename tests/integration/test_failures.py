"""Programs that die, freeze and come back while streams are open."""
import contextlib
import hashlib
import signal
import threading

from harness import *

# Quick enough for a test, the same rules as with the defaults.
FAST = 'tunnels = { backoff_max = "500ms"; };'
PROBE = 'tunnels = { ping_after = "300ms"; ping_timeout = "300ms"; backoff_max = "500ms"; };'


def opened(sp, host="sys.virtual"):
    return Socks5(sp.address("socks5")).open(host, 1)


def ping(s, text=b"ping"):
    s.sendall(text)
    equal(read_exact(s, len(text)), text, "echo")


class Traffic:
    """Streams that echo without a pause until they break; how each ended is in `ends`."""

    def __init__(self, sp, count=8):
        self.ends, self.flowing = [], threading.Semaphore(0)
        self.threads = [threading.Thread(target=self._one, args=(opened(sp),), daemon=True) for _ in range(count)]
        for th in self.threads:
            th.start()
        for _ in self.threads:
            check(self.flowing.acquire(timeout=HANG_S), "traffic flows")

    def _one(self, s):
        first = True
        with s:
            try:
                while True:
                    ping(s, b"x" * 5000)
                    if first:
                        self.flowing.release()
                        first = False
            except (Failure, OSError) as e:
                self.ends.append(e)

    def wait_broken(self):
        for th in self.threads:
            th.join(HANG_S)
        check(not any(th.is_alive() for th in self.threads), "a stream hangs after its tunnel died")
        orderly = [e for e in self.ends if isinstance(e, Ended)]
        check(not orderly, f"{len(orderly)} of {len(self.ends)} streams ended as if all were well: {orderly[:1]}")


@test("the connector is killed under traffic: streams end with an error; restarted, new ones work")
def _(t):
    origin, gw = Origin(t, echo), Gateway(t)
    make = lambda name: gw.connector(name, {"sys.virtual:1": origin.text})
    c, sp = make("c1"), gw.proxy()
    for name in ("c2", "c3"):
        traffic = Traffic(sp)
        c.kill()
        traffic.wait_broken()
        c = make(name)
        with opened(sp) as s:
            ping(s)
    check(gw.program.proc.poll() is None and sp.proc.poll() is None, "gateway and proxy live on")


@test("an exchange that finds its connector just gone waits for it; one whose connector never was there does not")
def _(t):
    origin, gw = Origin(t, echo), Gateway(t, extra='tunnels = { wait = "10m"; };')
    c = gw.connector("c1", {"sys.virtual:1": origin.text})
    sp = gw.proxy(extra='timeouts = { open = "10m"; };')
    never = Socks5(sp.address("socks5"))
    equal(never.select(0x80), 0x80, "method")
    equal(never.give_token("-", location="nowhere"), 0, "status")
    equal(never.ask("sys.virtual", 1), 3, "reply where no connector was")
    never.s.close()
    before = gw.program.mark()
    c.kill()
    gw.program.wait(event="connector", message="lost", after=before)
    with Socks5(sp.address("socks5")) as waiting:
        equal(waiting.select(0), 0, "method")
        waiting.s.sendall(request("sys.virtual", 1))
        wait_until_read(waiting.s)
        gw.connector("c2", {"sys.virtual:1": origin.text})
        equal(waiting.read_reply(), 0, "reply")
        ping(waiting.s)


@test("the gateway is killed under traffic: streams end with an error; restarted, proxy and connector come back by themselves")
def _(t):
    origin, gw = Origin(t, echo), Gateway(t)
    c = gw.connector("c1", {"sys.virtual:1": origin.text}, extra=FAST)
    sp = gw.proxy(extra=FAST)
    for i in range(2):
        traffic = Traffic(sp)
        gw.program.kill()
        traffic.wait_broken()
        gw.name = f"gateway-{i + 2}"
        gw.restart()
        wait_connectors(gw.program)
        with opened_once_it_works(sp) as s:
            ping(s)
    check(c.proc.poll() is None and sp.proc.poll() is None, "connector and proxy live on")


def opened_once_it_works(sp):
    """Applications try again; each answer meanwhile must be an honest one."""
    while True:
        c = Socks5(sp.address("socks5"))
        try:
            return c.open("sys.virtual", 1)
        except SocksRefused as e:
            check((e.step, e.code) in (("reply", 1), ("reply", 3)), f"{e} while the gateway comes back")
            c.s.close()


@test("the proxy is killed under traffic: the gateway and the connector go on, origins see the end")
def _(t):
    origin, gw = Manual(t), Gateway(t)
    echoes = Origin(t, echo)
    gw.connector("c1", {"sys.virtual:1": origin.text, "echo.virtual:1": echoes.text})
    sp = gw.proxy()
    s = opened(sp)
    far = origin.accept()
    s.sendall(b"ping")
    equal(read_exact(far, 4), b"ping", "bytes before")
    sp.kill()
    equal(read_end(far)[0], "reset", "how the origin's stream ends")
    s.close()
    with opened(gw.proxy(name="proxy-2"), "echo.virtual") as s:
        ping(s)


@test("a frozen connector is found by PING: its streams end with an error; thawed, it comes back")
def _(t):
    origin, gw = Origin(t, echo), Gateway(t, extra=PROBE)
    c = gw.connector("c1", {"sys.virtual:1": origin.text}, extra=PROBE)
    sp = gw.proxy()
    s = opened(sp)
    ping(s)
    before = gw.program.mark()
    c.signal(signal.SIGSTOP)
    t.defer(c.signal, signal.SIGCONT)
    with s:
        equal(read_end(s), ("reset", b""), "the end of an idle stream")
    c.signal(signal.SIGCONT)
    wait_connectors(gw.program, after=before)
    with opened(sp) as s:
        ping(s)


@test("a frozen gateway is found by PING from both sides")
def _(t):
    origin, gw = Origin(t, echo), Gateway(t)
    c = gw.connector("c1", {"sys.virtual:1": origin.text}, extra=PROBE)
    sp = gw.proxy(extra=PROBE)
    s = opened(sp)
    ping(s)
    gw.program.signal(signal.SIGSTOP)
    t.defer(gw.program.signal, signal.SIGCONT)
    with s:
        equal(read_end(s), ("reset", b""), "the end of an idle stream")
    c.wait(event="exchange", target="sys.virtual:1")  # the connector's half ended too
    before = gw.program.mark()
    gw.program.signal(signal.SIGCONT)
    wait_connectors(gw.program, after=before)
    with opened_once_it_works(sp) as s:
        ping(s)


@test("two connectors of one tenant and location: one is killed, the other serves")
def _(t):
    gw = Gateway(t)
    pair = {n: gw.connector(n, {"sys.virtual:1": Origin(t, tagged(n)).text}) for n in ("c1", "c2")}
    sp = gw.proxy()

    def served_by():
        with opened(sp) as s:
            return read_exact(s, 3)[:2].decode()
    with opened(sp) as s:
        first = read_exact(s, 3)[:2].decode()
        other = "c2" if first == "c1" else "c1"
        pair[first].kill()
        equal(read_end(s), ("reset", b""), "the end of its stream")
    # whatever the gateway has not noticed yet is tried on the other tunnel, or noticed
    equal({served_by() for _ in range(10)}, {other}, "who serves")


@test("a connector that drains: its open streams finish, new ones go to the other")
def _(t):
    gw = Gateway(t)
    pair = {n: gw.connector(n, {"sys.virtual:1": Origin(t, tagged(n)).text}) for n in ("c1", "c2")}
    sp = gw.proxy()
    s = opened(sp)
    first = read_exact(s, 3)[:2].decode()
    other = "c2" if first == "c1" else "c1"
    pair[first].signal(signal.SIGTERM)
    gw.program.wait(event="tunnel", message="goaway")
    for _ in range(10):
        with opened(sp) as n:
            equal(read_exact(n, 3)[:2].decode(), other, "who serves")
    ping(s)
    s.close()
    equal(pair[first].join(), 0, "exit of the drained connector")


@test("an origin that dies in the middle of a stream breaks that stream only")
def _(t):
    origin, gw = Manual(t), Gateway(t)
    gw.connector("c1", {"sys.virtual:1": origin.text})
    sp = gw.proxy()
    a, far_a = opened(sp), origin.accept()
    b, far_b = opened(sp), origin.accept()
    abort(far_a)
    equal(read_end(a), ("reset", b""), "the broken stream")
    b.sendall(b"still")
    equal(read_exact(far_b, 5), b"still", "the other stream")
    a.close()
    b.close()


@test("a connector's credential that expires ends its tunnel; it is not let in again")
def _(t):
    origin = Origin(t, echo)
    gw = Gateway(t, by="jwt")
    gw.program.stop()
    # the same gateway, with no tolerance for clocks
    chains = {"proxies": [gw.idp.plugin(audience="gateway")], "connectors": [gw.idp.plugin(audience="connector", clock_skew_s=0)]}
    gw.program = sallyport(t, "strict", chains, [tunnel_listener(gw.cert, auth="proxies", connectors="connectors", speaks_for_any=["proxy"])],
                           CONNECTORS, 'tunnels = { wait = "100ms"; };')
    gw.addr = gw.program.address("tunnel")
    token = gw.idp.token("acme", sub="c1", aud="connector", lifetime_s=4)
    c = gw.connector("c1", {"sys.virtual:1": origin.text}, token_file=t.write("c1.token", token), extra=FAST)
    sp = gw.proxy()
    with opened(sp) as s:
        ping(s)
    c.wait(event="tunnel", status=401)  # the tunnel ended, it dialled again and was refused
    with Socks5(sp.address("socks5")) as again:
        try:
            again.open("sys.virtual", 1)
        except SocksRefused as e:
            equal(e.code, 3, "reply")
        else:
            raise Failure("the expired connector still serves")


main()
