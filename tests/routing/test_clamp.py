"""How long an answer may be, so that what pays for it can."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.accounting.clamp import (
    OUTPUT_TOKENS_FLOOR,
    Bound,
    bound_within,
    least_bound,
)
from omniroute.routing.accounting.cost import output_tokens_bound, upper_bound_usd_nanos
from omniroute.routing.model import Candidate, Features, ModelFacts, Price

PRICE = Price(input=1_000_000_000, output=2_000_000_000)
"""1,000 nano-dollars an input token, 2,000 an output token."""
UNBOUND = Features(input_tokens=10, input_tokens_max=100)


def model(longest: int | None, price: Price | None = PRICE) -> Candidate:
    facts = ModelFacts(output_tokens_max=longest, price=price)
    return Candidate("acc", "one", "m", "openai_chat", facts)


@pytest.mark.parametrize(
    ("features", "ceiling", "left", "usd_nanos", "clamp"),
    [
        # Nothing pays: nothing is clamped.
        (UNBOUND, None, None, 2_100_000, None),
        # 2,100,000 is at most a quarter of what is left.
        (UNBOUND, None, 8_400_000, 2_100_000, None),
        # A quarter of 4,000,000 pays for 100 tokens in and 450 out.
        (UNBOUND, None, 4_000_000, 1_000_000, 450),
        # A quarter would pay for less than the floor, so the floor takes what it needs.
        (UNBOUND, None, 700_000, 612_000, 256),
        # Not even the floor can be paid: the store will say so.
        (UNBOUND, None, 10, 612_000, 256),
        # What the client asked for and can be paid is not touched, whatever its share.
        (Features(False, 10, 100, 1000), None, 2_100_000, 2_100_000, None),
        (Features(False, 10, 100, 1000), None, 2_099_999, 612_000, 256),
        # Who asks for less than the floor gets that.
        (Features(False, 10, 100, 50), None, 100_000, 200_000, None),
        # The request's own ceiling is for it alone.
        (UNBOUND, 1_000_000, None, 1_000_000, 450),
        (UNBOUND, 1_001_999, 100_000_000, 1_000_000, 450),
        # What the ceiling pays in full is not touched.
        (UNBOUND, 2_100_000, None, 2_100_000, None),
        # Several answers share what is paid for, and each has the floor.
        (Features(False, 10, 100, choices=4), 4_100_000, None, 4_100_000, 2000),
        (Features(False, 10, 100, choices=3), 4_100_000, None, 4_096_000, 1998),
        (Features(False, 10, 100, choices=3), 10, None, 1_636_000, 768),
    ],
)
def test_an_answer_is_clamped_to_what_can_be_paid(
    features: Features, ceiling: int | None, left: int | None, usd_nanos: int, clamp: int | None
) -> None:
    bound = bound_within(model(1000), features, ceiling=ceiling, left=left)

    assert (bound.usd_nanos, bound.output_tokens_max) == (usd_nanos, clamp)


def test_an_unknown_longest_answer_makes_no_small_budget_useless() -> None:
    bound = bound_within(model(None), UNBOUND, ceiling=None, left=10_000_000)

    assert upper_bound_usd_nanos(model(None), UNBOUND) > 200_000_000
    assert bound == Bound(2_500_000, 1200)


def test_without_a_price_there_is_nothing_to_set_aside() -> None:
    assert bound_within(model(1000, None), UNBOUND, ceiling=1, left=1) == Bound(0)


def test_free_output_is_never_clamped() -> None:
    bound = bound_within(model(1000, Price(1_000_000_000, 0)), UNBOUND, ceiling=None, left=10)

    assert bound.output_tokens_max is None


def features(choices: int, asked: int | None, input_tokens_max: int) -> Features:
    limit = None if asked is None else asked * choices
    return Features(False, 1, input_tokens_max, output_tokens_max=limit, choices=choices)


FEATURES = st.builds(
    features, st.integers(1, 8), st.none() | st.integers(0, 200_000), st.integers(0, 10**6)
)
PRICES = st.builds(Price, st.integers(0, 10**11), st.integers(0, 10**11))
MODELS = st.builds(model, st.none() | st.integers(1, 200_000), PRICES)
MONEY = st.none() | st.integers(0, 10**12)


@given(candidate=MODELS, asked=FEATURES, ceiling=MONEY, left=MONEY)
def test_a_bound_keeps_to_what_pays_or_is_the_least_and_never_grows(
    candidate: Candidate, asked: Features, ceiling: int | None, left: int | None
) -> None:
    bound = bound_within(candidate, asked, ceiling=ceiling, left=left)

    least = least_bound(candidate, asked)
    longest = output_tokens_bound(candidate, asked)
    paid = all(one is None or bound.usd_nanos <= one for one in (ceiling, left))
    assert least.usd_nanos <= bound.usd_nanos <= upper_bound_usd_nanos(candidate, asked)
    assert paid or bound.usd_nanos == least.usd_nanos
    written, each = bound.output_tokens_max, asked.choices
    if written is not None:
        assert written % each == 0
        assert min(OUTPUT_TOKENS_FLOOR * each, longest // each * each) <= written <= longest


FREE_OUTPUT = Price(input=1_000_000_000, output=0)
BY_UNIT = Price(input=1_000_000_000, output=2_000_000_000, unit=7)


@pytest.mark.parametrize(
    ("price", "features", "usd_nanos"),
    [
        (None, UNBOUND, 0),
        (FREE_OUTPUT, UNBOUND, 100_000),
        (BY_UNIT, Features(input_tokens_max=100, output_tokens_max=50, units_max=3), 200_021),
        (PRICE, UNBOUND, 612_000),
    ],
)
def test_the_least_bound_says_that_there_is_no_smaller_one(
    price: Price | None, features: Features, usd_nanos: int
) -> None:
    bound = least_bound(model(1000, price), features)

    assert (bound.usd_nanos, bound.least) == (usd_nanos, True)


@pytest.mark.parametrize(
    ("price", "features", "left", "least"),
    [
        (FREE_OUTPUT, UNBOUND, 10, True),
        (BY_UNIT, Features(input_tokens_max=100, units_max=3), 10, True),
        # A quarter of this pays for the floor and not one token more.
        (PRICE, UNBOUND, 4 * 612_000, True),
        (PRICE, UNBOUND, 4 * 614_000, False),
        (PRICE, UNBOUND, 100_000_000, False),
    ],
)
def test_a_bound_says_whether_a_smaller_one_could_be_paid(
    price: Price, features: Features, left: int, *, least: bool
) -> None:
    assert bound_within(model(1000, price), features, ceiling=None, left=left).least is least
