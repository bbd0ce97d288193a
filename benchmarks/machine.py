"""The machine under a benchmark: its cores, and what a tree of processes costs it."""

import os
import platform
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

STOP_S_MAX = 10.0
START_S_MAX = 120.0
QUIET_S = 0.05
QUIET_SHARE_MAX = 0.05
QUIET_S_MAX = 5.0
OUTPUT = "output.log"


def free_port() -> int:
    """Give a port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int) -> None:
    """Wait until something accepts connections."""
    ends = time.monotonic() + START_S_MAX
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.005)
        else:
            return


def cores() -> tuple[int, int]:
    """Give the core of what is measured, and that of the load and the upstream."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


def pinned(core: int) -> list[str]:
    """Give the words that run a program on one core; none where there is no `taskset`."""
    return ["taskset", "-c", str(core)] if shutil.which("taskset") else []


@contextmanager
def running(
    *command: str,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    core: int,
) -> Iterator[int]:
    """Run a program on one core and give its process id; it is ended at the end.

    Where a folder is named, what the program says is kept there in the file OUTPUT: a log that
    nobody keeps would cost less than a user pays for one.
    """
    with Path(folder / OUTPUT if folder else os.devnull).open("wb") as output:
        process = subprocess.Popen(
            [*pinned(core), *command], env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ended(pid: int | None) -> bool:
    """Whether a process that we started is no more, though nobody has asked how it ended."""
    return pid is not None and "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()


def cpu_ns(pid: int) -> int:
    """Give the nanoseconds that a process and all that came from it have been on a processor."""
    total = 0
    for one in tree(pid):
        for task in Path(f"/proc/{one}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):  # a thread that just ended
                total += int((task / "schedstat").read_text().split()[0])
    return total


def settled_cpu_ns(pid: int) -> int:
    """Give `cpu_ns` when the processes are quiet: what they still store is part of the price."""
    ends = time.monotonic() + QUIET_S_MAX
    spent = cpu_ns(pid)
    while time.monotonic() < ends:
        time.sleep(QUIET_S)
        before, spent = spent, cpu_ns(pid)
        if spent - before < QUIET_S * QUIET_SHARE_MAX * 1e9:
            break
    return spent


def rss_mb(pid: int) -> float:
    """Give the resident memory of a process and all that came from it in megabytes."""
    total = 0
    for one in tree(pid):
        status = Path(f"/proc/{one}/status").read_text()
        total += int(status.partition("VmRSS:")[2].split()[0])
    return total / 1024


def tree(pid: int) -> list[int]:
    """Give a process and everything that came from it."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def facts() -> dict[str, str]:
    """Give what a reader must know of the machine."""
    model = ""
    with suppress(OSError):
        text = Path("/proc/cpuinfo").read_text()
        model = text.partition("model name")[2].partition("\n")[0].strip("\t :")
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{os.cpu_count()} cores, {model or platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load_average": f"{os.getloadavg()[0]:.1f}",
    }
