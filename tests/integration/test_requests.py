"""HTTP requests in absolute form: what passes, what does not, and how it is told. Proxy -> gateway <- connector -> system."""
import json
import socket

from harness import *

NO_IDENTITY = ("proxy-", "sap-connectivity-", "sap-cp-", "sallyport-", "connection", "keep-alive", "te", "upgrade", "trailer")


class House:
    """One tenant; sys.virtual is exposed with everything below /, others as the test says."""

    def __init__(self, t, systems=None, extra="", proxy_extra="", answer=None, raw=None, **settings):
        self.web, self.gateway = Web(t), Gateway(t)
        self.at = self.web.add("sys", answer, raw)
        systems = systems or {"sys.virtual:80": web(self.at, **settings)}
        self.connector = self.gateway.connector("c1", systems, extra=extra)
        self.proxy = self.gateway.proxy(extra=proxy_extra)

    def client(self):
        return Client(self.proxy.address("http"))


# ---- what passes ----------------------------------------------------------------------------

@test("methods, bodies both ways, one connection")
def _(t):
    house = House(t)
    with house.client() as c:
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "MKCOL", "X-OWN"):
            for body in (None, b"", b"x" * 70000, [b"abc", b"d" * 20000]):
                r = c.ask(method, "http://sys.virtual/a/b?c=d&e", body=body)
                seen = house.web.seen[-1]
                equal((r.status, seen.method, seen.path), (200, method, "/a/b?c=d&e"), f"{method} {type(body)}")
                equal(seen.body, b"".join(body) if isinstance(body, list) else body or b"", f"{method}: body")
                equal(seen.get("host"), "sys.virtual", "Host")
    equal(house.web.connections["sys"], 1, "connections to the system")
    house.proxy.wait(40, event="exchange", outcome="ok", status="200")


@test("what belongs to a hop, and what is ours, never reaches the system")
def _(t):
    house = House(t)
    with house.client() as c:
        c.ask("GET", "http://sys.virtual/", "Proxy-Authorization: Bearer x", "Proxy-Connection: keep-alive", "proxy_x: 1", "Proxy-Foo: 1",
              "SAP-Connectivity-SCC-Location_ID: ", "SAP-Connectivity-Authentication: Bearer user", "SAP-Connectivity-Technical-Authentication: y",
              "SAP-CP-Connectivity-Service-Token: z", "sallyport-tenant: t9", "sallyport-claims: {}", "Sallyport_Exchange: 1",
              "Connection: keep-alive, X-Hop", "X-Hop: 1", "Keep-Alive: 5", "TE: gzip", "Trailer: X", "X-Stays: 1", "Cookie: a=b", "Authorization: Basic eA==")
    names = house.web.seen[0].names()
    equal([n for n in names if n.replace("_", "-").startswith(NO_IDENTITY)], [], "fields that must not be there")
    equal(names, ["authorization", "cookie", "host", "via", "x-stays"], "all fields")


@test("pipelined requests are answered in order, whatever their systems are doing")
def _(t):
    async def slow(seen, writer):
        if seen.path == "/0":
            await barrier.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(seen.path), seen.path.encode()))
        return True
    import asyncio
    house = House(t, answer=slow)
    barrier = asyncio.Event()
    with house.client() as c:
        for i in range(5):
            c.request("GET", f"http://sys.virtual/{i}")
        house.web.loop.call_soon_threadsafe(barrier.set)
        equal([c.response().body for _ in range(5)], [b"/%d" % i for i in range(5)], "answers")


def fixed(text):
    async def answer(seen, writer):
        writer.write(text)
        await writer.drain()
        return True
    return answer


RESPONSES = [
    ("GET", b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n", 204, b""),
    ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\nETag: x\r\n\r\n", 304, b""),
    ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n", 200, b""),
    ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 200, b"abcde"),
    ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b""),
    ("GET", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok"),
    ("GET", b"HTTP/1.1 500 Whatever It Is\r\nContent-Length: 2\r\n\r\nno", 500, b"no"),
    ("GET", b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n", 401, b""),
]


@test("responses of every shape")
def _(t):
    answers = iter(RESPONSES)

    async def answer(seen, writer):
        writer.write(next(answers)[1])
        return True
    house = House(t, answer=answer)
    with house.client() as c:
        for method, _, status, body in RESPONSES:
            r = c.ask(method, "http://sys.virtual/")
            equal((r.status, r.body), (status, body), f"{method} {status}")
            if method == "HEAD" or status == 304:
                equal(r.get("content-length"), "77", "its length")
            if r.interim:
                equal([(i.status, i.get("link")) for i in r.interim][-1], (103, "</a>"), "interim responses")
    equal(house.web.connections["sys"], 1, "connections to the system")


@test("bodies that end with the connection; connections that a system does not keep")
def _(t):
    house = House(t, raw=until_close)
    with house.client() as c:
        for i in range(3):
            r = c.ask("GET", "http://sys.virtual/")
            equal((r.status, len(r.body), r.get("transfer-encoding")), (200, 100000, "chunked"), f"answer {i}")
    equal(house.web.connections["sys"], 3, "connections to the system")


async def until_close(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 100000)
    await writer.drain()


@test("trailers, both ways")
def _(t):
    house = House(t, answer=fixed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nContent-Length: 5\r\n\r\n"))
    with house.client() as c:
        c.send(b"POST http://sys.virtual/ HTTP/1.1\r\nHost: sys.virtual\r\nTE: trailers\r\nConnection: TE\r\nTransfer-Encoding: chunked\r\n\r\n"
               b"3\r\nabc\r\n0\r\nX-Digest: 7\r\nHost: evil\r\n\r\n")
        r = c.response()
    equal((r.body, r.trailers), (b"ok", [("x-sum", "1")]), "the response's")
    equal([(n.lower(), v) for n, v in house.web.seen[0].trailers], [("x-digest", "7")], "the request's")
    equal(house.web.seen[0].get("te"), "trailers", "TE")


@test("Expect: 100-continue: the system decides")
def _(t):
    async def refuse(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        if b"/no" in head:
            writer.write(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            return
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(5)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + body)
        await writer.drain()
    house = House(t, raw=refuse)
    with house.client() as c:
        c.send(b"PUT http://sys.virtual/yes HTTP/1.1\r\nHost: sys.virtual\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        while b"\r\n\r\n" not in c.data:
            c._more()
        check(c.data.startswith(b"HTTP/1.1 100 "), f"no 100: {bytes(c.data)!r}")
        c.send(b"hello")
        r = c.response()
        equal((r.status, r.body, len(r.interim)), (200, b"hello", 1), "accepted")
        c.send(b"PUT http://sys.virtual/no HTTP/1.1\r\nHost: sys.virtual\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        r = c.response()
        equal((r.status, r.get("connection")), (417, "close"), "refused; the body is not waited for")
        c.ended()


@test("HTTP/1.0 clients")
def _(t):
    house = House(t, answer=fixed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"))
    with house.client() as c:
        c.send(b"GET http://sys.virtual/ HTTP/1.0\r\n\r\n")
        r = c.response()
        equal((r.status, r.body, r.get("transfer-encoding"), r.get("connection")), (200, b"ok", None, "close"), "the answer")


@test("Connection: close, from the client; a client that half-closes after its request")
def _(t):
    house = House(t)
    with house.client() as c:
        r = c.ask("GET", "http://sys.virtual/", "Connection: close")
        equal((r.status, r.get("connection")), (200, "close"), "the answer")
        c.ended()
    with house.client() as c:
        c.request("POST", "http://sys.virtual/", body=b"abc")
        c.s.shutdown(socket.SHUT_WR)
        equal(c.response().status, 200, "after a half-close")
        c.ended()


@test("an early response ends the exchange; what the client still sends is nobody's request")
def _(t):
    async def early(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
        await writer.drain()
        writer.close()
    house = House(t, raw=early)
    with house.client() as c:
        c.send(b"POST http://sys.virtual/ HTTP/1.1\r\nHost: sys.virtual\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000)
        r = c.response()
        equal((r.status, r.body, r.get("connection")), (403, b"no", "close"), "the answer")
        c.ended()
    equal(house.proxy.outcome("ok")["status"], 403, "its line")


# ---- what does not ---------------------------------------------------------------------------

@test("https:// in absolute form: 405, and what to do")
def _(t):
    house = House(t)
    for url in ("https://sys.virtual/", "wss://sys.virtual/"):
        with house.client() as c:
            r = c.ask("GET", url)
            equal((r.status, r.get("allow")), (405, "CONNECT"), url)
            check(b"use CONNECT host:port" in r.body, r.body)


@test("a path that is not exposed, a method that is not allowed, a system that is suspended, one that is not there")
def _(t):
    w = Web(t)
    at = w.add("sys")
    paths = [{"path": "/open", "sub_paths": True}, {"path": "/open/closed", "sub_paths": True, "suspended": True},
             {"path": "/read", "methods": ["GET", "HEAD"]}]
    house = House(t, systems={"sys.virtual:8000": web(at, paths=paths), "off.virtual:80": web(at, suspended=True), "tcp.virtual:80": at})
    with house.client() as c:
        for method, url, text in (("GET", "http://sys.virtual:8000/secret?a=b", "resource /secret on system sys.virtual:8000"),
                                  ("GET", "http://sys.virtual:8000/open/../secret", "resource /open/../secret on system sys.virtual:8000"),
                                  ("GET", "http://sys.virtual:8000/open/%2e%2e/x", "resource /open/%2e%2e/x on system sys.virtual:8000"),
                                  ("GET", "http://sys.virtual:8000/open/closed/x", "resource /open/closed/x on system sys.virtual:8000"),
                                  ("POST", "http://sys.virtual:8000/read", "resource /read on system sys.virtual:8000"),
                                  ("GET", "http://off.virtual/", "system off.virtual:80"), ("GET", "http://tcp.virtual/", "system tcp.virtual:80"),
                                  ("GET", "http://none.virtual/", "system none.virtual:80")):
            r = c.ask(method, url, body=b"abc" if method == "POST" else None)
            equal(r.status, 403, url)
            check(f"Access denied to {text}." in r.body.decode(), r.body)
            check("sallyport-connector; error=http_request_denied" in r.get("proxy-status"), r.get("proxy-status"))
        for method, url in (("GET", "http://sys.virtual:8000/open/x"), ("GET", "http://sys.virtual:8000/read?x"), ("HEAD", "http://sys.virtual:8000/read")):
            equal(c.ask(method, url).status, 200, url)
    equal(len(w.seen), 3, "requests that reached the system")
    equal(http_connect(house.proxy.address("http"), "sys.virtual:8000")[0].status, 403, "no tunnel goes around the paths")


def closed_address():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return text_of(s.getsockname())


@test("failures are told in the format that the client accepts")
def _(t):
    house = House(t, systems={"dead.virtual:80": web(closed_address())})
    with house.client() as c:
        r = c.ask("GET", "http://dead.virtual/", "Accept: application/json")
        problem = r.json()
        equal((r.status, r.get("content-type")), (502, "application/problem+json"), "JSON")
        equal((problem["status"], problem["outcome"], problem["title"]), (502, "refused", "Bad Gateway"), "its members")
        line = house.connector.outcome("refused")
        equal(problem["exchange"], line["exchange"], "the id, the same in the connector's log")
        r = c.ask("GET", "http://dead.virtual/")
        equal((r.status, r.get("content-type")), (502, "text/plain; charset=utf-8"), "text")
        check(r.body.startswith(b"refused: The target refused the connection.\nexchange "), r.body)
        r = c.ask("GET", "http://dead.virtual/", "SAP-Connectivity-SCC-Location_ID: elsewhere")
        equal((r.status, r.get("retry-after")), (503, "5"), "no connector")
        r = c.ask("HEAD", "http://dead.virtual/")
        equal(r.status, 502, "HEAD")
        equal(c.ask("POST", "http://dead.virtual/", body=b"x" * 100000).status, 502, "with a body")


@test("systems that break the rules of HTTP: 502, and nothing of it passes")
def _(t):
    bad = [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello",
           b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", b"garbage\r\n\r\n", b"HTTP/1.1 20 OK\r\n\r\n", b"HTTP/2.0 200 OK\r\n\r\n",
           b"HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n",
           b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
           b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70000 + b"\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50, b""]
    texts = iter(bad)

    async def raw(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(next(texts))
        await writer.drain()
    house = House(t, raw=raw)
    with house.client() as c:
        for text in bad:
            r = c.ask("POST", "http://sys.virtual/")
            equal(r.status, 502, repr(text[:60]))
            equal(json.loads(c.ask("GET", "http://nowhere.virtual/", "Accept: application/json").body)["status"], 403, "the connection is in order")
    equal(house.connector.count(event="exchange", outcome="protocol_error"), len(bad), "the connector's lines")


@test("a response that is cut short is cut short for the client, too")
def _(t):
    cut = [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"]
    texts = iter(cut)

    async def raw(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(next(texts))
        await writer.drain()
    house = House(t, raw=raw)
    for _ in cut:
        with house.client() as c:
            c.request("GET", "http://sys.virtual/")
            try:
                r = c.response()
            except (Failure, OSError):
                continue
            equal(r.status, 502, "the status, when the end overtook the head")


@test("what comes after a response is dropped with its connection")
def _(t):
    async def raw(reader, writer):
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
            await writer.drain()
    house = House(t, raw=raw)
    with house.client() as c:
        for _ in range(4):
            equal(c.ask("GET", "http://sys.virtual/").body, b"ok", "the answer")
    equal(house.web.connections["sys"], 4, "connections, one for each request")


main()
