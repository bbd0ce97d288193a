"""Answers that come packed although they were asked for as they are.

A stream is unpacked as it comes, a whole answer when it is here; what both hold is bounded as an
answer's bytes are, and by its size on the wire: see unpacking.py. What is too large, broken or
cut is a fault of the provider's, and another one may be asked.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping

from ..errors import UpstreamFailure
from .exchange import Exchange
from .incoming import Incoming
from .unpacking import DECODERS, RATIO_MAX, Decoder, EndsEarly, NotPacked, room_for

PLAIN = (b"", b"identity")
UNPACKED_HERE_BYTES_MAX = 16 * 1024
"""A whole answer that is longer as it came is unpacked beside the event loop."""
_OF_THE_WIRE = frozenset({b"content-encoding", b"content-length"})


def coding_of(headers: Mapping[bytes, bytes]) -> bytes | None:
    """Give how a body is packed, None where it is not."""
    coding = headers.get(b"content-encoding", b"").strip().lower()
    return None if coding in PLAIN else coding


def readable(connection: Exchange, bytes_max: int) -> Incoming:
    """Give an answer's body, of at most so many bytes, as if it were not packed.

    Raises:
        UpstreamFailure: kind "malformed": nobody can read its packing here.
    """
    coding = coding_of(connection.headers)
    if coding is None:
        return connection
    if coding not in DECODERS:
        shown = coding[:64].decode("latin-1")
        raise UpstreamFailure(
            f"the answer is packed as {shown!r}, and was asked for as it is", kind="malformed"
        )
    return Unpacked(connection, DECODERS[coding], bytes_max)


class Unpacked:
    """A body that is unpacked on its way; see Incoming."""

    def __init__(self, connection: Exchange, made: Callable[[], Decoder], bytes_max: int) -> None:
        self.headers = {
            name: value for name, value in connection.headers.items() if name not in _OF_THE_WIRE
        }
        self.await_content = connection.await_content
        self.content_began = connection.content_began
        self.expect_end = connection.expect_end
        self.close = connection.close
        self._connection = connection
        self._made = made
        self._decoder = made()
        self._bytes_max = bytes_max
        self._packed_bytes = 0
        self._size = 0
        self._body = b""
        self._pieces: Iterator[bytes] = iter(())

    async def whole(self) -> None:
        """Unpack a whole body, for `take`; a long one beside the event loop.

        Raises:
            UpstreamFailure: it broke off, is not what it is said to be, or too large.
        """
        waiting = self._connection.whole()
        if waiting is not None:
            await waiting
        body = self._connection.take()
        if len(body) <= UNPACKED_HERE_BYTES_MAX:
            self._body = self._unpacked(body)
        else:
            self._body = await asyncio.to_thread(self._unpacked, body)

    def take(self) -> bytes:
        """Give what `whole` has unpacked."""
        body, self._body = self._body, b""
        return body

    async def read(self) -> bytes:
        """Give a piece of what has come; b"" when it is over.

        Raises:
            UpstreamFailure: it broke off, is not what it is said to be, or too large.
        """
        while True:
            for piece in self._pieces:
                return piece
            data = await self._connection.read()
            if not data:
                self._end()
                return b""
            self._packed_bytes += len(data)
            self._pieces = self._counted(self._decoder.feed(data))

    def each_read(self, call: Callable[[], None]) -> "asyncio.Future[None]":
        """Leave all to be read: what comes is not what goes on."""
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    def no_read(self) -> None: ...

    def _unpacked(self, body: bytes) -> bytes:
        """Unpack a body twice, first to count: a bomb is never here in full."""
        self._packed_bytes = len(body)
        for _ in self._counted(_all(self._made(), body)):
            pass
        return b"".join(_all(self._made(), body))

    def _counted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        try:
            for piece in pieces:
                self._size += len(piece)
                room = room_for(self._packed_bytes, self._bytes_max)
                if self._size > room:
                    raise self._too_large(room)
                yield piece
        except EndsEarly as error:
            raise _cut() from error
        except NotPacked as error:
            raise UpstreamFailure(
                f"the answer is not what its content-encoding says: {error}", kind="malformed"
            ) from error

    def _end(self) -> None:
        try:
            self._decoder.end()
        except EndsEarly as error:
            raise _cut() from error

    def _too_large(self, room: int) -> UpstreamFailure:
        words = (
            f"the answer unpacks to more than {RATIO_MAX} times its size"
            if room < self._bytes_max
            else f"the answer is larger than {self._bytes_max} bytes"
        )
        return UpstreamFailure(words, kind="too_large")


def _all(decoder: Decoder, body: bytes) -> Iterator[bytes]:
    yield from decoder.feed(body)
    decoder.end()


def _cut() -> UpstreamFailure:
    return UpstreamFailure("the packed answer ends in its middle", kind="truncated")
