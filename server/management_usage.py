"""What `/api/usage/*` and the documented metrics speak, as values; see management.py.

The names are those that OmniRoute documents for these routes: in camel case, money in dollars.
A rate, a mean or a time of nothing is null, and so is a cost of which a part is not known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct, structs

from omniroute.routing.usage import (
    CallRow,
    Dimension,
    Grouping,
    LastFailure,
    Selection,
    Spread,
    Usage,
    UsageRow,
    UsageTotal,
)
from omniroute.routing.usage_views import ComboUsage

from .usage_activity import (
    WeekdayJson,
    activity_map,
    daily_by_model,
    days_of,
    percent,
    streak,
    weekly_pattern,
)

NANOS = 1e9
PARTS: tuple[Dimension, ...] = ("provider", "model", "account", "combo", "key", "day")
"""What every answer of /api/usage/analytics is parted by."""


class SpreadJson(Struct, frozen=True, rename="camel"):
    """What 50, 95 and 99 percent did not take longer than, in milliseconds."""

    p50_ms: float
    p95_ms: float
    p99_ms: float


class UsageJson(Struct, frozen=True, rename="camel"):
    """Requests that have something in common; `name` is null for those without, and for all.

    `repricedCost` is what they would have cost at later prices, null where none was priced anew.
    `cachedRequests` are those of whose prompt the provider had a part in its cache.
    `latency` and `firstToken` are there for the summary, and for what was asked for `by`.
    """

    name: str | None
    requests: int
    answered: int
    failed: int
    refused: int
    client_gone: int
    success_rate: float | None
    fallbacks: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_prompt_tokens: int
    reasoning_tokens: int
    cost: float | None
    known_cost: float
    unpriced_requests: int
    simulated_requests: int
    simulated_cost: float
    cached_requests: int
    avg_latency_ms: float | None
    latency: SpreadJson | None = None
    first_token: SpreadJson | None = None
    provider: str | None = None
    model: str | None = None
    repriced_cost: float | None = None
    pct: float | None = None


class SummaryJson(Struct, frozen=True, rename="camel"):
    """All requests of the range together."""

    total_requests: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    total_cost: float | None
    unique_models: int
    unique_accounts: int
    unique_api_keys: int
    streak: int
    usage: UsageJson


class DayJson(Struct, frozen=True, rename="camel"):
    """One day, in UTC."""

    date: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    known_cost: float


class AnalyticsJson(Struct, frozen=True, rename="camel"):
    """What was used in a range; `rows` are by what was asked for, with percentiles.

    `activityMap` has the tokens of each day of the last year that was used, `dailyByModel` those
    of each model on each day of the range; `pct` of a model is its share of all tokens.
    """

    range: str
    since: str
    by: str
    summary: SummaryJson
    rows: tuple[UsageJson, ...]
    daily_trend: tuple[DayJson, ...]
    by_provider: tuple[UsageJson, ...]
    by_model: tuple[UsageJson, ...]
    by_account: tuple[UsageJson, ...]
    by_combo: tuple[UsageJson, ...]
    by_api_key: tuple[UsageJson, ...]
    model_names: tuple[str, ...]
    daily_by_model: tuple[dict[str, str | int], ...]
    activity_map: dict[str, int]
    weekly_pattern: tuple[WeekdayJson, ...]


class FailureJson(Struct, frozen=True, rename="camel"):
    """The newest call that failed."""

    message: str
    timestamp: str
    kind: str
    provider_status: int | None
    request_id: str


class CallsJson(Struct, frozen=True, rename="camel"):
    """The calls to one provider or model, those also after which another one answered."""

    name: str
    calls: int
    answered: int
    failed: int
    success_rate: float | None
    avg_latency_ms: float | None
    latency: SpreadJson | None
    first_token: SpreadJson | None
    last_error: FailureJson | None


class CallsAnswer(Struct, frozen=True, rename="camel"):
    """How providers' or models' calls went in a range."""

    range: str
    since: str
    by: str
    rows: tuple[CallsJson, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What was added up for an answer of /api/usage/analytics.

    Attributes:
        usage: by provider, model, account, combo, key, day, and model of each day.
        timed: by what was asked for alone, with percentiles.
        year: by day, of the last year.
    """

    usage: Usage
    timed: Usage
    year: Usage
    now_unix_s: float


def analytics_json(
    report: Report, selection: Selection, *, named: str, by: Dimension
) -> AnalyticsJson:
    """Give an answer of /api/usage/analytics.

    Args:
        report: what was found.
        selection: what was added up.
        named: the range, as it was asked for.
        by: what was asked for.
    """
    usage, timed, year = report.usage, report.timed, days_of(report.year.by["day"])
    whole = usage_json(timed.whole)
    parts = {one: tuple(usage_json(row, one) for row in usage.by[one]) for one in PARTS}
    models = tuple(
        structs.replace(one, pct=percent(one.total_tokens, whole.total_tokens))
        for one in parts["model"]
    )
    named_models = sorted(models, key=lambda one: (-one.total_tokens, one.name or ""))
    return AnalyticsJson(
        range=named,
        since=moment(selection.since_unix_s),
        by=by,
        summary=SummaryJson(
            total_requests=whole.requests,
            prompt_tokens=whole.prompt_tokens,
            completion_tokens=whole.completion_tokens,
            total_tokens=whole.total_tokens,
            total_cost=whole.cost,
            unique_models=_known(parts["model"]),
            unique_accounts=_known(parts["account"]),
            unique_api_keys=_known(parts["key"]),
            streak=streak(year, report.now_unix_s),
            usage=whole,
        ),
        rows=tuple(usage_json(row, by) for row in timed.by[by]),
        daily_trend=tuple(
            DayJson(
                date=(row.name or "")[:10],
                requests=row.requests,
                prompt_tokens=row.prompt_tokens,
                completion_tokens=row.completion_tokens,
                cost=row.cost,
                known_cost=row.known_cost,
            )
            for row in parts["day"]
        ),
        by_provider=parts["provider"],
        by_model=models,
        by_account=parts["account"],
        by_combo=parts["combo"],
        by_api_key=parts["key"],
        model_names=tuple(one.name for one in named_models if one.name is not None),
        daily_by_model=daily_by_model(usage.by["model_day"]),
        activity_map=activity_map(year),
        weekly_pattern=weekly_pattern(days_of(usage.by["day"])),
    )


def usage_json(row: UsageRow, by: Grouping | None = None) -> UsageJson:
    """Give requests that have something in common."""
    total, name = row.total, row.name
    if by in {"day", "hour", "minute"} and name is not None:
        name = moment(int(name))
    provider, _, model = (row.name or "").partition("/")
    return UsageJson(
        name=name,
        requests=total.requests,
        answered=total.answered,
        failed=total.failed,
        refused=total.refused,
        client_gone=total.client_gone,
        success_rate=total.success,
        fallbacks=total.fallbacks,
        prompt_tokens=total.input_tokens,
        completion_tokens=total.output_tokens,
        total_tokens=total.input_tokens + total.output_tokens,
        cached_prompt_tokens=total.cached_input_tokens,
        reasoning_tokens=total.reasoning_tokens,
        cost=None if total.unpriced else total.cost_usd_nanos / NANOS,
        known_cost=total.cost_usd_nanos / NANOS,
        unpriced_requests=total.unpriced,
        simulated_requests=total.simulated,
        simulated_cost=total.simulated_usd_nanos / NANOS,
        cached_requests=total.cached,
        avg_latency_ms=_ms(total.mean_s),
        latency=_spread(row.times),
        first_token=_spread(row.first_content),
        provider=(provider or None) if by == "model" else None,
        model=(model or None) if by == "model" else None,
        repriced_cost=(total.cost_usd_nanos + total.repriced_more_usd_nanos) / NANOS
        if total.repriced
        else None,
    )


def calls_json(row: CallRow) -> CallsJson:
    """Give the calls to one provider or model."""
    return CallsJson(
        name=row.name,
        calls=row.calls,
        answered=row.answered,
        failed=row.failed,
        success_rate=row.success,
        avg_latency_ms=_ms(row.mean_s),
        latency=_spread(row.times),
        first_token=_spread(row.first_byte),
        last_error=None if row.last_failure is None else _failure(row.last_failure),
    )


def provider_metrics(rows: Sequence[CallRow]) -> dict[str, dict[str, int | None]]:
    """Give how providers' calls went in the documented form: rates in whole percent."""
    return {
        row.name: {
            "totalRequests": row.calls,
            "totalSuccesses": row.answered,
            "successRate": _whole(row.success, 100),
            "avgLatencyMs": _whole(row.mean_s, 1000),
        }
        for row in rows
    }


def combo_metrics(usage: ComboUsage) -> dict[str, Any]:
    """Give what was measured of a combo."""
    return {
        "combo": usage.combo.name,
        **combo_totals(usage.requests.total),
        "usage": usage_json(usage.requests),
        "providers": tuple(calls_json(row) for row in usage.providers),
    }


def combo_totals(total: UsageTotal) -> dict[str, int | None]:
    """Give the sums of a combo in the documented form: rates in whole percent."""
    return {
        "totalRequests": total.requests,
        "totalSuccesses": total.answered,
        "totalFailures": total.failed + total.refused,
        "totalFallbacks": total.fallbacks,
        "successRate": _whole(total.success, 100),
        "fallbackRate": _whole(total.fell_back / total.requests if total.requests else None, 100),
        "avgLatencyMs": _whole(total.mean_s, 1000),
    }


def moment(unix_s: float) -> str:
    """Give seconds since 1970 as ISO 8601 in UTC."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _failure(failure: LastFailure) -> FailureJson:
    return FailureJson(
        message=failure.detail or failure.kind,
        timestamp=moment(failure.at_unix_s),
        kind=failure.kind,
        provider_status=failure.provider_status,
        request_id=failure.request_id,
    )


def _known(rows: Sequence[UsageJson]) -> int:
    return sum(row.name is not None for row in rows)


def _spread(spread: Spread | None) -> SpreadJson | None:
    if spread is None:
        return None
    return SpreadJson(*(round(one * 1000, 3) for one in (spread.p50_s, spread.p95_s, spread.p99_s)))


def _whole(value: float | None, times: int) -> int | None:
    return None if value is None else round(value * times)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
