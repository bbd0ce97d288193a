"""Which Python a figure is of, and environments that are made once."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import goals, machine, pythons, report
from benchmarks.pythons import Build
from tests import foreign
from tests.benchmarks.runs import results

CORE = machine.cores()[0]
SLOW = Build("CPython 3.11.7", "not optimised: built without --enable-optimizations", 200.0)
FAST = Build("CPython 3.11.2", "optimised: built with a profile by its distribution", 150.0)
OTHER = "omniroute (python 3.11.2)"


def test_a_python_tells_its_version_its_build_and_what_work_costs_it() -> None:
    [build] = pythons.builds([sys.executable], CORE)

    assert build.name == f"{platform.python_implementation()} {platform.python_version()}"
    assert build.version == platform.python_version()
    assert build.build.startswith(("optimised: ", "not optimised: "))
    assert build.work_us > 0


def test_a_program_that_is_no_python_is_refused() -> None:
    with pytest.raises((OSError, subprocess.SubprocessError)):
        pythons.gateway_of("/bin/false")


def test_an_environment_is_made_once_and_made_anew_when_it_was_not_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "CACHE", tmp_path / "environments")
    made: list[Path] = []

    def make(folder: Path) -> None:
        folder.mkdir()
        made.append(folder)
        if len(made) == 1:
            raise subprocess.SubprocessError("the package index is down")

    with pytest.raises(subprocess.SubprocessError):
        foreign.made_once("one", make)
    first = foreign.made_once("one", make)
    second = foreign.made_once("one", make)

    assert first == second == tmp_path / "environments" / "one"
    assert len(made) == 2


def test_a_report_names_the_python_of_each_gateway_and_which_is_judged() -> None:
    told = report.text(results(pythons={"omniroute": SLOW, OTHER: FAST}, judged=OTHER))

    assert "- omniroute ran on CPython 3.11.7, not optimised: built without" in told
    assert "pure Python takes it 0.75 times the CPU of the other. The goals" in told


def test_goals_are_judged_on_the_gateway_that_a_run_names() -> None:
    rounds = [
        {
            "c32": {
                "nginx": {"cpu_us": 20.0},
                "omniroute": {"cpu_us": 200.0},
                OTHER: {"cpu_us": 100.0},
            }
        }
    ]

    lines = goals.judged(results(rounds=rounds, judged=OTHER))

    [dear] = [line for line in lines if line.goal.words == "nginx: CPU a request, c32"]
    assert (dear.figure and dear.figure.median, dear.met) == (5.0, True)
