"""Waiting for one's turn to write to a SQLite file, which one process at a time can.

SQLite waits by itself, but sleeps for up to 100 ms between two looks, while those who write one
batch after the other leave gaps of far less: of several busy processes one could find the file
taken for seconds, and be told that it is locked. So we look ourselves, every LOOK_S or so, which
meets a gap soon.
"""

import random
import sqlite3
import time

LOOK_S = 0.001


def look_ourselves(connection: sqlite3.Connection) -> None:
    """Have SQLite say at once that another process writes."""
    connection.execute("PRAGMA busy_timeout=0")


def begin_writing(connection: sqlite3.Connection, *, wait_s: float) -> None:
    """Begin a transaction that writes, once nobody else writes.

    Raises:
        sqlite3.OperationalError: others wrote all the time, for `wait_s`; or it is no matter of
            waiting.
    """
    ends_s = time.monotonic() + wait_s
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() >= ends_s:
                raise
        else:
            return
        # Not all at the same moments, nor in step with who writes.
        time.sleep(LOOK_S * (0.5 + random.random()))  # noqa: S311 - nothing to guess
