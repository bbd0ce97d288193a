"""The clients that `omniroute setup` knows: ide-configs/ and docs/setup.md are made of them."""

from .catalogs import CATALOGS
from .claude import CLAUDE
from .client import Client
from .command_line import COMMAND_LINE
from .desktops import DESKTOPS
from .terminals import TERMINALS

CLIENTS: tuple[Client, ...] = (*CLAUDE, *COMMAND_LINE, *TERMINALS, *CATALOGS, *DESKTOPS)


def client_named(name: str) -> Client | None:
    """Give the client of a name, None when there is none."""
    return next((one for one in CLIENTS if one.name == name), None)
