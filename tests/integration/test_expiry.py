"""Identities that expire while their exchanges are open: tokens of `sallyportctl token` that live some seconds."""
import itertools
import os

from harness import *


class Keys:
    """A developer's key; tokens by sallyportctl."""

    def __init__(self, t):
        self.ctl, self.dir = binary("sallyportctl"), t.path("keys")
        if not os.path.exists(self.ctl):
            raise Skip("sallyportctl was not built: it needs libjwt")
        run([self.ctl, "jwks", "--new", self.dir])

    def token(self, lives_s, audience="sallyport", sub="alice", **claims):
        argv = [self.ctl, "token", "--dir", self.dir, "--issuer", "https://idp.example", "--audience", audience, "--subject", sub,
                "--expires", f"{lives_s}s"]
        for name, value in claims.items():
            argv += ["--claim", f"{name}={value}"]
        return run(argv).stdout.decode().strip()

    def plugin(self, audience="sallyport"):
        return ('{ plugin = "jwt"; issuer = "https://idp.example"; tenant_claims = [ "tenant" ]; clock_skew_s = 0; '
                f'audience = "{audience}"; jwks_file = "{self.dir}/jwks.json"; }}')


def lives():
    """Seconds for which a token should live: more if that was not enough on this machine."""
    return (2 * 2 ** n for n in itertools.count())


def by_socks5(sp, target, token):
    """The open stream, or None."""
    c = Socks5(sp.address("socks5"))
    try:
        return c.open(target[0], target[1], token=token)
    except SocksRefused:
        c.s.close()


def by_http(sp, target, token):
    a, s = http_connect(sp.address("http"), target, f"Proxy-Authorization: Bearer {token}")
    if a.status == 200:
        return s
    equal(a.status, 407, "status")
    s.close()


def ping(s):
    s.sendall(b"ping")
    equal(read_exact(s, 4), b"ping", "echo")


def until_refused(way, sp, target, token):
    """New exchanges under the same token, until they are refused."""
    while True:
        s = way(sp, target, token)
        if not s:
            return
        s.close()


@test("on_expiry = \"close\": open streams end with the token, at both ends, and log and trail say why")
def _(t):
    keys, origin, trail = Keys(t), Manual(t), Trail(t.path("audit"))
    sp = all_in_one(t, [keys.plugin()], extra='on_expiry = "close";\n' + audit(trail.path))
    for way in (by_socks5, by_http):
        for seconds in lives():
            mark = sp.mark()
            s = way(sp, origin.addr, keys.token(seconds, tenant="acme"))
            if s:
                break
        far = origin.accept()
        s.sendall(b"ping")
        equal(read_exact(far, 4), b"ping", "what came")
        equal(read_end(s), ("reset", b""), "the client's end")
        equal(read_end(far), ("reset", b""), "the target's end")
        line = sp.outcome("identity_expired", after=mark)
        check("has expired" in line["detail"], f"{line}")
        told = trail.one(exchange=line["exchange"], event="exchange")
        equal((told["decision"], told["outcome"], told["principal"], told["tenant"]), ("ended", "identity_expired", "alice", "acme"), "the trail")


@test("on_expiry = \"finish\", the default: open streams go on, new ones under the same token are refused")
def _(t):
    keys, origin = Keys(t), Origin(t, echo)
    sp = all_in_one(t, [keys.plugin()])
    for way in (by_socks5, by_http):
        for seconds in lives():
            token = keys.token(seconds, tenant="acme")
            s = way(sp, origin.addr, token)
            if s:
                break
        with s:
            ping(s)
            mark = sp.mark()
            until_refused(way, sp, origin.addr, token)
            sp.outcome("expired_credential", after=mark)
            ping(s)
    equal(sp.count(event="exchange", outcome="identity_expired"), 0, "exchanges that were closed")


class House:
    """A gateway whose chains allow no skew, a proxy and a connector with token files."""

    def __init__(self, t, extra=""):
        self.t, self.keys, self.ca = t, Keys(t), CA(t.dir)
        self.origin = Origin(t, echo)
        self.trail = Trail(t.path("gateway.audit"))
        one = tunnel_listener(self.ca.server(), auth="proxies", connectors="connectors", speaks_for_any=["proxy"])
        self.gateway = sallyport(t, "gateway", {"proxies": [self.keys.plugin("gateway")], "connectors": [self.keys.plugin("connector")]},
                                 [one], CONNECTORS, extra + audit(self.trail.path))
        self.addr = self.gateway.address("tunnel")
        self.names = (f"n{i}" for i in itertools.count())

    def connector(self, lives_s):
        """(program, token file), or None if the gateway said 401."""
        name = next(self.names)
        mark = self.gateway.mark()
        file = self.t.write(f"{name}.token", self.keys.token(lives_s, "connector", name, tenant="acme"))
        c = connector(self.t, name, self.addr, self.ca.file, {"sys.virtual:1": self.origin.text}, token_file=file)
        e = self.gateway.wait(after=mark, event="connector", message=lambda m: m in ("connected", "connector refused"))
        if e["message"] == "connected":
            return c, file
        c.stop()

    def proxy(self, file):
        return sallyport(self.t, next(self.names), {"apps": LOCAL}, [listener("socks5", "apps"), listener("http", "apps")],
                         gateway_upstream(self.addr, self.ca.file, token_file=file))


def plain(sp, target, _):
    """Without a credential, as the proxies here ask for none."""
    c = Socks5(sp.address("socks5"))
    try:
        return c.open(*target)
    except SocksRefused as e:
        check(e.code == 1, f"{e}")
        c.s.close()


def proxy_with_brief_token(t, extra):
    house = House(t, extra)
    house.connector(3600)
    for seconds in lives():
        file = t.write("proxy.token", house.keys.token(seconds, "gateway", "proxy"))
        sp = house.proxy(file)
        s = plain(sp, ("sys.virtual", 1), None)
        if s:
            return house, sp, s, file
        sp.stop()


@test("a gateway judges each request of a proxy: its connection outlives the token, but opens nothing; a renewed token does")
def _(t):
    house, sp, s, file = proxy_with_brief_token(t, "")
    ping(s)
    until_refused(plain, sp, ("sys.virtual", 1), None)
    house.gateway.outcome("expired_credential")
    house.trail.find(event="identity", decision="denied", outcome="expired_credential")[0]
    ping(s)
    t.write("proxy.token", house.keys.token(3600, "gateway", "proxy"))
    while True:
        again = plain(sp, ("sys.virtual", 1), None)
        if again:
            break
    ping(again)
    ping(s)


@test("a gateway with on_expiry = \"close\" ends a proxy's streams with the proxy's token")
def _(t):
    house, sp, s, file = proxy_with_brief_token(t, 'on_expiry = "close";\n')
    equal(read_end(s), ("reset", b""), "the client's end")
    line = house.gateway.outcome("identity_expired")
    house.trail.one(event="exchange", decision="ended", exchange=line["exchange"], principal="proxy", tenant="acme")
    sp.outcome("tunnel_lost", exchange=line["exchange"])


DRAINING = dict(event="tunnel", message="the connector's credential expired: draining")


def connector_with_brief_token(t, extra):
    house = House(t, extra)
    sp = house.proxy(t.write("proxy.token", house.keys.token(3600, "gateway", "proxy")))
    for seconds in lives():
        mark = house.gateway.mark()
        one = house.connector(seconds)
        if not one:
            continue
        c, file = one
        s = plain(sp, ("sys.virtual", 1), None)
        if s and not house.gateway.count(after=mark, **DRAINING):
            break
        c.stop()
    with open(file, "w", encoding="ascii") as f:
        f.write(house.keys.token(3600, "connector", c.name, tenant="acme"))
    house.gateway.wait(after=mark, **DRAINING)
    ping(s)
    wait_connectors(house.gateway, 2, after=mark)
    with plain(sp, ("sys.virtual", 1), None) as again:
        ping(again)
    ping(s)


@test("a connector's tunnel is drained when its token expires: its streams go on, it comes back with a renewed token")
def _(t):
    connector_with_brief_token(t, "")


@test("... and so it is with on_expiry = \"close\", which is about callers")
def _(t):
    connector_with_brief_token(t, 'on_expiry = "close";\n')


main()
