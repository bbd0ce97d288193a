"""What a budget may be set to, and the windows that it spends in."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from omniroute.routing.errors import BadRequest
from omniroute.server.store.budget import (
    NAME_CHARACTERS_MAX,
    USD_NANOS_MAX,
    Budget,
    budget_of,
    checked_budget,
)
from omniroute.server.store.windows import windows_at

GOOD = Budget("b", "k", "mine", 1)


@pytest.mark.parametrize(
    "budget",
    [
        GOOD,
        replace(GOOD, cap_usd_nanos=0),
        replace(GOOD, cap_usd_nanos=USD_NANOS_MAX),
        replace(GOOD, name="x"),
        replace(GOOD, name="x" * NAME_CHARACTERS_MAX),
        replace(GOOD, warn_percent=1),
        replace(GOOD, warn_percent=100),
        replace(GOOD, action="degrade", tier="free"),
        replace(GOOD, action="alert"),
    ],
)
def test_terms_at_their_bounds_are_taken(budget: Budget) -> None:
    assert checked_budget(budget) is budget


@pytest.mark.parametrize(
    ("budget", "field"),
    [
        (replace(GOOD, cap_usd_nanos=-1), "cap_usd_nanos"),
        (replace(GOOD, cap_usd_nanos=USD_NANOS_MAX + 1), "cap_usd_nanos"),
        (replace(GOOD, name=""), "name"),
        (replace(GOOD, name="x" * (NAME_CHARACTERS_MAX + 1)), "name"),
        (replace(GOOD, name="two\nlines"), "name"),
        (replace(GOOD, warn_percent=0), "warn_percent"),
        (replace(GOOD, warn_percent=101), "warn_percent"),
        (replace(GOOD, action="pray"), "action"),  # type: ignore[arg-type]
        (replace(GOOD, tier="none"), "tier"),  # type: ignore[arg-type]
    ],
)
def test_terms_beyond_their_bounds_are_refused_by_name(budget: Budget, field: str) -> None:
    with pytest.raises(BadRequest) as refused:
        checked_budget(budget)

    assert refused.value.field == field


def test_a_budget_blocks_at_its_cap_in_all_of_time_unless_it_says_otherwise() -> None:
    assert (GOOD.period, GOOD.action, GOOD.tier) == ("total", "block", "cheap")
    assert (GOOD.warn_percent, GOOD.allow_unpriced) == (80, False)
    assert (GOOD.combo, GOOD.session_id) == (None, None)


def test_a_budget_is_read_from_its_row() -> None:
    names = {"budget_id": "b", "key_id": "k", "name": "n", "combo": "c", "session_id": None}
    terms = {"cap_usd_nanos": 5, "period": "day", "warn_percent": 50, "allow_unpriced": 1}

    budget = budget_of({**names, **terms, "action": "degrade", "tier": "free"})

    assert budget == Budget("b", "k", "n", 5, "day", 50, True, "degrade", "free", "c", None)


def test_the_bounds_are_those_that_the_documents_name() -> None:
    assert (NAME_CHARACTERS_MAX, USD_NANOS_MAX) == (200, 10**18)


@pytest.mark.parametrize(
    ("moment", "day", "month", "until"),
    [
        ((2026, 11, 23, 6, 30, 15, 5), (2026, 11, 23), (2026, 11, 1), (2026, 11, 24)),
        ((2026, 11, 1), (2026, 11, 1), (2026, 11, 1), (2026, 11, 2)),
        ((2026, 12, 31, 23, 59, 59, 999_999), (2026, 12, 31), (2026, 12, 1), (2027, 1, 1)),
        ((2028, 2, 29, 12), (2028, 2, 29), (2028, 2, 1), (2028, 3, 1)),
        ((1969, 12, 31, 12), (1969, 12, 31), (1969, 12, 1), (1970, 1, 1)),
    ],
)
def test_windows_begin_at_midnight_in_utc(
    moment: tuple[int, ...], day: tuple[int, ...], month: tuple[int, ...], until: tuple[int, ...]
) -> None:
    def unix_s(parts: tuple[int, ...]) -> float:
        return datetime(*parts, tzinfo=UTC).timestamp()  # type: ignore[misc, arg-type]

    found = windows_at(unix_s(moment))

    assert (found.day, found.month, found.until) == (unix_s(day), unix_s(month), unix_s(until))
    assert [found.start(one) for one in ("total", "day", "month")] == [0, found.day, found.month]
