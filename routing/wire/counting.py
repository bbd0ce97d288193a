"""Providers' token counts into `Usage`, whatever they report.

A provider may report nonsense: a negative count, a huge one, a string. A count that is no
integer is taken as not reported; one out of range is moved to the range's end. Nothing is
ever added for safety: usage is what bills are made from.
"""

from collections.abc import Mapping

from ..conversation import Usage

# No model reads or writes as much in one call; the bound keeps later sums inside 64 bits.
TOKENS_MAX = 10**9


def count(value: object) -> int | None:
    """Give a count between 0 and TOKENS_MAX, None when it is not an integer."""
    if type(value) is not int:  # a bool is an int too, and no count
        return None
    return min(max(value, 0), TOKENS_MAX)


def count_in(values: object, *path: str) -> int | None:
    """Give the count at a path of nested objects, None when there is none."""
    for name in path:
        if not isinstance(values, Mapping):
            return None
        values = values.get(name)
    return count(values)


def usage(
    *,
    input_tokens: int,
    output_tokens: int,
    cached: int | None = None,
    cache_write: int | None = None,
    reasoning: int | None = None,
) -> Usage:
    """Give usage in which no part is larger than the whole it is a part of."""
    cached_tokens = min(cached or 0, input_tokens)
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_input_tokens=cached_tokens,
        cache_write_tokens=min(cache_write or 0, input_tokens - cached_tokens),
        reasoning_tokens=min(reasoning or 0, output_tokens),
    )
