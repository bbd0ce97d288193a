"""What stands before every door, on a connection of ours and under ASGI alike."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from omniroute.server.app import Front
from omniroute.server.auth import Authenticator, KnownKeys
from omniroute.server.edge import Connection
from omniroute.server.exchange import Exchange
from omniroute.server.gate import Gate
from omniroute.server.guard import Guard
from omniroute.server.rights import ANYONE, EVERY, Right

pytestmark = pytest.mark.anyio

WAIT_S = 5.0
HOT = "/v1/chat/completions"
GOOD = {"host": "127.0.0.1:1"}


@dataclass
class Doors:
    """A hot door and one that is not, behind a Front that is reached in both ways."""

    front: Front
    own: httpx.AsyncClient
    asgi: httpx.AsyncClient
    port: int
    seen_busy: list[int]


@pytest.fixture
async def doors() -> AsyncIterator[Doors]:
    seen_busy: list[int] = []

    async def hot(exchange: Exchange) -> None:
        seen_busy.append(front.busy)
        body = exchange.body
        if body is None:
            body = await exchange.read(1000)
        wait = exchange.whole(200, b"x-body: %d\r\n" % len(body), b"hot")
        if wait is not None:
            await wait

    async def mcp(scope: Scope, receive: Receive, send: Send) -> None:
        seen_busy.append(front.busy)
        await PlainTextResponse("mcp")(scope, receive, send)

    guard = Guard(hosts=("127.0.0.1",), origins=("https://good.example",))
    open_to_all = (Right("POST", HOT, ANYONE), Right(EVERY, "/mcp", ANYONE))
    nobody = Authenticator(keys=KnownKeys(lambda key: None, bool), keyless=False, token=None)
    gate = Gate(nobody, open_to_all)
    front = Front(guard, gate, hot={HOT: hot}, doors={"/mcp": mcp})
    config = uvicorn.Config(
        front, http=Connection, port=0, lifespan="off", log_config=None, proxy_headers=False
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    async with asyncio.timeout(WAIT_S):
        while not server.started:
            await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    transport = httpx.ASGITransport(app=front)
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as own,
        httpx.AsyncClient(transport=transport, base_url=f"http://127.0.0.1:{port}") as asgi,
    ):
        yield Doors(front, own, asgi, port, seen_busy)
    server.should_exit = True
    await running


async def both(doors: Doors, path: str, body: bytes = b"", **headers: str) -> list[int]:
    """Give the status of a POST in both ways, three times on the same connection."""
    return [
        (await client.post(path, content=body, headers={**GOOD, **headers})).status_code
        for client in (doors.own, doors.asgi)
        for _ in range(3)
    ]


async def test_a_hot_door_is_reached_in_both_ways(doors: Doors) -> None:
    own = await doors.own.post(HOT, content=b"four", headers=GOOD)
    asgi = await doors.asgi.post(HOT, content=b"four", headers=GOOD)

    assert [one.text for one in (own, asgi)] == ["hot", "hot"]
    assert [one.headers["x-body"] for one in (own, asgi)] == ["4", "4"]
    assert own.headers["content-length"] == asgi.headers["content-length"] == "3"


@pytest.mark.parametrize("path", [HOT, "/mcp", "/nothing"])
async def test_another_host_or_origin_is_refused_on_a_connection_that_was_let_in(
    doors: Doors, path: str
) -> None:
    before = await both(doors, HOT)
    host = await both(doors, path, host="evil.example")
    origin = await both(doors, path, origin="https://evil.example")
    named = await both(doors, HOT, origin="https://good.example")

    assert (set(before), set(host), set(origin), set(named)) == ({200}, {421}, {403}, {200})


PAGE = "https://good.example"


@pytest.mark.parametrize("path", [HOT, "/mcp", "/nothing"])
async def test_a_page_of_an_allowed_origin_may_read_the_answer_and_its_headers(
    doors: Doors, path: str
) -> None:
    for client in (doors.own, doors.asgi):
        for _ in range(2):
            answer = await client.post(path, content=b"x", headers={**GOOD, "origin": PAGE})

            assert answer.headers["access-control-allow-origin"] == PAGE
            assert answer.headers["access-control-expose-headers"] == "*"
            assert "origin" in answer.headers["vary"]
            assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("path", [HOT, "/mcp"])
async def test_a_browser_that_asks_first_is_told_what_the_page_may_send(
    doors: Doors, path: str
) -> None:
    asks = {
        **GOOD,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,mcp-protocol-version",
    }

    for client in (doors.own, doors.asgi):
        allowed = await client.options(path, headers={**asks, "origin": PAGE})
        refused = await client.options(path, headers={**asks, "origin": "https://evil.example"})

        assert (allowed.status_code, allowed.content) == (204, b"")
        assert allowed.headers["access-control-allow-origin"] == PAGE
        assert "DELETE" in allowed.headers["access-control-allow-methods"]
        assert (
            allowed.headers["access-control-allow-headers"]
            == asks["access-control-request-headers"]
        )
        assert refused.status_code == 403
        assert "access-control-allow-origin" not in refused.headers
    assert doors.seen_busy == []


async def test_who_is_no_web_page_is_told_nothing_of_origins(doors: Doors) -> None:
    for client in (doors.own, doors.asgi):
        answer = await client.post(HOT, content=b"x", headers=GOOD)

        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_of_two_origins_both_have_to_be_allowed(doors: Doors) -> None:
    headers = [("host", "127.0.0.1"), ("origin", "https://evil.example")]

    for last in ("https://good.example", "http://127.0.0.1"):
        for client in (doors.own, doors.asgi):
            answer = await client.post(HOT, headers=[*headers, ("origin", last)])
            assert answer.status_code == 403


async def test_a_port_for_mcp_answers_nothing_else(doors: Doors) -> None:
    doors.front.mcp_only_port = doors.port
    mcp, hot = await both(doors, "/mcp"), await both(doors, HOT)
    doors.front.mcp_only_port = doors.port + 1

    assert (set(mcp), set(hot)) == ({200}, {404})
    assert set(await both(doors, HOT)) == {200}


async def test_a_request_counts_as_busy_for_as_long_as_it_is_answered(doors: Doors) -> None:
    began_s = time.monotonic()

    await both(doors, HOT)
    await both(doors, "/mcp")

    assert doors.seen_busy == [1] * 12
    assert doors.front.busy == 0
    assert doors.front.last_s > began_s


async def test_a_stream_to_a_client_that_only_listens_is_no_work(doors: Doors) -> None:
    last_s = doors.front.last_s

    answer = await doors.asgi.get("/mcp", headers=GOOD)

    assert (answer.status_code, doors.seen_busy) == (200, [0])
    assert doors.front.last_s == last_s


async def test_what_stays_open_is_closed_when_no_new_work_is_taken(doors: Doors) -> None:
    closed: list[bool] = []
    doors.front.closing = lambda: closed.append(doors.front.draining)

    doors.front.drain()

    assert closed == [True]
    assert doors.front.not_ready() == "the gateway is shutting down"
