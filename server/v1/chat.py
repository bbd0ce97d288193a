"""The hot path: a chat in one dialect, answered as a stream or whole.

One plain ASGI callable a dialect, in front of the application: body read once as bytes, only
the routed fields decoded, the original bytes forwarded where the dialect stays the same. No
framework, no database and no log line on this path.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from starlette.types import Receive, Scope, Send

from omniroute.routing.conversation import Delta
from omniroute.routing.engine import new_request_id
from omniroute.routing.errors import RoutingError, UpstreamFailure
from omniroute.routing.gateway import Gateway
from omniroute.routing.leg import HOP_HEADER
from omniroute.routing.model import Caller, Dialect, RouteRequest
from omniroute.routing.preference import mode_named
from omniroute.routing.reply import Reply
from omniroute.routing.wire.codec import Codec, Head
from omniroute.routing.wire.operations import operation_of_body
from omniroute.routing.wire.sessions import session_of
from omniroute.routing.wire.table import codec

from ..auth import Authenticator
from ..cycle import LEFT
from .answers import (
    EVENTS,
    JSON,
    Header,
    Keeper,
    budget_headers,
    cost_header,
    origin_headers,
    send_error,
    send_whole,
)
from .bodies import ClientGone, read_body
from .idempotency import Answers, answer_once, idempotency_name
from .limits import BUDGET_HEADER, MODE_HEADER, budget_usd_nanos

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]

HOP_HEADER_BYTES = HOP_HEADER.encode()
HEADER_CHARS_MAX = 200
"""The most that is kept of an id that a client names."""
_WANTS_USAGE = re.compile(rb'"include_usage"\s*:\s*true')


@dataclass(frozen=True, slots=True)
class ChatDoor:
    """Answers chats of one dialect.

    Attributes:
        hold_s: how long a stream's status line waits for content before it commits.
        body_bytes_max: the largest body.
        answers: where answers to idempotent requests are kept; None keeps none.
    """

    gateway: Gateway
    authenticator: Authenticator
    dialect: Dialect
    hold_s: float
    body_bytes_max: int
    answers: Answers | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one POST, whatever happens, in the dialect's own words."""
        own = codec(self.dialect)
        request_id = new_request_id()
        try:
            caller = self.authenticator.caller(scope)
            body = await read_body(scope, receive, bytes_max=self.body_bytes_max)
            request = self._request(scope, body, request_id, caller)
            name = idempotency_name(scope, request, caller)
        except ClientGone:
            return
        except RoutingError as error:
            await send_error(send, own, error, request_id=request_id)
            return
        if request.operation.features.stream:
            answering = self._stream(request, caller, own, send)
        else:
            answering = self._whole(request, caller, send, name)
        await _unless_gone(answering, scope, receive)

    def _request(self, scope: Scope, body: bytes, request_id: str, caller: Caller) -> RouteRequest:
        target, operation = operation_of_body(self.dialect, body)
        client_request_id: str | None = None
        via = ""
        ceiling: int | None = None
        mode: str | None = None
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                client_request_id = value.decode("latin-1")[:HEADER_CHARS_MAX]
            elif name == HOP_HEADER_BYTES:
                via = value.decode("latin-1")[:HEADER_CHARS_MAX]
            elif name == BUDGET_HEADER:
                ceiling = budget_usd_nanos(value)
            elif name == MODE_HEADER:
                mode = mode_named(value.decode("latin-1"))
        return RouteRequest(
            request_id=request_id,
            target=target,
            operation=operation,
            at_s=self.gateway.route.clock.now(),
            spend_usd_nanos_max=ceiling,
            allowed=caller.models,
            session_id=session_of(scope["headers"], body),
            client_request_id=client_request_id,
            via=via,
            mode=mode,
        )

    async def _whole(
        self, request: RouteRequest, caller: Caller, send: Send, name: str | None
    ) -> None:
        make = partial(self._answer, request, caller)
        try:
            if name is None or self.answers is None:
                headers, body = await make()
            else:
                asked = self.dialect.encode() + b"\0" + request.operation.body
                headers, body = await answer_once(self.answers, caller.key_id, name, asked, make)
        except RoutingError as error:
            await send_error(send, codec(self.dialect), error, request_id=request.request_id)
            return
        await send_whole(send, 200, headers, body)

    async def _answer(self, request: RouteRequest, caller: Caller) -> tuple[list[Header], bytes]:
        reply = await self.gateway.route.open(request, caller)
        try:
            body = await _fold(reply, codec(self.dialect))
        finally:
            reply.close()
        headers = [JSON, *origin_headers(reply), *cost_header(reply), *budget_headers(reply)]
        return headers, body

    async def _stream(self, request: RouteRequest, caller: Caller, own: Codec, send: Send) -> None:
        keeper = Keeper(send, self.dialect, request.request_id, hold_s=self.hold_s)
        try:
            reply = await self.gateway.route.open(request, caller)
        except RoutingError as error:
            if not await keeper.stop():
                await send_error(send, own, error, request_id=request.request_id)
                return
            writer = own.writer(_head(request, request.target))
            await send({"type": "http.response.body", "body": writer.error(error)})
            return
        except asyncio.CancelledError:
            keeper.drop()
            raise
        try:
            if not await keeper.stop():
                headers = [*EVENTS, *origin_headers(reply), *budget_headers(reply)]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
            await _pump(reply, own, request, send)
        finally:
            reply.close()


async def _pump(reply: Reply, own: Codec, request: RouteRequest, send: Send) -> None:
    """Send the answer as it comes: bytes as they are, or Deltas in the client's dialect."""
    winner = reply.winner
    writer = own.writer(_head(request, reply.model_served or (winner.model if winner else "")))
    forwards = reply.forwards
    try:
        async for piece in reply:
            data = piece.raw
            if not forwards:
                data = b"" if piece.delta is None else writer.write(piece.delta)
            if data:
                await send({"type": "http.response.body", "body": data, "more_body": True})
        last = b"" if forwards else writer.end()
    except UpstreamFailure as failure:
        last = writer.error(failure)
    await send({"type": "http.response.body", "body": last})


async def _fold(reply: Reply, own: Codec) -> bytes:
    if reply.forwards:
        return b"".join([piece.raw async for piece in reply])
    deltas: list[Delta] = [piece.delta async for piece in reply if piece.delta is not None]
    winner = reply.winner
    model = reply.model_served or (winner.model if winner else "")
    return own.render_answer(deltas, _head(reply.request, model))


def _head(request: RouteRequest, model: str) -> Head:
    return Head(
        answer_id=request.request_id.removeprefix("req_"),
        model=model,
        created_unix_s=int(time.time()),
        include_usage=_WANTS_USAGE.search(request.operation.body) is not None,
    )


async def _unless_gone(answering: Awaitable[None], scope: Scope, receive: Receive) -> None:
    """Answer, and stop at once when the client leaves: its going cancels the answering."""
    answerer = asyncio.current_task()
    left = False

    def stop() -> None:
        nonlocal left
        left = True
        if answerer is not None:
            answerer.cancel()

    when_left = scope.get(LEFT)
    watcher: asyncio.Task[None] | None = None
    if when_left is None:
        # Lives exactly as long as the answering, so it is not a task left alone.
        watcher = asyncio.get_running_loop().create_task(_watch(receive, stop))
    elif not when_left(stop):
        stop()
    try:
        await answering
    except asyncio.CancelledError:
        # Only the cancellation that the leaving client caused ends here.
        if not left or answerer is None or answerer.uncancel() > 0:
            raise
    finally:
        if watcher is not None:
            watcher.cancel()
        elif when_left is not None:
            when_left(None)


async def _watch(receive: Receive, stop: Callable[[], None]) -> None:
    """Wait for the client to leave, on a server that cannot tell by itself."""
    while (await receive())["type"] != "http.disconnect":
        pass
    stop()
