"""A clock that knows how often it was looked at."""

from tests.fakes import FakeClock


class WatchedClock(FakeClock):
    """As FakeClock; `looks` counts who asked for the time, of either kind."""

    looks = 0

    def now(self) -> float:
        self.looks += 1
        return super().now()

    def unix(self) -> float:
        self.looks += 1
        return super().unix()
