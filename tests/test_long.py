"""What takes minutes: run by `make test-long`."""

import os
import sys
from pathlib import Path

import pytest

from benchmarks import check, soak
from tests.replay import audited

pytestmark = pytest.mark.long

SOAK_REQUESTS = int(os.environ.get("SOAK_REQUESTS", soak.REQUESTS))
STORED_MIB_MAX = 200


def test_a_hundred_thousand_decisions_replay_in_a_second_process(tmp_path: Path) -> None:
    assert audited(tmp_path, 100_000) == {"decisions": 100_000, "equal": 100_000, "different": 0}


def test_memory_and_open_files_stay_flat_over_a_million_requests_and_streams_that_are_left(
    tmp_path: Path,
) -> None:
    with soak.soaking(tmp_path) as one:
        told = one.soaked(SOAK_REQUESTS)

    seen = "\n".join(map(str, told.looks))
    assert told.errors == 0
    assert told.growth_mib < soak.GROWTH_MIB_MAX, seen
    assert told.more_files < 32, seen
    assert told.looks[-1].stored_mib < STORED_MIB_MAX, seen


def test_the_budget_check_fails_when_a_request_costs_half_as_much_again(tmp_path: Path) -> None:
    with check.pair(tmp_path / "as it is") as two:
        as_it_is = two.series()
    ours_us, _ = check.medians(as_it_is)
    slowed = (sys.executable, "-m", "benchmarks.slowed", str(ours_us / 2))
    with check.pair(tmp_path / "slowed", slowed) as two:
        dearer = two.series()

    assert not check.too_dear(check.ratio(as_it_is))
    assert check.too_dear(check.ratio(dearer))
