"""Foreign environments: other people's programs, each with a lock of its own.

A folder of tests/environments/ holds a requirements.txt with hashes and the scripts that run
in it. An environment is made once per content of its lock and kept; `make_all` makes those
that are missing in parallel.
"""

import fcntl
import hashlib
import subprocess
import sys
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FOLDER = Path(__file__).parent / "environments"
CACHE = Path(sys.prefix) / "environments"
INSTALL_S_MAX = 300


def names() -> list[str]:
    """Give every environment's name."""
    return sorted(path.parent.name for path in FOLDER.glob("*/requirements.txt"))


def python_of(name: str) -> Path:
    """Give the environment's Python, made now if it is missing."""
    return python_of_lock(FOLDER / name / "requirements.txt")


def python_of_lock(lock: Path) -> Path:
    """Give the Python of the environment of a lock, made now if it is missing."""
    digest = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = CACHE / f"{lock.parent.name}-{digest}"
    python, finished = folder / "bin" / "python", folder / "finished"
    CACHE.mkdir(exist_ok=True)
    # Two that make the same environment at once would each clear what the other has put there.
    with (CACHE / f"{folder.name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not finished.exists():
            venv.create(folder, with_pip=True, clear=True, symlinks=True)
            pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
            subprocess.run(
                [*pip, "--require-hashes", "-r", str(lock)], check=True, timeout=INSTALL_S_MAX
            )
            finished.touch()
    return python


def make_all() -> None:
    """Make every environment that is missing."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(python_of, names()))
