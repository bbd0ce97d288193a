"""The cookie of the dashboard against every route: what its key may, below /dashboard alone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from omniroute.server.dashboard.tokens import Tokens
from omniroute.server.rights import DASHBOARD, Right
from tests.rights.world import ENTERED, World, asked_as, request, whole

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with whole(tmp_path, monkeypatch) as made:
        yield made


async def cookie_of(world: World, name: str) -> tuple[str, str]:
    """Sign a key in; give the lines that a page of it sends."""
    storage = world.composed.parts.storage
    key = world.composed.parts.authenticator.caller_by_key(world.keys[name])
    assert key is not None
    made = await storage.sign_ins.begin(key.key_id, key.scopes, address="", agent="")
    token = Tokens(storage.vault.ring).of("session", made.session_id)
    return f"cookie: __Host-omniroute-session={made.text}", f"x-csrf-token: {token}"


def sent(right: Right, *lines: str) -> bytes:
    method, path, more = asked_as(right)
    return request(method, path, None, *more, *lines)


def is_page(right: Right) -> bool:
    return right.path.startswith(DASHBOARD)


async def test_no_route_outside_of_the_dashboard_takes_the_cookie(world: World) -> None:
    lines = await cookie_of(world, "admin")
    guarded = [one for one in world.rights if one.needs is not None and not is_page(one)]

    statuses = await world.ask(*(sent(one, *lines) for one in guarded))

    assert len(guarded) > 100
    assert set(statuses) == {401}
    assert world.entered == []


async def test_a_session_enters_the_pages_that_its_key_may_and_no_others(world: World) -> None:
    pages = [one for one in world.rights if one.needs is not None and is_page(one)]
    wrong = {}
    for name in ("admin", "read:health", "-admin", "-write:config", "read:quota"):
        lines = await cookie_of(world, name)
        key = world.composed.parts.authenticator.caller_by_key(world.keys[name])
        assert key is not None
        statuses = await world.ask(*(sent(one, *lines) for one in pages))
        for page, status in zip(pages, statuses, strict=True):
            may = "admin" in key.scopes or not page.needs or not key.scopes.isdisjoint(page.needs)
            if status != (ENTERED if may else 403):
                wrong[name, page] = status

    assert len(pages) > 20
    assert wrong == {}


async def test_nothing_is_done_without_the_token_of_the_session(world: World) -> None:
    cookie, _ = await cookie_of(world, "admin")
    _, other = await cookie_of(world, "admin")
    changing = [
        one
        for one in world.rights
        if one.needs is not None and is_page(one) and one.method != "GET"
    ]

    statuses = await world.ask(
        *(sent(one, cookie) for one in changing),
        *(sent(one, cookie, other) for one in changing),
        *(sent(one, cookie, "x-csrf-token: ") for one in changing),
    )

    assert len(changing) > 10
    assert set(statuses) <= {400, 403}
    assert world.entered == []
