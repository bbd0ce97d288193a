"""A provider's rate limits, read from the headers of its answer. Pure.

Three families of names are in use, all of them "a family, what is told, what is counted":

    x-ratelimit-remaining-requests       OpenAI, Groq, Mistral, Cerebras (with a window's name)
    anthropic-ratelimit-tokens-remaining Anthropic, all by the minute
    x-ratelimit-remaining, ratelimit-remaining    others, of requests

A reset is a moment or a duration in any form that hints.moment_s reads. What cannot be read is
unknown; nothing here raises. Names are bounded by the connection, figures here.

Source: the vendors' documentation of their rate limit headers (read 2026-11).
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from msgspec import Struct

from ..health.quota import DIMENSIONS_MAX, Limit
from .hints import HINT_S_MAX, moment_s

_NAME = re.compile(rb"(x-|anthropic-)?ratelimit-(?!over-)([a-z][a-z-]{0,39})")
DIGITS_MAX = 15
_COUNT = re.compile(rb"-?\d{1,%d}" % DIGITS_MAX)
_TOLD = ("limit", "remaining", "reset")
SHAPES_MAX = 128
"""Sets of header names that are known."""

RESET_S_MAX = 24 * HINT_S_MAX
"""The longest window that is believed: a day."""


class _Named(Struct, frozen=True):
    """The names of the headers that tell of one limit, empty where none does."""

    dimension: str
    limit: bytes = b""
    remaining: bytes = b""
    reset: bytes = b""


def limits_of(headers: Mapping[bytes, bytes], *, now_unix_s: float) -> Sequence[Limit]:
    """Give what the headers tell, one Limit for each thing that is counted.

    Args:
        headers: of the answer, names in lower case.
        now_unix_s: the wall clock's time, compared with dates.
    """
    return [_limit(one, headers, now_unix_s) for one in _named(tuple(headers))]


@lru_cache(maxsize=SHAPES_MAX)
def _named(names: tuple[bytes, ...]) -> tuple["_Named", ...]:
    """Give the limits that headers of these names tell of.

    A provider sends the same names each time, and most send none of these.
    """
    told: dict[str, dict[str, bytes]] = {}
    for name in names:
        if b"ratelimit-" in name and (found := _NAME.fullmatch(name)) is not None:
            words = found[2].decode().split("-")
            part = next((word for word in words if word in _TOLD), None)
            if part is not None:
                words.remove(part)
                if found[1] == b"anthropic-":
                    words.append("minute")
                told.setdefault("-".join(words) or "requests", {})[part] = name
    return tuple(_Named(one, **parts) for one, parts in list(told.items())[:DIMENSIONS_MAX])


def _limit(named: "_Named", headers: Mapping[bytes, bytes], now_unix_s: float) -> Limit:
    reset_s = None
    if named.reset:
        value = headers[named.reset].decode("latin-1")
        reset_s = moment_s(value, now_unix_s=now_unix_s)
    return Limit(
        named.dimension,
        _count(headers[named.limit]) if named.limit else None,
        _count(headers[named.remaining]) if named.remaining else None,
        None if reset_s is None else min(reset_s, RESET_S_MAX),
    )


def _count(value: bytes) -> int | None:
    """Give a whole number that is not negative; a provider that overdrew a limit has none left."""
    if len(value) <= DIGITS_MAX and value.isdigit():
        return int(value)
    value = value.strip()
    return max(int(value), 0) if _COUNT.fullmatch(value) else None
