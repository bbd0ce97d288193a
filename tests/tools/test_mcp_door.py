"""The MCP door over HTTP on loopback: keys, scopes, sessions, limits and both eras."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import httpx2
import pytest
import uvicorn
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from starlette.applications import Starlette
from starlette.routing import Route

from omniroute.routing.conversation import Delta
from omniroute.routing.model import Call, Caller, Piece
from omniroute.server.auth import Authenticator, KnownKeys
from omniroute.server.mcp_door import BODY_BYTES_MAX, IMPORT_BLOCK_S, McpDoor, build_mcp
from omniroute.tools.table import TABLE
from tests.fakes import NO_HEADERS, World, world

pytestmark = pytest.mark.anyio

ERAS = ("legacy", "2026-07-28")
KEYS = {
    "sk-omni-fake-agent": Caller("key-agent", frozenset({"read:health", "write:route"})),
    "sk-omni-fake-other": Caller("key-other", frozenset({"read:health", "write:route"})),
    "sk-omni-fake-reader": Caller("key-reader", frozenset({"read:health"})),
}
AGENT, OTHER, READER = KEYS
QUESTION = {"model": "one/m", "messages": [{"role": "user", "content": "hello"}]}
HELLO: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
LISTING = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
WAIT_S = 20


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def door_of(here: World, *, stateless: bool = False) -> McpDoor:
    keys = KnownKeys(KEYS.get, lambda: True)
    authenticator = Authenticator(keys=keys, keyless=False, token=None)
    return build_mcp(
        here.gateway,
        authenticate=lambda scope: authenticator.caller(dict(scope)),
        allowed_hosts=["127.0.0.1", "localhost", "::1"],
        allowed_origins=["https://panel.example"],
        stateless=stateless,
    )


@asynccontextmanager
async def listening(door: McpDoor) -> AsyncIterator[str]:
    """Give the URL of a web server with nothing but the door."""
    app = Starlette(routes=[Route("/mcp", endpoint=door.app)])
    config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as bound:
        async with asyncio.timeout(WAIT_S), door.run(), asyncio.TaskGroup() as group:
            serving = group.create_task(server.serve([bound]))
            while not server.started:
                await asyncio.sleep(0.01)
            try:
                yield f"http://127.0.0.1:{bound.getsockname()[1]}/mcp"
            finally:
                server.should_exit = True
                await asyncio.wait({serving}, timeout=5)


@asynccontextmanager
async def client(url: str, key: str = AGENT, *, era: str) -> AsyncIterator[Client]:
    headers = {"authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        Client(streamable_http_client(url, http_client=http), mode=era) as one,
    ):
        yield one


async def post(url: str, body: Any, **headers: str) -> httpx.Response:
    base = {
        "accept": "application/json, text/event-stream",
        "authorization": f"Bearer {AGENT}",
    }
    async with httpx.AsyncClient(timeout=WAIT_S) as http:
        return await http.post(
            url, json=body, headers={**base, **{k.replace("_", "-"): v for k, v in headers.items()}}
        )


def ask(tool: str = "omniroute_get_health", **arguments: Any) -> dict[str, Any]:
    params = {"name": tool, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}


@pytest.mark.parametrize("stateless", [True, False])
async def test_the_official_client_lists_and_calls_in_both_eras(
    era: str, *, stateless: bool
) -> None:
    here = world()

    async with (
        listening(door_of(here, stateless=stateless)) as url,
        client(url, era=era) as mine,
    ):
        listed = await mine.list_tools()
        result = await mine.call_tool("omniroute_route_request", QUESTION)

    allowed = KEYS[AGENT].scopes
    assert [one.name for one in listed.tools] == [
        tool.name for tool in TABLE if tool.scope in allowed
    ]
    assert result.structured_content is not None
    assert result.structured_content["response"]["content"] == "hello"
    assert here.ledger.records[0].outcome.key_id == "key-agent"


async def test_progress_arrives_before_the_answer(era: str) -> None:
    told: list[str | None] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        told.append(message)

    async with listening(door_of(world())) as url, client(url, era=era) as mine:
        await mine.call_tool(
            "omniroute_route_request", {**QUESTION, "stream": True}, progress_callback=tell
        )

    assert told == ["hel", "hello"]


@pytest.mark.parametrize(
    "headers", [{"authorization": ""}, {"authorization": "Bearer sk-omni-fake-wrong"}]
)
async def test_no_key_or_a_wrong_one_is_a_401_that_starts_no_oauth(
    headers: dict[str, str],
) -> None:
    async with listening(door_of(world())) as url:
        refused = await post(url, ask(), **headers)

    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Bearer realm="omniroute"'
    assert refused.json()["jsonrpc"] == "2.0"
    assert "omniroute keys add" in refused.json()["error"]["message"]


async def test_a_key_may_come_as_x_api_key() -> None:
    async with listening(door_of(world())) as url:
        answer = await post(
            url, ask(), authorization="", x_api_key=AGENT, mcp_protocol_version="2025-06-18"
        )

    assert answer.status_code == 400
    assert "session" in answer.text


async def test_a_call_beyond_the_keys_scopes_is_a_403_that_names_the_scope() -> None:
    here = world()

    async with listening(door_of(here)) as url:
        refused = await post(
            url, ask("omniroute_route_request", **QUESTION), authorization=f"Bearer {READER}"
        )

    challenge = refused.headers["www-authenticate"]
    assert refused.status_code == 403
    assert 'error="insufficient_scope", scope="write:route"' in challenge
    assert refused.json()["id"] == 7
    assert refused.json()["error"]["code"] == -32003
    assert refused.json()["error"]["data"]["required_scopes"] == ["write:route"]
    assert here.upstream.calls == []


@pytest.mark.parametrize(
    ("method", "params", "scope"),
    [
        ("resources/read", {"uri": "omniroute://combos/fast"}, "read:combos"),
        ("resources/subscribe", {"uri": "omniroute://models/one/m"}, "read:models"),
        ("prompts/get", {"name": "investigate_request"}, "read:usage"),
        ("completion/complete", {"ref": {"name": "choose_combo"}}, "read:combos"),
        ("completion/complete", {"ref": {"uri": "omniroute://models/{+model}"}}, "read:models"),
    ],
)
async def test_what_is_beside_the_tools_is_a_403_as_well(
    method: str, params: dict[str, Any], scope: str
) -> None:
    asked = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}

    async with listening(door_of(world())) as url:
        refused = await post(url, asked, authorization=f"Bearer {READER}")

    assert refused.status_code == 403
    assert f'scope="{scope}"' in refused.headers["www-authenticate"]
    assert refused.json()["error"]["data"]["required_scopes"] == [scope]


@pytest.mark.parametrize(
    "params",
    [
        {"uri": 7},
        {"uri": ["omniroute://combos"]},
        {"ref": "omniroute://combos"},
        {"ref": {"uri": None, "name": {}}},
        {"name": ["choose_combo"]},
        [],
        None,
    ],
)
@pytest.mark.parametrize("method", ["resources/read", "prompts/get", "completion/complete", None])
async def test_parameters_of_any_shape_get_through_the_scope_check(
    method: str | None, params: Any
) -> None:
    asked = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}

    async with listening(door_of(world(), stateless=True)) as url:
        answer = await post(url, asked, mcp_protocol_version="2025-11-25")

    assert answer.status_code < 500
    assert "internal" not in answer.text.lower()


async def test_the_official_client_shows_the_missing_scope(era: str) -> None:
    async with listening(door_of(world())) as url, client(url, READER, era=era) as mine:
        with pytest.raises(MCPError, match="lacks scope write:route") as refused:
            await mine.call_tool("omniroute_route_request", QUESTION)

    assert refused.value.code == -32003


async def test_a_session_does_not_exist_for_another_key() -> None:
    async with listening(door_of(world())) as url:
        opened = await post(url, HELLO)
        session = {"mcp_session_id": opened.headers["mcp-session-id"]}
        mine = await post(url, LISTING, **session)
        theirs = await post(url, LISTING, **session, authorization=f"Bearer {OTHER}")
        nobodys = await post(url, LISTING, mcp_session_id="0" * 32)

    assert mine.status_code == 200
    assert (theirs.status_code, theirs.text) == (nobodys.status_code, nobodys.text)
    assert theirs.status_code == 404


async def test_a_session_is_not_ended_by_another_key_and_outlives_no_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with listening(door_of(world())) as url, httpx.AsyncClient(timeout=WAIT_S) as http:
        session = {"mcp_session_id": (await post(url, HELLO)).headers["mcp-session-id"]}
        theirs = {"authorization": f"Bearer {OTHER}", "mcp-session-id": session["mcp_session_id"]}
        ended = await http.delete(url, headers=theirs)
        mine = await post(url, LISTING, **session)
        monkeypatch.delitem(KEYS, AGENT)
        withdrawn = await post(url, LISTING, **session)

    assert (ended.status_code, mine.status_code, withdrawn.status_code) == (404, 200, 401)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "https://panel.example"}, 200),
        ({"origin": "http://localhost:3000"}, 200),
        ({"host": "localhost:1"}, 200),
        ({"host": "LocalHost:1", "origin": "HTTP://LocalHost:3000"}, 200),
        ({"host": "localhost.evil.example:1"}, 421),
        ({"origin": "http://localhost.evil.example:1"}, 403),
        ({"origin": "null"}, 403),
    ],
)
async def test_host_and_origin_are_checked_also_here(headers: dict[str, str], status: int) -> None:
    body = {
        **ask(),
        "params": {
            "name": "omniroute_get_health",
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    }
    modern = {
        "mcp_protocol_version": "2026-07-28",
        "mcp_method": "tools/call",
        "mcp_name": "omniroute_get_health",
    }

    async with listening(door_of(world())) as url:
        answer = await post(url, body, **modern, **headers)

    assert answer.status_code == status


async def test_a_body_beyond_the_limit_is_refused_in_json() -> None:
    async with listening(door_of(world())) as url:
        refused = await post(url, ask(pad="x" * BODY_BYTES_MAX))

    assert refused.status_code == 413
    assert str(BODY_BYTES_MAX) in refused.json()["error"]["message"]


@asynccontextmanager
async def stream(url: str, session_id: str, key: str = AGENT) -> AsyncIterator[httpx.Response]:
    headers = {
        "accept": "text/event-stream",
        "authorization": f"Bearer {key}",
        "mcp-session-id": session_id,
        "mcp-protocol-version": "2025-11-25",
    }
    async with (
        httpx.AsyncClient(timeout=WAIT_S) as http,
        http.stream("GET", url, headers=headers) as answer,
    ):
        yield answer


async def test_a_sessions_stream_is_there_for_its_key_alone() -> None:
    async with listening(door_of(world())) as url:
        session_id = (await post(url, HELLO)).headers["mcp-session-id"]
        async with stream(url, session_id) as mine, stream(url, session_id, OTHER) as theirs:
            kind = mine.headers["content-type"]
        async with stream(url, "0" * 32) as nobodys:
            pass

    assert (mine.status_code, kind.partition(";")[0]) == (200, "text/event-stream")
    assert (theirs.status_code, nobodys.status_code) == (404, 404)


async def test_a_gateway_that_ends_closes_the_streams_that_are_open() -> None:
    door = door_of(world())

    async with listening(door) as url:
        session_id = (await post(url, HELLO)).headers["mcp-session-id"]
        async with stream(url, session_id) as open_one:
            door.drain()
            heard = await open_one.aread()
        async with stream(url, session_id) as late:
            pass
        listing = await post(url, LISTING, mcp_session_id=session_id)

    assert b"data" not in heard
    assert late.status_code == 503
    assert listing.status_code == 200


async def test_without_sessions_there_is_no_stream_to_get() -> None:
    door = door_of(world(), stateless=True)

    async with listening(door) as url, httpx.AsyncClient() as http:
        refused = await http.get(url, headers={"authorization": f"Bearer {AGENT}"})

    assert (refused.status_code, refused.headers["allow"]) == (405, "POST, DELETE")


async def test_first_requests_that_come_together_are_all_answered() -> None:
    async with listening(door_of(world(), stateless=True)) as url:
        answers = await asyncio.gather(
            *(post(url, ask(), mcp_protocol_version="2025-11-25") for _ in range(8))
        )

    assert {answer.status_code for answer in answers} == {200}


async def test_a_door_that_is_not_open_says_so() -> None:
    door = door_of(world())
    async with listening(door) as url:
        pass
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}"}

    async def send(message: Any) -> None:
        sent.append(message)

    key = (b"authorization", f"Bearer {AGENT}".encode())
    await door({"type": "http", "method": "POST", "path": url, "headers": [key]}, receive, send)

    assert sent[0]["status"] == 503


class Stalling:
    """An upstream whose answer begins and then says nothing until it is closed."""

    headers = NO_HEADERS
    dropped: tuple[str, ...] = ()
    pour = None

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.closed = asyncio.Event()

    async def open(self, call: Call) -> "Stalling":
        return self

    async def __aiter__(self) -> AsyncIterator[Piece]:
        yield Piece(b"", Delta(text="it begins"))
        self.begun.set()
        await asyncio.Event().wait()

    def close(self) -> None:
        self.closed.set()


def stalled(here: World) -> Stalling:
    """Put a stalling upstream behind the gateway."""
    stalling = Stalling()
    engine = replace(here.gateway.route, upstream=stalling)
    here.gateway = replace(here.gateway, route=engine)
    return stalling


async def test_a_cancelled_call_closes_the_provider(era: str) -> None:
    here = world()
    stalling = stalled(here)

    async with listening(door_of(here)) as url, client(url, era=era) as mine:
        calling = asyncio.create_task(mine.call_tool("omniroute_route_request", QUESTION))
        await stalling.begun.wait()
        calling.cancel()
        await asyncio.wait_for(stalling.closed.wait(), 5)

    assert here.ledger.records[0].outcome.status == "client_gone"


async def test_without_sessions_a_client_that_hangs_up_closes_the_provider() -> None:
    here = world()
    stalling = stalled(here)

    async with listening(door_of(here, stateless=True)) as url:
        calling = asyncio.create_task(
            post(
                url,
                ask("omniroute_route_request", **QUESTION),
                mcp_protocol_version="2025-11-25",
            )
        )
        await stalling.begun.wait()
        calling.cancel()
        await asyncio.wait_for(stalling.closed.wait(), 5)

    assert here.ledger.records[0].outcome.status == "client_gone"


def test_importing_the_door_imports_no_sdk() -> None:
    script = (
        "import sys, omniroute.server.mcp_door as door;"
        "print([name for name in ('mcp', 'jsonschema', 'pydantic') if name in sys.modules])"
    )

    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, timeout=60
    )

    assert told.stdout.strip() == b"[]"


def test_the_import_does_not_keep_the_loop_from_running() -> None:
    """Doubled: the bound is for an idle machine, and tests share theirs."""
    script = """
import asyncio, time, importlib
async def main():
    worst = 0.0
    importing = asyncio.create_task(
        asyncio.to_thread(importlib.import_module, "omniroute.tools.binding"))
    while not importing.done():
        begun = time.perf_counter()
        await asyncio.sleep(0.001)
        worst = max(worst, time.perf_counter() - begun)
    print(worst)
asyncio.run(main())
"""

    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, timeout=60
    )

    assert float(told.stdout) < 2 * IMPORT_BLOCK_S
