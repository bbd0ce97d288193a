"""`omniroute resilience`: how soon a provider is given up, and tried again."""

from argparse import Namespace

from ..management_health import (
    OpenCircuitJson,
    ProfileJson,
    ResetJson,
    ResetWish,
    ResilienceJson,
    ResilienceWish,
    RestJson,
)
from ..settings import Settings, Sources
from .client import call, decoded, with_gateway
from .exits import OK
from .output import duration, show, show_json, table

HEADINGS = (
    *("PROFILE", "", "FAILURES", "OPEN FOR", "OVERLOAD", "RATE LIMIT", "DOUBLED"),
    *("A MINUTE", "APART", "AT ONCE"),
)
AWAY = ("NOT ASKED", "ACCOUNT", "WHY", "NEXT TRY IN")


def show_all(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Show every profile, which is in force, and who is not asked now."""
    with with_gateway(settings, sources) as gateway:
        found = decoded(call(gateway, "GET", "/api/resilience"), ResilienceJson)
    if arguments.json:
        show_json(found)
    else:
        rows = [_row(one, in_force=one.name == found.profile) for one in found.profiles]
        show(table(HEADINGS, rows, right=("FAILURES", "DOUBLED", "A MINUTE", "AT ONCE")))
        if away := [*map(_circuit_row, found.circuits), *map(_rest_row, found.rests)]:
            show("\n" + table(AWAY, away))
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


def reset(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Close circuits and end rests and lock-outs."""
    wish = ResetWish(arguments.account, arguments.model)
    with with_gateway(settings, sources) as gateway:
        found = decoded(call(gateway, "POST", "/api/resilience/reset", wish), ResetJson)
    if arguments.json:
        show_json(found)
    else:
        show(f"Ended {found.reset_count} circuits, rests and lock-outs.")
    return OK


def _circuit_row(one: OpenCircuitJson) -> tuple[str, ...]:
    why = f"circuit {one.state} after {one.failures} failures"
    return (*_where(one), why, duration(one.next_try_s or 0.0))


def _rest_row(one: RestJson) -> tuple[str, ...]:
    return (*_where(one), one.reason, duration(one.remaining_s))


def _where(one: OpenCircuitJson | RestJson) -> tuple[str, str]:
    return (f"{one.provider}/{one.model}" if one.model else one.provider), one.account_id


def _row(one: ProfileJson, *, in_force: bool) -> tuple[str, ...]:
    return (
        one.name,
        "in force" if in_force else "",
        str(one.failures_max),
        duration(one.open_s),
        duration(one.transient_s),
        duration(one.rate_limit_s),
        f"{one.level_max} times",
        str(one.requests_per_minute_max),
        duration(one.gap_s_min),
        str(one.concurrency_max),
    )
