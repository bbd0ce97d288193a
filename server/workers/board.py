"""Small figures that every worker sees at once: memory that they share.

The supervisor makes it before the first worker starts, so all of them, also those that are
started later, have the same. Each worker writes only its own column, a figure at a time, and
whoever reads may see figures of slightly different moments: that serves to spread work and to
know whether all are idle, and for nothing else. One figure others write, too: that a worker did
not come for a connection, so that nobody waits for it until it says itself that it is there.
"""

import mmap
from typing import Final

CONNECTIONS: Final = 0
BUSY: Final = 1
TOUCHED: Final = 2
PROCESS: Final = 3
LOOKS: Final = 4
ABSENT: Final = 5
_FIGURES = 6
_WIDTH = 8

CLOSED = 2**62
"""Connections of a worker that accepts none: nobody waits for it to take one."""
_MS = 1000


class Board:
    """The figures of so many workers. What a worker has not written yet says that it is closed."""

    def __init__(self, workers: int) -> None:
        memory = mmap.mmap(-1, workers * _FIGURES * _WIDTH)
        self._figures = memoryview(memory).cast("q")
        self._workers = workers
        for index in range(workers):
            self.close(index)

    def connections(self, index: int, count: int) -> None:
        """Say how many connections a worker has."""
        self._figures[index * _FIGURES + CONNECTIONS] = count

    def close(self, index: int) -> None:
        """Say that a worker accepts no connection, as it has ended or is about to."""
        self.connections(index, CLOSED)

    def is_open(self, index: int) -> bool:
        """Whether a worker accepts connections."""
        return int(self._figures[index * _FIGURES + CONNECTIONS]) < CLOSED

    def fewer(self, count: int) -> list[int]:
        """Give the workers that are there and have fewer connections than this."""
        counts, absent = self._figures[CONNECTIONS::_FIGURES], self._figures[ABSENT::_FIGURES]
        return [at for at, one in enumerate(counts) if one < count and not absent[at]]

    def look(self, index: int) -> None:
        """Say that a worker is there and looks for connections, and has done so once more."""
        first = index * _FIGURES
        self._figures[first + LOOKS] += 1
        self._figures[first + ABSENT] = 0

    def looks(self, indexes: list[int]) -> list[int]:
        """Give how often each of these workers has looked."""
        return [self._figures[index * _FIGURES + LOOKS] for index in indexes]

    def absent(self, index: int) -> None:
        """Say that a worker takes no connection until it looks again."""
        self._figures[index * _FIGURES + ABSENT] = 1

    def process(self, index: int, process_id: int) -> None:
        """Say which process has a place; 0 is none."""
        self._figures[index * _FIGURES + PROCESS] = process_id

    def processes(self) -> list[int]:
        """Give the processes that have a place."""
        return [one for one in self._figures[PROCESS::_FIGURES] if one]

    def work(self, index: int, *, busy: int, touched_s: float) -> None:
        """Say how many requests a worker answers, and when one last began or ended."""
        self._figures[index * _FIGURES + BUSY] = busy
        self._figures[index * _FIGURES + TOUCHED] = round(touched_s * _MS)

    def idle_since_s(self) -> float | None:
        """Give when the last request of all ended; None while one is being answered."""
        if any(self._figures[BUSY::_FIGURES]):
            return None
        return max(self._figures[TOUCHED::_FIGURES]) / _MS
