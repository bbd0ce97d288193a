"""Foreign environments: other people's programs, each with a lock of its own.

A folder of tests/environments/ holds a requirements.txt with hashes and the scripts that run
in it. An environment is made once per content of its lock and kept; `make_all` makes those
that are missing in parallel.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
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


def python_of_lock(lock: Path, python: str = sys.executable) -> Path:
    """Give the Python of the environment of a lock, made now if it is missing.

    Args:
        lock: a requirements file with hashes.
        python: the Python that the environment is made with.
    """
    version = subprocess.run([python, "-VV"], check=True, capture_output=True).stdout
    digest = hashlib.sha256(lock.read_bytes() + version).hexdigest()[:16]

    def install(folder: Path) -> None:
        made = str(folder / "bin" / "python")
        subprocess.run([python, "-m", "venv", str(folder)], check=True, timeout=INSTALL_S_MAX)
        pip = [made, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run(
            [*pip, "--require-hashes", "-r", str(lock)], check=True, timeout=INSTALL_S_MAX
        )

    return made_once(f"{lock.parent.name}-{digest}", install) / "bin" / "python"


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """Give the folder of a name, made now if it was never finished."""
    folder = CACHE / name
    finished = folder / "finished"
    CACHE.mkdir(exist_ok=True)
    # Two that make the same environment at once would each clear what the other has put there.
    with (CACHE / f"{name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not finished.exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            finished.touch()
    return folder


def make_all() -> None:
    """Make every environment that is missing."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(python_of, names()))
