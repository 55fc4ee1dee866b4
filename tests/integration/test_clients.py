"""Real client programs, unchanged, through one sallyport. What they send on the wire is theirs to decide."""
import hashlib
import json
import os
import pwd
import random
import ssl
import subprocess

from harness import *

ANY_NAME = "db-042.internal.example"  # a name that only the connector knows


def curl(*args, ok=(0,)):
    return run(["curl", "-sS", "--noproxy", "", "--max-time", str(int(HANG_S)), *args], ok=ok)


def jwt_proxy(t):
    """(identity provider, sallyport whose callers need a token)."""
    idp = Issuer(t.dir)
    return idp, all_in_one(t, [idp.plugin(tenant_required=True)])


def tag_of(result):
    return json.loads(result.stdout)["tag"]


# ---- curl ---------------------------------------------------------------------------------

@test("curl socks5h:// without credentials (offers 00, 01)")
def _(t):
    origin, sp = HttpOrigin(t, "here"), all_in_one(t)
    equal(tag_of(curl("-x", "socks5h://" + text_of(sp.address("socks5")), f"http://{origin.text}/a")), "here", "tag")
    sp.outcome("ok", front="socks5", tenant="acme", target=origin.text)


@test("curl socks5h:// with credentials (offers 00, 01, 02) where nobody is asked")
def _(t):
    origin, sp = HttpOrigin(t, "here"), all_in_one(t)
    equal(tag_of(curl("-x", "socks5h://" + text_of(sp.address("socks5")), "-U", "user:pass", f"http://{origin.text}/a")), "here", "tag")


@test("curl socks5h:// with a token as password, where a token is needed")
def _(t):
    origin, (idp, sp) = HttpOrigin(t, "here"), jwt_proxy(t)
    proxy = "socks5h://" + text_of(sp.address("socks5"))
    token = idp.token("acme")
    check(len(token) <= 255, "the token fits RFC 1929")
    equal(tag_of(curl("-x", proxy, "-U", f"token:{token}", f"http://{origin.text}/")), "here", "tag")
    sp.outcome("ok", front="socks5", tenant="acme", principal="app")
    curl("-x", proxy, f"http://{origin.text}/", ok=(97,))  # CURLE_PROXY: no acceptable method
    sp.outcome("no_credential", front="socks5")
    curl("-x", proxy, "-U", f"token:{idp.forged('acme')}", f"http://{origin.text}/", ok=(97,))
    sp.outcome("bad_credential", front="socks5")
    equal(len(origin.heads), 1, "requests that reached the origin")


@test("curl --proxytunnel (HTTP CONNECT)")
def _(t):
    origin, sp = HttpOrigin(t, "here"), all_in_one(t)
    equal(tag_of(curl("-p", "-x", "http://" + text_of(sp.address("http")), f"http://{origin.text}/a")), "here", "tag")
    sp.outcome("ok", front="http", tenant="acme", target=origin.text)
    names = {n.lower() for n, _ in origin.heads[0][1]}
    check(not names & {"proxy-connection", "proxy-authorization"}, f"the origin sees nothing of the proxy: {names}")


@test("curl --proxytunnel with Proxy-Authorization: Bearer")
def _(t):
    origin, (idp, sp) = HttpOrigin(t, "here"), jwt_proxy(t)
    common = ["-p", "-x", "http://" + text_of(sp.address("http"))]
    equal(tag_of(curl(*common, "--proxy-header", f"Proxy-Authorization: Bearer {idp.token('acme')}", f"http://{origin.text}/")), "here", "tag")
    sp.outcome("ok", front="http", tenant="acme", principal="app")
    for header in ([], ["--proxy-header", f"Proxy-Authorization: Bearer {idp.forged('acme')}"]):
        r = curl(*common, *header, "-w", "%{http_connect}", f"http://{origin.text}/", ok=(56,))  # CURLE_RECV_ERROR: not 2xx to CONNECT
        equal(r.stdout, b"407", "status of the CONNECT")
    equal(len(origin.heads), 1, "requests that reached the origin")


@test("curl --proxytunnel --proxy-user (Basic), the password is the token")
def _(t):
    origin, (idp, sp) = HttpOrigin(t, "here"), jwt_proxy(t)
    equal(tag_of(curl("-p", "-x", "http://" + text_of(sp.address("http")), "--proxy-user", f"token:{idp.token('acme')}",
                      f"http://{origin.text}/")), "here", "tag")
    sp.outcome("ok", front="http", tenant="acme")


@test("curl https:// through HTTP CONNECT and through SOCKS5: TLS end to end")
def _(t):
    ca, sp = CA(t.dir), all_in_one(t)
    cert, key = ca.server("shop")
    tls_port = tls_front(t, HttpOrigin(t, "secure"), cert, key)
    for proxy in ("http://" + text_of(sp.address("http")), "socks5h://" + text_of(sp.address("socks5"))):
        r = curl("-x", proxy, "--cacert", ca.file, f"https://127.0.0.1:{tls_port}/")
        equal(tag_of(r), "secure", proxy)


def tls_front(t, origin, cert, key):
    """A TLS server in front of an HTTP origin; its port."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(cert, key)

    def serve(s):
        with ctx.wrap_socket(s, server_side=True) as tls, dial(origin.addr) as inner:
            head = tls.recv(65536)
            inner.sendall(head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            tls.sendall(read_all(inner))
    return Origin(t, serve).port


@test("curl uploads and downloads 8 MiB through SOCKS5 and CONNECT")
def _(t):
    origin, sp = HttpOrigin(t), all_in_one(t)
    body = random.Random(5).randbytes(8 << 20)
    path = t.write("body", body)
    for proxy in (["-p", "-x", "http://" + text_of(sp.address("http"))], ["-x", "socks5h://" + text_of(sp.address("socks5"))]):
        r = curl(*proxy, "--data-binary", f"@{path}", f"http://{origin.text}/up")
        equal(json.loads(r.stdout)["body"].encode("latin-1") == body, True, "the body that came back")


# ---- ncat ---------------------------------------------------------------------------------

@test("ncat --proxy-type socks5, with and without --proxy-auth")
def _(t):
    ncat = need_program("ncat")
    origin, sp = Origin(t, digest), all_in_one(t)
    data = random.Random(1).randbytes(300000)
    for auth in ([], ["--proxy-auth", "user:pass"]):
        r = run([ncat, "--proxy", text_of(sp.address("socks5")), "--proxy-type", "socks5", *auth, "127.0.0.1", str(origin.port)],
                input=data)
        equal(r.stdout.decode(), f"{hashlib.sha256(data).hexdigest()} {len(data)}\n", "digest")


@test("ncat --proxy-type http")
def _(t):
    ncat = need_program("ncat")
    origin, sp = Origin(t, echo), all_in_one(t)
    r = run([ncat, "--proxy", text_of(sp.address("http")), "--proxy-type", "http", "127.0.0.1", str(origin.port)], input=b"hello\n")
    equal(r.stdout, b"hello\n", "echo")


# ---- PySocks ------------------------------------------------------------------------------

def pysocks():
    try:
        import socks
    except ImportError:
        raise Skip("no PySocks (Debian: python3-socks) for this Python") from None
    return socks


@test("PySocks, with and without credentials; names are resolved behind the proxy")
def _(t):
    socks = pysocks()
    origin, gw = Origin(t, echo), Gateway(t)
    gw.connector("c1", {f"{ANY_NAME}:5432": origin.text})
    sp = gw.proxy()
    host, port = sp.address("socks5")
    for user, password in ((None, None), ("user", "p" * 127)):  # 127: PySocks sends longer ones wrongly
        with socks.socksocket() as s:
            s.set_proxy(socks.SOCKS5, host, port, rdns=True, username=user, password=password)
            s.settimeout(HANG_S)
            s.connect((ANY_NAME, 5432))
            s.sendall(b"ping")
            equal(read_exact(s, 4), b"ping", "echo")


@test("PySocks reports a refused target by its SOCKS5 reply")
def _(t):
    socks = pysocks()
    addr, held = unused_address()
    t.defer(held.close)
    sp = all_in_one(t)
    s = socks.socksocket()
    t.defer(s.close)
    s.set_proxy(socks.SOCKS5, *sp.address("socks5"))
    s.settimeout(HANG_S)
    try:
        s.connect(addr)
    except socks.ProxyError as e:
        check("0x04" in str(e), f"0x04, not {e}")
    else:
        raise Failure("connect() succeeded")


# ---- ssh ----------------------------------------------------------------------------------

def sshd(t):
    """An Origin that runs `sshd -i` for each connection, and the client's options for it; Skip where sshd cannot run."""
    program, keygen = need_program("sshd"), need_program("ssh-keygen")
    for name in ("host", "user"):
        run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", t.path(f"ssh_{name}")])
    t.write("authorized_keys", open(t.path("ssh_user.pub"), "rb").read())
    if os.geteuid() == 0 and not os.path.isdir("/run/sshd"):  # where sshd, run by root, keeps its empty folder
        try:
            os.mkdir("/run/sshd", 0o755)
        except OSError as e:
            raise Skip(f"sshd wants /run/sshd: {e}") from None
    conf = t.write("sshd_config", f"HostKey {t.path('ssh_host')}\nAuthorizedKeysFile {t.path('authorized_keys')}\n"
                   "StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
                   "PermitRootLogin prohibit-password\nPidFile none\nLogLevel ERROR\n")
    r = run([program, "-t", "-f", conf], ok=None)
    if r.returncode:
        raise Skip(f"sshd cannot run here: {r.stderr.decode().strip()}")

    def serve(s):
        s.settimeout(None)
        subprocess.run([program, "-i", "-e", "-f", conf], stdin=s.fileno(), stdout=s.fileno(), stderr=open(t.path("sshd.log"), "ab"))
    return Origin(t, serve), ["-F", "none", "-i", t.path("ssh_user"), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
                              "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={t.path('known_hosts')}",
                              "-o", "LogLevel=ERROR"]


@test("ssh through a ProxyCommand, to a system behind a connector")
def _(t):
    ssh, ncat = need_program("ssh"), need_program("ncat")
    origin, options = sshd(t)
    gw = Gateway(t)
    gw.connector("c1", {"shell.virtual:22": origin.text})
    sp = gw.proxy()
    user = pwd.getpwuid(os.geteuid()).pw_name
    command = f"{ncat} --proxy {text_of(sp.address('socks5'))} --proxy-type socks5 %h %p"
    data = random.Random(2).randbytes(1 << 20)
    r = run([ssh, *options, "-o", f"ProxyCommand={command}", f"{user}@shell.virtual", "cat"], input=data, ok=None)
    check(r.returncode == 0 and r.stdout == data,
          f"ssh: exit {r.returncode}, {len(r.stdout)} bytes, {r.stderr!r}, sshd: {open(t.path('sshd.log'), 'rb').read()!r}")
    sp.outcome("ok", target="shell.virtual:22")


# ---- npm socks ----------------------------------------------------------------------------

def node_socks(t, sp, host, port, token, location, text, ok=(0,)):
    node = need_program("node")
    if not os.path.isdir(os.path.join(NODE_MODULES, "socks")):
        raise Skip(f"npm package \"socks\" is not in {NODE_MODULES}")
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clients", "socks80.js")
    proxy = sp.address("socks5")
    return run([node, script, NODE_MODULES, proxy[0], str(proxy[1]), host, str(port), t.write("token", token), location, text], ok=ok)


@test("npm socks with method 0x80 (offers 00 and 80) and a location")
def _(t):
    near, far = Origin(t, tagged("near")), Origin(t, tagged("far"))
    gw = Gateway(t)
    gw.connector("near", {"mail.virtual:25": near.text})
    gw.connector("far", {"mail.virtual:25": far.text}, location="far away")
    sp = gw.proxy({"apps": [gw.idp.plugin()]})
    token = gw.idp.token("acme")
    for location, tag in (("", "near"), ("far away", "far")):
        r = node_socks(t, sp, "mail.virtual", 25, token, location, "EHLO")
        equal(r.stdout.decode(), f"{tag}\nEHLO", f"location {location!r}")


@test("npm socks with method 0x80: a forged token is refused")
def _(t):
    origin, (idp, sp) = Origin(t, echo), jwt_proxy(t)
    node_socks(t, sp, "127.0.0.1", origin.port, idp.forged("acme"), "", "x", ok=(2,))
    sp.outcome("bad_credential")
    equal(origin.accepted, 0, "connections that reached the origin")


main()
