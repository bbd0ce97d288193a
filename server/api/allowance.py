"""Quotas, a key's budget and the log of changes in the documented shapes."""

import uuid
from dataclasses import replace
from decimal import Decimal

import msgspec
from starlette.requests import Request

from omniroute.routing.access import LOCAL
from omniroute.routing.errors import BadRequest, NotFound
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller
from omniroute.routing.usage import Selection, UsageTotal
from omniroute.tools.quotas import Quotas, quotas_of

from ..allowance_json import (
    AuditRowJson,
    CheckJson,
    KeyBudgetJson,
    KeyBudgetSetJson,
    KeyBudgetWish,
    LimitsJson,
)
from ..management_keys import WARN_PERCENT
from ..management_usage import NANOS, moment
from ..storage import Storage
from ..store.audit import ENTRIES_MAX
from ..store.budget import Budget, Period
from ..store.budget_rows import Standing
from ..store.guards import is_guard
from ..store.windows import windows_at
from .queries import Query
from .rows import Row, body_as, number

BUDGET_PATH = "/api/usage/budget"
ENTRIES = 100
OFFSET_MAX = 400
PERIODS: tuple[Period, ...] = ("day", "month")


def rows(gateway: Gateway, storage: Storage) -> tuple[Row, ...]:
    """Give the routes."""
    return (*_quota_rows(gateway), *_budget_rows(gateway, storage), *_audit_rows(storage))


def _quota_rows(gateway: Gateway) -> tuple[Row, ...]:
    async def quota(request: Request, caller: Caller) -> Quotas:
        query = request.query_params
        provider, account = query.get("provider") or None, query.get("connectionId") or None
        return quotas_of(gateway.view, caller, provider, account)

    named = (
        Query("provider", str, "this provider's accounts alone"),
        Query("connectionId", str, "the account of this id or name alone"),
    )
    return (
        Row(
            *("GET", "/api/usage/quota", "read:quota", "What is left at providers", quota),
            query=named,
        ),
    )


def _budget_rows(gateway: Gateway, storage: Storage) -> tuple[Row, ...]:
    async def show(request: Request, caller: Caller) -> KeyBudgetJson:
        key_id = _key(storage, request.query_params.get("apiKeyId", ""))
        return await _key_budget(gateway, storage, key_id, caller)

    async def put(request: Request, caller: Caller) -> KeyBudgetSetJson:
        wish = await body_as(request, KeyBudgetWish)
        key_id = _key(storage, wish.api_key_id)
        limits = {"day": wish.daily_limit_usd, "month": wish.monthly_limit_usd}
        for period in PERIODS:
            dollars = limits[period]
            if dollars is not None:
                budget = _bounded(storage, key_id, period, dollars, wish.warning_threshold)
                await storage.budgets.put(budget, actor=caller.key_id)
        await storage.keys.load()
        return KeyBudgetSetJson(True, key_id, wish.daily_limit_usd, wish.monthly_limit_usd)

    named = (Query("apiKeyId", str, "the key's id, or local"),)
    return (
        Row(
            *("GET", BUDGET_PATH, "admin", "What a key has spent, and may", show),
            query=named,
        ),
        Row(
            *("POST", BUDGET_PATH, "admin", "Bound what a key spends a day", put),
            body=KeyBudgetWish,
        ),
    )


def _audit_rows(storage: Storage) -> tuple[Row, ...]:
    async def log(request: Request, caller: Caller) -> tuple[AuditRowJson, ...]:
        query = request.query_params
        limit = number(request, "limit", ENTRIES, least=1, most=ENTRIES_MAX)
        offset = number(request, "offset", 0, least=0, most=OFFSET_MAX)
        action, actor = query.get("action", ""), query.get("actor", "")
        entries = await storage.audit.recent(limit=ENTRIES_MAX, target=query.get("target") or None)
        found = [one for one in entries if action in ("", one.action) and actor in ("", one.actor)]
        return tuple(
            AuditRowJson(
                *(moment(one.at_unix_s), one.action, one.actor, one.target),
                details=msgspec.json.decode(one.detail),
                ip_address=None,
            )
            for one in found[offset : offset + limit]
        )

    filters = (
        Query("action", str, "such as key.create"),
        Query("actor", str, "the id of the key that made the change"),
        Query("target", str, "what was changed"),
        Query("limit", int, f"how many, {ENTRIES} unless said"),
        Query("offset", int, "how many of the newest are left out"),
    )
    words = "The newest changes"
    return (Row("GET", "/api/compliance/audit-log", "admin", words, log, query=filters),)


def _key(storage: Storage, key_id: str) -> str:
    """Give the id of a key that there is.

    Raises:
        BadRequest: none is named.
        NotFound: there is no such key.
    """
    if not key_id:
        raise BadRequest("say which key: apiKeyId", field="apiKeyId")
    if key_id != LOCAL and storage.keys.find(key_id) is None:
        raise NotFound(f"no key has the id {key_id[:80]!r}; `omniroute keys list` shows them")
    return key_id


def _bounded(
    storage: Storage, key_id: str, period: Period, dollars: float, threshold: float | None
) -> Budget:
    """Give a key's budget of a period with another cap; what is not said stays as it is."""
    known = _budget(storage, key_id, period)
    made = known or Budget(
        budget_id=f"budget-{uuid.uuid4().hex[:12]}",
        key_id=key_id,
        name=period,
        cap_usd_nanos=0,
        period=period,
        warn_percent=WARN_PERCENT,
    )
    percent = made.warn_percent if threshold is None else round(threshold * 100)
    cap = round(Decimal(repr(dollars)) * 10**9)
    return replace(made, cap_usd_nanos=cap, warn_percent=percent)


def _budget(storage: Storage, key_id: str, period: Period) -> Budget | None:
    found = (
        one
        for one in storage.budgets.all()
        if one.key_id == key_id
        and one.period == period
        and one.combo is None
        and one.session_id is None
        and not is_guard(one)
    )
    return next(found, None)


async def _key_budget(
    gateway: Gateway, storage: Storage, key_id: str, caller: Caller
) -> KeyBudgetJson:
    windows = windows_at(storage.clock.unix())
    totals: dict[Period, UsageTotal] = {}
    budgets: dict[Period, Budget] = {}
    standings: dict[Period, Standing] = {}
    for period in PERIODS:
        selection = Selection(float(windows.start(period)), key_id=key_id)
        totals[period] = (await gateway.view.usage.report(caller, selection)).whole.total
        budget = _budget(storage, key_id, period)
        standing = None if budget is None else await storage.budgets.standing(budget.budget_id)
        if budget is not None and standing is not None:
            budgets[period], standings[period] = budget, standing
    limits = {period: budgets[period].cap_usd_nanos / NANOS for period in budgets}
    used = {
        period: (
            standings[period].spent_usd_nanos
            if period in standings
            else totals[period].cost_usd_nanos
        )
        / NANOS
        for period in PERIODS
    }
    left = [one.left_usd_nanos for one in standings.values()]
    spent = [period for period, one in standings.items() if not one.left_usd_nanos]
    return KeyBudgetJson(
        api_key_id=key_id,
        daily_total=used["day"],
        monthly_total=used["month"],
        total_entries=totals["month"].requests,
        budget=_limits(budgets, limits),
        budget_check=CheckJson(
            allowed=not spent,
            reason=f"the budget of the {spent[0]} is spent" if spent else None,
            daily_used=used["day"],
            daily_limit=limits.get("day"),
            monthly_used=used["month"],
            monthly_limit=limits.get("month"),
            warning_reached=any(
                standings[period].warns(budgets[period].warn_percent) for period in standings
            ),
            remaining=min(left) / NANOS if left else None,
        ),
    )


def _limits(budgets: dict[Period, Budget], limits: dict[Period, float]) -> LimitsJson | None:
    if not budgets:
        return None
    first = next(iter(budgets.values()))
    return LimitsJson(limits.get("day"), limits.get("month"), first.warn_percent / 100)
