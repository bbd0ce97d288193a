"""Tools that change settings: through MCP, on fakes and in whole processes that restart."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult
from msgspec import structs

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Caller
from tests.fakes import account, combo, failing, world
from tests.processes import RunningGateway, gateway
from tests.tools.test_tools import client, facts, values, words

pytestmark = pytest.mark.anyio

SCOPES = frozenset({"write:config", "write:route", "read:health", "read:usage"})
AGENT = Caller("key-agent", SCOPES, budget_ids=("guard-key-agent",))
FREE = Caller("key-free", SCOPES)
QUESTION = {"messages": [{"role": "user", "content": "say hello"}]}
ASK = {"model": "mixed", **QUESTION, "maxTokens": 100}
WAIT_S = 30


async def test_a_guard_says_what_it_guards_and_how_it_stands() -> None:
    here = world()

    async with client(here, AGENT) as mine:
        fresh = values(
            await mine.call_tool("omniroute_set_budget_guard", {"maxCost": 2.5, "action": "block"})
        )
        here.budgets.spent["guard-key-agent"] = 2_000_000_001
        late = values(
            await mine.call_tool(
                "omniroute_set_budget_guard",
                {"maxCost": 2.5, "action": "degrade", "degradeToTier": "free"},
            )
        )
        lower = values(
            await mine.call_tool("omniroute_set_budget_guard", {"maxCost": 1, "action": "alert"})
        )
        anew = values(
            await mine.call_tool(
                "omniroute_set_budget_guard", {"maxCost": 1, "action": "alert", "restart": True}
            )
        )

    assert fresh == {
        "sessionId": "key-agent",
        "budgetTotal": 2.5,
        "budgetSpent": 0.0,
        "budgetRemaining": 2.5,
        "budgetHeld": 0.0,
        "action": "block",
        "degradeToTier": None,
        "status": "active",
        "budgetId": "guard-key-agent",
    }
    assert (late["status"], late["degradeToTier"]) == ("warning", "free")
    assert late["budgetRemaining"] == pytest.approx(0.499999999)
    assert (lower["status"], lower["budgetRemaining"]) == ("exceeded", 0.0)
    assert (anew["status"], anew["budgetSpent"]) == ("active", 0.0)


async def test_a_blocking_guard_refuses_the_next_request_before_any_upstream_call() -> None:
    here = world()

    async with client(here, AGENT) as mine:
        await mine.call_tool("omniroute_set_budget_guard", {"maxCost": 1e-9, "action": "block"})
        refused = await mine.call_tool("omniroute_route_request", {"model": "one/m", **QUESTION})

    assert facts(refused)["code"] == "budget_exceeded"
    assert here.upstream.calls == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"action": "block"}, "maxCost is missing"),
        ({"maxCost": 0, "action": "block"}, "maxCost must be more than 0"),
        ({"maxCost": -1, "action": "block"}, "maxCost must be more than 0"),
        ({"maxCost": 1e-12, "action": "block"}, "maxCost is at least"),
        ({"maxCost": 1e12, "action": "block"}, "maxCost must be at most"),
        ({"maxCost": 1}, "action is missing"),
        ({"maxCost": 1, "action": "stop"}, "action must be one of"),
        ({"maxCost": 1, "action": "degrade", "degradeToTier": "gold"}, "degradeToTier must be one"),
    ],
)
async def test_wrong_terms_are_refused_and_set_nothing(
    arguments: dict[str, Any], told: str
) -> None:
    here = world()

    async with client(here, AGENT) as mine:
        result = await mine.call_tool("omniroute_set_budget_guard", arguments)

    assert result.is_error
    assert told in words(result)
    assert here.budgets.caps == {}


async def test_a_profile_changes_the_breaker_of_the_running_gateway() -> None:
    here = world(
        account("one"),
        combos=[combo("solo", "one/m")],
        scripts={"one/m": failing(UpstreamFailure("a fake fault", kind="server_error"))},
    )
    ask = {"model": "solo", **QUESTION}

    async with client(here, FREE) as mine:
        for _ in range(3):
            await mine.call_tool("omniroute_route_request", ask)
        before = values(await mine.call_tool("omniroute_get_health"))["circuitBreakers"]
        told = values(
            await mine.call_tool("omniroute_set_resilience_profile", {"profile": "aggressive"})
        )
        await mine.call_tool("omniroute_route_request", ask)
        after = values(await mine.call_tool("omniroute_get_health"))["circuitBreakers"]
        wrong = await mine.call_tool("omniroute_set_resilience_profile", {"profile": "bold"})

    assert [one["state"] for one in before] == ["CLOSED"]
    assert [one["state"] for one in after] == ["OPEN"]
    assert (told["applied"], told["profile"]) == (True, "aggressive")
    assert told["settings"] == {
        "circuitBreakerThreshold": 3,
        "retryCount": 0,
        "timeoutMs": 600_000,
        "fallbackDepth": 3,
        "circuitBreakerResetMs": 15_000,
        "transientCooldownMs": 2_000,
        "rateLimitCooldownMs": 1_000,
        "maxBackoffLevel": 3,
        "requestsPerMinute": 180,
        "minTimeBetweenRequestsMs": 100,
        "concurrentRequests": 16,
    }
    assert "profile must be one of" in words(wrong)


@pytest.mark.parametrize("tool", ["omniroute_set_budget_guard", "omniroute_set_resilience_profile"])
async def test_settings_need_their_scope(tool: str) -> None:
    reader = structs.replace(AGENT, scopes=SCOPES - {"write:config"})

    async with client(world(), reader) as mine:
        with pytest.raises(MCPError, match="lacks scope write:config"):
            await mine.call_tool(tool, {})


@asynccontextmanager
async def connected(running: RunningGateway, key: str) -> AsyncIterator[Client]:
    headers = {"authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=WAIT_S) as http,
        Client(streamable_http_client(f"{running.url}/mcp", http_client=http)) as one,
    ):
        yield one


def agent_key(running: RunningGateway) -> str:
    running.command("combos", "add", "mixed", "sim/smart", "sim/cheap")
    return running.new_key(*(word for scope in sorted(SCOPES) for word in ("--scope", scope)))


async def guard(running: RunningGateway, key: str, **arguments: object) -> dict[str, Any]:
    async with connected(running, key) as mine:
        return values(await mine.call_tool("omniroute_set_budget_guard", arguments))


async def ask(running: RunningGateway, key: str) -> CallToolResult:
    async with connected(running, key) as mine:
        return await mine.call_tool("omniroute_route_request", ASK)


async def test_a_blocking_guard_holds_at_every_door_and_after_a_restart(tmp_path: Path) -> None:
    body = {"model": "mixed", **QUESTION}
    with gateway(tmp_path) as running:
        key, other = agent_key(running), running.new_key()

        told = await guard(running, key, maxCost=1e-9, action="block")
        refused = await ask(running, key)
        over_http = running.call("POST", "/v1/chat/completions", body, key=key)
        others = running.call("POST", "/v1/chat/completions", body, key=other)
        set_by_admin = running.command("budgets", "set", told["sessionId"], "5")
        listed = running.call("GET", "/api/budgets", key=running.admin_key).json()["budgets"]
    with gateway(tmp_path) as running:
        again = await ask(running, key)
        raised = await guard(running, key, maxCost=1, action="block")
        answered = await ask(running, key)

    assert facts(refused)["code"] == facts(again)["code"] == "budget_exceeded"
    assert (over_http.status, others.status) == (402, 200)
    assert set_by_admin.returncode == 0, set_by_admin.stderr
    assert sorted(one["terms"]["cap_usd_nanos"] for one in listed) == [1, 5_000_000_000]
    assert raised["budgetId"] == told["budgetId"]
    assert values(answered)["routing"]["provider"] == "sim"


async def test_a_degrading_guard_moves_to_a_cheap_model_and_does_so_after_a_restart(
    tmp_path: Path,
) -> None:
    # Less than a short answer of the dear model may cost, and more than one of the cheap one.
    terms = {"maxCost": 0.001, "action": "degrade"}
    with gateway(tmp_path) as running:
        key = agent_key(running)

        before = values(await ask(running, key))
        await guard(running, key, **terms)
        after = values(await ask(running, key))
    with gateway(tmp_path) as running:
        again = values(await ask(running, key))
        restarted = await guard(running, key, **terms, restart=True)

    models = [one["response"]["model"] for one in (before, after, again)]
    assert models == ["smart", "cheap", "cheap"]
    assert restarted["budgetSpent"] == 0.0


async def test_a_profile_is_in_force_after_a_restart(tmp_path: Path) -> None:
    with gateway(tmp_path) as running:
        key = agent_key(running)
        async with connected(running, key) as mine:
            await mine.call_tool("omniroute_set_resilience_profile", {"profile": "aggressive"})
    with gateway(tmp_path) as running:
        async with connected(running, key) as mine:
            failing = {"model": "sim/fast@fault=server_error", **QUESTION}
            for _ in range(3):
                await mine.call_tool("omniroute_route_request", failing)
            health = values(await mine.call_tool("omniroute_get_health"))

    assert [(one["state"], one["failureCount"]) for one in health["circuitBreakers"]] == [
        ("OPEN", 3)
    ]
