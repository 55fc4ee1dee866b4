"""Throw-away certificates by the openssl program."""
import os
import subprocess

from .env import HANG_S
from .tap import Failure

__all__ = ["CA", "openssl"]


def openssl(*args, input=None):
    r = subprocess.run(["openssl", *args], input=input, capture_output=True, timeout=HANG_S)
    if r.returncode:
        raise Failure("openssl " + " ".join(args) + "\n" + r.stderr.decode("utf-8", "replace"))
    return r.stdout


class CA:
    """An authority in a folder: NAME.pem, and NAME.key beside it, for everything that it signs."""

    def __init__(self, folder, name="ca"):
        self.dir, self.name = folder, name
        self.file = os.path.join(folder, f"{name}.pem")
        self._key(name)
        openssl("req", "-x509", "-new", "-key", self._path(name, "key"), "-days", "2", "-subj", f"/CN={name}",
                "-addext", "basicConstraints=critical,CA:TRUE", "-out", self.file)

    def _path(self, name, ext):
        return os.path.join(self.dir, f"{name}.{ext}")

    def _key(self, name):
        path = self._path(name, "key")
        openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", path)
        os.chmod(path, 0o600)

    def _sign(self, name, subject, extensions, days):
        self._key(name)
        openssl("req", "-new", "-key", self._path(name, "key"), "-subj", subject, "-out", self._path(name, "csr"))
        with open(self._path(name, "ext"), "w", encoding="ascii") as f:
            f.write(extensions)
        openssl("x509", "-req", "-in", self._path(name, "csr"), "-CA", self.file, "-CAkey", self._path(self.name, "key"),
                "-set_serial", "0x" + os.urandom(15).hex().lstrip("0"), "-days", str(days), "-extfile", self._path(name, "ext"),
                "-out", self._path(name, "pem"))
        return self._path(name, "pem"), self._path(name, "key")

    def server(self, name="gateway", sans="DNS:localhost,IP:127.0.0.1", days=2):
        return self._sign(name, f"/CN={name}", f"subjectAltName={sans}\nextendedKeyUsage=serverAuth\n", days)

    def client(self, name, subject, sans=None, days=2):
        alt = f"subjectAltName={sans}\n" if sans else ""
        return self._sign(name, subject, f"{alt}extendedKeyUsage=clientAuth\n", days)
