"""Where the CPU of a request goes: a profile of the gateway under one of the benchmark's cases.

    python -m benchmarks.where [--case c32] [--top 30]

The gateway runs as in the benchmark, with a timer on the CPU of its process: at each tick the
main thread's stack is noted. That costs little, and unlike a tracing profiler leaves the shares
as they are. A tick counts once for the function that ran (self) and once for each that waited for
it (with what it called); what the writing thread takes is told by the kernel.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from benchmarks.cases import CASES, body_of
from benchmarks.machine import cores, settled_cpu_ns
from benchmarks.programs import programs, run_load
from benchmarks.targets import gateway, upstream
from omniroute.server.cli.main import main as omniroute

TICK_S = 0.001
AS_A_DATACLASS = "made as a dataclass"
TOGGLE = signal.SIGUSR2
ROOT = str(Path(__file__).parent.parent)


class Sampler:
    """Notes stacks between one TOGGLE and the next."""

    def __init__(self) -> None:
        self.ticks = 0
        self.alone: Counter[str] = Counter()
        self.whole: Counter[str] = Counter()
        self._runs = False
        signal.signal(signal.SIGPROF, self._tick)
        signal.signal(TOGGLE, self._toggle)

    def _toggle(self, number: int, frame: FrameType | None) -> None:
        self._runs = not self._runs
        every_s = TICK_S if self._runs else 0
        signal.setitimer(signal.ITIMER_PROF, every_s, every_s)

    def _tick(self, number: int, frame: FrameType | None) -> None:
        self.ticks += 1
        seen: set[str] = set()
        while frame is not None:
            name = _name(frame)
            if not seen:
                self.alone[name] += 1
            seen.add(name)
            frame = frame.f_back
        self.whole.update(seen)


def _name(frame: FrameType) -> str:
    """Give file and function; what a dataclass was given is named by its class."""
    code = frame.f_code
    if code.co_filename == "<string>" and code.co_name == "__init__":
        made = type(frame.f_locals.get("self"))
        return f"{AS_A_DATACLASS}:{made.__module__}.{made.__qualname__}"
    return f"{code.co_filename}:{code.co_qualname}"


def within(path: Path, words: list[str]) -> int:
    """Run the gateway with a sampler, and write what it saw when it ends."""
    sampler = Sampler()
    status = omniroute(words)
    told = {"ticks": sampler.ticks, "alone": sampler.alone, "whole": sampler.whole}
    path.write_text(json.dumps(told))
    return status


def main() -> int:
    """Load the gateway, print its profile, give an exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    known = [case.name for case in CASES if not case.tls]
    parser.add_argument("--case", choices=known, default="c32")
    parser.add_argument("--top", type=int, default=30)
    arguments = parser.parse_args()
    case = next(one for one in CASES if one.name == arguments.case)
    own, other = cores()
    made = programs()
    with tempfile.TemporaryDirectory(prefix="omniroute-where-") as name:
        folder = Path(name)
        seen = folder / "seen.json"
        with ExitStack() as opened:
            port = opened.enter_context(upstream(made, other))
            program = (sys.executable, "-m", "benchmarks.where", "--within", str(seen))
            target = opened.enter_context(gateway(folder / "gateway", port, own, program=program))
            assert target.process is not None
            body = folder / "body.json"
            body.write_bytes(body_of(case, target.model))
            words = (str(target.port), case.path, str(case.connections), str(case.requests))
            before = threads_ns(target.process)
            os.kill(target.process, TOGGLE)
            figures = run_load([*made.load, *words, str(body), target.key], other)
            settled_cpu_ns(target.process)
            os.kill(target.process, TOGGLE)
            after = threads_ns(target.process)
        told = json.loads(seen.read_text())
    print(f"{case.words}: {figures['requests']:.0f} requests, {figures['errors']:.0f} errors")
    for thread, spent in sorted(after.items()):
        each_us = (spent - before.get(thread, 0)) / 1000 / figures["requests"]
        if each_us >= 1:
            role = "main thread" if thread == target.process else f"thread {thread}"
            print(f"  {role}: {each_us:.0f} us a request")
    made_ticks = sum(n for name, n in told["alone"].items() if name.startswith(AS_A_DATACLASS))
    print(f"\nvalues made, all dataclasses together: {made_ticks / told['ticks']:.1%}")
    for title, counts in (("self", told["alone"]), ("with what it called", told["whole"])):
        print(f"\n{title}, share of {told['ticks']} ticks")
        for function, count in Counter(counts).most_common(arguments.top):
            print(f"  {count / told['ticks']:6.1%}  {shown(function)}")
    return 0


def threads_ns(pid: int) -> dict[int, int]:
    """Give the CPU of each thread of a process."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        found[int(task.name)] = int((task / "schedstat").read_text().split()[0])
    return found


def shown(function: str) -> str:
    """Give a function's name without the way to our folder or to the installed packages."""
    path, _, name = function.rpartition(":")
    for prefix in (f"{ROOT}/src/", f"{ROOT}/"):
        path = path.removeprefix(prefix)
    return f"{path.rpartition('site-packages/')[2]}  {name}"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--within"]:
        sys.exit(within(Path(sys.argv[2]), sys.argv[3:]))
    sys.exit(main())
