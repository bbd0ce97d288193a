"""Tokens into money: every way a price can be made, to the nano-dollar."""

import pytest

from omniroute.routing.accounting.cost import (
    cache_saving_usd_nanos,
    cost_usd_nanos,
    dearest_input,
    expected_output_tokens,
    expected_usd_nanos,
    output_tokens_bound,
    upper_bound_usd_nanos,
)
from omniroute.routing.conversation import Usage
from omniroute.routing.model import Candidate, Features, ModelFacts, Price
from omniroute.routing.moment import Expected

MTOK = 1_000_000
PLAIN = Price(input=3 * MTOK, output=15 * MTOK)
"""3 nano-dollars an input token, 15 an output token."""
CACHING = Price(input=4 * MTOK, output=20 * MTOK, cached_input=MTOK, cache_write=5 * MTOK)
PICTURE = Price(input=0, output=0, unit=40)


def candidate(
    price: Price | None,
    *,
    longest: int | None = None,
    expected: tuple[tuple[str, int], ...] | None = None,
) -> Candidate:
    told = None if expected is None else Expected(output_tokens=expected)
    facts = ModelFacts(price=price, output_tokens_max=longest)
    return Candidate("acc", "one", "m", "openai_chat", facts, expected=told)


@pytest.mark.parametrize(
    ("price", "usage", "usd_nanos"),
    [
        (PLAIN, Usage(), 0),
        (PLAIN, Usage(input_tokens=7), 21),
        (PLAIN, Usage(output_tokens=7), 105),
        (PLAIN, Usage(input_tokens=7, output_tokens=2), 51),
        # Cached tokens are among the input's, and cost what input costs where no price says so.
        (PLAIN, Usage(input_tokens=7, cached_input_tokens=5), 21),
        (PLAIN, Usage(input_tokens=7, cache_write_tokens=5), 21),
        (CACHING, Usage(input_tokens=10, cached_input_tokens=6), 4 * 4 + 6),
        (CACHING, Usage(input_tokens=10, cache_write_tokens=6), 4 * 4 + 6 * 5),
        (CACHING, Usage(10, 3, 6, 2), 2 * 4 + 3 * 20 + 6 + 2 * 5),
        (CACHING, Usage(10, 0, 10), 10),
        (CACHING, Usage(10, 0, 9), 4 + 9),
        # More of it than there was input: what is told of the cache counts, and nothing less.
        (CACHING, Usage(input_tokens=1, cached_input_tokens=6), 6),
        # A part of a nano-dollar is a whole one.
        (Price(input=1, output=0), Usage(input_tokens=1), 1),
        (Price(input=1, output=0), Usage(input_tokens=MTOK), 1),
        (Price(input=1, output=0), Usage(input_tokens=MTOK + 1), 2),
        # Units are counted beside tokens.
        (PICTURE, Usage(units=3), 120),
        (Price(MTOK, 2 * MTOK, unit=40), Usage(5, 6, units=3), 5 + 12 + 120),
        (PLAIN, Usage(units=3), 0),
        (None, Usage(input_tokens=7), None),
    ],
)
def test_each_token_is_paid_once_at_its_price(
    price: Price | None, usage: Usage, usd_nanos: int | None
) -> None:
    assert cost_usd_nanos(price, usage) == usd_nanos


@pytest.mark.parametrize(
    ("asked", "longest", "choices", "tokens"),
    [
        (None, None, 1, 128_000),
        (None, None, 3, 384_000),
        (900, None, 3, 900),
        (None, 1000, 1, 1000),
        (None, 1000, 3, 3000),
        (900, 1000, 1, 900),
        (4000, 1000, 1, 1000),
        (4000, 1000, 3, 3000),
        (2000, 1000, 3, 2000),
    ],
)
def test_an_answer_is_no_longer_than_asked_and_than_the_model_can(
    asked: int | None, longest: int | None, choices: int, tokens: int
) -> None:
    features = Features(output_tokens_max=asked, choices=choices)

    assert output_tokens_bound(candidate(PLAIN, longest=longest), features) == tokens


@pytest.mark.parametrize(
    ("price", "features", "usd_nanos"),
    [
        (PLAIN, Features(input_tokens_max=10, output_tokens_max=4), 90),
        # All input at the dearest of the input's prices.
        (CACHING, Features(input_tokens_max=10, output_tokens_max=4), 10 * 5 + 4 * 20),
        (Price(MTOK, 0, cached_input=9 * MTOK), Features(input_tokens_max=2), 18),
        (Price(3, 0), Features(input_tokens_max=1, output_tokens_max=1), 1),
        (PICTURE, Features(units_max=3, output_tokens_max=1), 120),
        (
            Price(MTOK, 2 * MTOK, unit=40),
            Features(input_tokens_max=5, units_max=3, output_tokens_max=6),
            5 + 12 + 120,
        ),
        (None, Features(input_tokens_max=10, output_tokens_max=4), 0),
    ],
)
def test_the_upper_bound_holds_whatever_the_answer_is(
    price: Price | None, features: Features, usd_nanos: int
) -> None:
    assert upper_bound_usd_nanos(candidate(price), features) == usd_nanos


def test_the_dearest_input_is_the_highest_of_its_prices() -> None:
    assert dearest_input(Price(0, 9)) == 0
    assert dearest_input(Price(1, 9)) == 1
    assert dearest_input(Price(1, 9, cached_input=2)) == 2
    assert dearest_input(Price(1, 9, cache_write=3)) == 3
    assert dearest_input(Price(4, 9, cached_input=2, cache_write=3)) == 4


@pytest.mark.parametrize(
    ("price", "tokens", "usd_nanos"),
    [
        (CACHING, 10, 30),
        (Price(2, 0, cached_input=1), 1_999_999, 1),
        # A cache that is dearer saves nothing, and costs nothing here.
        (Price(MTOK, 0, cached_input=2 * MTOK), 10, 0),
        (Price(5, 0, cached_input=5), MTOK, 0),
        (PLAIN, 10, 0),
        (None, 10, 0),
    ],
)
def test_a_cache_saves_the_difference(price: Price | None, tokens: int, usd_nanos: int) -> None:
    assert cache_saving_usd_nanos(price, tokens) == usd_nanos


@pytest.mark.parametrize(
    ("expected", "longest", "tokens"),
    [
        (None, None, 500),
        (None, 400, 400),
        ((("code", 70), ("general", 90), ("general", 95)), None, 90),
        ((("general", 90), ("code", 70)), None, 90),
        ((("code", 70),), None, 500),
        ((("general", 9000),), 4000, 4000),
    ],
)
def test_the_expected_length_is_the_familys_within_what_can_be(
    expected: tuple[tuple[str, int], ...] | None, longest: int | None, tokens: int
) -> None:
    told = candidate(PLAIN, longest=longest, expected=expected)

    assert expected_output_tokens(told, Features()) == tokens


@pytest.mark.parametrize(
    ("price", "features", "usd_nanos"),
    [
        (PLAIN, Features(input_tokens=10, output_tokens_max=4), 90),
        (PLAIN, Features(input_tokens=10), 10 * 3 + 500 * 15),
        (CACHING, Features(input_tokens=10, output_tokens_max=4), 10 * 4 + 4 * 20),
        (PICTURE, Features(units_max=3), 120),
        (Price(3, 0), Features(input_tokens=1), 1),
        (None, Features(input_tokens=10), None),
    ],
)
def test_the_expected_cost_is_at_the_plain_prices(
    price: Price | None, features: Features, usd_nanos: int | None
) -> None:
    assert expected_usd_nanos(candidate(price), features) == usd_nanos
