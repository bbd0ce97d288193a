"""This gateway as it is soaked: it keeps requests for seconds, and can tell what it holds.

    python -m benchmarks.soaked [--told FILE] serve --port 0 ...

Retention counts in days, and a soak takes minutes: here it removes what is older than KEPT_S,
so that a million requests need no gigabytes. With `--told` allocations are traced, which takes
several times as long; at the first LOOK the gateway notes what it holds, and at each later one it
writes to the file what it holds more. Nothing of it is in the gateway: it is put around it here.
"""

import gc
import signal
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from omniroute.server.cli.main import main
from omniroute.server.store import retention
from omniroute.server.store.retention import SECONDS_A_DAY, Retention

KEPT_S = 1.0
LOOK_S = 0.5
LOOK = signal.SIGUSR2
LINES_TOLD = 25

Holding = tuple[tracemalloc.Snapshot, Counter[str]]
"""What is allocated, and how many things there are of each kind."""


def keep_seconds() -> None:
    """Have what is older than KEPT_S removed, and look for it every LOOK_S."""
    make = Retention.__init__

    def shortly(self: Retention, *given: Any, days: float | None, **more: Any) -> None:
        assert days is not None
        make(self, *given, days=KEPT_S / SECONDS_A_DAY, **more)

    setattr(Retention, "__init__", shortly)  # noqa: B010 - a type checker forbids the assignment
    retention.LOOK_S = LOOK_S


def trace(told: Path) -> None:
    """Trace allocations, and tell what is held more at each LOOK."""
    holdings: list[Holding] = []

    def look(number: int, frame: FrameType | None) -> None:
        gc.collect()
        holdings.append((tracemalloc.take_snapshot(), Counter(map(_kind, gc.get_objects()))))
        scratch = told.with_suffix(".new")
        scratch.write_text("\n".join(_more(holdings[0], holdings[-1])))
        scratch.replace(told)

    signal.signal(LOOK, look)
    tracemalloc.start()


def _kind(thing: object) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"


def _more(first: Holding, last: Holding) -> Iterator[str]:
    """Give the lines of source that hold more, and the kinds of which there are more."""
    for line in last[0].compare_to(first[0], "lineno")[:LINES_TOLD]:
        if line.size_diff > 0:
            yield f"  {line.size_diff / 1024:+9.1f} KiB {line.count_diff:+8}  {line.traceback}"
    for kind, count in (last[1] - first[1]).most_common(LINES_TOLD):
        yield f"  {count:+9}  {kind}"


if __name__ == "__main__":
    words = sys.argv[1:]
    keep_seconds()
    if words[0] == "--told":
        trace(Path(words[1]))
        words = words[2:]
    sys.exit(main(words))
