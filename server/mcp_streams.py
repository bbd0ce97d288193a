"""Answers that stay open: the GET by which MCP clients of the older era hear of changes.

A client that only listens is no work that is under way. A gateway that ends waits for requests
in flight, but closes these at once: their clients listen again, to whoever answers then. The
newer era's `subscriptions/listen` has a last word of its own: see tools/streams.py.
"""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from omniroute.routing.errors import RoutingError


class Streams:
    """The open streams of one gateway."""

    def __init__(self) -> None:
        self._open: set[asyncio.Timeout] = set()
        self._is_ending = False

    async def answer(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Have an application answer, until the client leaves or the gateway ends.

        Raises:
            RoutingError: the gateway is ending; nothing was sent.
        """
        if self._is_ending:
            error = RoutingError("the gateway is shutting down")
            error.status = 503
            raise error
        sent: Message = {}

        async def noted(message: Message) -> None:
            nonlocal sent
            sent = message
            await send(message)

        try:
            async with asyncio.timeout(None) as limit:
                self._open.add(limit)
                try:
                    await app(scope, receive, noted)
                finally:
                    self._open.discard(limit)
        except TimeoutError:
            if not limit.expired():
                raise
        if limit.expired() and not sent:
            await send({"type": "http.response.start", "status": 503, "headers": []})
        if limit.expired() and (not sent or _goes_on(sent)):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def end(self) -> None:
        """Close all of them, and those that come."""
        self._is_ending = True
        now_s = asyncio.get_running_loop().time()
        for limit in self._open:
            limit.reschedule(now_s)


def _goes_on(sent: Message) -> bool:
    """Whether more of an answer is due after what was sent last."""
    return sent["type"] == "http.response.start" or sent.get("more_body", False) is True
