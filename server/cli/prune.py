"""`omniroute prune`: remove old requests now, or say how many there are."""

from argparse import Namespace
from dataclasses import replace

from ..pruning import PrunedJson, PruneWish
from ..settings import Settings, Sources
from .client import Client, call, decoded, with_gateway
from .exits import OK, USAGE, Stop
from .output import fields, show, show_json


def prune(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Remove what is older than so many days, or count it."""
    wish = PruneWish(_days(arguments.days), arguments.dry_run)
    with with_gateway(settings, sources) as gateway:
        found = _pruned(gateway, wish)
    if arguments.json:
        show_json(found)
    else:
        show(page(found))
    return OK


def page(found: PrunedJson) -> str:
    """Give what was removed, or would be, as text."""
    verb = "would be removed" if found.dry_run else "removed"
    rows = [("requests", found.requests), ("decisions", found.decisions)]
    if not found.dry_run:
        rows.append(("snapshots", found.snapshots))
    rows += [("settled holds", found.holds), ("calls of MCP tools", found.tool_calls)]
    heading = f"older than {found.days:g} days, {verb}"
    return f"{heading}\n\n{fields(tuple((name, f'{number:,}') for name, number in rows))}"


def _pruned(gateway: Client, wish: PruneWish) -> PrunedJson:
    """Call until nothing is left, and give the sum."""
    total = decoded(call(gateway, "POST", "/api/prune", wish), PrunedJson)
    part = total
    while part.more:
        part = decoded(call(gateway, "POST", "/api/prune", wish), PrunedJson)
        total = replace(
            total,
            requests=total.requests + part.requests,
            decisions=total.decisions + part.decisions,
            snapshots=total.snapshots + part.snapshots,
            holds=total.holds + part.holds,
            tool_calls=total.tool_calls + part.tool_calls,
            more=part.more,
        )
    return total


def _days(text: str | None) -> float | None:
    if text is None:
        return None
    if not text.isdecimal() or not text.isascii():
        raise Stop(f"--days is a whole number, and {text[:40]!r} is not", USAGE)
    return float(text)
