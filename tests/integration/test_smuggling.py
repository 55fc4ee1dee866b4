"""What two readers could read in two ways is nobody's request: hostile bytes from clients, against systems that disagree on purpose."""
import asyncio

from harness import *

NEXT = b"GET http://sys.virtual/smuggled HTTP/1.1\r\nHost: sys.virtual\r\n\r\n"
INNER = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


def head(*lines, start=b"POST http://sys.virtual/ HTTP/1.1", host=b"Host: sys.virtual"):
    return b"\r\n".join((start, *((host,) if host else ()), *lines, b"", b""))


# Each must be answered with 4xx or 5xx and the connection's end, and reach no system.
REFUSED = [
    head(b"Content-Length: 5", b"Transfer-Encoding: chunked") + b"0\r\n\r\n" + INNER,
    head(b"Transfer-Encoding: chunked", b"Content-Length: 5") + b"0\r\n\r\n" + INNER,
    head(b"Content-Length: 5", b"Content-Length: 6") + b"hello" + INNER,
    head(b"Content-Length: 5", b"Content-Length: 5") + b"hello",
    head(b"Content-Length: 5, 5") + b"hello",
    head(b"Content-Length: +5") + b"hello",
    head(b"Content-Length: 0x5") + b"hello",
    head(b"Content-Length: 5 6") + b"hello",
    head(b"Content-Length: -1") + INNER,
    head(b"Content-Length: 99999999999999999999") + INNER,
    head(b"Content-Length:") + INNER,
    head(b"Content-Length : 5") + b"hello" + INNER,
    head(b" Content-Length: 5") + b"hello" + INNER,
    head(b"Content-Length\t: 5") + b"hello",
    head(b"X: y\r\n Content-Length: 5") + b"hello",
    head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity") + b"0\r\n\r\n",
    head(b"Transfer-Encoding: chunked, chunked") + b"0\r\n\r\n",
    head(b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
    head(b"Transfer-Encoding: xchunked") + b"0\r\n\r\n" + INNER,
    head(b"Transfer-Encoding: \x0bchunked") + b"0\r\n\r\n" + INNER,
    head(b"Transfer-Encoding: chunked", start=b"POST http://sys.virtual/ HTTP/1.0") + b"0\r\n\r\n" + INNER,
    head(b"Transfer-Encoding:\r\n chunked") + b"0\r\n\r\n" + INNER,
    head(b"Foo: bar\nTransfer-Encoding: chunked") + b"0\r\n\r\n" + INNER,
    head(b"Foo: bar\rTransfer-Encoding: chunked") + b"0\r\n\r\n" + INNER,
    head(b"Foo: bar\x00", b"Content-Length: 0"),
    head(b"Foo", b"Content-Length: 0"),
    head(b": foo", b"Content-Length: 0"),
    head(b"Fo o: x", b"Content-Length: 0"),
    head(b"Host: other.virtual"),
    head(host=None),
    head(host=b"Host: sys.virtual, other"),
    head(host=b"Host: sys.virtual/x"),
    head(start=b"POST  http://sys.virtual/ HTTP/1.1"),
    head(start=b"POST http://sys.virtual/ HTTP/1.1 "),
    head(start=b"POST http://sys.virtual/a b HTTP/1.1"),
    head(start=b"POST http://sys.virtual/ HTTP/2.0"),
    head(start=b"POST http://sys.virtual/ HTTP/1.2"),
    head(start=b"POST http://sys.virtual/ http/1.1"),
    head(start=b"POST http://user@sys.virtual/ HTTP/1.1"),
    head(start=b"POST http://sys.virtual/\x01 HTTP/1.1"),
    head(start=b"P\x00ST http://sys.virtual/ HTTP/1.1"),
    head(start=b"POST http:///x HTTP/1.1"),
    head(start=b"POST http://sys.virtual:99999/ HTTP/1.1"),
    head(start=b"POST http://sys.virtual/#frag HTTP/1.1"),
    head(start=b"POST /smuggled HTTP/1.1"),
    b"\n" + head(b"Content-Length: 0"),
    b"POST http://sys.virtual/ HTTP/1.1\nHost: sys.virtual\n\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]
# The head is in order, the body is not: the request may begin to reach the system, but never as a whole one, and nothing after it.
BROKEN_BODIES = [
    b"5;\r\nhello\r\n0\r\n\r\n"[:2] + b"\nhello\r\n0\r\n\r\n",  # a chunk extension that ends in LF
    b"5\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n", b"-1\r\n", b" 5\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhelloX\r\n0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n", b"5\r\nhell\r\n0\r\n\r\n" + INNER, b"\r\n0\r\n\r\n",
    b"ffffffffffffffff1\r\nx", b"ffffffffffffffff\r\nx", b"5\r\nhello\r\n0\r\nX: y\n\r\n", b"5\r\nhello\r\n0\r\n X: y\r\n\r\n",
    b"5\r\nhello\r\n0\r\nX : y\r\n\r\n", b"5\r\nhello\r\n0\n\r\n" + INNER, b"5;" + b"x" * 20000 + b"\r\nhello\r\n0\r\n\r\n", b"g\r\n",
]
# Unusual, but of one meaning only: (bytes, what the system must see).
ACCEPTED = [
    (b"\r\n" + head(b"Content-Length: 2") + b"ok", ("POST", "/", b"ok")),
    (head(b"Content-Length: 0"), ("POST", "/", b"")),
    (head(b"Transfer-Encoding: Chunked") + b"2\r\nok\r\n0\r\n\r\n", ("POST", "/", b"ok")),
    (head(b"Transfer-Encoding: chunked") + b"00002;a=b;c=\"d\"\r\nok\r\n000\r\n\r\n", ("POST", "/", b"ok")),
    (head(b"Content-Length: 36") + INNER + b"x", ("POST", "/", INNER + b"x")),
    (head(b"Host: sys.virtual", start=b"POST http://sys.virtual/ HTTP/1.1", host=b"X: y"), ("POST", "/", b"")),
    (head(start=b"POST http://SYS.virtual:80 HTTP/1.1", host=b"Host: elsewhere.virtual"), ("POST", "/", b"")),
    (head(start=b"DELETE http://sys.virtual/a%20b?c=%0d%0a HTTP/1.1"), ("DELETE", "/a%20b?c=%0d%0a", b"")),
    (head(b"Content_Length: 7", b"Transfer_Encoding: chunked", b"Content-Length: 2") + b"ok", ("POST", "/", b"ok")),
    (head(b"Connection: content-length, transfer-encoding, host", b"Content-Length: 2") + b"ok", ("POST", "/", b"ok")),
    (head(b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: AA", b"Content-Length: 2") + b"ok", ("POST", "/", b"ok")),
]


def disagreeing(prefer_chunks, log):
    """A careless system: of two framings it believes one or the other, ends lines with LF, takes "_" for "-" in names."""
    async def raw(reader, writer):
        while True:
            lines = []
            while (line := (await reader.readuntil(b"\n")).strip()):
                lines.append(line.decode("latin-1"))
            if not lines:
                continue
            method, path = lines[0].split()[:2]
            fields = {n.strip().lower().replace("_", "-"): v.strip().lower() for n, _, v in (line.partition(":") for line in lines[1:])}
            chunked, length = "chunked" in fields.get("transfer-encoding", ""), fields.get("content-length")
            body = b""
            if chunked and (prefer_chunks or length is None):
                while n := int((await reader.readuntil(b"\n")).split(b";")[0].strip(), 16):
                    body += await reader.readexactly(n)
                    await reader.readuntil(b"\n")
                while (await reader.readuntil(b"\n")).strip():
                    pass
            elif length is not None:
                body = await reader.readexactly(int(length.split(",")[0]))
            log.append((method, path, body))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()
    return raw


class House:
    def __init__(self, t):
        self.logs = {}
        w, gw, systems = Web(t), Gateway(t), {}
        for name, prefer in (("sys", True), ("sys2", False)):
            self.logs[name] = []
            systems[f"{name}.virtual:80"] = web(w.add(name, raw=disagreeing(prefer, self.logs[name])))
        gw.connector("c1", systems)
        self.proxy = gw.proxy()

    def both(self, data):
        """data at both systems, each on a connection of its own; what the client was answered: (status, bytes after it)."""
        for name in self.logs:
            with Client(self.proxy.address("http")) as c:
                c.send(data.replace(b"sys.virtual", name.encode() + b".virtual").replace(b"SYS.virtual", name.upper().encode() + b".virtual"))
                yield name, c


@test("requests of more than one meaning: refused, the connection ends, no system hears of them")
def _(t):
    house = House(t)
    for data in REFUSED:
        for _, c in house.both(data + NEXT):
            r = c.response()
            check(400 <= r.status <= 505 and r.status not in (404, 407), f"{r.status} for {data[:120]!r}")
            equal(r.get("connection"), "close", repr(data[:120]))
            c.rest()
    equal(house.logs, {"sys": [], "sys2": []}, "what systems saw")


@test("bodies that break the rules: the exchange ends, nothing after it is a request")
def _(t):
    house = House(t)
    for body in BROKEN_BODIES:
        for _, c in house.both(head(b"Transfer-Encoding: chunked") + body + NEXT):
            try:
                r = c.response()
                equal(r.status, 400, f"status for {body[:60]!r}")
            except (Failure, OSError) as e:
                if "status for" in str(e):
                    raise
            try:
                c.rest()
            except OSError:
                pass
    equal(house.logs, {"sys": [], "sys2": []}, "whole requests that systems saw")


@test("unusual requests of one meaning: all systems see the same")
def _(t):
    house = House(t)
    for data, want in ACCEPTED:
        for name, c in house.both(data):
            equal(c.response().status, 200, repr(data[:120]))
            method, path, body = house.logs[name][-1]
            equal((method, path, body.replace(b"sys2", b"sys")), want, f"{name} {data[:120]!r}")
            equal(c.ask("GET", f"http://{name}.virtual/next").status, 200, "the connection is in order")
            equal(house.logs[name][-1], ("GET", "/next", b""), "the next request")


@test("limits: lines, fields, heads; configurable to 128 KiB end to end")
def _(t):
    w, gw = Web(t), Gateway(t)
    gw.connector("c1", {"sys.virtual:80": web(w.add("sys"), max_head="512KiB")})
    sp = gw.proxy()

    def status(addr, *fields, url="http://sys.virtual/"):
        with Client(addr) as c:
            r = c.ask("GET", url, *fields)
            return r.status
    addr = sp.address("http")
    equal(status(addr, "X: " + "x" * (8192 - 3)), 200, "a line of 8192 bytes")
    equal(status(addr, "X: " + "x" * (8192 - 2)), 431, "one more")
    equal(status(addr, url="http://sys.virtual/" + "x" * 8192), 414, "a long request line")
    equal(status(addr, *[f"X-{i}: y" for i in range(99)]), 200, "100 fields with Host")
    equal(status(addr, *[f"X-{i}: y" for i in range(100)]), 431, "101 fields")
    equal(status(addr, *["X: " + "x" * 4000] * 5), 431, "a head above 16 KiB")
    gw2 = Gateway(t, name="gateway2", extra='limits = { head = "256KiB"; head_line = "128KiB"; };')
    gw2.connector("c2", {"sys.virtual:80": web(w.add("sys2"), max_head="512KiB")}, extra='limits = { head = "256KiB"; head_line = "128KiB"; };')
    sp2 = gw2.proxy(name="proxy2", extra='limits = { head = "256KiB"; head_line = "128KiB"; };')
    equal(status(sp2.address("http"), "X: " + "x" * (131072 - 3)), 200, "a line of 128 KiB")
    equal(status(sp2.address("http"), "X: " + "x" * 131072), 431, "one more")


@test("slow heads, slow bodies, idle connections: each has its time")
def _(t):
    w, gw = Web(t), Gateway(t)
    gw.connector("c1", {"sys.virtual:80": web(w.add("sys"))})
    sp = gw.proxy(extra='timeouts = { handshake = "200ms"; body = "200ms"; keep_alive = "200ms"; };')
    with Client(sp.address("http")) as c:
        c.send(b"GET http://sys.virtual/ HT")
        c.ended()
    with Client(sp.address("http")) as c:
        c.send(head(b"Content-Length: 5") + b"he")
        r = c.response()
        equal((r.status, r.get("connection")), (408, "close"), "a body that stops")
        c.ended()
    sp.outcome("request_timeout")
    with Client(sp.address("http")) as c:
        equal(c.ask("GET", "http://sys.virtual/").status, 200, "a request")
        c.ended()


main()
