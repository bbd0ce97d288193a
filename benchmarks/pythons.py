"""The Pythons that gateways run on: which they are, how they were built, how fast they are.

A CPython that was built with a profile of itself at work (its --enable-optimizations) needs about
a fifth less CPU for pure Python than one that was not. Those of Debian, Ubuntu, Fedora,
python.org and uv are; those that a version manager builds on the spot mostly are not. So a figure
without its Python says little: a run tells it, and `--python` runs the gateway on another one
beside the first.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import msgspec

from benchmarks.machine import pinned
from tests import foreign

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements/runtime.txt"
INSTALL_S_MAX = 600
TURNS = 5

# The flags of the compiler are asked for as they were used and as they were configured: GCC's and
# Clang's words for "use the profile". CPython's configure always writes one of them down for a
# later `make profile-opt` (PGO_PROF_USE_FLAG), and Debian and Ubuntu, who build with a profile by
# commands of their own, take every trace of it out again: so nothing at all there says "with".
FACTS = """
import json, platform, sys, sysconfig
told = sysconfig.get_config_var
flags = " ".join(str(told(name) or "") for name in (
    "PY_CFLAGS", "PY_CFLAGS_NODIST", "PY_CORE_CFLAGS", "CONFIG_ARGS"))
word = "not optimised: built without --enable-optimizations"
if told("Py_DEBUG"):
    word = "not optimised: a debug build"
elif "--enable-optimizations" in flags:
    word = "optimised: built with --enable-optimizations"
elif "-fprofile-use" in flags or "-fprofile-instr-use" in flags:
    word = "optimised: compiled with a profile"
elif told("PGO_PROF_USE_FLAG") == "":
    word = "optimised: built with a profile by its distribution"
name = platform.python_implementation() + " " + platform.python_version()
print(json.dumps({"name": name, "build": word}))
"""

# What a gateway's own path is made of: calls, attributes, dictionaries, small objects, strings.
WORK = """
import time
class One:
    __slots__ = ("kept",)
    def __init__(self, kept):
        self.kept = kept
    def more(self, number):
        return self.kept + number
def work():
    seen, total = {}, 0
    for number in range(10_000):
        seen[number & 255] = One(number)
        total += seen[number & 127].more(1) + len(str(number))
    return total
least = None
for _ in range(20):
    began = time.process_time_ns()
    work()
    spent = time.process_time_ns() - began
    least = spent if least is None else min(least, spent)
print(least / 1000)
"""


class Build(msgspec.Struct, frozen=True):
    """One Python: its name, whether its build is optimised and by what that is known."""

    name: str
    build: str
    work_us: float
    """CPU of a fixed piece of pure Python: to compare two Pythons of one run by, nothing else."""

    @property
    def version(self) -> str:
        """Give the version alone."""
        return self.name.rpartition(" ")[2]


def builds(pythons: list[str], core: int) -> list[Build]:
    """Ask Pythons what they are, and let them work in turns on one core."""
    told = [json.loads(_said(python, FACTS)) for python in pythons]
    turns = [
        [float(_said(python, WORK, *pinned(core))) for python in pythons] for _ in range(TURNS)
    ]
    least = [min(of_one) for of_one in zip(*turns, strict=True)]
    return [Build(**facts, work_us=us) for facts, us in zip(told, least, strict=True)]


def gateway_of(python: str) -> tuple[str, ...]:
    """Give the command of the gateway on another Python, from the environment of our own lock.

    Raises:
        subprocess.SubprocessError: no such Python, too old, or the lock cannot be installed.
    """
    version = _said(python, "import sys; print(sys.version)")
    inputs = (LOCK.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), version.encode())
    digest = hashlib.sha256(b"\n".join(inputs)).hexdigest()[:16]

    def install(folder: Path) -> None:
        command = [python, "requirements/install.py", str(folder), str(LOCK)]
        subprocess.run(
            command, check=True, cwd=ROOT, timeout=INSTALL_S_MAX, stdout=sys.stderr.fileno()
        )

    made = foreign.made_once(f"gateway-{digest}", install)
    return (str(made / "bin/python"), "-m", "omniroute.server.cli.main")


def _said(python: str, program: str, *before: str) -> str:
    command = [*before, python, "-I", "-c", program]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout
