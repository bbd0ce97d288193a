"""What docs/security.md says of routes and checks is what the code has."""

import ast
import re
from pathlib import Path

from omniroute.server.rights import ANYONE, RIGHTS
from omniroute.server.security import WEIGHTS

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs/security.md").read_text()


def checks() -> dict[str, str]:
    """Give the name of every check, and its weight."""
    found = {}
    for node in ast.walk(ast.parse((ROOT / "server/security.py").read_text())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "Check"
        ):
            weight, name = (ast.literal_eval(one) for one in node.args[:2])
            found[str(name)] = str(weight)
    return found


def test_the_page_names_every_check_with_its_weight() -> None:
    told: dict[str, str] = {}
    for names, weight in re.findall(r"^\| ((?:`[a-z-]+`(?:, )?)+) \| (\w+) \|", PAGE, re.MULTILINE):
        told |= dict.fromkeys(re.findall(r"`([a-z-]+)`", names), weight)

    assert told == checks()
    assert set(told.values()) == set(WEIGHTS)


def test_the_page_names_every_route_that_needs_nothing() -> None:
    (row,) = re.findall(r"^\| (.*) \| nothing \|$", PAGE, re.MULTILINE)
    open_ones = {
        right.path for right in RIGHTS if right.needs is ANYONE and right.method != "OPTIONS"
    }

    assert set(re.findall(r"`([^`]+)`", row)) == open_ones
