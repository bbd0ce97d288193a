"""The user's own prices, kept together as one setting: they are read as a whole."""

from collections.abc import Callable, Mapping

import msgspec

from omniroute.routing.catalog.price_rules import Prices, with_prices
from omniroute.routing.model import Price

from .database import Statement, Steps
from .fitness_rules import setting_put

PRICES = "prices"
"""The setting that holds them."""

_READ = Statement("SELECT value FROM settings WHERE name = $1", (PRICES,))


def prices_of(value: object, problems: list[str]) -> Prices:
    """Give the prices that the setting holds, none where it was never set or cannot be used."""
    try:
        return () if value is None else msgspec.convert(value, Prices)
    except msgspec.ValidationError as error:
        problems.append(f"the setting {PRICES!r} cannot be used: {error}")
        return ()


def price_steps(
    changes: Mapping[str, Price | None], now_unix_s: float, actor: str
) -> Callable[[], Steps[None]]:
    """Give the steps that change prices; as changes wait for one another, none is lost."""

    def steps() -> Steps[None]:
        rows = yield _READ
        known = prices_of(msgspec.json.decode(rows[0]["value"]) if rows else None, [])
        yield setting_put(PRICES, with_prices(known, changes), now_unix_s, actor)

    return steps
