"""What a release consists of: the same bytes from anywhere, nothing strange, nothing unnamed."""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
IMPORT_S_MAX = 120
PATHS_OF_PYTHON = {"distutils-precedence.pth"}
"""What setuptools puts beside the packages."""


@pytest.fixture(scope="module")
def releasing() -> ModuleType:
    """The program that makes a release."""
    spec = importlib.util.spec_from_file_location("release", ROOT / "requirements/release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def copy_of_the_tree(folder: Path, *, at_unix_s: int) -> Path:
    """Copy what a release is built from, every file with this date."""
    for name in ("server", "tools", "a2a", "routing", "requirements"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "tests").mkdir()
    for path in folder.rglob("*"):
        os.utime(path, (at_unix_s, at_unix_s))
    return folder


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_two_builds_are_the_same_bytes(releasing: ModuleType, tmp_path: Path) -> None:
    built = []
    for number in (1, 2):
        tree = copy_of_the_tree(tmp_path / f"tree{number}", at_unix_s=10**9 * number)
        out = tmp_path / f"out{number}"
        out.mkdir()
        built.append([digest(path) for path in releasing.build(tree, out)])

    assert built[0] == built[1]


def test_a_release_holds_the_rooms_and_names_what_it_rests_on(
    releasing: ModuleType, tmp_path: Path
) -> None:
    made = {path.name: path for path in releasing.release(ROOT, tmp_path)}

    sums = dict(reversed(line.split("  ")) for line in made["SHA256SUMS"].read_text().splitlines())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert sorted(made) == [
        "SHA256SUMS",
        f"omniroute-{version}-py3-none-any.whl",
        f"omniroute-{version}.cdx.json",
        f"omniroute-{version}.tar.gz",
    ]
    assert sums == {name: digest(path) for name, path in made.items() if name != "SHA256SUMS"}


def test_the_bill_names_every_package_of_the_lock_and_no_place(releasing: ModuleType) -> None:
    bill = releasing.materials(ROOT)
    lock = (ROOT / "requirements/runtime.txt").read_text("utf-8")
    pinned = dict(re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", lock, re.M))
    pinned.pop("hatchling")

    assert {one["name"]: one["version"] for one in bill["components"]} == pinned
    assert not [one for one in bill["components"] if "externalReferences" in one]


@pytest.mark.parametrize("name", ["evil.pth", "server/evil.pth", "server/run.sh"])
def test_a_wheel_that_holds_something_else_is_refused(
    releasing: ModuleType, tmp_path: Path, name: str
) -> None:
    tree = copy_of_the_tree(tmp_path / "tree", at_unix_s=10**9)
    (tree / name).write_text("import os\n")
    project = tree / "pyproject.toml"
    text = project.read_text("utf-8")
    if "/" not in name:
        text = text.replace('only-include = ["server"', f'only-include = ["{name}", "server"', 1)
    project.write_text(text)
    out = tmp_path / "out"
    out.mkdir()

    with pytest.raises(releasing.NotReleasable, match=Path(name).name):
        releasing.release(tree, out)


def test_nothing_beside_the_packages_runs_at_every_start_of_python() -> None:
    packages = Path(pytest.__file__).parents[1]
    paths = {path.name: path for path in packages.glob("*.pth")} if packages.is_dir() else {}
    ours = {name for name, path in paths.items() if path.read_text().strip() == str(ROOT / "src")}

    assert set(paths) - ours <= PATHS_OF_PYTHON
    assert ours


def test_importing_every_module_connects_to_nothing_and_starts_nothing() -> None:
    program = """
import importlib, pathlib, sys
bad = ("socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen", "os.system")
def watch(event, told):
    if event in bad:
        raise SystemExit(f"{event} {told}")
sys.addaudithook(watch)
for room in ("routing", "tools", "a2a", "server"):
    for path in sorted(pathlib.Path(room).rglob("*.py")):
        if "migrations" not in path.parts:
            importlib.import_module("omniroute." + ".".join(path.with_suffix("").parts))
print("imported")
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=IMPORT_S_MAX,
        check=False,
    )

    assert (done.stdout, done.returncode) == ("imported\n", 0), done.stderr
