"""The proxy's and the connector's own credentials: had, renewed, refused, and not to be had."""
import base64
import json
import os
import time

from harness import *

FAST = 'tunnels = { backoff_max = "500ms"; };'


class TokenServer:
    """The token endpoint of an identity provider: POST /TENANT/token. `issue` is a function of the tenant and the number of the request
    (1, 2, ...) that returns the token; None: never answers. members: of the service key, what proves the client."""

    def __init__(self, t, issue, **members):
        self.idp = Idp(t, "tokens")
        self.idp.clients = lambda form: form.get("client_secret") == "hush"
        self.idp.mint = lambda tenant: issue(tenant, len(self.asked))
        self.ca_file = self.idp.ca_file
        self.key = t.path("service-key.json")
        self.write(**(members or {"clientsecret": "hush"}))

    @property
    def asked(self):
        """The tenants, in order."""
        return [form["path"].split("/")[1] for form in self.idp.forms]

    def write(self, **members):
        with open(self.key + ".new", "w", encoding="ascii") as f:
            all_members = {"clientid": "us", "token_url": self.idp.iss + "/{tenant}/token", **members}
            json.dump({k: v for k, v in all_members.items() if v is not None}, f)
        os.chmod(self.key + ".new", 0o600)
        os.rename(self.key + ".new", self.key)

    def stop(self):
        self.idp.down()


def keyed_proxy(gw, server, chains=None, extra=""):
    """A proxy whose credential comes from the token server."""
    upstream = (f'{{ kind = "gateway"; url = "https://{text_of(gw.addr)}"; ca_file = "{gw.ca.file}"; '
                f'service_key = {{ file = "{server.key}"; ca_file = "{server.ca_file}"; }}; }}')
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
    server = TokenServer(t, good(gw))
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
    server = TokenServer(t, lambda tenant, n: gw.idp.token(tenant, sub="proxy", aud="gateway" if n > 1 else "another"))
    sp = keyed_proxy(gw, server)
    ask(sp)
    equal(len(server.asked), 2, "tokens fetched")
    equal(gw.program.count(event="exchange", outcome="bad_credential"), 1, "refused exchanges at the gateway")
    sp.outcome("ok", tenant="acme")


@test("service key: always refused is gateway_denied_us, with one more try and not one more")
def _(t):
    gw = Gateway(t, by="jwt")
    server = TokenServer(t, lambda tenant, n: gw.idp.token(tenant, sub="proxy", aud=f"another-{n}"))
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
    server = TokenServer(t, good(gw))
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
    server = TokenServer(t, lambda tenant, n: None)
    sp = keyed_proxy(gw, server, extra='timeouts = { open = "300ms"; };')
    a, s = http_connect(sp.address("http"), "sys.virtual:1")
    s.close()
    equal(a.status, 503, "status")
    sp.outcome("no_gateway_credential")


# ---- how the client proves itself ------------------------------------------------------------


def decoded(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def one_exchange(t, prove, clients, **members):
    """An exchange with a service key of these members (a function of the test's token server, or None)."""
    origin, gw = Origin(t, echo), Gateway(t, by="jwt")
    gw.connector("c1", {"sys.virtual:1": origin.text})
    server = TokenServer(t, good(gw))
    server.write(**(prove(server) if prove else members))
    server.idp.clients = lambda form: clients(server, form)
    sp = keyed_proxy(gw, server)
    ask(sp)
    equal(server.asked, ["acme"], "one request")
    gw.program.outcome("ok", tenant="acme", principal="proxy")
    return server.idp.forms[0]


@test("service key: client_secret_basic and client_secret_post (RFC 6749 section 2.3.1), with characters that need encoding")
def _(t):
    secret = "h&u=s+h/ %2F:$"
    form = one_exchange(t, None, lambda _, form: basic_of(form["authorization"]) == ("us", secret), client_secret=secret)
    check("client_secret" not in form, f"not in the form too: {form}")


@test("service key: the secret as SAP names it goes into the form")
def _(t):
    secret = "h&u=s+h/ %2F:$"
    form = one_exchange(t, None, lambda _, form: (form["client_id"], form["client_secret"]) == ("us", secret), clientsecret=secret)
    equal(form["authorization"], None, "no Authorization")


@test("service key: private_key_jwt (RFC 7523): a signed assertion for this token address, once and for minutes only")
def _(t):
    key, public = t.path("assertion.key"), t.path("assertion.pub")
    openssl("genrsa", "-out", key, "2048")
    openssl("rsa", "-in", key, "-pubout", "-out", public)
    with open(key, encoding="ascii") as f:
        pem = f.read()

    def is_ours(server, form):
        equal(form["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "type")
        signed, _, signature = form["client_assertion"].rpartition(".")
        head, claims = (decoded(part) for part in signed.split("."))
        sig = t.write("sig", "")
        with open(sig, "wb") as f:
            f.write(base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4)))
        openssl("dgst", "-sha256", "-verify", public, "-signature", sig, input=signed.encode())  # fails the test if it does not fit
        equal((head["alg"], head["kid"], claims["iss"], claims["sub"]), ("RS256", "key 1", "us", "us"), "who")
        equal(claims["aud"], server.idp.iss + "/acme/token", "for whom")
        check(claims["jti"] and claims["exp"] - time.time() < 600, "once, and not for long")
        return True

    form = one_exchange(t, None, is_ours, private_key=pem, key_id="key 1")
    check("client_secret" not in form, "no secret")


@test("service key: a client certificate (RFC 8705), at certurl")
def _(t):
    def prove(server):
        files = server.idp.ca.client("us", "/CN=us at the token server")
        cert, key = (open(name, encoding="ascii").read() for name in files)
        return {"token_url": None, "certurl": server.idp.iss + "/{tenant}/token", "certificate": cert, "key": key, "url": "https://wrong.invalid"}

    form = one_exchange(t, prove, lambda _, form: form["certificate"] == "us at the token server")
    equal((form["client_id"], form["authorization"]), ("us", None), "client_id in the form, nothing else")


@test("service key: another key in the file counts without a restart, a broken one changes nothing")
def _(t):
    origin, gw = Origin(t, echo), Gateway(t, by="jwt")
    gw.connector("c1", {"sys.virtual:1": origin.text})
    server = TokenServer(t, good(gw))
    server.idp.clients = lambda form: form.get("client_secret") in ("hush", "new")
    sp = keyed_proxy(gw, server)
    s = opened(sp)
    ping(s)
    server.write(clientsecret="new")
    while server.idp.forms[-1]["client_secret"] != "new":  # looked at once a second
        ask(sp)
    sp.wait_text("service key replaced")
    server.write(clientsecret=7)
    while "the old one stays" not in sp.whole_text():
        ask(sp)
    ping(s)
    equal(len(server.asked), 2, "one token by each key")


@test("service key: tokens of seconds are renewed while they are used, ahead of their end; an open stream never notices")
def _(t):
    origin, gw = Origin(t, echo), Gateway(t, by="jwt")
    gw.connector("c1", {"sys.virtual:1": origin.text})
    server = TokenServer(t, good(gw))
    server.idp.expires_in = 2
    sp = keyed_proxy(gw, server)
    s = opened(sp)
    while len(server.asked) < 4:
        ask(sp)
    ping(s)
    equal(sp.find(event="exchange", outcome="no_gateway_credential") + sp.find(event="exchange", outcome="gateway_denied_us"), [], "failures")


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
