"""A body that goes on to a sink in the very calls that bring it from the socket.

To wake a task for each read costs several times what is done with it. So whoever pours sleeps
until the body is over. It is woken in between only where the sink is slow: what comes meanwhile
is kept, as for any reader that is behind, and back-pressure is the connection's own.
"""

from collections.abc import Awaitable, Callable, Coroutine, Sequence

from ..errors import UpstreamFailure
from ..model import Piece
from ..ports import Sink, Wait
from .incoming import Incoming


class Pouring:
    """Pours one body. `run` it once.

    Args:
        connection: whose body it is.
        is_plain: tells of bytes whether they are Pieces without a Delta.
        made: makes Pieces of all others.
        sink: takes both.
    """

    __slots__ = ("_connection", "_error", "_is_plain", "_made", "_sink", "_wait", "_write")

    def __init__(
        self,
        connection: Incoming,
        is_plain: Callable[[bytes], bool],
        made: Callable[[bytes], Sequence[Piece]],
        sink: Sink,
    ) -> None:
        self._connection = connection
        self._is_plain = is_plain
        self._made = made
        self._sink = sink
        self._write = sink.write
        self._wait: Wait = None
        self._error: Exception | None = None

    async def run(self) -> UpstreamFailure | None:
        """Pour until the body is over.

        Returns:
            Why it broke off, None when it came to its end.

        Raises:
            Exception: what a Piece could not be made of, or the sink could not take.
        """
        connection = self._connection
        while True:
            wait = await self._straight()
            if wait is None:
                try:
                    data = await connection.read()
                except UpstreamFailure as failure:
                    return failure
                if not data:
                    return None
                wait = self._take(data)
            if wait is not None:
                await wait

    async def _straight(self) -> Wait:
        """Let each read go straight on, until the sink is behind or no more comes.

        What has come before is left to be read.
        """
        try:
            await self._connection.each_read(self._on_read)
        except BaseException:
            if isinstance(self._wait, Coroutine):
                self._wait.close()  # Else it complains that nobody has awaited it.
            raise
        finally:
            self._connection.no_read()
        if self._error is not None:
            raise self._error
        wait, self._wait = self._wait, None
        return wait

    def _on_read(self) -> None:
        try:
            wait = self._take(self._connection.take())
        except Exception as error:  # noqa: BLE001 - the connection is not to blame: `run` raises it
            self._error = error
            self._connection.no_read()
            return
        if wait is not None:
            self._wait = wait
            self._connection.no_read()

    def _take(self, data: bytes) -> Wait:
        return self._write(data) if self._is_plain(data) else give(self._made(data), self._sink)


def give(pieces: Sequence[Piece], sink: Sink) -> Wait:
    """Give Pieces to a sink one after the other."""
    for at, piece in enumerate(pieces, 1):
        wait = sink.take(piece)
        if wait is not None:
            return wait if at == len(pieces) else _give_later(wait, pieces[at:], sink)
    return None


async def _give_later(first: Awaitable[None], pieces: Sequence[Piece], sink: Sink) -> None:
    await first
    for piece in pieces:
        wait = sink.take(piece)
        if wait is not None:
            await wait
