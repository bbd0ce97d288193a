"""Accepting connections where several workers share one listening socket.

All of them hear of a new connection, and whoever accepts first has it: left to itself, that
gives a burst of connections to one worker, and clients that keep their connections stay there.
So a worker that has more connections than another leaves a new one to the others. It looks
again after PATIENCE_S and then takes what is still there, so that nobody waits for a worker that
hangs. A worker that ends takes no connection with it that it had not accepted.

Why not one socket for each worker (SO_REUSEPORT): there the kernel draws the worker, so 32
connections are shared by two as 18 to 14 on average and by four as 12 to 5; and what waits in
the queue of a worker that died waits until another one is there. Measured, see decision 31.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from typing import Any

from .board import Board

PATIENCE_S = 0.002
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

    @property
    def are_many(self) -> bool:
        """Whether another worker has fewer."""
        return len(self) + self.coming > self._board.fewest()


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
        while not self._connections.are_many:
            if not self._accept():
                return
        self._look_away(PATIENCE_S)

    def _look_away(self, wait_s: float) -> None:
        """Leave the socket alone: it stays ready for as long as nobody accepts."""
        self._loop.remove_reader(self._listener.fileno())
        self._later = self._loop.call_later(wait_s, self._look_again)

    def _look_again(self) -> None:
        self._later = None
        self._accept()
        if self._later is None:
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
