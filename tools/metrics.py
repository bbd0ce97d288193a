"""Tools that tell how well a provider, or a combo, has answered: from stored requests and calls."""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta

from omniroute.routing.quotas import LimitRow
from omniroute.routing.usage import CallRow, LastFailure, Spread
from omniroute.routing.views import HealthView

from .invocation import Invocation
from .reads import Circuit, circuit_named
from .shapes import Arguments, Result
from .units import iso
from .usage import cost

SEVERITY: tuple[Circuit, ...] = ("OPEN", "HALF_OPEN", "CLOSED")

Since = Annotated[
    Literal["session", "day", "week", "month"],
    Meta(
        description="session: since this client's session began, or the gateway where that is "
        "not known; day, week, month: the last 24 hours, 7 and 30 days."
    ),
]


class ProviderMetrics(Arguments, frozen=True):
    """What omniroute_get_provider_metrics takes."""

    provider: Annotated[
        str, Meta(min_length=1, max_length=128, description='Its name, such as "openai".')
    ]
    period: Since = "month"


class LastError(Result, frozen=True):
    """The newest call that failed."""

    message: str
    timestamp: Annotated[str, Meta(description="ISO 8601 time.")]
    kind: Annotated[str, Meta(description='What it was, such as "rate_limited".')]
    provider_status: Annotated[int | None, Meta(description="null: it gave no status.")]
    request_id: Annotated[str, Meta(description="For omniroute_explain_route.")]


class QuotaInfo(Result, frozen=True):
    """The tightest limit that the provider's answers told, now."""

    used: Annotated[int | None, Meta(description="null: no answer has told one.")]
    total: int | None
    reset_at: Annotated[str | None, Meta(description="ISO 8601 time; null: not known.")]
    dimension: Annotated[
        str | None, Meta(description='What is counted, such as "requests"; null: no limit known.')
    ]


class ProviderMeasured(Result, frozen=True):
    """What omniroute_get_provider_metrics gives. A rate or a time of no call is null."""

    provider: str
    since: Annotated[str, Meta(description="ISO 8601 time from which calls are counted.")]
    request_count: Annotated[
        int, Meta(description="Calls to it, also those after which another provider answered.")
    ]
    success_rate: Annotated[float | None, Meta(description="0 to 1, of the calls that ended.")]
    error_rate: Annotated[float | None, Meta(description="0 to 1, of the calls that ended.")]
    unfinished_count: Annotated[
        int, Meta(description="Calls that the gateway or its client cut: neither good nor bad.")
    ]
    avg_latency_ms: Annotated[float | None, Meta(description="Whole answers.")]
    p50_latency_ms: float | None
    p95_latency_ms: float | None
    p99_latency_ms: float | None
    p50_first_token_ms: float | None
    p95_first_token_ms: float | None
    p99_first_token_ms: float | None
    last_error: Annotated[LastError | None, Meta(description="null: none in this time.")]
    circuit_breaker_state: Annotated[
        Circuit,
        Meta(description="The worst of its accounts and models now; openCircuits lists them."),
    ]
    open_circuits: Annotated[
        tuple[str, ...], Meta(description="Models that are not asked, * for a whole account.")
    ]
    quota_info: QuotaInfo


async def get_provider_metrics(call: Invocation, arguments: ProviderMetrics) -> ProviderMeasured:
    """Run omniroute_get_provider_metrics.

    Raises:
        NotFound: no account is at that provider, and none was called.
    """
    view = call.gateway.view
    since = view.usage.began(arguments.period, call.session_unix_s)
    row = await view.usage.provider(call.caller, arguments.provider, since)
    health, success = view.health(call.caller), row.success
    state, open_circuits = _circuits(health, row.name)
    p50, p95, p99 = _milliseconds(row.times)
    first_p50, first_p95, first_p99 = _milliseconds(row.first_byte)
    return ProviderMeasured(
        provider=row.name,
        since=iso(since),
        request_count=row.calls,
        success_rate=success,
        error_rate=None if success is None else row.failed / (row.answered + row.failed),
        unfinished_count=row.calls - row.answered - row.failed,
        avg_latency_ms=_ms(row.mean_s),
        p50_latency_ms=p50,
        p95_latency_ms=p95,
        p99_latency_ms=p99,
        p50_first_token_ms=first_p50,
        p95_first_token_ms=first_p95,
        p99_first_token_ms=first_p99,
        last_error=_last_error(row.last_failure),
        circuit_breaker_state=state,
        open_circuits=open_circuits,
        quota_info=_quota(health, row.name, view.clock.unix()),
    )


class ComboMetricsAsked(Arguments, frozen=True):
    """What omniroute_get_combo_metrics takes."""

    combo_id: Annotated[
        str, Meta(min_length=1, max_length=256, description="The combo's id, or its name.")
    ]
    period: Since = "month"


class OfProvider(Result, frozen=True):
    """The calls to one provider that the combo made."""

    provider: str
    requests: Annotated[int, Meta(description="Calls to it, answered or not.")]
    success_rate: Annotated[float | None, Meta(description="0 to 1, of the calls that ended.")]
    avg_latency: Annotated[float | None, Meta(description="Milliseconds of whole answers.")]
    last_error: Annotated[LastError | None, Meta(description="null: none in this time.")]


class ComboMeasured(Result, frozen=True):
    """What omniroute_get_combo_metrics gives. A rate or a time of no request is null."""

    combo: str
    since: Annotated[str, Meta(description="ISO 8601 time from which requests are counted.")]
    requests: int
    success_rate: Annotated[
        float | None, Meta(description="0 to 1; a client that left counts neither way.")
    ]
    avg_latency: Annotated[float | None, Meta(description="Milliseconds, of answered ones.")]
    p50_latency: float | None
    p95_latency: float | None
    p99_latency: float | None
    p50_first_token: float | None
    p95_first_token: float | None
    p99_first_token: float | None
    cost_total: Annotated[
        float | None, Meta(description="US dollars; null when some requests have no known price.")
    ]
    known_cost: Annotated[float, Meta(description="US dollars of the requests with a price.")]
    unpriced_requests: int
    fallback_count: Annotated[
        int, Meta(description="Further calls after the first of a request: its repetitions, too.")
    ]
    fallback_requests: Annotated[int, Meta(description="Requests that needed more than one call.")]
    by_provider: Annotated[
        tuple[OfProvider, ...], Meta(description="Whom it called, the most often called first.")
    ]


async def get_combo_metrics(call: Invocation, arguments: ComboMetricsAsked) -> ComboMeasured:
    """Run omniroute_get_combo_metrics.

    Raises:
        NotFound: no combo goes by that id or name.
    """
    view = call.gateway.view.usage
    since = view.began(arguments.period, call.session_unix_s)
    measured = await view.combo(call.caller, arguments.combo_id, since)
    total = measured.requests.total
    p50, p95, p99 = _milliseconds(measured.requests.times)
    first_p50, first_p95, first_p99 = _milliseconds(measured.requests.first_content)
    called = sorted(measured.providers, key=lambda row: (-row.calls, row.name))
    return ComboMeasured(
        combo=measured.combo.name,
        since=iso(since),
        requests=total.requests,
        success_rate=total.success,
        avg_latency=_ms(total.mean_s),
        p50_latency=p50,
        p95_latency=p95,
        p99_latency=p99,
        p50_first_token=first_p50,
        p95_first_token=first_p95,
        p99_first_token=first_p99,
        cost_total=cost(total),
        known_cost=total.cost_usd_nanos / 1e9,
        unpriced_requests=total.unpriced,
        fallback_count=total.fallbacks,
        fallback_requests=total.fell_back,
        by_provider=tuple(map(_of_provider, called)),
    )


def _of_provider(row: CallRow) -> OfProvider:
    return OfProvider(
        provider=row.name,
        requests=row.calls,
        success_rate=row.success,
        avg_latency=_ms(row.mean_s),
        last_error=_last_error(row.last_failure),
    )


def _last_error(failure: LastFailure | None) -> LastError | None:
    if failure is None:
        return None
    return LastError(
        message=failure.detail or failure.kind,
        timestamp=iso(failure.at_unix_s),
        kind=failure.kind,
        provider_status=failure.provider_status,
        request_id=failure.request_id,
    )


def _circuits(health: HealthView, provider: str) -> tuple[Circuit, tuple[str, ...]]:
    """Give the worst state of a provider's circuits, and those that are not closed."""
    rows = [one for one in health.circuits if one.provider == provider and one.state != "CLOSED"]
    states = {circuit_named(one.state) for one in rows}
    worst: Circuit = next((one for one in SEVERITY if one in states), "CLOSED")
    return worst, tuple(sorted({one.model or "*" for one in rows}))


def _quota(health: HealthView, provider: str, now_unix_s: float) -> QuotaInfo:
    """Give the limit of which the least share is left, of those with both figures."""
    told = [one for one in health.limits if one.provider == provider and one.source == "provider"]
    shares = [(left, one) for one in told if (left := _share_left(one)) is not None]
    if not shares:
        return QuotaInfo(None, None, None, None)
    _, one = min(shares, key=lambda pair: pair[0])
    used = (one.limit or 0) - (one.remaining or 0)
    reset_at = None if one.reset_s is None else iso(now_unix_s + one.reset_s)
    return QuotaInfo(max(used, 0), one.limit, reset_at, one.dimension)


def _share_left(row: LimitRow) -> float | None:
    return row.remaining / row.limit if row.limit and row.remaining is not None else None


def _milliseconds(spread: Spread | None) -> Sequence[float | None]:
    if spread is None:
        return (None, None, None)
    return tuple(_ms(one) for one in (spread.p50_s, spread.p95_s, spread.p99_s))


def _ms(seconds: float | None) -> float | None:
    """Give milliseconds to the microsecond."""
    return None if seconds is None else round(seconds * 1000, 3)
