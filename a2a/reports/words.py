"""Reading questions: times and names in them, and figures as words for the answers.

Pure: no question is guessed at. A time that is named and not understood is said so, because
an answer about another time would look right and be wrong.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from omniroute.routing.catalog.providers import provider_named
from omniroute.routing.usage import SECONDS_A_DAY, SECONDS_AN_HOUR

SECONDS: Mapping[str, int] = {
    "minute": 60,
    "hour": SECONDS_AN_HOUR,
    "day": SECONDS_A_DAY,
    "week": 7 * SECONDS_A_DAY,
    "month": 30 * SECONDS_A_DAY,
}

_COUNTED = re.compile(r"\b(?:last|past|previous)\s+(\d{1,4})\s+(minute|hour|day|week|month)s?\b")
_SINCE_START = re.compile(r"\b(?:session|uptime|so far|since (?:the |it )?(?:gateway'?s? )?start)")
_NAMED = re.compile(r"\b(hour|day|week|month)(?:ly)?\b|\b(daily)\b|\b(24 ?h(?:ours)?)\b")
_GROUPED = re.compile(
    r"\b(?:by|per|each|every|which|what|top)\s+(model|provider|combo|account|key|day|hour)s?\b"
)
_UNKNOWN = re.compile(
    r"\b(?:quarters?|years?|yearly|decades?|between|mondays?|tuesdays?|wednesdays?|thursdays?"
    r"|fridays?|saturdays?|sundays?|weekends?|january|february|march|april|june|july|august"
    r"|september|october|november|december|(?:in|of|since|for|during|last) may|christmas"
    r"|20\d\d|\d{1,2}[./]\d{1,2}[./])\b"
)
_VAGUE = re.compile(r"\b(?:since|until|till|ago|before|after|earlier)\b")
_WORD = re.compile(r"[a-z0-9][\w.:/@+-]*")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, in seconds since 1970, with the words that say when.

    Attributes:
        session: it has its own beginning, which is filled in later.
    """

    words: str
    since_unix_s: float
    until_unix_s: float | None = None
    session: bool = False


def span_of(text: str, now_unix_s: float) -> Span | Literal["unknown"] | None:
    """Give the time that a question names, None when it names none.

    Days are those of UTC; a day, a week or a month without a number are the last 24 hours, 7
    and 30 days.
    """
    plain = _GROUPED.sub(" ", text.lower())
    if _UNKNOWN.search(plain):
        return "unknown"
    known = _known(plain, now_unix_s)
    return "unknown" if known is None and _VAGUE.search(plain) else known


def _known(plain: str, now_unix_s: float) -> Span | None:
    counted = _COUNTED.search(plain)
    if counted:
        count, unit = int(counted[1]), counted[2]
        return Span(f"in the last {plural(count, unit)}", now_unix_s - count * SECONDS[unit])
    if _SINCE_START.search(plain):
        return Span("since the gateway was started", 0.0, session=True)
    midnight = now_unix_s - now_unix_s % SECONDS_A_DAY
    if "yesterday" in plain:
        return Span("yesterday (UTC)", midnight - SECONDS_A_DAY, midnight)
    if "today" in plain:
        return Span("today (UTC)", midnight)
    named = _NAMED.search(plain)
    return last(named[1] or "day", now_unix_s) if named else None


def last(unit: str, now_unix_s: float) -> Span:
    """Give the last hour, 24 hours, 7 days or 30 days."""
    words = {"hour": "hour", "day": "24 hours", "week": "7 days", "month": "30 days"}[unit]
    return Span(f"in the last {words}", now_unix_s - SECONDS[unit])


def grouped_by(text: str) -> str | None:
    """Give what a question wants figures put together by, such as "model"."""
    found = _GROUPED.search(text.lower())
    return None if found is None else found[1]


def words_of(text: str) -> list[str]:
    """Give the words of a question in lower case, names with slashes and dashes whole."""
    return [word.rstrip(".:") for word in _WORD.findall(text.lower())]


def providers_in(text: str, providers: Iterable[str]) -> tuple[str, ...]:
    """Give those of these providers that a question names, also by an alias."""
    words = words_of(text)
    known = {one.name for word in words if (one := provider_named(word)) is not None}
    return tuple(one for one in dict.fromkeys(providers) if one in known or one.lower() in words)


def has_word(text: str, *stems: str) -> bool:
    """Whether a word of the text begins with one of these."""
    return any(word.startswith(stems) for word in words_of(text))


def plural(count: int, noun: str) -> str:
    """Give "1 request", "2 requests"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def money(dollars: float | None) -> str:
    """Give an amount as people write it: enough digits that a small one is not nothing."""
    if dollars is None:
        return "an unknown amount"
    cents = f"${dollars:,.2f}"
    exact = f"${dollars:.6f}".rstrip("0")
    return cents if dollars >= 1 or not dollars or len(exact) < len(cents) else exact


def percent(share: float | None) -> str:
    """Give a share of 1 in percent."""
    return "unknown" if share is None else f"{share * 100:.4g} %"


def wait(seconds: float) -> str:
    """Give a length of time roughly: "45 s", "3 min", "2 h", "4 days"."""
    for unit, name in ((SECONDS_A_DAY, "days"), (SECONDS_AN_HOUR, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"


def listed(names: Sequence[str], *, most: int = 10) -> str:
    """Give names as a list in words, a long one cut."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def lines(heading: str, rows: Sequence[str], *, most: int = 10) -> str:
    """Give a heading with a line for each row, a long list cut."""
    left = len(rows) - most
    more = [f"- and {left} more"] if left > 0 else []
    return "\n".join([heading, *(f"- {row}" for row in rows[:most]), *more])
