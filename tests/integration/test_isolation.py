"""Tenants and locations never mix, whatever a caller, a proxy or a connector says."""
import random
import threading

from harness import *

TENANTS, LOCATIONS = ("acme", "umbrella"), ("", "plant")


def tag(tenant, location):
    return f"{tenant}@{location or '-'}"


def ask(sp, token, location="", host="sys.virtual"):
    """The tag of the origin that answers, or the SOCKS5 step and code that refused."""
    with Socks5(sp.address("socks5")) as c:
        try:
            return c.open(host, 1, token=token, location=location).makefile("rb").readline().decode().strip()
        except SocksRefused as e:
            return e.step, e.code


def house(t, by):
    """A gateway with a connector for each tenant and location, a proxy whose callers' tokens name the tenant."""
    gw = Gateway(t, by=by)
    for tenant in TENANTS:
        for location in LOCATIONS:
            name = f"{tenant}-{location or 'none'}"
            gw.connector(name, {"sys.virtual:1": Origin(t, tagged(tag(tenant, location))).text}, tenant=tenant, location=location)
    return gw, gw.proxy({"apps": [gw.idp.plugin()]})


def each_reaches_its_own(t, by):
    gw, sp = house(t, by)
    tokens = {tenant: gw.idp.token(tenant) for tenant in TENANTS}
    for tenant in TENANTS:
        for location in LOCATIONS:
            equal(ask(sp, tokens[tenant], location), tag(tenant, location), "who answered")
        equal(ask(sp, tokens[tenant], "nowhere"), ("reply", 3), "a location that nobody has")
        a, s = http_connect(sp.address("http"), "sys.virtual:1", f"Proxy-Authorization: Bearer {tokens[tenant]}")
        with s:
            equal((a.rest + read_all_until(s, b"\n", a.rest)).decode().strip(), tag(tenant, ""), "who answered by HTTP")
    wrong = []

    def many(seed):
        r = random.Random(seed)
        for _ in range(25):
            tenant, location = r.choice(TENANTS), r.choice(LOCATIONS)
            got = ask(sp, tokens[tenant], location)
            if got != tag(tenant, location):
                wrong.append((tenant, location, got))
    threads = [threading.Thread(target=many, args=(i,), daemon=True) for i in range(8)]
    for th in threads:
        th.start()
    for th in threads:
        th.join(HANG_S)
    check(not wrong, f"{len(wrong)} of 200 mixed, the first: {wrong[:3]}")
    return gw, sp


def read_all_until(s, end, have):
    out = b""
    while end not in have + out:
        out += read_exact(s, 1)
    return out


@test("two tenants, two locations, connectors with client certificates: each caller reaches its own, 200 times at once")
def _(t):
    each_reaches_its_own(t, "mtls")


@test("two tenants, two locations, connectors with tokens: each caller reaches its own, 200 times at once")
def _(t):
    each_reaches_its_own(t, "jwt")


@test("tenants that look alike are different tenants")
def _(t):
    gw = Gateway(t, by="jwt")
    gw.connector("c1", {"sys.virtual:1": Origin(t, tagged("acme")).text}, tenant="acme", location="plant")
    sp = gw.proxy({"apps": [gw.idp.plugin()]})
    equal(ask(sp, gw.idp.token("acme"), "plant"), "acme", "the tenant itself")
    for tenant in ("ACME", "acm", "acmee", "acme ", " acme", "acme\0", "acme\n", "acme/plant", "acme,plant", "acme\r\nsallyport-location: plant",
                   "acmé", ""):
        got = ask(sp, gw.idp.token(tenant), "plant")
        check(isinstance(got, tuple), f"tenant {tenant!r} reached {got!r}")
    for location in ("Plant", "plan", "plant ", "", "plant/", "acme/plant"):
        equal(ask(sp, gw.idp.token("acme"), location)[0] in ("reply", "sub-negotiation"), True, f"location {location!r}")


@test("a connector of tenant A that claims tenant B's location serves A only")
def _(t):
    gw = Gateway(t)
    gw.connector("b1", {"sys.virtual:1": Origin(t, tagged("b")).text}, tenant="b", location="b-site")
    gw.connector("a1", {"sys.virtual:1": Origin(t, tagged("a")).text}, tenant="a", location="b-site")
    sp = gw.proxy({"apps": [gw.idp.plugin()]})
    for _ in range(10):
        equal(ask(sp, gw.idp.token("b"), "b-site"), "b", "B's caller")
        equal(ask(sp, gw.idp.token("a"), "b-site"), "a", "A's caller")


@test("an upgrade request that claims a tenant gets the tenant of its credential, and no other")
def _(t):
    gw = Gateway(t, by="jwt")
    sp = gw.proxy({"apps": [gw.idp.plugin()]})
    token = gw.idp.token("a", sub="c", aud="connector")
    answer, s = upgrade(gw, f"Authorization: Bearer {token}", "Sallyport-Tenant: b", "Sallyport-Location: b-site")
    with s:
        check(answer.status in (101, 400, 403), f"an honest answer, not {answer.status}")
        equal(ask(sp, gw.idp.token("b"), "b-site"), ("reply", 3), "B's caller")
        if answer.status == 101:
            s.sendall(bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))  # SETTINGS, as the HTTP/2 server that a connector is
            equal(wait_connectors(gw.program)["tenant"], "a", "tenant of the tunnel")
            equal(ask(sp, gw.idp.token("b"), "b-site"), ("reply", 3), "B's caller")


@test("connectors without a good credential are refused: 401 or 403, never 101")
def _(t):
    gw = Gateway(t, by="jwt")
    bad = {
        "no credential": [],
        "not a token": ["Authorization: Bearer abc"],
        "forged": ["Authorization: Bearer " + gw.idp.forged("acme", aud="connector")],
        "expired": ["Authorization: Bearer " + gw.idp.token("acme", aud="connector", lifetime_s=-7200)],
        "an application's": ["Authorization: Bearer " + gw.idp.token("acme")],
        "a proxy's": ["Authorization: Bearer " + gw.idp.token("acme", aud="gateway")],
        "no tenant": ["Authorization: Bearer " + gw.idp.token(aud="connector")],
        "Basic": ["Authorization: " + basic("acme", gw.idp.token("acme", aud="gateway"))],
    }
    for what, fields in bad.items():
        answer, s = upgrade(gw, *fields)
        s.close()
        check(answer.status in (400, 401, 403), f"{what}: {answer.status}")
    equal(gw.program.count(event="connector", message="connected"), 0, "tunnels")
    answer, s = upgrade(gw, "Authorization: Bearer " + gw.idp.token("acme", aud="connector"))
    s.close()
    equal(answer.status, 101, "with a good credential")


@test("client certificates: another authority's, none, one without a tenant, a proxy's: no tunnel")
def _(t):
    gw, other = Gateway(t), CA(t.dir, "other")
    certs = {"stranger": other.client("stranger", "/O=acme/CN=stranger"), "nobody": gw.ca.client("nobody", "/CN=nobody"),
             "proxy": gw.ca.client("as-proxy", "/CN=proxy"), "server": gw.ca.server("as-server")}
    for name, cert in certs.items():
        try:
            answer, s = upgrade(gw, cert=cert)
        except (OSError, Failure):
            continue  # refused in TLS
        s.close()
        check(answer.status in (400, 401, 403), f"{name}: {answer.status}")
    equal(gw.program.count(event="connector", message="connected"), 0, "tunnels")


@test("a proxy that may speak for one tenant only cannot name another")
def _(t):
    ca = CA(t.dir)
    chains = {"proxies": [mtls(tenant_from="subject:O")], "connectors": [mtls(tenant_from="subject:O")]}
    gw = sallyport(t, "gateway", chains, [tunnel_listener(ca.server(), auth="proxies", connectors="connectors", client_ca=ca.file)],
                   CONNECTORS)
    addr = gw.address("tunnel")
    for tenant in TENANTS:
        connector(t, tenant, addr, ca.file, {"sys.virtual:1": Origin(t, tagged(tenant)).text}, cert=ca.client(f"c-{tenant}", f"/O={tenant}/CN=c"))
    wait_connectors(gw, 2)

    def proxy(name, tenant):
        return sallyport(t, name, {"apps": (NONE, static_tenant(tenant))}, [listener("socks5", "apps"), listener("http", "apps")],
                         gateway_upstream(addr, ca.file, cert=ca.client(name, "/O=acme/CN=p")))
    equal(ask(proxy("honest", "acme"), None), "acme", "the tenant of its certificate")
    greedy = proxy("greedy", "umbrella")
    got = ask(greedy, None)
    check(isinstance(got, tuple), f"it reached {got!r}")
    line = gw.wait(event="exchange", outcome=lambda o: o != "ok")
    check(line["outcome"] in ("forbidden", "tenant_conflict"), f"{line}")
    a, s = http_connect(greedy.address("http"), "sys.virtual:1", "Sallyport-Tenant: umbrella")
    s.close()
    check(a.status >= 400, f"{a.status}")


@test("an application cannot name a tenant, by whatever field")
def _(t):
    gw, sp = house(t, "mtls")
    token = gw.idp.token("acme")
    a, s = http_connect(sp.address("http"), "sys.virtual:1", f"Proxy-Authorization: Bearer {token}", "Sallyport-Tenant: umbrella",
                        "Sallyport-Exchange: 0000000000000000", "X-Tenant: umbrella")
    with s:
        equal(a.status, 200, "status")
        equal((a.rest + read_all_until(s, b"\n", a.rest)).decode().strip(), tag("acme", ""), "who answered")


@test("a connector that dials a proxy directly: tenants stay apart there too")
def _(t):
    ca, idp = CA(t.dir), Issuer(t.dir)
    sp = sallyport(t, "proxy", {"apps": [idp.plugin()], "connectors": [mtls(tenant_from="subject:O")]},
                   [listener("socks5", "apps"), tunnel_listener(ca.server(), connectors="connectors", client_ca=ca.file)], CONNECTORS)
    for tenant in TENANTS:
        connector(t, tenant, sp.address("tunnel"), ca.file, {"sys.virtual:1": Origin(t, tagged(tenant)).text},
                  cert=ca.client(f"c-{tenant}", f"/O={tenant}/CN=c"))
    wait_connectors(sp, 2)
    for _ in range(5):
        for tenant in TENANTS:
            equal(ask(sp, idp.token(tenant)), tenant, "who answered")
    equal(ask(sp, idp.token("third")), ("reply", 3), "a third tenant")


@test("forwarded tokens: the gateway verifies each exchange by its own token; a forged one opens nothing")
def _(t):
    gw = Gateway(t)
    gw.program.stop()
    chains = {"tokens": [gw.idp.plugin()], "connectors": [mtls(tenant_from="subject:O")]}
    gw.program = sallyport(t, "gateway-2", chains, [tunnel_listener(gw.cert, auth="tokens", connectors="connectors", client_ca=gw.ca.file)],
                           CONNECTORS)
    gw.addr = gw.program.address("tunnel")
    for tenant in TENANTS:
        gw.connector(f"c-{tenant}", {"sys.virtual:1": Origin(t, tagged(tenant)).text}, tenant=tenant)
    sp = sallyport(t, "proxy", {"forward": [none(forward_token=True, tenant_claims=["tenant"])]},
                   [listener("socks5", "forward"), listener("http", "forward")], gateway_upstream(gw.addr, gw.ca.file))
    for _ in range(3):  # turn by turn over whatever tunnels are pooled
        for tenant in TENANTS:
            equal(ask(sp, gw.idp.token(tenant)), tenant, "who answered")
    for what, token in {"forged": gw.idp.forged("acme"), "expired": gw.idp.token("acme", lifetime_s=-7200),
                        "another issuer's": Issuer(t.dir, kid="k9", jwks="evil.json").token("acme")}.items():
        got = ask(sp, token)
        check(isinstance(got, tuple), f"{what}: reached {got!r}")
    equal(gw.program.count(event="exchange", outcome="ok"), 6, "exchanges that the gateway let through")


main()
