"""The data folder, and what tells one process from another."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from omniroute.server.store.boots import new_boot
from omniroute.server.store.data_folder import make_data_folder, write_private
from omniroute.server.store.database import CannotOpenStore
from omniroute.server.store.processes import this_machine, this_process

LATE_S = 10


def test_a_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "omniroute"

    make_data_folder(folder)
    make_data_folder(folder)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_file_where_the_folder_should_be_is_refused_with_the_next_step(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")

    with pytest.raises(CannotOpenStore, match=r"cannot use the data folder.*--data-dir"):
        make_data_folder(tmp_path / "taken")
    with pytest.raises(CannotOpenStore, match=r"Not a directory.*--data-dir"):
        make_data_folder(tmp_path / "taken" / "below")


def test_a_private_file_is_replaced_whole_and_read_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "secret"

    write_private(path, b"old")
    write_private(path, b"new")

    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_process_is_known_while_it_runs_and_no_longer() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        alive = this_process(other.pid)
        other.communicate(b"\n", timeout=LATE_S)

    assert alive is not None
    assert alive != this_process(os.getpid())
    assert this_process(other.pid) != alive


def test_a_process_that_ended_but_was_not_reaped_counts_as_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as other:
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)

        assert this_process(other.pid) is None


def test_every_boot_has_an_id_of_its_own_and_names_this_process() -> None:
    first, second = new_boot("1.0.0", 5.0), new_boot("1.0.0", 5.0)

    assert first.boot_id != second.boot_id
    assert (first.machine, first.process_id) == (this_machine(), os.getpid())
    assert first.process == this_process(os.getpid())
