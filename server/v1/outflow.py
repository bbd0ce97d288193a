"""A stream's way out: the Pieces of an answer as bytes of the client's dialect, as they come.

A Piece of the client's own dialect is sent in the very call that brought it from the provider:
nothing is awaited in between, and no task is woken. Whoever pours the answer sleeps until it
is over, or until the client is behind; then the provider waits with it.
"""

from omniroute.routing.model import Piece
from omniroute.routing.wire.codec import StreamWriter

from ..exchange import Exchange, Wait


class Forwarded:
    """A ports.Sink of Pieces that go on as they came."""

    __slots__ = ("write",)

    def __init__(self, exchange: Exchange) -> None:
        self.write = exchange.write

    def take(self, piece: Piece) -> Wait:
        """Send its bytes; there are none where all of them were taken out."""
        return self.write(piece.raw) if piece.raw else None


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
