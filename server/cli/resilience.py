"""`omniroute resilience`: how soon a provider is given up, and tried again."""

from argparse import Namespace

from ..management_health import ProfileJson, ResilienceJson, ResilienceWish
from ..settings import Settings, Sources
from .client import call, decoded, with_gateway
from .exits import OK
from .output import duration, show, show_json, table

HEADINGS = ("PROFILE", "", "FAILURES", "OPEN FOR", "OVERLOAD", "RATE LIMIT", "DOUBLED")


def show_all(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Show every profile, and which is in force."""
    with with_gateway(settings, sources) as gateway:
        found = decoded(call(gateway, "GET", "/api/resilience"), ResilienceJson)
    if arguments.json:
        show_json(found)
    else:
        rows = [_row(one, in_force=one.name == found.profile) for one in found.profiles]
        show(table(HEADINGS, rows, right=("FAILURES", "DOUBLED")))
    return OK


def put(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Put a profile in force."""
    wish = ResilienceWish(arguments.name)
    with with_gateway(settings, sources) as gateway:
        found = decoded(call(gateway, "PUT", "/api/resilience", wish), ResilienceJson)
    if arguments.json:
        show_json(found)
    else:
        show(f"The resilience profile is {found.profile}.")
    return OK


def _row(one: ProfileJson, *, in_force: bool) -> tuple[str, ...]:
    return (
        one.name,
        "in force" if in_force else "",
        str(one.failures_max),
        duration(one.open_s),
        duration(one.transient_s),
        duration(one.rate_limit_s),
        f"{one.level_max} times",
    )
