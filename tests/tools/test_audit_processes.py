"""The record of tool calls with whole processes: both transports, both eras."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from mcp import MCPError

from tests import processes
from tests.processes import RunningGateway
from tests.tools.relays import relay
from tests.tools.test_relay_processes import SLOW, wait_until_busy
from tests.tools.test_transports import ASK, ERAS, TRANSPORTS, client

pytestmark = pytest.mark.anyio

VERSIONS = {"legacy": "2025-11-25", "2026-07-28": "2026-07-28"}
WAIT_S = 20


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def on_record(gateway: RunningGateway, key_id: str) -> list[dict[str, Any]]:
    path = f"/api/mcp/audit?apiKeyId={key_id}"
    answer = gateway.call("GET", path, key=gateway.admin_key)
    found: list[dict[str, Any]] = answer.json()["entries"]
    return found


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway that wants keys: each test makes its own."""
    with processes.gateway(tmp_path_factory.mktemp("keys")) as running:
        yield running


async def test_every_call_is_on_record_over_both_transports_in_both_eras(
    keys: RunningGateway, transport: str, era: str
) -> None:
    key = keys.new_key("--name", f"{transport}-{era}", "--scope", "write:route")
    key_id = key.split("-")[2]

    async with client(keys, transport, era, key=key) as mine:
        answered = await mine.call_tool("omniroute_route_request", ASK)
        failed = await mine.call_tool("omniroute_route_request", {"model": "auto"})
        with pytest.raises(MCPError):
            await mine.call_tool("omniroute_get_health", {})

    entries = on_record(keys, key_id)
    assert answered.structured_content is not None
    assert failed.is_error
    assert [one["outcome"] for one in entries] == ["refused", "failed", "answered"]
    assert [one["errorCode"] for one in entries] == [
        "scope_denied:read:health",
        "bad_request",
        None,
    ]
    assert entries[2]["requestId"] == answered.structured_content["routing"]["requestId"]
    assert {(one["era"], one["transport"]) for one in entries} == {(VERSIONS[era], transport)}
    assert "say hello" not in str(entries)


def test_a_call_that_a_client_cancels_over_stdio_is_on_record_as_cancelled(
    running_gateway: RunningGateway,
) -> None:
    with relay(running_gateway.environment) as one:
        one.initialize()
        one.call(1, "omniroute_route_request", SLOW)
        wait_until_busy(running_gateway)
        params = {"requestId": 1}
        one.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
        one.call(2, "omniroute_get_health", {})
        assert one.hear()["id"] == 2

    ends_s = time.monotonic() + WAIT_S
    while time.monotonic() < ends_s:
        answer = running_gateway.call("GET", "/api/mcp/audit", key=running_gateway.admin_key)
        entries = {one["toolName"]: one for one in answer.json()["entries"]}
        if len(entries) == 2:
            break
    cancelled = entries["omniroute_route_request"]
    assert (cancelled["outcome"], cancelled["success"], cancelled["errorCode"]) == (
        "cancelled",
        None,
        None,
    )
    assert {one["transport"] for one in entries.values()} == {"stdio"}
