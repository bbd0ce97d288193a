"""The real coding clients against the gateway, in a network that has nothing but loopback."""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.four_providers import DIALECTS

from .clients import CLIENTS
from .closed import COMMAND
from .install import installed, node

pytestmark = pytest.mark.long

INSIDE_S_MAX = 560

each_client = pytest.mark.parametrize("client", CLIENTS)
over_each_dialect = pytest.mark.parametrize("dialect", DIALECTS)

Outcomes = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """Give what came of every case of a client; each client runs once."""

    @cache
    def of(client: str) -> dict[str, Any]:
        package, home = installed(client), tmp_path_factory.mktemp(client)
        words = (client, str(node() / "bin"), str(package), str(home))
        done = subprocess.run(
            [*COMMAND, sys.executable, "-m", "tests.coding_clients.inside", *words],
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


def assert_answered(outcome: dict[str, Any]) -> None:
    assert outcome["status"] == 0, outcome
    assert "[simulated by sim/fast]" in outcome["said"], outcome
    assert outcome["expected"] in outcome["said"], outcome


@each_client
def test_nothing_but_this_machine_can_be_reached(outcomes: Outcomes, client: str) -> None:
    assert outcomes(client)["closed"]


@each_client
@over_each_dialect
def test_a_prompt_is_answered(outcomes: Outcomes, client: str, dialect: str) -> None:
    assert_answered(outcomes(client)[f"prompt-{dialect}"])


@each_client
@over_each_dialect
def test_a_tool_is_run_and_its_result_answered(
    outcomes: Outcomes, client: str, dialect: str
) -> None:
    assert_answered(outcomes(client)[f"tool-{dialect}"])


@each_client
def test_a_tool_of_the_gateways_mcp_server_is_called(outcomes: Outcomes, client: str) -> None:
    assert_answered(outcomes(client)["mcp"])


@each_client
def test_a_provider_that_dies_is_replaced_by_the_next(outcomes: Outcomes, client: str) -> None:
    assert_answered(outcomes(client)["dying"])
