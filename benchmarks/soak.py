"""Whether the gateway's memory stays flat over very many requests and streams that are left.

    make test-long        python -m benchmarks.soak [--requests 1000000] [--causes]

The gateway runs as in the benchmark, everything on, but keeps requests for seconds alone (see
soaked.py), so that a soak needs little disk; each round waits until nothing is stored any more.
A first round fills every cache and queue that has a bound; then come ROUNDS more, each with its
part of the requests and of the streams (one to ten requests) whose client leaves at the first
bytes. Growth is from the end of the first round to the end of the last, each read when the
process is quiet.

`--causes` traces allocations, and tells which lines of source hold more at the end than after
the first round. It takes several times as long: a twentieth of the requests tells as much.
"""

import argparse
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cases import Case, body_of
from benchmarks.machine import cores, settled_cpu_ns
from benchmarks.programs import Programs, programs, run_load
from benchmarks.soaked import LOOK
from benchmarks.targets import Target, gateway, upstream

REQUESTS = 1_000_000
FIRST_ROUND_MIN = 50_000
"""Fewer would leave caches to fill in the rounds that count."""
LEFT_SHARE = 0.1
ROUNDS = 10
GROWTH_MIB_MAX = 5.0
WHOLE = Case("soak", "whole", 32, 0, "")
LEFT = Case("left", "paced", 50, 0, "", every_us=5_000, events=1000)
LOOK_S_MAX = 120.0
FORGET_S_MAX = 600.0
PEEK_S = 0.5
SOAKED = ("-m", "benchmarks.soaked")


@dataclass(frozen=True, slots=True)
class Look:
    """What the gateway held when it was quiet; counted from the end of the first round."""

    requests: int
    left: int
    rss_mib: float
    anonymous_mib: float
    open_files: int
    threads: int
    stored_mib: float

    def __str__(self) -> str:
        return (
            f"{self.requests:>9,} requests, {self.left:>7,} streams left: "
            f"RSS {self.rss_mib:6.1f} MiB (anonymous {self.anonymous_mib:6.1f}), "
            f"{self.open_files} files, {self.threads} threads, stored {self.stored_mib:,.0f} MiB"
        )


@dataclass(frozen=True, slots=True)
class Soak:
    """What was held after the first round and after each that followed, and what failed."""

    looks: tuple[Look, ...]
    errors: int

    @property
    def growth_mib(self) -> float:
        """Give how much more memory was resident at the end than after the first round."""
        return self.looks[-1].rss_mib - self.looks[0].rss_mib

    @property
    def more_files(self) -> int:
        """Give how many more files were open at the end."""
        return self.looks[-1].open_files - self.looks[0].open_files


@dataclass(frozen=True)
class Soaking:
    """A gateway that is being soaked."""

    target: Target
    folder: Path
    made: Programs
    told: Path | None

    def soaked(self, requests: int, *, first: int = FIRST_ROUND_MIN) -> Soak:
        """Do every round and tell of each; the first is of at least so many requests."""
        each = max(requests // ROUNDS, WHOLE.connections)
        errors = self._round(max(each, first))
        looks = [self._look(0, 0)]
        if self.told is not None:
            self.tell()
        for number in range(1, ROUNDS + 1):
            errors += self._round(each)
            looks.append(self._look(number * each, number * _left(each)))
        return Soak(tuple(looks), errors)

    def tell(self) -> str:
        """Have the gateway tell what it holds more, and give that."""
        assert self.told is not None
        assert self.target.process is not None
        self.told.unlink(missing_ok=True)
        os.kill(self.target.process, LOOK)
        ends_s = time.monotonic() + LOOK_S_MAX
        while not self.told.exists():
            if time.monotonic() > ends_s:
                raise TimeoutError("the gateway did not tell what it holds")
            time.sleep(0.1)
        return self.told.read_text()

    def _round(self, requests: int) -> int:
        """Send so many requests and their share of streams; gives how many failed."""
        errors = self._load(WHOLE, requests) + self._load(LEFT, _left(requests), "0", "leave")
        ends_s = time.monotonic() + FORGET_S_MAX
        while left := self._stored():
            if time.monotonic() > ends_s:
                raise TimeoutError(f"{left:,} requests are still stored")
            time.sleep(PEEK_S)
        return errors

    def _stored(self) -> int:
        """Give how many requests are stored now."""
        store = self.folder / "gateway/data/storage.sqlite"
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM outcomes").fetchone()[0])

    def _look(self, requests: int, left: int) -> Look:
        """Read what the gateway holds when it is quiet, and show it."""
        assert self.target.process is not None
        settled_cpu_ns(self.target.process)
        process = Path(f"/proc/{self.target.process}")
        parts = (process / "smaps_rollup").read_text()
        look = Look(
            requests,
            left,
            rss_mib=_kib(parts, "Rss:") / 1024,
            anonymous_mib=_kib(parts, "Anonymous:") / 1024,
            open_files=len(list((process / "fd").iterdir())),
            threads=len(list((process / "task").iterdir())),
            stored_mib=sum(one.stat().st_size for one in self.folder.rglob("*.sqlite*")) / 2**20,
        )
        print(look, flush=True)
        return look

    def _load(self, case: Case, requests: int, *more: str) -> int:
        body = self.folder / f"{case.name}.json"
        body.write_bytes(body_of(case, self.target.model))
        words = (str(self.target.port), case.path, str(case.connections), str(requests))
        command = [*self.made.load, *words, str(body), self.target.key, *more]
        return int(run_load(command, cores()[1])["errors"])


@contextmanager
def soaking(
    folder: Path, told: Path | None = None, python: str = sys.executable
) -> Iterator[Soaking]:
    """Run a gateway to be soaked; with a file it traces allocations and tells them there."""
    own, other = cores()
    made = programs()
    program = (python, *SOAKED, *(() if told is None else ("--told", str(told))))
    with (
        upstream(made, other) as port,
        gateway(folder / "gateway", port, own, program=program) as target,
    ):
        yield Soaking(target, folder, made, told)


def measured(folder: Path, requests: int, python: str) -> dict[str, float]:
    """Give the figures of a soak on a Python that has the gateway."""
    folder.mkdir()
    with soaking(folder, python=python) as one:
        soak = one.soaked(requests)
    first, last = soak.looks[0], soak.looks[-1]
    return {
        "requests": last.requests,
        "left": last.left,
        "errors": soak.errors,
        "first_mib": first.rss_mib,
        "last_mib": last.rss_mib,
        "growth_mib": soak.growth_mib,
    }


def _left(requests: int) -> int:
    return max(int(requests * LEFT_SHARE), LEFT.connections)


def _kib(text: str, name: str) -> int:
    return int(text.partition(name)[2].split()[0])


def main() -> int:
    """Soak, tell, give an exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--causes", action="store_true", help="trace allocations; slow")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="omniroute-soak-") as name:
        told = Path(name) / "told" if arguments.causes else None
        with soaking(Path(name), told) as one:
            soak = one.soaked(arguments.requests)
            if told is not None:
                print(one.tell())
    print(f"growth {soak.growth_mib:.1f} MiB (at most {GROWTH_MIB_MAX}), {soak.errors} errors")
    return int(soak.growth_mib > GROWTH_MIB_MAX or soak.errors > 0)


if __name__ == "__main__":
    sys.exit(main())
