"""No secret is ever in a log, at debug level, whatever happens to it; nor what exchanges carry."""
import base64

from harness import *

PASSWORD = "canary-password-4711"
PAYLOAD = "canary-payload-0815"


def pieces(token):
    """What must not be seen of a token: its signature, its claims, encoded or not."""
    head, body, signature = token.split(".")
    return [body, signature, body[:40], signature[:24]]


@test("tokens, passwords and payload are in no program's log")
def _(t):
    secrets = [PASSWORD, PAYLOAD, base64.b64encode(f"u:{PASSWORD}".encode()).decode()]
    gw = Gateway(t, by="jwt")
    origin = Origin(t, echo)
    files = {}
    for name, aud, sub in (("c1", "connector", "c1"), ("proxy", "gateway", "proxy"), ("bad", "other", "bad")):
        files[name] = gw.idp.token("acme" if name != "proxy" else None, sub=sub, aud=aud, jti=f"id-of-{name}")
        secrets += pieces(files[name])
    gw.connector("c1", {"sys.virtual:1": origin.text}, token_file=t.write("c1.token", files["c1"]))
    bad = gw.connector("bad", {"sys.virtual:1": origin.text}, token_file=t.write("bad.token", files["bad"]), wait=False)
    sp = sallyport(t, "proxy", {"apps": [gw.idp.plugin(tenant_required=True)], "forward": [none(forward_token=True)]},
                   [listener("socks5", "apps"), listener("http", "apps"), listener("socks5", "forward"), listener("http", "forward")],
                   gateway_upstream(gw.addr, gw.ca.file, token_file=t.write("proxy.token", files["proxy"])))
    tokens = [gw.idp.token("acme"), gw.idp.forged("acme"), gw.idp.token("acme", lifetime_s=-7200), gw.idp.token(),
              Issuer(t.dir, kid="k9", jwks="other.json").token("acme")]
    for token in tokens:
        secrets += pieces(token)
    seen = b""
    for nth in (1, 2):
        for token in tokens + [f"{PASSWORD}.{PASSWORD}.{PASSWORD}", PASSWORD]:
            for open_by in (dict(token=token), dict(password=("u", token[:255]))):
                c = Socks5(sp.address("socks5", nth))
                try:
                    s = c.open("sys.virtual", 1, **open_by)
                    s.sendall(PAYLOAD.encode())
                    read_exact(s, len(PAYLOAD))
                except SocksRefused:
                    pass
                c.s.close()
            for field in (f"Bearer {token}", basic("u", token), token, f"Digest {token}"):
                a, s = http_connect(sp.address("http", nth), "sys.virtual:1", f"Proxy-Authorization: {field}", f"Cookie: {PASSWORD}")
                seen += a.text.encode() + a.rest
                s.close()
    bad.wait(event="tunnel", status=401)
    check(sp.count(event="exchange", outcome="ok") > 0 and sp.count(event="exchange", outcome="bad_credential") > 0, "both ways were taken")
    for p in t.programs:
        p.stop()
    check(sp.count(level="debug") > 0, "the debug level is on")
    for p in t.programs:
        text = p.whole_text()
        check(len(text) > 300, f"{p.name} logs")
        for secret in secrets:
            check(secret not in text, f"{p.name}: a secret is in the log: {[l for l in p.text if secret in l][:1]}")
    for secret in secrets:
        check(secret.encode() not in seen, "a secret came back in an answer")


@test("`-t` and refusals at start show no secret")
def _(t):
    ca = CA(t.dir)
    secret = t.write("token", PASSWORD + "\n")
    conf = conf_text({"apps": LOCAL}, [listener("socks5", "apps")], gateway_upstream(("127.0.0.1", 1), ca.file, token_file=secret))
    good = run([binary("sallyport"), "-t", "-c", t.write("good.conf", conf)])
    inline = conf.replace(f'token = {{ file = "{secret}"; }}', f'token = "{PASSWORD}"')
    check(inline != conf, "the sample was changed")
    bad = run([binary("sallyport"), "-t", "-c", t.write("bad.conf", inline)], ok=(2,))
    for r in (good, bad):
        check(PASSWORD.encode() not in r.stdout + r.stderr, f"{r.stdout} {r.stderr}")
    check(b"file" in bad.stderr, f"the way to write a secret, not {bad.stderr!r}")


main()
