"""The real coding clients with what `omniroute setup` wrote, and nothing else."""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from .closed import COMMAND
from .install import installed, node
from .set_up import PROGRAMS, TRANSPORTS

pytestmark = pytest.mark.long

INSIDE_S_MAX = 560

each_client = pytest.mark.parametrize("client", PROGRAMS)
over_each_transport = pytest.mark.parametrize("transport", TRANSPORTS)

Outcomes = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """Give what came of every way to set a client up; each client runs once."""

    @cache
    def of(client: str) -> dict[str, Any]:
        package, home = installed(client), tmp_path_factory.mktemp(f"set-up-{client}")
        words = (client, str(node() / "bin"), str(package), str(home))
        done = subprocess.run(
            [*COMMAND, sys.executable, "-m", "tests.coding_clients.set_up", *words],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSIDE_S_MAX,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    return of


@each_client
def test_nothing_but_this_machine_can_be_reached(outcomes: Outcomes, client: str) -> None:
    assert outcomes(client)["closed"]


@each_client
@over_each_transport
def test_a_set_up_is_written_and_tried(outcomes: Outcomes, client: str, transport: str) -> None:
    setup = outcomes(client)[f"setup-{transport}"]

    assert setup["status"] == 0, setup
    assert "made for it now" in setup["printed"], setup


@each_client
@over_each_transport
def test_a_prompt_is_answered_by_the_gateway(
    outcomes: Outcomes, client: str, transport: str
) -> None:
    outcome = outcomes(client)[f"prompt-{transport}"]

    assert outcome["status"] == 0, outcome
    assert "[simulated by sim/fast]" in outcome["said"], outcome
    assert PROGRAMS[client].says in outcome["said"], outcome


@each_client
@over_each_transport
def test_a_tool_of_the_gateway_is_called(outcomes: Outcomes, client: str, transport: str) -> None:
    outcome = outcomes(client)[f"mcp-{transport}"]

    assert outcome["status"] == 0, outcome
    assert "circuitBreakers" in outcome["said"], outcome
