"""The files of conf/, as they are but for addresses: all in one, and the four operational modes with the sample gateway and connector."""
import os
import re
import shutil

from harness import *

APP = "erp.virtual:8000"  # exposed by conf/connector.conf


def sample(name, *changes):
    """The text of conf/NAME with plugin_dir, JSON logs and patience with slow machines; each change (pattern, replacement) must fit
    once."""
    with open(os.path.join(SRCDIR, "conf", name), encoding="utf-8") as f:
        text = f.read()
    text = re.sub(r"(?m)^log = .*\n", "", text)
    for pattern, replacement in changes:
        text, n = re.subn(pattern, replacement, text)
        check(n == 1, f"conf/{name}: {pattern!r} fits {n} times")
    if name != "connector.conf":
        text = f'plugin_dir = "{PLUGIN_DIR}";\n{text}'
        text, shown = re.subn(' wait = "3s";', ' wait = "5m";', text)
        text += "" if shown else 'tunnels = { wait = "5m"; };\n'
    return f'log = {{ level = "debug"; format = "json"; }};\n{text}'


def any_port(name, *addresses):
    return [(f'address = "{re.escape(a)}"', 'address = "127.0.0.1:0"') for a in addresses]


class House:
    """The sample gateway and connector, in a folder with the files they name."""

    def __init__(self, t):
        self.t = t
        ca = CA(t.dir)
        ca.server("gateway")
        ca.client("proxy", "/CN=proxy")
        ca.client("connector", "/O=acme/CN=connector")
        shutil.copy(ca.file, t.path("client-ca.pem"))
        shutil.copy(ca.file, t.path("gateway-ca.pem"))
        self.idp = Issuer(t.dir)
        self.gateway = start(t, "sallyport", "gateway",
                             sample("gateway.conf", *any_port("gateway.conf", "0.0.0.0:8042", "0.0.0.0:8043"))).ready()
        self.origin = Origin(t, tagged("erp"))
        ports = {"8042": self.gateway.address("tunnel", 1)[1], "8043": self.gateway.address("tunnel", 2)[1]}
        self.url = lambda port: f"https://localhost:{ports[port]}"
        self.connector = start(t, "sallyport-connector", "connector",
                               sample("connector.conf", (r'\n  url = "[^"]*"', f'\n  url = "{self.url("8042")}"'),
                                      ('#ca_file = "gateway', 'ca_file = "gateway'), ("10.0.0.5:8000", self.origin.text)))
        wait_connectors(self.gateway, 2)

    def proxy(self, name, http, socks5, url, port, *changes):
        return start(self.t, "sallyport", name, sample(name + ".conf", *any_port(name, http, socks5),
                                                       (f'url = "{url}"', f'url = "{self.url(port)}"'), ("#ca_file", "ca_file"), *changes)).ready()


def by_socks(sp, **credential):
    host, port = APP.split(":")
    with Socks5(sp.address("socks5")) as c:
        equal(read_exact(c.open(host, int(port), **credential), 4), b"erp\n", "who answered by SOCKS5")


def by_http(sp, *fields):
    a, s = http_connect(sp.address("http"), APP, *fields)
    with s:
        equal(a.status, 200, "status")
        equal(a.rest + read_exact(s, 4 - len(a.rest)), b"erp\n", "who answered by HTTP")


def denied(sp, token, socks_steps=("method", "sub-negotiation"), statuses=(403, 407)):
    """A caller with this token (None: without) reaches nothing."""
    host, port = APP.split(":")
    with Socks5(sp.address("socks5")) as c:
        try:
            c.open(host, int(port), token=token)
        except SocksRefused as e:
            check(e.step in socks_steps, e)
        else:
            raise Failure("SOCKS5: let in")
    a, s = http_connect(sp.address("http"), APP, *([f"Proxy-Authorization: Bearer {token}"] if token else []))
    s.close()
    check(a.status in statuses, f"HTTP: {a.status}")


@test("conf/quickstart.conf: SOCKS5 and CONNECT reach targets directly")
def _(t):
    sp = start(t, "sallyport", "quickstart", sample("quickstart.conf", *any_port("", "127.0.0.1:20003", "127.0.0.1:20004"))).ready()
    origin = HttpOrigin(t, "direct")
    for proxy in (["-p", "-x", "http://" + text_of(sp.address("http"))], ["-x", "socks5h://" + text_of(sp.address("socks5"))]):
        r = run(["curl", "-sS", "--noproxy", "", *proxy, f"http://{origin.text}/"])
        check(b'"direct"' in r.stdout, r.stdout)
    sp.outcome("ok", tenant="default")


@test("conf/single-tenant-trusted.conf: nobody is asked, the tenant is configured; a forward port too")
def _(t):
    h = House(t)
    sp = h.proxy("single-tenant-trusted", "127.0.0.1:20003", "127.0.0.1:20004", "https://connectivity.example", "8042",
                 *any_port("", "127.0.0.1:5432"), ('target = "db.virtual:5432"', f'target = "{APP}"'))
    by_socks(sp)
    by_http(sp)
    with dial(sp.address("forward")) as s:
        equal(read_exact(s, 4), b"erp\n", "who answered by the forward port")
    equal(h.gateway.wait(3, event="exchange", outcome="ok")["tenant"], "acme", "tenant at the gateway")


@test("conf/single-tenant-nontrusted.conf: a token is needed, one of another tenant is refused")
def _(t):
    h = House(t)
    sp = h.proxy("single-tenant-nontrusted", "0.0.0.0:20003", "0.0.0.0:20004", "https://connectivity.example", "8042")
    for token in (h.idp.token("acme"), h.idp.token()):  # one that names no tenant is fine: the tenant is configured
        by_socks(sp, token=token)
        by_http(sp, f"Proxy-Authorization: Bearer {token}")
    for token in (None, h.idp.token("umbrella"), h.idp.forged("acme"), h.idp.token("acme", aud="other")):
        denied(sp, token)
    equal({e["tenant"] for e in h.gateway.find(event="exchange")}, {"acme"}, "tenants at the gateway")


@test("conf/multi-tenant-nontrusted.conf: the verified token names the tenant")
def _(t):
    h = House(t)
    sp = h.proxy("multi-tenant-nontrusted", "0.0.0.0:20003", "0.0.0.0:20004", "https://connectivity.example", "8042")
    by_socks(sp, token=h.idp.token("acme"))
    by_http(sp, f"Proxy-Authorization: Bearer {h.idp.token('acme')}")
    for token in (None, h.idp.token(), h.idp.forged("acme")):
        denied(sp, token)
    denied(sp, h.idp.token("umbrella"), ("reply",), (503,))  # let in, but umbrella has no connector


@test("conf/multi-tenant-trusted.conf: the token is handed on, the gateway verifies it")
def _(t):
    h = House(t)
    sp = h.proxy("multi-tenant-trusted", "127.0.0.1:20003", "127.0.0.1:20004", "https://connectivity.example:8043", "8043")
    by_socks(sp, token=h.idp.token("acme"))
    by_http(sp, f"Proxy-Authorization: Bearer {h.idp.token('acme')}")
    denied(sp, None)
    denied(sp, h.idp.token("umbrella"), ("reply",), (503,))
    for token in (h.idp.forged("acme"), h.idp.token("acme", aud="other"), h.idp.token("acme", lifetime_s=-7200)):
        denied(sp, token, ("reply", "sub-negotiation"), (407,))
    equal(h.origin.accepted, 2, "connections at the origin")


# ---- every caller by every way in every mode --------------------------------------------------

# What each step says of an outcome: SOCKS5 method FF, the sub-negotiation's status or the reply, and the HTTP status (README.md).
OUTCOMES = {"no_credential": ("method", 407), "bad_credential": (0x05, 407), "expired_credential": (0x05, 407), "forbidden": (0x05, 403),
            "tenant_conflict": (0x05, 403), "no_connector": (0x03, 503)}


def callers(idp):
    """Short tokens, without "sub": they must fit into a password. The client "o" is the right one."""
    token = lambda tenant="acme", **claims: idp.token(tenant, **{"sub": None, "azp": "o", **claims})  # noqa: E731
    return {"right": token(), "wrong client": token(azp="x"), "forged": idp.forged("acme", azp="o", sub=None), "none": None,
            "expired": token(lifetime_s=-7200), "another tenant": token("b")}


def socks_verdict(sp, method, token):
    """"ok", or the step that refused and its code; the listener may choose another method than the one it is offered."""
    host, port = APP.split(":")
    with Socks5(sp.address("socks5")) as c:
        if c.select(method) != method:
            return "method"
        if method == 0x80 and c.give_token(token or ""):
            return "sub-negotiation"
        if method == 0x02 and c.give_password("u", token or "-"):
            return "sub-negotiation"
        code = c.ask(host, int(port))
        if code == 0:
            equal(read_exact(c.s, 4), b"erp\n", "who answered")
        return "ok" if code == 0 else code


def http_verdict(sp, token):
    a, s = http_connect(sp.address("http"), APP, *([f"Proxy-Authorization: Bearer {token}"] if token else []))
    with s:
        if a.status == 200:
            equal(a.rest + read_exact(s, 4 - len(a.rest)), b"erp\n", "who answered")
    return "ok" if a.status == 200 else a.status


def matrix(h, sp, expected, asked, at_gateway):
    """expected: caller -> outcome at the proxy, or at the gateway ("gateway: OUTCOME"). asked: the listener needs a token.
    at_gateway: caller -> (tenant, principal) of every exchange that came there."""
    for caller, token in callers(h.idp).items():
        where, _, word = expected[caller].rpartition(": ")
        for way in ("00", "02", "80", "CONNECT"):
            if way == "02" and token is None:
                continue  # that is a wrong password, and no caller without one
            mark, seen = sp.mark(), h.gateway.mark()
            got = http_verdict(sp, token) if way == "CONNECT" else socks_verdict(sp, int(way, 16), token)
            what = f"{caller} by {way}"
            line = sp.wait(after=mark, event="exchange")
            if asked and way == "00":
                equal((got, line["outcome"]), ("method", "no_credential"), what)
                continue
            if word == "ok":
                equal((got, line["outcome"]), ("ok", "ok"), f"{what}: {line.get('detail')}")
            else:
                step, status = OUTCOMES[word]
                equal(line["outcome"], word, what)
                if way == "CONNECT":
                    equal(got, status, what)
                elif word == "no_credential" or (not where and step == 0x05):
                    equal(got, "sub-negotiation", what)  # refused before the request
                else:
                    equal(got, step, what)
            if word == "ok" or where or word == "no_connector":
                line = h.gateway.wait(after=seen, event="exchange")
                equal((line.get("tenant"), line.get("principal")), at_gateway(caller), f"{what}: who is seen at the gateway")
            else:
                equal(h.gateway.find(after=seen, event="exchange"), [], f"{what}: nothing reaches the gateway")


ONE_CLIENT = ('#allowed_clients = \\[ "order-service" \\]', 'allowed_clients = [ "o" ]')


@test("single-tenant, trusted: whoever comes by whatever way is the configured tenant, and the proxy proves itself")
def _(t):
    h = House(t)
    sp = h.proxy("single-tenant-trusted", "127.0.0.1:20003", "127.0.0.1:20004", "https://connectivity.example", "8042",
                 *any_port("", "127.0.0.1:5432"))
    matrix(h, sp, dict.fromkeys(callers(h.idp), "ok"), False, lambda _: ("acme", "CN=proxy"))


@test("single-tenant, non-trusted: the right caller only, by every way; the proxy proves itself")
def _(t):
    h = House(t)
    sp = h.proxy("single-tenant-nontrusted", "0.0.0.0:20003", "0.0.0.0:20004", "https://connectivity.example", "8042", ONE_CLIENT)
    matrix(h, sp, {"right": "ok", "wrong client": "forbidden", "forged": "bad_credential", "none": "no_credential",
                   "expired": "expired_credential", "another tenant": "tenant_conflict"}, True, lambda _: ("acme", "CN=proxy"))


@test("multi-tenant, non-trusted: the verified token's tenant, by every way; the proxy proves itself and names it")
def _(t):
    h = House(t)
    sp = h.proxy("multi-tenant-nontrusted", "0.0.0.0:20003", "0.0.0.0:20004", "https://connectivity.example", "8042", ONE_CLIENT)
    matrix(h, sp, {"right": "ok", "wrong client": "forbidden", "forged": "bad_credential", "none": "no_credential",
                   "expired": "expired_credential", "another tenant": "no_connector"}, True,
           lambda caller: ("b" if caller == "another tenant" else "acme", "CN=proxy"))


@test("multi-tenant, trusted: the token is read here, verified there, and is the credential; forged ones end at the gateway")
def _(t):
    h = House(t)
    sp = h.proxy("multi-tenant-trusted", "127.0.0.1:20003", "127.0.0.1:20004", "https://connectivity.example:8043", "8043")
    matrix(h, sp, {"right": "ok", "wrong client": "ok", "forged": "gateway: bad_credential", "none": "no_credential",
                   "expired": "expired_credential", "another tenant": "no_connector"}, True,
           lambda caller: {"forged": (None, None), "another tenant": ("b", "o"), "wrong client": ("acme", "x")}.get(caller, ("acme", "o")))


main()
