"""Large, slow and broken bodies of HTTP requests and responses."""
import asyncio
import hashlib
import os
import re

from harness import *

MIB = 1 << 20
BLOCK = bytes(range(256)) * (MIB // 256)


async def endless(reader, writer):
    """PUT: answers with length and digest of what came. GET /N: N MiB."""
    while True:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        m = re.match(r"GET /(\d+) ", head)
        if m:
            n = int(m.group(1))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (n * MIB))
            for _ in range(n):
                writer.write(BLOCK)
                await writer.drain()
            continue
        m = re.search(r"(?i)content-length: (\d+)", head)
        if not m:  # chunked: nobody sends it to its end
            return
        left, digest = int(m.group(1)), hashlib.sha256()
        total = left
        while left:
            part = await reader.read(min(left, MIB))
            if not part:
                return
            left -= len(part)
            digest.update(part)
        text = f"{total} {digest.hexdigest()}".encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
        await writer.drain()


def digest_of(n):
    d = hashlib.sha256()
    for _ in range(n):
        d.update(BLOCK)
    return d.hexdigest()


def upload(c, n):
    c.send(b"PUT http://sys.virtual/ HTTP/1.1\r\nHost: sys.virtual\r\nContent-Length: %d\r\n\r\n" % (n * MIB))
    for _ in range(n):
        c.send(BLOCK)
    equal(c.response().body.decode(), f"{n * MIB} {digest_of(n)}", f"{n} MiB up")


def download(c, n):
    c.request("GET", f"http://sys.virtual/{n}")
    head = Response(c._until(b"\r\n\r\n"))
    equal((head.status, head.get("content-length")), (200, str(n * MIB)), "head")
    d, left = hashlib.sha256(c.data), n * MIB - len(c.data)
    c.data.clear()
    while left:
        part = c.s.recv(min(left, MIB))
        check(part, "the end before the body's")
        d.update(part)
        left -= len(part)
    equal(d.hexdigest(), digest_of(n), f"{n} MiB down")


def memory_kib(program):
    with open(f"/proc/{program.proc.pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1))


@test("1 GiB up and 1 GiB down, digests right, memory constant")
def _(t):
    os.environ["ASAN_OPTIONS"] = "quarantine_size_mb=1:"  # freed memory that AddressSanitizer keeps would be measured, too
    t.defer(lambda: os.environ.pop("ASAN_OPTIONS"))
    w, gw = Web(t), Gateway(t, level="notice")
    c1 = gw.connector("c1", {"sys.virtual:80": web(w.add("sys", raw=endless))}, level="notice")
    sp = gw.proxy(level="notice")
    programs = (gw.program, c1, sp)
    with Client(sp.address("http")) as c:
        upload(c, 64)
        download(c, 64)
        before = [memory_kib(p) for p in programs]
        upload(c, 1024)
        download(c, 1024)
        grown = [memory_kib(p) - b for p, b in zip(programs, before)]
    check(max(grown) < 32 * 1024, f"peaks have grown by {grown} KiB since the first 128 MiB")


@test("a client that does not read, a system that does not read: others on the same tunnel go on")
def _(t):
    async def deaf(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await gate.wait()
        await endless_rest(reader, writer)

    async def endless_rest(reader, writer):
        n = 0
        while n < 64 * MIB:
            part = await reader.read(MIB)
            if not part:
                return
            n += len(part)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
    w, gw = Web(t), Gateway(t)
    gate = asyncio.Event()
    gw.connector("c1", {"sys.virtual:80": web(w.add("sys", raw=endless)), "deaf.virtual:80": web(w.add("deaf", raw=deaf)), "echo.virtual:80": web(w.add("echo"))})
    sp = gw.proxy()
    with Client(sp.address("http")) as lazy, Client(sp.address("http")) as stuck, Client(sp.address("http")) as other:
        lazy.request("GET", "http://sys.virtual/64")
        stuck.send(b"PUT http://deaf.virtual/ HTTP/1.1\r\nHost: deaf.virtual\r\nContent-Length: %d\r\n\r\n" % (64 * MIB))
        stuck.s.setblocking(False)
        sent = 0
        for _ in range(2):  # as much as the way holds; what is left is sent later
            try:
                while True:
                    sent += stuck.s.send(BLOCK[sent % MIB:])
            except BlockingIOError:
                pass
            for _ in range(200):
                equal(other.ask("GET", "http://echo.virtual/").status, 200, "a request beside them")
        check(sent < 64 * MIB, f"all was taken although nobody reads: {sent}")
        stuck.s.settimeout(HANG_S)
        w.loop.call_soon_threadsafe(gate.set)
        while sent < 64 * MIB:
            sent += stuck.s.send(BLOCK[sent % MIB:][:64 * MIB - sent])
        equal(stuck.response().body, b"ok", "the stuck upload goes on")
        head = Response(lazy._until(b"\r\n\r\n"))
        check(head.status == 200 and len(lazy._take(64 * MIB)) == 64 * MIB, "the lazy download goes on")


@test("bytes one by one, in both directions")
def _(t):
    async def slow(seen, writer):
        for b in b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nX-Last: 1\r\n\r\n":
            writer.write(bytes([b]))
            await writer.drain()
            await asyncio.sleep(0)
        return True
    w, gw = Web(t), Gateway(t)
    gw.connector("c1", {"sys.virtual:80": web(w.add("sys", slow))})
    sp = gw.proxy()
    with Client(sp.address("http")) as c:
        for i in range(3):
            for b in b"POST http://sys.virtual/ HTTP/1.1\r\nHost: sys.virtual\r\nTE: trailers\r\nConnection: TE\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-T: 2\r\n\r\n":
                c.send(bytes([b]))
            r = c.response()
            equal((r.status, r.body, r.trailers), (200, b"abc0123456789", [("x-last", "1")]), f"answer {i}")
            equal((w.seen[-1].body, [(n.lower(), v) for n, v in w.seen[-1].trailers]), (b"hi", [("x-t", "2")]), f"request {i}")


def ends(kind):
    async def raw(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        if kind == "closes":
            return
        if kind == "resets":
            writer.get_extra_info("socket").setsockopt(1, 13, b"\x01\0\0\0\0\0\0\0")  # SO_LINGER 0
            writer.transport.abort()
            return
        writer.write({"too little": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
                      "reset inside": b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n12345"}[kind])
        await writer.drain()
        if kind == "reset inside":
            writer.transport.abort()
    return raw


@test("systems that close early, reset, send too little: 502 or a cut response, and the next request works")
def _(t):
    kinds = ("closes", "resets", "too little", "half a head", "reset inside")
    w, gw = Web(t), Gateway(t)
    gw.connector("c1", {**{f"s{i}.virtual:80": web(w.add(k, raw=ends(k))) for i, k in enumerate(kinds)}, "good.virtual:80": web(w.add("good"))})
    sp = gw.proxy()
    for i, kind in enumerate(kinds):
        for body in (None, b"x" * 200000):
            with Client(sp.address("http")) as c:
                try:
                    c.request("POST", f"http://s{i}.virtual/", body=body)
                    r = c.response()
                    equal(r.status, 502, kind)
                    if r.get("connection") != "close":
                        equal(c.ask("GET", "http://good.virtual/").status, 200, f"after {kind}")
                except (Failure, OSError) as e:
                    if "502" in str(e) or "after" in str(e) or kind in ("closes", "half a head"):
                        raise
            with Client(sp.address("http")) as c:
                equal(c.ask("GET", "http://good.virtual/").status, 200, "another connection")


@test("clients that leave in the middle of everything leave nothing behind")
def _(t):
    async def hang(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await reader.read()  # until the connector gives up
    w, gw = Web(t), Gateway(t)
    gw.connector("c1", {"sys.virtual:80": web(w.add("sys", raw=endless)), "hang.virtual:80": web(w.add("hang", raw=hang))})
    sp = gw.proxy()
    starts = (b"GET http://hang.virtual/ HTTP/1.1\r\nHost: hang.virtual\r\n\r\n", b"PUT http://hang.virtual/ HTTP/1.1\r\nHost: hang.virtual\r\nContent-Length: 9\r\n\r\nx",
              b"GET http://sys.virtual/100 HTTP/1.1\r\nHost: sys.virtual\r\n\r\n", b"PUT http://sys.virtual/ HTTP/1.1\r\nHost: sys.virtual\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe")
    for i in range(5):
        for start in starts:
            c = Client(sp.address("http"))
            c.send(start)
            if b"/100" in start:
                c._more()
            if i % 2 or start.startswith(b"GET http://hang"):  # an end alone is a half-close, after which a response may be waited for
                abort(c.s)
            else:
                c.s.close()
    sp.wait(20, event="exchange")
    with Client(sp.address("http")) as c:
        download(c, 1)


main()
