"""Mutation testing: which small faults in the modules that guard us would no test notice?

    python -m tests.mutation.run [AREA ...] [--module NAME] [--report FILE] [--only FILE]

The mutants are made in an environment of their own (tests/environments/cosmic-ray). Each is
tried in a fork of this process, which has imported the libraries and what of ours can be
imported without the module: an import hook gives the mutated source in place of the module's,
and pytest runs the tests that speak for it until one fails. A mutant that cannot be imported is
none. One that takes ten times as long as the module as it is counts as noticed.

A report is written as it goes, by area and module. `--only` reads one of an earlier run and
tries what had survived it: quick while tests are written, and no figure of the whole.
"""

import argparse
import contextlib
import gc
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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.machinery import ModuleSpec
from importlib.metadata import entry_points
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import hypothesis
import pytest

from tests import foreign
from tests.mutation.areas import AREAS, Target

ROOT = Path(__file__).parents[2]
AT_ONCE = 2
"""How many mutants are tried at a time unless it is said."""
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
    *(
        "anyio._backends._asyncio",
        "alembic",
        "websockets",
        "jsonschema",
        "mcp",
        "uvloop",
        "httptools",
    ),
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


class _NeedsTarget(Exception):
    """Raised for a module that would import what is to be mutated."""


class _Without(importlib.abc.MetaPathFinder):
    """Lets nothing import a module."""

    def __init__(self, module: str) -> None:
        self._module = module

    def find_spec(
        self, fullname: str, path: object = None, target: ModuleType | None = None
    ) -> None:
        if fullname == self._module:
            raise _NeedsTarget(fullname)


@dataclass(slots=True)
class _Report:
    """What is known so far, in a file if one is named."""

    file: Path | None
    areas: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def tell(self, area: str, module: str, score: Score, *, whole: bool) -> None:
        survivors = [{**asdict(one), "source": None} for one in score.survivors]
        said = {"whole": whole, "killed": score.killed, "survivors": survivors}
        self.areas.setdefault(area, {})[module] = said
        if self.file is not None:
            self.file.write_text(json.dumps(self.areas, indent=1) + "\n", "utf-8")


def score_of(
    target: Target,
    names: frozenset[str] | None = None,
    at_once: int = AT_ONCE,
    told: Callable[[Score], None] = lambda _: None,
) -> Score:
    """Try the mutants of a module.

    Args:
        target: the module and its tests.
        names: the names of those that are tried; None for all.
        at_once: how many are tried at a time.
        told: is given the score so far after each that survived.
    """
    found = [one for one in mutants_of(target) if names is None or one.name in names]
    score = Score(0, ())
    if not found:
        return score
    limit_s = _baseline_s(target) * SLOWER_MAX + SLACK_S
    for mutant, status in _tried(target, found, limit_s, at_once):
        if status == 0:
            score = Score(score.killed, (*score.survivors, mutant))
            said = f"  {mutant.line}: {mutant.operator}: {mutant.before} -> {mutant.after}"
            print(("\n" if sys.stdout.isatty() else "") + said, flush=True)
            told(score)
        elif status != NOT_IMPORTED:
            score = Score(score.killed + 1, score.survivors)
    return score


def isolated_score(area: str) -> Score:
    """Try an area in a process of its own, for a caller that has imported modules of ours."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        words = ("-m", "tests.mutation.run", area, "--report", str(report))
        subprocess.run([sys.executable, *words], check=True, cwd=ROOT, timeout=AREA_S_MAX)
        modules = json.loads(report.read_text("utf-8"))[area].values()
    return Score(
        sum(one["killed"] for one in modules),
        tuple(Mutant(**{**one, "source": ""}) for told in modules for one in told["survivors"]),
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
    """Give how long the tests take on the module as it is, and import what does not need it."""
    began_s = time.monotonic()
    unchanged = Mutant(target.module, "", 0, "", "", (ROOT / target.path).read_text("utf-8"))
    with tempfile.NamedTemporaryFile() as imported:
        ((_, status),) = _tried(target, [unchanged], MADE_S_MAX, 1, Path(imported.name))
        names = Path(imported.name).read_text("utf-8").split()
    took_s = time.monotonic() - began_s
    if status != 0:
        raise AssertionError(f"the tests of {target.module} fail without any mutation: {status}")
    _import_without(target.module, names)
    return took_s


def _import_without(module: str, names: Sequence[str]) -> None:
    """Import those modules of ours that can be without another, and forget all others."""
    for name in _ours():
        del sys.modules[name]
    blocked = _Without(module)
    sys.meta_path.insert(0, blocked)
    for name in names:
        with contextlib.suppress(_NeedsTarget):
            importlib.import_module(name)
    sys.meta_path.remove(blocked)
    # What is here lives as long as this process: no fork has to go through it.
    gc.collect()
    gc.freeze()


def _ours() -> list[str]:
    return sorted(name for name in sys.modules if name.partition(".")[0] == "omniroute")


def _tried(
    target: Target,
    mutants: Sequence[Mutant],
    limit_s: float,
    at_once: int,
    imported: Path | None = None,
) -> Iterator[tuple[Mutant, int]]:
    """Try mutants, some at a time, and give the exit status of each."""
    left, running = list(reversed(mutants)), dict[int, tuple[Mutant, float]]()
    while left or running:
        while left and len(running) < at_once:
            mutant = left.pop()
            running[_start(target, mutant, imported)] = mutant, time.monotonic()
            if sys.stdout.isatty():
                done = len(mutants) - len(left)
                print(f"\r{target.path}: {done} of {len(mutants)}", end="", flush=True)
        for child, (mutant, began_s) in list(running.items()):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                del running[child]
                yield mutant, os.waitstatus_to_exitcode(status)
            elif time.monotonic() - began_s > limit_s:
                os.killpg(child, signal.SIGKILL)
        time.sleep(LOOK_EVERY_S)
    if sys.stdout.isatty():
        print()


def _start(target: Target, mutant: Mutant, imported: Path | None) -> int:
    """Start a fork that tries one mutant, as the leader of a group of its own.

    Args:
        target: the module and its tests.
        mutant: what stands in the module's place.
        imported: a file for the names of the modules of ours that the tests have imported.
    """
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
        if imported is not None:
            imported.write_text("\n".join(_ours()), "utf-8")
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
    # Nobody reads why a mutant failed, and each fork would compile its tests in another way.
    arguments += ["--assert=plain"]
    return int(pytest.main([*arguments, *target.tests]))


def _path(module: str) -> Path:
    return ROOT / (module.removeprefix("omniroute.").replace(".", "/") + ".py")


def main() -> None:
    """Try the areas that are named, or all, and tell what survived."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("areas", nargs="*", choices=[*AREAS, []], help="all when none is named")
    parser.add_argument("--module", default="", help="only modules whose name ends with this")
    parser.add_argument("--report", type=Path, help="a file for what survived, as JSON")
    parser.add_argument("--only", type=Path, help="a report: only mutants that survived there")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="mutants at a time")
    wish = parser.parse_args()
    names = None if wish.only is None else _survived(wish.only)
    os.chdir(ROOT)
    prepare()
    with tempfile.TemporaryDirectory() as kept:
        # What a fork compiles, or makes of the module as it is, is there for the next.
        sys.dont_write_bytecode, sys.pycache_prefix = False, kept
        os.environ["TESTS_MIGRATED_FOLDER"] = kept
        _try(wish, names)


def _try(wish: argparse.Namespace, names: frozenset[str] | None) -> None:
    """Try what was wished for."""
    report = _Report(wish.report)
    for area in wish.areas or AREAS:
        targets = [one for one in AREAS[area] if one.module.endswith(wish.module)]
        scores = []
        for target in targets:
            tell = partial(report.tell, area, target.module)
            score = score_of(target, names, wish.at_once, partial(tell, whole=False))
            tell(score, whole=names is None)
            scores.append(score)
            _say(target.module, score)
        if len(scores) > 1:
            killed = sum(one.killed for one in scores)
            _say(area, Score(killed, tuple(two for one in scores for two in one.survivors)))


def _survived(report: Path) -> frozenset[str]:
    """Give the names of the mutants that survived an earlier run."""
    areas = json.loads(report.read_text("utf-8")).values()
    left = (one for area in areas for told in area.values() for one in told["survivors"])
    return frozenset(Mutant(**{**one, "source": ""}).name for one in left)


def _say(what: str, score: Score) -> None:
    tried = score.killed + len(score.survivors)
    if tried:
        print(f"{what}: {score.killed} of {tried} killed, {score.share:.1%}", flush=True)


def prepare() -> None:
    """Import what every fork needs, and nothing of ours; examples are the same in each, as found.

    A mutant is noticed by the first example that fails: none is sought that is simpler.
    """
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile(
        "mutation", phases=phases, derandomize=True, database=None, deadline=None
    )
    hypothesis.settings.load_profile("mutation")
    for name in LIBRARIES:
        importlib.import_module(name)
    for plugin in entry_points(group="pytest11"):
        plugin.load()
    if _ours():
        raise AssertionError(f"a mutant would not be imported: {', '.join(_ours()[:3])} is there")


if __name__ == "__main__":
    main()
