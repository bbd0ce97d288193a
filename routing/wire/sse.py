"""Server-sent events: bytes that end anywhere into whole events, and values into event bytes.

Two steps, because a forwarded stream needs only the first for most of its bytes:
`EventBlocks` cuts the stream at the ends of events, `split_events` reads the events of such
a block. Lines end in LF or CRLF; no provider uses the third form of the standard, a lone CR.

Source: HTML Living Standard, section 9.2 (server-sent events), read 2026-11.
"""

import re
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from ..conversation import Delta
from ..errors import UpstreamFailure

# One event of an answer is a few hundred bytes; a provider that sends more than this in one
# event is broken or hostile, and the bytes would be held in memory.
EVENT_BYTES_MAX = 2**20

ENDS = (b"\n\n", b"\n\r\n")
"""What ends an event: a blank line."""

DONE = b"[DONE]"
"""The data that ends OpenAI's chat streams, and that others send who only resemble them."""

_END = re.compile(rb"\n\r?\n")
_FIELD = re.compile(rb"[A-Za-z_-]+\Z")
_BOM = b"\xef\xbb\xbf"


class Event(Struct, frozen=True, gc=False):
    """One event: its name (empty when it has none) and its data, lines joined by LF."""

    name: bytes
    data: bytes


class EventBlocks:
    """Cuts a byte stream at the ends of events.

    Args:
        bytes_max: the most bytes one event may have, its blank line included.

    Attributes:
        pending: the beginning of an event whose end has not come; always the same object.
    """

    __slots__ = ("_bytes_max", "pending")

    def __init__(self, bytes_max: int = EVENT_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self.pending = bytearray()

    def feed(self, data: bytes) -> bytes:
        """Give the bytes of the events that are complete now; empty when none is.

        Raises:
            UpstreamFailure: kind "too_large" when one event has more than `bytes_max`.
        """
        pending = self.pending
        if not pending and data.endswith(ENDS):
            block = data
        else:
            # A blank line may have begun in the bytes kept, so look a little back.
            start = max(0, len(pending) - 3)
            pending += data
            cut = max(pending.rfind(b"\n\n", start) + 2, pending.rfind(b"\n\r\n", start) + 3)
            if cut < 3:  # neither was found: the sums are 1 and 2
                self._check(len(pending))
                return b""
            block = bytes(pending[:cut])
            del pending[:cut]
            self._check(len(pending))
        if len(block) > self._bytes_max:
            self._check(max(map(len, _raw_events(block))))
        return block

    def _check(self, size: int) -> None:
        if size > self._bytes_max:
            raise UpstreamFailure(
                f"the provider sent an event of more than {self._bytes_max} bytes",
                kind="too_large",
            )


def split_events(block: bytes) -> list[Event]:
    """Give the events of a block that ends with an event's end; events without data are none.

    Raises:
        UpstreamFailure: kind "malformed" when a line is no field of an event stream.
    """
    if block.startswith(b"data: ") and block.count(b"\n") == 2 and block.endswith(b"\n\n"):
        return [Event(b"", block[6:-2].removesuffix(b"\r"))]  # nearly all there is
    if block.startswith(_BOM):
        block = block[len(_BOM) :]
    events: list[Event] = []
    name = b""
    data: list[bytes] = []
    for raw in block.split(b"\n"):
        line = raw[:-1] if raw.endswith(b"\r") else raw
        if not line:
            if data:
                events.append(Event(name, data[0] if len(data) == 1 else b"\n".join(data)))
            name, data = b"", []
        elif line.startswith(b"data:"):
            data.append(line[6:] if line.startswith(b"data: ") else line[5:])
        elif line.startswith(b"event:"):
            name = line[6:].strip()
        else:
            _require_field(line)
    return events


def end_of_event(block: bytes, at: int) -> int:
    """Give where the event ends that holds a position of a block."""
    found = _END.search(block, at)
    return len(block) if found is None else found.end()


def events_at(block: bytes, positions: Iterable[int], begin: int = 0) -> list[tuple[int, int]]:
    """Give where the events begin and end that hold one of these positions, in their order.

    Args:
        block: of whole events.
        positions: of words in it, all of them from `begin` on.
        begin: where an event begins.
    """
    spans: list[tuple[int, int]] = []
    end = begin
    for at in sorted(positions):
        if at >= end:
            # Not further back than the last one, so that many positions cost no more than few.
            found = block.rfind(b"\n\n", end, at)
            start = end if found < 0 else found + 2
            found = block.rfind(b"\n\r\n", start, at)
            start = start if found < 0 else found + 3
            end = end_of_event(block, at)
            spans.append((start, end))
    return spans


class SseSplitter:
    """Feed it bytes as they come; it gives the events that are complete with them."""

    def __init__(self, bytes_max: int = EVENT_BYTES_MAX) -> None:
        self._blocks = EventBlocks(bytes_max)

    def feed(self, data: bytes) -> list[Event]:
        """Give the events that end in these bytes.

        Raises:
            UpstreamFailure: kind "too_large" or "malformed".
        """
        block = self._blocks.feed(data)
        return split_events(block) if block else []


class SseReader:
    """A dialect's StreamReader: splits events and has each one read.

    Args:
        read: gives an event's Deltas; keeps what it must remember between events itself.
        bytes_max: the most bytes one event may have.
    """

    def __init__(
        self, read: Callable[[Event], Sequence[Delta]], bytes_max: int = EVENT_BYTES_MAX
    ) -> None:
        self._read = read
        self._splitter = SseSplitter(bytes_max)

    def feed(self, data: bytes) -> Sequence[Delta]:
        """Give the Deltas of the events that end in these bytes."""
        return [delta for event in self._splitter.feed(data) for delta in self._read(event)]


def data_event(data: bytes) -> bytes:
    """Give the bytes of an event without a name; `data` holds no line break."""
    return b"data: " + data + b"\n\n"


def named_event(name: str, data: bytes) -> bytes:
    """Give the bytes of an event with a name; `data` holds no line break."""
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


def _raw_events(block: bytes) -> list[bytes]:
    return re.split(rb"(?<=\n\n)|(?<=\n\r\n)", block)


def _require_field(line: bytes) -> None:
    """Let comments and other fields pass; an HTML page or a JSON body is not a stream."""
    field = line.partition(b":")[0]
    if field and _FIELD.match(field) is None:
        raise UpstreamFailure(
            f"the provider's stream has a line that is no event field, {len(line)} bytes long",
            kind="malformed",
        )
