"""Who dials whom: every way the parts can be put together, and every kind of listener."""
import contextlib
import os
import socket
import ssl
import threading

from harness import *


def ping(s, text=b"ping"):
    s.sendall(text)
    equal(read_exact(s, len(text)), text, "echo")


def ask(sp, host="sys.virtual", nth=1, **credential):
    """One echo by SOCKS5 through sp."""
    with Socks5(sp.address("socks5", nth)) as c:
        ping(c.open(host, 1, **credential))


# ---- the parts ----------------------------------------------------------------------------

class Spy:
    """Stands before a gateway, passes bytes on and keeps each client's first ones: the ClientHello, which names ALPN ids."""

    def __init__(self, t, gw):
        self.hellos, self.gateway = [], gw.addr
        self.addr = Origin(t, self.serve).addr

    def serve(self, s):
        with dial(self.gateway) as inner:
            self.hellos.append(s.recv(65536))
            inner.sendall(self.hellos[-1])
            back = threading.Thread(target=self.copy, args=(inner, s), daemon=True)
            back.start()
            self.copy(s, inner)
            back.join(HANG_S)

    @staticmethod
    def copy(a, b):
        with contextlib.suppress(OSError):
            while part := a.recv(65536):
                b.sendall(part)
            b.shutdown(socket.SHUT_WR)


@test("proxy -> gateway <- connector, client certificates; the connector turns by ALPN rh2")
def _(t):
    gw, origin = Gateway(t), Origin(t, echo)
    spy = Spy(t, gw)
    gw.addr = spy.addr
    gw.connector("c1", {"sys.virtual:1": origin.text}, tunnels=2, id="")
    equal(gw.program.wait(1, event="connector", message="connected")["connector"], "CN=c1,O=acme", "its certificate names it")
    sp = gw.proxy()
    ask(sp)
    equal([b"\x03rh2" in h for h in spy.hellos], [True, True, False], "rh2 in the hellos of two tunnels and of the proxy")
    sp.stop()
    t.programs[1].stop()


@test("proxy -> gateway <- connector, client certificates and a location: the connector turns by upgrade")
def _(t):
    gw, origin = Gateway(t), Origin(t, echo)
    spy = Spy(t, gw)
    gw.addr, addr = spy.addr, gw.addr
    gw.connector("c1", {"sys.virtual:1": origin.text}, location="plant", tunnels=2)
    equal([(b"http/1.1" in h, b"rh2" in h) for h in spy.hellos], [(True, False)] * 2, "ALPN ids in the hellos")
    gw.addr = addr
    sp = gw.proxy({"apps": [gw.idp.plugin()]})
    ask(sp, token=gw.idp.token("acme"), location="plant")


@test("proxy -> gateway <- connector, client certificates and an id: it reaches the gateway")
def _(t):
    gw, origin = Gateway(t), Origin(t, echo)
    gw.connector("c1", {"sys.virtual:1": origin.text}, id="warehouse-1")
    equal(gw.program.wait(1, event="connector", message="connected")["connector"], "warehouse-1", "the connector in the gateway's log")
    ask(gw.proxy())


@test("proxy -> gateway <- connector, bearer tokens on both sides")
def _(t):
    gw, origin = Gateway(t, by="jwt"), Origin(t, echo)
    gw.connector("c1", {"sys.virtual:1": origin.text}, tunnels=2)
    gw.connector("c2", {"sys.virtual:1": origin.text}, location="plant")
    sp = gw.proxy({"apps": [gw.idp.plugin()]})
    ask(sp, token=gw.idp.token("acme"))
    ask(sp, token=gw.idp.token("acme"), location="plant")


@test("connectors dial the proxy itself (upstream.kind = connectors), by certificate and by token")
def _(t):
    ca, idp, origin = CA(t.dir), Issuer(t.dir), Origin(t, echo)
    cert = ca.server()
    sp = sallyport(t, "proxy", {"apps": LOCAL, "by-cert": [mtls(tenant_from="subject:O")], "by-token": [idp.plugin(audience="connector")]},
                   [listener("socks5", "apps"), listener("http", "apps"),
                    tunnel_listener(cert, connectors="by-cert", client_ca=ca.file), tunnel_listener(cert, connectors="by-token")], CONNECTORS)
    connector(t, "c1", sp.address("tunnel", 1), ca.file, {"one.virtual:1": origin.text, "both.virtual:1": origin.text},
              cert=ca.client("c1", "/O=acme/CN=c1"))
    wait_connectors(sp, 1)
    ask(sp, "one.virtual")
    connector(t, "c2", sp.address("tunnel", 2), ca.file, {"both.virtual:1": origin.text}, location="plant",
              token_file=t.write("c2.token", idp.token("acme", aud="connector")))
    wait_connectors(sp, 2)
    a, s = http_connect(sp.address("http"), "both.virtual:1", "SAP-Connectivity-SCC-Location_ID: plant")
    with s:
        equal(a.status, 200, "status")
        ping(s)


@test("the gateway's name is resolved and verified: https://localhost")
def _(t):
    gw, origin = Gateway(t), Origin(t, echo)
    gw.connector("c1", {"sys.virtual:1": origin.text}, host="localhost")
    sp = sallyport(t, "proxy", {"apps": LOCAL}, [listener("socks5", "apps")],
                   gateway_upstream(gw.addr, gw.ca.file, cert=gw.ca.client("p", "/CN=proxy"), host="localhost"))
    ask(sp)


@test("a connector that keeps tunnels to two gateways")
def _(t):
    gw = Gateway(t)
    other = sallyport(t, "gateway-2", {"proxies": [mtls(allowed_subjects=["CN=proxy"])], "connectors": [mtls(tenant_from="subject:O")]},
                      [tunnel_listener(gw.cert, auth="proxies", connectors="connectors", client_ca=gw.ca.file, speaks_for_any=["CN=proxy"])],
                      CONNECTORS)
    origin = Origin(t, echo)
    cert = gw.ca.client("c1", "/O=acme/CN=c1")
    urls = f'urls = [ "https://{text_of(gw.addr)}", "https://{text_of(other.address("tunnel"))}" ];'
    start(t, "sallyport-connector", "c1", f'log = {{ level = "debug"; format = "json"; }};\n'
          f'gateway = {{ {urls} ca_file = "{gw.ca.file}"; cert_file = "{cert[0]}"; key_file = "{cert[1]}"; tunnels = 1; }};\n'
          f'expose = ( {{ virtual = "sys.virtual:1"; internal = "{origin.text}"; }} );\n')
    wait_connectors(gw.program)
    wait_connectors(other)
    ask(gw.proxy())
    ask(sallyport(t, "proxy-2", {"apps": LOCAL}, [listener("socks5", "apps")],
                  gateway_upstream(other.address("tunnel"), gw.ca.file, cert=gw.ca.client("p2", "/CN=proxy"))))


@test("port ranges of a connector: one to one, and many to one")
def _(t):
    gw = Gateway(t)
    first = Origin(t, tagged("first"))
    gw.connector("c1", {f"range.virtual:{first.port - 1}-{first.port + 1}": f"127.0.0.1:{first.port - 1}-{first.port + 1}",
                        "many.virtual:100-200": first.text})
    sp = gw.proxy()
    for host, port in (("range.virtual", first.port), ("many.virtual", 100), ("many.virtual", 200), ("MANY.Virtual", 150)):
        with Socks5(sp.address("socks5")) as c:
            equal(read_exact(c.open(host, port), 6), b"first\n", f"{host}:{port}")
    for port in (99, 201):
        with Socks5(sp.address("socks5")) as c:
            with contextlib.suppress(SocksRefused):
                c.open("many.virtual", port)
                raise Failure(f"port {port} of a range 100-200 is open")
        sp.outcome("not_exposed", target=f"many.virtual:{port}")


@test("a busy pool dials more tunnels, up to max_per_pool")
def _(t):
    origin, gw = Origin(t, echo), Gateway(t)
    gw.connector("c1", {"sys.virtual:1": origin.text})
    sp = gw.proxy(extra="tunnels = { streams_mark = 2; max_per_pool = 3; };")
    held = []
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            c = stack.enter_context(Socks5(sp.address("socks5")))
            held.append(c.open("sys.virtual", 1))
        for s in held:
            ping(s)
    sp.wait(20, event="exchange", outcome="ok")
    vias = {e["via"] for e in sp.find(event="exchange")}
    check(2 <= len(vias) <= 3, f"tunnels in use: {vias}")


# ---- tokens by sallyportctl ---------------------------------------------------------------

@test("sallyportctl jwks and token: developer keys that the jwt plugin takes")
def _(t):
    origin, folder = Origin(t, echo), t.path("dev")
    os.mkdir(folder, 0o700)
    ctl = binary("sallyportctl")
    run([ctl, "jwks", "--new", folder])
    make = lambda *more: run([ctl, "token", "--dir", folder, "--issuer", "https://idp.example", "--audience", "sallyport",
                              "--subject", "dev", "--expires", "8h", *more]).stdout.decode().strip()
    key_set = os.path.join(folder, "jwks.json")
    sp = all_in_one(t, [Issuer(t.dir).plugin(jwks_file=key_set, tenant_required=True)])
    with Socks5(sp.address("socks5")) as c:
        ping(c.open(*origin.addr, token=make("--claim", "tenant=acme")))
    sp.outcome("ok", tenant="acme", principal="dev")
    with Socks5(sp.address("socks5")) as c:
        with contextlib.suppress(SocksRefused):
            c.open(*origin.addr, token=make())
            raise Failure("a token without the tenant was let in")


# ---- listeners ----------------------------------------------------------------------------

@test("forward: a plain local port bound to one target and location")
def _(t):
    gw = Gateway(t)
    gw.connector("c1", {"db.virtual:5432": Origin(t, tagged("none")).text})
    gw.connector("c2", {"db.virtual:5432": Origin(t, tagged("plant")).text}, location="plant")
    sp = gw.proxy({"apps": LOCAL}, [listener("forward", "apps", target="db.virtual:5432"),
                                    listener("forward", "apps", target="db.virtual:5432", location="plant"),
                                    listener("forward", "apps", target="other.virtual:5432")])
    for nth, tag in ((1, b"none\n"), (2, b"plant\n")):
        with dial(sp.address("forward", nth)) as s:
            equal(read_exact(s, len(tag)), tag, "who answered")
            ping(s)
    with contextlib.suppress(ConnectionError), dial(sp.address("forward", 3)) as s:
        equal(read_end(s)[1], b"", "bytes of a target that is not exposed")
    sp.outcome("not_exposed", front="forward")


@test("Unix sockets as listeners")
def _(t):
    path = t.path("socks.sock")
    sp = sallyport(t, "unix", {"apps": LOCAL}, [listener("socks5", "apps", f"unix:{path}")], DIRECT)
    origin = Origin(t, echo)
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(HANG_S)
        s.connect(path)
        s.sendall(greeting(0) + request(*origin.addr) + b"ping")
        equal(read_exact(s, 16), bytes([5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0]) + b"ping", "answers and echo")


@test("IPv6 listeners and targets")
def _(t):
    try:
        six = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError as e:
        raise Skip(f"no IPv6 on loopback: {e}") from None
    with six:
        six.settimeout(HANG_S)
        sp = sallyport(t, "six", {"apps": LOCAL}, [listener("socks5", "apps", "[::1]:0"), listener("http", "apps", "[::1]:0")], DIRECT)
        port = six.getsockname()[1]
        with Socks5(sp.address("socks5")) as c:
            c.open("::1", port)
            six.accept()[0].close()
        a, s = http_connect(sp.address("http"), f"[::1]:{port}")
        six.accept()[0].close()
        s.close()
        equal(a.status, 200, "status")


@test("two workers share the listeners")
def _(t):
    origin, gw = Origin(t, echo), Gateway(t)
    gw.connector("c1", {"sys.virtual:1": origin.text})
    sp = gw.proxy(extra="workers = 2;")
    for _ in range(40):
        ask(sp)
    check(sp.wait(event="ready")["workers"] == 2, "two workers")


# ---- the tunnel listener ------------------------------------------------------------------

def tls(gw, alpn, cert=None, version=None):
    ctx = ssl.create_default_context(cafile=gw.ca.file)
    if alpn:
        ctx.set_alpn_protocols(alpn)
    if cert:
        ctx.load_cert_chain(*cert)
    if version:
        ctx.maximum_version = version
    return ctx.wrap_socket(dial(gw.addr), server_hostname="localhost")


@test("/healthcheck on the tunnel listener: 200 without any credential, by curl")
def _(t):
    gw = Gateway(t)
    r = run(["curl", "-sS", "--noproxy", "*", "--http1.1", "--cacert", gw.ca.file, "-o", "-", "-w", "\n%{http_code}",
             f"https://{text_of(gw.addr)}/healthcheck"])
    equal(r.stdout.decode().split("\n")[-1], "200", "status")


@test("the tunnel listener's HTTP/1.1: other paths, methods and heads get honest answers")
def _(t):
    gw = Gateway(t, by="jwt")
    good = "Authorization: Bearer " + gw.idp.token("acme", aud="connector")
    upgrade = f"Host: localhost\r\nConnection: upgrade\r\nUpgrade: ptth\r\nALPN: h2\r\n{good}\r\nSallyport-Connector-Id: c\r\nSallyport-Instance: abc;index=0\r\n"
    path = "/.well-known/sallyport/tunnel"
    for what, data, statuses in (
            ("another path", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", (404,)),
            ("another path that upgrades", f"GET /x HTTP/1.1\r\n{upgrade}\r\n", (404,)),
            ("no upgrade", f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{good}\r\n\r\n", (400, 426)),
            ("another upgrade", f"GET {path} HTTP/1.1\r\n{upgrade.replace('ptth', 'websocket')}\r\n", (400, 426)),
            ("another ALPN", f"GET {path} HTTP/1.1\r\n{upgrade.replace('ALPN: h2', 'ALPN: h3')}\r\n", (400, 426)),
            ("POST", f"POST {path} HTTP/1.1\r\n{upgrade}\r\n", (400, 404, 405)),
            ("malformed", "GET / HTTP/1.1\nHost: localhost\n\n", (400,)),
            ("CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", (400, 404, 405)),
            ("a location with a control character", f"GET {path} HTTP/1.1\r\n{upgrade}Sallyport-Location: a\tb\r\n\r\n", (400,))):
        with tls(gw, ["http/1.1"]) as s:
            s.sendall(data.encode())
            status = read_head(s).status
            check(status in statuses, f"{what}: {status}")
    equal(gw.program.count(event="connector", message="connected"), 0, "tunnels")


@test("TLS 1.2 is allowed, 1.1 is not; a client without ALPN gets HTTP/1.1 or nothing")
def _(t):
    gw = Gateway(t)
    with tls(gw, ["http/1.1"], version=ssl.TLSVersion.TLSv1_2) as s:
        s.sendall(b"GET /healthcheck HTTP/1.1\r\nHost: localhost\r\n\r\n")
        equal(read_head(s).status, 200, "status by TLS 1.2")
    r = run(["openssl", "s_client", "-connect", text_of(gw.addr), "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], input=b"", ok=None)
    check(r.returncode != 0 or b"Cipher is (NONE)" in r.stdout, f"TLS 1.1: {r.stdout[-500:]!r}")
    with contextlib.suppress(OSError), tls(gw, []) as s:
        s.sendall(b"GET /healthcheck HTTP/1.1\r\nHost: localhost\r\n\r\n")
        check(read_end(s)[1][:12] in (b"", b"HTTP/1.1 200"), "without ALPN")


@test("what is not TLS, and TLS that never goes on, does not disturb the others")
def _(t):
    gw, origin = Gateway(t, extra='timeouts = { handshake = "300ms"; }; tunnels = { ping_after = "300ms"; ping_timeout = "300ms"; };'), \
        Origin(t, echo)
    for data in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", bytes(1000), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
        with dial(gw.addr) as s:
            s.sendall(data)
            read_end(s)
    with tls(gw, ["h2"]) as s:  # no preface, no client certificate, no answer to PING
        read_end(s)
    with dial(gw.addr) as s:  # nothing at all: the handshake's time ends it
        equal(read_end(s)[1], b"", "answer to silence")
    gw.connector("c1", {"sys.virtual:1": origin.text})
    ask(gw.proxy())


main()
