"""Every tool's answer keeps to its schema: on an empty gateway, a used one, and one that is down.

Whole processes: the real store, real decisions, and for the last one a provider whose port is
closed. The schemas are those that a client is shown.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mcp.types import CallToolResult

from omniroute.tools.table import TABLE
from tests.processes import RunningGateway, gateway
from tests.tools.clients.plan import ARGUMENTS, REQUEST_ID
from tests.tools.test_tools import facts
from tests.tools.test_writes import connected

pytestmark = pytest.mark.anyio

ASK = {"model": "proof", "messages": [{"role": "user", "content": "say hello"}]}
CLOSED = "http://127.0.0.1:1/v1"


def arguments(**places: str) -> dict[str, dict[str, Any]]:
    """Give a call of each tool, with what a gateway has in the place of what the plan names."""
    return {
        tool.name: {key: _placed(value, places) for key, value in ARGUMENTS[tool.name].items()}
        for tool in TABLE
    }


def _placed(value: Any, places: Mapping[str, str]) -> Any:
    return places.get(value, value) if isinstance(value, str) else value


async def answers(
    running: RunningGateway, calls: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, CallToolResult], dict[str, Any]]:
    """Give each tool's answer, and the schema that its list shows."""
    key = await asyncio.to_thread(running.new_key, "--scope", "full")
    async with asyncio.timeout(120), connected(running, key) as mine:
        schemas = {one.name: one.output_schema for one in (await mine.list_tools()).tools}
        given = {name: await mine.call_tool(name, dict(one)) for name, one in calls.items()}
    return given, schemas


def held_to_schemas(
    given: Mapping[str, CallToolResult], schemas: Mapping[str, Any]
) -> dict[str, str]:
    """Hold every answer to its schema, and give the codes of those that are errors."""
    assert set(given) == set(schemas) == {tool.name for tool in TABLE}
    refused: dict[str, str] = {}
    for name, result in given.items():
        if result.is_error:
            refused[name] = facts(result)["code"]
            continue
        Draft202012Validator(schemas[name]).validate(result.structured_content)
        assert result.structured_content is not None
        assert set(result.structured_content) == set(schemas[name]["properties"]), name
    return refused


async def test_every_answer_of_an_empty_gateway_fits_its_schema(tmp_path: Path) -> None:
    with gateway(tmp_path) as running:
        calls = arguments(proof="cheap", spare="quality", **{REQUEST_ID: "req_none"})
        # What asks a model would leave something behind for what is called after it.
        last = ("omniroute_route_request", "omniroute_test_combo")
        ordered = {name: calls[name] for name in sorted(calls, key=lambda one: one in last)}
        given, schemas = await answers(running, ordered)

    assert held_to_schemas(given, schemas) == {"omniroute_explain_route": "not_found"}


async def test_every_answer_of_a_used_gateway_fits_its_schema(tmp_path: Path) -> None:
    with gateway(tmp_path) as running:
        failing = "sim/fast@fault=rate_limited"
        running.command("combos", "add", "proof", failing, "sim/smart")
        running.command("combos", "add", "spare", "sim/cheap", "--inactive")
        key = running.new_key("--scope", "full")
        ids = [
            running.call("POST", "/v1/chat/completions", {**ASK, "model": model}, key=key).headers[
                "x-request-id"
            ]
            for model in ("proof", "auto", failing, "sim/fast", "proof")
        ]
        async with connected(running, key) as mine:
            own = await mine.call_tool("omniroute_explain_route", {"requestId": ids[0]})
        calls = arguments(**{REQUEST_ID: ids[0]})
        given, schemas = await answers(running, calls)

    # Another key's request is not found; its own is held to the schema.
    assert held_to_schemas({**given, "omniroute_explain_route": own}, schemas) == {}
    assert facts(given["omniroute_explain_route"])["code"] == "not_found"


async def test_every_answer_of_a_gateway_whose_providers_are_down_fits_its_schema(
    tmp_path: Path,
) -> None:
    with gateway(tmp_path, OPENAI_API_KEY="sk-fake-openai", OPENAI_BASE_URL=CLOSED) as running:
        running.command("combos", "add", "proof", "openai/gpt-5.4-mini", "openai/gpt-5.4-nano")
        running.command("combos", "add", "spare", "openai/gpt-5.4-nano")
        key = running.new_key("--scope", "full")
        failed = [running.call("POST", "/v1/chat/completions", ASK, key=key) for _ in range(6)]
        async with connected(running, key) as mine:
            own = await mine.call_tool(
                "omniroute_explain_route", {"requestId": failed[0].headers["x-request-id"]}
            )
        calls = arguments(sim="openai", **{REQUEST_ID: "req_none"})
        given, schemas = await answers(running, calls)

    refused = held_to_schemas({**given, "omniroute_explain_route": own}, schemas)
    assert {one.status for one in failed} <= {502, 503}
    assert refused == {"omniroute_route_request": "no_candidate"}
    health = given["omniroute_get_health"].structured_content
    tried = given["omniroute_test_combo"].structured_content
    advice = given["omniroute_best_combo_for_task"].structured_content
    assert health is not None
    assert [one["state"] for one in health["circuitBreakers"]] == ["OPEN"]
    assert tried is not None
    assert (tried["summary"]["successful"], tried["summary"]["fastestProvider"]) == (0, None)
    assert advice is not None
    assert advice["recommendedCombo"] is None
    assert "circuit is open" in advice["leftOut"][0]["reason"]
