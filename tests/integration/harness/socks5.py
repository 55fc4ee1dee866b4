"""SOCKS5 by hand (RFC 1928, RFC 1929, method 0x80)."""
import base64
import ipaddress
import struct

from .net import dial, read_exact
from .tap import Failure, check, equal

__all__ = ["greeting", "userpass", "token80", "request", "Socks5", "SocksRefused"]

NONE, GSSAPI, USERPASS, TOKEN, NO_METHOD = 0x00, 0x01, 0x02, 0x80, 0xff


class SocksRefused(Failure):
    def __init__(self, step, code):
        super().__init__(f"{step}: 0x{code:02x}")
        self.step, self.code = step, code


def greeting(*methods):
    return bytes([5, len(methods), *methods])


def userpass(user, password):
    u, p = user.encode(), password.encode()
    return bytes([1, len(u)]) + u + bytes([len(p)]) + p


def token80(token, location=""):
    """01 | token length, 4 bytes | token | location length, 1 byte | location in base64"""
    loc = base64.b64encode(location.encode())
    return b"\x01" + struct.pack("!I", len(token)) + token.encode() + bytes([len(loc)]) + loc


def request(host, port, command=1, atyp=None):
    if atyp is None:
        try:
            atyp = 1 if ipaddress.ip_address(host).version == 4 else 4
        except ValueError:
            atyp = 3
    if atyp in (1, 4):
        where = ipaddress.ip_address(host).packed
    else:
        where = bytes([len(host)]) + host.encode()
    return bytes([5, command, 0, atyp]) + where + struct.pack("!H", port)


class Socks5:
    """One connection to a SOCKS5 listener, step by step. After open(), .s is the stream to the target."""

    def __init__(self, addr):
        self.s = dial(addr)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()

    def select(self, *methods):
        self.s.sendall(greeting(*methods))
        return self.read_method()

    def read_method(self):
        version, method = read_exact(self.s, 2)
        equal(version, 5, "version of the method selection")
        return method

    def give_token(self, token, location=""):
        self.s.sendall(token80(token, location))
        return self.read_status()

    def give_password(self, user, password):
        self.s.sendall(userpass(user, password))
        return self.read_status()

    def read_status(self):
        version, status = read_exact(self.s, 2)
        equal(version, 1, "version of the sub-negotiation's answer")
        return status

    def ask(self, host, port, command=1, atyp=None):
        self.s.sendall(request(host, port, command, atyp))
        return self.read_reply()

    def read_reply(self):
        """The reply code; everything else about the 10 bytes is checked."""
        reply = read_exact(self.s, 10)
        check(reply[0] == 5 and reply[2] == 0 and reply[3] == 1, f"reply of 10 bytes with ATYP 01, not {reply.hex()}")
        return reply[1]

    def open(self, host, port, token=None, location="", password=None):
        """The whole way with method 0x80 (token), 0x02 (password = (user, password)) or 0x00; SocksRefused where it ends."""
        want = TOKEN if token is not None else USERPASS if password else NONE
        method = self.select(want)
        if method != want:
            raise SocksRefused("method", method)
        if token is not None or password:
            status = self.give_token(token, location) if token is not None else self.give_password(*password)
            if status:
                raise SocksRefused("sub-negotiation", status)
        code = self.ask(host, port)
        if code:
            raise SocksRefused("reply", code)
        return self.s
