"""An upstream's bytes into Pieces: the one place that chooses between forwarding and reading.

Same dialect and a door that forwards: bytes go on as they came, with a Delta only where the
sniffer found something. Else the dialect's reader makes Deltas and the bytes end here.
An answer that stops without its end was cut: it is never taken for a short, complete one.
"""

from collections.abc import Sequence

from ..conversation import Delta
from ..errors import UpstreamFailure
from ..model import Piece
from .codec import Codec
from .openai_chat.usage import UsageHider


class PieceReader:
    """Feed it the body as it comes, then call `end`. Streams and whole answers alike.

    Args:
        codec: the dialect of the bytes.
        forward: whether bytes may be forwarded as they are.
        stream: whether the body is an event stream.
        bytes_max: the most bytes of a whole answer that is kept.
        hider: takes out of a forwarded stream what the client did not ask for.
    """

    def __init__(
        self,
        codec: Codec,
        *,
        forward: bool,
        stream: bool,
        bytes_max: int,
        hider: UsageHider | None = None,
    ) -> None:
        self._codec = codec
        self._forward = forward
        self._stream = stream
        self._bytes_max = bytes_max
        self._hider = hider
        self._sniffer = codec.sniffer(stream=True) if stream and forward else None
        self._reader = codec.reader() if stream and not forward else None
        self._body: list[bytes] = []
        self._size = 0
        self._ended = False

    def feed(self, data: bytes) -> Sequence[Piece]:
        """Give the Pieces that are complete with these bytes; a whole answer waits for `end`.

        Raises:
            UpstreamFailure: the bytes are not the dialect's, or are too many.
        """
        if self._sniffer is not None:
            delta = self._sniffer.feed(data)
            self._ended = self._ended or (delta is not None and delta.ended)
            return (Piece(data if self._hider is None else self._hider.feed(data), delta),)
        if self._reader is not None:
            return self._pieces(self._reader.feed(data))
        self._size += len(data)
        if self._size > self._bytes_max:
            raise UpstreamFailure(
                f"the answer is larger than {self._bytes_max} bytes", kind="too_large"
            )
        self._body.append(data)
        return ()

    def is_plain(self, data: bytes) -> bool:
        """Whether the bytes that come next go on as they are, and need not be fed."""
        sniffer, hider = self._sniffer, self._hider
        if sniffer is None or (hider is not None and hider.held_bytes):
            return False
        return sniffer.is_plain(data)

    def end(self) -> Sequence[Piece]:
        """Give what is left when the body is over.

        Raises:
            UpstreamFailure: kind "truncated" when the answer has no proper end.
        """
        if self._stream:
            if not self._ended:
                raise UpstreamFailure(
                    "the provider's stream stopped without its end", kind="truncated"
                )
            rest = b"" if self._hider is None else self._hider.rest()
            return (Piece(rest),) if rest else ()
        body = b"".join(self._body)
        if not self._forward:
            return self._pieces(self._codec.parse_answer(body))
        return (Piece(body, self._codec.sniffer(stream=False).feed(body)),)

    def _pieces(self, deltas: Sequence[Delta]) -> Sequence[Piece]:
        self._ended = self._ended or any(delta.ended for delta in deltas)
        return tuple(Piece(b"", delta) for delta in deltas)
