"""Regions: one proxy, several gateways, chosen by the client's header or by who issued its token."""
from harness import *


class Regions:
    """A gateway for each of eu10 and us10 and one of no region, each with a connector that exposes "sys.virtual:1" and says where it
    is; identity providers A, B and C, of which A leads to eu10 and B to us10, which is for the client "app" only."""

    def __init__(self, t):
        self.t = t
        self.idps = {}
        for name in "ABC":
            self.idps[name] = Issuer(t.dir, iss=f"https://{name.lower()}.example", jwks=f"{name}.jwks.json")
        self.gateways = {}
        for name in ("home", "eu10", "us10"):
            gw = self.gateways[name] = Gateway(t, name=name)
            gw.connector("connector-" + name, {"sys.virtual:1": Origin(t, tagged(name)).text})
        self.proxy = sallyport(t, "proxy", {"apps": [self.plugin()]}, [listener(p, "apps") for p in ("socks5", "http")],
                               self.gateways["home"].upstream("home-proxy"), self.regions())

    def plugin(self):
        groups = ", ".join(f'{{ issuer = "{i.iss}"; jwks_file = "{i.jwks_file}"; }}' for i in self.idps.values())
        return f'{{ plugin = "jwt"; issuers = ( {groups} ); audience = "sallyport"; }}'

    def regions(self):
        eu, us = (self.gateways[n].upstream(n + "-proxy") for n in ("eu10", "us10"))
        return ('regions = (\n'
                f'  {{ id = "eu10"; issuers = [ "{self.idps["A"].iss}" ]; upstream = {eu}; }},\n'
                f'  {{ id = "us10"; issuers = [ "{self.idps["B"].iss}" ]; allowed_clients = [ "app" ]; upstream = {us}; }} );')

    def token(self, idp, client="app"):
        return self.idps[idp].token("acme", azp=client)

    def connect(self, token, region=None):
        """The HTTP status, and where it led if it is 200."""
        headers = [f"Proxy-Authorization: Bearer {token}"] + ([f"SAP-Connectivity-Region-Configuration-Id: {region}"] if region else [])
        answer, s = http_connect(self.proxy.address("http"), "sys.virtual:1", *headers)
        where = answer.rest
        while answer.status == 200 and not where.endswith(b"\n"):
            where += read_exact(s, 1)
        s.close()
        return answer.status, where.decode().strip() if answer.status == 200 else None


@test("a token's issuer leads to its region, over HTTP and SOCKS5; others stay at home")
def _(t):
    r = Regions(t)
    for idp, where in (("A", "eu10"), ("B", "us10"), ("C", "home")):
        equal(r.connect(r.token(idp)), (200, where), f"HTTP, issuer {idp}")
        mark = r.proxy.mark()
        with Socks5(r.proxy.address("socks5")) as c:
            s = c.open("sys.virtual", 1, token=r.token(idp))
            equal(read_exact(s, len(where) + 1), where.encode() + b"\n", f"SOCKS5, issuer {idp}")  # all of it, or closing would reset
        r.proxy.outcome("ok", after=mark, **({} if where == "home" else {"region": where}))


@test("the client's header names a region; it must be configured, and fit the token's issuer and client")
def _(t):
    r = Regions(t)
    a, b = r.token("A"), r.token("B")
    equal(r.connect(a, "eu10"), (200, "eu10"), "its own region")
    for token, region, status, word, why in (
            (a, "us10", 403, "forbidden", 'region "us10" is not for identities of this issuer'),
            (r.token("C"), "eu10", 403, "forbidden", 'region "eu10" is not for identities of this issuer'),
            (r.token("B", "tool"), "us10", 403, "forbidden", 'region "us10" is not for this client'),
            (r.token("B", "tool"), None, 403, "forbidden", 'region "us10" is not for this client'),
            (b, "jp10", 400, "bad_request", 'the region "jp10" is not configured'),
            (b, "x" * 65, 400, "bad_request", "not a valid region"),
            (b, "us10, eu10", 400, "bad_request", "not a valid region")):
        before = {n: g.program.count(event="exchange") for n, g in r.gateways.items()}
        mark = r.proxy.mark()
        equal(r.connect(token, region), (status, None), f"{region}: {why}")
        check(why in r.proxy.outcome(word, after=mark)["detail"], "the log says why")
        equal({n: g.program.count(event="exchange") for n, g in r.gateways.items()}, before, "no gateway was asked")


main()
