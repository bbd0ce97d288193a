"""The engine's units as the words and figures that tools answer with."""

from datetime import UTC, datetime


def usd(nanos: int | None) -> float | None:
    """Give nano-dollars in dollars; unknown stays unknown."""
    return None if nanos is None else nanos / 1e9


def iso(unix_s: float) -> str:
    """Give seconds since 1970 as ISO 8601 in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(unix_s, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(seconds: float) -> int:
    """Give whole milliseconds."""
    return round(seconds * 1000)


def duration(seconds: float) -> str:
    """Give a length of time in words: "45s", "3h 0m 12s", "2d 1h 5m 0s"."""
    minutes, left_s = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (left_s, "s")]
    while len(parts) > 1 and not parts[0][0]:
        parts.pop(0)
    return " ".join(f"{count}{unit}" for count, unit in parts)
