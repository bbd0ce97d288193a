"""Answers that go on, such as events: they end when whoever reads them may no more.

Who may is asked when a page is entered. What streams for hours asks again, at most once in
CHECK_S and before anything more is sent: a session that was signed out, or whose key was revoked,
sees nothing after that. To whom answers it looks as if the client had gone.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from starlette.types import Message, Receive, Send

CHECK_S = 1.0


class Lasting:
    """One answer.

    Args:
        may: says whether whoever reads it still may.
        receive: gives what the client sends, and that it has gone.
        send: sends to the client.
    """

    def __init__(self, may: Callable[[], Awaitable[bool]], receive: Receive, send: Send) -> None:
        self._may = may
        self._receive = receive
        self._send = send
        self._asked_s = time.monotonic()
        self._over = asyncio.Event()

    async def send(self, message: Message) -> None:
        """Send a part of the answer, unless it is over."""
        if self._over.is_set():
            return
        if message.get("more_body") and time.monotonic() - self._asked_s >= CHECK_S:
            self._asked_s = time.monotonic()
            if not await self._may():
                self._over.set()
                message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def receive(self) -> Message:
        """Give what the client sends; when the answer is over, that it has gone."""
        # Both end with this call.
        coming = asyncio.ensure_future(self._receive())
        ending = asyncio.ensure_future(self._over.wait())
        try:
            await asyncio.wait((coming, ending), return_when=asyncio.FIRST_COMPLETED)
            return coming.result() if coming.done() else {"type": "http.disconnect"}
        finally:
            for one in (coming, ending):
                one.cancel()
