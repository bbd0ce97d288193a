"""Which process an id belongs to: ids are used again, and mean nothing on another machine."""

import os
import platform
import sys
from contextlib import suppress
from pathlib import Path


def this_machine() -> str:
    """Give a name for where process ids are comparable: one host, one start, one namespace."""
    if sys.platform == "linux":
        with suppress(OSError):
            start = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
            return f"{platform.node()}/{start}/{Path('/proc/self/ns/pid').readlink()}"
    return platform.node()


def this_process(process_id: int) -> str | None:
    """Give what tells a running process from others that had its id; None when none runs.

    On Linux that is when it started, in ticks since the machine did (field 22 of
    /proc/<id>/stat, proc(5)); elsewhere the id alone.
    """
    if sys.platform == "linux":
        try:
            stat = Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        # The program's name stands in brackets and may hold anything, also brackets.
        fields = stat.rpartition(")")[2].split()
        is_ended = fields[0] in {"Z", "X"}
        return None if is_ended else f"{process_id}/{fields[19]}"
    if sys.platform != "win32":
        try:
            os.kill(process_id, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            # It runs, as another user.
            return str(process_id)
    return str(process_id)
