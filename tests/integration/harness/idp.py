"""An identity provider over HTTPS: key sets, discovery, tokens for clients; and every way to fail, on request. It counts what it is
asked."""
import base64
import json
import os
import socket
import ssl
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler

from .pki import CA
from .tap import Failure
from .tokens import Issuer

__all__ = ["Idp", "basic_of"]

_LARGE = 2 * 1024 * 1024


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    idp = None

    def log_message(self, *_):
        pass

    def _answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode() if length else ""
        self.idp._serve(self, body)
        self.close_connection = True

    do_GET = do_POST = _answer

    def say(self, status, body, *headers):
        data = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)


class Idp:
    """Listens on 127.0.0.1; iss is its URL, and ca_file says who signed its certificate.

    /keys                               the key set (with ?zid=TENANT: that tenant's, see tenant())
    /.well-known/openid-configuration   names iss and /keys
    /oauth/token, /TENANT/token         OAuth 2.0 client credentials; mint(tenant) makes the tokens

    mode is what it does with all that: "ok", "slow" (no answer until the mode changes), "garbage", "html", "500", "redirect", "large",
    "empty" (a set without keys), "other_issuer". down() and up() close and open the door."""

    def __init__(self, t, name="idp"):
        self.t = t
        self.dir = t.path(name + ".files")
        os.mkdir(self.dir)
        self.ca = CA(self.dir, name + "-ca")
        self.ca_file = self.ca.file
        self.cert, self.key = self.ca.server(name)
        self.changed = threading.Condition()
        self.mode, self.counts, self.forms, self.closed = "ok", {}, [], False
        self.listener, self.port = None, 0
        self.up()
        self.iss = f"https://127.0.0.1:{self.port}"
        self.number = 0
        self.signers, self.tenants = [], {}
        self.rotate()
        self.mint = None            # tenant or None -> access token; None: it never answers
        self.clients = None         # one of self.forms (the form, path, authorization, certificate's CN) -> is it our client?
        self.expires_in = 3600
        t.defer(self.close)

    # ---- keys and tokens ------------------------------------------------------------------

    def _signer(self, alg="ES256"):
        self.number += 1
        kid = f"k{self.number}"
        return Issuer(self.dir, iss=self.iss, alg=alg, kid=kid, jwks=f"set-{kid}.json")

    def rotate(self, keep=False):
        """A new key signs from now on; the old ones are gone from the set, or stay in it."""
        self.signers = (self.signers if keep else []) + [self._signer()]

    def tenant(self, name):
        """A tenant with a key of its own."""
        self.tenants[name] = self._signer()
        return self.tenants[name]

    def token(self, tenant=None, **claims):
        return self.signers[-1].token(tenant, **claims)

    def _set(self, query):
        zid = query.get("zid")
        if zid is None:
            return [s.jwk() for s in self.signers]
        return [self.tenants[zid[0]].jwk()] if zid[0] in self.tenants else []

    # ---- what it was asked ----------------------------------------------------------------

    def count(self, path=None):
        """Requests so far, of all paths or of one (without its query)."""
        with self.changed:
            return sum(self.counts.values()) if path is None else self.counts.get(path, 0)

    def wait_count(self, n, path=None):
        """Blocks until so many requests have come."""
        with self.changed:
            enough = lambda: (sum(self.counts.values()) if path is None else self.counts.get(path, 0)) >= n  # noqa: E731
            if not self.changed.wait_for(enough, 120):
                raise Failure(f"only {self.counts} requests came")

    # ---- behaviour ------------------------------------------------------------------------

    def be(self, mode):
        with self.changed:
            self.mode = mode
            self.changed.notify_all()

    def down(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # or accept() goes on
        self.listener.close()
        self.thread.join(120)

    def up(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        context.load_verify_locations(self.ca_file)
        context.verify_mode = ssl.CERT_OPTIONAL
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", self.port))
        s.listen(256)
        self.listener, self.port = s, s.getsockname()[1]
        self.thread = threading.Thread(target=self._accept, args=(s, context), daemon=True)
        self.thread.start()

    def close(self):
        with self.changed:
            self.closed = True
            self.changed.notify_all()
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def _accept(self, listener, context):
        while True:
            try:
                s, peer = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(s, peer, context), daemon=True).start()

    def _one(self, s, peer, context):
        try:
            with context.wrap_socket(s, server_side=True) as tls:
                handler = type("Handler", (_Handler,), {"idp": self})
                handler(tls, peer, None)
        except (OSError, ssl.SSLError):
            s.close()

    def _serve(self, h, body):
        url = urllib.parse.urlsplit(h.path)
        with self.changed:
            self.counts[url.path] = self.counts.get(url.path, 0) + 1
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.closed or self.mode != "slow")
            mode = self.mode
        query = urllib.parse.parse_qs(url.query)
        wrong = {"garbage": (200, b"\x00\xff{]"), "html": (200, b"<html>please log in</html>"), "500": (500, b"{}"),
                 "large": (200, b" " * _LARGE), "empty": (200, b'{"keys":[]}')}
        if mode in wrong:
            h.say(*wrong[mode])
        elif mode == "redirect":
            h.say(302, "", ("Location", self.iss + "/elsewhere"))
        elif url.path == "/keys":
            h.say(200, json.dumps({"keys": self._set(query)}), ("Content-Type", "application/jwk-set+json"))
        elif url.path == "/.well-known/openid-configuration":
            iss = self.iss + ("/other" if mode == "other_issuer" else "")
            h.say(200, json.dumps({"issuer": iss, "jwks_uri": self.iss + "/keys"}), ("Content-Type", "application/json"))
        elif url.path.endswith("/token"):
            self._token(h, url.path, urllib.parse.parse_qs(body))
        else:
            h.say(404, "{}")

    def _token(self, h, path, form):
        subject = dict(x[0] for x in (h.connection.getpeercert() or {}).get("subject", ()))
        authorization = h.headers.get("Authorization")
        with self.changed:
            self.forms.append({**{k: v[0] for k, v in form.items()}, "path": path, "authorization": authorization,
                               "certificate": subject.get("commonName")})
            asked = self.forms[-1]
        if form.get("grant_type") != ["client_credentials"] or not self.clients(asked):
            h.say(401, json.dumps({"error": "invalid_client", "error_description": "who are you?"}))
            return
        first = path.strip("/").split("/")[0]
        tenant = first if first not in ("oauth", "token") else None
        token = self.mint(tenant)
        if token is None:
            with self.changed:
                self.changed.wait_for(lambda: self.closed)
            return
        h.say(200, json.dumps({"access_token": token, "token_type": "bearer", "expires_in": self.expires_in}),
              ("Cache-Control", "no-store"))


def basic_of(authorization):
    """(user, password) of a Basic Authorization, percent-decoded as RFC 6749 section 2.3.1 says; None."""
    if not authorization or not authorization.startswith("Basic "):
        return None
    user, _, password = base64.b64decode(authorization[6:]).decode().partition(":")
    return urllib.parse.unquote_plus(user), urllib.parse.unquote_plus(password)
