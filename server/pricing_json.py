"""What `/api/pricing` speaks, as values; see management.py.

Prices are dollars per million tokens, as OmniRoute documents them. Reasoning tokens are a part
of the output and cost what the rest of it does; cached and written tokens are parts of the
input: each token is paid once.
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from omniroute.routing.errors import BadRequest
from omniroute.routing.model import ModelFacts, Price

NANOS = 10**9
Dollars = Annotated[float, Meta(ge=0, le=1_000_000)]


class PriceJson(Struct, frozen=True):
    """A model's price, and who says so: `override` is the user.

    `cached` and `cache_creation` of null cost what `input` does; `unit` is one picture, second
    and the like.
    """

    input: float
    output: float
    cached: float | None
    reasoning: float
    cache_creation: float | None
    unit: float | None
    source: str


class PriceWish(Struct, frozen=True, forbid_unknown_fields=True):
    """A price to be put over the table's; what is left out stays as it is."""

    input: Dollars | None = None
    output: Dollars | None = None
    cached: Dollars | None = None
    reasoning: Dollars | None = None
    cache_creation: Dollars | None = None
    unit: Dollars | None = None


PriceMap = dict[str, dict[str, PriceJson]]
PriceChanges = dict[str, dict[str, PriceWish | None]]
"""By provider and model; null takes the user's price away."""


class PricedModelJson(Struct, frozen=True, rename="camel"):
    """A model, and whether its price is known."""

    provider: str
    model: str
    priced: bool
    source: str | None


class PricedModelsJson(Struct, frozen=True):
    """The models of the accounts, and those that have a price of the user's own."""

    models: tuple[PricedModelJson, ...]


class RepriceWish(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Which requests on record to price anew; `after` goes on where the last answer ended."""

    range: str = "30d"
    provider: str | None = None
    model: str | None = None
    key: str | None = None
    dry_run: bool = False
    after: str = ""


class RepricedJson(Struct, frozen=True, rename="camel"):
    """What requests have cost, and what they would at today's prices.

    `cost` and `repricedCost` add up the requests that have both; `unpriced` have no price now.
    `after` is null when all are done.
    """

    range: str
    dry_run: bool
    requests: int
    changed: int
    unpriced: int
    cost: float
    repriced_cost: float
    after: str | None


def price_json(facts: ModelFacts) -> PriceJson | None:
    """Give what a model costs; None where nobody knows."""
    price = facts.price
    if price is None:
        return None
    return PriceJson(
        input=price.input / NANOS,
        output=price.output / NANOS,
        cached=_dollars(price.cached_input),
        reasoning=price.output / NANOS,
        cache_creation=_dollars(price.cache_write),
        unit=_dollars(price.unit),
        source=facts.price_source or "unknown",
    )


def wished_price(target: str, wish: PriceWish, known: Price | None) -> Price:
    """Give a price with what is left out taken from the one that is known.

    Raises:
        BadRequest: input or output is neither given nor known, or reasoning has its own price.
    """
    if known is None and (wish.input is None or wish.output is None):
        raise BadRequest(
            f"no price of {target} is known: give input and output both", field=f"{target}.input"
        )
    price = replace(known or Price(0, 0), **_given(wish))
    if wish.reasoning is not None and _nanos(wish.reasoning) != price.output:
        raise BadRequest(
            "reasoning tokens are a part of the output and cost the same: leave `reasoning` out",
            field=f"{target}.reasoning",
        )
    return price


def _given(wish: PriceWish) -> Mapping[str, int]:
    named = {
        "input": wish.input,
        "output": wish.output,
        "cached_input": wish.cached,
        "cache_write": wish.cache_creation,
        "unit": wish.unit,
    }
    return {name: _nanos(value) for name, value in named.items() if value is not None}


def _nanos(dollars: float) -> int:
    """Give nano-dollars exactly as they were written, not as a float holds them."""
    return round(Decimal(repr(dollars)) * NANOS)


def _dollars(nanos: int | None) -> float | None:
    return None if nanos is None else nanos / NANOS
