"""The benchmark of A2A, as short as it can be."""

import re
import subprocess
import sys

WAIT_S = 120.0
WORDS = ("--rounds", "1", "--sends", "20", "--streams", "150", "--seconds", "1")


def test_sends_are_priced_and_streams_are_held() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.a2a_streams", *WORDS],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )

    assert re.search(r"message/send, 8 connections: CPU [\d]+ us a send", done.stdout), done.stderr
    for whose in ("this", "another"):
        held = rf"150 idle streams of 100 tasks of {whose} process: 0 ended early; memory \d+"
        assert re.search(held, done.stdout), done.stdout + done.stderr
