"""Who answered a session last, known to all workers.

The next request of a conversation may come to another worker, and its prompt is cached where the
last one was answered. What one worker notes the others hear within TELL_S, many at a time, so
that a request costs a worker no message of its own.
"""

import asyncio
from collections.abc import Sequence

import msgspec

from omniroute.routing.accounting.sessions import Seat, Sessions
from omniroute.routing.model import Outcome

from .mail import Peers

SEATS = "seats"
TELL_S = 0.05

Key = tuple[str, str]
"""(session id, target)"""


class SharedSessions(Sessions):
    """The seats of the sessions of all workers."""

    def __init__(self, peers: Peers) -> None:
        super().__init__()
        self._peers = peers
        self._news: dict[Key, Seat | None] = {}
        peers.on(SEATS, self._hear)

    def note(self, outcome: Outcome, *, now_s: float) -> None:
        """Take note of who answered a session's request, and tell it soon."""
        super().note(outcome, now_s=now_s)
        request = outcome.request
        if request.session_id is None or outcome.status == "refused":
            return
        if not self._news:
            asyncio.get_running_loop().call_later(TELL_S, self._tell)
        key = (request.session_id, request.target)
        self._news[key] = self._seats.get(key)

    def _tell(self) -> None:
        news, self._news = self._news, {}
        self._peers.tell(SEATS, list(news.items()))

    async def _hear(self, words: Sequence[object]) -> None:
        for key, seat in msgspec.convert(words, list[tuple[Key, Seat | None]]):
            known = self._seats.get(key)
            if seat is None:
                self._seats.pop(key, None)
            elif known is None or known.at_s < seat.at_s:
                self.put(key, seat)
