"""HTTP/1.1 by hand, both sides: systems that say what they saw, and a client that sees what it was told, byte by byte."""
import asyncio
import hashlib
import json
import threading

from .env import HANG_S
from .net import dial
from .tap import Failure, check

__all__ = ["Web", "Seen", "Client", "Response"]


# ---- systems --------------------------------------------------------------------------------

class Seen:
    """A request as it arrived. fields: (name, value) as written; body: its bytes, or their digest above 64 KiB."""

    def __init__(self, system, head):
        lines = head.decode("latin-1").split("\r\n")
        self.system = system
        self.method, self.path, self.version = lines[0].split(" ")
        self.fields = [tuple(p.strip(" \t") for p in line.split(":", 1)) for line in lines[1:]]
        self.body, self.trailers = b"", []

    def get(self, name):
        values = [v for n, v in self.fields if n.lower() == name.lower()]
        return ", ".join(values) if values else None

    def names(self):
        return sorted(n.lower() for n, _ in self.fields)

    def json(self):
        return json.dumps({"system": self.system, "method": self.method, "path": self.path, "fields": self.fields,
                           "length": len(self.body), "digest": hashlib.sha256(self.body).hexdigest(), "trailers": self.trailers}).encode()


class Web:
    """Many systems in one thread. add(name, answer) opens one at a port of its own and gives its "host:port". answer(seen, writer) is a
    coroutine that writes the response and returns whether the connection stays; by default what was seen, as JSON."""

    def __init__(self, t):
        self.loop = asyncio.new_event_loop()
        self.seen, self.connections, self.arrived = [], {}, threading.Condition()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        t.defer(self.close)

    def add(self, name="system", answer=None, raw=None, tls=None):
        """raw(reader, writer): a coroutine for the whole connection, in place of answer. tls: an ssl.SSLContext."""
        async def serve(reader, writer):
            self.connections[name] = self.connections.get(name, 0) + 1
            try:
                if raw:
                    await raw(reader, writer)
                else:
                    while await self._one(name, answer, reader, writer):
                        pass
            except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            finally:
                writer.close()
        future = asyncio.run_coroutine_threadsafe(asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20, ssl=tls), self.loop)
        host, port = future.result(HANG_S).sockets[0].getsockname()
        return f"{host}:{port}"

    def wait(self, name):
        """Blocks until a request has reached the system of this name."""
        with self.arrived:
            check(self.arrived.wait_for(lambda: any(s.system == name for s in self.seen), HANG_S), f"no request reached {name}")

    async def _one(self, name, answer, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        seen = Seen(name, head[:-4])
        if (seen.get("expect") or "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await read_body(seen, reader)
        with self.arrived:
            self.seen.append(seen)
            self.arrived.notify_all()
        if answer:
            return await answer(seen, writer)
        body = seen.json()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
        if seen.method != "HEAD":
            writer.write(body)
        await writer.drain()
        return True

    async def _cancel(self):
        mine = asyncio.current_task()
        for task in asyncio.all_tasks():
            if task is not mine:
                task.cancel()

    def close(self):
        asyncio.run_coroutine_threadsafe(self._cancel(), self.loop).result(HANG_S)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(HANG_S)
        self.loop.close()


async def read_body(seen, reader):
    if (seen.get("transfer-encoding") or "").lower() == "chunked":
        while True:
            n = int(await reader.readuntil(b"\r\n"), 16)
            if n == 0:
                break
            seen.body += await reader.readexactly(n)
            await reader.readexactly(2)
        while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
            seen.trailers.append(tuple(p.strip() for p in line.decode("latin-1").split(":", 1)))
    elif seen.get("content-length"):
        seen.body = await reader.readexactly(int(seen.get("content-length")))


# ---- the client -----------------------------------------------------------------------------

class Response:
    """status, fields ((name, value) as written), body, trailers; interim: the 1xx before it, as Responses."""

    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        check(lines[0].startswith("HTTP/1.1 "), f"not a status line: {lines[0]!r}")
        self.status = int(lines[0].split(" ")[1])
        self.fields = [tuple(p.strip(" \t") for p in line.split(":", 1)) for line in lines[1:]]
        self.body, self.trailers, self.interim = b"", [], []

    def get(self, name):
        values = [v for n, v in self.fields if n.lower() == name.lower()]
        return ", ".join(values) if values else None

    def json(self):
        return json.loads(self.body)


class Client:
    """One connection to a proxy."""

    def __init__(self, addr):
        self.s = dial(addr)
        self.data = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()

    def send(self, data):
        self.s.sendall(data)

    def request(self, method, url, *fields, body=None, version="1.1"):
        """Sends it; fields: "Name: value"; body: bytes with a Content-Length, or a list of chunks."""
        host = url.split("/")[2]
        lines = [f"{method} {url} HTTP/{version}", f"Host: {host}", *fields]
        if isinstance(body, bytes):
            lines.append(f"Content-Length: {len(body)}")
        elif body is not None:
            lines.append("Transfer-Encoding: chunked")
            body = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in body) + b"0\r\n\r\n"
        self.send("".join(line + "\r\n" for line in (*lines, "")).encode("latin-1") + (body or b""))

    def _more(self):
        part = self.s.recv(1 << 18)
        if not part:
            raise EOFError
        self.data += part

    def _take(self, n):
        while len(self.data) < n:
            self._more()
        out = bytes(self.data[:n])
        del self.data[:n]
        return out

    def _until(self, end):
        while (at := self.data.find(end)) < 0:
            self._more()
        return self._take(at + len(end))[:-len(end)]

    def response(self, method="GET"):
        """The next one, whole. Failure when the connection ends inside."""
        interim = []
        try:
            while True:
                r = Response(self._until(b"\r\n\r\n"))
                if r.status >= 200 or r.status == 101:
                    break
                interim.append(r)
            r.interim = interim
            self._body(r, method)
        except EOFError:
            raise Failure(f"the proxy closed inside a response: {bytes(self.data)!r:.300}") from None
        return r

    def _body(self, r, method):
        if method == "HEAD" or r.status in (101, 204, 304):
            return
        if (r.get("transfer-encoding") or "").lower() == "chunked":
            while n := int(self._until(b"\r\n"), 16):
                r.body += self._take(n)
                check(self._take(2) == b"\r\n", "a chunk without its CRLF")
            while line := self._until(b"\r\n"):
                r.trailers.append(tuple(p.strip() for p in line.decode("latin-1").split(":", 1)))
        elif r.get("content-length") is not None:
            r.body = self._take(int(r.get("content-length")))
        else:
            r.body = self.rest()

    def ask(self, method, url, *fields, **more):
        self.request(method, url, *fields, **more)
        return self.response(method)

    def rest(self):
        """All that comes until the end."""
        try:
            while True:
                self._more()
        except EOFError:
            out, self.data = bytes(self.data), bytearray()
            return out

    def ended(self):
        """Nothing comes but the end."""
        rest = self.rest()
        check(rest == b"", f"more came: {rest!r:.300}")
