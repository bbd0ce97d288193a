"""Repeated messages to the agent and repeated calls of a tool: one answer, one payment."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from mcp import Client
from msgspec import structs

from omniroute.routing.errors import UpstreamFailure
from omniroute.server.repeats import Repeats
from omniroute.server.store.database import Database
from omniroute.tools.binding import build_server
from omniroute.tools.calls import ERROR_META
from tests.a2a_door.door import HeldUpstream, Served, serving, v03_message
from tests.fakes import ADMIN, FakeClock, World, failing, world
from tests.store.test_kept_answers import kept

pytestmark = pytest.mark.anyio

A, B = {"authorization": "Bearer sk-fake-a"}, {"authorization": "Bearer sk-fake-b"}
NAMED = {"idempotency-key": "first"}
QUESTION = {"model": "one/m", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def repeats(database: Database, clock: FakeClock) -> Repeats:
    return Repeats(kept(database, clock))


async def send(
    door: Served,
    said: str = "say hello",
    *,
    rpc_id: int = 1,
    more: Mapping[str, str] = NAMED,
) -> httpx.Response:
    """Send a message as key A, under the name `first`."""
    params = {"message": v03_message(said)}
    body = {"jsonrpc": "2.0", "id": rpc_id, "method": "message/send", "params": params}
    return await door.client.post("/a2a", json=body, headers={**A, **NAMED, **more})


async def test_a_repeated_message_gets_the_same_task_and_is_paid_once(repeats: Repeats) -> None:
    async with serving() as door:
        door.door.once = repeats

        first = await send(door, rpc_id=1)
        again = await send(door, rpc_id=2)

    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["result"] == first.json()["result"]
    assert (first.json()["id"], again.json()["id"]) == (1, 2)
    assert len(door.world.upstream.calls) == 1


async def test_another_message_under_the_name_is_refused_and_another_keys_is_its_own(
    repeats: Repeats,
) -> None:
    async with serving() as door:
        door.door.once = repeats

        first = await send(door)
        other = await send(door, "something else")
        theirs = await send(door, "something else", more=B)

    assert "another body" in other.json()["error"]["message"]
    assert theirs.json()["result"]["id"] != first.json()["result"]["id"]
    assert len(door.world.upstream.calls) == 2


async def test_a_task_that_failed_is_done_when_its_message_is_repeated(repeats: Repeats) -> None:
    here = world()
    down = failing(UpstreamFailure("down", kind="connect"))
    here.upstream.scripts |= {"one/m": down, "two/m": down}
    async with serving(here) as door:
        door.door.once = repeats

        failed = await send(door)
        here.upstream.scripts.clear()
        here.clock.advance(120)
        done = await send(door)

    assert failed.json()["result"]["status"]["state"] == "failed"
    assert done.json()["result"]["status"]["state"] == "completed"


async def test_a_message_repeated_while_its_task_runs_is_told_to_come_again(
    repeats: Repeats,
) -> None:
    upstream = HeldUpstream()
    async with serving(upstream=upstream) as door:
        door.door.once = repeats
        first = asyncio.create_task(send(door))
        await upstream.opened.wait()

        early = await send(door)
        upstream.go.set()
        answered = await first

    assert early.headers["retry-after"] == "1"
    assert "is being answered" in early.json()["error"]["message"]
    assert answered.json()["result"]["status"]["state"] == "completed"


async def test_a_name_that_is_empty_or_too_long_is_refused(repeats: Repeats) -> None:
    async with serving() as door:
        door.door.once = repeats

        empty = await send(door, more={"idempotency-key": ""})
        long = await send(door, more={"idempotency-key": "n" * 256})

    for refused in (empty, long):
        assert "1 to 255 characters" in refused.json()["error"]["message"]


@asynccontextmanager
async def tools(here: World, repeats: Repeats, *, keeps: bool = True) -> AsyncIterator[Client]:
    caller = structs.replace(ADMIN, keep_content=keeps)
    server = build_server(here.gateway, lambda ctx: caller, repeats)
    async with asyncio.timeout(10), Client(server) as one:
        yield one


async def ask(client: Client, **more: object) -> Any:
    return await client.call_tool("omniroute_route_request", {**QUESTION, **more})


async def test_a_repeated_tool_call_gets_the_first_answer_and_is_paid_once(
    repeats: Repeats,
) -> None:
    here = world()
    async with tools(here, repeats) as client:
        first = await ask(client, idempotencyKey="first")
        again = await ask(client, idempotencyKey="first")
        other = await ask(client, idempotencyKey="first", maxTokens=7)
        unnamed = await ask(client)

    assert again.structured_content == first.structured_content
    assert json.loads(again.content[0].text) == first.structured_content
    assert other.meta[ERROR_META]["code"] == "idempotency_mismatch"
    assert unnamed.structured_content != first.structured_content
    assert len(here.upstream.calls) == 2


async def test_a_tool_call_of_a_no_log_key_keeps_nothing(repeats: Repeats) -> None:
    here = world()
    async with tools(here, repeats, keeps=False) as client:
        await ask(client, idempotencyKey="first")
        await ask(client, idempotencyKey="first")

    assert len(here.upstream.calls) == 2
