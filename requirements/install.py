"""Make a virtual environment and install a lock file and this project into it.

    python requirements/install.py .venv requirements/runtime.txt

Needs nothing but Python 3.11 or newer. Everything comes from the lock, checked by hash; the
project itself is installed as links to the working tree, so that an edit is in force at once.
"""

import os
import subprocess
import sys
import time
import venv
from pathlib import Path

PYTHON_MIN = (3, 11)


def main() -> int:
    """Install and give an exit status."""
    if sys.version_info < PYTHON_MIN:
        print(f"OmniRoute needs Python 3.11 or newer, and this is {sys.version.split()[0]}.")
        print("Name another one:  make run PYTHON=python3.12")
        return 1
    folder, lock = Path(sys.argv[1]), Path(sys.argv[2])
    started_s = time.monotonic()
    print(f"Installing {lock} into {folder} (once; about half a minute) ...", flush=True)
    if not (folder / "bin" / "python").exists():
        venv.create(folder, with_pip=True, symlinks=os.name != "nt")
    pip = [
        str(folder / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    try:
        subprocess.run([*pip, "--require-hashes", "-r", str(lock)], check=True)
        subprocess.run([*pip, "--no-deps", "--no-build-isolation", "-e", "."], check=True)
    except subprocess.CalledProcessError as error:
        print(
            f"Installing failed (exit status {error.returncode}): is a package index reachable? "
            "Run the same command again to go on.",
            file=sys.stderr,
        )
        return 1
    print(f"Installed in {time.monotonic() - started_s:.0f} s.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
