"""A provider's stream in progress: chunks of a connection into Pieces."""

from collections.abc import Mapping, Sequence

from msgspec import structs

from ..conversation import Delta
from ..errors import UpstreamFailure
from ..model import Piece
from ..ports import Sink
from ..wire.pieces import PieceReader
from .classify import HIDDEN, scrub, without_secrets
from .incoming import Incoming
from .pouring import Pouring, give

END_GRACE_S = 1.0
"""How long the connection may stay open after the answer's own end before it is cut."""


class HttpAnswer:
    """Iterate it once, or pour what is left of it, and always close it; see ports.Answer.

    An answer is over when its dialect says so, or when it holds the provider's own error.
    What the connection does after that (stays open, breaks off) is no failure of the answer.

    Args:
        connection: with the head of an answer that was found to be one.
        reader: makes Pieces of its body. It may begin with events without content, which keep
            a connection alive and no more.
        secrets: taken out of errors that come inside the answer.
    """

    __slots__ = (
        "_at",
        "_awaiting",
        "_connection",
        "_ended",
        "_failed",
        "_pieces",
        "_reader",
        "_secrets",
        "dropped",
        "headers",
    )

    def __init__(
        self,
        connection: Incoming,
        reader: PieceReader,
        *,
        secrets: Sequence[str] = (),
    ) -> None:
        self._connection: Incoming | None = connection
        self.headers: Mapping[bytes, bytes] = connection.headers
        self.dropped: tuple[str, ...] = ()
        self._reader = reader
        self._secrets = secrets
        self._pieces: Sequence[Piece] = ()
        self._at = 0
        self._ended = False
        self._failed = False
        self._awaiting = True
        connection.await_content()

    def __aiter__(self) -> "HttpAnswer":
        return self

    async def __anext__(self) -> Piece:
        """Give the next Piece.

        Raises:
            UpstreamFailure: the answer broke off, stalled, or is not one of its dialect.
        """
        while self._at >= len(self._pieces):
            connection = self._connection
            if connection is None:
                raise StopAsyncIteration
            try:
                await self._advance(connection)
            except UpstreamFailure as failure:
                self.close()
                raise without_secrets(failure, self._secrets) from failure.__cause__
            except BaseException:
                self.close()
                raise
        piece = self._pieces[self._at]
        self._at += 1
        return piece

    async def pour(self, sink: Sink) -> None:
        """Give the Pieces that are left to a sink as they come.

        Raises:
            UpstreamFailure: as iterating does.
        """
        connection, left = self._connection, self._pieces[self._at :]
        self._pieces = ()
        try:
            if (wait := give(left, sink)) is not None:
                await wait
            if connection is not None:
                pouring = Pouring(connection, self._reader.is_plain, self._made, sink)
                failure = await pouring.run()
                if failure is not None and not self._ended:
                    raise failure
                if (wait := give(self._last(), sink)) is not None:
                    await wait
        except UpstreamFailure as failure:
            raise without_secrets(failure, self._secrets) from failure.__cause__
        finally:
            self.close()

    def close(self) -> None:
        """Give the connection back when the answer ended, else cut it at once; never waits."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    async def _advance(self, connection: Incoming) -> None:
        """Make the next Pieces, and give the connection back when there are no more."""
        self._at = 0
        try:
            data = await connection.read()
        except UpstreamFailure:
            if not self._ended:
                raise
            data = b""
        if not data:
            self._pieces = self._last()
            self.close()
            return
        self._pieces = self._made(data)

    def _made(self, data: bytes) -> Sequence[Piece]:
        """Make Pieces of what has come."""
        awaiting, connection = self._awaiting, self._connection
        pieces = self._watched(self._reader.feed(data))
        if connection is not None and self._ended:
            connection.expect_end(END_GRACE_S)
        elif connection is not None and awaiting and not self._awaiting:
            connection.content_began()
        return pieces

    def _last(self) -> Sequence[Piece]:
        """Give what is left when nothing more comes."""
        # An error inside has said how the answer ends: it has no other end.
        return () if self._failed else self._watched(self._reader.end())

    def _watched(self, pieces: Sequence[Piece]) -> Sequence[Piece]:
        """Note where content begins and ends, and take our credential out of errors inside."""
        for piece in pieces:
            delta = piece.delta
            if delta is None:
                continue
            self._failed = self._failed or delta.error is not None
            self._ended = self._ended or delta.ended or self._failed
            if self._awaiting and delta.has_content:
                self._awaiting = False
            if delta.error is not None and self._secrets:
                return tuple(scrubbed(one, self._secrets) for one in pieces)
        return pieces


def scrubbed(piece: Piece, secrets: Sequence[str]) -> Piece:
    """Give a Piece without the secrets that an error inside the answer may repeat."""
    raw = piece.raw
    for secret in secrets:
        raw = raw.replace(secret.encode(), HIDDEN.encode())
    return Piece(raw, _without_secrets(piece.delta, secrets))


def _without_secrets(delta: Delta | None, secrets: Sequence[str]) -> Delta | None:
    if delta is None or delta.error is None:
        return delta
    said = scrub(delta.error.message, secrets)
    return structs.replace(delta, error=structs.replace(delta.error, message=said))
