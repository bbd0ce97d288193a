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
from .mail import Mailboxes, Peers

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
    board: Board
    mailboxes: Mailboxes
    line: socket.socket = field(repr=False)

    def peers(self) -> Peers:
        """Give the other workers, to be opened on this worker's loop."""
        return Peers(self.index, self.mailboxes, self.board)

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
