"""The file that says which gateway runs on a data folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from omniroute.server.runtime_file import (
    Running,
    new_token,
    process_lives,
    read_running,
    remove_running,
    runtime_path,
    write_running,
)

RUNNING = Running(4711, "http://127.0.0.1:20128", "fake-token", "0.1.0", 1_800_000_000.0)


def test_what_is_written_is_read_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    write_running(tmp_path, RUNNING)

    assert read_running(tmp_path) == RUNNING
    assert runtime_path(tmp_path).stat().st_mode & 0o777 == 0o600
    assert [one.name for one in runtime_path(tmp_path).parent.iterdir()] == ["gateway.json"]
    assert "fake-token" not in repr(RUNNING)


def test_a_second_gateway_replaces_the_file_and_the_first_leaves_it_then(tmp_path: Path) -> None:
    second = Running(4712, "http://127.0.0.1:20129", new_token())
    write_running(tmp_path, RUNNING)
    write_running(tmp_path, second)

    remove_running(tmp_path, RUNNING)
    left = read_running(tmp_path)
    remove_running(tmp_path, second)

    assert left == second
    assert read_running(tmp_path) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"pid": "x", "url": "http://h", "token": "t"}',
        b'{"pid": 0, "url": "http://h", "token": "t"}',
        b'{"pid": 1, "url": "file:///etc/passwd", "token": "t"}',
        b"[" * 50_000,
        b"\xff\xfe",
    ],
)
def test_a_file_that_no_gateway_wrote_says_nothing(tmp_path: Path, content: bytes) -> None:
    write_running(tmp_path, RUNNING)
    runtime_path(tmp_path).write_bytes(content)

    assert read_running(tmp_path) is None


def test_a_file_that_others_may_write_is_not_believed(tmp_path: Path) -> None:
    write_running(tmp_path, RUNNING)
    runtime_path(tmp_path).chmod(0o620)

    assert read_running(tmp_path) is None


def test_a_process_that_has_ended_does_not_live() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait(30)

    assert process_lives(os.getpid())
    assert not process_lives(child.pid)
    assert not process_lives(2**40)


def test_no_two_tokens_are_the_same() -> None:
    assert len({new_token() for _ in range(100)}) == 100
