"""The proxy's and the connector's own credentials: had, renewed, refused, and not to be had."""
import http.server
import json
import os
import ssl
import threading
from urllib.parse import parse_qs

from harness import *

FAST = 'tunnels = { backoff_max = "500ms"; };'


class TokenServer:
    """OAuth 2.0 client credentials: POST /TENANT. `issue` is a function of the tenant and the number of the request (1, 2, ...) that
    returns the token; None: never answers. `asked`: the tenants, in order."""

    def __init__(self, t, ca, issue):
        self.issue, self.asked, self.lock, self.over = issue, [], threading.Lock(), threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                with outer.lock:
                    outer.asked.append(self.path[1:])
                    n = len(outer.asked)
                token = outer.issue(self.path[1:], n)
                if token is None:
                    outer.over.wait()
                    return
                good = form.get("grant_type") == ["client_credentials"] and form.get("client_secret") == ["hush"]
                body = json.dumps({"access_token": token, "token_type": "bearer", "expires_in": 3600}).encode() if good else b"{}"
                self.send_response(200 if good else 401)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(*ca.server("idp"))
        self.http.socket = ctx.wrap_socket(self.http.socket, server_side=True)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        t.defer(self.stop)
        self.key = t.write("service-key.json", json.dumps({
            "clientid": "us", "clientsecret": "hush",
            "token_url": f"https://{text_of(self.http.server_address)}/{{tenant}}"}))
        os.chmod(self.key, 0o600)

    def stop(self):
        self.over.set()
        self.http.shutdown()
        self.http.server_close()


def keyed_proxy(gw, server, chains=None, extra=""):
    """A proxy whose credential comes from the token server."""
    upstream = (f'{{ kind = "gateway"; url = "https://{text_of(gw.addr)}"; ca_file = "{gw.ca.file}"; '
                f'service_key = {{ file = "{server.key}"; ca_file = "{gw.ca.file}"; }}; }}')
    chains = chains or {"apps": LOCAL}
    return sallyport(gw.t, "proxy", chains, [listener(p, c) for c in chains for p in ("socks5", "http")], upstream, extra)


def ask(sp, **how):
    with Socks5(sp.address("socks5")) as c:
        s = c.open("sys.virtual", 1, **how)
        s.sendall(b"ping")
        equal(read_exact(s, 4), b"ping", "echo")


def opened(sp):
    return Socks5(sp.address("socks5")).open("sys.virtual", 1)


def ping(s):
    s.sendall(b"ping")
    equal(read_exact(s, 4), b"ping", "echo")


def good(gw):
    """Tokens that the gateway accepts: of the tenant that asks, for nobody else."""
    return lambda tenant, n: gw.idp.token(tenant, sub="proxy", aud="gateway")


@test("service key: a token for each tenant, fetched once and shown for every exchange")
def _(t):
    origin, gw = Origin(t, echo), Gateway(t, by="jwt")
    for tenant in ("acme", "umbrella"):
        gw.connector(tenant, {"sys.virtual:1": origin.text}, tenant=tenant)
    server = TokenServer(t, gw.ca, good(gw))
    apps = Issuer(t.path("."), jwks="apps.json")
    sp = keyed_proxy(gw, server, {"apps": [apps.plugin()]})
    for tenant in ("acme", "umbrella") * 3:
        ask(sp, token=apps.token(tenant))
    equal(sorted(server.asked), ["acme", "umbrella"], "what was asked of the token server")
    for tenant in ("acme", "umbrella"):
        gw.program.wait(3, event="exchange", outcome="ok", tenant=tenant)


@test("service key: a token that the gateway refuses is fetched anew, and the exchange succeeds")
def _(t):
    origin, gw = Origin(t, echo), Gateway(t, by="jwt")
    gw.connector("c1", {"sys.virtual:1": origin.text})
    server = TokenServer(t, gw.ca, lambda tenant, n: gw.idp.token(tenant, sub="proxy", aud="gateway" if n > 1 else "another"))
    sp = keyed_proxy(gw, server)
    ask(sp)
    equal(len(server.asked), 2, "tokens fetched")
    equal(gw.program.count(event="exchange", outcome="bad_credential"), 1, "refused exchanges at the gateway")
    sp.outcome("ok", tenant="acme")


@test("service key: always refused is gateway_denied_us, with one more try and not one more")
def _(t):
    gw = Gateway(t, by="jwt")
    server = TokenServer(t, gw.ca, lambda tenant, n: gw.idp.token(tenant, sub="proxy", aud=f"another-{n}"))
    sp = keyed_proxy(gw, server)
    a, s = http_connect(sp.address("http"), "sys.virtual:1")
    s.close()
    equal(a.status, 502, "status")
    sp.outcome("gateway_denied_us")
    equal(len(server.asked), 2, "tokens fetched")
    gw.program.wait(2, event="exchange", outcome="bad_credential")
    sp.wait(event="pool", level="error")


@test("service key: the token server is down: no_gateway_credential, 503, and the gateway is asked for nothing")
def _(t):
    gw = Gateway(t, by="jwt")
    server = TokenServer(t, gw.ca, good(gw))
    server.stop()
    sp = keyed_proxy(gw, server)
    a, s = http_connect(sp.address("http"), "sys.virtual:1")
    s.close()
    equal(a.status, 503, "status")
    check(a.get("Retry-After"), "Retry-After")
    check('error=proxy_internal_error; details="no_gateway_credential"' in a.get("Proxy-Status"), a.get("Proxy-Status"))
    check("hush" not in a.text, a.text)
    with Socks5(sp.address("socks5")) as c:
        try:
            c.open("sys.virtual", 1)
        except SocksRefused as e:
            equal(e.code, 1, "reply")
        else:
            raise Failure("opened without a credential")
    line = sp.outcome("no_gateway_credential", front="http")
    check("token server" in json.dumps(line), f"the cause: {line}")
    equal(gw.program.count(event="exchange"), 0, "exchanges at the gateway")


@test("service key: the token server never answers: no_gateway_credential at the end of timeouts.open")
def _(t):
    gw = Gateway(t, by="jwt")
    server = TokenServer(t, gw.ca, lambda tenant, n: None)
    sp = keyed_proxy(gw, server, extra='timeouts = { open = "300ms"; };')
    a, s = http_connect(sp.address("http"), "sys.virtual:1")
    s.close()
    equal(a.status, 503, "status")
    sp.outcome("no_gateway_credential")


@test("token file: renewed in place, the next streams carry the new token; open streams never notice")
def _(t):
    origin, gw = Origin(t, echo), Gateway(t, by="jwt")
    gw.connector("c1", {"sys.virtual:1": origin.text})
    mine = {n: gw.idp.token("acme", sub=n, aud="gateway") for n in ("first", "second")}
    file = gw.token_file("own", mine["first"])
    sp = sallyport(t, "proxy", {"apps": LOCAL}, [listener("socks5", "apps")], gateway_upstream(gw.addr, gw.ca.file, token_file=file))
    s = opened(sp)
    ping(s)
    with open(file + ".new", "w", encoding="ascii") as f:
        f.write(mine["second"])
    os.chmod(file + ".new", 0o600)
    os.rename(file + ".new", file)
    while gw.program.count(event="exchange", outcome="ok", principal="second") == 0:
        before = gw.program.mark()
        ask(sp)
        gw.program.outcome("ok", after=before)
    ping(s)
    s.close()
    equal(sp.count(event="tunnel", message="ready"), 1, "tunnels that the proxy dialled")
    gw.program.outcome("ok", principal="first")


@test("a connector's credential is renewed: its old tunnel takes no new streams and lets the open ones finish")
def _(t):
    origin, gw = Origin(t, echo), Gateway(t, by="jwt")
    gw.program.stop()
    # the same gateway, with no tolerance for clocks and no time to drain
    chains = {"proxies": [gw.idp.plugin(audience="gateway")], "connectors": [gw.idp.plugin(audience="connector", clock_skew_s=0)]}
    gw.program = sallyport(t, "strict", chains, [tunnel_listener(gw.cert, auth="proxies", connectors="connectors", speaks_for_any=["proxy"])],
                           CONNECTORS, 'timeouts = { drain = "1ms"; };')
    gw.addr = gw.program.address("tunnel")
    file = t.write("c1.token", gw.idp.token("acme", sub="c1", aud="connector", lifetime_s=4))
    os.chmod(file, 0o600)
    c = gw.connector("c1", {"sys.virtual:1": origin.text}, token_file=file, extra=FAST)
    sp = gw.proxy()
    s = opened(sp)
    ping(s)
    with open(file, "w", encoding="ascii") as f:
        f.write(gw.idp.token("acme", sub="c1", aud="connector"))
    c.wait(event="tunnel", message="the gateway drains")
    wait_connectors(gw.program, 2)
    ping(s)
    ask(sp)
    ping(s)
    s.close()
    gw.program.wait(2, event="exchange", outcome="ok")


main()
