"""Many bytes, many streams, half-close, readers that stop: through proxy, gateway and connector."""
import hashlib
import random
import threading

from harness import *

MIB = 1 << 20


def tunnel(t, serve, **more):
    """(gateway, proxy) with one connector that exposes an origin as sys.virtual:1."""
    origin, gw = Origin(t, serve), Gateway(t, level="info")
    gw.connector("c1", {"sys.virtual:1": origin.text}, level="info", **more)
    return gw, gw.proxy(level="info")


def opened(sp):
    c = Socks5(sp.address("socks5"))
    return c.open("sys.virtual", 1)


@test("100 MiB up, then 100 MiB down, then 100 MiB both ways at once, with checksums, by SOCKS5")
def _(t):
    gw, sp = tunnel(t, serve_transfer)
    for up, down in ((100, 0), (0, 100), (100, 100)):
        with opened(sp) as s:
            transfer(s, up * MIB, down * MIB, seed=up)
    for line in (sp.wait(3, event="exchange"), gw.program.wait(3, event="exchange")):
        equal((line["outcome"], line["up"] >= 100 * MIB, line["down"] >= 100 * MIB), ("ok", True, True), "counted bytes")


@test("100 MiB both ways at once, with checksums, by HTTP CONNECT")
def _(t):
    gw, sp = tunnel(t, serve_transfer)
    a, s = http_connect(sp.address("http"), "sys.virtual:1")
    with s:
        equal((a.status, a.rest), (200, b""), "answer")
        transfer(s, 100 * MIB, 100 * MIB)


@test("100 MiB both ways at once, all in one, without a tunnel")
def _(t):
    origin, sp = Origin(t, serve_transfer), all_in_one(t, level="info")
    with Socks5(sp.address("socks5")) as c:
        transfer(c.open(*origin.addr), 100 * MIB, 100 * MIB)


@test("half-close by the client: the origin sees the end and can still answer")
def _(t):
    gw, sp = tunnel(t, digest)
    for size in (0, 1, 16384, 5 * MIB + 3):
        data = random.Random(size).randbytes(size)
        with opened(sp) as s:
            s.sendall(data)
            s.shutdown(1)
            equal(read_all(s).decode(), f"{hashlib.sha256(data).hexdigest()} {size}\n", f"answer after {size} bytes")


@test("half-close by the origin: the client sees the end and can still send")
def _(t):
    origin, gw = Manual(t), Gateway(t)
    gw.connector("c1", {"sys.virtual:1": origin.text})
    sp = gw.proxy()
    data = random.Random(9).randbytes(3 * MIB)
    with opened(sp) as s:
        far = origin.accept()
        far.sendall(b"goodbye")
        far.shutdown(1)
        equal(read_all(s), b"goodbye", "bytes before the origin's end")
        sender = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(1)), daemon=True)
        sender.start()
        equal(hashlib.sha256(read_all(far)).digest(), hashlib.sha256(data).digest(), "bytes after the origin's end")
        sender.join(HANG_S)
        far.close()
    sp.outcome("ok", target="sys.virtual:1")


@test("an origin's RST reaches the client as an error, not as an orderly end")
def _(t):
    origin, gw = Manual(t), Gateway(t)
    gw.connector("c1", {"sys.virtual:1": origin.text})
    sp = gw.proxy()
    with opened(sp) as s:
        far = origin.accept()
        far.sendall(b"half of an ans")
        equal(read_exact(s, 14), b"half of an ans", "bytes before")
        abort(far)
        equal(read_end(s), ("reset", b""), "the end")


@test("a client's RST reaches the origin as an error, not as an orderly end")
def _(t):
    origin, gw = Manual(t), Gateway(t)
    gw.connector("c1", {"sys.virtual:1": origin.text})
    sp = gw.proxy()
    s = opened(sp)
    far = origin.accept()
    s.sendall(b"half of a requ")
    equal(read_exact(far, 14), b"half of a requ", "bytes before")
    abort(s)
    equal(read_end(far), ("reset", b""), "the end")


def in_threads(jobs):
    """Runs them all at once; the first failure is the test's."""
    errors = []

    def one(job):
        try:
            job()
        except BaseException as e:
            errors.append(e)
    threads = [threading.Thread(target=one, args=(j,), daemon=True) for j in jobs]
    for th in threads:
        th.start()
    for th in threads:
        th.join(HANG_S)
    if errors:
        raise errors[0]
    check(not any(th.is_alive() for th in threads), "a stream hangs")


@test("200 streams at once on one tunnel, each with its own bytes")
def _(t):
    gw, sp = tunnel(t, serve_transfer)
    mark = threading.Barrier(200)

    def one(i):
        with opened(sp) as s:
            mark.wait(HANG_S)  # all are open before the first byte flows
            transfer(s, 40000 + i * 7, 60000 + i * 11, seed=i)
    in_threads([lambda i=i: one(i) for i in range(200)])
    sp.wait(200, event="exchange", outcome="ok")
    vias = {e["via"] for e in gw.program.find(event="exchange")}
    equal(len(vias), 1, f"tunnels to the connector that were used: {vias}")


@test("a reader that stops stops nobody else, in both directions, and goes on where it was")
def _(t):
    origin, gw = Manual(t), Gateway(t, level="info")
    quick = Origin(t, serve_transfer)
    gw.connector("c1", {"slow.virtual:1": origin.text, "sys.virtual:1": quick.text}, level="info")
    sp = gw.proxy(level="info")
    data = random.Random(3).randbytes(64 * MIB)  # more than all windows and queues on the way hold
    with Socks5(sp.address("socks5")) as c:
        near = c.open("slow.virtual", 1)
        far = origin.accept()
        for sender, reader in ((far, near), (near, far)):
            done = threading.Event()

            def send(sender=sender, done=done):
                sender.sendall(data)
                done.set()
            th = threading.Thread(target=send, daemon=True)
            th.start()
            # others flow while this one is stuck
            in_threads([lambda i=i: transfer_one(sp, i) for i in range(4)])
            check(not done.is_set(), "the way took everything without a reader: its buffers have no bound")
            equal(hashlib.sha256(read_exact(reader, len(data))).hexdigest(), hashlib.sha256(data).hexdigest(), "bytes of the stopped reader")
            th.join(HANG_S)
            check(done.is_set(), "the sender ended")


def transfer_one(sp, seed):
    with opened(sp) as s:
        transfer(s, 4 * MIB, 4 * MIB, seed=seed)


@test("1000 exchanges one after the other, a third of them aborted: the tunnel survives")
def _(t):
    gw, sp = tunnel(t, echo)
    for i in range(1000):
        s = opened(sp)
        s.sendall(b"x" * (i + 1))
        if i % 3 == 0:
            abort(s)
        else:
            equal(len(read_exact(s, i + 1)), i + 1, "echo")
            s.close()
    equal(gw.program.count(event="connector", message="connected"), 1, "tunnels of the connector")


main()
