"""Exposed HTTP systems: names, TLS, claims, limits; and requests without a tunnel."""
import asyncio
import ssl

from harness import *


def fixed(*fields, body=b"ok"):
    async def answer(seen, writer):
        writer.write("".join(f"{line}\r\n" for line in ("HTTP/1.1 200 OK", *fields, f"Content-Length: {len(body)}", "")).encode() + body)
        await writer.drain()
        return True
    return answer


def house(t, systems, **more):
    gw = Gateway(t)
    c = gw.connector("c1", systems, **more)
    return gw, c, gw.proxy()


@test("Host: the virtual one, or the internal one with X-Forwarded-Host")
def _(t):
    w = Web(t)
    at = w.add()
    _, _, sp = house(t, {"a.virtual:8000": web(at), "b.virtual:8000": web(at, host_header="internal"), "c.virtual:80": web(at, host_header="internal")})
    with Client(sp.address("http")) as c:
        for name, host, forwarded in (("a.virtual:8000", "a.virtual:8000", "evil"), ("b.virtual:8000", at, "b.virtual:8000"), ("c.virtual", at, "c.virtual:80")):
            c.ask("GET", f"http://{name}/", "X-Forwarded-Host: evil")
            equal((w.seen[-1].get("host"), w.seen[-1].get("x-forwarded-host")), (host, forwarded), name)


@test("Location, Content-Location and cookies name the virtual host")
def _(t):
    w = Web(t)
    at = {}

    async def answer(seen, writer):
        return await fixed(f"Location: http://{at['sys']}/next?x=y", f"Content-Location: http://{at['sys']}/here", "Set-Cookie: a=b; Domain=127.0.0.1; Path=/",
                           "Set-Cookie: c=d; Secure", "Refresh: 0", f"X-Other: http://{at['sys']}/")(seen, writer)
    at["sys"] = w.add("sys", answer)
    _, _, sp = house(t, {"sys.virtual:8000": web(at["sys"])})
    with Client(sp.address("http")) as c:
        r = c.ask("GET", "http://sys.virtual:8000/")
    equal((r.get("location"), r.get("content-location")), ("http://sys.virtual:8000/next?x=y", "http://sys.virtual:8000/here"), "locations")
    equal([v for n, v in r.fields if n.lower() == "set-cookie"], ["a=b; Domain=sys.virtual; Path=/", "c=d; Secure"], "cookies")
    equal(r.get("x-other"), f"http://{at['sys']}/", "other fields stay")


def server_context(cert, client_ca=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*cert)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context


@test("https systems: verified by name and CA, client certificates, links rewritten to http")
def _(t):
    w, gw = Web(t), Gateway(t)
    plain = w.add("tls", fixed("Location: https://sys.virtual/x", "Set-Cookie: a=b; Secure; HttpOnly"), tls=server_context(gw.ca.server("sys")))
    strict = w.add("strict", tls=server_context(gw.ca.server("strict"), gw.ca.file))
    cert = gw.ca.client("me", "/CN=me")
    host = lambda at: "localhost:" + at.split(":")[1]
    https = {"protocol": "https", "ca_file": gw.ca.file}
    systems = {"sys.virtual:80": web(host(plain), **https), "name.virtual:80": web(host(plain), **https, server_name="elsewhere.example"),
               "ca.virtual:80": web(host(plain), protocol="https"), "nocert.virtual:80": web(host(strict), **https),
               "cert.virtual:80": web(host(strict), **https, cert_file=cert[0], key_file=cert[1])}
    gw.connector("c1", systems)
    sp = gw.proxy()
    with Client(sp.address("http")) as c:
        for _ in range(3):
            r = c.ask("GET", "http://sys.virtual/")
            equal((r.status, r.get("location"), r.get("set-cookie")), (200, "http://sys.virtual/x", "a=b; HttpOnly"), "the good one")
        for name, outcome in (("name", "tls_certificate"), ("ca", "tls_certificate")):
            r = c.ask("GET", f"http://{name}.virtual/")
            equal(r.status, 502, name)
            check(r.body.decode().startswith(outcome), r.body)
        equal(c.ask("GET", "http://nocert.virtual/").status, 502, "without a certificate")
        equal(c.ask("GET", "http://cert.virtual/").status, 200, "with one")
    equal(w.connections["tls"], 1, "TLS connections that came up, for three requests")


@test("bodies above max_body: 413, announced or not")
def _(t):
    w = Web(t)
    _, _, sp = house(t, {"sys.virtual:80": web(w.add(), max_body="100KiB")})
    with Client(sp.address("http")) as c:
        equal(c.ask("POST", "http://sys.virtual/", body=b"x" * 102400).status, 200, "as much as may be")
        c.request("POST", "http://sys.virtual/", body=b"x" * 102401)
        equal(c.response().status, 413, "announced")
    with Client(sp.address("http")) as c:
        c.request("POST", "http://sys.virtual/", body=[b"x" * 50000] * 3)
        equal(c.response().status, 413, "chunked")
    equal(len(w.seen), 1, "whole requests that the system saw")


@test("connections: more requests at once than a system takes are refused, later ones are not")
def _(t):
    w = Web(t)
    gate = asyncio.Event()

    async def answer(seen, writer):
        if seen.path == "/wait":
            await gate.wait()
        return await fixed()(seen, writer)
    _, _, sp = house(t, {"sys.virtual:80": web(w.add("sys", answer), connections=1)})
    with Client(sp.address("http")) as a, Client(sp.address("http")) as b:
        a.request("GET", "http://sys.virtual/wait")
        w.wait("sys")  # it is there when the second comes
        r = b.ask("GET", "http://sys.virtual/")
        equal((r.status, r.get("retry-after")), (429, "1"), "the second")
        w.loop.call_soon_threadsafe(gate.set)
        equal(a.response().status, 200, "the first")
        equal(b.ask("GET", "http://sys.virtual/").status, 200, "the second, again")


@test("a response that does not come within the system's timeout: 504")
def _(t):
    w = Web(t)

    async def never(reader, writer):
        await reader.read()
    async def late(seen, writer):
        await gate.wait()
        return await fixed()(seen, writer)
    gate, at = asyncio.Event(), w.add("sys", raw=never)
    _, c1, sp = house(t, {"sys.virtual:80": web(at, timeout="100ms"), "usual.virtual:80": web(at), "long.virtual:80": web(w.add("late", late), timeout="1h")},
                      extra='timeouts = { response = "300ms"; };')
    with Client(sp.address("http")) as long, Client(sp.address("http")) as c:
        long.request("POST", "http://long.virtual/", body=b"x")
        w.wait("late")
        for name in ("sys", "usual"):
            equal(c.ask("GET", f"http://{name}.virtual/").status, 504, name)
        with Client(sp.address("http")) as other:
            equal(other.ask("POST", "http://sys.virtual/", body=b"hello").status, 504, "with a body")
        w.loop.call_soon_threadsafe(gate.set)
        equal(long.response().status, 200, "a system that may take longer than others")
    equal(c1.outcome("timeout")["method"], "GET", "the connector's line")


@test("407 for a request without the credential that came before on the connection says what happened")
def _(t):
    w, gw = Web(t), Gateway(t)
    gw.connector("c1", {"sys.virtual:80": web(w.add())})
    sp = gw.proxy({"apps": [gw.idp.plugin()]})
    token = gw.idp.token("acme", sub="alice")
    with Client(sp.address("http")) as c:
        r = c.ask("GET", "http://sys.virtual/")
        equal(r.status, 407, "the first")
        check(b"redirect" not in r.body and "Bearer" in r.get("proxy-authenticate"), r.body)
        equal(c.ask("GET", "http://sys.virtual/", f"Proxy-Authorization: Bearer {token}").status, 200, "with it")
        r = c.ask("GET", "http://sys.virtual/")
        equal(r.status, 407, "without it again: nothing is inherited")
        check(b"some clients drop it when they follow a redirect" in r.body, r.body)
        equal(c.ask("GET", "http://sys.virtual/", f"Proxy-Authorization: Bearer {gw.idp.forged('acme')}").status, 407, "forged")
        equal(c.ask("GET", "http://sys.virtual/", f"Proxy-Authorization: Bearer {token}").status, 200, "the connection goes on")


@test("claims that nobody verified are nobody's; what clients say of themselves is dropped")
def _(t):
    w, gw = Web(t), Gateway(t)
    gw.connector("c1", {"sys.virtual:80": web(w.add(), principal_header=[{"claim": "sub", "header": "X-User"}, {"claim": "roles", "header": "X-Roles"},
                                                                        {"claim": "bad", "header": "X-Bad"}])})
    sp = gw.proxy({"apps": [gw.idp.plugin()], "open": LOCAL})
    token = gw.idp.token("acme", sub="alice", roles=["a", "b"], bad="x\r\ny")
    spoof = ("X-User: root", "x_user: root", "X-Roles: admin", "X-Bad: 1", "sallyport-claims: {\"sub\":\"root\"}")
    with Client(sp.address("http", 1)) as c:
        equal(c.ask("GET", "http://sys.virtual/", f"Proxy-Authorization: Bearer {token}", *spoof).status, 200, "status")
    seen = w.seen[-1]
    equal((seen.get("x-user"), seen.get("x-roles"), seen.get("x-bad"), seen.get("x_user")), ("alice", "a,b", None, None), "verified")
    with Client(sp.address("http", 2)) as c:
        equal(c.ask("GET", "http://sys.virtual/", *spoof).status, 200, "status")
    equal([n for n in w.seen[-1].names() if n.replace("_", "-").startswith("x-")], [], "where nobody is asked")


@test("a user's own token beside the caller's: its claims if the chain accepts it, else nobody's")
def _(t):
    w, gw = Web(t), Gateway(t)
    gw.connector("c1", {"sys.virtual:80": web(w.add(), principal_header=[{"claim": "sub", "header": "X-User"}])})
    sp = gw.proxy({"apps": [gw.idp.plugin()]})
    app, token = gw.idp.token("acme", sub="app"), gw.idp.token
    with Client(sp.address("http")) as c:
        for user, want in ((None, "app"), (token("acme", sub="bob"), "bob"), (gw.idp.forged("acme", sub="bob"), None), (token("other", sub="eve"), None),
                           (token("acme", sub="late", lifetime_s=-60), None), ("x" * 6000, None), (token("acme", sub="ann"), "ann")):
            fields = [f"SAP-Connectivity-Authentication: Bearer {user}"] if user else []
            equal(c.ask("GET", "http://sys.virtual/", f"Proxy-Authorization: Bearer {app}", *fields).status, 200, str(want))
            equal((w.seen[-1].get("x-user"), w.seen[-1].get("sap-connectivity-authentication")), (want, None), str(want))
        r = c.ask("GET", "http://sys.virtual/", f"Proxy-Authorization: Bearer {app}", *[f"SAP-Connectivity-Authentication: Bearer {token('acme', sub='bob')}"] * 2)
        equal(r.status, 400, "two of them")


@test("a system that ignores a wish to switch protocols: 502 through a tunnel, where a 2xx would say that it has switched")
def _(t):
    w = Web(t)
    _, c1, sp = house(t, {"sys.virtual:80": web(w.add(), upgrade=True)})
    with Client(sp.address("http")) as c:
        r = c.ask("GET", "http://sys.virtual/", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==")
        equal(r.status, 502, "status")
        equal(c.ask("GET", "http://sys.virtual/").status, 200, "the connection goes on")
    check("without switching" in c1.outcome("protocol_error")["detail"], "the connector's line")
    equal(w.seen[0].get("upgrade"), "websocket", "the system was asked")


@test("all in one: requests without a tunnel")
def _(t):
    w, sp = Web(t), all_in_one(t)
    at = w.add()
    with Client(sp.address("http")) as c:
        for i in range(5):
            r = c.ask("POST", f"http://{at}/x?{i}", "X-Case: kept", body=[b"ab", b"c"])
            equal((r.status, r.json()["length"], w.seen[-1].get("host")), (200, 3, at), f"answer {i}")
        check(("X-Case", "kept") in w.seen[-1].fields, "names as they were written")
        equal(c.ask("GET", "http://name.invalid/").status, 502, "no such name")
        equal(c.ask("GET", f"http://{at}/").status, 200, "the connection goes on")
    equal(w.connections["system"], 1, "connections to the system")


@test("stopping: idle connections end at once, a request under way is finished and says close")
def _(t):
    w, gw = Web(t), Gateway(t)
    gate = asyncio.Event()

    async def answer(seen, writer):
        await gate.wait()
        return await fixed()(seen, writer)
    gw.connector("c1", {"sys.virtual:80": web(w.add("sys", answer)), "fast.virtual:80": web(w.add("fast"))})
    sp = gw.proxy()
    with Client(sp.address("http")) as idle, Client(sp.address("http")) as busy:
        equal(idle.ask("GET", "http://fast.virtual/").status, 200, "before")
        busy.request("GET", "http://sys.virtual/")
        w.wait("sys")
        sp.proc.terminate()
        idle.ended()
        w.loop.call_soon_threadsafe(gate.set)
        r = busy.response()
        equal((r.status, r.get("connection")), (200, "close"), "the one under way")
        busy.ended()
    equal(sp.proc.wait(HANG_S), 0, "exit code")


main()
