"""`omniroute aliases`: names that stand for other names."""

from argparse import Namespace
from urllib.parse import quote

from ..aliases_json import AliasesJson, AliasJson
from ..settings import Settings, Sources
from .client import call, decoded, with_gateway
from .exits import OK
from .output import show, show_json, table


def show_all(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """List the aliases."""
    with with_gateway(settings, sources) as gateway:
        found = decoded(call(gateway, "GET", "/api/aliases"), AliasesJson)
    if arguments.json:
        show_json(found)
    elif found.aliases:
        show(table(("NAME", "STANDS FOR"), [(one.name, one.target) for one in found.aliases]))
    else:
        show("There are no aliases. `omniroute aliases set` makes one.")
    return OK


def put(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Set an alias, or replace the one of its name."""
    wish = AliasJson(arguments.name, arguments.model)
    with with_gateway(settings, sources) as gateway:
        made = decoded(call(gateway, "PUT", "/api/aliases", wish), AliasJson)
    if arguments.json:
        show_json(made)
    else:
        show(f"{made.name} stands for {made.target}.")
    return OK


def remove(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Remove an alias."""
    with with_gateway(settings, sources) as gateway:
        call(gateway, "DELETE", f"/api/aliases/{quote(arguments.name, safe='')}")
    show(f"Removed {arguments.name}.")
    return OK
