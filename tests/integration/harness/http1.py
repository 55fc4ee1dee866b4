"""HTTP/1.1 towards a proxy, by hand: CONNECT and the answer's head."""
import re

from .net import dial, text_of
from .tap import Failure, check

__all__ = ["connect_head", "read_head", "HttpAnswer", "http_connect", "http_raw"]


class HttpAnswer:
    """status, reason, headers (list of name, value), rest: bytes after the head that came with it."""

    def __init__(self, head, rest):
        lines = head.decode("latin-1").split("\r\n")
        m = re.fullmatch(r"HTTP/1\.1 (\d{3}) ?(.*)", lines[0])
        if not m:
            raise Failure(f"not a status line: {lines[0]!r}")
        self.status, self.reason, self.rest, self.text = int(m.group(1)), m.group(2), rest, head.decode("latin-1")
        self.headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            check(colon and re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name), f"not a header field: {line!r}")
            self.headers.append((name.lower(), value.strip(" \t")))

    def get(self, name):
        """All fields of that name, joined as RFC 9110 5.3 allows; None if there is none."""
        values = [v for n, v in self.headers if n == name.lower()]
        return ", ".join(values) if values else None


def connect_head(target, *headers):
    return "".join(line + "\r\n" for line in (f"CONNECT {target} HTTP/1.1", f"Host: {target}", *headers, "")).encode("latin-1")


def read_head(s):
    data = bytearray()
    while b"\r\n\r\n" not in data:
        part = s.recv(65536)
        if not part:
            raise Failure(f"the peer closed inside a head: {bytes(data)!r:.300}")
        data += part
    head, _, rest = bytes(data).partition(b"\r\n\r\n")
    return HttpAnswer(head, rest)


def http_raw(addr, data):
    """Sends data; (answer, socket)."""
    s = dial(addr)
    s.sendall(data)
    return read_head(s), s


def http_connect(addr, target, *headers):
    """CONNECT: (answer, socket). target: "host:port" or (host, port)."""
    return http_raw(addr, connect_head(target if isinstance(target, str) else text_of(target), *headers))
