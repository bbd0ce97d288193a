"""The lock files as they are, and what the script that makes them checks."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    """requirements/lock.py, which is a script and not a module of the package."""
    spec = importlib.util.spec_from_file_location("lock", ROOT / "requirements/lock.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_lock_pins_with_hashes_and_names_no_address(maker: ModuleType) -> None:
    for lock in maker.all_locks():
        text = lock.target.read_text(encoding="utf-8")

        assert maker.addresses(text) == []
        assert maker.versions(text)
        assert text.count("==") <= text.count("--hash=sha256:")


def test_the_runtime_lock_is_part_of_the_development_lock(maker: ModuleType) -> None:
    runtime, dev = (
        maker.versions((ROOT / "requirements" / name).read_text(encoding="utf-8"))
        for name in ("runtime.txt", "dev.txt")
    )

    assert runtime.items() <= dev.items()
    assert "genai-prices" in dev
    assert "genai-prices" not in runtime


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://packages.example/simple",
        "--extra-index-url x",
        "a @ https://packages.example/a.whl",
        "a @ file:///tmp/a.whl",
        "a @ git+ssh://git@x.example/a",
        "    # via https://packages.example",
    ],
)
def test_a_line_with_an_address_is_found(maker: ModuleType, line: str) -> None:
    assert maker.addresses(f"a==1.0 \\\n{line}\n") == [line.strip()]


def test_changes_are_told_by_name_and_version(maker: ModuleType) -> None:
    old = "a==1.0 \\\n    --hash=sha256:00\nB[x]==2.0 ; sys_platform != 'win32' \\\n"
    new = "a==1.1 \\\n    --hash=sha256:11\nc==3.0\n"

    assert maker.changes(old, new) == ["a 1.0 -> 1.1", "b 2.0 -> (gone)", "c (new) -> 3.0"]
    assert maker.changes(old, old) == []
    assert maker.changes(old, old.replace("00", "11")) == ["same versions, other hashes or markers"]
