"""Sockets for tests: no sleeps, deadlines against hangs only."""
import fcntl
import os
import socket
import struct
import termios

from .env import HANG_S
from .tap import Failure

__all__ = ["dial", "read_exact", "read_all", "read_end", "send_parts", "abort", "unused_address", "text_of",
           "wait_until_read", "Ended"]


class Ended(Failure):
    """The peer closed in an orderly way where more was expected."""


def dial(addr):
    s = socket.create_connection(addr, HANG_S)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def text_of(addr):
    return f"[{addr[0]}]:{addr[1]}" if ":" in addr[0] else f"{addr[0]}:{addr[1]}"


def read_exact(s, n):
    out = bytearray()
    while len(out) < n:
        part = s.recv(min(n - len(out), 1 << 20))
        if not part:
            raise Ended(f"the peer closed after {bytes(out)!r:.200}, {n} bytes were wanted")
        out += part
    return bytes(out)


def read_all(s):
    """To the end of the stream; an abort (RST) is a ConnectionError."""
    out = bytearray()
    while True:
        part = s.recv(1 << 20)
        if not part:
            return bytes(out)
        out += part


def read_end(s):
    """How the stream ends: ("eof" or "reset", bytes before that)."""
    out = bytearray()
    try:
        while True:
            part = s.recv(1 << 20)
            if not part:
                return "eof", bytes(out)
            out += part
    except (ConnectionError, BrokenPipeError):
        return "reset", bytes(out)


def abort(s):
    """Closes with RST."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def unused_address():
    """An address that refuses connections as long as the returned socket lives: bound, not listening."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    return s.getsockname(), s


# ---- delivering bytes in chosen pieces ----------------------------------------------------
#
# Two sends may arrive in one read of the peer. To be sure that they do not, the second one waits until the kernel says that
# the peer's receive queue is empty (sock_diag(7), the peer being a socket of this machine too).

_SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, _NLMSG_ERROR = 20, 1, 2


def _receive_queue(local, remote):
    """Bytes that the socket with this local and remote address (IPv4) has not read yet; None: there is no such socket."""
    def sockaddr(a):
        return socket.inet_aton(a[0]) + bytes(12)
    ident = struct.pack("!HH", local[1], remote[1]) + sockaddr(local) + sockaddr(remote) + struct.pack("=III", 0, 0xffffffff, 0xffffffff)
    body = struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, 0xffffffff) + ident
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as nl:
        nl.send(struct.pack("=IHHII", 16 + len(body), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0) + body)
        answer = nl.recv(65536)
    if struct.unpack_from("=H", answer, 4)[0] == _NLMSG_ERROR:
        return None
    # struct inet_diag_msg: 4 bytes, sockid of 48, expires 4, rqueue 4
    return struct.unpack_from("=I", answer, 16 + 4 + 48 + 4)[0]


def _unacknowledged(s):
    return struct.unpack("i", fcntl.ioctl(s.fileno(), termios.TIOCOUTQ, bytes(4)))[0]


def wait_until_read(s):
    """Returns when the peer has read everything that was sent on s, or is gone."""
    local, remote = s.getsockname(), s.getpeername()
    try:
        while _unacknowledged(s) > 0 or (_receive_queue(remote, local) or 0) > 0:
            os.sched_yield()
    except OSError:
        pass  # the peer is gone, or this kernel has no sock_diag: the pieces may then arrive together, which is no failure


def send_parts(s, parts):
    """Each part is read by the peer before the next one is sent."""
    for i, part in enumerate(parts):
        if i:
            wait_until_read(s)
        s.sendall(part)
