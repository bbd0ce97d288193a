"""`omniroute fitness`: rules that stay, and what was learned beside them."""

import json
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.processes import free_port, plain_environment, run_command

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def omniroute(tmp_path: Path) -> Run:
    return partial(run_command, environment=plain_environment(tmp_path, PORT=str(free_port())))


def test_rules_are_set_kept_by_kind_and_removed_and_experience_outlives_its_process(
    omniroute: Run,
) -> None:
    empty = omniroute("fitness", "list").stdout
    made = omniroute("fitness", "set", "sim/smart", ".97", "--kind", "code")
    omniroute("fitness", "set", "sim/smart", "0.5")
    omniroute("chat", "--model", "sim/smart", "Which city is the capital of France?")
    listed = json.loads(omniroute("fitness", "list", "--json").stdout)
    page = omniroute("fitness", "list").stdout
    removed = omniroute("fitness", "remove", "sim/smart", "--kind", "code")
    left = json.loads(omniroute("fitness", "list", "--json").stdout)["rules"]
    again = omniroute("fitness", "remove", "sim/smart", "--kind", "code")

    assert "There are no rules" in empty
    assert made.stdout == "sim/smart is 0.97 fit for code.\n", made.stderr
    assert listed["rules"] == [
        {"pattern": "sim/smart", "fitness": 0.5, "kind": ""},
        {"pattern": "sim/smart", "fitness": 0.97, "kind": "code"},
    ]
    assert [(one["family"], one["good"]) for one in listed["learned"]] == [("factual", 1)]
    assert "every kind" in page
    assert "factual" in page
    assert removed.returncode == 0
    assert [one["kind"] for one in left] == [""]
    assert "no fitness rule has the pattern 'sim/smart' for code" in again.stderr


@pytest.mark.parametrize("value", ["", "high", "1.2.3", "0,5"])
def test_a_fitness_that_is_no_number_is_refused(omniroute: Run, value: str) -> None:
    done = omniroute("fitness", "set", "m", value)

    assert done.returncode != 0
    assert "fitness is a number from 0 to 1" in done.stderr
