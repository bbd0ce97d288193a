"""Small figures that every worker sees at once: memory that they share.

The supervisor makes it before the first worker starts, so all of them, also those that are
started later, have the same. Each worker writes only its own column, a figure at a time, and
whoever reads may see figures of slightly different moments: that serves to spread work and to
know whether all are idle, and for nothing else.
"""

import mmap
from typing import Final

CONNECTIONS: Final = 0
BUSY: Final = 1
TOUCHED: Final = 2
PROCESS: Final = 3
_FIGURES = 4
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

    def fewest(self) -> int:
        """Give how many connections the worker with the fewest has."""
        return min(self._figures[CONNECTIONS::_FIGURES])

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
