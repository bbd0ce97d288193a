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

from ..health.quota import DIMENSIONS_MAX, Limit
from .hints import HINT_S_MAX, moment_s

_NAME = re.compile(rb"(x-|anthropic-)?ratelimit-(?!over-)([a-z][a-z-]{0,39})")
_COUNT = re.compile(rb"-?\d{1,15}")
_TOLD = ("limit", "remaining", "reset")
SHAPES_MAX = 128
"""Sets of header names that are known."""

RESET_S_MAX = 24 * HINT_S_MAX
"""The longest window that is believed: a day."""


def limits_of(headers: Mapping[bytes, bytes], *, now_unix_s: float) -> Sequence[Limit]:
    """Give what the headers tell, one Limit for each thing that is counted.

    Args:
        headers: of the answer, names in lower case.
        now_unix_s: the wall clock's time, compared with dates.
    """
    named = _named(tuple(headers))
    if not named:
        return ()
    told: dict[str, dict[str, bytes]] = {}
    for name, dimension, part in named:
        told.setdefault(dimension, {})[part] = headers[name].strip()
    return [_limit(dimension, parts, now_unix_s) for dimension, parts in told.items()]


@lru_cache(maxsize=SHAPES_MAX)
def _named(names: tuple[bytes, ...]) -> tuple[tuple[bytes, str, str], ...]:
    """Give the names that tell of a limit, each with its dimension and what it tells of it.

    A provider sends the same names each time, and most send none of these.
    """
    found: list[tuple[bytes, str, str]] = []
    for name in names:
        if b"ratelimit-" in name and (match := _NAME.fullmatch(name)) is not None:
            words = match[2].decode().split("-")
            part = next((word for word in words if word in _TOLD), None)
            if part is not None:
                words.remove(part)
                if match[1] == b"anthropic-":
                    words.append("minute")
                found.append((name, "-".join(words) or "requests", part))
    dimensions = tuple(dict.fromkeys(dimension for _, dimension, _ in found))[:DIMENSIONS_MAX]
    return tuple(one for one in found if one[1] in dimensions)


def _limit(dimension: str, parts: Mapping[str, bytes], now_unix_s: float) -> Limit:
    reset = parts.get("reset")
    seconds = None
    if reset is not None:
        seconds = moment_s(reset.decode("latin-1"), now_unix_s=now_unix_s)
    return Limit(
        dimension,
        limit=_count(parts.get("limit")),
        remaining=_count(parts.get("remaining")),
        reset_s=None if seconds is None else min(seconds, RESET_S_MAX),
    )


def _count(value: bytes | None) -> int | None:
    """Give a whole number that is not negative; a provider that overdrew a limit has none left."""
    return max(int(value), 0) if value is not None and _COUNT.fullmatch(value) else None
