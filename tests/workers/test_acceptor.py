"""Connections go to the worker that has the fewest, and never wait long for one that hangs."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from omniroute.server.workers.acceptor import Acceptor, Connections
from omniroute.server.workers.board import CLOSED, Board

pytestmark = pytest.mark.anyio

WORKERS = 2


class Served(asyncio.Protocol):
    """A connection that says which worker has it."""

    def __init__(self, index: int, connections: Connections) -> None:
        self._index = index
        self._connections = connections

    def connection_made(self, transport: Any) -> None:
        self._connections.add(self)
        transport.write(b"%d" % self._index)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)


class FullOnce(socket.socket):
    """A listener whose process has no descriptor left, the first time."""

    was_full = False

    def accept(self) -> tuple[socket.socket, Any]:
        if not self.was_full:
            self.was_full = True
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


@asynccontextmanager
async def listening(
    board: Board, *, indexes: tuple[int, ...], make: Callable[..., socket.socket] = socket.socket
) -> AsyncIterator[int]:
    """Accept for these workers on one port, and give it."""
    with make() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        shares = [make(fileno=socket.dup(listener.fileno())) for _ in indexes]
        for one in shares:
            one.setblocking(False)
        acceptors = []
        for index, share in zip(indexes, shares, strict=True):
            connections = Connections(board, index)

            def served(index: int = index, connections: Connections = connections) -> Served:
                return Served(index, connections)

            acceptors.append(Acceptor(share, served, connections))
        try:
            yield listener.getsockname()[1]
        finally:
            for acceptor, share in zip(acceptors, shares, strict=True):
                acceptor.close()
                await acceptor.wait_closed()
                share.close()


async def workers_of(port: int, count: int) -> list[int]:
    """Connect so often, and give which workers have the connections."""
    made = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", port) for _ in range(count)))
    async with asyncio.timeout(10):
        found = [int(await reader.readexactly(1)) for reader, _ in made]
    for _, writer in made:
        writer.close()
    return found


async def test_a_burst_of_connections_is_shared_evenly() -> None:
    async with listening(Board(WORKERS), indexes=(0, 1)) as port:
        found = await workers_of(port, 40)

    assert found.count(0) == found.count(1) == 20


async def test_a_worker_that_hangs_is_not_waited_for() -> None:
    board = Board(WORKERS)
    board.connections(1, 0)
    async with listening(board, indexes=(0,)) as port:
        found = await workers_of(port, 5)

    assert found == [0] * 5


async def test_a_worker_without_room_leaves_connections_alone_for_a_while() -> None:
    async with listening(Board(1), indexes=(0,), make=FullOnce) as port:
        found = await workers_of(port, 2)

    assert found == [0, 0]


async def test_a_worker_that_has_closed_is_waited_for_by_nobody() -> None:
    board = Board(WORKERS)
    async with listening(board, indexes=(0, 1)):
        pass

    assert board.fewest() == CLOSED
