"""How values look in a page: figures with their units, times, and what is not known.

What is not known is drawn as UNKNOWN and never as nought.
"""

from datetime import UTC, datetime

UNKNOWN = "–"  # noqa: RUF001 - a dash, as in every table of figures
_STEPS = ((60.0, "s"), (3_600.0, "min"), (86_400.0, "h"))
_SHORT = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_BYTES = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def money(usd: float | None) -> str:
    """Give an amount in US dollars with what matters of it: $12.30, $0.0042."""
    if usd is None:
        return UNKNOWN
    if usd == 0:
        return "$0"
    sign = "-" if usd < 0 else ""
    size = abs(usd)
    if size < 0.000001:
        return f"{sign}<$0.000001"
    if size >= 0.1:
        return f"{sign}${size:,.2f}"
    places = 4 if size >= 0.001 else 6
    return f"{sign}${size:.{places}f}"


def duration(ms: float | None) -> str:
    """Give a time in milliseconds as people say it: 12 ms, 3.4 s, 2 min."""
    if ms is None:
        return UNKNOWN
    if ms < 1:
        return f"{ms:.1f} ms" if ms else "0 ms"
    if ms < 1_000:
        return f"{ms:.0f} ms"
    if ms < 60_000:
        return f"{ms / 1_000:.1f} s"
    if ms < 3_600_000:
        return f"{ms / 60_000:.0f} min"
    return f"{ms / 3_600_000:.1f} h"


def count(number: float | None) -> str:
    """Give a number whole, with its thousands apart: 12,345."""
    return UNKNOWN if number is None else f"{number:,.0f}"


def short(number: float | None) -> str:
    """Give a large number short: 12.3k, 4.5M."""
    if number is None:
        return UNKNOWN
    for size, unit in _SHORT:
        if abs(number) >= size:
            return f"{number / size:.1f}{unit}"
    return f"{number:.0f}"


def share(part: float | None) -> str:
    """Give a part of one as a percentage: 0.0312 is 3.1 %."""
    if part is None:
        return UNKNOWN
    return f"{part:.1%}".replace("%", " %")


def size(number: float | None) -> str:
    """Give a number of bytes: 1.2 MiB."""
    if number is None:
        return UNKNOWN
    for unit_bytes, unit in _BYTES:
        if number >= unit_bytes:
            return f"{number / unit_bytes:.1f} {unit}"
    return f"{number:.0f} B"


def cut(text: str | None, chars: int = 200) -> str:
    """Give a text no longer than a page has room for; what was left out is counted."""
    if text is None:
        return UNKNOWN
    if len(text) <= chars:
        return text
    return f"{text[:chars]}… (+{len(text) - chars:,})"


def plain(number: float | None) -> str:
    """Give a number as a field of a form has it: no thousands, nothing where it is not known."""
    if number is None:
        return ""
    return str(int(number)) if number == int(number) else str(number)


def exact(at: float | str | datetime | None) -> str:
    """Give a time to the second, in UTC, in the form that programs read as well."""
    moment = moment_of(at)
    return UNKNOWN if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def ago(at: float | str | datetime | None, now: datetime | None = None) -> str:
    """Give how long ago a time is, or how far ahead: 3 min ago, in 2 h."""
    moment = moment_of(at)
    if moment is None:
        return UNKNOWN
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    size_s = abs(seconds)
    if size_s < 1:
        return "now"
    divisor, unit = 86_400.0, "d"
    below = 1.0
    for limit, name in _STEPS:
        if size_s < limit:
            divisor, unit = below, name
            break
        below = limit
    told = f"{size_s / divisor:.0f} {unit}"
    return f"{told} ago" if seconds > 0 else f"in {told}"


def moment_of(at: float | str | datetime | None) -> datetime | None:
    """Give a time that is told in seconds since 1970, in ISO 8601 or as it is."""
    if at is None or at == "":
        return None
    if isinstance(at, datetime):
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    if isinstance(at, str):
        found = datetime.fromisoformat(at)
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return datetime.fromtimestamp(at, UTC)
