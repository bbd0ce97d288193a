"""What stored requests add up to: sums and exact percentiles, in plain SQL; calls.py is alike.

The database does the work and gives a row a group: no outcome is brought into Python, so the
event loop goes on while a hundred thousand are added up. Statements are made of constants of
this module alone; every value is bound.
"""

from collections.abc import Iterable
from dataclasses import replace

from omniroute.routing.usage import (
    SECONDS_A_DAY,
    SECONDS_A_MINUTE,
    SECONDS_AN_HOUR,
    Grouping,
    Selection,
    Spread,
    Usage,
    UsageRow,
    UsageTotal,
)

from .database import Row, Rows, Statement, Steps, Unit, Value
from .spreads import MODEL, Kind, percentiles, spreads

_NAMES: dict[Grouping, str] = {
    "provider": "provider",
    "account": "account_id",
    "model": MODEL,
    "combo": "combo",
    "key": "key_id",
    "error": "error",
}
_BUCKETS: dict[Grouping, int] = {
    "day": SECONDS_A_DAY,
    "hour": SECONDS_AN_HOUR,
    "minute": SECONDS_A_MINUTE,
}
_WHOLE = "CAST(NULL AS TEXT)"
_WHO: frozenset[Grouping] = frozenset(("provider", "account", "model"))
_WHO_NAMES = f"provider AS provider, account_id AS account, {MODEL} AS model"

Totals = dict[str | None, UsageTotal]
Spreads = dict[str | None, Spread]

SUMS = (
    "count(*) AS requests, "
    "sum(CASE WHEN status = 'answered' THEN 1 ELSE 0 END) AS answered, "
    "sum(CASE WHEN status = 'failed' THEN 1 ELSE 0 END) AS failed, "
    "sum(CASE WHEN status = 'refused' THEN 1 ELSE 0 END) AS refused, "
    "sum(CASE WHEN status = 'client_gone' THEN 1 ELSE 0 END) AS client_gone, "
    "sum(CASE WHEN attempts > 1 THEN attempts - 1 ELSE 0 END) AS fallbacks, "
    "sum(CASE WHEN attempts > 1 THEN 1 ELSE 0 END) AS fell_back, "
    "sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens, "
    "sum(cached_input_tokens) AS cached_input_tokens, "
    "sum(cache_write_tokens) AS cache_write_tokens, "
    "sum(reasoning_tokens) AS reasoning_tokens, "
    "sum(COALESCE(cost_usd_nanos, 0)) AS cost_usd_nanos, "
    "sum(CASE WHEN cost_usd_nanos IS NULL THEN 1 ELSE 0 END) AS unpriced, "
    "sum(CASE WHEN simulated THEN 1 ELSE 0 END) AS simulated, "
    "sum(CASE WHEN simulated THEN COALESCE(cost_usd_nanos, 0) ELSE 0 END) "
    "AS simulated_usd_nanos, "
    "sum(CASE WHEN repriced_usd_nanos IS NULL THEN 0 ELSE 1 END) AS repriced, "
    "sum(CASE WHEN repriced_usd_nanos IS NULL THEN 0 "
    "ELSE repriced_usd_nanos - COALESCE(cost_usd_nanos, 0) END) AS repriced_more_usd_nanos, "
    "sum(CASE WHEN cached_input_tokens > 0 THEN 1 ELSE 0 END) AS cached, "
    "sum(CASE WHEN status = 'answered' THEN total_s ELSE 0 END) AS answered_s "
)
COUNTS = (
    "requests",
    *("answered", "failed", "refused", "client_gone", "fallbacks", "fell_back"),
    *("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens"),
    *("reasoning_tokens", "cost_usd_nanos", "unpriced", "simulated", "simulated_usd_nanos"),
    *("repriced", "repriced_more_usd_nanos", "cached"),
)


def usage(
    kind: Kind, selection: Selection, by: Iterable[Grouping] = (), *, timed: bool = False
) -> Unit[Usage]:
    """Give the unit that adds up requests; `timed` has it give percentiles, which take longer.

    Each pass over the rows takes its time, so one does for all that tells who answered, and the
    whole is the sum of any of them.
    """
    dimensions = tuple(by)
    where, values = selected(selection)

    def sums(names: str, count: int = 1) -> Statement:
        places = ", ".join(str(one) for one in range(1, count + 1))
        text = f"SELECT {names}, {SUMS} FROM outcomes WHERE {where} GROUP BY {places}"  # noqa: S608 - joins constants
        return Statement(text, values)

    def steps() -> Steps[Usage]:
        totals: dict[Grouping, Totals] = {}
        rows: Rows = ()
        if not _WHO.isdisjoint(dimensions):
            rows = yield sums(_WHO_NAMES, len(_WHO))
            totals = {one: _added(rows, one) for one in dimensions if one in _WHO}
        for one in dimensions:
            if one not in _WHO:
                rows = yield sums(f"{expression(kind, one)} AS name")
                totals[one] = _added(rows, "name")
        if not dimensions:
            rows = yield sums(f"{_WHOLE} AS name")
        whole = sum((_total(row) for row in rows), UsageTotal())
        answered = f"outcomes WHERE {where} AND status = 'answered'"
        found: dict[Grouping, tuple[UsageRow, ...]] = {}
        for one in dimensions:
            times = yield from _times(expression(kind, one), answered, values, timed=timed)
            found[one] = _rows(totals[one], times)
        times = yield from _times(_WHOLE, answered, values, timed=timed)
        return Usage(_rows({None: whole}, times)[0], found)

    return steps


def _times(
    name: str, answered: str, values: tuple[Value, ...], *, timed: bool
) -> Steps[tuple[Spreads, Spreads]]:
    """Give each group's percentiles of the whole time and of the first content."""
    if not timed:
        return {}, {}
    whole = yield Statement(percentiles(name, "total_s", answered), values)
    first = yield Statement(percentiles(name, "first_content_s", answered), values)
    return spreads(whole), spreads(first)


def _added(rows: Rows, column: str) -> Totals:
    totals: Totals = {}
    for row in rows:
        name = row[column]
        totals[name] = totals.get(name, UsageTotal()) + _total(row)
    return totals


def _rows(totals: Totals, times: tuple[Spreads, Spreads]) -> tuple[UsageRow, ...]:
    """Give rows by their names, none first: each database orders names in its own way."""
    return tuple(
        UsageRow(
            name,
            # Each database adds floats in an order of its own.
            replace(totals[name], answered_s=round(totals[name].answered_s, 6)),
            *(one.get(name) for one in times),
        )
        for name in sorted(totals, key=lambda name: (name is not None, name or ""))
    )


def expression(kind: Kind, dimension: Grouping) -> str:
    """Give what a dimension's name is in SQL; a stretch of time is named by its beginning."""
    if dimension == "model_day":
        return f"{expression(kind, 'day')} || ' ' || {MODEL}"
    length = _BUCKETS.get(dimension)
    if length is None:
        return _NAMES[dimension]
    passed = f"at_unix_s / {length}" if kind == "sqlite" else f"floor(at_unix_s / {length})"
    return f"CAST(CAST({passed} AS BIGINT) * {length} AS TEXT)"


def selected(selection: Selection) -> tuple[str, tuple[Value, ...]]:
    """Give the condition for a selection, and its values."""
    words = "at_unix_s >= $1 AND at_unix_s < $2"
    values: list[Value] = [selection.since_unix_s, selection.until_unix_s]
    for column, value in (
        ("key_id", selection.key_id),
        ("combo", selection.combo),
        ("provider", selection.provider),
        (MODEL, selection.model),
    ):
        if value is not None:
            values.append(value)
            words += f" AND {column} = ${len(values)}"
    return words, tuple(values)


def _total(row: Row) -> UsageTotal:
    # PostgreSQL gives sums of integers as decimals.
    return UsageTotal(**{name: int(row[name]) for name in COUNTS}, answered_s=row["answered_s"])
