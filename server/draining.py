"""How a gateway ends: nothing that it has taken is dropped in the middle.

    at once         /ready says no, nothing new is accepted; what was accepted is served
    ENDING_S        connections without a request are closed, when none has come by then
    patience_s      requests under way go on
    CUT_S           what still runs is cut: an answer that has not begun is an error, a stream ends
                    with its dialect's own error event, A2A tasks end as interrupted, and that is
                    stored
    LAST_S          whatever is left is cancelled; then its connections are closed

Answers tell their clients that the connection ends, so who uses a connection that is kept sends
its next request elsewhere.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from omniroute.routing.errors import Interrupted

LOOK_S = 0.05
CUT_S = 4.0
LAST_S = 0.5


@dataclass(frozen=True, slots=True)
class Drain:
    """The end of one web server.

    Attributes:
        connections: those that are open; each leaves by itself.
        tasks: that answer requests.
        patience_s: how long requests may go on.
        cutting: called when that is over, before any answer is cut.
        is_forced: whether it is to end at once.
    """

    connections: set[Any]
    tasks: set["asyncio.Task[None]"]
    patience_s: float
    cutting: Callable[[], None]
    is_forced: Callable[[], bool]

    async def run(self) -> None:
        """Wait until all has ended, by itself or by force."""
        if await self._ended_within(self.patience_s):
            return
        self.cutting()
        reason = Interrupted("the gateway is shutting down; send the request again")
        for hot, seconds in ((True, CUT_S), (False, LAST_S)):
            for one in tuple(self.connections):
                one.cut(reason, hot=hot)
            if await self._ended_within(seconds):
                return
        for one in tuple(self.connections):
            one.transport.abort()

    async def _ended_within(self, seconds: float) -> bool:
        """Wait so long at most; gives whether there is nothing left to wait for."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + seconds
        while not self.is_forced() and (self.connections or self.tasks):
            # Those that were on their way in when the listener was closed are told as well.
            for one in tuple(self.connections):
                one.shutdown()
            left_s = until_s - loop.time()
            if left_s <= 0:
                return False
            await asyncio.sleep(min(LOOK_S, left_s))
        return True
