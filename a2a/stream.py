"""A task's steps as server-sent events: tokens as the provider sends them.

Each event is one whole JSON-RPC message in the dialect of the request. A client that leaves
ends its stream and nothing else: the task runs on and can be asked for. Only where nothing
of it may be kept (a key that stores no content) does its work end with its one reader.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import orjson
from sse_starlette.sse import EventSourceResponse

from omniroute.routing.errors import RoutingError

from .dialects.codec import Codec
from .faults import Fault
from .rpc import RequestId, refusal
from .runs import CANCELED, Run

HEARTBEAT_S = 15
"""How long a stream is silent before it sends a comment."""
SEND_S_MAX = 30.0
"""How long a reader may take nothing before its stream is closed."""


def stream_of(run: Run, codec: Codec, request_id: RequestId) -> EventSourceResponse:
    """Give the response that follows a run until it has ended."""
    return _response(_events(run, codec, request_id))


def stream_of_fault(fault: Fault, codec: Codec, request_id: RequestId) -> EventSourceResponse:
    """Give a stream whose only event is an error."""
    return _response(_only(_event(refusal(request_id, codec.render_fault(fault)))))


def _response(events: AsyncGenerator[bytes]) -> EventSourceResponse:
    return EventSourceResponse(events, ping=HEARTBEAT_S, sep="\n", send_timeout=SEND_S_MAX)


async def _only(event: bytes) -> AsyncGenerator[bytes]:
    yield event


async def _events(run: Run, codec: Codec, request_id: RequestId) -> AsyncGenerator[bytes]:
    try:
        async with aclosing(run.steps()) as steps:
            async for step in steps:
                message = codec.render_step(request_id, step)
                if message is not None:
                    yield _event(orjson.dumps(message))
    except RoutingError as error:
        yield _event(refusal(request_id, codec.render_fault(Fault("internal", str(error)))))
    finally:
        if not run.keep_content:
            run.stop(CANCELED)


def _event(message: bytes) -> bytes:
    return b"data: " + message + b"\n\n"
