"""One connection, many callers: each request goes where its own identity, location and host lead, and nowhere else."""
import random

from harness import *

REQUESTS, LOCATIONS, HOSTS, PRINCIPALS, TENANTS = 10000, 4, 8, 50, 2


class House:
    """Connectors of two tenants at four locations each, eight systems behind each, and a proxy that wants tokens."""

    def __init__(self, t):
        self.t, self.web, self.gateway = t, Web(t), Gateway(t, level="notice")
        claims = [{"claim": "sub", "header": "X-Principal"}, {"claim": "tenant", "header": "X-Tenant"}]
        for tenant in range(TENANTS):
            for location in range(LOCATIONS):
                systems = {f"h{h}.virtual:80": web(self.web.add(f"t{tenant}/l{location}/h{h}", answer), principal_header=claims)
                           for h in range(HOSTS)}
                self.gateway.connector(f"c{tenant}{location}", systems, tenant=f"t{tenant}", location=f"l{location}", level="notice")
        self.proxy = self.gateway.proxy({"apps": [self.gateway.idp.plugin()]}, level="notice")
        self.addr = self.proxy.address("http")
        self.tokens = [self.gateway.idp.token(f"t{p % TENANTS}", sub=f"user-{p}") for p in range(PRINCIPALS)]


async def answer(seen, writer):
    body = "|".join((seen.system, seen.get("x-principal") or "-", seen.get("x-tenant") or "-", seen.get("host"), seen.path,
                     seen.method, seen.body.decode(), ",".join(n for n in seen.names() if n.startswith(("sap-", "proxy-", "sallyport-"))))).encode()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    await writer.drain()
    return True


def one(house, rng, i):
    """(bytes of a request, what must come back)."""
    p, location, host = rng.randrange(PRINCIPALS), rng.randrange(LOCATIONS), rng.randrange(HOSTS)
    method, body = rng.choice((("GET", b""), ("GET", b""), ("POST", b"content-%d" % i), ("PUT", b"chunked-%d" % i)))
    lines = [f"{method} http://h{host}.virtual/r/{i} HTTP/1.1", f"Host: h{host}.virtual",
             f"Proxy-Authorization: Bearer {house.tokens[p]}", f"SAP-Connectivity-SCC-Location_ID: l{location}",
             "X-Principal: root", "x_tenant: t9"]
    if rng.random() < 0.3:  # another caller of that tenant, on this user's behalf
        lines[2] = f"Proxy-Authorization: Bearer {house.tokens[(p + TENANTS) % PRINCIPALS]}"
        lines.append(f"SAP-Connectivity-Authentication: Bearer {house.tokens[p]}")
    if method == "POST":
        lines.append(f"Content-Length: {len(body)}")
        payload = body
    elif method == "PUT":
        lines.append("Transfer-Encoding: chunked")
        payload = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    else:
        payload = b""
    want = "|".join((f"t{p % TENANTS}/l{location}/h{host}", f"user-{p}", f"t{p % TENANTS}", f"h{host}.virtual", f"/r/{i}", method,
                     body.decode(), ""))
    return "".join(line + "\r\n" for line in (*lines, "")).encode() + payload, want.encode()


def mixed(t, window):
    house = House(t)
    seed = random.randrange(1 << 32)
    print(f"# seed {seed}", flush=True)
    rng = random.Random(seed)
    with Client(house.addr) as c:
        done = 0
        while done < REQUESTS:
            some = [one(house, rng, done + k) for k in range(min(window, REQUESTS - done))]
            c.send(b"".join(r for r, _ in some))
            for _, want in some:
                r = c.response()
                equal((r.status, r.body), (200, want), f"answer {done} (seed {seed})")
                done += 1


@test("10,000 requests of 50 principals to 64 systems on one keep-alive connection")
def _(t):
    mixed(t, 1)


@test("the same, pipelined")
def _(t):
    mixed(t, 16)


main()
