"""POST /v1/responses: a chat that may go on from a kept response, and be kept itself.

A request that keeps nothing and goes on from nothing passes through as it is. One that goes on
is joined with its history before the engine sees it, so any provider can answer. One that is
kept (OpenAI's default; never for a no-log key) passes through as well: of its stream only the
last event is read, which holds the whole answer, and that event waits until the answer is
stored, so that who has read it can go on from it at once.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec

from omniroute.routing.engine import new_request_id
from omniroute.routing.errors import RoutingError, StorageUnavailable
from omniroute.routing.model import Caller
from omniroute.routing.ports import Clock
from omniroute.routing.wire.fields import body_fields, encode
from omniroute.routing.wire.openai_responses.compaction import (
    MARK_BYTES,
    TRIGGER_BYTES,
    is_triggered,
    restored,
)
from omniroute.routing.wire.openai_responses.history import (
    Item,
    asked_of,
    identified,
    items_of,
    joined,
    replayed,
)
from omniroute.routing.wire.table import codec

from ..exchange import ClientGone, Door, Exchange, Wait
from ..store.kept_responses import ROW_BYTES_MAX, KeptResponse, KeptResponses
from .answers import send_error
from .bodies import read_unpacked
from .compact import CompactDoor
from .kept_history import history

EVENT_BYTES_MAX = 2 * ROW_BYTES_MAX
"""A longer last event is not kept."""

_LAST = re.compile(rb'"type"\s*:\s*"response\.(?:completed|incomplete)"')
_EDGE = 64
"""The mark of the last event is looked for across so many bytes of the part before."""

log = logging.getLogger("omniroute")

_object = msgspec.json.Decoder(dict[str, object])
Keep = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ResponsesDoor:
    """Answers Responses.

    Attributes:
        chat: answers what has no kept state.
        compact: makes conversations short.
    """

    chat: Door
    compact: CompactDoor
    kept: KeptResponses
    clock: Clock
    body_bytes_max: int

    async def __call__(self, exchange: Exchange) -> None:
        """Answer one POST, whatever happens, in the dialect's own words."""
        try:
            caller = self.compact.authenticator.caller_of(exchange.head)
            body = await read_unpacked(exchange, self.body_bytes_max)
            given, body = await self._given(exchange, caller, body)
            items = items_of(asked_of(body)) if TRIGGER_BYTES in body else []
            shortens = is_triggered(items) and not self.compact.is_native(_model_of(body))
        except ClientGone:
            return
        except RoutingError as error:
            own = codec("openai_responses")
            wait = send_error(exchange, own, error, request_id=new_request_id())
            if wait is not None:
                await wait
            return
        if shortens:
            await self.compact.answer(given, body, items)
        else:
            await self.chat(given)

    async def _given(
        self, exchange: Exchange, caller: Caller, body: bytes
    ) -> tuple[Exchange, bytes]:
        """Give the exchange and the body of what is asked, with what it goes on from."""
        asked = asked_of(body)
        previous = asked.previous_response_id
        keeps = asked.store is not False and caller.keep_content
        is_short = MARK_BYTES in body
        if previous is None and not keeps and not is_short:
            return Given(exchange, body), body
        items = items_of(asked)
        if previous is not None:
            before = await history(self.kept, caller.key_id, previous)
            body = joined(body, restored([*replayed(before), *items]))
        elif is_short:
            body = joined(body, restored(items))
        if not keeps:
            return Given(exchange, body), body
        keep = partial(self._keep, caller.key_id, previous, items)
        return Keeping(exchange, body, keep), body

    async def _keep(
        self, key_id: str, previous_id: str | None, items: Sequence[Item], body: bytes
    ) -> None:
        """Keep an answer; one that is made and paid is sent, also when it cannot be kept."""
        response = response_of(body)
        if response is None:
            return
        response_id = str(response["id"])
        state = {"store": True, "previous_response_id": previous_id}
        kept = KeptResponse(
            response_id,
            previous_id,
            encode(identified(items, response_id)),
            encode({**response, **state}),
        )
        try:
            stored = await self.kept.keep(key_id, kept, now_unix_s=self.clock.unix())
        except StorageUnavailable as error:
            log.warning("response_not_kept", extra={"reason": str(error)})
        else:
            if not stored:
                log.info("response_not_kept", extra={"reason": "it is too long"})


def response_of(body: bytes) -> dict[str, object] | None:
    """Give a response that is complete, None where the bytes are none."""
    try:
        found = _object.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    is_whole = isinstance(found.get("id"), str) and isinstance(found.get("output"), list)
    return found if is_whole and found.get("status") in ("completed", "incomplete") else None


class Given:
    """An Exchange whose body was read before, and may be another one than came."""

    def __init__(self, exchange: Exchange, body: bytes) -> None:
        self.head = exchange.head.without(b"content-encoding")
        self.body: bytes | None = body
        self._given = body
        self._exchange = exchange
        self.start = exchange.start
        self.write = exchange.write
        self.end = exchange.end
        self.whole = exchange.whole

    async def read(self, bytes_max: int) -> bytes:
        """Give the body."""
        return self._given


class Keeping:
    """An Exchange that keeps the answer on its way: whole, or a stream's last event."""

    def __init__(self, exchange: Exchange, body: bytes, keep: Keep) -> None:
        self.head = exchange.head.without(b"content-encoding")
        self.body: bytes | None = body
        self._given = body
        self._exchange = exchange
        self._keep = keep
        self._edge = b""
        # The event that has come in part, and since when parts are held back.
        self._event: list[bytes] = []
        self._size = 0
        self._held: list[bytes] | None = None

    async def read(self, bytes_max: int) -> bytes:
        """Give the body."""
        return self._given

    def whole(self, status: int, lines: bytes, body: bytes) -> Wait:
        """Keep an answer that is complete, then send it."""
        if status != 200:
            return self._exchange.whole(status, lines, body)
        return self._after(body, partial(self._exchange.whole, status, lines, body))

    def start(self, status: int, lines: bytes) -> Wait:
        """Begin the stream."""
        return self._exchange.start(status, lines)

    def write(self, data: bytes) -> Wait:
        """Send a part of the stream; from the last event on it waits for the end."""
        self._look(data)
        if self._held is None:
            return self._exchange.write(data)
        self._held.append(data)
        return None

    def end(self, data: bytes = b"") -> Wait:
        """Keep what the last event tells, then send the rest."""
        self._look(data)
        if self._held is None:
            return self._exchange.end(data)
        rest = b"".join((*self._held, data))
        return self._after(_told(b"".join(self._event)), partial(self._exchange.end, rest))

    def _look(self, data: bytes) -> None:
        """Collect the event that has not come in full, and see whether it is the last."""
        if self._held is None and _LAST.search(self._edge + data) is not None:
            self._held = []
        place = data.rfind(b"\n\n") if self._held is None else -1
        if place >= 0:
            self._event, self._size = [data[place + 2 :]], len(data) - place - 2
        elif self._size <= EVENT_BYTES_MAX:
            self._event.append(data)
            self._size += len(data)
        self._edge = (self._edge + data)[-_EDGE:]

    async def _after(self, body: bytes, send: Callable[[], Wait]) -> None:
        if body and len(body) <= EVENT_BYTES_MAX:
            await self._keep(body)
        wait = send()
        if wait is not None:
            await wait


def _model_of(body: bytes) -> str:
    return body_fields(body).text("model")


def _told(events: bytes) -> bytes:
    """Give the response that the last event holds, nothing where there is none."""
    for line in events.split(b"\n"):
        if line.startswith(b"data:") and _LAST.search(line) is not None:
            try:
                response = _object.decode(line[5:]).get("response")
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return b""
            return encode(response) if isinstance(response, dict) else b""
    return b""
