"""MCP with whole processes: a gateway, `omniroute --mcp` and the official client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, ResourceTemplateReference, TextResourceContents

from omniroute.tools.table import TABLE
from tests.processes import OMNIROUTE, RunningGateway

pytestmark = pytest.mark.anyio

ERAS = ("legacy", "2026-07-28")
TRANSPORTS = ("stdio", "http")
NAMES = [tool.name for tool in TABLE]
ASK: dict[str, Any] = {
    "model": "auto",
    "messages": [{"role": "user", "content": "say hello"}],
}
WAIT_S = 30


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def client(
    gateway: RunningGateway, transport: str, era: str, *, key: str | None = None
) -> AsyncIterator[Client]:
    async with asyncio.timeout(WAIT_S):
        if transport == "stdio":
            environment = dict(gateway.environment)
            if key is not None:
                environment["OMNIROUTE_API_KEY"] = key
            command, *words = (*OMNIROUTE, "--mcp")
            server = StdioServerParameters(command=command, args=words, env=environment)
            async with Client(server, mode=era) as one:
                yield one
        else:
            headers = {} if key is None else {"authorization": f"Bearer {key}"}
            async with (
                httpx2.AsyncClient(headers=headers, timeout=WAIT_S) as http,
                Client(
                    streamable_http_client(f"{gateway.url}/mcp", http_client=http), mode=era
                ) as one,
            ):
                yield one


def values(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, result.content
    assert isinstance(result.structured_content, dict)
    return result.structured_content


async def test_the_tools_are_listed_and_called(
    shared_gateway: RunningGateway, transport: str, era: str
) -> None:
    async with client(shared_gateway, transport, era) as mine:
        listed = [tool.name for tool in (await mine.list_tools()).tools]
        health = values(await mine.call_tool("omniroute_get_health"))
        combos = values(await mine.call_tool("omniroute_list_combos", {"includeMetrics": True}))
        models = values(await mine.call_tool("omniroute_list_models_catalog"))
        answer = values(await mine.call_tool("omniroute_route_request", ASK))
        request_id = answer["routing"]["requestId"]
        simulated = values(
            await mine.call_tool(
                "omniroute_simulate_route",
                {"model": "auto", "promptTokenEstimate": 10, "requestId": request_id},
            )
        )
        told = values(await mine.call_tool("omniroute_explain_route", {"requestId": request_id}))

    assert listed == NAMES
    assert health["simulatedOnly"] is True
    assert isinstance(combos["combos"], list)
    assert "auto" in [one["id"] for one in models["models"]]
    assert "say hello" in answer["response"]["content"]
    assert answer["routing"]["simulated"] is True
    assert simulated["requestId"] == told["requestId"] == request_id
    assert told["status"] == "answered"
    assert len(told["verdicts"]) == len(simulated["simulatedPath"])


async def test_a_session_begins_with_its_client_where_the_client_starts_us(
    shared_gateway: RunningGateway, transport: str, era: str
) -> None:
    async with client(shared_gateway, transport, era) as earlier:
        await earlier.call_tool("omniroute_route_request", ASK)
    async with client(shared_gateway, transport, era) as mine:
        before = values(await mine.call_tool("omniroute_get_session_snapshot"))
        await mine.call_tool("omniroute_route_request", ASK)
        after = values(await mine.call_tool("omniroute_get_session_snapshot"))

    is_known = transport == "stdio" or era == "legacy"
    assert before["sessionOf"] == after["sessionOf"] == ("client" if is_known else "gateway")
    assert (before["requestCount"] == 0) is is_known
    assert after["requestCount"] == before["requestCount"] + 1


async def test_resources_prompts_and_completion_are_there(
    shared_gateway: RunningGateway, transport: str, era: str
) -> None:
    template = ResourceTemplateReference(uri="omniroute://models/{+model}")

    async with client(shared_gateway, transport, era) as mine:
        answer = values(await mine.call_tool("omniroute_route_request", ASK))
        request_id = answer["routing"]["requestId"]
        listed = await mine.list_resources()
        kinds = await mine.list_resource_templates()
        names = await mine.complete(template, {"name": "model", "value": "sim/"})
        read = [
            await mine.read_resource(uri)
            for uri in (
                *(one.uri for one in listed.resources),
                f"omniroute://models/{names.completion.values[0]}",
                f"omniroute://decisions/{request_id}/text",
            )
        ]
        prompts = [one.name for one in (await mine.list_prompts()).prompts]
        prompt = await mine.get_prompt("investigate_request", {"requestId": request_id})
        with pytest.raises(MCPError) as missing:
            await mine.read_resource("omniroute://combos/none at all")

    (story,) = read[-1].contents
    assert isinstance(story, TextResourceContents)
    assert story.text.startswith(f"Request {request_id}")
    assert {"omniroute://health", "omniroute://combos"} <= {one.uri for one in listed.resources}
    assert len(kinds.resource_templates) == 5
    assert prompts == ["choose_combo", "investigate_request", "weekly_cost_review"]
    assert story.text.strip() in str(prompt.messages[0].content.text)  # type: ignore[union-attr]
    assert missing.value.data["uri"] == "omniroute://combos/none at all"


async def test_an_answer_is_told_as_it_comes(
    shared_gateway: RunningGateway, transport: str, era: str
) -> None:
    told: list[str] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        told.append(message or "")

    async with client(shared_gateway, transport, era) as mine:
        answer = values(
            await mine.call_tool(
                "omniroute_route_request", {**ASK, "stream": True}, progress_callback=tell
            )
        )

    assert told
    assert told[-1] == answer["response"]["content"]


async def test_keys_bound_what_may_be_called_and_whose_requests_are_found(
    running_gateway: RunningGateway, transport: str, era: str
) -> None:
    agent = running_gateway.new_key("--name", "agent", "--scope", "agent")
    reader = running_gateway.new_key("--name", "reader", "--scope", "readonly")

    async with client(running_gateway, transport, era, key=agent) as mine:
        answer = values(await mine.call_tool("omniroute_route_request", ASK))
    async with client(running_gateway, transport, era, key=reader) as theirs:
        listed = [tool.name for tool in (await theirs.list_tools()).tools]
        with pytest.raises(MCPError, match="lacks scope write:route"):
            await theirs.call_tool("omniroute_route_request", ASK)
        foreign = await theirs.call_tool(
            "omniroute_explain_route", {"requestId": answer["routing"]["requestId"]}
        )

    assert "omniroute_route_request" not in listed
    assert foreign.is_error
    assert "is on record for this key" in str(foreign.content)


async def test_no_key_where_one_is_needed_is_told_in_words(
    running_gateway: RunningGateway, transport: str
) -> None:
    running_gateway.new_key("--name", "agent", "--scope", "agent")

    with pytest.raises((MCPError, ExceptionGroup)) as refused:
        async with client(running_gateway, transport, "legacy") as mine:
            await mine.list_tools()

    assert "needs a key" in _words(refused.value)


@pytest.mark.parametrize("path", ["/mcp", "/api/mcp/stream"])
def test_both_paths_are_served_without_a_redirect(
    shared_gateway: RunningGateway, path: str
) -> None:
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }

    answer = shared_gateway.call(
        "POST", path, hello, headers={"accept": "application/json, text/event-stream"}
    )

    assert answer.status == 200
    assert b"serverInfo" in answer.body


def _words(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return " ".join(_words(one) for one in error.exceptions)
    return str(error)
