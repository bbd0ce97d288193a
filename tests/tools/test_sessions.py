"""When a client's session began: told by the door's sessions, or by the relay."""

from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from omniroute.routing.access import SCOPES
from omniroute.routing.model import Caller
from omniroute.server.mcp_door import McpDoor, build_mcp
from omniroute.tools import sessions
from omniroute.tools.sessions import Sessions
from tests.fakes import World, world
from tests.tools.test_mcp_door import QUESTION, listening

pytestmark = pytest.mark.anyio

CALLER = Caller("key-agent", frozenset(SCOPES))


def door_of(here: World) -> McpDoor:
    return build_mcp(
        here.gateway,
        authenticate=lambda scope: CALLER,
        allowed_hosts=["127.0.0.1"],
        stateless=False,
    )


async def snapshot(one: Client) -> dict[str, Any]:
    found = (await one.call_tool("omniroute_get_session_snapshot", {})).structured_content
    assert isinstance(found, dict)
    return found


async def test_a_session_of_the_older_era_counts_from_its_own_beginning() -> None:
    here = world()

    async with listening(door_of(here)) as url:
        async with Client(streamable_http_client(url), mode="legacy") as first:
            await first.call_tool("omniroute_route_request", QUESTION)
            here.clock.advance(100)
            async with Client(streamable_http_client(url), mode="legacy") as second:
                here.clock.advance(5)
                await second.call_tool("omniroute_route_request", QUESTION)
                later = await snapshot(second)
            earlier = await snapshot(first)
        async with Client(streamable_http_client(url), mode="2026-07-28") as modern:
            everything = await snapshot(modern)

    assert (later["sessionOf"], later["durationS"], later["requestCount"]) == ("client", 5, 1)
    assert (earlier["sessionOf"], earlier["durationS"], earlier["requestCount"]) == (
        "client",
        105,
        2,
    )
    assert (everything["sessionOf"], everything["requestCount"]) == ("gateway", 2)


@pytest.mark.parametrize(
    ("said", "whose", "length_s"),
    [("1700000040.000", "client", 60), ("soon", "gateway", 100), ("inf", "gateway", 100)],
)
async def test_a_relay_says_since_when_its_client_is_there(
    said: str, whose: str, length_s: float
) -> None:
    here = world()
    here.clock.advance(100)

    async with (
        listening(door_of(here)) as url,
        httpx2.AsyncClient(headers={"x-omniroute-session-start": said}) as http,
        Client(streamable_http_client(url, http_client=http), mode="2026-07-28") as mine,
    ):
        found = await snapshot(mine)

    assert (found["sessionOf"], found["durationS"]) == (whose, length_s)


async def test_a_relays_word_counts_over_the_session_that_it_opened_anew() -> None:
    known = Sessions(lambda: 50.0)
    headers = [(b"mcp-session-id", b"one"), (b"x-omniroute-session-start", b"20.5")]

    async def send(message: Any) -> None:
        assert message["headers"] == headers[:1]

    await known.watched(send)({"type": "http.response.start", "headers": headers[:1]})

    assert known.began({"headers": headers}) == 20.5
    assert known.began({"headers": headers[:1]}) == 50.0
    assert known.began({"headers": []}) is None


async def test_the_oldest_sessions_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "KNOWN_MAX", 2)
    known, sent = Sessions(lambda: 50.0), []

    async def send(message: Any) -> None:
        sent.append(message)

    for name in (b"one", b"two", b"three"):
        headers = [(b"Mcp-Session-Id", name)]
        await known.watched(send)({"type": "http.response.start", "headers": headers})

    assert len(sent) == 3
    assert known.began({"headers": [(b"mcp-session-id", b"one")]}) is None
    assert known.began({"headers": [(b"mcp-session-id", b"three")]}) == 50.0
