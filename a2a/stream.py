"""A task's steps as server-sent events: tokens as the provider sends them.

Each event is one whole JSON-RPC message in the dialect of the request. A client that leaves
ends its stream and nothing else: the task runs on and can be asked for. Only where nothing
of it may be kept (a key that stores no content) does its work end with its one reader.

Beyond the standards, an event with text has an id: how many characters of the answer the
reader has with it. A client that says it when it follows a task again (`Last-Event-ID`, as
browsers do) gets what comes after it, and nothing twice.
"""

import math
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

import anyio
import orjson
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from omniroute.routing.errors import RoutingError

from .dialects.codec import Codec, StreamStep, Wrote
from .faults import Fault
from .rpc import RequestId, refusal
from .run import CANCELED, Run

HEARTBEAT_S = 15.0
"""How long a stream is silent before it sends a comment."""
SEND_S_MAX = 30.0
"""How long a reader may take nothing before its stream is closed."""
PING = b": ping\n\n"


@dataclass(slots=True)
class Streams:
    """The streams of this process; `open` counts those that are being read."""

    open: int = 0


class EventStream(Response):
    """Sends events as they come, and comments while there are none.

    It is one task beside its request's own, and nothing more: a process may hold ten thousand
    that wait.
    """

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes]) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._events = events
        self._quiet = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all of it; ends when the client leaves, or takes nothing for SEND_S_MAX."""
        async with aclosing(self._events), anyio.create_task_group() as group:
            group.start_soon(self._beside, receive, send, group.cancel_scope)
            await self._pour(send)
            group.cancel_scope.cancel()

    async def _pour(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        with anyio.CancelScope() as sending:
            async for event in self._events:
                self._quiet = False
                sending.deadline = anyio.current_time() + SEND_S_MAX
                await send(_part(event))
                sending.deadline = math.inf
        if not sending.cancelled_caught:
            await send({"type": "http.response.body", "body": b""})

    async def _beside(self, receive: Receive, send: Send, stream: anyio.CancelScope) -> None:
        """Send heartbeats while nothing else is sent, until the client leaves."""
        left = False
        while not left:
            self._quiet = True
            with anyio.move_on_after(HEARTBEAT_S) as silence:
                left = (await receive())["type"] == "http.disconnect"
            if silence.cancelled_caught and self._quiet:
                with anyio.move_on_after(SEND_S_MAX) as slow:
                    await send(_part(PING))
                left = slow.cancelled_caught
        stream.cancel()


def stream_of(run: Run, codec: Codec, request_id: RequestId, streams: Streams) -> EventStream:
    """Give the response that follows a run until it has ended."""
    return EventStream(_events(run, codec, request_id, streams))


def stream_of_steps(
    steps: AsyncGenerator[StreamStep], codec: Codec, request_id: RequestId, streams: Streams
) -> EventStream:
    """Give the response that tells these steps; its end ends nothing else."""
    return EventStream(_told(steps, codec, request_id, streams))


def stream_of_fault(fault: Fault, codec: Codec, request_id: RequestId) -> EventStream:
    """Give a stream whose only event is an error."""
    return EventStream(_only(_event(refusal(request_id, codec.render_fault(fault)))))


async def _only(event: bytes) -> AsyncGenerator[bytes]:
    yield event


async def _events(
    run: Run, codec: Codec, request_id: RequestId, streams: Streams
) -> AsyncGenerator[bytes]:
    try:
        async with aclosing(_told(run.steps(), codec, request_id, streams)) as told:
            async for event in told:
                yield event
    finally:
        if not run.keep_content:
            run.stop(CANCELED)


async def _told(
    steps: AsyncGenerator[StreamStep], codec: Codec, request_id: RequestId, streams: Streams
) -> AsyncGenerator[bytes]:
    """Give each step as an event. Its id says how much of the answer the reader has then."""
    streams.open += 1
    try:
        async with aclosing(steps):
            async for step in steps:
                message = codec.render_step(request_id, step)
                if message is not None:
                    place = step.chars if isinstance(step, Wrote) else None
                    yield _event(orjson.dumps(message), place)
    except RoutingError as error:
        yield _event(refusal(request_id, codec.render_fault(Fault("internal", str(error)))))
    finally:
        streams.open -= 1


def _event(message: bytes, place: int | None = None) -> bytes:
    named = b"" if place is None else b"id: %d\n" % place
    return named + b"data: " + message + b"\n\n"


def _part(data: bytes) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": True}
