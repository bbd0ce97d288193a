"""Accepting connections where several workers share one listening socket.

All of them hear of a new connection, and whoever accepts first has it: left to itself, that
gives a burst of connections to one worker, and clients that keep their connections stay there.
So a worker takes a connection only while none that is there has fewer, by the counts that all
write where all can read them, its own before it takes the next; else it leaves the connection to
those with fewer, for as long as they need to come. A count that is read is never too low for a
connection that was taken, so no two workers differ by more than one for what came while they
were there. A worker that does not come (it hangs, or the system has stopped it) is passed over:
whoever has looked LOOKS_MAX times for the same connection, and saw that those with fewer have not
looked once, notes that they are absent, and from then on no connection waits for them. Looks are
counted, not time, because a machine so busy that the others cannot come delays the looks as well.
A worker that looks again is there again. One that ends is off the counts at once, and takes no
connection with it that it had not accepted.

Why not one socket for each worker (SO_REUSEPORT): there the kernel draws the worker, so 32
connections are shared by two as 18 to 14 on average and by four as 12 to 5; and what waits in
the queue of a worker that died waits until another one is there. Measured, see decisions 31 and
41.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from typing import Any

from .board import Board

LOOK_S = 0.002
"""How long between two looks at a connection that is left to another worker."""
LOOKS_MAX = 100
"""So many looks of one worker, and none of those with fewer connections: they are absent."""
NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
NO_ROOM_S = 0.5
"""How long a worker leaves connections to the others when it has no room for one more."""

log = logging.getLogger("omniroute")


class Connections(set[Any]):
    """The open connections of one worker; their number is on the board."""

    def __init__(self, board: Board, index: int) -> None:
        super().__init__()
        self._board = board
        self._index = index
        self.coming = 0
        self.closed = False

    def add(self, one: Any) -> None:
        """Take one in."""
        super().add(one)
        self.tell()

    def discard(self, one: Any) -> None:
        """Let one go."""
        super().discard(one)
        self.tell()

    def tell(self) -> None:
        """Write how many there are, with those whose protocol is not there yet."""
        if not self.closed:
            self._board.connections(self._index, len(self) + self.coming)

    def close(self) -> None:
        """Say that no more are taken."""
        self.closed = True
        self._board.close(self._index)

    def look(self) -> None:
        """Say that this worker is there."""
        if not self.closed:
            self._board.look(self._index)

    def others(self) -> list[int]:
        """Give the workers that are there and have fewer."""
        return self._board.fewer(len(self) + self.coming)

    def looks(self, others: list[int]) -> list[int]:
        """Give how often these workers have looked."""
        return self._board.looks(others)

    def pass_over(self, others: list[int]) -> None:
        """Say that these do not come."""
        for index in others:
            self._board.absent(index)

    def rest(self) -> None:
        """Say that this worker takes none until it looks again."""
        self._board.absent(self._index)


class Acceptor:
    """Accepts connections of one listening socket until it is closed."""

    def __init__(
        self,
        listener: socket.socket,
        make_protocol: Callable[[], asyncio.Protocol],
        connections: Connections,
    ) -> None:
        self._listener = listener
        self._make_protocol = make_protocol
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._later: asyncio.TimerHandle | None = None
        self._left_to: tuple[list[int], list[int]] | None = None
        self._left = 0
        self._coming: set[asyncio.Task[None]] = set()
        connections.tell()
        self._loop.add_reader(listener.fileno(), self._look)

    def close(self) -> None:
        """Accept no more."""
        self._connections.close()
        self._loop.remove_reader(self._listener.fileno())
        if self._later is not None:
            self._later.cancel()

    async def wait_closed(self) -> None:
        """Wait until what was accepted has its protocol."""
        if self._coming:
            await asyncio.wait(self._coming)

    def _look(self) -> None:
        """Take connections until another worker has fewer or none is left."""
        self._connections.look()
        while not self._is_left_to_others():
            if not self._accept():
                return
        self._look_away(LOOK_S)

    def _is_left_to_others(self) -> bool:
        """Whether a worker that is there has fewer; those that have not come are passed over."""
        others = self._connections.others()
        seen = others, self._connections.looks(others)
        self._left = self._left + 1 if seen == self._left_to else 0
        self._left_to = seen
        if others and self._left >= LOOKS_MAX:
            self._connections.pass_over(others)
            return False
        return bool(others)

    def _look_away(self, wait_s: float) -> None:
        """Leave the socket alone: it stays ready for as long as nobody accepts."""
        self._loop.remove_reader(self._listener.fileno())
        self._later = self._loop.call_later(wait_s, self._look_again)

    def _look_again(self) -> None:
        self._later = None
        self._loop.add_reader(self._listener.fileno(), self._look)

    def _accept(self) -> bool:
        """Take one connection; gives whether there was one."""
        try:
            accepted, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            log.warning("connection_not_accepted", extra={"reason": str(error)})
            self._connections.rest()
            self._look_away(NO_ROOM_S)
            return False
        accepted.setblocking(False)
        self._connections.coming += 1
        self._connections.tell()
        task = self._loop.create_task(self._adopt(accepted))
        self._coming.add(task)
        task.add_done_callback(self._coming.discard)
        return True

    async def _adopt(self, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make_protocol, accepted)
        except OSError:
            # It was gone before it could be served.
            accepted.close()
        finally:
            self._connections.coming -= 1
            self._connections.tell()
