"""Several workers on one loop, each with descriptors of its own, as after a fork."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from omniroute.server.workers.board import Board
from omniroute.server.workers.mail import Mailboxes, Peers


@asynccontextmanager
async def group(count: int) -> AsyncIterator[tuple[list[Peers], Board]]:
    """Give workers that reach each other, and their board."""
    board, made = Board(count), Mailboxes.made(count)
    shares = [
        Mailboxes(tuple((ours.dup(), theirs.dup()) for ours, theirs in made.pairs))
        for _ in range(count)
    ]
    peers = [Peers(index, shares[index], board) for index in range(count)]
    for index, one in enumerate(peers):
        board.connections(index, 0)
        one.open()
    try:
        yield peers, board
    finally:
        for one in peers:
            await one.close()
        for end in (end for some in (made, *shares) for pair in some.pairs for end in pair):
            end.close()


async def delivered(*peers: Peers) -> None:
    """Wait until what was told so far is handled: a question comes after it."""
    for one in peers:
        await one.ask("delivered")
