"""Whose turn it is to write to a file that several processes write to."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from omniroute.server.store.sqlite_turn import begin_writing, look_ourselves

HELD_S = 0.02
GAP_S = 0.001


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    look_ourselves(connection)
    try:
        yield connection
    finally:
        connection.close()


def test_who_waits_gets_its_turn_soon_from_others_who_write_all_the_time(tmp_path: Path) -> None:
    stopped = threading.Event()
    waits: list[float] = []

    def write_all_the_time(connection: sqlite3.Connection) -> None:
        while not stopped.is_set():
            begin_writing(connection, wait_s=10.0)
            time.sleep(HELD_S)
            connection.execute("COMMIT")
            time.sleep(GAP_S)

    with opened(tmp_path / "file") as one, opened(tmp_path / "file") as other:
        busy = threading.Thread(target=write_all_the_time, args=(one,))
        busy.start()
        for _ in range(10):
            began_s = time.monotonic()
            begin_writing(other, wait_s=10.0)
            other.execute("COMMIT")
            waits.append(time.monotonic() - began_s)
        stopped.set()
        busy.join()

    assert max(waits) < 2.0


def test_who_waits_in_vain_is_told_that_the_file_is_locked(tmp_path: Path) -> None:
    with opened(tmp_path / "file") as one, opened(tmp_path / "file") as other:
        begin_writing(one, wait_s=0.0)

        with pytest.raises(sqlite3.OperationalError, match="locked"):
            begin_writing(other, wait_s=0.05)


def test_what_is_no_matter_of_waiting_is_told_at_once(tmp_path: Path) -> None:
    with opened(tmp_path / "file") as one:
        begin_writing(one, wait_s=0.0)

        with pytest.raises(sqlite3.OperationalError, match="within a transaction"):
            begin_writing(one, wait_s=60.0)
