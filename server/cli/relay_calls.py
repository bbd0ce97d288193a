"""The requests of one client that are under way: so many at once, and more that wait."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from .relay_http import Exchange, modern_version

CALLS_MAX = 64
"""Calls that run at once; each has a thread."""
WAITING_MAX = 1024
"""Calls that wait for one of those to end."""

CallKey = tuple[type, object]
"""A request's id with its type: 1 and "1" are two requests."""


class Call:
    """One request in progress.

    Attributes:
        modern: the protocol version that it carries; None in the older era.
        cancelled: nothing more is said of it.
    """

    def __init__(self, message: Mapping[str, Any], line: bytes) -> None:
        self.message = message
        self.line = line
        self.id = message["id"]
        self.method = str(message.get("method"))
        self.modern = modern_version(message)
        self.exchange = Exchange()
        self.cancelled = False
        self.answered = False

    @property
    def key(self) -> CallKey:
        """What it is found by."""
        return type(self.id), self.id


class Calls:
    """Runs calls, each in a thread.

    Args:
        answer: runs one call to its end; raises nothing.
    """

    def __init__(self, answer: Callable[[Call], None]) -> None:
        self._answer = answer
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._known: dict[CallKey, Call] = {}
        self._waiting: deque[Call] = deque()
        self._threads = 0

    def begin(self, call: Call) -> str:
        """Run a call, or have it wait; gives why it is not taken, empty when it is."""
        with self._lock:
            if call.key in self._known:
                return "a request with this id is still running"
            if len(self._waiting) >= WAITING_MAX:
                return f"{CALLS_MAX} requests run and {WAITING_MAX} wait; wait for one to end"
            self._known[call.key] = call
            if self._threads >= CALLS_MAX:
                self._waiting.append(call)
                return ""
            self._threads += 1
        threading.Thread(target=self._work, args=(call,), daemon=True).start()
        return ""

    def cancelled(self, request_id: str | int) -> Call | None:
        """Mark a call as cancelled and give it; None when it does not run, or must end well."""
        with self._lock:
            call = self._known.get((type(request_id), request_id))
            if call is None or call.method == "initialize":
                return None
            call.cancelled = True
            return call

    def end(self, within_s: float) -> None:
        """Give calls so long to end, then cut them."""
        until_s = time.monotonic() + within_s
        with self._lock:
            while self._known and (left_s := until_s - time.monotonic()) > 0:
                self._idle.wait(left_s)
            for call in self._known.values():
                call.cancelled = True
                call.exchange.cut()

    def _work(self, call: Call) -> None:
        """Answer a call, and then those that wait."""
        following: Call | None = call
        while following is not None:
            try:
                self._answer(following)
            finally:
                with self._lock:
                    del self._known[following.key]
                    self._idle.notify_all()
                    following = self._waiting.popleft() if self._waiting else None
                    if following is None:
                        self._threads -= 1
