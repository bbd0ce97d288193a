"""Requests begin so many in one turn of the event loop, and the others in the turns after it.

To begin a request takes far longer than to pass on a chunk of a stream. When hundreds come at
once, and all of them began in one turn, then no stream that runs would move before the last
had begun, and again at each of their later steps. So beside streams few begin in a turn, and
then the loop looks for what the streams have brought; nobody waits longer for it, as who begins
later would have been served later all the same. Where no stream runs, nobody is held up but by
the look itself, and many begin.
"""

import asyncio
from collections import deque
from collections.abc import Callable

AT_ONCE = 32
AT_ONCE_BESIDE_STREAMS = 2


class Turnstile:
    """Lets requests begin, in the order of their coming. One serves a whole event loop.

    Attributes:
        streams: how many are running.
    """

    __slots__ = ("_begun", "_waiting", "streams")

    def __init__(self) -> None:
        self.streams = 0
        self._begun = 0
        self._waiting: deque[Callable[[], None]] = deque()

    def enter(self, begin: Callable[[], None], loop: asyncio.AbstractEventLoop) -> None:
        """Have a request begin, now or in one of the next turns."""
        if not self._begun:
            loop.call_soon(self._turn, loop)
        if self._begun < self._at_once() and not self._waiting:
            self._begun += 1
            begin()
        else:
            self._waiting.append(begin)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting = self._waiting
        self._begun = begins = min(len(waiting), self._at_once())
        if begins:
            loop.call_soon(self._turn, loop)
        for _ in range(begins):
            waiting.popleft()()

    def _at_once(self) -> int:
        return AT_ONCE_BESIDE_STREAMS if self.streams else AT_ONCE
