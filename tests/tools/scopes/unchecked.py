"""The gateway with the check of scopes deleted: what the matrix has to find.

    python -m tests.tools.scopes.unchecked serve --port 20128

The check is one function, which every door and the engine call; here it lets everyone pass.
"""

import sys

from omniroute.routing import access
from omniroute.server.cli.main import main


def unchecked(caller: object, scope: str) -> None:
    """Let everyone pass."""


if __name__ == "__main__":
    # Its code and not its name: who has imported it calls it by a name of their own.
    access.require.__code__ = unchecked.__code__
    sys.exit(main())
