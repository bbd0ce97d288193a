"""Which process listens on a port, as far as this user may see it. Linux only."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

LISTENING = "0A"
PROCESSES_MAX = 20_000


def holder_of(port: int) -> str:
    """Give who listens, as ` (process 12, nginx)`; "" when that cannot be seen.

    Source: proc(5), /proc/net/tcp: fields 2 (address:port, hexadecimal), 4 (state) and 10
    (inode of the socket).
    """
    if sys.platform != "linux":
        return ""
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    if not sockets:
        return ""
    for process in sorted(Path("/proc").glob("[0-9]*"))[:PROCESSES_MAX]:
        if sockets.intersection(_open_files(process)):
            with suppress(OSError):
                name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
                return f" (process {process.name}, {name})"
    return ""


def _open_files(process: Path) -> set[str]:
    """Give what the process's descriptors lead to; nothing for another user's process."""
    found: set[str] = set()
    with suppress(OSError):
        for name in os.listdir(process / "fd"):
            # It may have been closed since it was listed.
            with suppress(OSError):
                found.add(os.readlink(process / "fd" / name))
    return found


def _listening(port: int) -> Iterator[str]:
    """Give the inodes of the sockets that listen on a port."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]
