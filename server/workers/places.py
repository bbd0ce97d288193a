"""How many calls each worker has under way at each candidate, in memory that all share.

The supervisor makes it before the first worker starts. A row is one candidate, found by a hash
of its names; a column is one worker, which alone writes it. Rows are not given back: when all
ROWS are taken, a further candidate gets none. Whoever takes a place under a bound counts all
columns and writes its own under a lock of the file that the memory belongs to, which the system
gives free when its holder dies; the supervisor empties the column of a worker that has ended.
"""

import mmap
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

if sys.platform != "win32":
    import fcntl

ROWS = 4096
_WIDTH = 8


class Places:
    """The calls under way of so many workers."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._file = os.memfd_create("omniroute-places")
        os.ftruncate(self._file, (workers + 1) * ROWS * _WIDTH)
        figures = memoryview(mmap.mmap(self._file, 0)).cast("q")
        self._names = figures[workers * ROWS :]
        self._calls = figures[: workers * ROWS]

    def row(self, account_id: str, model: str) -> int | None:
        """Give a candidate's row; None when there is none left."""
        digest = blake2b(f"{account_id}\0{model}".encode(), digest_size=_WIDTH).digest()
        name = int.from_bytes(digest, "big", signed=True) or 1
        with self.locked():
            for step in range(ROWS):
                row = (name + step) % ROWS
                if self._names[row] in (0, name):
                    self._names[row] = name
                    return row
        return None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep all others from taking a place meanwhile; nothing may be awaited in it."""
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def calls(self, row: int) -> int:
        """Give how many calls all workers have under way."""
        return sum(self._calls[row::ROWS])

    def write(self, worker: int, row: int, calls: int) -> None:
        """Say how many one worker has."""
        self._calls[worker * ROWS + row] = calls

    def clear(self, worker: int) -> None:
        """Forget the calls of a worker that has ended."""
        first = worker * ROWS
        self._calls[first : first + ROWS] = memoryview(bytes(ROWS * _WIDTH)).cast("q")

    def close(self) -> None:
        """Give the file back; for tests, as a gateway has it to its end."""
        os.close(self._file)
