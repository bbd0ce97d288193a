"""What a swapped answer costs: the dearer of the model asked for and the one that answered."""

import pytest

from omniroute.routing.conversation import Delta, Usage
from omniroute.routing.model import ModelFacts, Piece, Price
from tests.fakes import Script, World, account, world
from tests.routing.asking import answered

pytestmark = pytest.mark.anyio

PRICES = {"m": 1_000_000_000, "m-mini": 100_000_000, "m-pro": 7_000_000_000}


def priced(provider: str, model: str) -> ModelFacts:
    """Know the price of a token, in and out: $1, $0.1 and $7 per million; no other's."""
    price = PRICES.get(model)
    return ModelFacts(
        context_tokens_max=100_000,
        output_tokens_max=1_000,
        price=None if price is None else Price(price, price),
    )


def served_by(model: str) -> Script:
    delta = Delta(text="hi", finish="stop", usage=Usage(10, 2), model=model, ended=True)
    return lambda call: (Piece(b"", delta),)


def serving(model: str, asked: str = "m") -> World:
    return world(account("one", asked), scripts={f"one/{asked}": served_by(model)}, facts_by=priced)


@pytest.mark.parametrize(
    ("served", "cost", "swapped"),
    [
        ("m", 12_000, False),
        ("m-2026-01-31", 12_000, False),
        ("m-pro", 84_000, True),
        ("m-mini", 12_000, True),
        ("unheard-of", 12_000, True),
    ],
)
async def test_the_dearer_of_both_prices_is_paid(served: str, cost: int, swapped: bool) -> None:
    here = serving(served)

    await answered(here, "one/m")
    outcome = here.ledger.records[-1].outcome

    assert (outcome.cost_usd_nanos, outcome.model_served) == (cost, served)
    assert [one.swapped for one in outcome.attempts] == [swapped]


async def test_an_unknown_price_stays_unknown_whoever_answered() -> None:
    here = serving("m-pro", asked="unheard-of")

    await answered(here, "one/unheard-of")

    assert here.ledger.records[-1].outcome.cost_usd_nanos is None
