"""What the edge refuses, where it is written down: a line for each, of a flood the first ones.

Anybody who can open a connection can have requests refused, and as fast as they like. So of
LINES_S at most LINES_MAX refusals are logged, and the first line after that says how many were
not. With the access log on each has its line: who asked for a line of every request gets them.
"""

import logging
import time
from collections.abc import Callable

from omniroute.routing.engine import new_request_id

from .edge_answers import Refusal

LINES_MAX = 20
LINES_S = 10.0

log = logging.getLogger("omniroute")


class Refused:
    """The refusals of one process.

    Args:
        now: monotonic seconds.

    Attributes:
        tells_all: each is logged, however many they are.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.tells_all = False
        self._now = now
        self._began_s = -LINES_S
        self._lines = 0
        self._left_out = 0

    def answer(self, refusal: Refusal, peer: str | None) -> bytes:
        """Log the refusal of a request that has no name yet; gives the whole answer."""
        request_id = new_request_id()
        self.note(refusal, request_id, peer)
        return refusal.named(request_id).data

    def note(self, refusal: Refusal, request_id: str, peer: str | None) -> None:
        """Log the refusal of a request, unless too many were logged just now."""
        if not (self.tells_all or self._has_room()):
            self._left_out += 1
            return
        left_out, self._left_out = self._left_out, 0
        log.warning(
            "request_refused",
            extra={
                "request_id": request_id,
                "status": refusal.status,
                "error": refusal.code,
                "peer": peer,
                "left_out": left_out or None,
            },
        )

    def _has_room(self) -> bool:
        now_s = self._now()
        if now_s - self._began_s >= LINES_S:
            self._began_s, self._lines = now_s, 0
        self._lines += 1
        return self._lines <= LINES_MAX
