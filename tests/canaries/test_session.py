"""The watch over a session: a secret that a test leaves behind fails it, with and without xdist."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFTEST = """
from tests.canaries.plugin import (
    pytest_configure,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
    pytest_unconfigure,
)
"""
LEAKS = {
    "a file": "(tmp_path / 'storage.sqlite').write_text(canary('test'))",
    "a log": "logging.getLogger('omniroute').debug('x', extra={'reason': canary('test')})",
    "a library's log": "logging.getLogger('uvicorn.error').debug('got %s', canary('test'))",
}


def session(folder: Path, line: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a session of one test."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_it.py").write_text(
        "import logging\n"
        "from tests.canaries.secrets import canary\n\n"
        "def test_it(tmp_path):\n"
        f"    {line}\n"
    )
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("-c", "/dev/null", "--rootdir", str(folder), *words, str(folder)),
        ],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("line", LEAKS.values(), ids=LEAKS)
def test_a_secret_that_is_left_behind_fails_the_session(line: str, tmp_path: Path) -> None:
    ended = session(tmp_path, line)

    assert ended.returncode == 1
    assert "1 passed" in ended.stdout
    assert "secrets were found" in ended.stdout


def test_what_a_worker_of_xdist_finds_fails_the_session(tmp_path: Path) -> None:
    ended = session(tmp_path, LEAKS["a log"], "-n", "1")

    assert ended.returncode == 1
    assert "1 secrets sent" in ended.stdout


def test_a_session_that_leaves_no_secret_behind_passes(tmp_path: Path) -> None:
    ended = session(tmp_path, "(tmp_path / 'storage.sqlite').write_text('x'); canary('test')")

    assert ended.returncode == 0
    assert "1 secrets sent, 0 log records seen, 0 secrets found" in ended.stdout
