"""The load generator and the upstream: compiled where a C compiler is there, else Python's.

The Python ones do the same, but share a core at a fraction of the speed: they, not the target,
set the pace of what is fast. A run that used them says so.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
CACHE = Path(sys.prefix) / "benchmarks"
COMPILE_S_MAX = 60
LOAD_S_MAX = 300


@dataclass(frozen=True, slots=True)
class Programs:
    """The commands of the two, without their arguments."""

    load: tuple[str, ...]
    upstream: tuple[str, ...]
    compiled: bool


def programs() -> Programs:
    """Give the fastest programs that this machine can have."""
    compiler = shutil.which("cc")
    if compiler is None:
        python = (sys.executable, "-m")
        return Programs((*python, "benchmarks.load"), (*python, "benchmarks.upstream"), False)
    made = [str(_compiled(compiler, FOLDER / f"{name}.c")) for name in ("load", "upstream")]
    return Programs((made[0],), (made[1],), True)


def run_load(command: list[str], core: int) -> dict[str, float]:
    """Run the load on one core and give its figures; what failed first goes to our own stderr."""
    done = subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=LOAD_S_MAX,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def _compiled(compiler: str, source: Path) -> Path:
    """Give the program of a source; it is made once per content."""
    target = CACHE / f"{source.stem}-{hashlib.sha256(source.read_bytes()).hexdigest()[:16]}"
    if not target.exists():
        CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            made = Path(scratch) / source.stem
            subprocess.run(
                [compiler, "-O2", "-o", str(made), str(source)], check=True, timeout=COMPILE_S_MAX
            )
            made.replace(target)
    return target
