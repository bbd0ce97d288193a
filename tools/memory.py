"""How much memory the gateway uses, as far as the system tells."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

if sys.platform != "win32":
    from resource import RUSAGE_SELF, getrusage

PROCESSES = Path("/proc")
KIB = 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes; None where the system does not tell."""

    private_resident: int | None
    private_reserved: int | None
    resident_peak: int | None


def memory(processes: Sequence[int] = ()) -> Memory:
    """Give the memory of this process now, or of several together.

    What processes share counts once, so of several it is their shares that are added; the most
    that they ever had together is not known.

    Source: proc_pid_status(5), RssAnon and VmData in KiB; proc_pid_smaps(5), Pss_Anon of
    smaps_rollup, in KiB; getrusage(2), ru_maxrss.
    """
    if len(processes) > 1:
        resident = [_figure(PROCESSES / str(one) / "smaps_rollup", "Pss_Anon") for one in processes]
        reserved = [_figure(PROCESSES / str(one) / "status", "VmData") for one in processes]
        return Memory(_sum(resident), _sum(reserved), None)
    status = PROCESSES / "self" / "status"
    return Memory(_figure(status, "RssAnon"), _figure(status, "VmData"), _peak())


def _figure(file: Path, name: str) -> int | None:
    """Give one line's figure in bytes; None where the system does not tell it."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return None
    found = next((line for line in lines if line.startswith(f"{name}:")), None)
    return None if found is None else int(found.split()[1]) * KIB


def _sum(figures: Sequence[int | None]) -> int | None:
    """Add what is known: a process may have ended a moment ago."""
    known = [one for one in figures if one is not None]
    return sum(known) if known else None


def _peak() -> int | None:
    if sys.platform == "win32":
        return None
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else KIB
    return getrusage(RUSAGE_SELF).ru_maxrss * unit
