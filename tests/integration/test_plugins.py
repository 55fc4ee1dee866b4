"""Plugins that stand outside: htpasswd by real clients; the example of the tree and that of doc/plugins.md, built with nothing but
the public header."""
import os
import re
import shutil
import socket

from harness import *
from harness.env import binary
from harness.program import sanitizer_env

CC = os.environ.get("SP_CC") or "cc"
HTPASSWD = os.path.join(SRCDIR, "plugins", "example")


def sha256_crypt(password):
    openssl = need_program("openssl")
    return run([openssl, "passwd", "-5", "-salt", "salt", password]).stdout.decode().strip()


def users(t, **passwords):
    return t.write("users", "".join(f"{u}:{sha256_crypt(p)}:acme\n" for u, p in passwords.items()))


def chain(t, plugin="htpasswd", **passwords):
    if plugin == "htpasswd" and not os.path.exists(os.path.join(PLUGIN_DIR, "htpasswd.so")):
        raise Skip("built --without-htpasswd")
    return [f'{{ plugin = "{plugin}"; file = "{users(t, **passwords)}"; tenants = true; }}']


def curl(*args, ok=(0,)):
    return run(["curl", "-sS", "--noproxy", "", "--max-time", str(int(HANG_S)), *args], ok=ok)


def judged(sp, origin):
    """ada is let in by SOCKS5 and HTTP, others are not."""
    socks, http = "socks5h://" + text_of(sp.address("socks5")), "http://" + text_of(sp.address("http"))
    url = f"http://{origin.text}/"
    for proxy in (["-x", socks], ["-p", "-x", http]):
        check(b'"here"' in curl(*proxy, "-U", "ada:pass word", url).stdout, proxy)
        for credential in (["-U", "ada:wrong"], ["-U", "eve:pass word"], []):
            before = sp.mark()
            curl(*proxy, *credential, url, ok=(97, 56))  # CURLE_PROXY; CURLE_RECV_ERROR: not 2xx to CONNECT
            sp.outcome("bad_credential" if credential else "no_credential", after=before)
    equal(sp.count(event="exchange", outcome="ok", tenant="acme", principal="ada"), 2, "exchanges that went through")
    equal(len(origin.heads), 2, "requests that reached the origin")


@test("htpasswd: curl with user and password by SOCKS5 and HTTP Basic; wrong, unknown and none are refused")
def _(t):
    need_program("curl")
    origin, sp = HttpOrigin(t, "here"), all_in_one(t, chain(t, ada="pass word"))
    judged(sp, origin)
    check("pass word" not in sp.whole_text(), "no password in the log")


@test("htpasswd: 407 offers Basic")
def _(t):
    origin, sp = Origin(t, echo), all_in_one(t, chain(t, ada="x"))
    a, s = http_connect(sp.address("http"), origin.text)
    s.close()
    equal(a.status, 407, "status")
    sp.outcome("no_credential")
    a, s = http_connect(sp.address("http"), origin.text, f"Proxy-Authorization: {basic('ada', 'x')}")
    s.close()
    equal(a.status, 200, "status with Basic")


@test("htpasswd: PySocks")
def _(t):
    try:
        import socks
    except ImportError:
        raise Skip("no PySocks (Debian: python3-socks) for this Python") from None
    origin, sp = Origin(t, echo), all_in_one(t, chain(t, ada="pass word"))
    with socks.socksocket() as s:
        s.set_proxy(socks.SOCKS5, *sp.address("socks5"), rdns=True, username="ada", password="pass word")
        s.settimeout(HANG_S)
        s.connect(origin.addr)
        s.sendall(b"ping")
        equal(read_exact(s, 4), b"ping", "echo")
    with socks.socksocket() as s:
        s.set_proxy(socks.SOCKS5, *sp.address("socks5"), rdns=True, username="ada", password="password")
        s.settimeout(HANG_S)
        try:
            s.connect(origin.addr)
        except socks.ProxyError:
            pass
        else:
            raise Failure("let in")
    sp.outcome("bad_credential")


@test("htpasswd: callers that leave while their passwords wait leave nothing behind")
def _(t):
    origin, sp = Origin(t, echo), all_in_one(t, chain(t, ada="pass word"))
    for _ in range(20):
        s = dial(sp.address("socks5"))
        s.sendall(greeting(2) + userpass("ada", "pass word"))
        abort(s)
    with Socks5(sp.address("socks5")) as c:
        c.open(*origin.addr, password=("ada", "pass word"))
    sp.stop()


def build(t, name, sources, *more):
    """With the installed header and nothing else of this tree; in a folder that nobody else may write."""
    need_program(CC.split()[0])
    os.mkdir(t.path("include"))
    shutil.copytree(os.path.join(SRCDIR, "include", "sallyport"), t.path("include/sallyport"))
    os.chmod(t.dir, 0o700)
    run([*CC.split(), "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-I", t.path("include"), "-o", t.path(f"{name}.so"), *sources, *more])
    os.chmod(t.path(f"{name}.so"), 0o700)
    return t.path(f"{name}.so")


@test("plugins/example: built out of the tree by one command, loaded by its path")
def _(t):
    if not os.path.exists(os.path.join(PLUGIN_DIR, "htpasswd.so")):
        raise Skip("built --without-htpasswd")
    for f in os.listdir(HTPASSWD):
        shutil.copy(os.path.join(HTPASSWD, f), t.path(f))
    so = build(t, "mine", [t.path("htpasswd.c"), t.path("users.c")], "-pthread", "-ljson-c", "-lcrypt")
    judged(all_in_one(t, chain(t, plugin=so, ada="pass word")), HttpOrigin(t, "here"))


def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def code_blocks(document, language):
    with open(os.path.join(SRCDIR, "doc", document), encoding="utf-8") as f:
        return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", f.read())


@test("doc/plugins.md: its smallest plugin compiles, is checked by -t, and does what the text says")
def _(t):
    whole = [b for b in code_blocks("plugins.md", "c") if "SP_PLUGIN_EXPORT" in b]
    equal(len(whole), 1, "complete plugins in doc/plugins.md")
    so = build(t, "loopback", [t.write("loopback.c", whole[0])])
    origin, good = Origin(t, echo), [f'{{ plugin = "{so}"; }}', static_tenant("acme")]
    listeners = [listener("socks5", "apps"), listener("socks5", "apps", "[::1]:0")]
    bad = t.write("bad.conf", conf_text({"apps": [f'{{ plugin = "{so}"; x = 1; }}', good[1]]}, listeners, DIRECT))
    r = run([binary("sallyport"), "-t", "-c", bad], env=sanitizer_env(), ok=(2,))
    check(re.search(r"bad\.conf:\d+: plugin .*: it has no settings", r.stderr.decode()), r.stderr)
    sp = sallyport(t, "loopback", {"apps": good}, listeners if has_ipv6() else listeners[:1], DIRECT)
    with Socks5(sp.address("socks5")) as c:
        s = c.open(*origin.addr)
        s.sendall(b"ping")
        equal(read_exact(s, 4), b"ping", "echo")
    sp.outcome("ok", tenant="acme")
    if has_ipv6():
        try:
            with Socks5(sp.address("socks5", 2)) as c:
                c.open(*origin.addr)
        except SocksRefused:
            pass
        else:
            raise Failure("a caller from ::1 was let in")
        sp.outcome("forbidden")


@test("doc/jwt.md: has every setting that the plugin knows, and its samples pass -t")
def _(t):
    if not os.path.exists(os.path.join(PLUGIN_DIR, "jwt.so")):
        raise Skip("built --without-jwt")
    with open(os.path.join(SRCDIR, "plugins", "jwt", "policy.c"), encoding="utf-8") as f:
        source = f.read()
    lists = re.findall(r"(?s)#define GROUP_SETTINGS (.*?)\n\n|known\[\] = \{(.*?)\}", source)
    names = set(re.findall(r'"(\w+)"', " ".join(a + b for a, b in lists)))
    check(len(names) > 15, f"settings found in policy.c: {names}")
    with open(os.path.join(SRCDIR, "doc", "jwt.md"), encoding="utf-8") as f:
        told = set(re.findall(r"(?m)^\| `(\w+)` \|", f.read()))
    equal(told, names, "settings in doc/jwt.md")
    samples = code_blocks("jwt.md", "")
    equal(len(samples), 2, "samples")
    shutil.copy(CA(t.dir).file, t.path("partner-ca.pem"))
    for i, sample in enumerate(samples):
        conf = t.write(f"jwt{i}.conf", conf_text({"apps": [sample]}, [listener("socks5", "apps")], DIRECT))
        run([binary("sallyport"), "-t", "-c", conf], env=sanitizer_env())


main()
