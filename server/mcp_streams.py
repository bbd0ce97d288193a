"""Answers of the MCP door that end with the gateway: in order, and at their time.

One kind stays open: the GET by which MCP clients of the older era hear of changes.

A client that only listens is no work that is under way. A gateway that ends waits for requests
in flight, but closes these at once: their clients listen again, to whoever answers then. The
newer era's `subscriptions/listen` has a last word of its own: see tools/streams.py.

The others are calls. They are let go on for as long as the gateway waits for requests; the ones
that still run then are told so, as a JSON-RPC error.
"""

import asyncio
import json

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from omniroute.routing.errors import Interrupted, RoutingError

STOPPING = "the gateway is shutting down; call again"
STOPPING_CODE = -32000


class Streams:
    """The open answers of one kind."""

    def __init__(self) -> None:
        self._open: set[asyncio.Timeout] = set()
        self._is_ending = False

    async def answer(
        self,
        app: ASGIApp,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        call_id: object = None,
    ) -> None:
        """Have an application answer, until the client leaves or the gateway ends.

        A call, by its JSON-RPC id `call_id`, gets an error when it is ended here.

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
        if limit.expired() and (not sent or _goes_on(sent)):
            await _end(send, began=bool(sent), call_id=call_id)

    def end(self) -> None:
        """Close all of them, and those that come."""
        self._is_ending = True
        now_s = asyncio.get_running_loop().time()
        for limit in self._open:
            limit.reschedule(now_s)


async def _end(send: Send, *, began: bool, call_id: object) -> None:
    """Send what ends an answer: nothing more, or the error of a call."""
    error = {"code": STOPPING_CODE, "message": STOPPING, "data": {"code": Interrupted.code}}
    said = json.dumps({"jsonrpc": "2.0", "id": call_id, "error": error}).encode()
    if not began:
        headers = [] if call_id is None else [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
    elif call_id is not None:
        # An answer that goes on is a stream of events: one that is whole is sent at once.
        said = b"event: message\r\ndata: %b\r\n\r\n" % said
    body = b"" if call_id is None else said
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _goes_on(sent: Message) -> bool:
    """Whether more of an answer is due after what was sent last."""
    return sent["type"] == "http.response.start" or sent.get("more_body", False) is True
