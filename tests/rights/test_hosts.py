"""Host x Origin x route: a web page reaches nothing by a name or an origin that is not ours."""

from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path

import pytest

from omniroute.server.rights import DASHBOARD
from tests.rights.world import ENTERED, World, asked_as, request, whole

pytestmark = pytest.mark.anyio
OURS = ("127.0.0.1", "localhost:20128", "[::1]:9", "LOCALHOST", "gateway.example")
THEIRS = (
    *("evil.example", "evil.example:20128", "localhost.evil.example", "127.0.0.1.evil.example"),
    *("127.0.0.2", "0.0.0.0", "[::]", "localhost.", "localhost/x", "evil@localhost", "::1"),
)
OPEN = (
    "http://localhost:3000",
    "http://127.0.0.1",
    "https://app.example",
    "https://gateway.example",
)
PAGES_OWN = ("http://127.0.0.1", "https://gateway.example")
"""Origins of the dashboard itself, where it is asked for by the first of OURS."""
CLOSED = (
    *("https://evil.example", "null", "file://", "http://localhost.evil.example", "app.example"),
    *("https://app.example.evil.example", "http://app.example", "chrome-extension://x", ""),
    *("https://app.example@evil.example", "http://localhost:3000/x", "ftp://localhost"),
)


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    variables = {"BASE_URL": "https://gateway.example", "CORS_ORIGIN": "https://app.example"}
    async with whole(tmp_path, monkeypatch, **variables) as made:
        yield made


async def statuses(
    world: World, hosts: tuple[str, ...], origins: tuple[str | None, ...]
) -> list[int]:
    """Ask every route as the administrator, by each of these hosts and origins in turn."""
    pairs = list(product(hosts, origins))
    requests = []
    for number, right in enumerate(world.rights * len(pairs)):
        method, path, more = asked_as(right)
        # Another pair each time round, so that each route meets all of them.
        host, origin = pairs[(number // len(world.rights)) % len(pairs)]
        lines = (*more, *(() if origin is None else (f"origin: {origin}",)))
        requests.append(request(method, path, world.keys["admin"], *lines, host=host))
    return await world.ask(*requests)


async def test_no_route_is_entered_by_a_host_that_is_not_ours(world: World) -> None:
    got = await statuses(world, THEIRS, (None,))

    # What is no host at all is refused by the connection, before any guard.
    assert set(got) == {400, 421}
    assert world.entered == []


async def test_no_route_is_entered_from_an_origin_that_is_not_allowed(world: World) -> None:
    got = await statuses(world, OURS[:1], CLOSED)

    assert set(got) == {403}
    assert world.entered == []


async def test_every_route_is_entered_by_each_of_our_names_and_origins(world: World) -> None:
    named = await statuses(world, OURS, (None,))
    paged = await statuses(world, OURS[:1], OPEN)

    got = zip(product(OPEN, world.rights), paged, strict=True)
    # A page is no client of a WebSocket here: what it asks is read by the other way in.
    told = {(*asked, status) for asked, status in got if asked[1].method != "UPGRADE"}
    assert set(named) == {ENTERED}
    # The dashboard takes what its own pages ask, and nothing of another site that may ask the API.
    assert {one for one in told if one[2] != ENTERED} == {
        (origin, right, 403)
        for origin in OPEN
        for right in world.rights
        if origin not in PAGES_OWN and right.path.startswith(DASHBOARD)
    }
