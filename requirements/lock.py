"""Refresh every lock file, and what is made from them.

    .venv/bin/python requirements/lock.py            everything to its newest version
    .venv/bin/python requirements/lock.py --keep     only what a requirement newly asks for

Locks requirements/runtime.txt and requirements/dev.txt from pyproject.toml, and each
requirements.txt of tests/environments/ and benchmarks/peers/ from the requirements.in beside
it; then installs the
development lock where its price package is another one, and makes the price table anew. All
locks are made before the first one is replaced, so a failure leaves them as they were. A lock
holds names, versions and hashes: one with an address in it is refused.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parent.parent
PYTHON_MIN = "3.11"
PRICE_PACKAGE = "genai-prices"
COMPILE_S_MAX = 600

_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://|--(?:extra-)?index-url|--find-links| @ ")


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock file, what it is made from, and the dependency groups and extras it takes in."""

    target: Path
    source: Path
    groups: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()


def main(arguments: Sequence[str] | None = None) -> int:
    """Refresh, say what changed, and give an exit status."""
    parser = argparse.ArgumentParser(description="Refresh every lock file and the price table.")
    parser.add_argument("--keep", action="store_true", help="keep the versions that still fit")
    keep: bool = parser.parse_args(arguments).keep
    locks = all_locks()
    with tempfile.TemporaryDirectory() as folder:
        made = [
            _compile(lock, Path(folder) / f"{place}.txt", keep=keep)
            for place, lock in enumerate(locks)
        ]
        for lock, text in zip(locks, made, strict=True):
            found = addresses(text)
            if found:
                print(f"{_shown(lock.target)} would hold an address: {found[0]}", file=sys.stderr)
                return 1
    for lock, text in zip(locks, made, strict=True):
        _replace(lock.target, text)
    _refresh_prices()
    return 0


def all_locks() -> tuple[Lock, ...]:
    """Give every lock of the project, whether it exists yet or not."""
    project = ROOT / "pyproject.toml"
    foreign = [
        path
        for folder in ("tests/environments", "benchmarks/peers")
        for path in sorted((ROOT / folder).glob("*/requirements.in"))
    ]
    return (
        Lock(ROOT / "requirements/runtime.txt", project, ("build",), ("dashboard",)),
        Lock(ROOT / "requirements/dev.txt", project, ("build", "dev"), ("dashboard",)),
        *(Lock(path.with_suffix(".txt"), path) for path in foreign),
    )


def versions(text: str) -> dict[str, str]:
    """Give each pinned package's version; of one pinned per platform the last."""
    return {name.lower(): pinned for name, pinned in _PINNED.findall(text)}


def addresses(text: str) -> list[str]:
    """Give the lines of a lock that say where a package is from."""
    return [line.strip() for line in text.splitlines() if _ADDRESS.search(line)]


def changes(old: str, new: str) -> list[str]:
    """Give what a new lock pins otherwise than the old one, in words."""
    before, after = versions(old), versions(new)
    told = [
        f"{name} {before.get(name, '(new)')} -> {after.get(name, '(gone)')}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]
    if not told and old != new:
        told = ["same versions, other hashes or markers"]
    return told


def _compile(lock: Lock, scratch: Path, *, keep: bool) -> str:
    """Give a lock's new text; its old one is what the resolver prefers with `keep`."""
    if lock.target.exists():
        shutil.copyfile(lock.target, scratch)
    groups = [part for group in lock.groups for part in ("--group", group)]
    extras = [part for extra in lock.extras for part in ("--extra", extra)]
    subprocess.run(
        [
            str(Path(sys.executable).with_name("uv")),
            *("pip", "compile", str(lock.source.relative_to(ROOT)), *groups, *extras),
            *("--generate-hashes", "--universal", "--python-version", PYTHON_MIN),
            *("--no-emit-index-url", "--no-header", "--no-annotate", "--quiet"),
            *(() if keep else ("--upgrade",)),
            *("--output-file", str(scratch)),
        ],
        cwd=ROOT,
        check=True,
        timeout=COMPILE_S_MAX,
    )
    return scratch.read_text(encoding="utf-8")


def _replace(target: Path, text: str) -> None:
    old = target.read_text(encoding="utf-8") if target.exists() else ""
    if old == text:
        print(f"{_shown(target)}: unchanged")
        return
    scratch = target.with_suffix(".new")
    scratch.write_text(text, encoding="utf-8")
    os.replace(scratch, target)
    print(f"{_shown(target)}:")
    for line in changes(old, text):
        print(f"  {line}")


def _refresh_prices() -> None:
    """Make the price table with the version that the development lock pins."""
    lock = ROOT / "requirements/dev.txt"
    wanted = versions(lock.read_text(encoding="utf-8"))[PRICE_PACKAGE]
    if wanted != version(PRICE_PACKAGE):
        install = [str(ROOT / "requirements/install.py"), sys.prefix, str(lock)]
        subprocess.run([sys.executable, *install], cwd=ROOT, check=True)
    prices = str(ROOT / "requirements/prices.py")
    subprocess.run([sys.executable, prices], cwd=ROOT, check=True)


def _shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


if __name__ == "__main__":
    sys.exit(main())
