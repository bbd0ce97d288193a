"""Connections go to the worker that has the fewest, and do not wait for one that hangs."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from omniroute.server.workers.acceptor import LOOKS_MAX, Acceptor, Connections
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
async def listening(make: Callable[[], socket.socket] = socket.socket) -> AsyncIterator[Any]:
    """Give a listener, which workers accept from."""
    with make() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener


@asynccontextmanager
async def accepting(listener: socket.socket, board: Board, *indexes: int) -> AsyncIterator[None]:
    """Accept for these workers from the one listener."""
    shares = [type(listener)(fileno=socket.dup(listener.fileno())) for _ in indexes]
    acceptors = []
    for index, share in zip(indexes, shares, strict=True):
        share.setblocking(False)
        connections = Connections(board, index)

        def served(index: int = index, connections: Connections = connections) -> Served:
            return Served(index, connections)

        acceptors.append(Acceptor(share, served, connections))
    try:
        yield
    finally:
        for acceptor, share in zip(acceptors, shares, strict=True):
            acceptor.close()
            await acceptor.wait_closed()
            share.close()


class Burst:
    """Connections made at the same time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._made: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def connect(self, count: int) -> None:
        """Have them wait to be accepted."""
        opening = (asyncio.open_connection("127.0.0.1", self._port) for _ in range(count))
        self._made += await asyncio.gather(*opening)

    async def workers(self) -> list[int]:
        """Give which workers have them, once all are accepted, and close them."""
        async with asyncio.timeout(10):
            found = [int(await reader.readexactly(1)) for reader, _ in self._made]
        for _, writer in self._made:
            writer.close()
        return found


async def workers_of(listener: socket.socket, count: int) -> list[int]:
    """Connect so often, and give which workers have the connections."""
    burst = Burst(listener.getsockname()[1])
    await burst.connect(count)
    return await burst.workers()


async def test_a_burst_of_connections_is_shared_evenly() -> None:
    board = Board(WORKERS)
    async with listening() as listener, accepting(listener, board, 0, 1):
        found = await workers_of(listener, 40)

    assert found.count(0) == found.count(1) == 20


async def test_a_connection_is_left_to_a_worker_with_fewer_for_as_long_as_it_needs() -> None:
    board = Board(WORKERS)
    board.connections(1, 0)
    async with listening() as listener, accepting(listener, board, 0):
        burst = Burst(listener.getsockname()[1])
        await burst.connect(2)
        async with asyncio.timeout(10):
            while board.looks([0]) < [LOOKS_MAX // 2]:
                await asyncio.sleep(0)
        async with accepting(listener, board, 1):
            found = await burst.workers()

    assert found == [0, 1]


async def test_a_worker_that_hangs_is_waited_for_once_and_then_passed_over() -> None:
    board = Board(WORKERS)
    board.connections(1, 0)
    async with listening() as listener, accepting(listener, board, 0):
        found = await workers_of(listener, 2)
        waited = board.looks([0])[0]
        found += await workers_of(listener, 5)
        looked = board.looks([0])[0]

    assert found == [0] * 7
    assert waited > LOOKS_MAX
    assert looked - waited <= 5


async def test_a_worker_that_was_passed_over_has_its_share_again_once_it_looks() -> None:
    board = Board(WORKERS)
    board.connections(1, 0)
    board.absent(1)
    async with listening() as listener, accepting(listener, board, 0):
        found = await workers_of(listener, 4)
        async with accepting(listener, board, 1):
            board.look(1)
            shared = await workers_of(listener, 40)

    assert found == [0] * 4
    assert shared.count(0) == shared.count(1) == 20


async def test_a_worker_without_room_leaves_connections_alone_for_a_while() -> None:
    async with listening(FullOnce) as listener, accepting(listener, Board(1), 0):
        found = await workers_of(listener, 2)

    assert found == [0, 0]


async def test_a_worker_without_room_is_not_waited_for_by_the_others() -> None:
    board = Board(WORKERS)
    async with (
        listening() as listener,
        listening(FullOnce) as full,
        accepting(listener, board, 0),
        accepting(full, board, 1),
    ):
        burst = Burst(full.getsockname()[1])
        await burst.connect(1)
        async with asyncio.timeout(10):
            while 1 in board.fewer(CLOSED):
                await asyncio.sleep(0)
        found = await workers_of(listener, 2)
        waited = board.looks([0])[0]
        late = await burst.workers()

    assert found == [0, 0]
    assert waited <= 2
    assert late == [1]


async def test_a_worker_that_has_closed_is_waited_for_by_nobody() -> None:
    board = Board(WORKERS)
    async with listening() as listener, accepting(listener, board, 0, 1):
        there = board.fewer(CLOSED)

    assert there == [0, 1]
    assert board.fewer(CLOSED) == []
