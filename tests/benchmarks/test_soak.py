"""The soak's own parts; that memory stays flat is in test_long.py."""

from pathlib import Path

from benchmarks import goals, report, soak
from benchmarks.soak import Look, Soak
from tests.benchmarks.runs import results


def look(number: int, rss_mib: float) -> Look:
    return Look(number, number, rss_mib, rss_mib, 20 + number, 5, 1.0)


def test_growth_is_from_the_end_of_the_first_round_to_the_end_of_the_last() -> None:
    told = Soak((look(0, 60.0), look(1, 66.0), look(2, 63.5)), errors=0)

    assert told.growth_mib == 3.5
    assert told.more_files == 2


def test_a_soak_looks_after_each_round_and_nothing_fails(tmp_path: Path) -> None:
    with soak.soaking(tmp_path) as one:
        told = one.soaked(320, first=32)

    assert told.errors == 0
    assert [one.requests for one in told.looks] == [32 * number for number in range(11)]
    assert [one.left for one in told.looks[:3]] == [0, 50, 100]
    assert all(20 < one.rss_mib < 120 and one.stored_mib > 0 for one in told.looks)


def test_a_traced_gateway_tells_which_lines_hold_more(tmp_path: Path) -> None:
    with soak.soaking(tmp_path, tmp_path / "told") as one:
        first = one.tell()
        one.soaked(320, first=32)
        more = one.tell()

    assert first == ""
    assert "KiB" in more


def test_a_soak_within_a_run_is_told_and_judged() -> None:
    figures = {
        "requests": 1_000_000.0,
        "left": 100_000.0,
        "errors": 0.0,
        "first_mib": 67.0,
        "last_mib": 70.5,
        "growth_mib": 3.5,
    }
    run = results(soak=figures)

    [line] = [one for one in goals.judged(run) if one.goal.unit == " MiB"]
    assert (line.figure and line.figure.median, line.met) == (3.5, True)
    assert "1,000,000 requests and 100,000 streams whose client left" in report.text(run)
