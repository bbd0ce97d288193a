"""Keys and budgets: who may ask for what, how much of it, and what of it is spent."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

from starlette.responses import Response

from omniroute.routing.access import PRESETS, SCOPES
from omniroute.routing.errors import BadRequest

from ...api.budgets import ACTIONS, PERIODS, TIERS
from ...api.calls import Called, path_to
from ...management_keys import BudgetJson, KeyJson, NewKeyJson
from ..visits import Fields, Menu, PageRow, Shown, Visit, onward

PAGE = "/dashboard/keys"
ONE = f"{PAGE}/{{key}}"
BUDGETS = "/dashboard/budgets"
BUDGET = f"{BUDGETS}/{{budget}}"
API = "/api/keys"
BUDGETS_API = "/api/budgets"
NANOS = 1_000_000_000
SECONDS_A_DAY = 86_400
ROWS = 15
OF_KEY_MAX = 3
"""How many keys, or budgets, a page lists; and how many budgets beside a key."""
OVERLAPS_S = (0, 60, 3_600, 86_400)
"""For how long an old secret may stay good beside the new one."""
_BOUNDS = ("requests_per_minute", "tokens_per_minute", "concurrency_max")


def rows() -> tuple[PageRow, ...]:
    """Give the routes."""
    needs = ("admin",)
    return (
        PageRow("GET", PAGE, needs, show_all, menu=Menu("keys", "key")),
        PageRow("POST", PAGE, needs, make, again=show_all),
        PageRow("GET", ONE, needs, show_one),
        PageRow("POST", ONE, needs, change, again=show_one),
        PageRow("POST", f"{ONE}/roll", needs, roll, again=show_one),
        PageRow("POST", f"{ONE}/revoke", needs, revoke, again=show_one),
        PageRow("POST", BUDGETS, needs, put_budget, again=show_all),
        PageRow("GET", BUDGET, needs, show_budget),
        PageRow("POST", BUDGET, needs, change_budget, again=show_budget),
        PageRow("POST", f"{BUDGET}/remove", needs, remove_budget, again=show_budget),
    )


async def show_all(visit: Visit) -> Shown:
    """Show keys and budgets, a page of each, and what makes new ones."""
    every: tuple[KeyJson, ...] = (await visit.get(API)).keys
    budgets: tuple[BudgetJson, ...] = (await visit.get(BUDGETS_API)).budgets
    keys = await _part(visit, API, "cursor")
    some = await _part(visit, BUDGETS_API, "budgets_after")
    of_key: dict[str, list[BudgetJson]] = defaultdict(list)
    for one in budgets:
        of_key[one.key_id].append(one)
    combos = (await visit.get("/api/combos")).combos
    named = {one.key_id: one.name for one in every}
    shown: tuple[KeyJson, ...] = keys.value.keys
    return Shown(
        "keys.html",
        {
            "keys": shown,
            "cursor": keys.cursor,
            "of_key": of_key,
            "of_key_max": OF_KEY_MAX,
            "budgets": some.value.budgets,
            "budgets_cursor": some.cursor,
            "named": named,
            "subjects": _subjects(visit, shown, named),
            "combos": [("", ""), *((one.name, one.name) for one in combos)],
            "now": time.time(),
            **_choices(),
        },
    )


async def _part(visit: Visit, path: str, name: str) -> Called:
    """Give a page of a list, after what the address says under this name."""
    after = visit.query.text(name) if visit.request.method == "GET" else ""
    return await visit.call("GET", path, query={"limit": ROWS, "cursor": after or None})


def _subjects(
    visit: Visit, shown: Sequence[KeyJson], named: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Give whose a budget may be: of this machine, of a key shown here, or who was chosen."""
    ids = [one.key_id for one in shown]
    chosen = visit.fields.text("of")
    if chosen in named and chosen not in ids:
        ids.append(chosen)
    return [("local", "local"), *((one, named[one]) for one in ids)]


async def show_one(visit: Visit) -> Shown:
    """Show one key."""
    called = await visit.call("GET", _key(visit))
    key: KeyJson = called.value
    budgets = (await visit.get(BUDGETS_API, key_id=key.key_id)).budgets
    return Shown(
        "key.html",
        {
            "key": key,
            "tag": called.tag,
            "budgets": budgets[:ROWS],
            "overlaps": OVERLAPS_S,
            "now": time.time(),
            **_choices(),
        },
    )


async def show_budget(visit: Visit) -> Shown:
    """Show one budget."""
    called = await visit.call("GET", _budget(visit))
    return Shown("budget.html", {"budget": called.value, "tag": called.tag, **_choices()})


async def make(visit: Visit) -> Shown:
    """Make a key, and show its secret this once."""
    fields = visit.fields
    body: dict[str, object] = {**_terms(fields), "name": fields.text("name")}
    if fields.text("cap"):
        body["budget"] = _budget_terms(fields)
    return await _secret(visit, (await visit.call("POST", API, body=body)).value)


async def change(visit: Visit) -> Response:
    """Change a key."""
    fields = visit.fields
    body = {**_terms(fields), "name": fields.text("name"), "enabled": fields.flag("enabled")}
    await visit.call("PATCH", _key(visit), body=body, tag=fields.text("tag"))
    return onward(path_to(f"{PAGE}/{{}}", visit.part("key")), "keys.changed")


async def roll(visit: Visit) -> Shown:
    """Give a key a new secret, and show it this once."""
    body = {"overlap_s": visit.fields.number("overlap") or 0.0}
    return await _secret(visit, (await visit.call("POST", f"{_key(visit)}/roll", body=body)).value)


async def revoke(visit: Visit) -> Response:
    """Revoke a key."""
    await visit.call("DELETE", _key(visit))
    return onward(PAGE, "keys.revoked")


async def put_budget(visit: Visit) -> Response:
    """Set a budget of a key, of this machine, or of a combo."""
    fields = visit.fields
    combo = fields.text("combo")
    body = {
        "terms": _budget_terms(fields),
        "combo": combo,
        "key_id": "" if combo else fields.text("of"),
        "session": fields.text("session"),
    }
    await visit.call("POST", BUDGETS_API, body=body)
    return onward(PAGE, "keys.budget_set")


async def change_budget(visit: Visit) -> Response:
    """Change a budget's terms; its period and its name stay."""
    fields = visit.fields
    before: BudgetJson = await visit.get(_budget(visit))
    kept = {"period": before.terms.period, "name": before.terms.name}
    body = {"terms": {**_budget_terms(fields), **kept}}
    await visit.call("PATCH", _budget(visit), body=body, tag=fields.text("tag"))
    return onward(path_to(f"{BUDGETS}/{{}}", visit.part("budget")), "keys.budget_set")


async def remove_budget(visit: Visit) -> Response:
    """Remove a budget."""
    await visit.call("DELETE", _budget(visit), tag=visit.fields.text("tag"))
    return onward(PAGE, "keys.budget_removed")


async def _secret(visit: Visit, made: NewKeyJson) -> Shown:
    return Shown("key_secret.html", {"key": made.key, "secret": made.secret})


def _choices() -> dict[str, object]:
    return {
        "scopes": (*SCOPES, "admin"),
        "presets": tuple(PRESETS),
        "periods": PERIODS,
        "actions": ACTIONS,
        "tiers": TIERS,
    }


def _terms(fields: Fields) -> dict[str, object]:
    """Give what a form says of a key."""
    days = fields.number("days")
    said: dict[str, object] = {name: fields.whole(name) for name in _BOUNDS}
    said |= {
        "scopes": fields.all("scopes"),
        "models": [one for one in fields.text("models").replace(",", " ").split() if one],
        "keep_content": fields.flag("keep_content"),
        "log_content": fields.flag("log_content"),
    }
    if fields.flag("never") or days is not None:
        ends = None if days is None or fields.flag("never") else time.time() + days * SECONDS_A_DAY
        said["expires_unix_s"] = ends
    return said


def _budget_terms(fields: Fields) -> dict[str, object]:
    cap = fields.number("cap")
    if cap is None:
        raise BadRequest("say how much may be spent", field="cap")
    warn = fields.whole("warn_percent")
    said: dict[str, object] = {
        "cap_usd_nanos": round(cap * NANOS),
        "period": fields.text("period", "total"),
        "name": fields.text("budget_name"),
        "allow_unpriced": fields.flag("allow_unpriced"),
        "action": fields.text("action", "block"),
        "tier": fields.text("tier", "cheap"),
    }
    return said if warn is None else {**said, "warn_percent": warn}


def _key(visit: Visit) -> str:
    return path_to(f"{API}/{{}}", visit.part("key"))


def _budget(visit: Visit) -> str:
    return path_to(f"{BUDGETS_API}/{{}}", visit.part("budget"))
