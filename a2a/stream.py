"""A task's steps as server-sent events: tokens as the provider sends them.

Each event is one whole JSON-RPC message in the dialect of the request. A client that leaves
ends its stream and nothing else: the task runs on and can be asked for. Only where nothing
of it may be kept (a key that stores no content) does its work end with its one reader.

Beyond the standards, an event with text has an id: how many characters of the answer the
reader has with it. A client that says it when it follows a task again (`Last-Event-ID`, as
browsers do) gets what comes after it, and nothing twice.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

import orjson
from sse_starlette.sse import EventSourceResponse

from omniroute.routing.errors import RoutingError

from .dialects.codec import Codec, StreamStep, Wrote
from .faults import Fault
from .rpc import RequestId, refusal
from .run import CANCELED, Run

HEARTBEAT_S = 15
"""How long a stream is silent before it sends a comment."""
SEND_S_MAX = 30.0
"""How long a reader may take nothing before its stream is closed."""


@dataclass(slots=True)
class Streams:
    """The streams of this process; `open` counts those that are being read."""

    open: int = 0


def stream_of(
    run: Run, codec: Codec, request_id: RequestId, streams: Streams
) -> EventSourceResponse:
    """Give the response that follows a run until it has ended."""
    return _response(_events(run, codec, request_id, streams))


def stream_of_steps(
    steps: AsyncGenerator[StreamStep], codec: Codec, request_id: RequestId, streams: Streams
) -> EventSourceResponse:
    """Give the response that tells these steps; its end ends nothing else."""
    return _response(_told(steps, codec, request_id, streams))


def stream_of_fault(fault: Fault, codec: Codec, request_id: RequestId) -> EventSourceResponse:
    """Give a stream whose only event is an error."""
    return _response(_only(_event(refusal(request_id, codec.render_fault(fault)))))


def _response(events: AsyncGenerator[bytes]) -> EventSourceResponse:
    return EventSourceResponse(events, ping=HEARTBEAT_S, sep="\n", send_timeout=SEND_S_MAX)


async def _only(event: bytes) -> AsyncGenerator[bytes]:
    yield event


async def _events(
    run: Run, codec: Codec, request_id: RequestId, streams: Streams
) -> AsyncGenerator[bytes]:
    try:
        async for event in _told(run.steps(), codec, request_id, streams):
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
