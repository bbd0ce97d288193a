"""`omniroute combos auto`: the same fields as `POST /api/combos/auto`, in words."""

import json
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from omniroute.server.autos_json import AUTO_FIELDS
from omniroute.server.cli.autos import weights
from omniroute.server.cli.commands_autos import AUTO_COMMANDS
from omniroute.server.cli.exits import Stop
from tests.processes import free_port, plain_environment, run_command

Run = Callable[..., "subprocess.CompletedProcess[str]"]

OPTIONS = {
    "candidatePool": "entry",
    "policy": "--policy",
    "weights": "--weights",
    "modePack": "--mode-pack",
    "budgetCap": "--budget-cap",
    "explorationRate": "--exploration-rate",
    "active": "--inactive",
}


@pytest.fixture
def omniroute(tmp_path: Path) -> Run:
    return partial(run_command, environment=plain_environment(tmp_path, PORT=str(free_port())))


def test_an_auto_is_made_shown_tried_and_removed(omniroute: Run) -> None:
    made = omniroute(
        *("combos", "auto", "mine", "sim/smart", "sim/fast", "--title", "My own"),
        *("--weights", "health=0.5, taskFit=.4,costInv=0.1", "--budget-cap", "0.02"),
        *("--exploration-rate", "0"),
    )
    page = omniroute("combos", "show", "mine").stdout
    table = omniroute("combos", "list").stdout
    simulated = json.loads(omniroute("simulate", "mine", "--json").stdout)
    answer = omniroute("chat", "--model", "mine", "hello")
    shown = json.loads(omniroute("combos", "show", "mine", "--json").stdout)
    gone = omniroute("combos", "remove", "mine")

    assert made.stdout == "mine is set: clients ask for it as the model 'mine'.\n", made.stderr
    assert "classic-6f" in page
    assert "health=0.5" in page
    assert "costInv=0.1" in page
    assert "$0.02 a request" in page
    assert "sim/smart, sim/fast" in page
    assert "mine" in table
    assert {one["name"] for one in simulated["candidates"]} == {"sim/smart", "sim/fast"}
    assert sorted(one["first_share"] for one in simulated["candidates"]) == [0.0, 1.0]
    assert "hello" in answer.stdout
    assert shown["auto"]["name"] == "My own"
    assert shown["auto"]["weights"]["taskFit"] == 0.4
    assert gone.returncode == 0


def test_a_wrong_auto_is_refused_with_the_routes_words(omniroute: Run) -> None:
    done = omniroute("combos", "auto", "mine", "--weights", "health=0.5")

    assert done.returncode != 0
    assert "the weights sum to 0.5, and should to 1" in done.stderr


@pytest.mark.parametrize("text", ["health", "health=x", "health=1,health=0", "speed=1", ""])
def test_weights_that_are_none_are_refused_with_those_that_are(text: str) -> None:
    with pytest.raises(Stop, match="weight"):
        weights(text)


def test_every_field_of_an_auto_has_its_option() -> None:
    command = next(one for one in AUTO_COMMANDS if one.path == "combos auto")

    assert set(OPTIONS) == set(AUTO_FIELDS)
    assert set(OPTIONS.values()) <= {one.name for one in command.options}
