"""No secret is ever in a log, at debug level, in an audit trail or in an answer, whatever happens to it; nor what exchanges carry."""
import base64
import json
import os

from harness import *

PASSWORD = "canary password/4711+x?"
PAYLOAD = "canary-payload-0815"
SERVICE_TOKEN = "canary-service-token-0042"
CLIENT_SECRET = "canary client/secret+2342?"


def pieces(token):
    """What must not be seen of a token: its signature, its claims, encoded or not."""
    head, body, signature = token.split(".")
    return [body, signature, body[:40], signature[:24]]


def key_pieces(path):
    """Of a private key: the lines of its PEM, but for the first, which says of what kind it is."""
    with open(path, encoding="ascii") as f:
        lines = [l.strip() for l in f if not l.startswith("-----")]
    return [l for l in lines[1:] if len(l) > 20]


def written_by_programs(t, inputs):
    """name -> bytes of the files in the test's folder that the test itself did not write."""
    out = {}
    for folder, _, files in os.walk(t.dir):
        for name in files:
            path = os.path.join(folder, name)
            if path not in inputs:
                with open(path, "rb") as f:
                    out[path] = f.read()
    return out


def all_files(t):
    return {os.path.join(folder, name) for folder, _, files in os.walk(t.dir) for name in files}


def canaries(t, fmt):
    secrets = [PASSWORD, PAYLOAD, SERVICE_TOKEN]
    trails = [Trail(t.path(f"{n}.audit"), sap=fmt == "sap") for n in ("gateway", "c1", "proxy")]
    told = [audit(trail.path, format=fmt) for trail in trails]
    gw = Gateway(t, by="jwt", extra=told[0])
    origin = Origin(t, echo)
    files = {}
    for name, aud, sub in (("c1", "connector", "c1"), ("proxy", "gateway", "proxy"), ("bad", "other", "bad")):
        files[name] = gw.idp.token("acme" if name != "proxy" else None, sub=sub, aud=aud, jti=f"id-of-{name}")
        secrets += pieces(files[name])
    gw.connector("c1", {"sys.virtual:1": origin.text}, token_file=t.write("c1.token", files["c1"]), extra=told[1])
    bad = gw.connector("bad", {"sys.virtual:1": origin.text}, token_file=t.write("bad.token", files["bad"]), wait=False)
    sp = sallyport(t, "proxy", {"apps": [gw.idp.plugin(tenant_required=True)], "forward": [none(forward_token=True)], "local": LOCAL},
                   [listener("socks5", "apps"), listener("http", "apps"), listener("socks5", "forward"), listener("http", "forward"),
                    listener("forward", "local", target="sys.virtual:1")],
                   gateway_upstream(gw.addr, gw.ca.file, token_file=t.write("proxy.token", files["proxy"])), told[2])
    tokens = [gw.idp.token("acme"), gw.idp.forged("acme"), gw.idp.token("acme", lifetime_s=-7200), gw.idp.token(),
              Issuer(t.dir, kid="k9", jwks="other.json").token("acme")]
    for token in tokens:
        secrets += pieces(token)
    secrets += key_pieces(gw.cert[1]) + key_pieces(gw.idp.key)
    inputs = all_files(t) - {trail.path for trail in trails}
    seen = b""
    with dial(sp.address("forward")) as s:
        s.sendall(PAYLOAD.encode())
        read_exact(s, len(PAYLOAD))
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
            a, s = http_connect(sp.address("http", nth), "sys.virtual:1", f"Proxy-Authorization: Bearer {token}",
                                f"SAP-CP-Connectivity-Service-Token: {SERVICE_TOKEN}")
            seen += a.text.encode() + a.rest
            s.close()
            for field in (f"Bearer {token}", basic("u", token), token, f"Digest {token}"):
                a, s = http_connect(sp.address("http", nth), "sys.virtual:1", f"Proxy-Authorization: {field}", f"Cookie: {PASSWORD}")
                seen += a.text.encode() + a.rest
                s.close()
    bad.wait(event="tunnel", status=401)
    check(sp.count(event="exchange", outcome="ok") > 0 and sp.count(event="exchange", outcome="bad_credential") > 0, "both ways were taken")
    for p in t.programs:
        p.stop()
    check(sp.count(level="debug") > 0, "the debug level is on")
    for decision in ("allowed", "denied"):
        check(trails[0].find(event="connector", decision=decision) and trails[2].find(event="identity", decision=decision), f"{decision}: in the trails")
    hunt(t, secrets, seen, inputs)


def hunt(t, secrets, seen, inputs):
    """In logs, in answers, in files that the programs wrote; in every form."""
    places = {f"the log of {p.name}": p.whole_text().encode() for p in t.programs} | {"an answer": seen} | written_by_programs(t, inputs)
    check(all(len(text) > 300 for name, text in places.items()), f"something is in each: { {n: len(x) for n, x in places.items()} }")
    for name, text in places.items():
        for form in {form for secret in secrets for form in forms(secret)}:
            check(form.encode() not in text, f"{name} holds {form!r}: {[l for l in text.splitlines() if form.encode() in l][:1]}")


@test("tokens, passwords, keys and payload are in no log, no audit trail and no answer")
def _(t):
    canaries(t, "json")


@test("... nor with format = \"sap\"")
def _(t):
    canaries(t, "sap")


@test("the secret and the private key of a service key are nowhere, whether tokens can be had or not")
def _(t):
    gw = Gateway(t)
    trail = Trail(t.path("audit"))
    addr, holder = unused_address()
    t.defer(holder.close)
    key = t.path("sign.key")
    openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", key)
    pem = openssl("pkcs8", "-topk8", "-nocrypt", "-in", key).decode()
    where = {"clientid": "sb-app", "token_url": f"https://{text_of(addr)}/token"}
    keys = {"secret": {**where, "clientsecret": CLIENT_SECRET}, "assertion": {**where, "private_key": pem}}
    regions = ", ".join(f'{{ id = "{n}"; upstream = {{ kind = "gateway"; url = "https://{text_of(gw.addr)}"; ca_file = "{gw.ca.file}"; '
                        f'service_key = {{ file = "{t.write(n, json.dumps(k))}"; }}; }}; }}' for n, k in keys.items())
    sp = sallyport(t, "proxy", {"apps": LOCAL}, [listener("http", "apps")], gw.upstream(), f"regions = ( {regions} );\n" + audit(trail.path))
    inputs = all_files(t) - {trail.path}
    seen = b""
    for region in keys:
        a, s = http_connect(sp.address("http"), "sys.virtual:1", f"SAP-Connectivity-Region-Configuration-Id: {region}")
        seen += a.text.encode() + a.rest + read_end(s)[1]
        s.close()
        sp.outcome("no_gateway_credential", region=region)
    for p in t.programs:
        p.stop()
    hunt(t, [CLIENT_SECRET, *[l for l in pem.splitlines()[2:-1] if len(l) > 20]], seen, inputs)


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
        check(not any(f.encode() in r.stdout + r.stderr for f in forms(PASSWORD)), f"{r.stdout} {r.stderr}")
    check(b"file" in bad.stderr, f"the way to write a secret, not {bad.stderr!r}")


main()
