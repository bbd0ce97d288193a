"""Make what a release consists of: wheel, source archive, bill of materials, checksums.

    .venv/bin/python requirements/release.py dist

The wheel and the archive are the same bytes wherever they are built: hatchling gives every file
in them one date and one order. The bill of materials (CycloneDX 1.6, JSON) lists what the lock
of the runtime pins, with its hashes. A wheel that would hold anything but the four rooms is
refused: a `.pth` file in one runs at every start of Python, whoever imports what.
"""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests import foreign  # noqa: E402 - the project is not installed where this runs

ROOMS = ("server", "tools", "a2a", "routing")
KINDS = (".py", ".json", ".toml", ".html", ".css", ".js")
"""The kinds of files that rooms are made of."""
SUMS = "SHA256SUMS"
TOOL_S_MAX = 300


class NotReleasable(Exception):
    """What was made holds what it should not, or lacks what it should."""


def main() -> int:
    """Make everything and give an exit status."""
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if list(folder.iterdir()):
        print(f"{folder} is not empty: name a folder that is, or a new one.", file=sys.stderr)
        return 1
    try:
        made = release(ROOT, folder)
    except NotReleasable as error:
        print(f"Nothing can be released: {error}", file=sys.stderr)
        return 1
    for path in made:
        print(f"{path.name:<40}{path.stat().st_size:>12} bytes")
    return 0


def release(tree: Path, folder: Path) -> list[Path]:
    """Build a tree into a folder and give the files.

    Raises:
        NotReleasable: see there.
    """
    wheel, archive = build(tree, folder)
    missing, strange = strangers(tree, wheel)
    if missing or strange:
        told = [f"without {name}" for name in missing] + [f"with {name}" for name in strange]
        raise NotReleasable(f"the wheel was built {', '.join(told[:5])}")
    bill = folder / f"{wheel.name.partition('-py3')[0]}.cdx.json"
    bill.write_text(json.dumps(materials(tree), indent=1, sort_keys=True) + "\n", "utf-8")
    made = [wheel, archive, bill]
    sums = folder / SUMS
    sums.write_text("".join(f"{_sha256(path)}  {path.name}\n" for path in made), "utf-8")
    return [*made, sums]


def build(tree: Path, folder: Path) -> tuple[Path, Path]:
    """Build wheel and source archive of a tree into a folder."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(folder)],
        cwd=tree,
        check=True,
        capture_output=True,
        timeout=TOOL_S_MAX,
        env=environment,
    )
    (wheel,), (archive,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, archive


def strangers(tree: Path, wheel: Path) -> tuple[list[str], list[str]]:
    """Give what a wheel lacks of the rooms, and what it holds beside them."""
    rooms = {
        f"omniroute/{path.relative_to(tree).as_posix()}"
        for room in ROOMS
        for path in (tree / room).rglob("*")
        if path.suffix in KINDS and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
    about = f"{wheel.name.partition('-py3')[0]}.dist-info"
    own = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}
    expected = rooms | {f"{about}/{name}" for name in own}
    return sorted(expected - names), sorted(names - expected)


def materials(tree: Path) -> dict[str, Any]:
    """Give the bill of materials of a tree's runtime lock."""
    program = foreign.python_of("deploy").with_name("cyclonedx-py")
    words = ("requirements", "--pyproject", "pyproject.toml", "--output-reproducible")
    made = subprocess.run(
        [str(program), *words, "--sv", "1.6", "requirements/runtime.txt"],
        cwd=tree,
        check=True,
        capture_output=True,
        timeout=TOOL_S_MAX,
    )
    bill: dict[str, Any] = json.loads(made.stdout)
    for component in bill["components"]:
        # Where a package is from is the installer's to know; which one it is, its hash says.
        component.pop("externalReferences", None)
    bill["components"] = [one for one in bill["components"] if one["name"] != "hatchling"]
    return bill


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
