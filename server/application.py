"""What a connection of our own asks for answers."""

from typing import Protocol

from starlette.types import Receive, Scope, Send

from .bounds import Bounds
from .exchange import Door, Head
from .refused import Refused
from .turnstile import Turnstile


class Application(Protocol):
    """What answers: its hot doors, and itself for all that is not hot.

    Attributes:
        busy: requests that are being answered now.
        last_s: monotonic time of the last request's end.
        turnstile: lets requests begin.
        bounds: how much is taken at once.
        refused: where what no door has answered is logged.
    """

    busy: int
    last_s: float
    turnstile: Turnstile
    bounds: Bounds
    refused: Refused

    def hot_door(self, head: Head) -> Door | None:
        """Give the door that answers a request by itself, None where there is none."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request that is not hot."""
        ...
