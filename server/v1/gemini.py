"""Gemini's doors: the method in the path says what is asked for.

A stream is one JSON array of answers, and events only with `?alt=sse`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from omniroute.routing.engine import new_request_id
from omniroute.routing.errors import BadRequest, NotFound
from omniroute.routing.wire.table import codec

from ..exchange import Door, Exchange, Wait
from .answers import EVENTS, GEMINI_IDLE, send_error
from .gemini_path import asked_of

ARRAY = b"content-type: application/json; charset=utf-8\r\ncache-control: no-cache\r\n"
_KEEP_ALIVE = b"\n"


@dataclass(frozen=True, slots=True)
class GeminiDoor:
    """Answers a POST to /v1beta/models/{model}:{method}.

    Attributes:
        methods: the door of each method.
    """

    methods: Mapping[str, Door]

    async def __call__(self, exchange: Exchange) -> None:
        """Have the method's door answer."""
        try:
            asked = asked_of(exchange.head)
            door = self.methods.get(asked.method)
            if door is None:
                known = ", ".join(f":{one}" for one in self.methods)
                raise NotFound(f"models have no method {asked.method!r} here; there are {known}")
        except (BadRequest, NotFound) as error:
            wait = send_error(exchange, codec("gemini"), error, request_id=new_request_id())
            if wait is not None:
                await wait
            return
        await door(Arrayed(exchange) if asked.stream and not asked.sse else exchange)


class Arrayed:
    """An Exchange whose events leave as the items of one JSON array.

    What keeps a connection alive becomes a line's end: between items it says nothing.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.head = exchange.head
        self.body = exchange.body
        self._exchange = exchange
        self._pending = b""
        self._separator = b""
        self._opened = self._in_event = False

    async def read(self, bytes_max: int) -> bytes:
        """Give the body when it is here."""
        return await self._exchange.read(bytes_max)

    def whole(self, status: int, lines: bytes, body: bytes) -> Wait:
        """Answer with a body that is complete: an array of one item."""
        return self._exchange.whole(status, lines, b"[%b]" % body)

    def start(self, status: int, lines: bytes) -> Wait:
        """Begin the array."""
        return self._exchange.start(status, lines.replace(EVENTS, ARRAY))

    def write(self, data: bytes) -> Wait:
        """Send the items that are complete with these bytes of an event stream."""
        return self._exchange.write(self._items(b":\n" if data is GEMINI_IDLE else data))

    def end(self, data: bytes = b"") -> Wait:
        """Send the last items, and end the array."""
        items = self._items(data + b"\n")
        return self._exchange.end(items + (b"]" if self._opened else b"[]"))

    def _items(self, data: bytes) -> bytes:
        """Give what the lines say that are complete."""
        lines = (self._pending + data).split(b"\n")
        self._pending = lines.pop()
        written: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                # An event's further lines belong to the item that its first one began.
                written.append((b"\n" if self._in_event else self._separator) + line[5:].strip())
                self._in_event, self._separator = True, b",\r\n"
            elif line.startswith(b":"):
                written.append(_KEEP_ALIVE)
            elif not line.strip():
                self._in_event = False
        if written and not self._opened:
            # Also before a keep-alive: some clients read no array that begins with a blank.
            self._opened = True
            written.insert(0, b"[")
        return b"".join(written)
