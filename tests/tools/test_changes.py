"""Clients are told what has changed: over HTTP on loopback, in both protocol eras."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp.shared.subscriptions import (
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
    event_from_wire,
)

from omniroute.routing.access import SCOPES
from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Caller
from omniroute.routing.ports import Record
from omniroute.server.auth import Authenticator, KnownKeys
from omniroute.server.mcp_door import McpDoor, build_mcp
from omniroute.tools.additions import Additions
from omniroute.tools.binding import build_server
from omniroute.tools.changes import ADDRESSES_MAX
from omniroute.tools.streams import SESSION_IDLE_S, STREAMS_MAX
from tests.fakes import MemoryLedger, World, combo, failing, world
from tests.tools.test_mcp_door import listening

pytestmark = [
    pytest.mark.anyio,
    # The client warns that the newer era has another word for it.
    pytest.mark.filterwarnings("ignore:resources/:mcp.MCPDeprecationWarning"),
]

ERAS = ("legacy", "2026-07-28")
OWNER, OTHER, READER = "sk-omni-fake-owner", "sk-omni-fake-other", "sk-omni-fake-reader"
WAIT_S = 20
COMBOS = "omniroute://combos"
FAST = "omniroute://combos/fast"
HEALTH = "omniroute://health"
MODELS = "omniroute://models"
DECISIONS = "omniroute://decisions"
ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@dataclass
class Place:
    """A gateway with its door, and the keys that it knows."""

    here: World
    door: McpDoor
    keys: dict[str, Caller]
    url: str = ""


@asynccontextmanager
async def place(here: World | None = None, *, stateless: bool = False) -> AsyncIterator[Place]:
    keys = {
        OWNER: Caller("key-owner", frozenset(SCOPES)),
        OTHER: Caller("key-other", frozenset(SCOPES)),
        READER: Caller("key-reader", frozenset({"read:health"})),
    }
    authenticator = Authenticator(keys=KnownKeys(keys.get, lambda: True), keyless=False, token=None)
    made = here or world(combos=[combo("fast", "one/m")])
    door = build_mcp(
        made.gateway,
        authenticate=lambda scope: authenticator.caller(dict(scope)),
        allowed_hosts=["127.0.0.1"],
        stateless=stateless,
    )
    found = Place(made, door, keys)
    async with listening(door) as found.url:
        yield found


@dataclass
class Ear:
    """A client, and what it was told."""

    client: Client
    told: "asyncio.Queue[ServerEvent | None]" = field(default_factory=asyncio.Queue)

    async def next(self) -> ServerEvent | None:
        """Give what was told next; None when the stream has ended in order."""
        async with asyncio.timeout(WAIT_S):
            return await self.told.get()


@asynccontextmanager
async def connected(
    there: Place, key: str, era: str, told: "asyncio.Queue[ServerEvent | None]"
) -> AsyncIterator[Client]:
    async def hear(message: Any) -> None:
        event = event_from_wire(message.method, {"uri": getattr(message.params, "uri", None)})
        # In the newer era it comes by the stream that asked for it.
        if event is not None and era == "legacy":
            await told.put(event)

    headers = {"authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=WAIT_S) as http,
        Client(
            streamable_http_client(there.url, http_client=http), mode=era, message_handler=hear
        ) as one,
    ):
        yield one


@asynccontextmanager
async def following(
    there: Place, *uris: str, key: str = OWNER, era: str, lists: bool = False
) -> AsyncIterator[Ear]:
    """Follow addresses, as a client of the era does it."""
    told: asyncio.Queue[ServerEvent | None] = asyncio.Queue()
    async with connected(there, key, era, told) as one:
        ear = Ear(one, told)
        if era == "legacy":
            for uri in uris:
                await one.subscribe_resource(uri)
            # What follows the notification that the session has begun finds it begun.
            await one.list_tools()
            yield ear
            return
        flags = {f"{name}_list_changed": lists for name in ("tools", "prompts", "resources")}
        async with (
            one.listen(resource_subscriptions=list(uris), **flags) as stream,
            asyncio.TaskGroup() as group,
        ):

            async def hear() -> None:
                async for event in stream:
                    await told.put(event)
                await told.put(None)

            hearing = group.create_task(hear())
            yield ear
            hearing.cancel()


async def route(here: World, key_id: str = "key-owner", model: str = "one/m") -> None:
    """Send a request of that key through the engine, by its own tool."""
    from tests.tools.test_tools import client

    async with client(here, Caller(key_id, frozenset(SCOPES))) as mine:
        await mine.call_tool("omniroute_route_request", {"model": model, **ASK})


async def test_a_changed_combo_is_told_to_who_follows_it(era: str) -> None:
    async with place() as there, following(there, FAST, era=era) as ear:
        await there.here.configs.put_combo(combo("fast", "two/m"), actor="test")

        assert await ear.next() == ResourceUpdated(FAST)


async def test_only_what_changed_is_told(era: str) -> None:
    here = world(combos=[combo("fast", "one/m"), combo("cheap", "two/m")])

    async with place(here) as there, following(there, FAST, HEALTH, COMBOS, era=era) as ear:
        await here.configs.put_combo(combo("cheap", "one/m"), actor="test")
        first = {await ear.next(), await ear.next()}
        await here.configs.put_combo(combo("fast", "two/m"), actor="test")
        second = {await ear.next() for _ in range(3)}

    # A change of the configuration is one of the health's `configVersion` as well.
    assert first == {ResourceUpdated(COMBOS), ResourceUpdated(HEALTH)}
    assert second == {ResourceUpdated(COMBOS), ResourceUpdated(HEALTH), ResourceUpdated(FAST)}


async def test_a_circuit_that_opens_changes_health_and_models(era: str) -> None:
    refused = failing(UpstreamFailure("no", kind="auth"))
    here = world(combos=[combo("fast", "one/m")], scripts={"one/m": refused})

    async with place(here) as there, following(there, HEALTH, MODELS, COMBOS, era=era) as ear:
        await route(here)
        told = {await ear.next(), await ear.next()}

    assert told == {ResourceUpdated(HEALTH), ResourceUpdated(MODELS)}


async def test_a_new_request_changes_the_decisions_of_its_own_key(era: str) -> None:
    async with (
        place() as there,
        following(there, DECISIONS, era=era) as mine,
        following(there, DECISIONS, COMBOS, key=OTHER, era=era) as theirs,
    ):
        await route(there.here)
        own = await mine.next()
        await there.here.configs.put_combo(combo("fast", "two/m"), actor="test")
        foreign = await theirs.next()

    assert own == ResourceUpdated(DECISIONS)
    assert foreign == ResourceUpdated(COMBOS)
    assert theirs.told.empty()


async def test_a_new_combo_changes_the_list_of_resources(era: str) -> None:
    async with place() as there, following(there, era=era, lists=True) as ear:
        await there.here.configs.put_combo(combo("new", "one/m"), actor="test")
        told = await ear.next()
        listed = [one.uri for one in (await ear.client.list_resources()).resources]

    assert told == ResourcesListChanged()
    assert "omniroute://combos/new" in listed


async def test_a_key_with_other_scopes_is_told_of_every_list(era: str) -> None:
    async with place() as there, following(there, era=era, lists=True) as ear:
        there.keys[OWNER] = Caller("key-owner", frozenset({"read:health"}))
        told = {await ear.next() for _ in range(3)}

    assert told == {ToolsListChanged(), PromptsListChanged(), ResourcesListChanged()}


async def test_what_is_followed_no_longer_is_not_told() -> None:
    async with place() as there, following(there, FAST, COMBOS, era="legacy") as ear:
        await ear.client.unsubscribe_resource(FAST)
        await ear.client.unsubscribe_resource("omniroute://combos/never")
        await there.here.configs.put_combo(combo("fast", "two/m"), actor="test")
        told = await ear.next()

    assert told == ResourceUpdated(COMBOS)
    assert ear.told.empty()


async def test_an_address_beyond_the_keys_scopes_is_not_followed(era: str) -> None:
    async with place() as there:
        told: asyncio.Queue[ServerEvent | None] = asyncio.Queue()
        async with connected(there, READER, era, told) as one:
            if era == "legacy":
                with pytest.raises(MCPError, match="lacks scope read:combos") as refused:
                    await one.subscribe_resource(FAST)
                assert refused.value.code == -32003
            else:
                async with one.listen(resource_subscriptions=[FAST, HEALTH, "x:y"]) as stream:
                    assert stream.honored.resource_subscriptions == [HEALTH]


async def test_a_stream_ends_with_its_key() -> None:
    async with place() as there, following(there, FAST, era="2026-07-28") as ear:
        del there.keys[OWNER]
        await there.here.configs.put_combo(combo("fast", "two/m"), actor="test")

        assert await ear.next() is None


async def test_a_sessions_stream_ends_in_order_with_its_key() -> None:
    async with place() as there, httpx.AsyncClient(timeout=WAIT_S) as http:
        headers = await session(http, there.url)
        async with http.stream("GET", there.url, headers=headers) as stream:
            del there.keys[OWNER]
            await there.here.configs.put_combo(combo("new", "two/m"), actor="test")
            # One that breaks off raises here.
            heard = [line async for line in stream.aiter_lines() if "data" in line]

    assert stream.status_code == 200
    assert heard == []


async def test_a_session_that_is_in_use_is_not_forgotten_for_a_new_one() -> None:
    listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}

    async with place() as there, httpx.AsyncClient(timeout=WAIT_S) as http:
        headers = await session(http, there.url)
        there.here.clock.advance(SESSION_IDLE_S - 1)
        await http.post(there.url, json=listing, headers=headers)
        there.here.clock.advance(SESSION_IDLE_S - 1)
        await session(http, there.url, OTHER)
        await there.here.configs.put_combo(combo("new", "two/m"), actor="test")
        async with http.stream("GET", there.url, headers=headers) as stream:
            told = await anext(line async for line in stream.aiter_lines() if "data" in line)

    assert "notifications/resources/list_changed" in told


async def test_streams_are_bounded() -> None:
    server = build_server(world().gateway, lambda ctx: Caller("key-owner", frozenset(SCOPES)))

    async with asyncio.timeout(WAIT_S), AsyncExitStack() as stack:
        one = await stack.enter_async_context(Client(server, mode="2026-07-28"))
        for _ in range(STREAMS_MAX):
            await stack.enter_async_context(one.listen(tools_list_changed=True))
        with pytest.raises(MCPError, match="1000 streams are open"):
            await stack.enter_async_context(one.listen(tools_list_changed=True))


async def test_a_stream_ends_in_order_when_the_gateway_ends() -> None:
    async with place() as there, following(there, FAST, era="2026-07-28") as ear:
        there.door.drain()

        # A stream that breaks off raises there, where this one ends.
        assert await ear.next() is None


@dataclass
class SlowLedger(MemoryLedger):
    """One that answers when it is let."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    let: asyncio.Event = field(default_factory=asyncio.Event)

    async def recent(
        self, *, key_id: str | None, limit: int, before: tuple[float, str] | None = None
    ) -> Sequence[Record]:
        self.asked.set()
        await self.let.wait()
        return await super().recent(key_id=key_id, limit=limit, before=before)


async def test_no_stream_begins_while_the_gateway_ends() -> None:
    here, slow = world(), SlowLedger()
    here.gateway = replace(here.gateway, view=replace(here.gateway.view, ledger=slow))

    async def listen(one: Client) -> None:
        async with one.listen(resource_subscriptions=[DECISIONS]):
            pytest.fail("it began")

    async with (
        place(here) as there,
        connected(there, OWNER, "2026-07-28", asyncio.Queue()) as one,
        asyncio.TaskGroup() as group,
    ):
        late = group.create_task(_refused(listen(one)))
        await slow.asked.wait()
        there.door.drain()
        slow.let.set()
        refusal = await late

    assert "shutting down" in refusal


async def _refused(asking: Awaitable[None]) -> str:
    with pytest.raises(MCPError) as refused:
        await asking
    return str(refused.value)


async def session(http: httpx.AsyncClient, url: str, key: str = OWNER) -> dict[str, str]:
    """Open a session of the older era, and give the headers of what follows."""
    headers = {
        "accept": "application/json, text/event-stream",
        "authorization": f"Bearer {key}",
    }
    params = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    opened = await http.post(url, json=hello, headers=headers)
    headers["mcp-session-id"] = opened.headers["mcp-session-id"]
    headers["mcp-protocol-version"] = "2025-11-25"
    begun = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert (await http.post(url, json=begun, headers=headers)).status_code == 202
    return headers


async def test_a_change_while_the_stream_was_broken_is_told_when_it_is_back() -> None:
    subscribe = {
        "jsonrpc": "2.0",
        "id": 2,
        "method": "resources/subscribe",
        "params": {"uri": FAST},
    }
    async with place() as there, httpx.AsyncClient(timeout=WAIT_S) as http:
        headers = await session(http, there.url)
        await http.post(there.url, json=subscribe, headers=headers)
        async with http.stream("GET", there.url, headers=headers) as stream:
            assert stream.status_code == 200
        await there.here.configs.put_combo(combo("fast", "two/m"), actor="test")

        async with http.stream("GET", there.url, headers=headers) as stream:
            told = await anext(line async for line in stream.aiter_lines() if "data" in line)

    assert FAST in told


async def test_a_stream_of_another_keys_session_does_not_exist() -> None:
    async with place() as there, httpx.AsyncClient(timeout=WAIT_S) as http:
        headers = await session(http, there.url)
        foreign = await http.get(there.url, headers={**headers, "authorization": f"Bearer {OTHER}"})
        unknown = await http.get(there.url, headers={**headers, "mcp-session-id": "none"})

    assert foreign.status_code == unknown.status_code == 404


async def test_without_sessions_there_is_no_stream_and_none_is_promised() -> None:
    headers = {
        "accept": "application/json, text/event-stream",
        "authorization": f"Bearer {OWNER}",
    }
    async with place(stateless=True) as there, httpx.AsyncClient(timeout=WAIT_S) as http:
        refused = await http.get(there.url, headers=headers)
        told: asyncio.Queue[ServerEvent | None] = asyncio.Queue()
        async with connected(there, OWNER, "legacy", told) as one:
            promised = one.server_capabilities.resources
            with pytest.raises(MCPError) as unknown:
                await one.subscribe_resource(FAST)

    assert (refused.status_code, refused.headers["allow"]) == (405, "POST, DELETE")
    assert promised is not None
    assert not promised.subscribe
    assert not promised.list_changed
    assert unknown.value.code == -32601


async def test_the_newer_era_streams_without_sessions_as_well() -> None:
    async with (
        place(stateless=True) as there,
        following(there, FAST, era="2026-07-28") as ear,
    ):
        await there.here.configs.put_combo(combo("fast", "two/m"), actor="test")

        assert await ear.next() == ResourceUpdated(FAST)


async def test_what_is_told_is_promised_at_the_begin(era: str) -> None:
    told: asyncio.Queue[ServerEvent | None] = asyncio.Queue()

    mode = "legacy" if era == "legacy" else "auto"
    async with place() as there, connected(there, OWNER, mode, told) as one:
        able = one.server_capabilities

    assert able.tools is not None
    assert able.prompts is not None
    assert able.resources is not None
    assert able.tools.list_changed
    assert able.prompts.list_changed
    assert able.resources.list_changed
    assert able.resources.subscribe
    assert able.completions is not None


async def test_addresses_of_one_stream_are_bounded(era: str) -> None:
    many = [f"omniroute://combos/c{number}" for number in range(ADDRESSES_MAX + 1)]

    async with place() as there:
        told: asyncio.Queue[ServerEvent | None] = asyncio.Queue()
        async with connected(there, OWNER, era, told) as one:
            if era == "legacy":
                for uri in many[:ADDRESSES_MAX]:
                    await one.subscribe_resource(uri)
                with pytest.raises(MCPError, match="at most 100 addresses"):
                    await one.subscribe_resource(many[-1])
            else:
                async with one.listen(resource_subscriptions=many) as stream:
                    assert stream.honored.resource_subscriptions == many[:ADDRESSES_MAX]


async def test_what_additions_publish_reaches_streams_that_asked_for_it() -> None:
    bus = InMemorySubscriptionBus()

    async with place() as there:
        there.door.additions = Additions(changes=bus)
        async with following(there, era="2026-07-28", lists=True) as ear:
            await bus.publish(ToolsListChanged())

            assert await ear.next() == ToolsListChanged()
