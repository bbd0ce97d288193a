"""What was used: costs, tokens, times and how calls went, by period and by what is asked for."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar, get_args

from msgspec import Meta
from starlette.requests import Request

from omniroute.routing.errors import BadRequest
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller
from omniroute.routing.usage import (
    SECONDS_A_DAY,
    SECONDS_AN_HOUR,
    CallDimension,
    Dimension,
    Selection,
)

from ..management_usage import (
    PARTS,
    AnalyticsJson,
    CallsAnswer,
    Report,
    analytics_json,
    calls_json,
    combo_metrics,
    combo_totals,
    moment,
    provider_metrics,
)
from ..usage_activity import ACTIVITY_DAYS
from .queries import Query
from .rows import Row

RANGE = "30d"
RANGE_DAYS_MAX = 36_500
Span = Annotated[str, Meta(pattern="^(all|ytd|[0-9]{1,6}[hd])$")]
_LENGTH = re.compile(r"(\d{1,6})([hd])")

SELECTED = (
    Query("range", Span, f"how far back; {RANGE} unless said"),
    Query("key", str, "of one key, by its id"),
    Query("provider", str, "of one provider"),
    Query("model", str, "of one model"),
    Query("combo", str, "of one combo"),
)
"""What every route of usage can be asked for."""

One = TypeVar("One", bound=str)


def rows(gateway: Gateway) -> tuple[Row, ...]:
    """Give the routes."""
    view = gateway.view.usage

    async def analytics(request: Request, caller: Caller) -> AnalyticsJson:
        named, selection = asked(request, view.clock.unix())
        by = _one_of(get_args(Dimension), request.query_params.get("by", "provider"))
        now_unix_s = view.clock.unix()
        last_year = now_unix_s - ACTIVITY_DAYS * SECONDS_A_DAY
        report = Report(
            usage=await view.report(caller, selection, (*PARTS, "model_day")),
            timed=await view.report(caller, selection, (by,), timed=True),
            year=await view.report(caller, replace(selection, since_unix_s=last_year), ("day",)),
            now_unix_s=now_unix_s,
        )
        return analytics_json(report, selection, named=named, by=by)

    async def calls(request: Request, caller: Caller) -> CallsAnswer:
        named, selection = asked(request, view.clock.unix())
        by = _one_of(get_args(CallDimension), request.query_params.get("by", "provider"))
        found = await view.calls(caller, selection, by)
        since = moment(selection.since_unix_s)
        return CallsAnswer(named, since, by, tuple(calls_json(row) for row in found))

    async def of_providers(request: Request, caller: Caller) -> dict[str, Any]:
        _, selection = asked(request, view.clock.unix())
        return {"metrics": provider_metrics(await view.calls(caller, selection, "provider"))}

    async def of_combo(request: Request, caller: Caller) -> dict[str, Any]:
        _, selection = asked(request, view.clock.unix())
        since, name = selection.since_unix_s, selection.combo
        if name is not None:
            return {"metrics": combo_metrics(await view.combo(caller, name, since))}
        found = await view.combos(caller, since)
        return {"metrics": {one: combo_totals(total) for one, total in found.items()}}

    return (
        Row(
            *("GET", "/api/usage/analytics", "read:usage", "What was used, by a part", analytics),
            query=(*SELECTED, Query("by", Dimension, "what the rows are; provider unless said")),
        ),
        Row(
            *("GET", "/api/usage/calls", "read:usage", "How calls to providers went", calls),
            query=(
                *SELECTED,
                Query("by", CallDimension, "what the rows are; provider unless said"),
            ),
        ),
        Row(
            *("GET", "/api/provider-metrics", "read:usage", "The same in short", of_providers),
            query=SELECTED,
        ),
        Row(
            *("GET", "/api/combos/metrics", "read:combos", "What combos did", of_combo),
            query=SELECTED,
        ),
    )


def asked(request: Request, now_unix_s: float, default: str = RANGE) -> tuple[str, Selection]:
    """Give the range that was asked for in words, and what is to be added up."""
    query = request.query_params
    named = query.get("range", default)
    return named, Selection(
        since_unix_s=since(named, now_unix_s),
        key_id=query.get("key") or None,
        provider=query.get("provider") or None,
        model=query.get("model") or None,
        combo=query.get("combo") or None,
    )


def since(named: str, now_unix_s: float) -> float:
    """Give when a range begins that is named such as 7d, in seconds since 1970.

    Raises:
        BadRequest: it is none.
    """
    if named == "all":
        return 0.0
    if named == "ytd":
        now = datetime.fromtimestamp(now_unix_s, UTC)
        return datetime(now.year, 1, 1, tzinfo=UTC).timestamp()
    length = _LENGTH.fullmatch(named)
    if length is not None:
        unit_s = SECONDS_A_DAY if length[2] == "d" else SECONDS_AN_HOUR
        seconds = int(length[1]) * unit_s
        if 0 < seconds <= RANGE_DAYS_MAX * SECONDS_A_DAY:
            return max(now_unix_s - seconds, 0.0)
    raise BadRequest("range is such as 12h, 1d, 7d or 30d, or ytd or all", field="range")


def _one_of(known: tuple[One, ...], text: str) -> One:
    for one in known:
        if one == text:
            return one
    raise BadRequest(f"by is one of {', '.join(known)}", field="by")
