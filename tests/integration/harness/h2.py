"""A connector by hand: the upgrade request over TLS, then HTTP/2 frames, one by one (RFC 9113 section 4.1)."""
import ssl
import struct

from .http1 import read_head
from .net import dial, read_exact

__all__ = ["upgrade", "HandMadeConnector"]

DATA, HEADERS, RST_STREAM, SETTINGS = 0, 1, 3, 4
END_HEADERS = 4
REFUSED_STREAM = 7


def upgrade(gw, *fields, cert=None, id="by-hand"):
    """(answer to the upgrade request with these fields, connection). gw: a Gateway."""
    ctx = ssl.create_default_context(cafile=gw.ca.file)
    ctx.set_alpn_protocols(["http/1.1"])
    if cert:
        ctx.load_cert_chain(*cert)
    s = ctx.wrap_socket(dial(gw.addr), server_hostname="localhost")
    lines = ["GET /.well-known/sallyport/tunnel HTTP/1.1", "Host: localhost", "Connection: upgrade", "Upgrade: ptth", "ALPN: h2",
             f"Sallyport-Connector-Id: {id}", "Sallyport-Instance: 0123456789abcdef;index=0", *fields, "", ""]
    s.sendall("\r\n".join(lines).encode())
    return read_head(s), s


class HandMadeConnector:
    """Turned and with its SETTINGS sent: a tunnel of the tenant, ready for streams. gw: a Gateway by="jwt"."""

    def __init__(self, gw, tenant="acme", id="by-hand"):
        answer, self.s = upgrade(gw, "Authorization: Bearer " + gw.idp.token(tenant, aud="connector"), id=id)
        gw.t.defer(self.s.close)
        assert answer.status == 101, answer.text
        self.rest = answer.rest
        self.read(24)  # the client's preface
        self.send(SETTINGS, 0)

    def read(self, n):
        out, self.rest = self.rest[:n], self.rest[n:]
        return out + read_exact(self.s, n - len(out))

    def send(self, kind, stream, payload=b"", flags=0):
        self.s.sendall(struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + payload)

    def wait_request(self):
        """Reads until a HEADERS frame; the stream's number."""
        while True:
            head = self.read(9)
            self.read(int.from_bytes(head[:3], "big"))
            if head[3] == HEADERS:
                return struct.unpack("!I", head[5:])[0]

    def answer(self, stream, block, end=False):
        """block: an HPACK field block; the static table has 88 = 200, 8d = 404, 8e = 500."""
        self.send(HEADERS, stream, block, END_HEADERS | (1 if end else 0))

    def refuse(self, stream):
        self.send(RST_STREAM, stream, struct.pack("!I", REFUSED_STREAM))
