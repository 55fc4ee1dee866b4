"""What starts and what does not: fail closed, with a message that names file, line and way out. And what `-t` says."""
import os
import re
import shutil

from harness import *
from harness.program import Program, ended_badly, sanitizer_env


def run_program(t, name, conf, *args, code=0, program="sallyport"):
    """Runs it to its end; standard output and error, when the exit code is as wanted."""
    r = run([binary(program), *args, "-c", t.write(name, conf)], env=sanitizer_env(), ok=None)
    out, err = r.stdout.decode(), r.stderr.decode()
    report = ended_badly(err)
    check(not report, f"{report}\n{err}")
    equal((r.returncode, ""), (code, ""), f"exit code; standard error: {err}")
    return out, err


def refused(t, conf, *texts, program="sallyport", line_of=None):
    """The program does not start (exit 2, nothing on stdout), `-t` says the same, and the message holds the file's name and all
    texts. line_of: a text of the line that must be named."""
    for args in ((), ("-t",)):
        out, err = run_program(t, "refused.conf", conf, *args, code=2, program=program)
        for text in texts:
            check(text in err, f"{text!r} in {err!r}")
        check(re.search(r"refused\.conf(:\d+)?: ", err), f"the file in {err!r}")
        if line_of:
            line = next(i for i, l in enumerate(conf.split("\n"), 1) if line_of in l)
            check(f"refused.conf:{line}: " in err, f"line {line} in {err!r}")
        check('"listen"' not in err and '"ready"' not in err, f"nothing was opened: {err!r}")


def simple(chain=LOCAL, address="127.0.0.1:0", protocol="socks5", upstream=DIRECT, extra="", **settings):
    return conf_text({"apps": chain}, [listener(protocol, "apps", address, **settings)], upstream, extra)


# ---- fail closed --------------------------------------------------------------------------

@test("a chain that verifies nobody does not start on 0.0.0.0 or [::], for any protocol")
def _(t):
    for address in ("0.0.0.0:0", "[::]:0", "198.51.100.7:0"):
        for protocol in ("socks5", "http"):
            refused(t, simple(address=address, protocol=protocol), "verifies nobody", "trusted_network", address)
    refused(t, simple(address="0.0.0.0:0", protocol="forward", target="a.virtual:1"), "verifies nobody")


@test("... unless the listener says trusted_network = true")
def _(t):
    sp = start(t, "sallyport", "trusted", simple(address="0.0.0.0:0", trusted_network=True)).ready()
    origin = Origin(t, tagged("x"))
    with Socks5(("127.0.0.1", sp.address("socks5")[1])) as c:
        c.open(*origin.addr)


@test("a chain that verifies starts on 0.0.0.0; forwarded tokens do not count as verified")
def _(t):
    idp = Issuer(t.dir)
    start(t, "sallyport", "verified", simple([idp.plugin()], "0.0.0.0:0")).ready()
    refused(t, simple([none(forward_token=True)], "0.0.0.0:0"), "verifies nobody")


@test("a plugin that leaves callers without a credential to the others lets none of them in unverified")
def _(t):
    idp, ca, origin = Issuer(t.dir), CA(t.dir), Origin(t, echo)
    chains = {"apps": [idp.plugin(required=False), static_tenant("acme")], "c": [mtls(), static_tenant("acme")]}
    sp = sallyport(t, "optional", chains, [listener("socks5", "apps"), listener("http", "apps"),
                                           tunnel_listener(ca.server(), auth="c", connectors="c", client_ca=ca.file)], CONNECTORS)
    with Socks5(sp.address("socks5")) as c:
        if c.select(0) == 0:
            check(c.ask(*origin.addr) != 0, "SOCKS5: let in")
    sp.outcome("no_credential", front="socks5")
    a, s = http_connect(sp.address("http"), origin.text)
    s.close()
    equal(a.status, 407, "status")
    stranger = connector(t, "stranger", sp.address("tunnel"), ca.file, {}, token_file=t.write("t", idp.token("acme")))
    stranger.wait(event="tunnel", status=401)
    equal(sp.count(event="connector", message="connected"), 0, "tunnels")


@test("tunnel listeners: chains that verify nobody stay off the network there too")
def _(t):
    ca = CA(t.dir)
    cert = ca.server()
    for who in ({"auth": "open"}, {"connectors": "open"}):
        one = tunnel_listener(cert, address="0.0.0.0:0", **who)
        refused(t, conf_text({"open": LOCAL}, [one], CONNECTORS), "verifies nobody")


@test("a chain that can resolve no tenant does not start")
def _(t):
    idp = Issuer(t.dir)
    refused(t, simple([NONE]), "tenant")
    refused(t, simple([idp.plugin(tenant_claims=[])]), "tenant")
    refused(t, simple([]), "apps")


@test("a listener without a chain, and one with a chain that does not exist, do not start")
def _(t):
    conf = simple()
    refused(t, conf.replace(' auth = "apps";', ""), "auth")
    refused(t, conf.replace(' auth = "apps";', ' auth = "app";'), '"app"')


@test("unknown keys, plugins and values: file, line and the nearest known name")
def _(t):
    refused(t, simple(adress="x"), '"adress"', 'did you mean "address"', line_of="adress")
    refused(t, simple(extra='timeouts = { handshak = "1s"; };'), '"handshak"', '"handshake"', line_of="handshak =")
    refused(t, simple(protocol="socks4"), "socks4", "socks5")
    refused(t, simple(extra='timeouts = { open = "5 parsecs"; };'), "5 parsecs", line_of="parsecs")
    refused(t, simple(extra="workers = 4294967297L;"), "workers")
    refused(t, simple(extra="limits = { exchanges = 0; };"), "exchanges")
    refused(t, simple(['{ plugin = "nosuch"; }', static_tenant("a")]), "nosuch")
    refused(t, simple(['{ plugin = "none"; x = 1; }', static_tenant("a")]), "none", "x")
    refused(t, simple([NONE, '{ plugin = "static-tenant"; }']), "static-tenant", "tenant")
    refused(t, simple() + "listeners = (\n", "")
    refused(t, 'log = { level = "info"; };\n', "listeners", "upstream")


@test("a file that is not there, bad arguments: exit 2 and a usage or a message")
def _(t):
    for argv in (["-c", t.path("none.conf")], ["-t", "-c", t.path("none.conf")], ["--no-such-option"], ["surplus"], ["-c"]):
        for program in ("sallyport", "sallyport-connector"):
            r = run([binary(program), *argv], env=sanitizer_env(), ok=(2,))
            check(r.stderr and not r.stdout, f"{argv}: {r.stdout!r} {r.stderr!r}")


@test("--help and --version: exit 0, on standard output")
def _(t):
    for program in ("sallyport", "sallyport-connector"):
        equal(run([binary(program), "--version"]).stdout.decode().split()[0], program, "--version")
        text = run([binary(program), "--help"]).stdout.decode()
        check("-t" in text and "-c" in text, text)


@test("an address that is in use: exit 1 and the address; nothing else stays")
def _(t):
    origin = Manual(t)
    conf = conf_text({"apps": LOCAL}, [listener("http", "apps"), listener("socks5", "apps", origin.text)], DIRECT)
    out, err = run_program(t, "inuse.conf", conf, code=1)
    check(origin.text in err and "in use" in err, err)
    twice = conf_text({"apps": LOCAL}, [listener("http", "apps", origin.text), listener("socks5", "apps", origin.text)], DIRECT)
    refused(t, twice, origin.text)


# ---- files --------------------------------------------------------------------------------

@test("secrets that others may read are refused: bearer token, private key")
def _(t):
    ca = CA(t.dir)
    token = t.write("token", "secret\n", 0o644)
    conf = conf_text({"apps": LOCAL}, [listener("socks5", "apps")], gateway_upstream(("127.0.0.1", 1), ca.file, token_file=token))
    refused(t, conf, token)
    refused(t, f'gateway = {{ url = "https://127.0.0.1:1"; ca_file = "{ca.file}"; token = {{ file = "{token}"; }}; }};\nexpose = ();\n',
            token, program="sallyport-connector")
    os.chmod(token, 0o640)
    run_program(t, "good.conf", conf, "-t")

    cert, key = ca.client("p", "/CN=p")
    conf = conf_text({"apps": LOCAL}, [listener("socks5", "apps")], gateway_upstream(("127.0.0.1", 1), ca.file, cert=(cert, key)))
    run_program(t, "good.conf", conf, "-t")
    os.chmod(key, 0o644)
    refused(t, conf, key)
    os.chmod(key, 0o600)
    os.remove(token)
    conf = conf_text({"apps": LOCAL}, [listener("socks5", "apps")], gateway_upstream(("127.0.0.1", 1), ca.file, token_file=token))
    refused(t, conf, token)


@test("plugins that others may write, in folders that others may write, are refused")
def _(t):
    folder = t.path("plugins")
    os.mkdir(folder, 0o755)
    for name in ("none.so", "static-tenant.so"):
        shutil.copy(os.path.join(PLUGIN_DIR, name), folder)
        os.chmod(os.path.join(folder, name), 0o755)
    conf = simple().replace(PLUGIN_DIR, folder)
    run_program(t, "good.conf", conf, "-t")
    os.chmod(os.path.join(folder, "none.so"), 0o757)
    refused(t, conf, "none.so", "writ")
    os.chmod(os.path.join(folder, "none.so"), 0o755)
    os.chmod(folder, 0o777)
    refused(t, conf, folder, "writ")


@test("files that are missing or nonsense: certificates, keys, key sets")
def _(t):
    ca, idp = CA(t.dir), Issuer(t.dir)
    cert, key = ca.server()
    other = ca.client("other", "/CN=other")
    nonsense = t.write("nonsense", "not PEM at all\n")
    chains = {"c": [mtls(tenant_from="subject:O")]}

    def gateway(cert_file, key_file, client_ca):
        return conf_text(chains, [tunnel_listener((cert_file, key_file), connectors="c", client_ca=client_ca)], CONNECTORS)
    run_program(t, "good.conf", gateway(cert, key, ca.file), "-t")
    for bad in ((t.path("none"), key, ca.file), (cert, t.path("none"), ca.file), (cert, key, t.path("none")),
                (nonsense, key, ca.file), (cert, nonsense, ca.file), (cert, key, nonsense), (cert, other[1], ca.file)):
        culprit = next(b for b in bad if b in (t.path("none"), nonsense, other[1]))
        refused(t, gateway(*bad), os.path.basename(culprit))
    refused(t, simple([idp.plugin(jwks_file=t.path("none"))]), "none")
    refused(t, simple([idp.plugin(jwks_file=nonsense)]), "nonsense")
    refused(t, simple([idp.plugin(jwks_file=t.write("empty.json", '{"keys":[]}'))]), "empty.json")
    refused(t, simple([idp.plugin(jwks_file=t.write("shared.json", '{"keys":[{"kty":"oct","k":"AAAA","alg":"HS256"}]}'))]), "shared.json")


@test("the connector: no credential, nothing said about what is exposed, http systems without paths: refused; an empty list is fine")
def _(t):
    ca = CA(t.dir)
    cert, key = ca.client("c", "/O=a/CN=c")
    base = f'gateway = {{ url = "https://127.0.0.1:1"; ca_file = "{ca.file}"; '
    who = f'cert_file = "{cert}"; key_file = "{key}"; '
    refused(t, base + "};\nexpose = ();\n", "who the connector is", program="sallyport-connector")
    refused(t, base + who + "};\n", "expose", program="sallyport-connector")
    refused(t, base + who + '};\nexpose = ( { virtual = "a:1"; protocol = "http"; internal = "b:1"; } );\n', '"paths" is missing',
            program="sallyport-connector")
    refused(t, base.replace("https:", "http:") + who + "};\nexpose = ();\n", "https", program="sallyport-connector")
    out, err = run_program(t, "good.conf", base + who + "};\nexpose = ();\n", "-t", program="sallyport-connector")
    check("gateway https://127.0.0.1:1" in out, out)


@test("the connector: `-t` says what of an HTTP system may be asked for, and reads the files of an HTTPS one")
def _(t):
    ca = CA(t.dir)
    cert, key = ca.client("c", "/O=a/CN=c")
    base = f'gateway = {{ url = "https://127.0.0.1:1"; ca_file = "{ca.file}"; cert_file = "{cert}"; key_file = "{key}"; }};\n'
    https = 'expose = ( { virtual = "a:443"; protocol = "https"; internal = "b:443"; paths = ( { path = "/"; sub_paths = true; } ); %s } );\n'
    http = ('expose = ( { virtual = "a:80"; protocol = "http"; internal = "b:81"; paths = ( { path = "/x"; sub_paths = true; '
            'methods = [ "GET" ]; }, { path = "/x/y"; suspended = true; } ); } );\n')
    out, err = run_program(t, "http.conf", base + http, "-t", program="sallyport-connector")
    check("exposes a:80 as http://b:81\n  /x and below: GET\n  /x/y: suspended\n" in out, out)
    files = f'ca_file = "{ca.file}"; cert_file = "{cert}"; key_file = "{key}";'
    out, err = run_program(t, "https.conf", base + https % files, "-t", program="sallyport-connector")
    check("exposes a:443 as https://b:443\n  everything: any method\n" in out, out)
    refused(t, base + https % 'ca_file = "nowhere.pem";', "nowhere.pem", program="sallyport-connector")
    refused(t, base + https % f'cert_file = "{cert}"; key_file = "{cert}";', "others than its owner", program="sallyport-connector")


# ---- -t -----------------------------------------------------------------------------------

@test("`-t` prints each listener's mode in words, the upstream and a memory bound")
def _(t):
    idp, ca = Issuer(t.dir), CA(t.dir)
    chains = {"st": LOCAL, "sn": [idp.plugin(), static_tenant("acme")], "mn": [idp.plugin()], "mt": [none(forward_token=True)],
              "mtls": [mtls(tenant_from="subject:O")]}
    listeners = [listener("http", "st"), listener("socks5", "sn"), listener("http", "mn", "0.0.0.0:20003"), listener("socks5", "mt"),
                 listener("forward", "st", target="db.virtual:5432"), listener("socks5", "st", "0.0.0.0:0", trusted_network=True),
                 tunnel_listener(ca.server(), auth="mtls", connectors="mtls", client_ca=ca.file)]
    out, err = run_program(t, "modes.conf", conf_text(chains, listeners, CONNECTORS), "-t")
    lines = out.strip().split("\n")
    for line, words in zip(lines, (("http", "single-tenant", "trusted"), ("socks5", "single-tenant", "non-trusted"),
                                   ("http", "0.0.0.0:20003", "multi-tenant", "non-trusted"), ("socks5", "multi-tenant", "trusted"),
                                   ("forward", "single-tenant", "trusted"), ("socks5", "0.0.0.0", "single-tenant", "trusted"),
                                   ("tunnel", "proxies", "connectors"))):
        for w in words:
            check(w in line, f"{w!r} in {line!r}")
        equal("non-trusted" in line, "non-trusted" in words, line)
    check(re.search(r"^memory bound: \d+ MiB", out, re.M), out)
    check("upstream connectors" in out, out)
    check(lines[-1].endswith("ok"), lines[-1])
    equal(err, "", "standard error")


@test("`-t` opens nothing: it passes while the address is in use")
def _(t):
    origin = Manual(t)
    run_program(t, "inuse.conf", simple(address=origin.text), "-t")


@test("`-t`'s memory bound grows with limits")
def _(t):
    def bound(limits):
        out, _ = run_program(t, "bound.conf", simple(extra=limits), "-t")
        return int(re.search(r"memory bound: (\d+) MiB", out).group(1))
    small, big = bound("limits = { exchanges = 100; clients = 100; };"), bound("limits = { exchanges = 1000; clients = 1000; };")
    check(0 < small < big, f"{small} < {big}")
    check(bound('limits = { exchanges = 100; clients = 100; stream_window = "64KiB"; };') < small, "smaller windows, smaller bound")


@test("every file of conf/ passes `-t`, with certificates and keys beside it")
def _(t):
    ca = CA(t.dir)
    for name, subject in (("proxy", "/CN=proxy"), ("connector", "/O=acme/CN=connector")):
        ca.client(name, subject)
    ca.server()
    shutil.copy(ca.file, t.path("client-ca.pem"))
    Issuer(t.dir)
    names = sorted(n for n in os.listdir(os.path.join(SRCDIR, "conf")) if n.endswith(".conf"))
    check(len(names) >= 7, f"files of conf/: {names}")
    for name in names:
        with open(os.path.join(SRCDIR, "conf", name), encoding="utf-8") as f:
            text = f.read()
        is_connector = name == "connector.conf"
        out, err = run_program(t, name, text if is_connector else f'plugin_dir = "{PLUGIN_DIR}";\n' + text, "-t",
                               program="sallyport-connector" if is_connector else "sallyport")
        equal(err, "", f"{name}: standard error")
        if name.startswith(("single", "multi")):
            want = name.split("-")[0] + "-tenant, " + ("non-trusted" if "nontrusted" in name else "trusted")
            check(want in out, f"{name}: {want!r} in {out!r}")


main()
