"""Systems that applications want to reach. Each listens on a port of 127.0.0.1 that the kernel picks, for one test."""
import contextlib
import hashlib
import http.server
import json
import random
import socket
import struct
import threading

from .env import HANG_S
from .net import Ended, abort, read_exact, text_of
from .tap import Failure, check, equal

__all__ = ["Origin", "Manual", "HttpOrigin", "echo", "digest", "tagged", "transfer", "serve_transfer", "deaf_address",
           "unroutable_address"]


class Origin:
    """Calls serve(socket) for each connection, in a thread of its own. `accepted` counts connections."""

    def __init__(self, t, serve):
        self.serve = serve
        self.accepted = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.addr = self.listener.getsockname()
        self.text = text_of(self.addr)
        self.port = self.addr[1]
        t.defer(self.close)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            s.settimeout(HANG_S)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._one, args=(s,), daemon=True).start()

    def _one(self, s):
        with s, contextlib.suppress(OSError, Ended):
            self.serve(s)

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Manual:
    """The test itself holds the origin's end: accept() returns it."""

    def __init__(self, t):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.listener.settimeout(HANG_S)
        self.addr = self.listener.getsockname()
        self.text = text_of(self.addr)
        self.port = self.addr[1]
        t.defer(self.listener.close)
        self.t = t

    def accept(self):
        s, _ = self.listener.accept()
        s.settimeout(HANG_S)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.t.defer(s.close)
        return s


class HttpOrigin:
    """Answers every request with JSON: its tag, and the request as it arrived. Remembers requests in `heads`."""

    def __init__(self, t, tag="origin"):
        outer = self
        self.tag, self.heads = tag, []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.heads.append((self.requestline, self.headers.items()))
                text = json.dumps({"tag": outer.tag, "line": self.requestline, "headers": self.headers.items(),
                                   "body": body.decode("latin-1")}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = answer

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 1024

            def handle_error(self, request, client_address):
                pass  # clients that leave are part of tests

        self.server = Server(("127.0.0.1", 0), Handler)
        self.addr = self.server.server_address[:2]
        self.text = text_of(self.addr)
        self.port = self.addr[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        t.defer(self.close)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


# ---- what an Origin may serve -------------------------------------------------------------

def echo(s):
    """Everything back; its own end only after the client's."""
    while True:
        part = s.recv(1 << 18)
        if not part:
            s.shutdown(socket.SHUT_WR)
            return
        s.sendall(part)


def digest(s):
    """Reads to the client's end (half-close), then answers with the SHA-256 and the count."""
    h, n = hashlib.sha256(), 0
    while True:
        part = s.recv(1 << 18)
        if not part:
            break
        h.update(part)
        n += len(part)
    s.sendall(f"{h.hexdigest()} {n}\n".encode())


def tagged(tag):
    """Says who it is as soon as it is connected, then echoes."""
    def serve(s):
        s.sendall(tag.encode() + b"\n")
        echo(s)
    return serve


# ---- many bytes both ways at once, checked ------------------------------------------------

_CHUNK = 1 << 16


def _pattern(n, seed):
    """n bytes in chunks, each with its number, so that no two places look alike."""
    block = random.Random(seed).randbytes(_CHUNK)
    i = 0
    while n > 0:
        size = min(n, _CHUNK)
        yield (struct.pack("!Q", i) + block[8:])[:size]
        n -= size
        i += 1


def _send_pattern(s, n, seed):
    h = hashlib.sha256()
    for part in _pattern(n, seed):
        s.sendall(part)
        h.update(part)
    return h.digest()


def _receive(s, n):
    h = hashlib.sha256()
    while n > 0:
        part = s.recv(min(n, 1 << 18))
        if not part:
            raise Ended(f"the peer closed, {n} bytes are missing")
        h.update(part)
        n -= len(part)
    return h.digest()


def _both(s, send_n, receive_n, seed):
    """Sends and receives at the same time; the digests of both."""
    result = {}

    def send():
        try:
            result["sent"] = _send_pattern(s, send_n, seed)
        except OSError as e:
            result["error"] = e
    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    received = _receive(s, receive_n)
    sender.join(HANG_S)
    if "error" in result:
        raise Failure(f"sending failed: {result['error']}")
    check("sent" in result, "sending hangs")
    return result["sent"], received


def serve_transfer(s):
    up, down, seed = struct.unpack("!QQQ", read_exact(s, 24))
    sent, received = _both(s, down, up, seed + 1)
    s.sendall(sent + received)
    echo(s)


def transfer(s, up, down, seed=1):
    """The client's side of serve_transfer: `up` bytes to the origin and `down` bytes from it at the same time."""
    s.sendall(struct.pack("!QQQ", up, down, seed))
    sent, received = _both(s, up, down, seed)
    theirs = read_exact(s, 64)
    equal(theirs[:32].hex(), received.hex(), f"SHA-256 of {down} bytes from the origin")
    equal(theirs[32:].hex(), sent.hex(), f"SHA-256 of {up} bytes to the origin")


# ---- addresses that fail ------------------------------------------------------------------

def deaf_address(t):
    """Connecting to it neither succeeds nor fails: a listener that accepts nobody and whose queue is full."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    t.defer(listener.close)
    addr = listener.getsockname()
    waiting = []
    while True:
        s = socket.socket()
        t.defer(s.close)
        s.setblocking(False)
        if s.connect_ex(addr) not in (0, 115):
            raise Failure("cannot fill a listen queue")
        waiting.append(s)
        with open("/proc/net/tcp", encoding="ascii") as f:
            rows = [line.split() for line in f]
        # the state of the newest socket: still SYN_SENT (02) means that the queue is full
        mine = f"0100007F:{s.getsockname()[1]:04X}"
        if any(r[1] == mine and r[3] == "02" for r in rows[1:]):
            return addr
        check(len(waiting) < 64, "a listen queue that does not get full")


def unroutable_address():
    """(host, port) of an address family and kind to which this machine's kernel knows no route at all, or None."""
    for host in ("255.255.255.255", "240.0.0.1"):
        s = socket.socket()
        s.setblocking(False)
        with s:
            if s.connect_ex((host, 9)) in (101, 113):  # ENETUNREACH, EHOSTUNREACH
                return host, 9
    return None
