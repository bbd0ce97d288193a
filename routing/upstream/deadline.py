"""A deadline that moves often and is rarely met.

Setting and cancelling a timer for each request, or for each read of a stream, costs more
than the read. So one timer sleeps until the deadline that held when it was started, and
looks again then. Only a deadline that comes nearer than the sleeping timer starts a new one.
"""

import asyncio
from collections.abc import Callable

NEVER_S = float("inf")


class Deadline:
    """Calls `passed` once `at_s` is over.

    Args:
        loop: its time is the deadline's.
        passed: called in the loop; it may set the next deadline.

    Attributes:
        at_s: the deadline, of the loop's time.
    """

    __slots__ = ("_armed_s", "_loop", "_passed", "_timer", "at_s")

    def __init__(self, loop: asyncio.AbstractEventLoop, passed: Callable[[], None]) -> None:
        self.at_s = NEVER_S
        self._loop = loop
        self._passed = passed
        self._timer: asyncio.TimerHandle | None = None
        self._armed_s = NEVER_S

    def move(self, at_s: float) -> None:
        """Set the deadline, nearer or further than before."""
        self.at_s = at_s
        if at_s < self._armed_s:
            self._arm()

    def relax(self, at_s: float) -> None:
        """Set the deadline; one that is nearer than before may be met late."""
        self.at_s = at_s
        if self._timer is None:
            self._arm()

    def stop(self) -> None:
        """Never call again, and let go of whoever was called."""
        self.at_s = NEVER_S
        self._passed = _nothing
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed_s = self.at_s
        self._timer = self._loop.call_at(self.at_s, self._look)

    def _look(self) -> None:
        self._timer = None
        self._armed_s = NEVER_S
        if self._loop.time() < self.at_s:
            self._arm()
        else:
            self._passed()


def _nothing() -> None:
    pass
