"""cost-analysis: what was spent in a time, on what, and what the budgets have left."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from omniroute.routing.guard import BudgetStanding
from omniroute.routing.usage import Dimension, Selection, UsageRow, UsageTotal
from omniroute.routing.views import Views

from ..dialects.common import dollars, iso
from ..task import Json
from .report import ROWS_MAX, Asked, Question, Told
from .words import Span, grouped_by, last, lines, money, plural, providers_in, span_of

USUAL: tuple[Dimension, ...] = ("provider", "model")
OTHERWISE = "week"
"""The time that is told when none is asked for."""
WHICH_TIME = (
    "Which time do you mean? I know the last hour, day, week or month, the last N minutes, "
    "hours, days, weeks or months, today, yesterday, and since the gateway was started."
)


async def tell(view: Views, question: Question) -> Told | Asked:
    """Answer a question about costs."""
    now_unix_s = view.clock.unix()
    spans = [span_of(text, now_unix_s) for text in question.texts]
    span = next((one for one in spans if isinstance(one, Span)), None)
    if spans[0] == "unknown" or (span is None and "unknown" in spans):
        return Asked(WHICH_TIME)
    if span is None:
        span = last(OTHERWISE, now_unix_s)
    if span.session:
        span = replace(span, since_unix_s=view.usage.began("session"))
    return _told(await _bill(view, question, span), now_unix_s)


@dataclass(frozen=True, slots=True)
class _Bill:
    """What a report is made of. `shown` is what its text tells, its data tells every group."""

    span: Span
    providers: tuple[str, ...]
    total: UsageTotal
    groups: tuple[tuple[Dimension, list[UsageRow]], ...]
    shown: str
    budgets: Sequence[BudgetStanding]


async def _bill(view: Views, question: Question, span: Span) -> _Bill:
    providers = providers_in(
        " ".join(question.texts), (one.provider for one in view.configs.current().accounts)
    )
    asked = next((found for one in question.texts if (found := grouped_by(one))), None)
    by = USUAL
    if asked is not None and len(providers) <= 1:
        by = tuple(dict.fromkeys((*USUAL, cast(Dimension, asked))))
    selection = Selection(span.since_unix_s, provider=next(iter(providers), None))
    if len(providers) > 1:
        selection = replace(selection, provider=None)
    if span.until_unix_s is not None:
        selection = replace(selection, until_unix_s=span.until_unix_s)
    usage = await view.usage.report(question.caller, selection, by)
    groups = tuple((one, _dearest(usage.by[one], one, providers)) for one in by)
    return _Bill(
        span=span,
        providers=providers,
        total=_sum(groups[0][1]) if len(providers) > 1 else usage.whole.total,
        groups=groups,
        shown=asked if asked in by else "model",
        budgets=await view.usage.budgets(question.caller),
    )


def _sum(rows: Sequence[UsageRow]) -> UsageTotal:
    return sum((row.total for row in rows), UsageTotal())


def _dearest(rows: Sequence[UsageRow], by: Dimension, providers: Sequence[str]) -> list[UsageRow]:
    """Give the rows with a name, the dearest first; days and hours in their order."""
    found = [row for row in rows if row.name is not None]
    if len(providers) > 1 and by in ("provider", "model"):
        found = [row for row in found if (row.name or "").partition("/")[0] in providers]
    if by in ("day", "hour"):
        return sorted(found, key=lambda row: float(row.name or 0))
    return sorted(
        found, key=lambda row: (-row.total.cost_usd_nanos, -row.total.requests, row.name or "")
    )


def _cost(total: UsageTotal) -> float | None:
    return None if total.unpriced else dollars(total.cost_usd_nanos)


def _spent(total: UsageTotal) -> str:
    known = money(dollars(total.cost_usd_nanos))
    return f"at least {known}" if total.unpriced else known


def _named(row: UsageRow, by: Dimension) -> str:
    return iso(float(row.name or 0)) if by in ("day", "hour") else row.name or ""


def _told(bill: _Bill, now_unix_s: float) -> Told:
    return Told(_text(bill), _data(bill, now_unix_s))


def _text(bill: _Bill) -> str:
    total, words = bill.total, bill.span.words
    where = f" at {', '.join(bill.providers)}" if bill.providers else ""
    told = [
        f"{words[0].upper()}{words[1:]}{where}: {_spent(total)} for "
        f"{plural(total.requests, 'request')}, "
        f"{total.input_tokens:,} tokens in and {total.output_tokens:,} out."
    ]
    if total.unpriced:
        told.append(f"Of {plural(total.unpriced, 'request')} the price is not known.")
    if total.simulated_usd_nanos:
        told.append(
            f"{money(dollars(total.simulated_usd_nanos))} of it the simulator stands for; nobody "
            "is charged that."
        )
    parts = [" ".join(told)]
    for by, rows in bill.groups:
        if rows and by == bill.shown:
            said = [
                f"{_named(row, by)}: {_spent(row.total)}, {plural(row.total.requests, 'request')}"
                for row in rows
            ]
            parts.append(lines(f"By {by}:", said))
    if bill.budgets:
        parts.append(lines("Budgets:", list(map(_left, bill.budgets))))
    return "\n".join(parts)


def _left(one: BudgetStanding) -> str:
    left, cap = money(dollars(one.left_usd_nanos)), money(dollars(one.cap_usd_nanos))
    return f"{one.name}: {left} of {cap} ({one.period}) left"


def _data(bill: _Bill, now_unix_s: float) -> Json:
    span, total = bill.span, bill.total
    until = now_unix_s if span.until_unix_s is None else span.until_unix_s
    return {
        "queryType": "cost",
        "period": {"words": span.words, "since": iso(span.since_unix_s), "until": iso(until)},
        "providers": list(bill.providers),
        "totalCost": _cost(total),
        "knownCost": dollars(total.cost_usd_nanos),
        "simulatedCost": dollars(total.simulated_usd_nanos),
        "unpricedRequests": total.unpriced,
        "requestCount": total.requests,
        "currency": "USD",
        "tokenCount": {
            "prompt": total.input_tokens,
            "completion": total.output_tokens,
            "cachedPrompt": total.cached_input_tokens,
            "reasoning": total.reasoning_tokens,
        },
        "groups": [_group(by, rows) for by, rows in bill.groups],
        "budgets": [_budget(one) for one in bill.budgets[:ROWS_MAX]],
    }


def _group(by: Dimension, rows: Sequence[UsageRow]) -> Json:
    return {
        "by": by,
        "rows": [
            {
                "name": _named(row, by),
                "cost": _cost(row.total),
                "knownCost": dollars(row.total.cost_usd_nanos),
                "requests": row.total.requests,
            }
            for row in rows[:ROWS_MAX]
        ],
        "leftOut": max(len(rows) - ROWS_MAX, 0),
    }


def _budget(one: BudgetStanding) -> Json:
    return {
        "id": one.budget_id,
        "name": one.name,
        "period": one.period,
        "limit": dollars(one.cap_usd_nanos),
        "spent": dollars(one.spent_usd_nanos),
        "remaining": dollars(one.left_usd_nanos),
    }
