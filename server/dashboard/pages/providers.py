"""Providers: accounts, whether they are asked now, what they are held to, and why they failed."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, get_args

from starlette.responses import Response

from omniroute.routing.catalog.providers import PROVIDERS
from omniroute.routing.model import Dialect

from ...api.calls import path_to
from ...management import AccountJson, TestJson
from ...management_health import ResilienceJson
from ...management_usage import CallsAnswer
from ..looks import moment_of
from ..visits import Fields, Menu, PageRow, Shown, Visit, onward

PAGE = "/dashboard/providers"
ONE = f"{PAGE}/{{account}}"
API = "/api/providers"
RANGE = "1d"
"""How far back a provider's calls are looked at: each of them is read."""


def rows() -> tuple[PageRow, ...]:
    """Give the routes."""
    needs = ("admin",)
    return (
        PageRow("GET", PAGE, needs, show_all, menu=Menu("providers", "server-stack")),
        PageRow("POST", PAGE, needs, add, again=show_all),
        PageRow("GET", ONE, needs, show_one),
        PageRow("POST", ONE, needs, change, again=show_one),
        PageRow("POST", f"{ONE}/test", needs, test, again=show_one),
        PageRow("POST", f"{ONE}/enable", needs, enable, again=show_all),
        PageRow("POST", f"{ONE}/reset", needs, reset, again=show_one),
        PageRow("POST", f"{ONE}/remove", needs, remove, again=show_one),
    )


async def show_all(visit: Visit) -> Shown:
    """Show every account."""
    accounts = (await visit.get(API)).providers
    health: ResilienceJson = await visit.get("/api/resilience")
    calls: CallsAnswer = await visit.get("/api/usage/calls", by="provider", range=RANGE)
    found = {one.name: one for one in calls.rows}
    in_way = _in_way(health)
    return Shown(
        "providers.html",
        {
            "accounts": [
                (one, in_way[one.account_id], found.get(one.provider)) for one in accounts
            ],
            "real": [one for one in accounts if not one.simulated],
            "names": [(one.name, one.title or one.name) for one in PROVIDERS],
            "dialects": get_args(Dialect),
            "since": _since(calls),
        },
    )


async def show_one(visit: Visit) -> Shown:
    """Show one account whole."""
    return await _one(visit, None)


async def add(visit: Visit) -> Response:
    """Add an account."""
    body = {"provider": visit.fields.text("provider"), **_said(visit.fields, kept=())}
    made: AccountJson = (await visit.call("POST", API, body=body)).value
    return onward(path_to(f"{PAGE}/{{}}", made.account_id), "providers.added")


async def change(visit: Visit) -> Response:
    """Change an account; a secret whose field was left empty stays as it is."""
    fields = visit.fields
    body = _said(fields, kept=("key", "proxy"))
    if fields.flag("dropKey"):
        body["key"] = None
    if fields.flag("dropProxy"):
        body["proxy"] = None
    await visit.call("PATCH", _api(visit), body=body, tag=fields.text("tag"))
    return onward(_page(visit), "providers.changed")


async def test(visit: Visit) -> Shown:
    """Call an account once, and show how that went."""
    model = visit.fields.text("model") or None
    tried = await visit.call("POST", f"{_api(visit)}/test", query={"model": model})
    return await _one(visit, tried.value)


async def enable(visit: Visit) -> Response:
    """Let an account be asked, or no more."""
    body = {"enabled": visit.fields.text("enabled") == "yes"}
    await visit.call("PATCH", _api(visit), body=body)
    return onward(PAGE, "providers.changed")


async def reset(visit: Visit) -> Response:
    """Close an account's circuits and end its rests."""
    body = {"account": visit.part("account")}
    await visit.call("POST", "/api/resilience/reset", body=body)
    return onward(_page(visit), "providers.asked_again")


async def remove(visit: Visit) -> Response:
    """Remove an account."""
    await visit.call("DELETE", _api(visit), tag=visit.fields.text("tag"))
    return onward(PAGE, "providers.removed")


async def _one(visit: Visit, tried: TestJson | None) -> Shown:
    called = await visit.call("GET", _api(visit))
    account: AccountJson = called.value
    health: ResilienceJson = await visit.get("/api/resilience")
    alerts = (await visit.get("/api/alerts", limit=500)).alerts
    timings = (await visit.get("/api/timings")).timings
    models: CallsAnswer = await visit.get(
        "/api/usage/calls", by="model", range=RANGE, provider=account.provider
    )
    return Shown(
        "provider.html",
        {
            "account": account,
            "tag": called.tag,
            "tried": tried,
            "in_way": _in_way(health)[account.account_id],
            "limits": _of(account, health.limits),
            "alerts": _of(account, alerts),
            "timings": _of(account, timings),
            "calls": models.rows,
            "since": _since(models),
            "dialects": get_args(Dialect),
        },
    )


def _since(calls: CallsAnswer) -> int:
    """Give where the window of some calls begins, in seconds since 1970, for a link to them."""
    moment = moment_of(calls.since)
    return 0 if moment is None else int(moment.timestamp())


def _in_way(health: ResilienceJson) -> dict[str, list[Any]]:
    """Give what keeps each account, or a model of it, from being asked."""
    found: dict[str, list[Any]] = defaultdict(list)
    for circuit in health.circuits:
        found[circuit.account_id].append(circuit)
    for rest in health.rests:
        found[rest.account_id].append(rest)
    return found


def _of(account: AccountJson, rows: Iterable[Any]) -> list[Any]:
    return [one for one in rows if one.account_id == account.account_id]


def _said(fields: Fields, *, kept: tuple[str, ...]) -> dict[str, object]:
    """Give an account's fields as a form has them; empty ones that are kept are left out."""
    said: dict[str, object] = {
        "name": fields.text("name"),
        "models": [one for one in fields.text("models").replace(",", " ").split() if one],
        "http2": fields.flag("http2"),
        "enabled": fields.flag("enabled"),
    }
    for name, sent in (
        ("base_url", fields.text("base_url")),
        ("dialect", fields.text("dialect")),
        ("key", fields.text("key")),
        ("proxy", fields.text("proxy")),
    ):
        if sent or name not in kept:
            said[name] = sent or None
    headers = dict(_header(line) for line in fields.text("headers").splitlines() if line.strip())
    if headers or not kept:
        said["headers"] = headers
    return said


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(), value.strip()


def _api(visit: Visit) -> str:
    return path_to(f"{API}/{{}}", visit.part("account"))


def _page(visit: Visit) -> str:
    return path_to(f"{PAGE}/{{}}", visit.part("account"))
