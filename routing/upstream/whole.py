"""A provider's whole answer: its body is taken at once, and its connection given back with it."""

from collections.abc import Mapping, Sequence

from ..errors import UpstreamFailure
from ..model import Piece
from ..wire.codec import Codec
from .answer import scrubbed
from .classify import without_secrets
from .incoming import Incoming


class WholeAnswer:
    """Iterate it once and always close it; see ports.Answer.

    Args:
        connection: with the head of an answer that was found to be one.
        codec: the dialect of its body.
        forward: whether the body may be forwarded as it is.
        bytes_max: the longest body that is taken.
        secrets: taken out of errors that come inside the answer.
    """

    __slots__ = (
        "_bytes_max",
        "_codec",
        "_connection",
        "_forward",
        "_rest",
        "_secrets",
        "dropped",
        "headers",
    )

    # It comes in one piece.
    pour = None

    def __init__(
        self,
        connection: Incoming,
        codec: Codec,
        *,
        forward: bool,
        bytes_max: int,
        secrets: Sequence[str] = (),
    ) -> None:
        self.headers: Mapping[bytes, bytes] = connection.headers
        self.dropped: tuple[str, ...] = ()
        self._connection: Incoming | None = connection
        self._codec = codec
        self._forward = forward
        self._bytes_max = bytes_max
        self._secrets = secrets
        self._rest: list[Piece] = []

    def __aiter__(self) -> "WholeAnswer":
        return self

    async def __anext__(self) -> Piece:
        """Give the next Piece; a body that is forwarded is one.

        Raises:
            UpstreamFailure: the answer broke off, stalled, or is not one of its dialect.
        """
        connection = self._connection
        if connection is not None:
            try:
                waiting = connection.whole()
                if waiting is not None:
                    await waiting
                self._rest = self._pieces(connection.take())
            except UpstreamFailure as failure:
                raise without_secrets(failure, self._secrets) from failure.__cause__
            finally:
                self.close()
        if not self._rest:
            raise StopAsyncIteration
        return self._rest.pop()

    def close(self) -> None:
        """Give the connection back when the answer ended, else cut it at once; never waits."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _pieces(self, body: bytes) -> list[Piece]:
        """Give the Pieces of a body, the last one first.

        Raises:
            UpstreamFailure: the body is not an answer of the dialect.
        """
        if len(body) > self._bytes_max:
            raise UpstreamFailure(
                f"the answer is larger than {self._bytes_max} bytes", kind="too_large"
            )
        if self._forward:
            pieces = [Piece(body, self._codec.sniffer(stream=False).feed(body))]
        else:
            pieces = [Piece(b"", delta) for delta in reversed(self._codec.parse_answer(body))]
        for piece in pieces:
            if piece.delta is not None and piece.delta.error is not None:
                return [scrubbed(one, self._secrets) for one in pieces]
        return pieces
