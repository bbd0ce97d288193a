"""A stream's way out: the Pieces of an answer as bytes of the client's dialect, as they come.

A Piece of the client's own dialect is sent in the very call that brought it from the provider:
nothing is awaited in between, and no task is woken. Whoever pours the answer sleeps until it
is over, or until the client is behind; then the provider waits with it.
"""

from omniroute.routing.model import Piece
from omniroute.routing.reply import Reply
from omniroute.routing.wire.codec import StreamWriter
from omniroute.routing.wire.sse import ENDS

from ..exchange import Exchange, Wait

MINIMUM = 3
"""Where the shortest end of an event ends; what finds none gives less."""


class Forwarded:
    """A ports.Sink of Pieces that go on as they came."""

    __slots__ = ("write",)

    def __init__(self, exchange: Exchange) -> None:
        self.write = exchange.write

    def take(self, piece: Piece) -> Wait:
        """Send its bytes; there are none where all of them were taken out."""
        return self.write(piece.raw) if piece.raw else None

    def end(self) -> bytes:
        """Give what is left to send: nothing."""
        return b""


class ForwardedEvents:
    """A ports.Sink of Pieces that go on as they came, but for an event that is not whole.

    What has come of it waits for the rest: where that never comes, the error that ends the stream
    would be read as its end.

    Attributes:
        rest: what waits.
    """

    __slots__ = ("rest", "write")

    def __init__(self, exchange: Exchange) -> None:
        # While anything waits, no bytes are plain: see SseSniffer.is_plain.
        self.write = exchange.write
        self.rest = b""

    def take(self, piece: Piece) -> Wait:
        """Send its bytes up to the end of the last event in them."""
        data = self.rest + piece.raw if self.rest else piece.raw
        if data.endswith(ENDS):
            self.rest = b""
            return self.write(data)
        cut = max(data.rfind(b"\n\n") + 2, data.rfind(b"\n\r\n") + 3)
        if cut < MINIMUM:
            self.rest = data
            return None
        self.rest = data[cut:]
        return self.write(data[:cut])

    def end(self) -> bytes:
        """Give what is left to send."""
        return self.rest


class Rendered:
    """A ports.Sink of Pieces from another dialect."""

    __slots__ = ("_writer", "write")

    def __init__(self, exchange: Exchange, writer: StreamWriter) -> None:
        self.write = exchange.write
        self._writer = writer

    def take(self, piece: Piece) -> Wait:
        """Send what the client's dialect shows of it, if that is anything."""
        data = b"" if piece.delta is None else self._writer.write(piece.delta)
        return self.write(data) if data else None

    def end(self) -> bytes:
        """Give what is left to send."""
        return self._writer.end()


def outflow_of(
    reply: Reply, exchange: Exchange, writer: StreamWriter
) -> Forwarded | ForwardedEvents | Rendered:
    """Give the way out of an answer; what it `end`s with is sent when all of it was given."""
    if not reply.forwards:
        return Rendered(exchange, writer)
    if reply.headers.get(b"content-type", b"").startswith(b"text/event-stream"):
        return ForwardedEvents(exchange)
    return Forwarded(exchange)
