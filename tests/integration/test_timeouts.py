"""What the short ones of the time-outs end, and how both ends and the log see it. Waited for are the ends, never a time."""
import socket

from harness import *
from harness.socks5 import greeting, request, token80, userpass


def timeouts(**settings):
    return "timeouts = { " + " ".join(f'{k} = "{v}";' for k, v in settings.items()) + " };\n"


def by_socks5(sp, origin):
    return Socks5(sp.address("socks5")).open(*origin.addr)


def by_http(sp, origin):
    a, s = http_connect(sp.address("http"), origin.addr)
    equal(a.status, 200, "status")
    return s


def ping(s, far):
    for a, b in ((s, far), (far, s)):
        a.sendall(b"ping")
        equal(read_exact(b, 4), b"ping", "what came")


@test("idle: a stream that is silent in both directions is reset at both ends")
def _(t):
    origin = Manual(t)
    sp = all_in_one(t, extra=timeouts(idle="400ms"))
    for way in (by_socks5, by_http):
        mark = sp.mark()
        s = way(sp, origin)
        far = origin.accept()
        equal((read_end(s), read_end(far)), (("reset", b""), ("reset", b"")), "the ends")
        equal(sp.outcome("timeout", after=mark)["detail"], "silent in both directions", "why")


@test("idle, through gateway and connector: the hop that is set so ends it for all")
def _(t):
    gw, origin = Gateway(t, extra=timeouts(idle="400ms")), Manual(t)
    c = gw.connector("c1", {"sys.virtual:1": origin.text})
    sp = gw.proxy()
    s = Socks5(sp.address("socks5")).open("sys.virtual", 1)
    far = origin.accept()
    equal((read_end(s), read_end(far)), (("reset", b""), ("reset", b"")), "the ends")
    x = gw.program.outcome("timeout")
    equal(x["detail"], "silent in both directions", "why")
    sp.outcome("tunnel_lost", exchange=x["exchange"])
    c.outcome("client_gone", exchange=x["exchange"])


@test("half_closed: one direction has ended and the other is silent; whole streams are not concerned")
def _(t):
    origin = Manual(t)
    sp = all_in_one(t, extra=timeouts(half_closed="400ms"))
    whole = by_socks5(sp, origin)
    whole_far = origin.accept()
    for ends_first in ("client", "target"):
        mark = sp.mark()
        s = by_http(sp, origin)
        far = origin.accept()
        ping(s, far)
        one, other = (s, far) if ends_first == "client" else (far, s)
        one.shutdown(socket.SHUT_WR)
        equal(other.recv(1), b"", "the end that is handed over")
        equal(read_end(one)[1], b"", "what comes behind it")
        equal(read_end(other)[0] in ("reset", "eof"), True, "the other end")
        equal(sp.outcome("timeout", after=mark)["detail"], "half closed and silent", "why")
    ping(whole, whole_far)


@test("handshake: SOCKS5 and HTTP clients that stop in the middle are sent away, at every step")
def _(t):
    idp, origin = Issuer(t.dir), Origin(t, echo)
    token = idp.token("acme")
    chains = {"apps": LOCAL, "tokens": [idp.plugin()]}
    sp = sallyport(t, "sallyport", chains, [listener("socks5", "apps"), listener("socks5", "tokens"), listener("http", "apps")], DIRECT,
                   timeouts(handshake="400ms"))
    ask = request("sys.virtual", 1)
    steps = [("socks5", 1, b"", b""), ("socks5", 1, greeting(0)[:1], b""), ("socks5", 1, greeting(0), b"\x05\x00"),
             ("socks5", 1, greeting(0) + ask[:-1], b"\x05\x00"),
             ("socks5", 2, greeting(0x80) + token80(token)[:-1], b"\x05\x80"), ("socks5", 2, greeting(2) + userpass("u", "p")[:-1], b"\x05\x02"),
             ("socks5", 2, greeting(0x80) + token80(token), b"\x05\x80\x01\x00"),
             ("http", 1, b"", b""), ("http", 1, b"CONNECT sys.virtual:1 HTTP/1.1\r\nHost: sys.virtual:1\r\n", b"")]
    for protocol, nth, said, answer in steps:
        mark = sp.mark()
        with dial(sp.address(protocol, nth)) as s:
            s.sendall(said)
            equal(read_end(s), ("eof", answer), f"what {said!r:.40} gets")
        sp.wait(after=mark, level="debug", event="accept", message="the client sent no request in time")
    # The one that was known already had an exchange.
    equal(sp.wait(event="exchange", outcome="client_gone")["tenant"], "acme", "whose exchange it was")
    equal(sp.count(event="exchange"), 1, "exchanges")
    equal(origin.accepted, 0, "connections to the target")


main()
