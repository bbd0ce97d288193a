"""SIGTERM under load: what was taken is answered, every stream ends in words, the end is soon."""

from pathlib import Path

import pytest

from tests.drained import drained

EXIT_S_MAX = 35.0
PATIENCE_S = (0.5, 1.0, 3.0, 5.0, 30.0)
"""How long requests may go on, also for as long as is the default."""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_gateway_that_ends_under_load_drops_nothing_that_it_has_taken(
    tmp_path: Path, workers: str
) -> None:
    seen = drained(tmp_path, "--workers", workers, shutdown_s=2)

    assert seen.failed() == {}
    assert set(seen.taken.values()) == {"answered"}
    assert len(seen.answered) >= 20
    assert len(seen.streams) == 100
    assert seen.badly_ended() == {}
    assert seen.exit_status == 0
    assert seen.took_s < EXIT_S_MAX


@pytest.mark.long
@pytest.mark.parametrize("time", range(10))
@pytest.mark.parametrize("workers", ["1", "2"])
def test_however_long_it_waits_nothing_is_dropped(tmp_path: Path, workers: str, time: int) -> None:
    seen = drained(tmp_path, "--workers", workers, shutdown_s=PATIENCE_S[time % len(PATIENCE_S)])

    assert seen.failed() == {}
    assert set(seen.taken.values()) == {"answered"}
    assert seen.badly_ended() == {}
    assert seen.exit_status == 0
    assert seen.took_s < EXIT_S_MAX
