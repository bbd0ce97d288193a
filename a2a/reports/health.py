"""health-report: which providers answer now, which rest and why, and what happened of late."""

from collections.abc import Sequence
from typing import Literal

from omniroute.routing.model import Account
from omniroute.routing.usage import CallRow
from omniroute.routing.views import AlertRow, HealthView, Views

from ..dialects.common import iso
from ..task import Json
from .report import ROWS_MAX, Question, Told
from .words import lines, percent, plural, providers_in, wait

Standing = Literal["healthy", "degraded", "down"]

DEGRADED_BELOW = 0.9
"""A provider whose calls succeed less often than this in a day is degraded."""
ALERTS_TOLD = 5


async def tell(view: Views, question: Question) -> Told:
    """Answer a question about health."""
    health = view.health(question.caller)
    measured = await view.usage.providers(question.caller, view.usage.began("day"))
    calls = {row.name: row for row in measured}
    accounts = [one for one in view.configs.current().accounts if one.enabled]
    named = providers_in(question.text, (one.provider for one in accounts))
    providers = named or tuple(dict.fromkeys(one.provider for one in accounts))
    found = [
        _provider(name, [one for one in accounts if one.provider == name], health, calls.get(name))
        for name in providers
    ]
    alerts = [one for one in view.alerts(question.caller) if not named or one.provider in named]
    status = _overall([one["status"] for one in found])
    return Told(
        _text(health, status, found, alerts),
        {
            "queryType": "health",
            "status": status,
            "version": health.version,
            "uptimeS": round(health.uptime_s, 3),
            "accounts": health.accounts,
            "simulatedOnly": health.simulated_only,
            "providers": found[:ROWS_MAX],
            "leftOut": max(len(found) - ROWS_MAX, 0),
            "alerts": [_alert(one) for one in alerts[:ROWS_MAX]],
        },
    )


def _provider(
    name: str, accounts: Sequence[Account], health: HealthView, calls: CallRow | None
) -> Json:
    ids = {one.account_id for one in accounts}
    open_circuits = [
        one for one in health.circuits if one.account_id in ids and one.state != "closed"
    ]
    rests = [one for one in health.cooldowns if one.account_id in ids]
    lockouts = [one for one in health.lockouts if one.account_id in ids]
    out = {one.account_id for one in open_circuits if not one.model and one.state == "open"}
    out |= {one.account_id for one in rests if not one.model}
    success = None if calls is None else calls.success
    status: Standing = "healthy"
    if ids <= out:
        status = "down"
    elif open_circuits or rests or lockouts or (success is not None and success < DEGRADED_BELOW):
        status = "degraded"
    reasons = [
        *(f"the circuit{_of(one.model)} is {one.state}" for one in open_circuits),
        *(f"{one.reason}{_of(one.model)}, asked again in {wait(one.remaining_s)}" for one in rests),
        *(f"{one.model} is locked out ({one.reason})" for one in lockouts),
    ]
    return {
        "provider": name,
        "status": status,
        "reasons": reasons[:ROWS_MAX],
        "simulated": all(one.simulated for one in accounts),
        "calls": 0 if calls is None else calls.calls,
        "successRate": success,
        "p95S": None if calls is None or calls.times is None else calls.times.p95_s,
        "lastFailure": None if calls is None or calls.last_failure is None else _failure(calls),
    }


def _failure(calls: CallRow) -> Json | None:
    failed = calls.last_failure
    if failed is None:
        return None
    return {"at": iso(failed.at_unix_s), "kind": failed.kind, "requestId": failed.request_id}


def _of(model: str) -> str:
    return f" of {model}" if model else ""


def _overall(standings: Sequence[object]) -> Standing:
    if not standings or all(one == "down" for one in standings):
        return "down"
    return "healthy" if all(one == "healthy" for one in standings) else "degraded"


def _alert(one: AlertRow) -> Json:
    return {
        "name": one.name,
        "provider": one.provider or None,
        "model": one.model or None,
        "detail": one.detail,
        "lastAt": iso(one.last_unix_s),
        "times": one.times,
    }


def _text(
    health: HealthView, status: Standing, found: Sequence[Json], alerts: Sequence[AlertRow]
) -> str:
    told = [
        f"OmniRoute {health.version} is {status}: up for {wait(health.uptime_s)}, "
        f"{plural(len(found), 'provider')} looked at."
    ]
    if health.simulated_only:
        told.append("No real provider is configured: answers are simulated.")
    parts = [" ".join(told), lines("Providers:", [_line(one) for one in found])]
    if not found:
        parts = [*parts[:1], "No provider is configured; add one with `omniroute providers add`."]
    if alerts:
        said = [
            f"{one.name}{_at(one)}: {one.detail} ({plural(one.times, 'time')})"
            for one in alerts[:ALERTS_TOLD]
        ]
        parts.append(lines("Of late:", said))
    return "\n".join(parts)


def _at(one: AlertRow) -> str:
    return f" at {one.provider}" if one.provider else ""


def _line(one: Json) -> str:
    reasons = one["reasons"]
    why = f" ({'; '.join(map(str, reasons))})" if isinstance(reasons, list) and reasons else ""
    if not one["calls"]:
        return f"{one['provider']} is {one['status']}{why}, not called in the last 24 hours"
    success = one["successRate"]
    share = percent(success if isinstance(success, float) else None)
    return f"{one['provider']} is {one['status']}{why}, {share} of {one['calls']} calls answered"
