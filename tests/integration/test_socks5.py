"""SOCKS5 byte by byte, from a client that does exactly what the test says."""
import struct

from harness import *
from harness.socks5 import GSSAPI, NO_METHOD, TOKEN, USERPASS
from harness.socks5 import NONE as METHOD_NONE


def jwt_proxy(t, **more):
    idp = Issuer(t.dir)
    return idp, all_in_one(t, [idp.plugin(tenant_required=True)], **more)


@test("the method is chosen by what the chain needs, never GSSAPI")
def _(t):
    idp, asks = jwt_proxy(t)
    free = all_in_one(t, name="free")
    table = (
        # offered, chosen where a token is needed, chosen where nobody is asked
        ((METHOD_NONE,), NO_METHOD, METHOD_NONE),
        ((METHOD_NONE, GSSAPI), NO_METHOD, METHOD_NONE),
        ((GSSAPI,), NO_METHOD, NO_METHOD),
        ((METHOD_NONE, GSSAPI, USERPASS), USERPASS, METHOD_NONE),
        ((METHOD_NONE, TOKEN), TOKEN, TOKEN),
        ((USERPASS, TOKEN), TOKEN, TOKEN),
        ((TOKEN,), TOKEN, TOKEN),
        ((USERPASS,), USERPASS, USERPASS),
        ((), NO_METHOD, NO_METHOD),
        ((0x03, 0x55, 0xfe), NO_METHOD, NO_METHOD),
        (tuple(range(255)), TOKEN, TOKEN),
    )
    for offered, with_token, without in table:
        for sp, want in ((asks, with_token), (free, without)):
            with Socks5(sp.address("socks5")) as c:
                got = c.select(*offered)
                equal(f"{got:02x}", f"{want:02x}", f"{sp.name}, offered {offered[:6]}")
                if got == NO_METHOD:
                    equal(read_end(c.s), ("eof", b""), "after FF")


@test("where nobody is asked, a client that knows 80 says its location by it, without a token")
def _(t):
    origin, sp = Origin(t, tagged("hi")), all_in_one(t)
    with Socks5(sp.address("socks5")) as c:
        equal(c.select(METHOD_NONE, TOKEN), TOKEN, "method")
        equal(c.give_token("", "site 1"), 0, "status")
        equal(c.ask(*origin.addr), 0, "reply")
        equal(read_exact(c.s, 3), b"hi\n", "tag")
    sp.outcome("ok", location="site 1")


@test("a client that offers only 80 or only 02 is served where nobody is asked")
def _(t):
    origin, sp = Origin(t, tagged("hi")), all_in_one(t)
    with Socks5(sp.address("socks5")) as c:
        equal(read_exact(c.open(*origin.addr, token="whatever"), 3), b"hi\n", "tag")
    with Socks5(sp.address("socks5")) as c:
        equal(read_exact(c.open(*origin.addr, password=("u", "p")), 3), b"hi\n", "tag")


def whole_dialogue(idp, origin, payload, location="site 1"):
    return greeting(METHOD_NONE, TOKEN) + token80(idp.token("acme"), location) + request(*origin.addr) + payload


WHOLE_ANSWER = bytes([5, TOKEN, 1, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0])


def hold_dialogue(sp, parts, payload):
    with Socks5(sp.address("socks5")) as c:
        send_parts(c.s, parts)
        equal(read_exact(c.s, len(WHOLE_ANSWER)).hex(), WHOLE_ANSWER.hex(), f"answers to parts of {[len(p) for p in parts][:6]} bytes")
        equal(read_exact(c.s, len(payload)), payload, "echo of the payload")


@test("method 0x80: greeting, token, request and payload in one segment")
def _(t):
    origin, (idp, sp) = Origin(t, echo), jwt_proxy(t)
    hold_dialogue(sp, [whole_dialogue(idp, origin, b"payload")], b"payload")
    sp.outcome("ok", tenant="acme", location="site 1")


@test("method 0x80: one byte at a time")
def _(t):
    origin, (idp, sp) = Origin(t, echo), jwt_proxy(t)
    data = whole_dialogue(idp, origin, b"payload")
    hold_dialogue(sp, [data[i:i + 1] for i in range(len(data))], b"payload")


@test("method 0x80: the dialogue cut in two at every byte")
def _(t):
    origin, (idp, sp) = Origin(t, echo), jwt_proxy(t)
    data = whole_dialogue(idp, origin, b"payload")
    for cut in range(1, len(data)):
        hold_dialogue(sp, [data[:cut], data[cut:]], b"payload")
    equal(origin.accepted, len(data) - 1, "connections at the origin")


@test("method 0x02: the dialogue cut in two at every byte, and one byte at a time")
def _(t):
    origin, (idp, sp) = Origin(t, echo), jwt_proxy(t)
    data = greeting(METHOD_NONE, GSSAPI, USERPASS) + userpass("token", idp.token("acme")) + request(*origin.addr) + b"payload"
    want = bytes([5, USERPASS, 1, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
    for parts in [[data[:i], data[i:]] for i in range(1, len(data))] + [[data[i:i + 1] for i in range(len(data))]]:
        with Socks5(sp.address("socks5")) as c:
            send_parts(c.s, parts)
            equal(read_exact(c.s, len(want) + 7), want + b"payload", f"answers to {len(parts)} parts, the first of {len(parts[0])} bytes")


@test("method 0x00: the dialogue cut in two at every byte, targets by name, IPv4 and IPv6")
def _(t):
    origin, gw = Origin(t, echo), Gateway(t)
    names = {"db-042.internal.example": 5432, "10.0.0.5": 1521, "2001:db8::5": 443}
    gw.connector("c1", {(f"[{n}]:{p}" if ":" in n else f"{n}:{p}"): origin.text for n, p in names.items()})
    sp = gw.proxy()
    want = bytes([5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0]) + b"hello"
    for name, port in names.items():
        data = greeting(METHOD_NONE, GSSAPI) + request(name, port) + b"hello"
        for cut in range(1, len(data)):
            with Socks5(sp.address("socks5")) as c:
                send_parts(c.s, [data[:cut], data[cut:]])
                equal(read_exact(c.s, len(want)), want, f"{name}, cut at {cut}")


@test("a name that looks like an IPv4 address is a name to the connector, as the address is")
def _(t):
    origin, gw = Origin(t, tagged("ten")), Gateway(t)
    gw.connector("c1", {"10.0.0.5:1521": origin.text})
    sp = gw.proxy()
    for atyp in (1, 3):
        with Socks5(sp.address("socks5")) as c:
            equal(c.select(METHOD_NONE), METHOD_NONE, "method")
            equal(c.ask("10.0.0.5", 1521, atyp=atyp), 0, f"reply to ATYP {atyp}")
            equal(read_exact(c.s, 4), b"ten\n", "tag")


@test("BIND and UDP ASSOCIATE are answered with 07, unknown address types with 08")
def _(t):
    sp = all_in_one(t)
    for ask, code, word in ((dict(host="127.0.0.1", port=80, command=2), 7, "command_unsupported"),
                            (dict(host="127.0.0.1", port=80, command=3), 7, "command_unsupported"),
                            (dict(host="127.0.0.1", port=80, command=9), 7, "command_unsupported"),
                            (dict(host="abc", port=80, atyp=5), 8, "address_type_unsupported")):
        before = sp.mark()
        with Socks5(sp.address("socks5")) as c:
            equal(c.select(METHOD_NONE), METHOD_NONE, "method")
            equal(c.ask(**ask), code, f"reply to {ask}")
            equal(read_end(c.s)[1], b"", "nothing after the reply")
        sp.outcome(word, after=before)


@test("names that are none, and port 0, are refused")
def _(t):
    sp = all_in_one(t)
    for name, port in (("", 80), ("a b", 80), ("a\r\nX: y", 80), ("x" * 255, 80), ("127.0.0.1", 0)):
        with Socks5(sp.address("socks5")) as c:
            equal(c.select(METHOD_NONE), METHOD_NONE, "method")
            code = c.ask(name, port, atyp=3)
            check(code not in (0, 5), f"{name[:20]!r}:{port}: reply 0x{code:02x}")
    equal(sp.count(event="exchange", outcome="ok"), 0, "exchanges that went through")


@test("what is not SOCKS5 is closed without an answer")
def _(t):
    sp = all_in_one(t)
    for data in (b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"\x00" * 20):
        s = dial(sp.address("socks5"))
        with s:
            s.sendall(data)
            equal(read_end(s)[1], b"", f"answer to {data[:8]!r}")


@test("broken sub-negotiations end with a non-zero status or a close, and reach no origin")
def _(t):
    origin, (idp, sp) = Origin(t, echo), jwt_proxy(t, extra='limits = { token = "1KiB"; };')
    good = idp.token("acme")
    rest = request(*origin.addr)
    tokens = {
        "empty token": token80(""),
        "no JSON Web Token": token80("abc"),
        "location is not base64": b"\x01" + struct.pack("!I", len(good)) + good.encode() + b"\x04====",
        "location with a line end": token80(good, "a\r\nb"),
        "version 2": b"\x02" + token80(good)[1:],
        "length of 4 GiB": b"\x01\xff\xff\xff\xff",
        "above limits.token": token80("x" * 1025),
    }
    for what, message in tokens.items():
        with Socks5(sp.address("socks5")) as c:
            equal(c.select(TOKEN), TOKEN, "method")
            c.s.sendall(message + rest)
            how, answer = read_end(c.s)
            check(answer == b"" or (len(answer) == 2 and answer[0] == 1 and answer[1] != 0), f"{what}: {answer.hex()}")
    for what, message in {"version 5": b"\x05\x01u\x01p", "no user and no password": b"\x01\x00\x00"}.items():
        with Socks5(sp.address("socks5")) as c:
            equal(c.select(USERPASS), USERPASS, "method")
            c.s.sendall(message + rest)
            how, answer = read_end(c.s)
            check(answer == b"" or (len(answer) == 2 and answer[0] == 1 and answer[1] != 0), f"{what}: {answer.hex()}")
    equal(origin.accepted, 0, "connections at the origin")
    with Socks5(sp.address("socks5")) as c:  # and it still serves
        c.open(*origin.addr, token=good)


@test("the reply to CONNECT comes before the origin's first byte, and in one piece")
def _(t):
    origin, sp = Origin(t, tagged("early")), all_in_one(t)
    for _ in range(20):
        with Socks5(sp.address("socks5")) as c:
            equal(c.select(METHOD_NONE), METHOD_NONE, "method")
            c.s.sendall(request(*origin.addr))
            first = c.s.recv(65536)
            check(len(first) >= 10 and first[:10] == bytes([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]), f"the first read gave {first.hex()}")
            equal(first[10:] + read_exact(c.s, 16 - len(first)), b"early\n", "tag")


@test("clients that leave in the middle of a dialogue leave nothing behind")
def _(t):
    origin, (idp, sp) = Origin(t, echo), jwt_proxy(t)
    data = whole_dialogue(idp, origin, b"payload")
    for cut in list(range(1, 12)) + [len(data) - 20, len(data) - 1, len(data)]:
        for leave in (abort, lambda s: s.close()):
            s = dial(sp.address("socks5"))
            s.sendall(data[:cut])
            leave(s)
    hold_dialogue(sp, [data], b"payload")
    sp.stop()  # drains: it would not end, or not within the test, if clients were still counted


main()
