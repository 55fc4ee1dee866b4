"""The outcome table: what a SOCKS5 client, an HTTP client and the log see of each outcome, on every kind of way."""
import contextlib
import queue
import ssl
import threading

from harness import *

# word: SOCKS5 reply, HTTP status, Proxy-Status error. Written down here once more on purpose: this is what users rely on.
TABLE = {
    "not_exposed": (0x02, 403, "http_request_denied"),
    "no_connector": (0x03, 503, "destination_unavailable"),
    "unreachable": (0x04, 502, "destination_ip_unroutable"),
    "dns_error": (0x04, 502, "dns_error"),
    "refused": (0x04, 502, "connection_refused"),
    "timeout": (0x04, 504, "connection_timeout"),
    "tunnel_lost": (0x01, 502, "connection_terminated"),
    "tls_error": (0x01, 502, "tls_protocol_error"),
    "tls_certificate": (0x01, 502, "tls_certificate_error"),
    "gateway_denied_us": (0x01, 502, "proxy_configuration_error"),
    "limit": (0x01, 429, "connection_limit_reached"),
    "auth_unavailable": (0x01, 503, "proxy_internal_error"),
}


def expect_http(sp, word, target, *headers, hops=1):
    """HTTP CONNECT fails with this outcome. hops: how many of our programs say so in Proxy-Status, the nearest the target first."""
    socks, status, error = TABLE[word]
    before = sp.mark()
    a, s = http_connect(sp.address("http"), target, *headers)
    s.close()
    equal(a.status, status, f"HTTP status of {word}")
    members = [m.strip() for m in (a.get("Proxy-Status") or "").split(", ")]
    check(f"error={error}" in members[0] and f'details="{word}"' in members[0], f"{error}, {word} in {members[0]!r}")
    equal(len(members), hops, f"members of {members}")
    if word in ("limit", "auth_unavailable"):
        check((a.get("Retry-After") or "").isdigit(), f"Retry-After in {a.text!r}")
    sp.outcome(word, after=before, front="http")
    return a


def expect_socks(sp, word, host, port, **more):
    """The same by SOCKS5."""
    before = sp.mark()
    with Socks5(sp.address("socks5")) as c:
        try:
            c.open(host, port, **more)
        except SocksRefused as e:
            equal((e.step, f"{e.code:02x}"), ("reply", f"{TABLE[word][0]:02x}"), f"SOCKS5 reply of {word}")
            equal(read_end(c.s), ("eof", b""), "after the reply")
        else:
            raise Failure(f"{word} was wanted, the target was connected")
    sp.outcome(word, after=before, front="socks5")


def expect_both(sp, word, host, port, hops=1, **more):
    expect_socks(sp, word, host, port, **more)
    expect_http(sp, word, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", hops=hops)


def refused_address(t):
    addr, held = unused_address()
    t.defer(held.close)
    return addr


# ---- targets that fail --------------------------------------------------------------------

@test("direct: refused")
def _(t):
    expect_both(all_in_one(t), "refused", *refused_address(t))


@test("direct: dns_error")
def _(t):
    expect_both(all_in_one(t), "dns_error", "nobody.invalid", 80)


@test("direct: timeout")
def _(t):
    expect_both(all_in_one(t, extra='timeouts = { dial = "300ms"; };'), "timeout", *deaf_address(t))


@test("direct: unreachable")
def _(t):
    addr = unroutable_address()
    if not addr:
        raise Skip("this machine has a route to everywhere")
    expect_both(all_in_one(t), "unreachable", *addr)


@test("behind a connector: refused, dns_error, timeout, unreachable, not_exposed; three hops say so")
def _(t):
    gw = Gateway(t)
    unroutable = unroutable_address()
    expose = {"refused.virtual:1": text_of(refused_address(t)), "dns.virtual:1": "nobody.invalid:80",
              "deaf.virtual:1": text_of(deaf_address(t)), "there.virtual:1-9": "127.0.0.1:1"}
    if unroutable:
        expose["far.virtual:1"] = text_of(unroutable)
    c = gw.connector("c1", expose, extra='timeouts = { dial = "300ms"; };')
    sp = gw.proxy()
    cases = [("refused", "refused.virtual", 1), ("dns_error", "dns.virtual", 1), ("timeout", "deaf.virtual", 1),
             ("not_exposed", "hidden.virtual", 1), ("not_exposed", "there.virtual", 10), ("not_exposed", "127.0.0.1", 1)]
    if unroutable:
        cases.append(("unreachable", "far.virtual", 1))
    for word, host, port in cases:
        expect_both(sp, word, host, port, hops=3)
        for p in (gw.program, c):
            p.outcome(word, target=f"{host}:{port}")


@test("the exchange has the same id in the proxy's, the gateway's and the connector's log")
def _(t):
    gw = Gateway(t)
    origin = Origin(t, echo)
    c = gw.connector("c1", {"a.virtual:1": origin.text})
    sp = gw.proxy()
    for host in ("a.virtual", "b.virtual"):
        before = sp.mark()
        with Socks5(sp.address("socks5")) as s, contextlib.suppress(SocksRefused):
            s.open(host, 1)
        line = sp.wait(event="exchange", after=before)
        for p in (gw.program, c):
            other = p.wait(event="exchange", exchange=line["exchange"])
            equal((other["target"], other["outcome"]), (f"{host}:1", line["outcome"]), p.name)
        equal(gw.program.wait(event="exchange", exchange=line["exchange"])["tenant"], "acme", "tenant at the gateway")


# ---- the way that fails -------------------------------------------------------------------

@test("no connector for the tenant and location")
def _(t):
    gw = Gateway(t)
    gw.connector("c1", {"a.virtual:1": "127.0.0.1:1"}, location="plant")
    sp = gw.proxy()
    expect_both(sp, "no_connector", "a.virtual", 1, hops=2)
    gw.program.outcome("no_connector", tenant="acme")


@test("no connector, where connectors dial the proxy itself; the answer names tenant and location")
def _(t):
    ca = CA(t.dir)
    sp = sallyport(t, "proxy", {"apps": LOCAL, "connectors": [mtls(tenant_from="subject:O")]},
                   [listener("socks5", "apps"), listener("http", "apps"),
                    tunnel_listener(ca.server(), connectors="connectors", client_ca=ca.file)], CONNECTORS)
    expect_socks(sp, "no_connector", "a.virtual", 1)
    a, s = http_connect(sp.address("http"), "a.virtual:1", "SAP-Connectivity-SCC-Location_ID: plant")
    with s:
        equal(a.status, 503, "status")
        body = (a.rest + read_exact(s, int(a.get("Content-Length")) - len(a.rest))).decode()
        check("acme" in body and "plant" in body, f"tenant and location in {body!r}")


@test("the gateway is not there: tunnel_lost, not a refused target")
def _(t):
    ca = CA(t.dir)
    sp = sallyport(t, "proxy", {"apps": LOCAL}, [listener("socks5", "apps"), listener("http", "apps")],
                   gateway_upstream(refused_address(t), ca.file))
    expect_both(sp, "tunnel_lost", "a.virtual", 1)


@test("the gateway's certificate: of another authority, of another name")
def _(t):
    gw = Gateway(t)
    other = CA(t.dir, "other")
    for name, upstream in {"stranger": gateway_upstream(gw.addr, other.file, cert=gw.ca.client("p1", "/CN=proxy")),
                           "misnamed": gateway_upstream(other_name(t, gw), gw.ca.file, cert=gw.ca.client("p2", "/CN=proxy"))}.items():
        sp = sallyport(t, name, {"apps": LOCAL}, [listener("socks5", "apps"), listener("http", "apps")], upstream)
        expect_both(sp, "tls_certificate", "a.virtual", 1)


def other_name(t, gw):
    """A gateway whose certificate is of our authority but names another host."""
    cert = gw.ca.server("elsewhere", "DNS:elsewhere.example")
    chains = {"proxies": [mtls(allowed_subjects=["CN=proxy"])], "connectors": [mtls(tenant_from="subject:O")]}
    return sallyport(t, "elsewhere", chains, [tunnel_listener(cert, auth="proxies", connectors="connectors", client_ca=gw.ca.file,
                                                              speaks_for_any=["CN=proxy"])], CONNECTORS).address("tunnel")


@test("the gateway speaks TLS without HTTP/2: tls_error; no TLS at all: tls_error")
def _(t):
    ca = CA(t.dir)
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(*ca.server())
    ctx.set_alpn_protocols(["http/1.1"])

    def tls_only(s):
        with contextlib.suppress(ssl.SSLError), ctx.wrap_socket(s, server_side=True) as tls:
            tls.recv(1)

    def plain(s):
        s.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        read_end(s)

    for name, serve in {"http1-only": tls_only, "plain": plain}.items():
        sp = sallyport(t, name, {"apps": LOCAL}, [listener("socks5", "apps"), listener("http", "apps")],
                       gateway_upstream(Origin(t, serve).addr, ca.file))
        expect_both(sp, "tls_error", "a.virtual", 1)


@test("the gateway refuses us: gateway_denied_us, never 407")
def _(t):
    gw = Gateway(t)
    gw.connector("c1", {"a.virtual:1": "127.0.0.1:1"})
    stranger = gateway_upstream(gw.addr, gw.ca.file, cert=gw.ca.client("p1", "/CN=somebody"))
    sp = sallyport(t, "proxy", {"apps": LOCAL}, [listener("socks5", "apps"), listener("http", "apps")], stranger)
    expect_socks(sp, "gateway_denied_us", "a.virtual", 1)
    a, s = http_connect(sp.address("http"), "a.virtual:1")
    s.close()
    members = a.get("Proxy-Status").split(", ")
    equal(a.status, 502, "status")
    check('details="forbidden"' in members[0] and 'details="gateway_denied_us"' in members[1], f"what each said: {members}")
    gw.program.outcome("forbidden")


@test("the gateway refuses a token that was handed on: that is the application's to hear, and no alarm")
def _(t):
    gw = Gateway(t)
    gw.program.stop()
    chains = {"tokens": [gw.idp.plugin(allowed_clients=["shop"])], "connectors": [mtls(tenant_from="subject:O")]}
    gate = sallyport(t, "gateway-2", chains, [tunnel_listener(gw.cert, auth="tokens", connectors="connectors", client_ca=gw.ca.file)],
                     CONNECTORS)
    sp = sallyport(t, "proxy", {"forward": [none(forward_token=True, tenant_claims=["tenant"])]},
                   [listener("socks5", "forward"), listener("http", "forward")], gateway_upstream(gate.address("tunnel"), gw.ca.file))
    for word, status, token in (("bad_credential", 407, gw.idp.forged("acme", azp="shop")), ("forbidden", 403, gw.idp.token("acme", azp="till")),
                                ("no_connector", 503, gw.idp.token("acme", azp="shop"))):
        before = sp.mark()
        with Socks5(sp.address("socks5")) as c:
            equal(c.select(0x80), 0x80, "method")
            equal(c.give_token(token), 0, "it is read here, not judged")
            equal(c.ask("a.virtual", 1), 3 if word == "no_connector" else 5, f"reply of {word}")
        sp.outcome(word, after=before, front="socks5")
        a, s = http_connect(sp.address("http"), "a.virtual:1", f"Proxy-Authorization: Bearer {token}")
        s.close()
        equal((a.status, "Proxy-Authenticate" in a.text), (status, status == 407), f"status of {word}, with a challenge")
        sp.outcome(word, after=before, front="http")
    equal(sp.count(level="error"), 0, "errors in the log")


def asked(sp, host="sys.virtual"):
    """A SOCKS5 client whose request is on its way; its reply is not read yet."""
    c = Socks5(sp.address("socks5"))
    equal(c.select(0), 0, "method")
    c.s.sendall(request(host, 1))
    return c


@test("the tunnel is lost while a target is being opened")
def _(t):
    gw = Gateway(t, by="jwt")
    sp = gw.proxy()
    far = HandMadeConnector(gw)
    with asked(sp) as c:
        far.wait_request()
        abort(far.s)
        equal(c.read_reply(), TABLE["tunnel_lost"][0], "reply")
    sp.outcome("tunnel_lost")
    gw.program.outcome("tunnel_lost")


@test("a connector that refuses a stream (REFUSED_STREAM): it is tried once on another tunnel")
def _(t):
    gw = Gateway(t, by="jwt")
    sp = gw.proxy()
    one, other = HandMadeConnector(gw, id="one"), HandMadeConnector(gw, id="other")
    wait_connectors(gw.program, 2)
    requests = queue.Queue()
    for far in (one, other):
        threading.Thread(target=lambda f=far: [requests.put((f, f.wait_request())) for _ in range(2)], daemon=True).start()
    with asked(sp) as c:
        first, stream = requests.get(timeout=HANG_S)
        first.refuse(stream)
        second, stream = requests.get(timeout=HANG_S)
        second.answer(stream, b"\x88")
        equal(c.read_reply(), 0, "reply")
        second.send(0, stream, b"hello")
        equal(read_exact(c.s, 5), b"hello", "bytes")
    with asked(sp) as c:
        for _ in range(2):
            far, stream = requests.get(timeout=HANG_S)
            far.refuse(stream)
        check(c.read_reply() not in (0, 5), "refused twice: a failure that is not the caller's")


@test("answers of other software's connectors, without Proxy-Status")
def _(t):
    gw = Gateway(t, by="jwt")
    sp = gw.proxy()
    far = HandMadeConnector(gw)
    for block, word in ((b"\x8d", "unreachable"), (b"\x8e", "unknown")):  # 404, 500
        before = gw.program.mark()
        with asked(sp) as c:
            far.answer(far.wait_request(), block, end=True)
            check(c.read_reply() in (1, 4), "reply")
        gw.program.outcome(word, after=before)


@test("a connector that breaks HTTP/2 loses its tunnel, nobody else's")
def _(t):
    gw, origin = Gateway(t, by="jwt"), Origin(t, echo)
    gw.connector("good", {"sys.virtual:1": origin.text}, tenant="umbrella")
    acme = gw.proxy(name="acme")
    other = gw.proxy({"apps": (NONE, static_tenant("umbrella"))}, name="umbrella")
    with Socks5(other.address("socks5")) as held:
        s = held.open("sys.virtual", 1)
        for garbage in (b"\xff" * 100, b"\0\0\x05\0\0\0\0\0\x63hello", b"\xff\xff\xff\1\4\0\0\0\1", b"\0\0\1\1\4\0\0\0\1\xff"):
            before = gw.program.mark()
            far = HandMadeConnector(gw)
            wait_connectors(gw.program, after=before)
            with asked(acme) as c:
                far.wait_request()
                far.s.sendall(garbage)
                check(c.read_reply() in (1, 3), "reply")
            far.s.close()  # only now: the reply came because of what was sent
            gw.program.wait(event="connector", message="lost", after=before)
            s.sendall(b"ping")
            equal(read_exact(s, 4), b"ping", "the other tenant's stream")


# ---- limits, plugins, clients -------------------------------------------------------------

@test("limits.exchanges: 429 with Retry-After and 01; frees with the exchange")
def _(t):
    origin = Origin(t, tagged("x"))
    sp = all_in_one(t, extra="limits = { exchanges = 1; };")
    with Socks5(sp.address("socks5")) as held:
        read_exact(held.open(*origin.addr), 2)
        expect_both(sp, "limit", *origin.addr)
    sp.outcome("ok")
    with Socks5(sp.address("socks5")) as c:
        read_exact(c.open(*origin.addr), 2)


@test("limits.clients: connections above are closed, and can come again later")
def _(t):
    origin = Origin(t, tagged("x"))
    sp = all_in_one(t, extra="limits = { clients = 2; };")
    held = [Socks5(sp.address("socks5")) for _ in range(2)]
    for c in held:
        read_exact(c.open(*origin.addr), 2)
    with contextlib.suppress(ConnectionError), Socks5(sp.address("socks5")) as c:
        equal(read_end(c.s)[1], b"", "answer to a client above the limit")
    for c in held:
        c.s.close()
    while True:  # applications try again
        with contextlib.suppress(ConnectionError, Ended), Socks5(sp.address("socks5")) as c:
            read_exact(c.open(*origin.addr), 2)
            break


@test("client_gone is in the log when the client leaves while a target is being opened")
def _(t):
    sp = all_in_one(t)
    deaf = deaf_address(t)
    with Socks5(sp.address("socks5")) as c:
        equal(c.select(0), 0, "method")
        c.s.sendall(request(*deaf))
        wait_until_read(c.s)
        abort(c.s)
    sp.outcome("client_gone", front="socks5")
    s = dial(sp.address("http"))
    s.sendall(connect_head(text_of(deaf)))
    wait_until_read(s)
    abort(s)
    sp.outcome("client_gone", front="http")


# ---- credentials, for every front ---------------------------------------------------------

@test("credentials: method FF, non-zero sub-negotiation, 407 and 403")
def _(t):
    idp, other = Issuer(t.dir), Issuer(t.dir, kid="k1", jwks="other.json", iss="https://other.example")
    origin = Origin(t, echo)
    sp = all_in_one(t, [idp.plugin(allowed_clients=["shop"]), static_tenant("acme")])
    cases = (
        ("bad_credential", idp.forged("acme", azp="shop"), 407),
        ("bad_credential", other.token("acme", azp="shop"), 407),
        ("expired_credential", idp.token("acme", lifetime_s=-7200, azp="shop"), 407),
        ("forbidden", idp.token("acme", azp="till"), 403),
        ("tenant_conflict", idp.token("umbrella", azp="shop"), 403),
    )
    for word, token, status in cases:
        before = sp.mark()
        with Socks5(sp.address("socks5")) as c:
            equal(c.select(0x80), 0x80, "method")
            check(c.give_token(token) != 0, f"{word}: a non-zero status")
            equal(read_end(c.s), ("eof", b""), "after the status")
        sp.outcome(word, after=before, front="socks5")
        before = sp.mark()
        a, s = http_connect(sp.address("http"), origin.text, f"Proxy-Authorization: Bearer {token}")
        s.close()
        equal((word, a.status), (word, status), "status")
        equal("Proxy-Authenticate" in a.text, status == 407, f"{word}: a challenge in {a.text!r}")
        check("error=http_request_denied" in a.get("Proxy-Status"), a.get("Proxy-Status"))
        sp.outcome(word, after=before, front="http")
    before = sp.mark()
    with Socks5(sp.address("socks5")) as c:
        equal(c.select(0), 0xff, "method")
    sp.outcome("no_credential", after=before, front="socks5")
    equal(origin.accepted, 0, "connections at the origin")
    with Socks5(sp.address("socks5")) as c:
        c.open(*origin.addr, token=idp.token("acme", azp="shop"))


@test("tenant_unknown: a good token that names no tenant")
def _(t):
    idp = Issuer(t.dir)
    sp = all_in_one(t, [idp.plugin()])
    with Socks5(sp.address("socks5")) as c:
        equal(c.select(0x80), 0x80, "method")
        check(c.give_token(idp.token()) != 0, "a non-zero status")
    sp.outcome("tenant_unknown", front="socks5")
    a, s = http_connect(sp.address("http"), "127.0.0.1:1", f"Proxy-Authorization: Bearer {idp.token()}")
    s.close()
    equal(a.status, 403, "status")
    sp.outcome("tenant_unknown", front="http")


main()
