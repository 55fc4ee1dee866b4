"""How programs end: SIGTERM drains, a second one does not wait, SIGHUP is no end."""
import signal
import threading

from harness import *


def ping(s, text=b"ping"):
    s.sendall(text)
    equal(read_exact(s, len(text)), text, "echo")


def becomes_refused(addr):
    """The worker closes its listeners soon after the word "draining": whom it still takes in is let go then."""
    for _ in range(1000):
        try:
            s = dial(addr)
        except ConnectionRefusedError:
            return True
        read_end(s)
        s.close()
    return False


def draining(p, number=signal.SIGTERM):
    p.signal(number)
    p.wait(event="stop", message="draining")


@test("SIGTERM: no new connections, the open stream goes on, exit 0 when it ends")
def _(t):
    origin = Origin(t, echo)
    for number in (signal.SIGTERM, signal.SIGINT):
        sp = all_in_one(t, extra='timeouts = { drain = "1h"; };', name=f"on-{number}")
        addr = sp.address("socks5")
        with Socks5(addr) as c:
            s = c.open(*origin.addr)
            ping(s)
            draining(sp, number)
            ping(s, b"x" * 100000)
            check(becomes_refused(addr) and becomes_refused(sp.address("http")), "listeners are closed")
            check(sp.proc.poll() is None, "it lives while a stream is open")
        equal(sp.join(), 0, "exit code")
        sp.wait(event="stop", message="stopped")


@test("SIGTERM closes clients that have not asked for anything yet")
def _(t):
    idp = Issuer(t.dir)
    sp = all_in_one(t, [idp.plugin()], extra='timeouts = { drain = "1h"; handshake = "10m"; };')
    silent, greeted = dial(sp.address("http")), Socks5(sp.address("socks5"))
    equal(greeted.select(0x80), 0x80, "method")
    half = dial(sp.address("http"))
    half.sendall(b"CONNECT a:1 HTTP/1.1\r\nHo")
    wait_until_read(half)
    sp.signal(signal.SIGTERM)
    for s in (silent, greeted.s, half):
        read_end(s)
        s.close()
    equal(sp.join(), 0, "exit code")


@test("timeouts.drain ends what is still open; exit 0")
def _(t):
    origin = Origin(t, echo)
    sp = all_in_one(t, extra='timeouts = { drain = "200ms"; };')
    with Socks5(sp.address("socks5")) as c:
        s = c.open(*origin.addr)
        ping(s)
        sp.signal(signal.SIGTERM)
        equal(read_end(s)[1], b"", "the stream ends")
        equal(sp.join(), 0, "exit code")


@test("a second SIGTERM does not wait for open streams; exit 0")
def _(t):
    origin = Origin(t, echo)
    sp = all_in_one(t, extra='timeouts = { drain = "1h"; };')
    with Socks5(sp.address("socks5")) as c:
        s = c.open(*origin.addr)
        ping(s)
        draining(sp)
        sp.signal(signal.SIGTERM)
        equal(read_end(s)[1], b"", "the stream ends")
        equal(sp.join(), 0, "exit code")


@test("SIGHUP is no end: streams go on, new ones come, it is in the log")
def _(t):
    origin = Origin(t, echo)
    sp = all_in_one(t)
    with Socks5(sp.address("socks5")) as c:
        s = c.open(*origin.addr)
        ping(s)
        for i in (1, 2):
            sp.signal(signal.SIGHUP)
            sp.wait(i, event="config")
            ping(s)
        with Socks5(sp.address("socks5")) as d:
            ping(d.open(*origin.addr))
    equal(sp.stop(), 0, "exit code")


@test("SIGTERM as soon as it listens: exit 0")
def _(t):
    sp = start(t, "sallyport", "early", conf_text({"apps": LOCAL}, [listener("socks5", "apps")], DIRECT))
    sp.wait(event="listen")
    equal(sp.stop(), 0, "exit code")
    gw = Gateway(t)
    c = gw.connector("c1", {"a.virtual:1": "127.0.0.1:1"}, wait=False)
    c.wait(event="ready")
    equal(c.stop(), 0, "exit code of a connector that has just begun to dial")


@test("drain of each program on the way: the stream goes on and ends well, exit 0")
def _(t):
    long = 'timeouts = { drain = "1h"; };'
    origin = Origin(t, echo)
    gw = Gateway(t, extra=long)
    c = gw.connector("c1", {"sys.virtual:1": origin.text}, extra=long)
    sp = gw.proxy(extra=long)
    with Socks5(sp.address("socks5")) as client:
        s = client.open("sys.virtual", 1)
        ping(s)
        for p in (sp, gw.program, c):
            draining(p)
            ping(s, b"y" * 200000)
        for p in (sp, gw.program, c):
            check(p.proc.poll() is None, f"{p.name} lives while a stream is open")
        s.shutdown(1)
        equal(read_all(s), b"", "the end of the stream")
    for p in (sp, gw.program, c):
        equal(p.join(), 0, f"exit code of {p.name}")
        p.outcome("ok")


@test("an idle proxy, gateway and connector end at once, in whatever order")
def _(t):
    long = 'timeouts = { drain = "1h"; };'
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2)):
        origin = Origin(t, echo)
        gw = Gateway(t, extra=long, name=f"gateway-{order[0]}")
        c = gw.connector(f"c{order[0]}", {"sys.virtual:1": origin.text}, extra=long)
        sp = gw.proxy(extra=long, name=f"proxy-{order[0]}")
        with Socks5(sp.address("socks5")) as client:
            ping(client.open("sys.virtual", 1))
        programs = (sp, gw.program, c)
        for i in order:
            equal(programs[i].stop(), 0, f"exit code of {programs[i].name}")


@test("a second SIGTERM at each program on the way ends the stream with an error")
def _(t):
    long = 'timeouts = { drain = "1h"; };'
    for victim in ("proxy", "gateway", "connector"):
        origin = Origin(t, echo)
        gw = Gateway(t, extra=long, name=f"gateway-{victim}")
        c = gw.connector(f"c-{victim}", {"sys.virtual:1": origin.text}, extra=long)
        sp = gw.proxy(extra=long, name=f"proxy-{victim}")
        p = {"proxy": sp, "gateway": gw.program, "connector": c}[victim]
        with Socks5(sp.address("socks5")) as client:
            s = client.open("sys.virtual", 1)
            ping(s)
            draining(p)
            p.signal(signal.SIGTERM)
            equal(read_end(s), ("reset", b""), f"the stream when the {victim} closes")
            equal(p.join(), 0, f"exit code of the {victim}")


main()
