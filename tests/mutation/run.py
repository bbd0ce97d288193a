"""Mutation testing: which small faults in the modules that guard us would no test notice?

    python -m tests.mutation.run [AREA ...] [--module NAME]

The mutants are made in an environment of their own (tests/environments/cosmic-ray). Each is
tried in a fork of this process, which has imported the libraries and nothing of ours: an import
hook gives the mutated source in place of the module's, and pytest runs the tests that speak for
it until one fails. A mutant that cannot be imported is none. One that takes ten times as long
as the module as it is counts as noticed.
"""

import argparse
import importlib
import importlib.abc
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType

import pytest

from tests import foreign
from tests.mutation.areas import AREAS, Target

ROOT = Path(__file__).parents[2]
AT_ONCE = 2
MADE_S_MAX = 300
AREA_S_MAX = 7200
SLOWER_MAX = 10
SLACK_S = 20.0
LOOK_EVERY_S = 0.02
NOT_IMPORTED = 99
"""Exit status of a fork whose mutant is no module."""
LIBRARIES = (
    *("pytest", "hypothesis", "httpx", "starlette.applications", "starlette.testclient"),
    *("uvicorn", "msgspec", "orjson", "sqlalchemy.ext.asyncio", "asyncpg", "cryptography.fernet"),
    *("anyio", "xdist", "alembic", "websockets", "jsonschema", "mcp", "uvloop", "httptools"),
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One small fault. `before` and `after` are the line that differs."""

    module: str
    operator: str
    line: int
    before: str
    after: str
    source: str

    @property
    def name(self) -> str:
        """What tells it apart from the others, whatever line it is on."""
        return f"{self.module.removeprefix('omniroute.')}: {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True)
class Score:
    """How the mutants of one area fared."""

    killed: int
    survivors: tuple[Mutant, ...]

    @property
    def share(self) -> float:
        """How many of all were noticed, from 0 to 1."""
        return self.killed / (self.killed + len(self.survivors))


class _InPlaceOf(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Gives a module's mutated source."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, fullname: str, path: object = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._mutant.module:
            return None
        return importlib.util.spec_from_loader(fullname, self, origin=str(_path(fullname)))

    def get_source(self, fullname: str) -> str:
        return self._mutant.source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._mutant.source, str(_path(fullname)), "exec", dont_inherit=True)


def score_of(targets: Sequence[Target]) -> Score:
    """Try every mutant of some modules."""
    killed, survivors = 0, list[Mutant]()
    for target in targets:
        limit_s = _baseline_s(target) * SLOWER_MAX + SLACK_S
        found = list(mutants_of(target))
        for mutant, status in _tried(target, found, limit_s):
            if status == 0:
                survivors.append(mutant)
                print(f"\n  {mutant.line}: {mutant.operator}: {mutant.before} -> {mutant.after}")
            elif status != NOT_IMPORTED:
                killed += 1
    return Score(killed, tuple(survivors))


def isolated_score(area: str) -> Score:
    """Try an area in a process of its own, for a caller that has imported modules of ours."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        words = ("-m", "tests.mutation.run", area, "--report", str(report))
        subprocess.run([sys.executable, *words], check=True, cwd=ROOT, timeout=AREA_S_MAX)
        told = json.loads(report.read_text("utf-8"))[area]
    return Score(
        told["killed"], tuple(Mutant(**{**one, "source": ""}) for one in told["survivors"])
    )


def mutants_of(target: Target) -> Iterator[Mutant]:
    """Make the mutants of a module."""
    script = foreign.FOLDER / "cosmic-ray" / "mutants.py"
    python = str(foreign.python_of("cosmic-ray"))
    made = subprocess.run(
        [python, str(script), str(ROOT / target.path)],
        check=True,
        capture_output=True,
        text=True,
        timeout=MADE_S_MAX,
    )
    for line in made.stdout.splitlines():
        yield Mutant(target.module, **json.loads(line))


def _baseline_s(target: Target) -> float:
    """Give how long the tests take on the module as it is."""
    began_s = time.monotonic()
    unchanged = Mutant(target.module, "", 0, "", "", (ROOT / target.path).read_text("utf-8"))
    ((_, status),) = _tried(target, [unchanged], MADE_S_MAX)
    if status != 0:
        raise AssertionError(f"the tests of {target.module} fail without any mutation: {status}")
    return time.monotonic() - began_s


def _tried(
    target: Target, mutants: Sequence[Mutant], limit_s: float
) -> Iterator[tuple[Mutant, int]]:
    """Try mutants, two at a time, and give the exit status of each."""
    left, running = list(reversed(mutants)), dict[int, tuple[Mutant, float]]()
    while left or running:
        while left and len(running) < AT_ONCE:
            mutant = left.pop()
            running[_start(target, mutant)] = mutant, time.monotonic()
            print(f"\r{target.path}: {len(mutants) - len(left)} of {len(mutants)}", end="")
            sys.stdout.flush()
        for child, (mutant, began_s) in list(running.items()):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                del running[child]
                yield mutant, os.waitstatus_to_exitcode(status)
            elif time.monotonic() - began_s > limit_s:
                os.killpg(child, signal.SIGKILL)
        time.sleep(LOOK_EVERY_S)
    print()


def _start(target: Target, mutant: Mutant) -> int:
    """Start a fork that tries one mutant, as the leader of a group of its own."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.setsid()
        silent = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(silent, stream)
        sys.meta_path.insert(0, _InPlaceOf(mutant))
        status = _noticed(target)
    finally:
        os._exit(status)


def _noticed(target: Target) -> int:
    """Give 0 when no test of a target fails."""
    try:
        importlib.import_module(target.module)
    except Exception:  # noqa: BLE001 - whatever it is, it is no module
        return NOT_IMPORTED
    arguments = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header"]
    # What PostgreSQL is asked is what SQLite is asked, and it takes a second to start.
    arguments += ["-k", "not postgres"]
    # The libraries are here before pytest could have rewritten what they assert.
    arguments += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return int(pytest.main([*arguments, *target.tests]))


def _path(module: str) -> Path:
    return ROOT / (module.removeprefix("omniroute.").replace(".", "/") + ".py")


def main() -> None:
    """Try the areas that are named, or all, and tell what survived."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("areas", nargs="*", choices=[*AREAS, []], help="all when none is named")
    parser.add_argument("--module", help="only modules whose name ends with this")
    parser.add_argument("--report", type=Path, help="a file for what survived, as JSON")
    wish = parser.parse_args()
    os.chdir(ROOT)
    prepare()
    report: dict[str, dict[str, object]] = {}
    for area in wish.areas or AREAS:
        targets = [one for one in AREAS[area] if one.module.endswith(wish.module or "")]
        if targets:
            score = score_of(targets)
            print(f"{area}: {score.killed} killed, {len(score.survivors)} survived", end="")
            print(f", {score.share:.1%}")
            left = [{**asdict(one), "source": None} for one in score.survivors]
            report[area] = {"killed": score.killed, "survivors": left}
    if wish.report is not None:
        wish.report.write_text(json.dumps(report, indent=1) + "\n", "utf-8")


def prepare() -> None:
    """Import what every fork needs, and nothing of ours."""
    for name in LIBRARIES:
        importlib.import_module(name)
    ours = sorted(name for name in sys.modules if name.startswith("omniroute."))
    if ours:
        raise AssertionError(f"a mutant would not be imported: {', '.join(ours[:3])} is there")


if __name__ == "__main__":
    main()
