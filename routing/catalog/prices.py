"""What is known of a model: its price, its context window, what it is for.

The table is `prices.json`, made from the maintained package genai-prices when the lock files
are (see requirements/prices.py, which also says what a note in it means). It is read when the
first fact is asked for, not at import. What the table does not know is None: an unknown price
is unknown, never free. Servers on the user's own machine cost nothing and say so with a 0.

Prices here have no tiers: of a tiered one the base is given, its source says "tiered", and
`tiers_of` gives the rest. A user's own prices go on top, as overrides.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path

import msgspec

from ..model import Capability, ModelFacts, Price
from .kinds import kind_of
from .providers import provider_named
from .services import with_service
from .simulated import SIMULATED_PROVIDER, simulated_facts

Facts = Callable[[str, str], ModelFacts]
"""A provider's name and a model's name to what is known of it."""

FACTS_CACHED_MAX = 8192
"""Facts kept; model names are free text, so the least used go."""

_FREE = Price(0, 0)
_TABLE = Path(__file__).with_name("prices.json")


class _Row(msgspec.Struct, array_like=True, frozen=True):
    """One model of one list. `names` are alternatives, each one or several conditions."""

    names: tuple[str | tuple[str, ...], ...]
    context_tokens_max: int | None = None
    price: tuple[int | None, ...] = ()
    notes: str = ""
    tiers: tuple[tuple[int | None, ...], ...] = ()


class _File(msgspec.Struct, frozen=True):
    source: str
    on: str
    lists: dict[str, tuple[_Row, ...]]


@dataclass(frozen=True, slots=True)
class _PriceList:
    """One provider's rows; the first that matches a name counts, as in the package."""

    rows: tuple[_Row, ...]
    exact: dict[str, int]
    rules: tuple[tuple[int, tuple[str, ...]], ...]

    def find(self, model: str) -> _Row | None:
        name = model.lower()
        place = self.exact.get(name, len(self.rows))
        for ruled, conditions in self.rules:
            if ruled >= place:
                break
            if all(_holds(condition, name) for condition in conditions):
                return self.rows[ruled]
        return self.rows[place] if place < len(self.rows) else None


@lru_cache(maxsize=FACTS_CACHED_MAX)
def facts_of(provider: str, model: str) -> ModelFacts:
    """Give what is known of a model at a provider; of an unknown one only its kind."""
    if provider == SIMULATED_PROVIDER:
        return simulated_facts(model)
    return with_service(_listed_facts(provider, model), provider, model)


def _listed_facts(provider: str, model: str) -> ModelFacts:
    known = provider_named(provider)
    kinds: tuple[Capability, ...] = (kind_of(model),)
    if known is not None and known.local:
        return ModelFacts(price=_FREE, capabilities=kinds, price_source="local")
    tools = False if known is not None and not known.quirks.tools else None
    images = False if known is not None and known.quirks.text_only else None
    row = _find(provider, model)
    if row is None:
        return ModelFacts(capabilities=kinds, tools=tools, images=images)
    source = f"{_file().source} of {_file().on}"
    return ModelFacts(
        context_tokens_max=row.context_tokens_max,
        price=_price(row.price),
        capabilities=kinds,
        tools=tools,
        images=images,
        price_source=f"{source}; {row.notes}" if row.notes else source,
    )


def tiers_of(provider: str, model: str) -> tuple[tuple[int, Price], ...]:
    """Give the dearer prices of a tiered one, each with its threshold, lowest first.

    With more input tokens than a threshold all of a request's tokens cost that tier's price.
    """
    row = _find(provider, model)
    found: list[tuple[int, Price]] = []
    for start, *parts in row.tiers if row is not None else ():
        price = _price(tuple(parts))
        if start is not None and price is not None:
            found.append((start, price))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Override:
    """What a user says of models; it wins over the table. None leaves a fact as it is.

    Attributes:
        target: `provider/model`, or the beginning of such names followed by `*`.
    """

    target: str
    price: Price | None = None
    context_tokens_max: int | None = None
    output_tokens_max: int | None = None
    capabilities: tuple[Capability, ...] | None = None


def with_override(facts: ModelFacts, override: Override) -> ModelFacts:
    """Give the facts with what the override says in their place."""
    priced = override.price is not None
    return replace(
        facts,
        price=override.price if priced else facts.price,
        price_source="override" if priced else facts.price_source,
        context_tokens_max=_either(override.context_tokens_max, facts.context_tokens_max),
        output_tokens_max=_either(override.output_tokens_max, facts.output_tokens_max),
        capabilities=override.capabilities or facts.capabilities,
    )


def overridden(facts: Facts, overrides: Sequence[Override]) -> Facts:
    """Give the facts with a user's overrides on top; of several that fit the longest counts."""
    if not overrides:
        return facts
    by_length = sorted(overrides, key=lambda one: len(one.target), reverse=True)

    def look_up(provider: str, model: str) -> ModelFacts:
        name, found = f"{provider}/{model}", facts(provider, model)
        fitting = (one for one in by_length if fits(one.target, name))
        override = next(fitting, None)
        return found if override is None else with_override(found, override)

    return look_up


def priced(facts: Facts, prices: Sequence[tuple[str, Price]]) -> Facts:
    """Give the facts with a user's prices in place of the table's."""
    return overridden(facts, [Override(target, price) for target, price in prices])


def fits(pattern: str, name: str) -> bool:
    """Whether a name is the pattern, or begins with what stands before a final `*`."""
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _either(wanted: int | None, known: int | None) -> int | None:
    return known if wanted is None else wanted


@cache
def _file() -> _File:
    return msgspec.json.decode(_TABLE.read_bytes(), type=_File)


@cache
def _price_list(list_id: str) -> _PriceList:
    rows = _file().lists.get(list_id, ())
    exact: dict[str, int] = {}
    rules: list[tuple[int, tuple[str, ...]]] = []
    for place, row in enumerate(rows):
        for one in row.names:
            conditions = (one,) if isinstance(one, str) else one
            if len(conditions) == 1 and conditions[0].startswith("="):
                exact.setdefault(conditions[0][1:], place)
            else:
                rules.append((place, conditions))
    return _PriceList(rows, exact, tuple(rules))


def _find(provider: str, model: str) -> _Row | None:
    known = provider_named(provider)
    if known is None or known.price_list is None:
        return None
    return _price_list(known.price_list).find(model)


def _price(parts: tuple[int | None, ...]) -> Price | None:
    """Give a row's [input, output, cached input, cache write], of which the last may lack."""
    if not parts or parts[0] is None:
        return None
    given = (*parts, None, None, None)
    return Price(parts[0], given[1] or 0, given[2], given[3])


def _holds(condition: str, name: str) -> bool:
    sign, text = condition[0], condition[1:]
    if sign == "=":
        return name == text
    if sign == "^":
        return name.startswith(text)
    if sign == "$":
        return name.endswith(text)
    if sign == "*":
        return text in name
    return re.search(text, name) is not None
