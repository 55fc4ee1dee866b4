"""An identity provider: keys, a JWK set, JSON Web Tokens. Signs by the openssl program, independent of our own code."""
import base64
import json
import os
import re
import time

from .pki import openssl

__all__ = ["Issuer", "b64url", "basic"]


def b64url(b):
    return base64.urlsafe_b64encode(b).rstrip(b"=").decode()


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _json(o):
    return json.dumps(o, separators=(",", ":")).encode()


def _raw_signature(der):
    """ECDSA-Sig-Value (SEQUENCE of two INTEGERs) -> r || s, 32 bytes each."""
    def integer(at):
        n = der[at + 1]
        return der[at + 2:at + 2 + n].lstrip(b"\0").rjust(32, b"\0"), at + 2 + n
    r, at = integer(2)
    s, _ = integer(at)
    return r + s


class Issuer:
    """iss and aud are fixed; keys are named by kid. alg: ES256 (short tokens) or RS256."""

    def __init__(self, folder, iss="https://idp.example", aud="sallyport", alg="ES256", kid="k1", jwks="jwks.json"):
        self.dir, self.iss, self.aud, self.alg, self.kid = folder, iss, aud, alg, kid
        self.key = os.path.join(folder, f"{jwks}.{kid}.key")
        if alg == "ES256":
            openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", self.key)
        else:
            openssl("genrsa", "-out", self.key, "2048")
        self.jwks_file = os.path.join(folder, jwks)
        with open(self.jwks_file, "w", encoding="ascii") as f:
            json.dump({"keys": [self.jwk()]}, f)
        os.chmod(self.jwks_file, 0o644)

    def jwk(self):
        jwk = {"kid": self.kid, "use": "sig", "alg": self.alg}
        if self.alg == "ES256":
            point = openssl("ec", "-in", self.key, "-pubout", "-outform", "DER")[-64:]
            jwk.update(kty="EC", crv="P-256", x=b64url(point[:32]), y=b64url(point[32:]))
        else:
            n = re.search(rb"Modulus=([0-9A-F]+)", openssl("rsa", "-in", self.key, "-noout", "-modulus")).group(1)
            jwk.update(kty="RSA", n=b64url(bytes.fromhex(n.decode())), e="AQAB")
        return jwk

    def sign(self, header, claims):
        text = f"{b64url(_json(header))}.{b64url(_json(claims))}"
        signature = openssl("dgst", "-sha256", "-sign", self.key, input=text.encode())
        return text + "." + b64url(_raw_signature(signature) if self.alg == "ES256" else signature)

    def token(self, tenant=None, sub="app", lifetime_s=3600, **claims):
        """Claims given as None are left out; by default iss, aud, sub, exp, and tenant if given."""
        now = int(time.time())
        all_claims = {"iss": self.iss, "aud": self.aud, "sub": sub, "exp": now + lifetime_s, "tenant": tenant, **claims}
        return self.sign({"alg": self.alg, "kid": self.kid}, {k: v for k, v in all_claims.items() if v is not None})

    def forged(self, tenant=None, **claims):
        """A token whose signature was changed in one bit of its middle."""
        head, body, sig = self.token(tenant, **claims).split(".")
        raw = bytearray(base64.urlsafe_b64decode(sig + "=" * (-len(sig) % 4)))
        raw[len(raw) // 2] ^= 1
        return f"{head}.{body}.{b64url(bytes(raw))}"

    def plugin(self, **settings):
        """The jwt plugin's group for a chain. Values: text, bool, int or list of text."""
        s = {"issuer": self.iss, "audience": self.aud, "jwks_file": self.jwks_file, "tenant_claims": ["tenant"], **settings}
        return '{ plugin = "jwt"; ' + " ".join(f"{k} = {_setting(v)};" for k, v in s.items() if v is not None) + " }"


def _setting(v):
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, int):
        return str(v)
    if isinstance(v, list):
        return "[ " + ", ".join(f'"{x}"' for x in v) + " ]"
    return f'"{v}"'
