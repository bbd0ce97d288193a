"""Make the price table that the gateway ships, from the maintained package genai-prices.

    .venv/bin/python requirements/prices.py [--on 2026-11-22]

Writes routing/catalog/prices.json, in the shape that routing/catalog/prices.py reads. The
package is a development dependency only: it is large, and a running gateway must not change
its prices by itself. A file that differs in nothing but its date stays as it is.

What is taken: for every list that a provider row names, each model's rules for matching a
name, its context window, and the standard price of input, output, cached input and cache
write (the five-minute one), in nano-dollars per million tokens, as in force on the day. What
a price cannot say is marked instead of guessed:

- "tiered": dearer from a number of input tokens on; the tiers are kept beside the base.
- "dearest hours": the price depends on the hour; the dearest of each part is taken.
- "changes DATE": the package announces another price from that day on.
- "billed per request too": tokens alone do not price it, so it has no price.
- no input price, or no output price for a model that writes text: no price, not a free one.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version
from itertools import product
from pathlib import Path

from genai_prices import types
from genai_prices.data import providers as price_lists

from omniroute.routing.catalog.kinds import kind_of
from omniroute.routing.catalog.providers import PROVIDERS

TARGET = Path(__file__).parent.parent / "routing/catalog/prices.json"
NANOS = 1_000_000_000
PARTS = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")
# Google's list covers Vertex AI too, which sells Anthropic's models; the Gemini API does not.
FOREIGN = {"google": "claude"}
FREE_SUFFIX = {"openrouter": ":free"}
"""OpenRouter's documentation: free variants are without cost. The package leaves them empty."""

SIGNS: dict[type, tuple[str, str]] = {
    types.ClauseEquals: ("=", "equals"),
    types.ClauseStartsWith: ("^", "starts_with"),
    types.ClauseEndsWith: ("$", "ends_with"),
    types.ClauseContains: ("*", "contains"),
}

Part = int | None
Row = list[object]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the table and say what became of it; give an exit status."""
    parser = argparse.ArgumentParser(description="Make routing/catalog/prices.json.")
    parser.add_argument("--on", type=date.fromisoformat, default=datetime.now(UTC).date())
    day: date = parser.parse_args(arguments).on
    old = TARGET.read_text(encoding="utf-8") if TARGET.exists() else ""
    new = render(lists_on(day), day)
    if _without_date(old) == _without_date(new):
        print(f"{TARGET.name}: unchanged")
        return 0
    TARGET.write_text(new, encoding="utf-8")
    before, after = set(old.splitlines()), set(new.splitlines())
    print(
        f"{TARGET.name}: {len(after - before)} lines new, {len(before - after)} gone, "
        f"{len(new.encode())} bytes"
    )
    return 0


def lists_on(day: date) -> dict[str, list[Row]]:
    """Give the rows of every list that we name, by the list's id, as they stand on a day."""
    wanted = {one.price_list for one in PROVIDERS if one.price_list}
    lists = {
        one.id: [_row(one.id, model, day) for model in one.models if not _foreign(one.id, model)]
        for one in price_lists
        if one.id in wanted
    }
    missing = wanted - set(lists)
    if missing:
        raise SystemExit(f"genai-prices has no list named {', '.join(sorted(missing))} any more")
    return lists


def render(lists: dict[str, list[Row]], day: date) -> str:
    """Give the file's text: one line a model, so that a change shows as that model's line."""
    blocks = [
        f"{_dumps(name)}:[\n" + ",\n".join(_dumps(row) for row in rows) + "\n]"
        for name, rows in sorted(lists.items())
    ]
    head = f'"source":"genai-prices {version("genai-prices")}",\n"on":"{day}"'
    return "{" + head + ',\n"lists":{\n' + ",\n".join(blocks) + "\n}}\n"


def _row(list_id: str, model: types.ModelInfo, day: date) -> Row:
    """Give [names, context, prices, notes, tiers], shortened by its empty tail."""
    price, notes = price_on(list_id, model, day)
    tiers = _tiers(_prices_on(model, day)[0]) if price else []
    names = [part[0] if len(part) == 1 else part for part in alternatives(model.match)]
    row: Row = [names, model.context_window, price, "; ".join(notes), tiers]
    while len(row) > 1 and not row[-1]:
        row.pop()
    return row


def alternatives(clause: object) -> list[list[str]]:
    """Give a match rule as alternatives, each a list of conditions that must all hold.

    A condition is a sign and a text: `=` equals, `^` starts with, `$` ends with, `*`
    contains, `~` matches the regular expression. Other texts are in lower case.
    """
    if isinstance(clause, types.ClauseOr):
        return [one for part in clause.or_ for one in alternatives(part)]
    if isinstance(clause, types.ClauseAnd):
        choices = product(*(alternatives(part) for part in clause.and_))
        return [[condition for part in choice for condition in part] for choice in choices]
    if isinstance(clause, types.ClauseRegex):
        return [["~" + clause.regex]]
    for kind, (sign, field) in SIGNS.items():
        if isinstance(clause, kind):
            text: str = getattr(clause, field)
            return [[sign + text.lower()]]
    raise SystemExit(f"genai-prices has a kind of rule we do not know: {clause!r}")


def price_on(list_id: str, model: types.ModelInfo, day: date) -> tuple[list[Part], list[str]]:
    """Give [input, output, cached input, cache write] and notes; [] when unknown."""
    prices = _prices_on(model, day)
    standard = prices[0]
    if not any(_given(standard)):
        free = FREE_SUFFIX.get(list_id)
        return ([0, 0] if free and model.id.endswith(free) else []), []
    if standard.requests_kcount is not None:
        return [], ["billed per request too"]
    parts = [_dearest(one) for one in zip(*map(_given, prices), strict=True)]
    output = parts[1]
    if parts[0] is None or (output is None and kind_of(model.id) == "chat"):
        return [], []
    # Our price has one part for all that a model writes: take the dearer.
    parts[1] = max(output or 0, _nanos(standard.output_reasoning_mtok) or 0)
    while parts[-1] is None:
        parts.pop()
    notes = ["tiered"] if _tiers(standard) else []
    if any(_given(one) != _given(standard) for one in prices):
        notes.append("dearest hours")
    announced = [start for start in _starts(model) if start > day]
    if announced:
        notes.append(f"changes {min(announced)}")
    return parts, notes


def _prices_on(model: types.ModelInfo, day: date) -> list[types.ModelPrice]:
    """Give the prices in force at midnight and at each moment of the day when they change."""
    moments = [time(0, tzinfo=UTC)]
    for constraint in _constraints(model):
        if isinstance(constraint, types.TimeOfDateConstraint):
            moments += [constraint.start_time, constraint.end_time]
    return [
        model.get_prices(datetime.combine(day, one.replace(tzinfo=one.tzinfo or UTC)))
        for one in moments
    ]


def _constraints(model: types.ModelInfo) -> Iterator[object]:
    if isinstance(model.prices, list):
        yield from (one.constraint for one in model.prices)


def _starts(model: types.ModelInfo) -> list[date]:
    return [
        one.start_date for one in _constraints(model) if isinstance(one, types.StartDateConstraint)
    ]


def _given(price: types.ModelPrice) -> list[Part]:
    return [_nanos(getattr(price, part)) for part in PARTS]


def _tiers(price: types.ModelPrice) -> list[list[Part]]:
    """Give [from that many input tokens on, input, output, cached input, cache write]..."""
    values = [getattr(price, part) for part in PARTS]
    tiered = [one for one in values if isinstance(one, types.TieredPrices)]
    starts = sorted({tier.start for one in tiered for tier in one.tiers})
    return [[start, *(_nanos_at(value, start) for value in values)] for start in starts]


def _nanos_at(value: Decimal | types.TieredPrices | None, tokens: int) -> Part:
    if isinstance(value, types.TieredPrices):
        reached = [tier.price for tier in value.tiers if tier.start <= tokens]
        return _nanos(reached[-1] if reached else value.base)
    return _nanos(value)


def _nanos(value: Decimal | types.TieredPrices | None) -> Part:
    """Give USD per Mtok in nano-dollars, rounded up; of tiers the base."""
    if isinstance(value, types.TieredPrices):
        value = value.base
    return None if value is None else -int(-(value * NANOS) // 1)


def _dearest(values: Sequence[Part]) -> Part:
    known = [one for one in values if one is not None]
    return max(known) if known else None


def _foreign(list_id: str, model: types.ModelInfo) -> bool:
    start = FOREIGN.get(list_id)
    return start is not None and model.id.startswith(start)


def _dumps(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _without_date(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith('"on":')]


if __name__ == "__main__":
    sys.exit(main())
