"""What a gateway has imported and how much memory it holds before anything heavy is used.

The heavy parts are loaded by whoever first needs them. What is loaded is what the interpreter
itself tells of each import (PYTHONPROFILEIMPORTTIME); memory is what the kernel holds resident.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import processes
from tests.processes import RunningGateway

AT_REST_MIB_MAX = 80
WITH_MCP_MIB_MAX = 120
HEAVY = {
    "the MCP SDK": {"mcp", "mcp_types", "pydantic", "jsonschema", "httpx2", "opentelemetry"},
    "migrations": {"alembic", "sqlalchemy", "sqlmodel", "mako", "greenlet"},
    "other databases": {"asyncpg", "redis", "valkey"},
    "other ways to a provider": {"httpx", "httpcore", "h2", "hpack"},
    "secrets": {"cryptography", "jwt"},
    "the source of prices": {"genai_prices"},
    "what only some commands need": {"tomlkit", "ruamel", "dotenv", "argcomplete", "rich"},
}
CHAT = {"model": "sim/fast", "messages": [{"role": "user", "content": "hello"}]}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "a test", "version": "1"},
    },
}


@pytest.fixture(params=["first start", "later start"])
def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningGateway]:
    """A gateway that tells what it imports, on a database that it makes or that is there."""
    if request.param == "later start":
        with processes.gateway(tmp_path):
            pass
    with processes.gateway(tmp_path, PYTHONPROFILEIMPORTTIME="1") as running:
        assert running.call("POST", "/v1/chat/completions", CHAT).status == 200
        yield running


def imported(gateway: RunningGateway) -> set[str]:
    """Give the top-level names of everything that it has imported so far."""
    log = (gateway.home / "gateway.log").read_text("utf-8", errors="replace")
    told = [line for line in log.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in told}


def rss_mib(gateway: RunningGateway) -> float:
    status = Path(f"/proc/{gateway.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def test_nothing_heavy_is_imported_before_its_first_use(gateway: RunningGateway) -> None:
    loaded = imported(gateway)

    assert "omniroute" in loaded
    assert {what: names & loaded for what, names in HEAVY.items() if names & loaded} == {}


def test_memory_keeps_its_bounds_at_rest_and_with_mcp_in_use(gateway: RunningGateway) -> None:
    at_rest = rss_mib(gateway)

    answer = gateway.call(
        "POST",
        "/mcp",
        INITIALIZE,
        headers={"accept": "application/json, text/event-stream"},
    )

    assert answer.status == 200
    assert json.dumps("capabilities").encode() in answer.body
    assert "mcp" in imported(gateway)
    assert at_rest < AT_REST_MIB_MAX
    assert rss_mib(gateway) < WITH_MCP_MIB_MAX
