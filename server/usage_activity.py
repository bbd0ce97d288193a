"""How use is spread over days: streaks, weekdays, and models day by day; pure.

A day is one in UTC. The names and shapes are those that OmniRoute documents for its analytics.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from omniroute.routing.usage import SECONDS_A_DAY, UsageRow

WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
ACTIVITY_DAYS = 365
EPOCH_WEEKDAY = 4
"""1970-01-01 was a Thursday."""

Days = Mapping[int, int]
"""Tokens by the second at which a day begins; a day that nobody used is not there."""


class WeekdayJson(Struct, frozen=True, rename="camel"):
    """One day of the week; the mean is of those that were used, null where none was."""

    day: str
    avg_tokens: float | None
    total_tokens: int


def days_of(rows: Sequence[UsageRow]) -> dict[int, int]:
    """Give the tokens of each day that was used."""
    return {int(row.name): _tokens(row) for row in rows if row.name is not None}


def streak(days: Days, now_unix_s: float) -> int:
    """Give how many days in a row were used, up to today; today may still be to come."""
    today = int(now_unix_s // SECONDS_A_DAY) * SECONDS_A_DAY
    day = today if today in days else today - SECONDS_A_DAY
    number = 0
    while day in days:
        number += 1
        day -= SECONDS_A_DAY
    return number


def activity_map(days: Days) -> dict[str, int]:
    """Give the tokens of each day by its date."""
    return {date(day): days[day] for day in sorted(days)}


def weekly_pattern(days: Days) -> tuple[WeekdayJson, ...]:
    """Give the days of the week, from Sunday on."""
    found: list[list[int]] = [[] for _ in WEEKDAYS]
    for day, tokens in days.items():
        found[(day // SECONDS_A_DAY + EPOCH_WEEKDAY) % len(WEEKDAYS)].append(tokens)
    return tuple(
        WeekdayJson(name, sum(tokens) / len(tokens) if tokens else None, sum(tokens))
        for name, tokens in zip(WEEKDAYS, found, strict=True)
    )


def daily_by_model(rows: Sequence[UsageRow]) -> tuple[dict[str, str | int], ...]:
    """Give a row a day: its date, and by each model's name its tokens."""
    found: dict[int, dict[str, str | int]] = {}
    for row in rows:
        if row.name is not None:
            day, _, model = row.name.partition(" ")
            found.setdefault(int(day), {"date": date(int(day))})[model] = _tokens(row)
    return tuple(found[day] for day in sorted(found))


def percent(part: int, whole: int) -> float | None:
    """Give a share in percent, null of nothing."""
    return round(part * 100 / whole, 2) if whole else None


def date(unix_s: int) -> str:
    """Give a day's date."""
    return datetime.fromtimestamp(unix_s, UTC).date().isoformat()


def _tokens(row: UsageRow) -> int:
    return row.total.input_tokens + row.total.output_tokens
