"""How slow the other side of a connection may be before it is let go.

    a head          complete within HEAD_S_MAX; what trickles in does not extend it
    a body          something within BODY_IDLE_S, and BODY_BYTES_A_S on average after that
    the next head   within the server's keep-alive
    an answer       taken so far that more can be written, within UNTAKEN_S_MAX

While the gateway itself does not read, nobody is too slow. What is not taken is bounded by the
transport's buffer: whoever answers waits when that is full.
"""

import asyncio
from collections.abc import Callable

HEAD_S_MAX = 5.0
BODY_IDLE_S = 30.0
BODY_BYTES_A_S = 500
UNTAKEN_S_MAX = 30.0
ENDING_S = 0.25
"""How long a connection without a request is kept when the gateway begins to end: a request may
be under way on it, and would be lost with it."""
NEVER_S = float("inf")


class Pace:
    """The clocks of one connection.

    Args:
        overdue: called when what was due has not come.
        stuck: called when the other side does not take what was sent.

    Attributes:
        due_s: the loop's time at which the connection is let go, unless something happens.
    """

    __slots__ = (
        *("_began_s", "_bytes", "_loop", "_overdue", "_stuck", "_timer", "_timer_s"),
        *("_untaken", "due_s"),
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        overdue: Callable[[], None],
        stuck: Callable[[], None],
    ) -> None:
        self.due_s = NEVER_S
        self._loop = loop
        self._overdue = overdue
        self._stuck = stuck
        self._timer: asyncio.TimerHandle | None = None
        self._timer_s = NEVER_S
        self._untaken: asyncio.TimerHandle | None = None
        self._began_s = 0.0
        self._bytes = 0

    def head_due(self) -> None:
        """Begin the deadline of a head."""
        self.due_in(HEAD_S_MAX)

    def ending_due(self) -> None:
        """Begin the deadline of a last request."""
        self.due_in(ENDING_S)

    def body_due(self) -> None:
        """Begin to wait for a body, or again after it was not read for a while."""
        self._began_s, self._bytes = self._loop.time(), 0
        self.due_in(BODY_IDLE_S)

    def body_came(self, size: int, *, is_first: bool) -> None:
        """Note a part of a body that is not whole."""
        if is_first:
            self.body_due()
            return
        self._bytes += size
        due_s = self._began_s + BODY_IDLE_S + self._bytes / BODY_BYTES_A_S
        self.due_in(min(BODY_IDLE_S, due_s - self._loop.time()))

    def due_in(self, seconds: float) -> None:
        """Have the connection let go after so long, unless something happens."""
        self.due_s = due_s = self._loop.time() + seconds
        # A timer that is too early only looks again: most requests leave it as it is.
        if due_s < self._timer_s:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_s = due_s
            self._timer = self._loop.call_at(due_s, self._look)

    def not_taken(self) -> None:
        """Note that what was sent waits for the other side."""
        if self._untaken is None:
            self._untaken = self._loop.call_later(UNTAKEN_S_MAX, self._stuck)

    def taken(self) -> None:
        """Note that the other side takes it."""
        if self._untaken is not None:
            self._untaken.cancel()
            self._untaken = None

    def stop(self) -> None:
        """Look at nothing any more."""
        self.due_s = NEVER_S
        self.taken()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """Let the connection go, if that is still due."""
        due_s, self._timer, self._timer_s = self.due_s, None, NEVER_S
        if due_s == NEVER_S:
            return
        left_s = due_s - self._loop.time()
        if left_s > 0:
            self.due_in(left_s)
        else:
            self.due_s = NEVER_S
            self._overdue()
