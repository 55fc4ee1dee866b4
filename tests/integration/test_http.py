"""HTTP CONNECT, from a client that does exactly what the test says."""
from harness import *


def jwt_proxy(t, **more):
    idp = Issuer(t.dir)
    return idp, all_in_one(t, [idp.plugin(tenant_required=True)], **more)


def expect(answer, status, error=None, what=""):
    equal(answer.status, status, f"status {what}")
    if error:
        ps = answer.get("Proxy-Status") or ""
        check(f"error={error}" in ps, f"Proxy-Status with error={error}, not {ps!r} {what}")


@test("CONNECT: the 200 has no body and no framing fields, bytes follow both ways")
def _(t):
    origin, sp = Origin(t, tagged("hello")), all_in_one(t)
    a, s = http_connect(sp.address("http"), origin.text)
    with s:
        expect(a, 200)
        equal((a.get("Content-Length"), a.get("Transfer-Encoding")), (None, None), "framing fields (RFC 9110 9.3.6)")
        equal(a.rest + read_exact(s, 6 - len(a.rest)), b"hello\n", "tag")
        s.sendall(b"ping")
        equal(read_exact(s, 4), b"ping", "echo")


@test("CONNECT: the head cut in two at every byte, payload behind it in the same segment")
def _(t):
    origin, (idp, sp) = Origin(t, echo), jwt_proxy(t)
    data = connect_head(origin.text, f"Proxy-Authorization: Bearer {idp.token('acme')}", "User-Agent: x", "Proxy-Connection: keep-alive") + b"payload"
    for parts in [[data]] + [[data[:i], data[i:]] for i in range(1, len(data))] + [[data[i:i + 1] for i in range(len(data))]]:
        s = dial(sp.address("http"))
        with s:
            send_parts(s, parts)
            a = read_head(s)
            expect(a, 200, what=f"{len(parts)} parts, the first of {len(parts[0])} bytes")
            equal(a.rest + read_exact(s, 7 - len(a.rest)), b"payload", "echo")


@test("407 says which schemes and why; a bad token is invalid_token (RFC 6750)")
def _(t):
    origin, (idp, sp) = Origin(t, echo), jwt_proxy(t)
    cases = (
        ((), "no_credential", None),
        (("Proxy-Authorization: Digest username=x",), "no_credential", None),
        ((f"Proxy-Authorization: Bearer {idp.forged('acme')}",), "bad_credential", "invalid_token"),
        ((f"Proxy-Authorization: Bearer {idp.token('acme', lifetime_s=-7200)}",), "expired_credential", "invalid_token"),
        ((f"Proxy-Authorization: Bearer {idp.token('acme', aud='other')}",), "bad_credential", "invalid_token"),
        ((f"Proxy-Authorization: Bearer {idp.token('acme', iss='https://evil.example')}",), "bad_credential", "invalid_token"),
        (("Proxy-Authorization: Bearer not.a.token",), "bad_credential", "invalid_token"),
        ((f"Proxy-Authorization: {basic('user', 'password')}",), "bad_credential", None),
    )
    for headers, word, error in cases:
        before = sp.mark()
        a, s = http_connect(sp.address("http"), origin.text, *headers)
        with s:
            expect(a, 407, "http_request_denied", f"{word} {headers}"[:100])
            challenge = a.get("Proxy-Authenticate") or ""
            check("Bearer" in challenge, f"Proxy-Authenticate names Bearer, not {challenge!r}")
            check(not error or f'error="{error}"' in challenge, f'error="{error}" in {challenge!r}')
            check(f'details="{word}"' in a.get("Proxy-Status"), f"{word} in {a.get('Proxy-Status')!r}")
        sp.outcome(word, after=before, front="http")
    equal(origin.accepted, 0, "connections at the origin")


@test("two Proxy-Authorization fields are a bad request, whatever they say")
def _(t):
    origin, (idp, sp) = Origin(t, echo), jwt_proxy(t)
    good = f"Proxy-Authorization: Bearer {idp.token('acme')}"
    a, s = http_connect(sp.address("http"), origin.text, good, f"Proxy-Authorization: Bearer {idp.token('other')}")
    s.close()
    check(a.status in (400, 407), f"400 or 407, not {a.status}")
    equal(origin.accepted, 0, "connections at the origin")


@test("malformed heads: 400, and nothing reaches an origin")
def _(t):
    origin, sp = Origin(t, echo), all_in_one(t)
    host = f"Host: {origin.text}\r\n"
    bad = {
        "no Host": f"CONNECT {origin.text} HTTP/1.1\r\n\r\n",
        "two Hosts": f"CONNECT {origin.text} HTTP/1.1\r\n{host}{host}\r\n",
        "Host of another": f"CONNECT {origin.text} HTTP/1.1\r\nHost: other.example:1\r\n\r\n",
        "bare LF": f"CONNECT {origin.text} HTTP/1.1\n{host}\n",
        "space before the colon": f"CONNECT {origin.text} HTTP/1.1\r\n{host}X : y\r\n\r\n",
        "folded line": f"CONNECT {origin.text} HTTP/1.1\r\n{host}X: y\r\n z\r\n\r\n",
        "no port": "CONNECT 127.0.0.1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "port 0": "CONNECT 127.0.0.1:0 HTTP/1.1\r\nHost: 127.0.0.1:0\r\n\r\n",
        "port 65536": "CONNECT 127.0.0.1:65536 HTTP/1.1\r\nHost: 127.0.0.1:65536\r\n\r\n",
        "user in the target": f"CONNECT u@{origin.text} HTTP/1.1\r\nHost: u@{origin.text}\r\n\r\n",
        "two spaces": f"CONNECT  {origin.text} HTTP/1.1\r\n{host}\r\n",
        "HTTP/2.0": f"CONNECT {origin.text} HTTP/2.0\r\n{host}\r\n",
        "NUL": f"CONNECT {origin.text} HTTP/1.1\r\n{host}X: \0\r\n\r\n",
        "length and chunked": f"CONNECT {origin.text} HTTP/1.1\r\n{host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    }
    for what, head in bad.items():
        a, s = http_raw(sp.address("http"), head.encode("latin-1"))
        with s:
            check(a.status == 400 or (a.status == 505 and what == "HTTP/2.0"), f"{what}: {a.status}")
            read_end(s)  # it closes: what follows a head that was not understood is not a request
    equal(origin.accepted, 0, "connections at the origin")


@test("heads that are too large: 431; targets that are too long: 414")
def _(t):
    sp = all_in_one(t, extra='limits = { head = "4KiB"; };')
    a, s = http_raw(sp.address("http"), b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nX: " + b"x" * 5000 + b"\r\n\r\n")
    with s:
        expect(a, 431, "http_request_error")
    sp.outcome("head_too_large")
    a, s = http_raw(sp.address("http"), b"CONNECT " + b"a" * 5000 + b":1 HTTP/1.1\r\nHost: a:1\r\n\r\n")
    with s:
        check(a.status in (414, 431), f"414 or 431, not {a.status}")
    a, s = http_raw(sp.address("http"), b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n" + b"".join(b"X%d: y\r\n" % i for i in range(200)) + b"\r\n")
    with s:
        expect(a, 431, "http_request_error")


@test("origin form is refused: this is a proxy, not a web server")
def _(t):
    origin, sp = HttpOrigin(t), all_in_one(t)
    for line in ("GET / HTTP/1.1", "OPTIONS * HTTP/1.1", "TRACE / HTTP/1.1"):
        a, s = http_raw(sp.address("http"), f"{line}\r\nHost: {origin.text}\r\n\r\n".encode())
        with s:
            check(400 <= a.status <= 405 or a.status == 501, f"{line}: {a.status}")
    equal(len(origin.heads), 0, "requests at the origin")


@test("SAP-Connectivity-SCC-Location_ID chooses the connector")
def _(t):
    gw = Gateway(t)
    for name in ("", "plant-2", "Werk Süd"):
        origin = Origin(t, tagged(f"at {name}"))
        gw.connector(f"c{len(name)}", {"erp.virtual:8000": origin.text}, location=name)
    sp = gw.proxy()
    for name in ("", "plant-2", "Werk Süd"):
        field = [f"SAP-Connectivity-SCC-Location_ID: {name}".encode().decode("latin-1")] if name else []
        a, s = http_connect(sp.address("http"), "erp.virtual:8000", *field)
        with s:
            expect(a, 200, what=name)
            want = f"at {name}\n".encode()
            equal(a.rest + read_exact(s, len(want) - len(a.rest)), want, "tag")
    a, s = http_connect(sp.address("http"), "erp.virtual:8000", "SAP-Connectivity-SCC-Location_ID: nowhere")
    with s:
        expect(a, 503, "destination_unavailable")


@test("a failed answer is complete: length, body, exchange id, as in the log")
def _(t):
    addr, held = unused_address()
    t.defer(held.close)
    sp = all_in_one(t)
    a, s = http_connect(sp.address("http"), addr)
    with s:
        expect(a, 502, "connection_refused")
        length = int(a.get("Content-Length") or -1)
        check(length >= 0, "a Content-Length")
        read_exact(s, length - len(a.rest))
    line = sp.outcome("refused", front="http")
    check(any(v == line["exchange"] for _, v in a.headers) or line["exchange"] in a.text,
          f"the exchange id {line['exchange']} in {a.text!r}")


@test("credentials in unusual but valid spelling")
def _(t):
    origin, (idp, sp) = Origin(t, tagged("ok")), jwt_proxy(t)
    token = idp.token("acme")
    for field in (f"proxy-authorization: bearer {token}", f"PROXY-AUTHORIZATION:Bearer  {token}", f"Proxy-Authorization:  BEARER {token}  ",
                  f"Proxy-Authorization: {basic('x', token)}"):
        a, s = http_connect(sp.address("http"), origin.text, field)
        with s:
            expect(a, 200, what=field[:30])


main()
