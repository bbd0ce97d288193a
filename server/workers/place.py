"""A worker's place among the others: what it shares with them, and its line to the supervisor.

The supervisor makes a place for each worker before it starts. On the line a worker says how far
it has come, and hears what to do, a byte each. A line that breaks off means that the supervisor
is gone: then the worker ends, too, as nobody would end or replace it.
"""

import socket
from dataclasses import dataclass, field
from typing import Final

from ..runtime_file import Running
from .board import Board
from .key_rates import SharedKeyRates
from .loads import SharedLoads
from .mail import Mailboxes, Peers
from .minutes import Minutes
from .places import Places

OPENED: Final = b"o"
"""From a worker: the store is open, so its tables are up to date and a first key exists."""
READY: Final = b"r"
"""From a worker: it accepts connections."""

ANNOUNCE: Final = b"a"
"""To a worker: all are ready, say so to the user."""
DRAIN: Final = b"d"
"""To a worker: take no more work, end what is under way, then end."""
END: Final = b"e"
"""To a worker: end at once."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What all workers share, made before the first of them starts."""

    board: Board
    mailboxes: Mailboxes
    places: Places
    minutes: Minutes

    @staticmethod
    def made(workers: int) -> "Shared":
        """Give it for so many workers."""
        return Shared(Board(workers), Mailboxes.made(workers), Places(workers), Minutes(workers))

    def clear(self, index: int, now_s: float) -> None:
        """Forget a worker that has ended."""
        self.board.close(index)
        self.board.process(index, 0)
        self.board.work(index, busy=0, touched_s=now_s)
        self.places.clear(index)
        self.minutes.clear(index)


@dataclass(frozen=True, slots=True)
class Place:
    """One worker's place.

    Attributes:
        index: counts from 0; a worker that replaces another one takes its place.
        running: what names the whole gateway; its process is the supervisor.
        started_s: monotonic time at which the gateway began.
        is_first: whether it is the first worker of this start, which sets up what is new.
    """

    index: int
    workers: int
    running: Running
    started_s: float
    is_first: bool
    shared: Shared
    line: socket.socket = field(repr=False)

    def peers(self) -> Peers:
        """Give the other workers, to be opened on this worker's loop."""
        return Peers(self.index, self.shared.mailboxes, self.shared.board)

    def loads(self) -> SharedLoads:
        """Give the loads of candidates, counted with those of the others."""
        return SharedLoads(self.shared.places, index=self.index, workers=self.workers)

    def rates(self) -> SharedKeyRates:
        """Give what keys have asked for, counted with what the others have let in."""
        return SharedKeyRates(self.shared.minutes, index=self.index, workers=self.workers)

    def processes(self) -> list[int]:
        """Give the ids of all of the gateway's processes."""
        return [self.running.pid, *self.shared.board.processes()]

    def tell(self, how_far: bytes) -> None:
        """Say how far this worker has come; a supervisor that is gone is told nothing."""
        try:
            self.line.send(how_far)
        except OSError:
            return

    def heard(self) -> bytes | None:
        """Give what the supervisor said since; None when it is gone."""
        try:
            return self.line.recv(16) or None
        except BlockingIOError:
            return b""
        except OSError:
            return None
