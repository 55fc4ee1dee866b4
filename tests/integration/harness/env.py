"""Where things are, from the environment that tests/integration/local.mk sets."""
import os

__all__ = ["SRCDIR", "BINDIR", "PLUGIN_DIR", "NODE_MODULES", "HANG_S", "binary"]

_here = os.path.dirname(os.path.abspath(__file__))
SRCDIR = os.path.abspath(os.environ.get("SP_SRCDIR") or os.path.join(_here, "..", "..", ".."))
BINDIR = os.path.abspath(os.environ.get("SP_BINDIR") or os.path.join(SRCDIR, "build"))
PLUGIN_DIR = os.path.abspath(os.environ.get("SP_PLUGIN_DIR") or os.path.join(BINDIR, "plugins", ".libs"))
NODE_MODULES = os.environ.get("SP_NODE_MODULES") or os.path.join(SRCDIR, "build", "node", "node_modules")

# Against hangs only; nothing that works waits so long, and nothing is judged by how long it took.
HANG_S = float(os.environ.get("SP_TEST_HANG_S", "120"))


def binary(name):
    return os.path.join(BINDIR, name)
