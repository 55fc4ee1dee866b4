"""Keys by HTTPS: an identity provider that answers, and one that is down, slow, talks garbage, rotates its keys, is flooded."""
import json
import os

from harness import *


def verdict(sp, token):
    """Of HTTP CONNECT: the status, and the exchange's line in the log."""
    mark = sp.mark()
    answer, s = http_connect(sp.address("http"), "sys.virtual:1", f"Proxy-Authorization: Bearer {token}")
    s.close()
    return answer.status, sp.wait(after=mark, event="exchange")


def allowed(sp, token, what):
    status, line = verdict(sp, token)
    equal((status, line["outcome"]), (200, "ok"), f"{what}: {line.get('detail')}")


def refused(sp, token, status, word, why, what):
    got, line = verdict(sp, token)
    equal((got, line["outcome"]), (status, word), what)
    check(why in line["detail"], f"{what}: {why!r} in {line['detail']!r}")


def refused_80(sp, token, what):
    with Socks5(sp.address("socks5")) as c:
        equal(c.select(0x80), 0x80, "method")
        check(c.give_token(token) != 0, what)


class House:
    """A proxy with a chain of these plugins, and a gateway with a connector of acme's behind it."""

    def __init__(self, t, *plugins, extra=""):
        self.gw = Gateway(t)
        self.gw.connector("c1", {"sys.virtual:1": Origin(t, echo).text}, tenant="acme")
        self.sp = self.gw.proxy({"apps": list(plugins)}, extra=extra)


def plugin(idp, **settings):
    s = {"issuer": idp.iss, "audience": "sallyport", "ca_file": idp.ca_file, **settings}
    return '{ plugin = "jwt"; ' + " ".join(f"{k} = {json.dumps(v)};" for k, v in s.items()) + " }"


def by_url(idp, **settings):
    return plugin(idp, jwks=idp.iss + "/keys", **settings)


def ready(sp):
    """Its first keys are here."""
    sp.wait_text("; good for ")


@test("keys by URL are fetched once and used for every token")
def _(t):
    idp = Idp(t)
    house = House(t, by_url(idp))
    ready(house.sp)
    for i in range(20):
        allowed(house.sp, idp.token("acme", sub=f"u{i}"), "a token")
    refused(house.sp, idp.signers[0].forged("acme"), 407, "bad_credential", "signature", "a forged one")
    refused(house.sp, Issuer(t.dir, iss=idp.iss, jwks="x.json").token("acme"), 407, "bad_credential", "key", "somebody else's key")
    check(idp.count("/keys") <= 2, f"fetches: {idp.counts}")  # the first, and one for the key id that the set has not


@test("keys by discovery; an issuer that calls itself otherwise is not believed")
def _(t):
    idp = Idp(t)
    house = House(t, plugin(idp, discovery=True))
    ready(house.sp)
    allowed(house.sp, idp.token("acme"), "a token")
    equal((idp.count("/.well-known/openid-configuration"), idp.count("/keys")), (1, 1), "one of each")
    liar = Idp(t, "liar")
    liar.be("other_issuer")
    sp = house.gw.proxy({"apps": [plugin(liar, discovery=True)]}, name="other")
    sp.wait_text("another issuer's")
    refused(sp, liar.token("acme"), 503, "auth_unavailable", "no keys", "its tokens")
    equal(liar.count("/keys"), 0, "its keys were not asked for")


@test("it starts without the identity provider and says so; its tokens get 503 and Retry-After; then it comes up")
def _(t):
    idp = Idp(t)
    idp.down()
    house = House(t, by_url(idp))
    house.sp.wait_text("being fetched")
    house.sp.wait_text("none of its tokens can be verified")
    answer, s = http_connect(house.sp.address("http"), "sys.virtual:1", f"Proxy-Authorization: Bearer {idp.token('acme')}")
    s.close()
    equal(answer.status, 503, "status")
    check((answer.get("Retry-After") or "").isdigit(), "Retry-After")
    refused_80(house.sp, idp.token("acme"), "the sub-negotiation fails")
    house.sp.outcome("auth_unavailable", front="socks5")
    equal(http_connect(house.sp.address("http"), "sys.virtual:1")[0].status, 407, "no token at all is another matter")
    idp.up()
    ready(house.sp)  # by itself
    allowed(house.sp, idp.token("acme"), "when it is up")


@test("a rotated key is fetched when its first token comes, once; unknown keys after that are refused without a fetch")
def _(t):
    idp = Idp(t)
    house = House(t, by_url(idp))
    ready(house.sp)
    old = idp.token("acme", sub="old")
    allowed(house.sp, old, "before")
    idp.rotate()
    allowed(house.sp, idp.token("acme", sub="new"), "the new key")
    equal(idp.count("/keys"), 2, "one more fetch")
    refused(house.sp, old, 407, "bad_credential", "key", "a token of the key that is gone, though it was believed before")
    stranger = Issuer(t.dir, iss=idp.iss, jwks="flood.json")
    for i in range(60):
        stranger.kid = f"made-up-{i}"
        refused(house.sp, stranger.token("acme"), 407, "bad_credential", "key", "an unknown key")
    equal(idp.count("/keys"), 2, "the flood caused no fetch")
    allowed(house.sp, idp.token("acme", sub="new2"), "the good one all the same")


@test("a slow identity provider holds up nobody longer than timeouts.auth, and nobody else at all")
def _(t):
    slow, fast = Idp(t, "slow"), Idp(t, "fast")
    slow.be("slow")
    groups = ", ".join(f'{{ issuer = "{i.iss}"; jwks = "{i.iss}/keys"; ca_file = "{i.ca_file}"; }}' for i in (slow, fast))
    house = House(t, f'{{ plugin = "jwt"; audience = "sallyport"; issuers = ( {groups} ); }}', extra='timeouts = { auth = "2s"; };')
    slow.wait_count(1, "/keys")
    ready(house.sp)
    waiting = [dial(house.sp.address("http")) for _ in range(10)]
    for s in waiting:
        s.sendall(connect_head("sys.virtual:1", f"Proxy-Authorization: Bearer {slow.token('acme')}"))
    for i in range(20):
        allowed(house.sp, fast.token("acme", sub=f"u{i}"), "the other issuer's")
    for s in waiting:
        equal(read_head(s).status, 503, "a waiting one ends")
        s.close()
    equal(slow.count("/keys"), 1, "they all waited for one fetch")
    slow.be("ok")


@test("good keys stay in use whatever the identity provider says next")
def _(t):
    house = House(t, none(), static_tenant("acme"))
    for mode in ("garbage", "html", "500", "redirect", "large", "empty"):
        idp = Idp(t, "idp-" + mode)
        sp = house.gw.proxy({"apps": [by_url(idp)]}, name="proxy-" + mode)
        ready(sp)
        idp.be(mode)
        new = Issuer(t.dir, iss=idp.iss, kid="new", jwks=mode + ".json")
        refused(sp, new.token("acme"), 407, "bad_credential", "key", f"{mode}: what a new key would sign")
        equal(idp.count(), 2, f"{mode}: it was asked")
        sp.wait_text("s ago are used for at most")
        allowed(sp, idp.token("acme"), f"{mode}: the old key")
        equal(idp.count("/elsewhere"), 0, "redirects are not followed")


@test("xsuaa: each tenant's tokens are verified by that tenant's keys; names that are made up cause few fetches and drive nobody out")
def _(t):
    idp = Idp(t)
    acme = idp.tenant("acme")
    idp.tenant("globex")
    house = House(t, plugin(idp, profile="xsuaa", jwks=idp.iss + "/keys"))
    token = lambda signer, zid, **c: signer.token(None, zid=zid, azp="app", **c)  # noqa: E731
    allowed(house.sp, token(acme, "acme"), "acme's")
    equal(idp.count("/keys"), 1, "fetched for it")
    refused(house.sp, token(acme, "globex"), 407, "bad_credential", "", "globex's token by acme's key")
    equal(house.sp.find(event="exchange", tenant="globex"), [], "nobody was taken for globex")
    for i in range(150):
        got, line = verdict(house.sp, token(acme, f"made-up-{i}"))
        equal((got, line["outcome"]), (503, "auth_unavailable"), f"made up, {i}")
    check(idp.count("/keys") < 110, f"fetches: {idp.counts}")
    allowed(house.sp, token(acme, "acme", sub="again"), "acme's after the flood")


@test("a key file that is rewritten counts without a restart; a bad one is said and the old keys stay")
def _(t):
    one, two = Issuer(t.dir, jwks="one.json", kid="one"), Issuer(t.dir, jwks="two.json", kid="two")
    house = House(t, one.plugin())
    allowed(house.sp, one.token("acme"), "before")
    refused(house.sp, two.token("acme"), 407, "bad_credential", "key", "the new key before")
    with open(one.jwks_file + ".new", "w", encoding="ascii") as f:
        json.dump({"keys": [two.jwk()]}, f)
    os.rename(one.jwks_file + ".new", one.jwks_file)
    while verdict(house.sp, two.token("acme"))[0] != 200:  # looked at once a second; HANG_S bounds this
        pass
    refused(house.sp, one.token("acme", sub="late"), 407, "bad_credential", "key", "the old key after")
    with open(one.jwks_file, "w", encoding="ascii") as f:
        f.write("{")
    seen = False
    while not seen:
        allowed(house.sp, two.token("acme", sub="still"), "the last good keys")
        seen = "THE OLD KEYS STAY" in house.sp.whole_text()


main()
