"""The budget of a request, as `make test` holds it: CPU as a multiple of the reference proxy's.

    python -m benchmarks.check

The gateway and benchmarks/reference_proxy.py answer the same load in turns, on one core. Both
run on the same loop and Python, so a slower machine slows both, and their ratio says what our
own path costs. It is the CPU that the kernel charged, so that what else runs on the
machine disturbs little; the median over PAIRS short ones, each with the two in the other order
than the one before, so that neither a disturbed pair nor a machine that slows down counts; the
pair before them warms both up; and only a second series that is too dear as well is a failure.
On a machine with six times as much to do as it has cores, series of one run were within 3 % of
each other, single pairs within 15 %.

RATIO is what was measured when it was last set, and SLACK what noise may add. A path that has
become 1.5 times as dear fails. Whoever makes it cheaper lowers RATIO, or that would no longer be
so: the check says when, and a test in test_long.py holds it.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cases import Case, body_of
from benchmarks.machine import cores, cpu_ns, free_port, running, settled_cpu_ns
from benchmarks.programs import programs, run_load
from benchmarks.targets import OMNIROUTE, Target, answering, gateway, upstream

RATIO = 1.5
SLACK = 1.25
CHEAPER_SHARE = 0.85
PAIRS = 11
SERIES_MAX = 2
CASE = Case("check", "whole", 16, 800, "16 connections, whole answers of 1 KB")


@dataclass(frozen=True)
class Pair:
    """The two, and how they are asked."""

    ours: Target
    reference: Target
    body: Path
    load: tuple[str, ...]
    core: int

    def series(self) -> list[tuple[float, float]]:
        """Give the CPU a request of ours and of the reference, pair by pair."""
        found = []
        for place in range(PAIRS + 1):
            order = (self.ours, self.reference) if place % 2 else (self.reference, self.ours)
            got = {target.name: self._cpu_us(target) for target in order}
            found.append((got[self.ours.name], got[self.reference.name]))
        return found[1:]

    def _cpu_us(self, target: Target) -> float:
        assert target.process is not None
        words = (str(target.port), CASE.path, str(CASE.connections), str(CASE.requests))
        before = cpu_ns(target.process)
        figures = run_load([*self.load, *words, str(self.body), target.key], self.core)
        if figures["errors"]:
            raise SystemExit(f"{target.name}: {figures['errors']:.0f} requests failed")
        return (settled_cpu_ns(target.process) - before) / 1000 / figures["requests"]


@contextmanager
def pair(folder: Path, program: Sequence[str] = OMNIROUTE) -> Iterator[Pair]:
    """Run the gateway and the reference proxy before one upstream."""
    folder.mkdir(exist_ok=True)
    own, other = cores()
    made = programs()
    with ExitStack() as opened:
        provider = opened.enter_context(upstream(made, other))
        ours = opened.enter_context(gateway(folder / "gateway", provider, own, program=program))
        port, began = free_port(), time.perf_counter()
        words = (str(port), str(provider), str(folder / "reference.sqlite"))
        proxy = (sys.executable, "-m", "benchmarks.reference_proxy", *words)
        process = opened.enter_context(running(*proxy, core=own))
        target = Target("the reference", port, process, key="none", model=ours.model)
        body = folder / "body.json"
        body.write_bytes(body_of(CASE, ours.model))
        yield Pair(ours, answering(target, began), body, made.load, other)


def ratio(series: list[tuple[float, float]]) -> float:
    """Give what a series says."""
    return statistics.median(ours / reference for ours, reference in series)


def medians(series: list[tuple[float, float]]) -> tuple[float, float]:
    """Give the CPU a request of ours and of the reference, in microseconds."""
    ours, reference = (statistics.median(part) for part in zip(*series, strict=True))
    return ours, reference


def too_dear(measured: float) -> bool:
    """Whether a ratio is more than noise can explain."""
    return measured > RATIO * SLACK


def main() -> int:
    """Measure, tell, and give an exit status."""
    if not Path("/proc/self/schedstat").exists():
        print("The budget of a request was not checked: this system does not tell CPU by thread.")
        return 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="omniroute-check-") as name, pair(Path(name)) as two:
        for _ in range(SERIES_MAX):
            series = two.series()
            measured = ratio(series)
            ours, reference = medians(series)
            print(
                f"CPU a request: ours {ours:.0f} us, the reference proxy {reference:.0f} us; "
                f"{measured:.1f} times (budget {RATIO:.1f}, at most {RATIO * SLACK:.1f})"
            )
            if not too_dear(measured):
                break
    print(f"in {time.monotonic() - began:.0f} s")
    if too_dear(measured):
        print("A request has become dearer. Find out by what: docs/performance.md, `make bench`.")
        return 1
    if measured < RATIO * CHEAPER_SHARE:
        print(f"A request has become cheaper: lower RATIO in benchmarks/check.py to {measured:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
