"""The log in a file that does not grow for ever, written by any number of processes.

Each line is one append, so lines of several processes stand whole, one after the other. When the
file is full, one process renames it under a lock (`.1` is the newest, KEPT is how many stay) and
all go on in the new one: each looks before it writes whether the file at the path is still its
own. So it can be moved by others, too, such as logrotate. Only its user can read it.
"""

import logging
import os
import sys
from pathlib import Path

if sys.platform != "win32":
    import fcntl

KEPT = 5
"""Full files that stay beside the one that is written."""
PRIVATE = 0o600


class LogFile(logging.Handler):
    """Appends lines to a file.

    Args:
        path: the file; its folder is made.
        bytes_max: a file this long is full.

    Raises:
        OSError: it cannot be written.
    """

    def __init__(self, path: Path, *, bytes_max: int) -> None:
        super().__init__()
        self._path = path
        self._bytes_max = bytes_max
        path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = self._open()

    def emit(self, record: logging.LogRecord) -> None:
        """Append one line."""
        try:
            line = f"{self.format(record)}\n".encode("utf-8", "backslashreplace")
            self._follow()
            os.write(self._descriptor, line)
            if os.fstat(self._descriptor).st_size >= self._bytes_max:
                self._rotate()
        except OSError:
            # As every handler does: on standard error, where logging says it may be said.
            self.handleError(record)

    def close(self) -> None:
        """Close the file."""
        self.acquire()
        try:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1
        finally:
            self.release()
        super().close()

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        return os.open(self._path, flags, PRIVATE)

    def _follow(self) -> None:
        """Go on in the file that is at the path now."""
        if not self._is_at_path():
            before, self._descriptor = self._descriptor, self._open()
            if before >= 0:
                os.close(before)

    def _is_at_path(self) -> bool:
        if self._descriptor < 0:
            return False
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._descriptor))
        except FileNotFoundError:
            return False

    def _rotate(self) -> None:
        lock = os.open(f"{self._path}.lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
        try:
            if sys.platform != "win32":
                fcntl.flock(lock, fcntl.LOCK_EX)
            # Another process may have done it while this one waited.
            if self._is_at_path():
                for number in range(KEPT, 0, -1):
                    older = f"{self._path}.{number - 1}" if number > 1 else str(self._path)
                    if os.path.exists(older):
                        os.replace(older, f"{self._path}.{number}")
            self._follow()
        finally:
            os.close(lock)
