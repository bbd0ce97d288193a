"""Responses over a WebSocket: one request after the other, each answered by its events.

A frame of type `response.create` is the body of a POST to /v1/responses, and takes the same way;
each event of its stream leaves as a frame of its own. Who sends `generate: false` warms up: its
items are taken and answered by an empty response. The last conversations of the connection are
kept in memory, also those of `store: false`, so that `previous_response_id` and what is new is
all that a client sends. An error ends its request and not the connection.

Source: OpenAI API reference, "WebSocket events" of Responses; Codex 0.169 as it was seen to
speak; both 2026-11. Whoever is told `previous_response_not_found` sends everything again.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from omniroute.routing.access import require
from omniroute.routing.conversation import Delta, Usage
from omniroute.routing.engine import new_request_id
from omniroute.routing.errors import BadRequest, RoutingError
from omniroute.routing.model import Caller
from omniroute.routing.wire.codec import Head as AnswerHead
from omniroute.routing.wire.failures import openai_error
from omniroute.routing.wire.fields import body_fields, encode
from omniroute.routing.wire.openai_responses.history import (
    Asked,
    Item,
    asked_of,
    items_of,
    joined,
    replayed,
)
from omniroute.routing.wire.parts import answer_id
from omniroute.routing.wire.splice import fields_of
from omniroute.routing.wire.table import codec

from ..auth import Authenticator
from ..exchange import Door, Exchange, Head, Upgradable, Wait, headers_of
from ..store.kept_responses import KeptResponses
from .answers import send_error
from .kept_history import history
from .responses import response_of
from .sockets import Socket, handshake_refused

CREATE = "response.create"
UNANSWERED = frozenset({"response.processed"})
"""Frames that only tell."""
IDLE_S_MAX = 3600.0
"""How long a connection may go without a request."""
REMEMBERED_BYTES_MAX = 16 * 2**20
"""What is kept in memory of a connection's conversations."""
REMEMBERED_MAX = 4
LEFT_OUT = (b"upgrade", b"connection", b"openai-beta", b"sec-websocket-")
"""Headers of the handshake that are about the connection, not about its requests."""

_ITEMS = msgspec.json.Decoder(list[dict[str, object]])


@dataclass(frozen=True, slots=True)
class ResponsesSocketDoor:
    """Answers the WebSocket at /v1/responses.

    Attributes:
        responses: answers each request, as if it had been posted.
        bytes_max: the largest message.
    """

    responses: Door
    authenticator: Authenticator
    kept: KeptResponses
    bytes_max: int

    async def __call__(self, exchange: Upgradable) -> None:
        """Answer one connection until it ends."""
        socket = Socket(exchange, self.bytes_max)
        try:
            caller = self.authenticator.caller_of(exchange.head)
            refusal = socket.open()
            if refusal is not None:
                raise handshake_refused(refusal)
        except RoutingError as error:
            own = codec("openai_responses")
            wait = send_error(exchange, own, error, request_id=new_request_id())
            if wait is not None:
                await wait
            return
        try:
            await _Session(self, socket, caller, _head(exchange.head, caller)).run()
        finally:
            socket.close()


@dataclass(slots=True)
class _Session:
    """One connection, and what it remembers."""

    door: ResponsesSocketDoor
    socket: Socket
    caller: Caller
    head: Head
    conversations: dict[str, bytes] = field(default_factory=dict)

    async def run(self) -> None:
        """Answer every message in its turn."""
        messages = aiter(self.socket)
        while True:
            try:
                async with asyncio.timeout(IDLE_S_MAX):
                    message = await anext(messages)
            except (StopAsyncIteration, TimeoutError):
                return
            try:
                await self._answer(message)
            except RoutingError as error:
                await self.socket.send(_error_frame(error.status, openai_error(error)))

    async def _answer(self, message: bytes) -> None:
        fields = body_fields(message)
        kind = fields.text("type")
        if kind in UNANSWERED:
            return
        if kind != CREATE:
            raise fields.unknown("type", (CREATE,))
        if fields.has("stream_id"):
            raise BadRequest("one response at a time is answered here", field="stream_id")
        # A key may be rolled, changed or revoked while its connection is open.
        self.caller = self.door.authenticator.caller_of(self.head)
        require(self.caller, "write:route")
        asked = asked_of(message)
        items = [*await self._before(asked), *items_of(asked)]
        body = _body(message, items, asked)
        frames = Frames(self.socket, self.head, body)
        if asked.generate is False:
            await _warm_up(frames, fields.text("model"))
        else:
            # What was said before stands in the input now: who goes on from it finds it there.
            await self.door.responses(frames)
        self._remember(frames.response, items)

    async def _before(self, asked: Asked) -> Sequence[Item]:
        """Give what a request goes on from, of this connection or as it was kept."""
        previous = asked.previous_response_id
        if previous is None:
            return ()
        known = self.conversations.get(previous)
        if known is not None:
            return _ITEMS.decode(known)
        return replayed(await history(self.door.kept, self.caller.key_id, previous))

    def _remember(self, response: dict[str, object] | None, items: Sequence[Item]) -> None:
        if response is None:
            return
        output = response["output"]
        output = output if isinstance(output, list) else []
        answered = [one for one in output if isinstance(one, dict)]
        self.conversations[str(response["id"])] = encode(replayed([*items, *answered]))
        sizes = sum(map(len, self.conversations.values()))
        while self.conversations and (
            sizes > REMEMBERED_BYTES_MAX or len(self.conversations) > REMEMBERED_MAX
        ):
            oldest = next(iter(self.conversations))
            sizes -= len(self.conversations.pop(oldest))


_LAST = re.compile(rb'"type"\s*:\s*"response\.(?:completed|incomplete|failed)"')
LAST_WITHIN = 200
"""How far into an event its type is looked for."""


class Frames:
    """An Exchange of one request on a socket: its events leave as frames."""

    def __init__(self, socket: Socket, head: Head, body: bytes) -> None:
        self.head = head
        self.body: bytes | None = body
        self.response: dict[str, object] | None = None
        self._given = body
        self._socket = socket
        self._rest: list[bytes] = []
        self._is_over = False

    async def read(self, bytes_max: int) -> bytes:
        """Give the body."""
        return self._given

    def whole(self, status: int, lines: bytes, body: bytes) -> Wait:
        """Send an error: an answer that is not a stream can be nothing else here."""
        error = body_fields(body).value("error")
        retry = {b"retry-after"}
        headers = {
            name.decode(): value.decode("latin-1")
            for name, value in headers_of(lines)
            if name in retry
        }
        return self._socket.send(_error_frame(status, error, headers))

    def start(self, status: int, lines: bytes) -> Wait:
        """Begin a stream: frames need no head."""
        return None

    def write(self, data: bytes) -> Wait:
        """Send the events that are complete with these bytes."""
        if b"\n" not in data:
            self._rest.append(data)
            return None
        *lines, rest = b"".join((*self._rest, data)).split(b"\n")
        self._rest = [rest]
        events = [line[5:].strip() for line in lines if line.startswith(b"data:")]
        events = [one for one in events if one and one != b"[DONE]"]
        return self._send(events) if events else None

    def end(self, data: bytes = b"") -> Wait:
        """Send the last events."""
        return self.write(data + b"\n")

    async def _send(self, events: Sequence[bytes]) -> None:
        for event in events:
            # What follows the response's end on a stream would be read as the next one's begin.
            if self._is_over:
                return
            if _LAST.search(event, 0, LAST_WITHIN) is not None:
                self._is_over = True
                self.response = _last(event)
            await self._socket.send(event)


async def _warm_up(frames: Exchange, model: str) -> None:
    """Answer with a response that holds nothing, and asked nobody."""
    made = answer_id(new_request_id(), "openai_responses")
    head = AnswerHead(made, model, int(time.time()), asked=frames.body or b"{}")
    writer = codec("openai_responses").writer(head)
    done = writer.write(Delta(finish="stop", usage=Usage(), ended=True))
    wait = frames.end(done + writer.end())
    if wait is not None:
        await wait


def _body(message: bytes, items: Sequence[Item], asked: Asked) -> bytes:
    """Give the body of the POST that a frame stands for."""
    body = joined(message, items) if asked.previous_response_id is not None else message
    fields = fields_of(body)
    for name in ("type", "generate", "background"):
        fields.pop(name, None)
    fields["stream"] = msgspec.Raw(b"true")
    return encode(fields)


def _last(event: bytes) -> dict[str, object] | None:
    """Give the response of an event that ends a stream well."""
    try:
        found = msgspec.json.decode(event, type=_Event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if found.type not in ("response.completed", "response.incomplete"):
        return None
    return response_of(bytes(found.response))


class _Event(msgspec.Struct):
    type: str
    response: msgspec.Raw = msgspec.Raw()


def _error_frame(status: int, error: object, headers: dict[str, str] | None = None) -> bytes:
    frame: dict[str, object] = {"type": "error", "status": status, "error": error}
    return encode({**frame, "headers": headers} if headers else frame)


def _head(head: Head, caller: Caller) -> Head:
    """Give the head of the requests that come over a connection."""
    headers = [pair for pair in head.headers if not pair[0].startswith(LEFT_OUT)]
    made = Head("POST", head.path, headers, peer=head.peer, port=head.port)
    made.query, made.needs = head.query, head.needs
    return made
