"""Changes told by whole gateways: over HTTP and the stdio relay, and from worker to worker."""

import asyncio
import json
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
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

from tests.coding_clients.install import installed, node
from tests.processes import OMNIROUTE, RunningGateway, gateway
from tests.tools.clients.plan import Plan
from tests.tools.official import PACKAGES

pytestmark = [
    pytest.mark.anyio,
    # The client warns that the newer era has another word for it.
    pytest.mark.filterwarnings("ignore:resources/:mcp.MCPDeprecationWarning"),
]

COMBOS = "omniroute://combos"
WAIT_S = 30
TYPESCRIPT = [(1, "2025-11-25"), (2, "2025-11-25"), (2, "2026-07-28")]
"""The lines of the official client with the protocol versions that they speak."""


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


@pytest.mark.parametrize("transport", ["stdio", "http"])
@pytest.mark.parametrize(("sdk", "version"), TYPESCRIPT)
def test_typescripts_clients_are_told(
    shared_gateway: RunningGateway, transport: str, sdk: int, version: str
) -> None:
    name, plan = f"told-{transport}-{sdk}-{version}", Plan(transport, version, shared_gateway, "")

    with follower(plan, sdk) as lines:
        first = next(lines)
        put_combo(shared_gateway, name, "sim/fast")
        news = {next(lines), next(lines)}
    shared_gateway.call("DELETE", f"/api/combos/{name}", key=shared_gateway.admin_key)

    assert first == "follows"
    assert news == {COMBOS, "list"}


@contextmanager
def follower(plan: Plan, sdk: int) -> Iterator[Iterator[str]]:
    """Run TypeScript's client and give the lines that it says."""
    given = {
        "sdk": sdk,
        "transport": plan.transport,
        "version": plan.version,
        "modern": plan.is_modern,
        "url": plan.url,
        "headers": {},
        "command": plan.command,
        "environment": plan.gateway.environment,
        "follows": COMBOS,
    }
    script = (Path(__file__).parent / "clients" / "follower.mjs").read_text()
    running = subprocess.Popen(
        [str(node() / "bin/node"), "--input-type=module", "-e", script],
        cwd=installed("mcp", PACKAGES),
        env={"HOME": str(Path.home()), "PATH": str(node() / "bin")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdin is not None
    assert running.stdout is not None
    limit = threading.Timer(WAIT_S, running.kill)
    limit.start()
    try:
        running.stdin.write(json.dumps(given))
        running.stdin.close()
        yield (line.strip() for line in running.stdout)
    finally:
        limit.cancel()
        running.kill()
        running.wait()
        running.stdout.close()


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
