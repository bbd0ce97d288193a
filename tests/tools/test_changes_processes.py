"""Changes told by whole gateways: over HTTP and the stdio relay, and from worker to worker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.subscriptions import (
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    event_from_wire,
)

from tests.processes import OMNIROUTE, RunningGateway, gateway

pytestmark = [
    pytest.mark.anyio,
    # The client warns that the newer era has another word for it.
    pytest.mark.filterwarnings("ignore:resources/:mcp.MCPDeprecationWarning"),
]

COMBOS = "omniroute://combos"
WAIT_S = 30


def put_combo(running: RunningGateway, name: str, *models: str) -> None:
    body = {"name": name, "models": [{"target": one} for one in models]}
    made = running.call("POST", "/api/combos", body, key=running.admin_key)
    assert made.status == 201, made.body


@asynccontextmanager
async def told(
    running: RunningGateway, transport: str, era: str
) -> AsyncIterator["asyncio.Queue[ServerEvent]"]:
    """Follow the combos, and give what is told."""
    heard: asyncio.Queue[ServerEvent] = asyncio.Queue()

    async def hear(message: Any) -> None:
        event = event_from_wire(message.method, {"uri": getattr(message.params, "uri", None)})
        if event is not None:
            await heard.put(event)

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(WAIT_S))
        command, *words = (*OMNIROUTE, "--mcp")
        where: Any = StdioServerParameters(command=command, args=words, env=running.environment)
        if transport == "http":
            http = await stack.enter_async_context(httpx2.AsyncClient(timeout=WAIT_S))
            where = streamable_http_client(f"{running.url}/mcp", http_client=http)
        one = await stack.enter_async_context(Client(where, mode=era, message_handler=hear))
        if era == "legacy":
            await one.subscribe_resource(COMBOS)
            await one.list_tools()
        else:
            listening = one.listen(resources_list_changed=True, resource_subscriptions=[COMBOS])
            await stack.enter_async_context(listening)
        yield heard


@pytest.mark.parametrize("era", ["legacy", "2026-07-28"])
@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_a_new_combo_is_told(
    shared_gateway: RunningGateway, transport: str, era: str
) -> None:
    name = f"told-{transport}-{era}"

    async with told(shared_gateway, transport, era) as heard:
        await asyncio.to_thread(put_combo, shared_gateway, name, "sim/fast")
        news = {await heard.get(), await heard.get()}
    gone = shared_gateway.call("DELETE", f"/api/combos/{name}", key=shared_gateway.admin_key)

    assert news == {ResourceUpdated(COMBOS), ResourcesListChanged()}
    assert gone.status == 204


async def test_a_change_that_another_worker_made_is_told(tmp_path: Path) -> None:
    with gateway(tmp_path, "--workers", "2") as running:
        async with told(running, "http", "2026-07-28") as heard:
            for number in range(4):
                # Each comes by a connection of its own, which any of the workers may take.
                await asyncio.to_thread(put_combo, running, f"combo-{number}", "sim/fast")
                assert {await heard.get(), await heard.get()} == {
                    ResourceUpdated(COMBOS),
                    ResourcesListChanged(),
                }
