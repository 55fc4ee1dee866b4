"""Real HTTP clients, unchanged, through proxy, gateway and connector: what they send on the wire is theirs to decide."""
import asyncio
import base64
import hashlib
import http.server
import importlib.util
import json
import os
import shutil
import socketserver
import struct
import subprocess
import threading

from harness import *

HOP = ("proxy-", "sap-", "sallyport-")


class House:
    """sys.virtual echoes what it saw; ws.virtual speaks WebSocket; tcp.virtual and bytes.virtual are these two as bytes, for clients
    that always CONNECT (undici, and browsers for WebSocket)."""

    def __init__(self, t, more=None):
        self.t, self.web = t, Web(t)
        at = self.web.add("sys")
        self.gateway = Gateway(t)
        ws = self.web.add("ws", raw=websocket)
        self.gateway.connector("c1", {"sys.virtual:80": web(at), "ws.virtual:80": web(ws, upgrade=True), "plain.virtual:80": web(ws),
                                      "tcp.virtual:80": at, "bytes.virtual:80": ws, **(more or {})})
        self.proxy = self.gateway.proxy()
        self.addr = text_of(self.proxy.address("http"))
        self.url = "http://" + self.addr

    def judge(self, method, path, body=b"", count=1, host="sys.virtual"):
        """The last request that the system saw, and that it was as it must be."""
        equal(len(self.web.seen), count, "requests at the system")
        seen = self.web.seen[-1]
        equal((seen.method, seen.path, seen.get("host"), seen.body), (method, path, host, body), "what the system saw")
        equal([n for n in seen.names() if n.startswith(HOP)], [], "fields that must not be there")
        return seen


def echoed(r, length=0):
    """A client printed the system's JSON."""
    o = json.loads(r.stdout)
    equal(o["length"], length, "what the system counted")
    return o


def curl(house, *args, ok=(0,), input=None):
    return run(["curl", "-sS", "--noproxy", "", "--max-time", str(int(HANG_S)), "-x", house.url, *args], ok=ok, input=input)


# ---- curl, wget -----------------------------------------------------------------------------

@test("curl: GET, POST, HEAD, DELETE on one connection")
def _(t):
    house = House(t)
    equal(len(curl(house, "http://sys.virtual/a?b=c", "http://sys.virtual/d").stdout.splitlines()[0]) > 0, True, "output")
    house.judge("GET", "/d", count=2)
    echoed(curl(house, "-d", "x=y", "http://sys.virtual/form"), 3)
    equal(house.judge("POST", "/form", b"x=y", 3).get("content-type"), "application/x-www-form-urlencoded", "type")
    check(b"200 OK" in curl(house, "-I", "http://sys.virtual/h").stdout, "HEAD")
    house.judge("HEAD", "/h", count=4)
    curl(house, "-X", "DELETE", "http://sys.virtual/x")
    house.judge("DELETE", "/x", count=5)


@test("curl: uploads from standard input (chunked), and of a megabyte (Expect: 100-continue)")
def _(t):
    house = House(t)
    body = os.urandom(300000)
    o = echoed(curl(house, "-T", "-", "http://sys.virtual/up", input=body), len(body))
    equal(o["digest"], hashlib.sha256(body).hexdigest(), "digest")
    check(house.judge("PUT", "/up", body).get("transfer-encoding") == "chunked", "its framing")
    big = os.urandom(1500000)
    f = os.path.join(t.dir, "big")
    with open(f, "wb") as out:
        out.write(big)
    echoed(curl(house, "-H", "Expect: 100-continue", "--data-binary", "@" + f, "http://sys.virtual/big"), len(big))
    house.judge("POST", "/big", big, 2)


@test("curl: HTTP/1.0, CONNECT to the same name, SAP's headers for location and user")
def _(t):
    house = House(t)
    echoed(curl(house, "-0", "http://sys.virtual/old"))
    house.judge("GET", "/old")
    echoed(curl(house, "--proxytunnel", "http://tcp.virtual/tunnel"))
    house.judge("GET", "/tunnel", count=2, host="tcp.virtual")
    echoed(curl(house, "-H", "SAP-Connectivity-SCC-Location_ID;", "-H", "SAP-Connectivity-Authentication: Bearer user",
                "-H", "Proxy-Authorization: Bearer x", "http://sys.virtual/sap"))
    house.judge("GET", "/sap", count=3)


@test("wget")
def _(t):
    house = House(t)
    need_program("wget")
    echoed(run(["wget", "-q", "-O", "-", "http://sys.virtual/w"], env={**os.environ, "http_proxy": house.url, "no_proxy": ""}))
    house.judge("GET", "/w")


# ---- Python -----------------------------------------------------------------------------------

PYTHON = {
    "urllib": """
import urllib.request, sys
o = urllib.request.build_opener(urllib.request.ProxyHandler({"http": sys.argv[1]}))
o.open("http://sys.virtual/1").read()
print(o.open("http://sys.virtual/2", data=b"hello").read().decode())
""",
    "requests": """
import requests, sys
s = requests.Session()
s.trust_env, s.proxies = False, {"http": sys.argv[1]}
assert s.get("http://sys.virtual/1").ok
print(s.post("http://sys.virtual/2", data=iter([b"hel", b"lo"])).text)
""",
    "httpx": """
import httpx, sys
with httpx.Client(proxies={"http://": sys.argv[1]}, trust_env=False) as c:
    assert c.get("http://sys.virtual/1").status_code == 200
    print(c.post("http://sys.virtual/2", content=b"hello").text)
""",
}


def python_client(name):
    @test(f"Python: {name}")
    def _(t):
        if name != "urllib" and not importlib.util.find_spec(name):
            raise Skip(f"no Python module \"{name}\" here")
        house = House(t)
        echoed(run(["/usr/bin/python3", "-c", PYTHON[name], house.url]), 5)
        house.judge("POST", "/2", b"hello", 2)


for each in PYTHON:
    python_client(each)


# ---- Java -------------------------------------------------------------------------------------

URL_CONNECTION = """
import java.io.*; import java.net.*;
public class Main { public static void main(String[] a) throws Exception {
  Proxy p = new Proxy(Proxy.Type.HTTP, new InetSocketAddress(a[0], Integer.parseInt(a[1])));
  HttpURLConnection c = (HttpURLConnection) new URL("http://sys.virtual/1").openConnection(p);
  c.getInputStream().readAllBytes();
  c = (HttpURLConnection) new URL("http://sys.virtual/2").openConnection(p);
  c.setDoOutput(true); c.setChunkedStreamingMode(0);
  c.getOutputStream().write("hello".getBytes()); c.getOutputStream().close();
  System.out.write(c.getInputStream().readAllBytes()); System.out.flush(); } }
"""
HTTP_CLIENT5 = """
import org.apache.hc.client5.http.classic.methods.*; import org.apache.hc.client5.http.impl.classic.*; import org.apache.hc.core5.http.*;
import org.apache.hc.core5.http.io.entity.*;
public class Main { public static void main(String[] a) throws Exception {
  try (CloseableHttpClient c = HttpClients.custom().setProxy(new HttpHost("http", a[0], Integer.parseInt(a[1]))).build()) {
    c.execute(new HttpGet("http://sys.virtual/1"), r -> EntityUtils.toString(r.getEntity()));
    HttpPost p = new HttpPost("http://sys.virtual/2"); p.setEntity(new StringEntity("hello"));
    String s = c.execute(p, r -> EntityUtils.toString(r.getEntity())); System.out.print(s); } } }
"""
JARS = [f"/usr/share/java/{j}.jar" for j in ("httpclient5", "httpcore5", "httpcore5-h2", "slf4j-api")]


def java_client(name, source, jars=()):
    @test(f"Java: {name}")
    def _(t):
        need_program("java")
        need_program("javac")
        for jar in jars:
            if not os.path.exists(jar):
                raise Skip(f"no {jar} here")
        house = House(t)
        f = t.write("Main.java", source)
        echoed(run(["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", ":".join(jars) or ".", f, *house.addr.split(":")]), 5)
        house.judge("POST", "/2", b"hello", 2)


java_client("HttpURLConnection", URL_CONNECTION)
java_client("Apache HttpClient 5", HTTP_CLIENT5, JARS)


# ---- Node -------------------------------------------------------------------------------------

NODE = {
    "http-proxy-agent": """
const { HttpProxyAgent } = await import("http-proxy-agent"); const http = (await import("http")).default;
const agent = new HttpProxyAgent(P, { keepAlive: true });
const ask = (path, body) => new Promise((ok, no) => { const r = http.request("http://sys.virtual" + path, { agent, method: body ? "POST" : "GET" },
  m => { let d = ""; m.on("data", c => d += c).on("end", () => ok(d)); }); r.on("error", no); r.end(body); });
await ask("/1"); console.log(await ask("/2", "hello")); agent.destroy();""",
    "axios": """
const axios = (await import("axios")).default; const u = new URL(P); const proxy = { protocol: "http", host: u.hostname, port: +u.port };
await axios.get("http://sys.virtual/1", { proxy });
const r = await axios.post("http://sys.virtual/2", "hello", { proxy, headers: { "content-type": "text/plain" } }); console.log(JSON.stringify(r.data));""",
    "undici": """
const { ProxyAgent, request } = await import("undici"); const dispatcher = new ProxyAgent(P);
await (await request("http://tcp.virtual/1", { dispatcher })).body.text();
console.log(await (await request("http://tcp.virtual/2", { dispatcher, method: "POST", body: "hello" })).body.text()); await dispatcher.close();""",
    "got": """
const got = (await import("got")).default; const { HttpProxyAgent } = await import("http-proxy-agent"); const agent = { http: new HttpProxyAgent(P) };
await got("http://sys.virtual/1", { agent }); console.log(await got.post("http://sys.virtual/2", { agent, body: "hello" }).text());""",
}


def node(t, package, code, *args):
    need_program("node")
    if not os.path.isdir(os.path.join(NODE_MODULES, package)):
        raise Skip(f"no npm package \"{package}\" in {NODE_MODULES}")
    f = t.write("main.mjs", "const P = process.argv[2];\n" + code + "\n")
    link = os.path.join(t.dir, "node_modules")
    if not os.path.exists(link):
        os.symlink(NODE_MODULES, link)
    return run(["node", f, *args])


def node_client(name):
    @test(f"Node: {name}")
    def _(t):
        house = House(t)
        echoed(node(t, name, NODE[name], house.url), 5)
        house.judge("POST", "/2", b"hello", 2, host="tcp.virtual" if name == "undici" else "sys.virtual")


for each in NODE:
    node_client(each)


# ---- WebSocket ----------------------------------------------------------------------------------

async def websocket(reader, writer):
    """Echoes text messages; the first is "hello from" with the fields that came."""
    head = Seen("ws", (await reader.readuntil(b"\r\n\r\n"))[:-4])
    key = head.get("sec-websocket-key")
    if (head.get("upgrade") or "").lower() != "websocket":
        writer.write(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 9\r\n\r\nwebsocket")
        await writer.drain()
        return
    accept = base64.b64encode(hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()
    writer.write(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode())
    while True:
        first, second = await reader.readexactly(2)
        n = second & 127
        if n == 126:
            n, = struct.unpack(">H", await reader.readexactly(2))
        elif n == 127:
            n, = struct.unpack(">Q", await reader.readexactly(8))
        mask = await reader.readexactly(4)
        data = bytes(b ^ mask[i % 4] for i, b in enumerate(await reader.readexactly(n)))
        size = bytes([n]) if n < 126 else b"\x7e" + struct.pack(">H", n) if n < 65536 else b"\x7f" + struct.pack(">Q", n)
        writer.write(bytes([first]) + size + data)
        await writer.drain()
        if first & 15 == 8:
            return


WS = """
const WebSocket = (await import("ws")).default; const { HttpProxyAgent } = await import("http-proxy-agent");
const ws = new WebSocket("ws://HOST/chat?x=y", { agent: new HttpProxyAgent(P) });
const big = "x".repeat(70000); const got = [];
ws.on("unexpected-response", (q, r) => { console.log("status " + r.statusCode); process.exit(0); });
ws.on("error", e => { console.log("error " + e.message); process.exit(0); });
ws.on("open", () => { ws.send("one"); ws.send(big); });
ws.on("message", m => { got.push(String(m).length); if (got.length == 2) ws.close(1000); });
ws.on("close", c => { console.log(got.join() + " " + c); });"""


@test("Node: ws, through the tunnel, where the system may be upgraded")
def _(t):
    house = House(t)
    equal(node(t, "ws", WS.replace("HOST", "ws.virtual"), house.url).stdout, b"3,70000 1000\n", "messages and the close code")
    line = house.proxy.outcome("ok")
    check(line["up"] > 70000 and line["down"] > 70000, "bytes both ways")


@test("Node: ws, where the system may not be upgraded")
def _(t):
    house = House(t)
    equal(node(t, "ws", WS.replace("HOST", "plain.virtual"), house.url).stdout, b"status 426\n", "the system's answer")


@test("WebSocket by hand: GET ws://, GET http:// with Upgrade, a wrong key, the close of either side")
def _(t):
    house = House(t)
    key = base64.b64encode(b"0123456789abcdef").decode()
    want = base64.b64encode(hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()
    for scheme in ("ws", "http"):
        with Client(house.proxy.address("http")) as c:
            r = c.ask("GET", f"{scheme}://ws.virtual/", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                      f"Sec-WebSocket-Key: {key}")
            equal((r.status, r.get("sec-websocket-accept"), r.get("upgrade")), (101, want, "websocket"), scheme)
            frame = b"\x81\x85" + b"\0\0\0\0" + b"hello"
            c.send(frame[:3])
            c.send(frame[3:] + b"\x88\x80\0\0\0\0")
            equal(c.rest(), b"\x81\x05hello\x88\x00", "echo and the end")
    with Client(house.proxy.address("http")) as c:
        r = c.ask("GET", "http://ws.virtual/", "Connection: Upgrade", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA")
        equal(r.status, 426, "h2c is not offered on: the request is an ordinary one")
        equal(c.ask("GET", "http://sys.virtual/").status, 200, "the connection goes on")


# ---- programs ------------------------------------------------------------------------------------

class Cgi(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def serve(self):
        path, _, query = self.path.partition("?")
        if self.headers.get("Transfer-Encoding"):
            body = b""
            while n := int(self.rfile.readline(), 16):
                body += self.rfile.read(n)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        env = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": self.server.root, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
               "QUERY_STRING": query, "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type") or "",
               "CONTENT_LENGTH": str(len(body)), "REMOTE_USER": "someone", "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding") or "",
               "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
        out = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=True).stdout
        head, _, content = out.partition(b"\r\n\r\n")
        fields = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        status = next((v for n, v in fields if n == "Status"), "200 OK")
        self.send_response(int(status.split()[0]))
        for n, v in fields:
            if n != "Status":
                self.send_header(n, v)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = serve


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


def serve(t, handler, **attributes):
    s = Server(("127.0.0.1", 0), handler)
    for name, value in attributes.items():
        setattr(s, name, value)
    threading.Thread(target=s.serve_forever, daemon=True).start()
    t.defer(s.shutdown)
    return f"127.0.0.1:{s.server_port}"


@test("git over http: clone, commit, push, fetch")
def _(t):
    need_program("git")
    root = os.path.join(t.dir, "repos")
    env = {**os.environ, "HOME": t.dir, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example", "GIT_COMMITTER_NAME": "a",
           "GIT_COMMITTER_EMAIL": "a@example", "GIT_TERMINAL_PROMPT": "0"}

    def git(*args, cwd=t.dir):
        return run(["git", "-c", f"http.proxy={house.url}", *args], env=env, cwd=cwd)
    house = House(t, {"git.virtual:80": web(serve(t, Cgi, root=root), paths=["/one.git"])})
    git("init", "-q", "--bare", root + "/one.git")
    run(["git", "-C", root + "/one.git", "config", "http.receivepack", "true"], env=env)
    git("clone", "-q", "http://git.virtual/one.git", "work")
    work = os.path.join(t.dir, "work")
    data = os.urandom(2000000)
    with open(os.path.join(work, "file"), "wb") as f:
        f.write(data)
    git("add", "file", cwd=work)
    git("commit", "-q", "-m", "one", cwd=work)
    git("push", "-q", "origin", "HEAD:main", cwd=work)
    git("clone", "-q", "-b", "main", "http://git.virtual/one.git", "again")
    with open(os.path.join(t.dir, "again", "file"), "rb") as f:
        equal(f.read() == data, True, "the file after the way there and back")
    r = run(["git", "-c", f"http.proxy={house.url}", "clone", "-q", "http://git.virtual/two.git", "two"], env=env, cwd=t.dir, ok=(128,))
    check(b"403" in r.stderr, r.stderr)


class Files(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *a):
        super().__init__(*a, directory=a[2].root)

    def log_message(self, *_):
        pass


@test("apt: a repository behind the proxy")
def _(t):
    need_program("apt-get")
    root, state = os.path.join(t.dir, "repo"), os.path.join(t.dir, "apt")
    os.mkdir(root)
    content = os.path.join(t.dir, "deb")
    os.makedirs(content + "/DEBIAN")
    with open(content + "/DEBIAN/control", "w", encoding="ascii") as f:
        f.write("Package: sample-thing\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example>\nDescription: a thing\n")
    need_program("dpkg-deb")
    run(["dpkg-deb", "-b", content, root + "/sample-thing_1_all.deb"])
    with open(root + "/sample-thing_1_all.deb", "rb") as f:
        deb = f.read()
    packages = ("Package: sample-thing\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example>\nFilename: ./sample-thing_1_all.deb\n"
                f"Size: {len(deb)}\nSHA256: {hashlib.sha256(deb).hexdigest()}\nDescription: a thing\n\n").encode()
    with open(root + "/Packages", "wb") as f:
        f.write(packages)
    with open(root + "/Release", "w", encoding="ascii") as f:
        f.write(f"Suite: test\nSHA256:\n {hashlib.sha256(packages).hexdigest()} {len(packages)} Packages\n")
    house = House(t, {"repo.virtual:80": web(serve(t, Files, root=root))})
    for d in ("lists/partial", "cache/archives/partial", "etc/apt.conf.d", "etc/preferences.d", "etc/sources.list.d", "etc/trusted.gpg.d"):
        os.makedirs(os.path.join(state, d))
    with open(state + "/etc/sources.list", "w", encoding="ascii") as f:
        f.write("deb [trusted=yes] http://repo.virtual/ ./\n")
    shutil.copyfile("/dev/null", state + "/status")
    os.chmod(t.dir, 0o755)
    options = [x for o in (f"Dir::State={state}", f"Dir::State::lists={state}/lists", f"Dir::State::status={state}/status", f"Dir::Cache={state}/cache",
                           f"Dir::Etc={state}/etc", f"Acquire::http::Proxy={house.url}", "APT::Sandbox::User=root", "Debug::NoLocking=true")
               for x in ("-o", o)]
    env = {**os.environ, "APT_CONFIG": "/dev/null"}
    out = run(["apt-get", *options, "update"], env=env)
    check(b"Err" not in out.stdout, out.stdout)
    run(["apt-get", *options, "download", "sample-thing"], env=env, cwd=t.dir)
    with open(os.path.join(t.dir, "sample-thing_1_all.deb"), "rb") as f:
        equal(f.read() == deb, True, "the package")


@test("Chromium, headless: a page, its script, its fetch and its WebSocket")
def _(t):
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not program:
        raise Skip("no Chromium here")
    page = b"""<html><body><p id=a>loading</p><img src="/wait"><script>
      Promise.all([fetch("/data", { method: "POST", body: "hello" }).then(r => r.text()),
        new Promise(ok => { const w = new WebSocket("ws://bytes.virtual/"); w.onopen = () => w.send("hey"); w.onmessage = m => ok(m.data); w.onerror = () => ok("error"); })])
      .then(x => { document.getElementById("a").textContent = "got " + x.join(" and "); fetch("/done"); });
      </script></body></html>"""
    done = asyncio.Event()

    async def answer(seen, writer):
        if seen.path == "/wait":
            await done.wait()  # the page is loaded when its script is through
        elif seen.path == "/done":
            done.set()
        body = page if seen.path == "/" else b"posted " + seen.body
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        return True
    w = Web(t)
    house = House(t, {"page.virtual:80": web(w.add("page", answer))})
    r = run([program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", f"--user-data-dir={t.dir}/profile",
             f"--proxy-server={house.addr}", "--disable-background-networking", "--disable-component-update",
             "--dump-dom", "http://page.virtual/"])
    check(b"got posted hello and hey" in r.stdout, r.stdout[-600:])


main()
