"""What a gateway says outside of answers in the older protocol era: a GET that stays open.

It is opened with the session and followed for as long as the session is that one. When it
breaks it is opened again, after pauses that grow; when the gateway is gone or has forgotten
the session, the next call of the client opens that, and then this, again. It starts no gateway:
one that nobody asks anything may end. The newer era has `subscriptions/listen` instead, which
is a request like any other.
"""

import sys
import threading
from collections.abc import Callable

from .relay_gateway import Gateways
from .relay_http import BrokenOff, Exchange, NotReached, messages
from .relay_session import Session

PAUSE_S = 1.0
PAUSE_S_MAX = 30.0
AGAIN = (409, 429)
"""Refusals that pass: another stream of the session has not ended yet, or there are too many."""


class ServerStream:
    """Follows the stream of one session after the other.

    Args:
        headers: gives those of a GET.
        say: takes each message.
    """

    def __init__(
        self,
        gateways: Gateways,
        session: Session,
        headers: Callable[[], dict[str, str]],
        say: Callable[[bytes], None],
    ) -> None:
        self._gateways = gateways
        self._session = session
        self._headers = headers
        self._say = say
        self._lock = threading.Lock()
        self._followed: str | None = None
        self._exchange: Exchange | None = None
        self._ended = threading.Event()

    def follow(self) -> None:
        """Follow the session's stream from now on, unless that is done already."""
        session_id = self._session.session_id
        with self._lock:
            if session_id is None or session_id == self._followed:
                return
            self._followed = session_id
        threading.Thread(target=self._follow, args=(session_id,), daemon=True).start()

    def end(self) -> None:
        """Hang up."""
        self._ended.set()
        with self._lock:
            if self._exchange is not None:
                self._exchange.cut()

    def _follow(self, session_id: str) -> None:
        pause_s = PAUSE_S
        try:
            while self._is_followed(session_id):
                heard, goes_on = self._once()
                if not goes_on:
                    return
                pause_s = PAUSE_S if heard else min(pause_s * 2, PAUSE_S_MAX)
                self._ended.wait(pause_s)
        finally:
            with self._lock:
                if self._followed == session_id:
                    self._followed = None

    def _is_followed(self, session_id: str) -> bool:
        return self._session.session_id == session_id and not self._ended.is_set()

    def _once(self) -> tuple[bool, bool]:
        """Open the stream and follow it to its end.

        Returns:
            whether it was one, and whether it makes sense to open it again.
        """
        url = self._gateways.known_url()
        exchange = Exchange()
        with self._lock:
            self._exchange = exchange
        if url is None or self._ended.is_set():
            return False, False
        heard = False
        try:
            response = exchange.open("GET", url, b"", self._headers())
            if response.status != 200:
                return False, response.status in AGAIN or response.status >= 500
            heard = True
            for text in messages(response):
                self._say(text)
        except NotReached:
            return heard, False
        except BrokenOff as problem:
            if not self._ended.is_set():
                sys.stderr.write(f"omniroute: the stream of notifications broke off: {problem}\n")
        finally:
            exchange.close()
        return heard, True
