"""How providers are, for people: each model's state, times and limits, and what happened."""

from argparse import Namespace
from collections.abc import Iterable

from ..management_health import (
    AlertJson,
    AlertsJson,
    LimitJson,
    OpenCircuitJson,
    ResilienceJson,
    RestJson,
    TimingJson,
    TimingsJson,
)
from ..settings import Settings, Sources
from .client import call, decoded, with_gateway
from .exits import OK
from .output import NOTHING, duration, listed, moment, show, show_json, table

HEALTH_HEADINGS = (
    *("MODEL", "ACCOUNT", "STATE", "FIRST BYTE", "95 %", "99 %"),
    *("IN ALL", "95 %", "SWAPPED", "LEFT OF ITS LIMITS"),
)
ALERT_HEADINGS = ("LAST", "ALERT", "WHERE", "TIMES", "WHAT")

Scope = tuple[str, str, str]
"""(provider, account id, model); the model is "" for what holds for the whole account."""
Row = TimingJson | LimitJson | RestJson | OpenCircuitJson


def health(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Show how every model that was used is: state, times, limits."""
    with with_gateway(settings, sources) as gateway:
        state = decoded(call(gateway, "GET", "/api/resilience"), ResilienceJson)
        timings = decoded(call(gateway, "GET", "/api/timings"), TimingsJson).timings
    if arguments.json:
        show_json({"resilience": state, "timings": timings})
        return OK
    known: tuple[Row, ...] = (*timings, *state.limits, *state.rests, *state.circuits)
    scopes = sorted({_scope(one) for one in known})
    if scopes:
        show(table(HEALTH_HEADINGS, [_health_row(one, state, timings) for one in scopes]))
    else:
        show("No model has been used since the gateway started.")
    return OK


def alerts(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Show what happened of late, the newest first."""
    with with_gateway(settings, sources) as gateway:
        found = decoded(call(gateway, "GET", "/api/alerts"), AlertsJson)
    if arguments.json:
        show_json(found)
    elif found.alerts:
        show(table(ALERT_HEADINGS, [_alert_row(one) for one in found.alerts], right=("TIMES",)))
    else:
        show("Nothing has happened since the gateway started.")
    return OK


def _health_row(
    scope: Scope, state: ResilienceJson, timings: Iterable[TimingJson]
) -> tuple[str, ...]:
    provider, account_id, model = scope
    times = next((one for one in timings if _scope(one) == scope), None)
    return (
        f"{provider}/{model}" if model else f"{provider} (all models)",
        account_id,
        _state(scope, state),
        *_times(times),
        listed([_limit(one) for one in state.limits if _scope(one) == scope]),
    )


def _state(scope: Scope, state: ResilienceJson) -> str:
    circuits = [f"circuit {one.state}" for one in state.circuits if _scope(one) == scope]
    rests = [
        f"{one.reason}, {duration(one.remaining_s)}" for one in state.rests if _scope(one) == scope
    ]
    held = any(_scope(one) == scope and one.source == "profile" for one in state.limits)
    return listed((*circuits, *rests), empty="held to the profile" if held else "ok")


def _times(one: TimingJson | None) -> tuple[str, ...]:
    if one is None:
        return (NOTHING,) * 6
    found = (one.first_byte_p50_ms, one.first_byte_p95_ms, one.first_byte_p99_ms)
    shown = [_milliseconds(each) for each in (*found, one.total_p50_ms, one.total_p95_ms)]
    return (*shown, str(one.swapped))


def _milliseconds(value: int | None) -> str:
    return NOTHING if value is None else duration(value / 1000)


def _limit(one: LimitJson) -> str:
    left = "?" if one.remaining is None else one.remaining
    most = "?" if one.limit is None else one.limit
    return f"{left} of {most} {one.dimension} ({one.source}, {duration(one.age_s)} ago)"


def _alert_row(one: AlertJson) -> tuple[str, ...]:
    where = f"{one.provider}/{one.model}" if one.model else one.provider
    account = f" ({one.account_id})" if one.account_id else ""
    return (
        moment(one.last_unix_s),
        one.name,
        (where + account) or NOTHING,
        str(one.times),
        one.detail or NOTHING,
    )


def _scope(one: Row) -> Scope:
    return one.provider, one.account_id, one.model
