"""The official conformance suite against the whole gateway, with keys and scopes in its way."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests import processes
from tests.coding_clients.install import installed, node
from tests.processes import OMNIROUTE, RunningGateway

from ..official import PACKAGES

pytestmark = pytest.mark.xdist_group("conformance")

HERE = Path(__file__).parent
PROGRAM = (*OMNIROUTE[:2], "tests.tools.conformance.gateway")
SUITE = "node_modules/@modelcontextprotocol/conformance/dist/index.js"
SUITE_S_MAX = 120
OF_EXTENSIONS = "tasks-"
"""Scenarios of an extension that nothing requires and that we do not declare."""
NOT_YET: Mapping[str, set[str]] = {"server-sse-polling": {"WARNING"}}
"""What else is run beside the required scenarios and is not all well: streams of the older era
cannot be taken up again, which it leaves to the server."""


@pytest.fixture(scope="session")
def suites_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway with the suite's fixtures, which needs a key."""
    with processes.gateway(tmp_path_factory.mktemp("conformance"), program=PROGRAM) as running:
        running.new_key("--name", "first", "--scope", "readonly")
        yield running


@pytest.fixture(scope="session")
def key(suites_gateway: RunningGateway) -> str:
    return suites_gateway.new_key("--name", "suite", "--scope", "full")


def suite(*words: str, key: str = "") -> "subprocess.CompletedProcess[str]":
    """Run the suite's program; each of its requests carries the key."""
    command = [str(node() / "bin/node"), "--import", str(HERE / "key.mjs")]
    return subprocess.run(
        [*command, str(installed("mcp", PACKAGES) / SUITE), *words],
        env={**os.environ, "OMNIROUTE_API_KEY": key},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SUITE_S_MAX,
        check=False,
    )


def required(revision: str) -> set[str]:
    """Give the scenarios that a revision requires of a server."""
    told = suite("list", "--requirements", revision).stdout
    servers = told.partition("Server scenarios")[2].partition("\n\n")[0]
    return {line.removeprefix("  - ") for line in servers.splitlines() if line.startswith("  - ")}


def statuses(folder: Path) -> dict[str, set[str]]:
    """Give what came of the checks of each scenario, but for those that passed."""
    found: dict[str, set[str]] = {}
    for path in folder.glob("server-*/checks.json"):
        checks: list[dict[str, Any]] = json.loads(path.read_text())
        # The folder's name is the scenario's, between "server-" and the moment.
        name = path.parent.name.removeprefix("server-").partition("-20")[0]
        found[name] = {check["status"] for check in checks} - {"SUCCESS", "INFO"}
    return found


def on_record(gateway: RunningGateway, tool: str, revision: str) -> bool:
    """Whether a call of a tool of the suite's was recorded, in this revision."""
    path = f"/api/mcp/audit?limit=100&tool={tool}"
    found = gateway.call("GET", path, key=gateway.admin_key).json()["entries"]
    return any(one["era"] == revision and one["success"] for one in found)


@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
def test_every_required_check_passes(
    suites_gateway: RunningGateway, key: str, tmp_path: Path, revision: str
) -> None:
    words = ("--url", f"{suites_gateway.url}/mcp", "--requirements", revision)

    done = suite("server", *words, "-o", str(tmp_path), key=key)

    found = statuses(tmp_path)
    wanted = required(revision)
    assert done.returncode == 0, done.stdout
    assert on_record(suites_gateway, "test_simple_text", revision)
    assert wanted
    assert wanted <= set(found)
    unwell = {name: how for name, how in found.items() if how}
    assert {name: how for name, how in unwell.items() if not name.startswith(OF_EXTENSIONS)} == {
        name: how for name, how in NOT_YET.items() if name in found
    }


def call(name: str) -> dict[str, Any]:
    params = {"name": name, "arguments": {}}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def test_the_suites_tools_stand_behind_the_same_keys_and_scopes(
    suites_gateway: RunningGateway,
) -> None:
    reader = suites_gateway.new_key("--name", "reader", "--scope", "readonly")
    body = call("test_simple_text")

    nobody = suites_gateway.call("POST", "/mcp", body)
    refused = suites_gateway.call("POST", "/mcp", body, key=reader)

    assert nobody.status == 401
    assert refused.status == 403
    assert refused.json()["error"]["data"]["required_scopes"] == ["write:route"]


def test_the_product_ships_none_of_the_suites_tools(shared_gateway: RunningGateway) -> None:
    answer = shared_gateway.call(
        "POST",
        "/mcp",
        {
            **call("test_simple_text"),
            "params": {
                "name": "test_simple_text",
                "_meta": {
                    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                    "io.modelcontextprotocol/clientCapabilities": {},
                },
            },
        },
        headers={
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2026-07-28",
            "mcp-method": "tools/call",
            "mcp-name": "test_simple_text",
        },
    )

    assert "no tool is named 'test_simple_text'" in answer.json()["error"]["message"]
