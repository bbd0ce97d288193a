"""`omniroute usage`: what was used, by whom, what it cost and how long it took."""

from argparse import Namespace
from collections.abc import Sequence
from urllib.parse import urlencode

from ..management_usage import AnalyticsJson, CallsAnswer, CallsJson, SpreadJson, UsageJson
from ..settings import Settings, Sources
from .client import call, decoded, with_gateway
from .exits import OK
from .output import NOTHING, dollars, duration, fields, show, show_json, table

HEADINGS = (
    *("REQUESTS", "ANSWERED", "FALLBACKS", "TOKENS IN", "OUT", "COST"),
    *("TIME", "95 %", "FIRST TOKEN", "95 %"),
)
CALL_HEADINGS = ("CALLS", "ANSWERED", "FAILED", "TIME", "95 %", "FIRST TOKEN", "95 %", "LAST ERROR")


def usage(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Show what was used."""
    asked = {
        "range": arguments.range,
        "by": arguments.by,
        **{name: value for name in ("key", "combo") if (value := getattr(arguments, name))},
    }
    what = "calls" if arguments.calls else "analytics"
    with with_gateway(settings, sources) as gateway:
        data = call(gateway, "GET", f"/api/usage/{what}?{urlencode(asked)}")
    if arguments.calls:
        found = decoded(data, CallsAnswer)
        show_json(found) if arguments.json else show(_calls_page(found))
    else:
        report = decoded(data, AnalyticsJson)
        show_json(report) if arguments.json else show(_page(report))
    return OK


def _page(report: AnalyticsJson) -> str:
    whole = report.summary.usage
    if not whole.requests:
        return f"Nothing was used since {report.since}."
    facts = [
        ("requests", f"{whole.requests}, {_percent(whole.success_rate)} answered"),
        ("tokens", f"{whole.prompt_tokens} in, {whole.completion_tokens} out"),
        ("cost", _cost(whole)),
        ("time", _spread(whole.latency)),
        ("first token", _spread(whole.first_token)),
        ("fallbacks", str(whole.fallbacks)),
        ("since", report.since),
    ]
    rows: Sequence[UsageJson] = report.rows
    if report.by not in {"day", "hour"}:
        rows = sorted(rows, key=lambda row: (-row.known_cost, -row.requests, row.name or ""))
    cells = [_row(row) for row in rows]
    return fields(facts) + "\n\n" + table((report.by.upper(), *HEADINGS), cells, right=HEADINGS)


def _calls_page(found: CallsAnswer) -> str:
    if not found.rows:
        return f"Nobody was called since {found.since}."
    rows = sorted(found.rows, key=lambda row: (-row.calls, row.name))
    return table(
        (found.by.upper(), *CALL_HEADINGS),
        [_call_row(row) for row in rows],
        right=CALL_HEADINGS[:-1],
    )


def _row(row: UsageJson) -> tuple[str, ...]:
    return (
        row.name or "(nobody)",
        str(row.requests),
        _percent(row.success_rate),
        str(row.fallbacks),
        str(row.prompt_tokens),
        str(row.completion_tokens),
        dollars(row.cost),
        *_times(row.latency),
        *_times(row.first_token),
    )


def _call_row(row: CallsJson) -> tuple[str, ...]:
    error = row.last_error
    return (
        row.name,
        str(row.calls),
        _percent(row.success_rate),
        str(row.failed),
        *_times(row.latency),
        *_times(row.first_token),
        NOTHING if error is None else f"{error.timestamp} {error.message}",
    )


def _cost(whole: UsageJson) -> str:
    cost = dollars(whole.known_cost)
    if whole.unpriced_requests:
        cost += f", and {whole.unpriced_requests} requests whose price is not known"
    if whole.simulated_requests:
        cost += f"; {dollars(whole.simulated_cost)} of it simulated, which nobody charges"
    return cost


def _spread(spread: SpreadJson | None) -> str:
    if spread is None:
        return NOTHING
    half, most, nearly_all = (
        duration(one / 1000) for one in (spread.p50_ms, spread.p95_ms, spread.p99_ms)
    )
    return f"{half}; 95 % within {most}, 99 % within {nearly_all}"


def _times(spread: SpreadJson | None) -> tuple[str, str]:
    if spread is None:
        return NOTHING, NOTHING
    return duration(spread.p50_ms / 1000), duration(spread.p95_ms / 1000)


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{share * 100:.1f} %"
