"""When a client's session began, where that is known.

The older protocol era has sessions over HTTP: one begins with the answer that names its id. The
newer era has none, and neither has a gateway without state; but the relay on stdio lives as long
as its client, and says in a header when it began. All a client could gain by saying something
else is another stretch of time of its own key's figures.
"""

import math
from collections import OrderedDict
from collections.abc import Callable

from starlette.types import Message, Scope, Send

BEGAN = "omniroute.session_began"
"""Where an ASGI scope carries when the session began."""
BEGAN_HEADER = b"x-omniroute-session-start"
"""Seconds since 1970."""
ID_HEADER = b"mcp-session-id"
KNOWN_MAX = 2000
"""Sessions that are remembered; the oldest go first."""


class Sessions:
    """Remembers when sessions began.

    Args:
        unix: gives seconds since 1970.
    """

    def __init__(self, unix: Callable[[], float]) -> None:
        self._unix = unix
        self._began: OrderedDict[bytes, float] = OrderedDict()

    def began(self, scope: Scope) -> float | None:
        """Give when the session of a request began; None when it has none that is known."""
        headers = dict(scope["headers"])
        said = _seconds(headers.get(BEGAN_HEADER, b""))
        # A relay outlives its sessions: it opens one anew when the gateway has started again.
        return self._began.get(headers.get(ID_HEADER, b"")) if said is None else said

    def watched(self, send: Send) -> Send:
        """Give a `send` that notes the session which an answer opens."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                for name, value in message.get("headers", ()):
                    if name.lower() == ID_HEADER:
                        self._note(value)
            await send(message)

        return sending

    def _note(self, session_id: bytes) -> None:
        self._began.setdefault(session_id, self._unix())
        while len(self._began) > KNOWN_MAX:
            self._began.popitem(last=False)


def _seconds(value: bytes) -> float | None:
    try:
        seconds = float(value)
    except ValueError:
        return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None
