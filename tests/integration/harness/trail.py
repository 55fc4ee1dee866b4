"""Audit trails: files of lines, in both formats."""
import json
import os

from .tap import Failure, check

__all__ = ["audit", "Trail", "forms"]

PREFIX = "[AUDIT-EVENT] "


def audit(file, **settings):
    """The setting for a configuration's `extra`."""
    return f'audit = {{ file = "{file}"; ' + " ".join(f'{k} = "{v}";' for k, v in settings.items()) + " };\n"


def _sap(line):
    check(line.startswith(PREFIX), f"no {PREFIX!r} in {line!r}")
    outer = json.loads(line[len(PREFIX):])
    check(list(outer) == ["user", "data", "tenant"], f"members of {line!r}")
    return {**json.loads(outer["data"]), "sap_user": outer["user"], "sap_tenant": outer["tenant"]}


class Trail:
    """A program's file. Lines are there before what they allow is done, so nothing has to be waited for."""

    def __init__(self, path, sap=False):
        self.path, self.sap = path, sap

    def text(self):
        if not os.path.exists(self.path):
            return ""
        with open(self.path, encoding="utf-8") as f:
            return f.read()

    def lines(self):
        text = self.text()
        check(not text or text.endswith("\n"), "the last line is whole")
        return [_sap(l) if self.sap else json.loads(l) for l in text.splitlines()]

    def find(self, **want):
        return [l for l in self.lines() if all(str(l.get(k)) == str(v) for k, v in want.items())]

    def one(self, **want):
        found = self.find(**want)
        if len(found) != 1:
            raise Failure(f"{len(found)} lines with {want} in\n{self.text()}")
        return found[0]


def forms(secret):
    """A secret as it must not be seen anywhere: as it is, percent-encoded, in hexadecimal, in base64 at any place of a text (the
    ends of which depend on their neighbours)."""
    import base64
    import urllib.parse
    raw = secret.encode()
    out = {secret, urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret), raw.hex(), json.dumps(secret)[1:-1]}
    for before in range(3):
        code = base64.b64encode(bytes(before) + raw)
        first, last = (0, 2, 3)[before], len(code) if (before + len(raw)) % 3 == 0 else -4
        part = code[first + (2 if before else 0):last].decode()
        if len(part) >= 12:
            out |= {part, part.replace("+", "-").replace("/", "_")}
    return out
