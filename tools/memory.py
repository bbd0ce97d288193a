"""How much memory this process uses, as far as the system tells."""

import sys
from dataclasses import dataclass
from pathlib import Path

if sys.platform != "win32":
    from resource import RUSAGE_SELF, getrusage

STATUS_FILE = Path("/proc/self/status")
KIB = 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes; None where the system does not tell."""

    private_resident: int | None
    private_reserved: int | None
    resident_peak: int | None


def memory() -> Memory:
    """Give the memory of this process now.

    Source: proc_pid_status(5), RssAnon and VmData in KiB; getrusage(2), ru_maxrss.
    """
    lines: dict[str, str] = {}
    if STATUS_FILE.exists():
        pairs = (line.split(":", 1) for line in STATUS_FILE.read_text().splitlines())
        lines = {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
    return Memory(_bytes(lines.get("RssAnon")), _bytes(lines.get("VmData")), _peak())


def _bytes(text: str | None) -> int | None:
    return None if text is None else int(text.split()[0]) * KIB


def _peak() -> int | None:
    if sys.platform == "win32":
        return None
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else KIB
    return getrusage(RUSAGE_SELF).ru_maxrss * unit
