"""Everything that CI checks, in sections with their times: `make test`.

    python -m tests.run [--only SECTION] [--long [--soak REQUESTS]]

Sections run in order and all of them run, so that one look shows every finding. The exit
status is 0 only when all passed.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests import foreign

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
SECTION_S_MAX = 3600


def run(*command: str) -> bool:
    """Run one tool of the environment and give whether it passed."""
    program = str(BIN / command[0])
    done = subprocess.run([program, *command[1:]], check=False, cwd=ROOT, timeout=SECTION_S_MAX)
    return done.returncode == 0


def lint() -> bool:
    passed = run("ruff", "format", "--check", "--quiet", ".")
    if not passed:
        print("Some files are not formatted: run `.venv/bin/ruff format .`")
    return run("ruff", "check", ".") and passed


def types() -> bool:
    return run("mypy")


def contracts() -> bool:
    return run("lint-imports")


def environments() -> bool:
    try:
        foreign.make_all()
    except subprocess.SubprocessError as error:
        print(f"A foreign environment could not be made: {error}")
        return False
    return True


def tests() -> bool:
    return run("pytest", "-q", "-n", "2", "--dist", "loadgroup", "--durations=10")


def speed() -> bool:
    """Whether a request costs no more than its budget; alone, as it measures CPU."""
    return run("python", "-m", "benchmarks.check")


def long_tests() -> bool:
    return run("pytest", "-q", "-m", "long", "--durations=10")


SECTIONS: dict[str, tuple[Callable[[], bool], ...]] = {
    "lint": (lint, types, contracts),
    "test": (lint, types, contracts, environments, tests, speed),
    "long": (environments, long_tests),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["lint"], help="one part of it")
    parser.add_argument("--long", action="store_true", help="the checks that take minutes")
    parser.add_argument("--soak", help="how many requests the soak of --long sends: a million")
    arguments = parser.parse_args()
    if arguments.soak:
        os.environ["SOAK_REQUESTS"] = arguments.soak
    wanted = SECTIONS[arguments.only or ("long" if arguments.long else "test")]
    times: list[tuple[str, float, bool]] = []
    for section in wanted:
        print(f"== {section.__name__}", flush=True)
        started_s = time.monotonic()
        passed = section()
        times.append((section.__name__, time.monotonic() - started_s, passed))
    print("== times")
    for name, seconds, passed in times:
        print(f"{name:<14}{seconds:7.1f} s  {'passed' if passed else 'FAILED'}")
    return 0 if all(passed for _, _, passed in times) else 1


if __name__ == "__main__":
    sys.exit(main())
