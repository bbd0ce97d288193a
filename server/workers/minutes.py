"""The last minute of every limited key, in memory that all workers share.

The supervisor makes it before the first worker starts. A row is one key, found by a hash of its
id; whoever counts in it holds the lock of the file that the memory belongs to, which the system
gives free when its holder dies. How many requests a worker has under way stands in a column of
its own, which the supervisor empties when the worker has ended. A row whose minute is over and
that nobody has a request under way in goes to the next key that needs one.
"""

import mmap
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

from omniroute.routing.health.key_rates import COUNTERS, SECONDS, Minute

if sys.platform != "win32":
    import fcntl

ROWS = 2048
_WIDTH = 8


class Minutes:
    """The minutes of keys, and the requests under way of so many workers."""

    def __init__(self, workers: int) -> None:
        self._file = os.memfd_create("omniroute-minutes")
        os.ftruncate(self._file, (1 + COUNTERS + workers) * ROWS * _WIDTH)
        figures = memoryview(mmap.mmap(self._file, 0)).cast("q")
        self._names = figures[:ROWS]
        self._counters = figures[ROWS : ROWS * (1 + COUNTERS)]
        self._under_way = figures[ROWS * (1 + COUNTERS) :]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep all others from counting meanwhile; nothing may be awaited in it."""
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def row(self, key_id: str, now_s: float) -> int | None:
        """Give a key's row, under the lock; None when all are in use."""
        digest = blake2b(key_id.encode(), digest_size=_WIDTH).digest()
        name = int.from_bytes(digest, "big", signed=True) or 1
        unused = None
        for step in range(ROWS):
            row = (name + step) % ROWS
            if self._names[row] == name:
                return row
            if self._names[row] == 0:
                unused = row if unused is None else unused
                break
            if unused is None and self._is_over(row, now_s):
                unused = row
        if unused is not None:
            first = unused * COUNTERS
            self._counters[first : first + COUNTERS] = memoryview(bytes(COUNTERS * 8)).cast("q")
            self._names[unused] = name
        return unused

    def minute(self, row: int) -> Minute:
        """Give the minute of a row, under the lock."""
        return Minute(self._counters[row * COUNTERS : (row + 1) * COUNTERS])

    def under_way(self, row: int) -> int:
        """Give how many requests all workers have under way."""
        return sum(self._under_way[row::ROWS])

    def note(self, worker: int, row: int, more: int) -> None:
        """Say that one worker has so many more."""
        self._under_way[worker * ROWS + row] += more

    def clear(self, worker: int) -> None:
        """Forget the requests under way of a worker that has ended."""
        first = worker * ROWS
        self._under_way[first : first + ROWS] = memoryview(bytes(ROWS * _WIDTH)).cast("q")

    def close(self) -> None:
        """Give the file back; for tests, as a gateway has it to its end."""
        os.close(self._file)

    def _is_over(self, row: int, now_s: float) -> bool:
        return self._counters[row * COUNTERS] + SECONDS < now_s and not self.under_way(row)
