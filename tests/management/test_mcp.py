"""`/api/mcp/*` of a whole gateway: who called what, its figures, the tools, and how it is.

DEFECT of the ancestor, section 1.5: what another key called was shown to every key.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from omniroute.server.compose import Composed, compose
from omniroute.server.runtime_file import Running, remove_running, write_running
from omniroute.server.settings import load_settings
from omniroute.server.store.database import Statement
from omniroute.server.store.key_terms import KeyTerms
from omniroute.tools.table import TABLE
from tests.store.calls import HASH, called

pytestmark = pytest.mark.anyio

HOST = "http://127.0.0.1:20128"
DOCUMENTED = {
    *("id", "toolName", "inputHash", "outputSummary", "durationMs"),
    *("apiKeyId", "success", "errorCode", "createdAt"),
}


@asynccontextmanager
async def composed(folder: Path) -> AsyncIterator[Composed]:
    environment = {"HOME": str(folder), "OMNIROUTE_DATA_DIR": str(folder)}
    settings, sources = load_settings({}, environment, folder)
    async with compose(settings, sources) as opened:
        yield opened


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Composed]:
    async with composed(tmp_path) as opened:
        yield opened


async def get(gateway: Composed, path: str, key: str | None = None) -> httpx.Response:
    headers = {"authorization": f"Bearer {key or gateway.token}"}
    transport = httpx.ASGITransport(app=gateway.app)
    async with httpx.AsyncClient(transport=transport, base_url=HOST, headers=headers) as client:
        return await client.get(path)


async def json_of(gateway: Composed, path: str, key: str | None = None) -> Any:
    answer = await get(gateway, path, key)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def new_key(gateway: Composed, name: str, *scopes: str) -> tuple[str, str]:
    """Make a key and give its id and what a client presents."""
    made = await gateway.parts.storage.keys.create(KeyTerms(name, scopes), actor="test")
    return made.stored.key_id, made.text


def keep(gateway: Composed, *calls: dict[str, object]) -> None:
    now = gateway.parts.clock.unix()
    for number, changes in enumerate(calls):
        record = {"at_unix_s": now - 100 + number, **changes}
        gateway.parts.storage.tool_calls.record(called(f"req_{number}", **record))


async def test_calls_have_the_documented_shape_and_what_is_ours(gateway: Composed) -> None:
    at = 1_700_000_000.25
    keep(
        gateway,
        {"at_unix_s": at, "arguments": '{"model":"auto"}'},
        {"outcome": "failed", "error": "budget_exceeded", "summary": "no money"},
        {"outcome": "cancelled", "summary": None, "era": None, "transport": "stdio"},
    )

    page = await json_of(gateway, "/api/mcp/audit")

    assert (page["total"], page["limit"], page["offset"]) == (3, 50, 0)
    assert set(page["entries"][0]) > DOCUMENTED
    assert page["entries"][2] == {
        "id": 1,
        "toolName": "omniroute_get_health",
        "inputHash": HASH,
        "outputSummary": '{"version":"1"}',
        "durationMs": 20,
        "apiKeyId": "key-1",
        "success": True,
        "errorCode": None,
        "createdAt": "2023-11-14T22:13:20.250Z",
        "requestId": "req_0",
        "outcome": "answered",
        "arguments": '{"model":"auto"}',
        "era": "2026-07-28",
        "transport": "http",
    }
    assert [one["success"] for one in page["entries"]] == [None, False, True]
    assert [one["errorCode"] for one in page["entries"]] == [None, "budget_exceeded", None]


async def test_calls_are_asked_for_by_the_documented_terms(gateway: Composed) -> None:
    keep(
        gateway,
        {"tool": "a"},
        {"tool": "b", "key_id": "key-2"},
        {"tool": "b", "outcome": "refused"},
        {"tool": "b", "outcome": "cancelled"},
    )

    async def ids(query: str) -> list[str]:
        page = await json_of(gateway, f"/api/mcp/audit?{query}")
        return [one["requestId"] for one in page["entries"]]

    assert await ids("tool=b") == ["req_3", "req_2", "req_1"]
    assert await ids("tool=b&limit=1&offset=1") == ["req_2"]
    assert await ids("success=true") == ["req_1", "req_0"]
    assert await ids("success=0") == ["req_2"]
    assert await ids("outcome=cancelled") == ["req_3"]
    assert await ids("apiKeyId=key-2") == ["req_1"]
    assert await ids("apiKeyId=nobody") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=many", "limit"),
        ("offset=-1", "offset"),
        ("success=maybe", "success"),
        ("outcome=odd", "outcome"),
    ],
)
async def test_a_wrong_term_is_named(gateway: Composed, query: str, field: str) -> None:
    answer = await get(gateway, f"/api/mcp/audit?{query}")

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == field


async def test_a_key_sees_its_own_calls_and_an_administrator_all(gateway: Composed) -> None:
    key_id, key = await new_key(gateway, "reader", "readonly")
    _, blind = await new_key(gateway, "blind", "write:route")
    keep(gateway, {"key_id": key_id, "tool": "mine"}, {"key_id": "another", "tool": "theirs"})

    mine = await json_of(gateway, "/api/mcp/audit", key)
    figures = await json_of(gateway, "/api/mcp/audit/stats", key)
    status = await json_of(gateway, "/api/mcp/status", key)
    others = await get(gateway, "/api/mcp/audit?apiKeyId=another", key)
    verified = await get(gateway, "/api/mcp/audit/chains", key)
    unscoped = await get(gateway, "/api/mcp/audit", blind)

    assert [one["toolName"] for one in mine["entries"]] == ["mine"]
    assert (mine["total"], figures["totalCalls"]) == (1, 1)
    assert status["activity"]["lastCallTool"] == "mine"
    assert (others.status_code, verified.status_code, unscoped.status_code) == (403, 403, 403)
    assert (await json_of(gateway, "/api/mcp/audit"))["total"] == 2


async def test_figures_have_the_documented_shape(gateway: Composed) -> None:
    empty = await json_of(gateway, "/api/mcp/audit/stats")
    keep(
        gateway,
        {"duration_ms": 10},
        {"duration_ms": 30},
        {"outcome": "refused", "duration_ms": 20, "tool": "other"},
        {"outcome": "cancelled", "duration_ms": 9_000},
        {"at_unix_s": 1_600_000_000.0},
    )

    figures = await json_of(gateway, "/api/mcp/audit/stats")

    assert (empty["totalCalls"], empty["successRate"], empty["avgDurationMs"]) == (0, None, None)
    assert figures == {
        "totalCalls": 4,
        "successRate": 2 / 3,
        "avgDurationMs": 20.0,
        "topTools": [
            {"tool": "omniroute_get_health", "count": 3},
            {"tool": "other", "count": 1},
        ],
        "answered": 2,
        "failed": 0,
        "refused": 1,
        "cancelled": 1,
    }


async def test_every_tool_is_listed_with_its_scope_and_endpoints_that_exist(
    gateway: Composed,
) -> None:
    listed = await json_of(gateway, "/api/mcp/tools")
    paths = (await json_of(gateway, "/openapi.json"))["paths"]

    names = [one["name"] for one in listed["tools"]]
    assert names == [tool.name for tool in TABLE]
    assert listed["total"] == listed["mappedTotal"] == len(TABLE)
    for one, tool in zip(listed["tools"], TABLE, strict=True):
        assert one["scopes"] == [tool.scope]
        assert one["description"] == tool.description
        assert (one["phase"] in {1, 2}, one["auditLevel"]) == (True, "full")
        for endpoint in one["sourceEndpoints"]:
            method, path = endpoint.split(" ")
            assert method.lower() in paths[path], endpoint


async def test_status_of_a_gateway_that_runs_and_of_none(gateway: Composed) -> None:
    folder, now = gateway.parts.settings.data_dir, gateway.parts.clock.unix()
    keep(gateway, {"tool": "first"}, {"tool": "last"})
    alone = await json_of(gateway, "/api/mcp/status")
    running = Running(os.getpid(), HOST, "token-of-a-test", "1.2.3", now - 90)

    write_running(folder, running)
    found = await json_of(gateway, "/api/mcp/status")
    remove_running(folder, running)

    assert (alone["status"], alone["online"], alone["heartbeat"]) == ("offline", False, None)
    assert alone["httpTransport"]["uptime"] is None
    assert (found["status"], found["online"], found["enabled"]) == ("online", True, True)
    assert found["transport"] == found["httpTransport"]["transport"] == "streamable-http"
    assert found["httpTransport"]["paths"] == ["/mcp", "/api/mcp/stream"]
    assert 90 <= found["httpTransport"]["uptime"] < 190
    beat = found["heartbeat"]
    assert (beat["pid"], beat["pidAlive"], beat["version"]) == (os.getpid(), True, "1.2.3")
    assert (beat["scopesEnforced"], beat["toolCount"]) == (True, len(TABLE))
    assert "write:route" in beat["allowedScopes"]
    assert 90_000 <= beat["uptimeMs"] < 190_000
    assert 0 <= beat["heartbeatAgeMs"] < 100_000
    assert found["activity"]["totalCalls24h"] == 2
    assert found["activity"]["lastCallTool"] == "last"
    assert found["audit"] == {"keepsArguments": False, "waiting": 0, "givenUp": 0}
    assert "token-of-a-test" not in str(found)


async def test_the_record_is_verified_on_request(gateway: Composed) -> None:
    keep(gateway, {}, {}, {})
    sound = await json_of(gateway, "/api/mcp/audit/chains")
    tampering = Statement("UPDATE mcp_tool_audit SET key_id = 'other' WHERE seq = 2")

    await gateway.parts.storage.database.write(tampering)
    broken = await json_of(gateway, "/api/mcp/audit/chains")

    assert (sound["chains"], sound["rows"], sound["broken"]) == (1, 3, [])
    assert [(one["seq"], one["reason"]) for one in broken["broken"]] == [(2, "the row was changed")]
