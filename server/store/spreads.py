"""Exact percentiles of groups in plain SQL, of the nearest rank.

By window functions that SQLite and PostgreSQL both have, so the same outcomes give the same
figures on both; the percentile functions of PostgreSQL alone would save a third of the time.
"""

from typing import Literal

from omniroute.routing.usage import PERCENTS, Spread, place_of

from .database import Rows

Kind = Literal["sqlite", "postgres"]

MODEL = "provider || '/' || model"
"""The name of a model, of those who answered or were called."""

_PLACES = ", ".join(f"(number * {one} + 99) / 100" for one in PERCENTS)


def percentiles(name: str, value: str, source: str) -> str:
    """Give the statement that gives the values at the places of PERCENTS, in each group.

    Args:
        name: the expression that rows are put together by.
        value: the column whose values are put in order; NULL has no place.
        source: a table and a WHERE, all of them constants.
    """
    return (
        f"SELECT name, value, place, number FROM (SELECT {name} AS name, {value} AS value, "  # noqa: S608 - joins constants
        f"row_number() OVER (PARTITION BY {name} ORDER BY {value}) AS place, "
        f"count(*) OVER (PARTITION BY {name}) AS number FROM {source} AND {value} IS NOT NULL"
        f") AS placed WHERE place IN ({_PLACES})"
    )


def spreads(rows: Rows) -> dict[str | None, Spread]:
    """Give the percentiles of each group from the rows of that statement."""
    placed: dict[str | None, dict[int, float]] = {}
    numbers: dict[str | None, int] = {}
    for row in rows:
        placed.setdefault(row["name"], {})[int(row["place"])] = row["value"]
        numbers[row["name"]] = int(row["number"])
    return {
        name: Spread(*(values[place_of(one, numbers[name])] for one in PERCENTS))
        for name, values in placed.items()
    }
