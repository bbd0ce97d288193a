"""Prices of the user's own: they win over the table, for one model or for several at once.

A target is `provider/model`, or the beginning of such names followed by `*`; of several that fit
the longest counts. A price of the user's own has no tiers: what it says holds for every token.
"""

from collections.abc import Mapping, Sequence

from ..errors import BadRequest
from ..model import Price

PRICES_MAX = 2_000
TARGET_CHARS_MAX = 256
NANOS_MAX = 10**15
"""A million dollars per million tokens: beyond it somebody took one unit for another."""

Prices = tuple[tuple[str, Price], ...]


def with_prices(known: Sequence[tuple[str, Price]], changes: Mapping[str, Price | None]) -> Prices:
    """Give the prices with some of them changed; None takes one away.

    Raises:
        BadRequest: with the target that is wrong, or they are too many.
    """
    prices = dict(known)
    for target, price in changes.items():
        if price is None:
            prices.pop(target, None)
        else:
            prices[_checked(target)] = price
            _check_price(target, price)
    if len(prices) > PRICES_MAX:
        raise BadRequest(f"there are at most {PRICES_MAX} prices of your own", field="prices")
    return tuple(sorted(prices.items()))


def _checked(target: str) -> str:
    provider, _, model = target.partition("/")
    if not provider or not model or len(target) > TARGET_CHARS_MAX or not target.isprintable():
        raise BadRequest(
            f"a price is for provider/model, in at most {TARGET_CHARS_MAX} characters",
            field=target[:80],
        )
    if "*" in target[:-1] or "*" in provider:
        raise BadRequest("a `*` stands at the end of a model's name alone", field=target)
    return target


def _check_price(target: str, price: Price) -> None:
    parts = (price.input, price.output, price.cached_input, price.cache_write, price.unit)
    if any(one is not None and not 0 <= one <= NANOS_MAX for one in parts):
        most = NANOS_MAX // 10**9
        raise BadRequest(f"a price is 0 to {most} dollars per million tokens", field=target)
