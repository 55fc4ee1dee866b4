"""Everything that an integration test needs: from harness import *. See ../README.md."""
from .env import *  # noqa: F401,F403
from .tap import *  # noqa: F401,F403
from .program import *  # noqa: F401,F403
from .pki import *  # noqa: F401,F403
from .tokens import *  # noqa: F401,F403
from .origins import *  # noqa: F401,F403
from .net import *  # noqa: F401,F403
from .socks5 import *  # noqa: F401,F403
from .http1 import *  # noqa: F401,F403
from .systems import *  # noqa: F401,F403
from .topology import *  # noqa: F401,F403
from .h2 import *  # noqa: F401,F403
from .trail import *  # noqa: F401,F403
from .idp import *  # noqa: F401,F403
