"""When a provider says that asking again makes sense.

Providers say it in a header (seconds, a date, milliseconds), in a structured detail of the
error, in the rate limit's own headers, or only in the message. The most exact one counts.
Everything is bounded: a hint is between HINT_S_MIN and HINT_S_MAX whatever was said, and
text that cannot be read is no hint.

Source: RFC 9110, section 10.2.3, for Retry-After; the vendors' documentation of their rate
limit headers and errors (read 2026-11) for the rest.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

HINT_S_MIN = 1.0
HINT_S_MAX = 3600.0

TEXT_CHARS_MAX = 500
"""How much of a message is searched for a hint."""

MOMENTS_MAX = 1024
"""Moments and durations that are known as they were written."""

Headers = Mapping[bytes, bytes]
Json = Mapping[str, object]

_UNIX_S_MIN = 1_700_000_000.0
_UNIX_MS_MIN = 1_700_000_000_000.0
_NUMBER = re.compile(r"\d{1,15}(\.\d{1,9})?")
_STEP = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s{0,2}([a-z]{1,12})", re.IGNORECASE)
_UNITS_S = {
    "ms": 0.001,
    "millisecond": 0.001,
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "m": 60.0,
    "min": 60.0,
    "minute": 60.0,
    "h": 3600.0,
    "hr": 3600.0,
    "hour": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
}
_TEXT = re.compile(
    r"(?:(?:re)?try(?:ing)?(?:\s{1,3}again)?\s{1,3}(?:in|after)|resets?\s{1,3}in|wait(?:\s{1,3}for)?)"
    r"\s{1,3}((?:\d{1,15}(?:\.\d{1,9})?\s{0,2}[a-z]{0,12}\s{0,2}){1,4})",
    re.IGNORECASE,
)
_LIMITED = re.compile(rb"(?:x-ratelimit|anthropic-ratelimit|ratelimit)[a-z0-9-]*")


def retry_hint_s(
    headers: Headers, details: tuple[Json, ...], message: str, *, now_unix_s: float
) -> float | None:
    """Give the seconds to wait, None when the provider named none.

    Args:
        headers: of the answer, names in lower case.
        details: the structured details of the error, such as Gemini's.
        message: the error's text.
        now_unix_s: the wall clock's time, compared with dates.
    """
    for found in (
        _from_milliseconds(headers.get(b"retry-after-ms")),
        moment_s(_text(headers.get(b"retry-after")), now_unix_s=now_unix_s),
        _from_details(details),
        _from_spent_limits(headers, now_unix_s),
        _from_text(message),
        _from_any_limit(headers, now_unix_s),
    ):
        if found is not None:
            return min(max(found, HINT_S_MIN), HINT_S_MAX)
    return None


def moment_s(value: str | None, *, now_unix_s: float) -> float | None:
    """Give the seconds until a moment in any form that providers write it.

    Args:
        value: seconds ("12", "1.5"), a duration ("1h2m3s4ms", "20 seconds"), a moment since
            1970 in seconds or milliseconds, an HTTP date or an ISO date.
        now_unix_s: the wall clock's time.

    Returns:
        Seconds from now, 0 when the moment has passed; None when it is none of these.
    """
    if value is None:
        return None
    read = _read(value.strip()[:64])
    if read is None:
        return None
    seconds, from_1970 = read
    return max(seconds - now_unix_s, 0.0) if from_1970 else seconds


def duration_s(text: str) -> float | None:
    """Give the seconds of a duration such as `1h2m3s4ms` or `20 seconds`; None if it is none."""
    total, at = 0.0, 0
    while at < len(text):
        step = _STEP.match(text, at)
        unit = None if step is None else _unit_s(step[2].lower())
        if step is None or unit is None:
            return None
        total += float(step[1]) * unit
        at = step.end()
        while at < len(text) and text[at] in " ,":
            at += 1
    return total if at else None


@lru_cache(maxsize=MOMENTS_MAX)
def _read(text: str) -> tuple[float, bool] | None:
    """Give seconds, and whether they count from 1970; answers repeat what they tell of limits."""
    if _NUMBER.fullmatch(text):
        number = float(text)
        if number >= _UNIX_MS_MIN:
            number /= 1000.0
        return number, number >= _UNIX_S_MIN
    seconds = duration_s(text)
    if seconds is not None:
        return seconds, False
    date_s = _date_s(text)
    return None if date_s is None else (date_s, True)


def _unit_s(word: str) -> float | None:
    return _UNITS_S.get(word) or _UNITS_S.get(word.removesuffix("s"))


def _date_s(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()


def _from_milliseconds(value: bytes | None) -> float | None:
    text = _text(value)
    return float(text) / 1000.0 if text and _NUMBER.fullmatch(text) else None


def _from_details(details: tuple[Json, ...]) -> float | None:
    """Read Gemini's RetryInfo: `{"@type": "...RetryInfo", "retryDelay": "12s"}`."""
    for detail in details:
        delay = detail.get("retryDelay")
        if isinstance(delay, str):
            return duration_s(delay[:64])
    return None


def _from_spent_limits(headers: Headers, now_unix_s: float) -> float | None:
    """Give the last reset among the limits of which nothing remains."""
    waits = [
        wait
        for name, value in headers.items()
        if b"remaining" in name and _LIMITED.fullmatch(name) and value.strip() == b"0"
        for wait in (_reset_s(headers, name.replace(b"remaining", b"reset"), now_unix_s),)
        if wait is not None
    ]
    return max(waits, default=None)


def _from_any_limit(headers: Headers, now_unix_s: float) -> float | None:
    """Give the first reset of any limit: which of them was hit is not known."""
    waits = [
        wait
        for name in headers
        if b"reset" in name and _LIMITED.fullmatch(name)
        for wait in (_reset_s(headers, name, now_unix_s),)
        if wait is not None
    ]
    return min(waits, default=None)


def _reset_s(headers: Headers, name: bytes, now_unix_s: float) -> float | None:
    return moment_s(_text(headers.get(name)), now_unix_s=now_unix_s)


def _from_text(message: str) -> float | None:
    found = _TEXT.search(message[:TEXT_CHARS_MAX])
    if found is None:
        return None
    words = found[1].strip()
    return float(words) if _NUMBER.fullmatch(words) else duration_s(words)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1").strip()
