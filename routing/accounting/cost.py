"""Tokens into money. Integers only, so sums never drift; an unknown price gives None."""

from ..conversation import Usage
from ..model import Candidate, Features, Price

TOKENS_PER_MTOK = 1_000_000
OUTPUT_TOKENS_EXPECTED = 500
"""How long an answer is expected to be where the candidate does not say."""
OUTPUT_TOKENS_UNKNOWN_MAX = 128_000
"""The output bound of a model that declares none."""


def cost_usd_nanos(price: Price | None, usage: Usage) -> int | None:
    """Give the price of one answer in nano-dollars, rounded up; each token counts once."""
    if price is None:
        return None
    fresh, exact = usage.input_tokens, usage.output_tokens * price.output
    if tokens := usage.cached_input_tokens:
        fresh -= tokens
        exact += tokens * (price.input if price.cached_input is None else price.cached_input)
    if tokens := usage.cache_write_tokens:
        fresh -= tokens
        exact += tokens * (price.input if price.cache_write is None else price.cache_write)
    if fresh > 0:
        exact += fresh * price.input
    if price.unit:
        exact += usage.units * price.unit * TOKENS_PER_MTOK
    return -(-exact // TOKENS_PER_MTOK)


def output_tokens_bound(candidate: Candidate, features: Features) -> int:
    """Give the most output tokens that the candidate can write for this request."""
    asked, longest = features.output_tokens_max, candidate.facts.output_tokens_max
    if longest is None:
        return OUTPUT_TOKENS_UNKNOWN_MAX * features.choices if asked is None else asked
    longest *= features.choices
    return longest if asked is None else min(asked, longest)


def upper_bound_usd_nanos(candidate: Candidate, features: Features) -> int:
    """Give the most the candidate can cost for this request; 0 when its price is unknown.

    Every input token is taken at the dearest input price: a provider may write all of it to
    its cache.
    """
    price = candidate.facts.price
    if price is None:
        return 0
    output = output_tokens_bound(candidate, features) * price.output
    if price.unit:
        output += features.units_max * price.unit * TOKENS_PER_MTOK
    return -(-(features.input_tokens_max * dearest_input(price) + output) // TOKENS_PER_MTOK)


def dearest_input(price: Price) -> int:
    """Give the highest price that an input token can have."""
    return max(price.input, price.cache_write or 0, price.cached_input or 0)


def cache_saving_usd_nanos(price: Price | None, tokens: int) -> int:
    """Give what reading so many tokens from the prompt cache saves; 0 where no price says so."""
    if price is None or price.cached_input is None:
        return 0
    return max(price.input - price.cached_input, 0) * tokens // TOKENS_PER_MTOK


def expected_output_tokens(candidate: Candidate, features: Features) -> int:
    """Give how long the candidate's answer will probably be, by the family of the question."""
    expected, family = OUTPUT_TOKENS_EXPECTED, features.family
    if candidate.expected is not None:
        for name, tokens in candidate.expected.output_tokens:
            if name == family:
                expected = tokens
                break
    return min(output_tokens_bound(candidate, features), expected)


def expected_usd_nanos(candidate: Candidate, features: Features) -> int | None:
    """Give what the candidate will probably cost; None when its price is unknown."""
    price = candidate.facts.price
    if price is None:
        return None
    # As cost_usd_nanos of a usage without cached tokens, which this is too often asked to make.
    exact = features.input_tokens * price.input
    exact += expected_output_tokens(candidate, features) * price.output
    if price.unit:
        exact += features.units_max * price.unit * TOKENS_PER_MTOK
    return -(-exact // TOKENS_PER_MTOK)
