"""The doors of the hot path under ASGI: one door, and a second way to reach it.

Where a door is called by an ASGI client in this process, or by another ASGI server, `answer`
gives it the same Exchange that a connection of our own does.
"""

import asyncio
from collections.abc import Callable

from starlette.types import Receive, Scope, Send

from .exchange import Door, Head, Header, Wait, headers_of
from .v1.bodies import PACKED, read_body

HEAD = "omniroute.head"
"""Where a scope holds the head of a request that was let in."""


def head_of(scope: Scope) -> Head:
    """Give the head of a request that came by ASGI; the same one again after it was let in."""
    known: Head | None = scope.get(HEAD)
    if known is not None:
        return known
    headers: list[Header] = scope["headers"]
    peer, here = scope.get("client"), scope.get("server")
    head = Head(
        scope["method"],
        scope["path"],
        headers,
        peer=None if peer is None else str(peer[0]),
        port=None if here is None else here[1],
    )
    head.query = scope.get("query_string", b"")
    return head


async def answer(door: Door, scope: Scope, receive: Receive, send: Send) -> None:
    """Have a door answer one request; the client's going cancels the answering."""
    exchange = AsgiExchange(scope, receive, send, asyncio.current_task())
    try:
        await door(exchange)
    except asyncio.CancelledError:
        # Only the cancellation that the leaving client caused ends here.
        if not exchange.is_last_cancel():
            raise
    finally:
        exchange.close()


class AsgiExchange:
    """An Exchange of an ASGI request. Everything it sends has to be awaited."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, answerer: "asyncio.Task[None] | None"
    ) -> None:
        self.head = head_of(scope)
        self.body: bytes | None = None
        self._scope = scope
        self._receive = receive
        self._send = send
        self._answerer = answerer
        self._watcher: asyncio.Task[None] | None = None
        self._left = False

    async def read(self, bytes_max: int) -> bytes:
        """Give the body; from then on the client's going is noticed."""
        body = await read_body(self._scope, self._receive, bytes_max=bytes_max, packed=PACKED)
        # Lives exactly as long as the answering, so it is not a task left alone.
        watching = _watch(self._receive, self._leave)
        self._watcher = asyncio.get_running_loop().create_task(watching)
        return body

    def whole(self, status: int, lines: bytes, body: bytes) -> Wait:
        """Answer with a body that is complete."""
        return self._whole(status, lines, body)

    def start(self, status: int, lines: bytes) -> Wait:
        """Begin an answer whose length is not known yet."""
        headers = headers_of(lines)
        return self._send({"type": "http.response.start", "status": status, "headers": headers})

    def write(self, data: bytes) -> Wait:
        """Send a part of the answer."""
        return self._send({"type": "http.response.body", "body": data, "more_body": True})

    def end(self, data: bytes = b"") -> Wait:
        """Send the last part of the answer."""
        return self._send({"type": "http.response.body", "body": data})

    async def _whole(self, status: int, lines: bytes, body: bytes) -> None:
        headers = [*headers_of(lines), (b"content-length", b"%d" % len(body))]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    def is_last_cancel(self) -> bool:
        """Whether the client's going is why the answering is cancelled, and nothing else."""
        task = self._answerer
        return self._left and task is not None and task.uncancel() == 0

    def close(self) -> None:
        """Stop to look whether the client leaves."""
        if self._watcher is not None:
            self._watcher.cancel()

    def _leave(self) -> None:
        self._left = True
        if self._answerer is not None:
            self._answerer.cancel()


async def _watch(receive: Receive, leave: Callable[[], None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    leave()
