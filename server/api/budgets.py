"""Budgets of keys, combos and sessions: how they stand; set, change, remove them."""

import uuid
from dataclasses import replace
from functools import partial
from typing import TypeVar, get_args

from starlette.requests import Request

from omniroute.routing.access import LOCAL, bound_by
from omniroute.routing.errors import BadRequest, NotAllowed, NotFound
from omniroute.routing.guard import Action, Tier
from omniroute.routing.model import Caller, Config
from omniroute.routing.ports import Configs
from omniroute.routing.wire.sessions import NAME_BYTES_MAX, session_id

from ..management_keys import (
    BudgetChange,
    BudgetJson,
    BudgetsJson,
    BudgetTerms,
    BudgetWish,
)
from ..store.budget import Budget, Period
from ..store.budget_rows import Standing
from ..store.budgets import Budgets
from ..store.guards import is_guard
from ..store.keys import Keys
from .editing import Thing
from .pages import Lists
from .queries import Query
from .rows import Row, body_as, patched

One = TypeVar("One", bound=str)

PATH = "/api/budgets"
LISTED = Lists(
    "budgets",
    lambda one: (one.budget_id,),
    (
        Query("key_id", str, "only budgets of this key"),
        Query("combo", str, "only budgets of this combo"),
        Query("state", str, "only budgets that stand so"),
    ),
)
PERIODS: tuple[Period, ...] = get_args(Period)
ACTIONS: tuple[Action, ...] = get_args(Action)
TIERS: tuple[Tier, ...] = get_args(Tier)


def rows(keys: Keys, budgets: Budgets, configs: Configs) -> tuple[Row, ...]:
    """Give the routes."""

    async def list_all(request: Request, caller: Caller) -> BudgetsJson:
        return BudgetsJson(tuple([await _told(budgets, one) for one in budgets.all()]))

    async def put(request: Request, caller: Caller) -> BudgetJson:
        wish = await body_as(request, BudgetWish)
        budget = _wished(wish, keys, configs.current())
        known = _known(budget, budgets)
        _check_key(budget, caller, keys)
        if known is not None:
            _check_bounds(known, caller, keys)
            budget = replace(budget, budget_id=known.budget_id)
        await budgets.put(budget, actor=caller.key_id)
        await keys.load()
        return await _told(budgets, budget)

    return (
        Row("GET", PATH, "admin", "List budgets and how they stand", list_all, lists=LISTED),
        Row("POST", PATH, "admin", "Set a budget for a period", put, 201, BudgetWish),
        *_rows_of_one(keys, budgets),
    )


def _rows_of_one(keys: Keys, budgets: Budgets) -> tuple[Row, ...]:
    async def show(request: Request, caller: Caller) -> BudgetJson:
        return await _told(budgets, _named(budgets, request))

    async def change(request: Request, caller: Caller) -> BudgetJson:
        before = _named(budgets, request)
        _check_bounds(before, caller, keys)
        wish = await patched(request, BudgetChange(_terms(before)))
        after = new_budget(wish.terms, before.key_id)
        budget = replace(
            after,
            budget_id=before.budget_id,
            combo=before.combo,
            session_id=before.session_id,
        )
        await budgets.put(budget, actor=caller.key_id)
        return await _told(budgets, budget)

    async def remove(request: Request, caller: Caller) -> None:
        budget_id: str = request.path_params["budget_id"]
        for one in (one for one in budgets.all() if one.budget_id == budget_id):
            _check_bounds(one, caller, keys)
        if not await budgets.remove(budget_id, actor=caller.key_id):
            raise _no_budget(budget_id)
        await keys.load()

    one = f"{PATH}/{{budget_id}}"
    thing = Thing(show, edited=_edited)
    changing = partial(Row, handle=change, body=BudgetChange, merges=True, thing=thing)
    return (
        Row("GET", one, "admin", "One budget and how it stands", show, thing=thing),
        changing("PUT", one, "admin", "Change a budget's terms"),
        changing("PATCH", one, "admin", "Change a budget's terms"),
        Row("DELETE", one, "admin", "Remove a budget", remove, 204, thing=thing),
    )


async def _told(budgets: Budgets, budget: Budget) -> BudgetJson:
    standing = await budgets.standing(budget.budget_id)
    if standing is None:
        raise NotFound(f"budget {budget.budget_id!r} was removed meanwhile")
    return _json(budget, standing)


def _named(budgets: Budgets, request: Request) -> Budget:
    budget_id: str = request.path_params["budget_id"]
    found = next((one for one in budgets.all() if one.budget_id == budget_id), None)
    if found is None:
        raise _no_budget(budget_id)
    return found


def _no_budget(budget_id: str) -> NotFound:
    return NotFound(f"no budget has the id {budget_id!r}; `omniroute budgets list` shows them")


def _edited(shown: BudgetJson) -> object:
    """Give what edits change: what was spent is none of it."""
    return shown.budget_id, shown.terms


def _known(budget: Budget, budgets: Budgets) -> Budget | None:
    """Give the budget that there is for the same subject and period."""
    same = (one for one in budgets.all() if _subject(one) == _subject(budget))
    return next((one for one in same if not is_guard(one)), None)


def _check_bounds(budget: Budget, caller: Caller, keys: Keys) -> None:
    """Raise NotAllowed where a budget bounds its changer, or is of a key that may do more."""
    maker = bound_by(caller)
    if maker is None or (is_guard(budget) and budget.key_id == maker):
        return
    if budget.key_id == maker or budget.budget_id in caller.budget_ids:
        raise NotAllowed(
            f"key {maker} cannot change budget {budget.budget_id}, which bounds it: ask for it "
            "with another key, or on the gateway's machine"
        )
    _check_key(budget, caller, keys)


def _check_key(budget: Budget, caller: Caller, keys: Keys) -> None:
    if keys.find(budget.key_id) is not None:
        keys.check_touch(budget.key_id, bound_by(caller))


def new_budget(terms: BudgetTerms, key_id: str) -> Budget:
    """Give the budget of these terms for a key, with an id of its own.

    Raises:
        BadRequest: the period, the action or the tier is not one.
    """
    return Budget(
        budget_id=f"budget-{uuid.uuid4().hex[:12]}",
        key_id=key_id,
        name=terms.name or terms.period,
        cap_usd_nanos=terms.cap_usd_nanos,
        period=_one_of(PERIODS, terms.period, field="period"),
        warn_percent=terms.warn_percent,
        allow_unpriced=terms.allow_unpriced,
        action=_one_of(ACTIONS, terms.action, field="action"),
        tier=_one_of(TIERS, terms.tier, field="tier"),
    )


def _wished(wish: BudgetWish, keys: Keys, config: Config) -> Budget:
    if wish.combo:
        return _of_combo(wish, config)
    if wish.key_id != LOCAL and keys.find(wish.key_id) is None:
        raise NotFound(f"no key has the id {wish.key_id!r}; `omniroute keys list` shows them")
    return _of_session(wish) if wish.session else new_budget(wish.terms, wish.key_id)


def _of_combo(wish: BudgetWish, config: Config) -> Budget:
    if wish.key_id or wish.session:
        raise BadRequest("a budget of a combo has no key and no session", field="combo")
    if all(one.name != wish.combo for one in config.combos):
        raise NotFound(f"no combo is named {wish.combo!r}; `omniroute combos list` shows them")
    return replace(new_budget(wish.terms, ""), combo=wish.combo)


def _of_session(wish: BudgetWish) -> Budget:
    name = wish.session
    if len(name) > NAME_BYTES_MAX or not name.isascii() or not name.isprintable():
        raise BadRequest(
            f"a session's name has 1 to {NAME_BYTES_MAX} printable ASCII characters",
            field="session",
        )
    return replace(new_budget(wish.terms, wish.key_id), session_id=session_id(wish.key_id, name))


def _subject(budget: Budget) -> tuple[str | None, ...]:
    return budget.key_id, budget.combo, budget.session_id, budget.period


def _terms(budget: Budget) -> BudgetTerms:
    return BudgetTerms(
        cap_usd_nanos=budget.cap_usd_nanos,
        period=budget.period,
        name=budget.name,
        warn_percent=budget.warn_percent,
        allow_unpriced=budget.allow_unpriced,
        action=budget.action,
        tier=budget.tier,
    )


def _json(budget: Budget, standing: Standing) -> BudgetJson:
    return BudgetJson(
        budget_id=budget.budget_id,
        key_id=budget.key_id,
        terms=_terms(budget),
        spent_usd_nanos=standing.spent_usd_nanos,
        held_usd_nanos=standing.held_usd_nanos,
        leased_usd_nanos=standing.leased_usd_nanos,
        left_usd_nanos=standing.left_usd_nanos,
        window_start_unix_s=standing.window_start,
        state=_state(budget, standing),
        over_usd_nanos=standing.over_usd_nanos,
        combo=budget.combo,
        session_id=budget.session_id,
    )


def _state(budget: Budget, standing: Standing) -> str:
    if standing.over_usd_nanos:
        return "passed"
    if not standing.left_usd_nanos:
        return "exhausted"
    if not standing.warns(budget.warn_percent):
        return "ok"
    return "degraded" if budget.action == "degrade" else "warning"


def _one_of(known: tuple[One, ...], text: str, *, field: str) -> One:
    for one in known:
        if one == text:
            return one
    raise BadRequest(f"{field} is one of {', '.join(known)}", field=field)
