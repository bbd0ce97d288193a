"""The GET stream of a session of the older era, from its begin to its end."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from .streams import SESSION, Streams

Answer = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]


def session_of(scope: Scope) -> str:
    """Give the session that a request names; "" when it names none."""
    name = SESSION.encode()
    found = next((value for header, value in scope["headers"] if header == name), b"")
    return str(found.decode("latin-1"))


async def stand(
    streams: Streams, answer: Answer, scope: Scope, receive: Receive, send: Send
) -> None:
    """Have a stream answered, and tell on it what changes, until the client or its key is gone."""
    out = _Out(send)
    async with asyncio.TaskGroup() as group:
        answering = group.create_task(answer(scope, receive, out.send))
        telling = group.create_task(streams.stand(session_of(scope), scope))
        await asyncio.wait({answering, telling}, return_when=asyncio.FIRST_COMPLETED)
        telling.cancel()
        answering.cancel()
    await out.end()


class _Out:
    """Takes an answer, and ends it in order when who gives it was cancelled."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_open = False

    async def send(self, message: Message) -> None:
        """Pass on a part of the answer."""
        self._is_open = message["type"] == "http.response.start" or message.get("more_body", False)
        await self._send(message)

    async def end(self) -> None:
        """Say that nothing more comes, unless it was said."""
        if self._is_open:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
