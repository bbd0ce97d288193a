"""The windows that budgets spend in: all of time, each day, each month; all in UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from .budget import Period


@dataclass(frozen=True, slots=True)
class Line:
    """One budget that pays, in one window; `window_start` is in seconds since 1970.

    One that `passes` pays beyond its cap.
    """

    budget_id: str
    window_start: int
    passes: bool = False


@dataclass(frozen=True, slots=True)
class Windows:
    """When the current day and month began, and until when that is so; all UTC."""

    day: int
    month: int
    until: int

    def start(self, period: Period) -> int:
        """Give the current window of a period; the whole of time begins at 0."""
        match period:
            case "total":
                return 0
            case "day":
                return self.day
            case "month":
                return self.month


def windows_at(unix_s: float) -> Windows:
    """Give the windows of a moment."""
    day = datetime.fromtimestamp(unix_s, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Windows(
        day=int(day.timestamp()),
        month=int(day.replace(day=1).timestamp()),
        until=int((day + timedelta(days=1)).timestamp()),
    )
