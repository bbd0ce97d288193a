"""Conversations made short: POST /v1/responses/compact, and what a request's last item asks.

A model writes the summary, by the way that any chat takes; see the wire's `compaction` for what
becomes of it. Where only providers that make summaries of their own could answer, a request with
such an item passes to them as it is.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from omniroute.routing.catalog.resolve import resolve
from omniroute.routing.engine import new_request_id
from omniroute.routing.errors import RoutingError, UpstreamFailure
from omniroute.routing.gateway import Gateway
from omniroute.routing.wire.fields import encode
from omniroute.routing.wire.openai_responses.compaction import (
    compacted,
    compaction_of,
    request_of,
    restored,
    text_of,
)
from omniroute.routing.wire.openai_responses.history import Item, asked_of, items_of, replayed
from omniroute.routing.wire.splice import fields_of
from omniroute.routing.wire.sse import named_event
from omniroute.routing.wire.table import codec

from ..auth import Authenticator
from ..exchange import ClientGone, Door, Exchange, Wait
from ..store.kept_responses import KeptResponses
from .answers import EVENTS, JSON, Keeper, error_lines, send_error
from .bodies import read_unpacked
from .kept_history import history

PATH = "/v1/responses/compact"

_object = msgspec.json.Decoder(dict[str, object])


@dataclass(frozen=True, slots=True)
class CompactDoor:
    """Makes conversations short.

    Attributes:
        chat: has a model write.
    """

    chat: Door
    gateway: Gateway
    authenticator: Authenticator
    kept: KeptResponses
    limits: "Limits"

    async def __call__(self, exchange: Exchange) -> None:
        """Answer a POST to the endpoint, whatever happens."""
        own = codec("openai_responses")
        try:
            caller = self.authenticator.caller_of(exchange.head)
            body = await read_unpacked(exchange, self.limits.body_bytes_max)
            asked = asked_of(body)
            items = items_of(asked)
            if asked.previous_response_id is not None:
                before = await history(self.kept, caller.key_id, asked.previous_response_id)
                items = [*replayed(before), *items]
            told = await self._told(exchange, body, items)
            if not told.is_good:
                wait = exchange.whole(told.status, told.lines, told.answer)
            else:
                response, summary = told.summary()
                made = compacted(response, items, summary)
                wait = exchange.whole(200, told.lines, encode(made))
        except ClientGone:
            return
        except RoutingError as error:
            wait = send_error(exchange, own, error, request_id=new_request_id())
        if wait is not None:
            await wait

    def is_native(self, model: str) -> bool:
        """Whether all who could answer speak Responses, and make summaries of their own."""
        view = self.gateway.view
        try:
            found = resolve(view.configs.current(), model, facts=view.facts_in_force)
        except RoutingError:
            return False
        return all(one.dialect == "openai_responses" for one in found.candidates)

    async def answer(self, exchange: Exchange, body: bytes, items: Sequence[Item]) -> None:
        """Answer a request whose last item asks for the summary, streamed or whole."""
        own, request_id = codec("openai_responses"), new_request_id()
        streams = bytes(fields_of(body).get("stream", b"")) == b"true"
        keeper = None
        if streams:
            hold_s = self.limits.hold_s
            keeper = Keeper(exchange, "openai_responses", request_id, hold_s=hold_s)
        try:
            told = await self._told(exchange, body, items)
            summed = told.summary() if told.is_good else None
        except RoutingError as error:
            told = Caught(exchange, body)
            told.status, told.lines = (
                error.status,
                error_lines(error, "openai_responses", request_id=request_id),
            )
            told.answer = own.render_error(error, request_id=request_id)
            summed = None
        except asyncio.CancelledError:
            if keeper is not None:
                keeper.drop()
            raise
        begun = keeper is not None and await keeper.stop()
        if summed is not None:
            wait = _send(exchange, told, summed, streams=streams, begun=begun)
        elif begun:
            wait = exchange.end(named_event("error", _error_event(told.answer)))
        else:
            wait = exchange.whole(told.status, told.lines, told.answer)
        if wait is not None:
            await wait

    async def _told(self, exchange: Exchange, body: bytes, items: Sequence[Item]) -> "Caught":
        caught = Caught(exchange, request_of(body, restored(items)))
        await self.chat(caught)
        return caught


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds such a request.

    Attributes:
        hold_s: how long a stream waits before it is kept alive.
    """

    body_bytes_max: int
    hold_s: float


class Caught:
    """An Exchange whose answer is kept back, to be made into another one."""

    def __init__(self, exchange: Exchange, body: bytes) -> None:
        self.head = exchange.head.without(b"content-encoding")
        self.body: bytes | None = body
        self.status = 0
        self.lines = b""
        self.answer = b""
        self._given = body
        self._parts: list[bytes] = []

    @property
    def is_good(self) -> bool:
        """Whether it is an answer and no refusal."""
        return self.status == 200

    def summary(self) -> tuple[Item, str]:
        """Give the answer and its text.

        Raises:
            UpstreamFailure: there is none.
        """
        response = _object.decode(self.answer)
        text = text_of(response)
        if not text:
            raise UpstreamFailure("the model wrote no summary", kind="malformed")
        return response, text

    async def read(self, bytes_max: int) -> bytes:
        """Give the request's body."""
        return self._given

    def whole(self, status: int, lines: bytes, body: bytes) -> Wait:
        """Keep an answer that is complete."""
        self.status, self.lines, self.answer = status, lines, body
        return None

    def start(self, status: int, lines: bytes) -> Wait:
        """Begin an answer in parts."""
        self.status, self.lines = status, lines
        return None

    def write(self, data: bytes) -> Wait:
        """Keep a part."""
        self._parts.append(data)
        return None

    def end(self, data: bytes = b"") -> Wait:
        """Keep the last part."""
        self.answer = b"".join((*self._parts, data))
        return None


def _send(
    exchange: Exchange, told: Caught, summed: tuple[Item, str], *, streams: bool, begun: bool
) -> Wait:
    """Send the response whose only item is the summary."""
    answered, summary = summed
    item = compaction_of(summary, str(answered["id"]))
    response = {**answered, "output": [item]}
    if not streams:
        return exchange.whole(200, told.lines, encode(response))
    empty = {**response, "status": "in_progress", "output": [], "usage": None}
    steps: list[dict[str, object]] = [
        {"type": "response.created", "response": empty},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": response},
    ]
    events = [
        named_event(str(step["type"]), encode({**step, "sequence_number": number}))
        for number, step in enumerate(steps)
    ]
    data = b"".join(events)
    if begun:
        return exchange.end(data)
    return _started(exchange, told.lines.replace(JSON, EVENTS), data)


async def _started(exchange: Exchange, lines: bytes, data: bytes) -> None:
    for wait in (exchange.start(200, lines), exchange.end(data)):
        if wait is not None:
            await wait


def _error_event(body: bytes) -> bytes:
    error = _object.decode(body).get("error")
    fields = error if isinstance(error, dict) else {}
    return encode({**fields, "type": "error"})
