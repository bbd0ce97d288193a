"""`omniroute doctor --security`: how safe the gateway is set up, and what would make it safer."""

from argparse import Namespace

from omniroute.routing.errors import RoutingError

from ..doctor_facts import Facts, is_root
from ..management_keys import KeyJson, KeysJson
from ..security import Check, Standing, standing
from ..settings import Settings, Sources
from .client import call, decoded, with_gateway
from .exits import FAILED, OK, Stop
from .output import one_line, show, show_json

_GRADES = {
    "A": "nothing is left to do that is known here",
    "B": "one weakness",
    "C": "two weaknesses",
    "D": "three weaknesses or more",
    "F": "something has to be done now",
}


def tell(arguments: Namespace, facts: Facts, settings: Settings, sources: Sources) -> int:
    """Say the grade and what it is made of; the status is 1 for an F."""
    keys = _keys(facts, settings, sources)
    found = standing(facts, keys, is_root=is_root())
    if arguments.json:
        show_json(found)
    else:
        show(_page(found, keys))
    return FAILED if found.grade == "F" else OK


def _keys(facts: Facts, settings: Settings, sources: Sources) -> tuple[KeyJson, ...] | None:
    """Give the keys of the gateway, none where there is no database yet."""
    if not facts.database.exists and facts.database.kind == "sqlite" and facts.running is None:
        return ()
    if facts.database.problem:
        return None
    try:
        with with_gateway(settings, sources) as gateway:
            return decoded(call(gateway, "GET", "/api/keys"), KeysJson).keys
    except (RoutingError, Stop):
        return None


def _page(found: Standing, keys: tuple[KeyJson, ...] | None) -> str:
    lines = [f"Grade {found.grade}: {_GRADES[found.grade]}", ""]
    lines += [line for one in found.checks for line in _lines(one)]
    if keys is None:
        lines += [
            "",
            "The keys could not be looked at: the gateway or its database does not answer.",
        ]
    return "\n".join([*lines, "", "docs/security.md says what each means."])


def _lines(one: Check) -> list[str]:
    lines = [f"  {one.weight.upper():<8}  {one_line(one.what)}"]
    if one.why:
        lines.append(f"            why: {one_line(one.why)}")
    if one.next:
        lines.append(f"            do:  {one_line(one.next)}")
    return lines
