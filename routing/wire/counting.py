"""Providers' token counts into `Usage`, whatever they report.

A provider may report nonsense: a negative count, a huge one, a string. A count that is no
integer is taken as not reported; one out of range is moved to the range's end. Nothing is
ever added for safety: usage is what bills are made from.

Each dialect declares a struct of its counts. Good counts are decoded straight into it; an answer
that reports odd ones is decoded again without their types, and `counts_of` takes what is good.
"""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, TypeVar, get_args

import msgspec
from msgspec import structs

from ..conversation import Usage

# No model reads or writes as much in one call; the bound keeps later sums inside 64 bits.
TOKENS_MAX = 10**9

Count = Annotated[int, msgspec.Meta(ge=0, le=TOKENS_MAX)]

Counts = TypeVar("Counts", bound=msgspec.Struct)
Answer = TypeVar("Answer")


def count(value: object) -> int | None:
    """Give a count between 0 and TOKENS_MAX, None when it is not an integer."""
    if type(value) is not int:  # a bool is an int too, and no count
        return None
    return min(max(value, 0), TOKENS_MAX)


def counts_of(reported: object, kind: type[Counts]) -> Counts:
    """Give the counts that are reported, in a struct of this kind whose fields may all be None."""
    if type(reported) is kind:
        return reported
    if not isinstance(reported, Mapping):
        return kind()
    return kind(
        **{
            name: count(reported.get(word)) if part is None else counts_of(reported.get(word), part)
            for name, word, part in _fields(kind)
        }
    )


def decoded(
    body: bytes, counted: msgspec.json.Decoder[Answer], loose: msgspec.json.Decoder[Answer]
) -> Answer:
    """Give an answer, decoded a second time where only the looser decoder bears what it says.

    Raises:
        DecodeError, UnicodeDecodeError, RecursionError: neither does.
    """
    try:
        return counted.decode(body)
    except msgspec.ValidationError:
        return loose.decode(body)


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
    written = min(cache_write or 0, input_tokens - cached_tokens)
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_input_tokens=cached_tokens,
        cache_write_tokens=written,
        reasoning_tokens=min(reasoning or 0, output_tokens),
    )


def kept_for_an_hour(found: Usage, tokens: int) -> Usage:
    """Give usage of which so many of the cache-writing tokens are kept for an hour."""
    return structs.replace(found, cache_write_1h_tokens=min(tokens, found.cache_write_tokens))


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[tuple[str, str, type[msgspec.Struct] | None], ...]:
    """Give each field's name, the provider's word, and the struct of counts it has if any."""
    found = []
    for field in msgspec.structs.fields(kind):
        first = get_args(field.type)[0]
        part = first if isinstance(first, type) and issubclass(first, msgspec.Struct) else None
        found.append((field.name, field.encode_name, part))
    return tuple(found)
