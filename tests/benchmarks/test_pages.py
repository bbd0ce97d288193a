"""The benchmark of the dashboard's pages, as short as it can be."""

import re
import subprocess
import sys

import pytest

WAIT_S = 300.0
WORDS = ("--requests", "500", "--rounds", "2", "--pages", "2", "--pairs", "1")


@pytest.mark.long
def test_pages_are_timed_and_a_request_is_priced_beside_them() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.pages", *WORDS],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )

    assert "500 requests on record" in done.stdout, done.stderr
    timed = re.findall(r"first +\d+ ms, then p50 +\d+ ms, p95 +\d+ ms, CPU +\d+ ms", done.stdout)
    assert len(timed) == 7
    assert re.search(r"\d+ us with 2 that listen: \d\.\d\d times", done.stdout)
