"""How a budget stands, in words: warnings, refusals, and the tier that it keeps requests to."""

from dataclasses import replace

import pytest

from omniroute.routing.guard import Guard
from omniroute.routing.ports import Hold
from omniroute.server.store.budget import Budget
from omniroute.server.store.budget_rows import Standing
from omniroute.server.store.budget_words import dollars, guard_of, refusal, tightest, warning

DOLLAR = 1_000_000_000
BLOCK = Budget("id", "key-1", "mine", 10 * DOLLAR)
DEGRADE = replace(BLOCK, action="degrade", tier="free")
FRESH = Standing("id", 0, 10 * DOLLAR, 0, 0)
CALM = replace(FRESH, spent_usd_nanos=7 * DOLLAR, held_usd_nanos=DOLLAR)
PAST = replace(FRESH, spent_usd_nanos=8 * DOLLAR)
OVER = replace(FRESH, spent_usd_nanos=12 * DOLLAR)


@pytest.mark.parametrize(
    ("usd_nanos", "text"),
    [
        (0, "0.00"),
        (1, "0.000000001"),
        (10_000_000, "0.01"),
        (12_000_000, "0.012"),
        (500_000_000, "0.50"),
        (999_999_999, "0.999999999"),
        (DOLLAR, "1.00"),
        (1_000_000_001, "1.000000001"),
        (12_300_000_000, "12.30"),
        (1_234 * DOLLAR, "1234.00"),
    ],
)
def test_an_amount_has_two_decimals_and_more_when_it_needs_them(usd_nanos: int, text: str) -> None:
    assert dollars(usd_nanos) == text


@pytest.mark.parametrize(
    ("budget", "standing", "guard"),
    [
        (BLOCK, PAST, None),
        (BLOCK, None, None),
        (DEGRADE, None, Guard("free", 10 * DOLLAR)),
        (DEGRADE, CALM, Guard("free", 2 * DOLLAR)),
        (DEGRADE, PAST, Guard("free", None)),
    ],
)
def test_a_degrading_budget_keeps_to_its_tier_what_it_has_left_or_all(
    budget: Budget, standing: Standing | None, guard: Guard | None
) -> None:
    assert guard_of(budget, standing) == guard


@pytest.mark.parametrize(
    ("budget", "standing", "words"),
    [
        (BLOCK, None, ""),
        (BLOCK, CALM, ""),
        (BLOCK, PAST, "budget 'mine' has spent $8.00 of $10.00"),
        (BLOCK, OVER, "budget 'mine' has spent $12.00 of $10.00: it is passed by $2.00"),
        (
            DEGRADE,
            PAST,
            "budget 'mine' has spent $8.00 of $10.00: only free models answer now",
        ),
    ],
)
def test_a_budget_past_its_threshold_warns_in_words(
    budget: Budget, standing: Standing | None, words: str
) -> None:
    assert warning(budget, standing) == words


@pytest.mark.parametrize(("budget", "name"), [(BLOCK, "'mine'"), (None, "'id'")])
def test_a_refusal_says_what_was_asked_and_how_the_budget_stands(
    budget: Budget | None, name: str
) -> None:
    error = refusal(Hold("h1", "key-1", ("id",), 3 * DOLLAR), budget, CALM)

    assert str(error) == (
        f"budget {name} cannot pay for this request, which may cost $3.00: of $10.00 it has spent "
        "$7.00 and holds $1.00 for requests under way; ask for less output, or raise the budget"
    )


def test_the_tightest_is_sought_among_those_that_may_refuse() -> None:
    wide, narrow = replace(FRESH, budget_id="wide"), replace(PAST, budget_id="narrow")
    alert = replace(OVER, budget_id="alert")
    every = (wide, narrow, alert)

    assert tightest(every, limits=frozenset({"wide", "narrow"})) == narrow
    assert tightest(every, limits=frozenset()) == alert
