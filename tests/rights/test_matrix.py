"""Every route x every method x {no key, wrong scope, right scope}, against a whole gateway."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from omniroute.server.app import Front, build_app
from omniroute.server.auth import Authenticator, KnownKeys
from omniroute.server.exchange import Exchange
from omniroute.server.gate import Gate, UndeclaredRoute
from omniroute.server.guard import Guard
from omniroute.server.rights import ANY_KEY, ANYONE, RIGHTS, Right
from omniroute.server.store.key_terms import KeyTerms
from tests.rights.world import ENTERED, METHODS, World, asked_as, line, request, row_request, whole
from tests.v1.mounted import listening
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio
NOBODY = Authenticator(keys=KnownKeys(lambda key: None, bool), keyless=False, token=None)


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with whole(tmp_path, monkeypatch) as made:
        yield made


def wrong_key(right: Right) -> str:
    """Give the name of a key that carries every scope but those that the row names."""
    needs = right.needs or ()
    if len(needs) == 1:
        return f"-{needs[0]}"
    # More than one: the weakest that carries none of them.
    return next(one for one in ("read:health", "read:usage") if one not in needs)


async def test_every_route_is_declared_and_every_declared_route_is_there(world: World) -> None:
    declared = {(right.method, right.path) for right in world.rights}

    assert world.asked == declared
    assert len(declared) == len(world.rights) > 100


async def test_without_a_key_only_what_is_for_anyone_is_entered(world: World) -> None:
    statuses = await world.ask(*(row_request(right, None) for right in world.rights))

    due = [ENTERED if right.needs is ANYONE else 401 for right in world.rights]
    assert list(zip(world.rights, statuses, strict=True)) == list(
        zip(world.rights, due, strict=True)
    )
    assert {needs for needs, _ in world.entered} == {ANYONE}


async def test_a_key_of_every_other_scope_is_refused_and_enters_nothing(world: World) -> None:
    rows = [right for right in world.rights if right.needs]

    statuses = await world.ask(*(row_request(one, world.keys[wrong_key(one)]) for one in rows))

    assert set(statuses) == {403}
    assert world.entered == []


async def test_a_key_of_just_that_scope_is_let_in(world: World) -> None:
    requests = [
        row_request(right, world.keys[scope])
        for right in world.rights
        for scope in (right.needs or ("read:health",))
    ]

    statuses = await world.ask(*requests)

    assert set(statuses) == {ENTERED}
    assert len(world.entered) == len(requests)


async def test_admin_is_let_in_everywhere(world: World) -> None:
    admin = world.keys["admin"]

    statuses = await world.ask(*(row_request(right, admin) for right in world.rights))

    assert set(statuses) == {ENTERED}


@pytest.mark.parametrize("holder", ["nobody", "stranger", "read:health"])
async def test_no_method_of_any_route_enters_what_the_caller_has_no_right_to(
    world: World, holder: str
) -> None:
    key = {"nobody": None, "stranger": "sk-omni-fake", **world.keys}[holder]
    paths = sorted({asked_as(right)[1] for right in world.rights})

    statuses = await world.ask(
        *(request(method, path, key) for path in paths for method in METHODS)
    )

    mine = {ANYONE} if holder != "read:health" else {ANYONE, ANY_KEY, ("read:health",)}
    assert {needs for needs, _ in world.entered} <= mine
    assert not [one for one in statuses if one >= 500 or one == 0]


def asgi_app(path: str) -> Route:
    async def answer(request: Request) -> Response:
        return Response(path)

    return Route(path, answer, methods=["GET", "POST"])


async def hot(exchange: Exchange) -> None:
    exchange.whole(200, b"", b"")


GUARD = Guard(hosts=("127.0.0.1",))
ONE = Gate(NOBODY, (Right("GET", "/x", ANYONE),))


def test_a_route_that_nobody_declared_is_not_built() -> None:
    for build in (
        lambda: build_app([asgi_app("/new")], ONE),
        # The other method of a declared route, too.
        lambda: build_app([asgi_app("/x")], ONE),
        lambda: build_app([Mount("/x", asgi_app("/new"))], ONE),
        lambda: Front(GUARD, ONE, hot={"/new": hot}, doors={}),
        lambda: Front(GUARD, ONE, hot={"/new/...": hot}, doors={}),
        lambda: Front(GUARD, ONE, hot={}, doors={"/x": build_app((), ONE)}),
        lambda: Front(GUARD, ONE, hot={}, doors={}, sockets={"/x": hot}),
    ):
        with pytest.raises(UndeclaredRoute):
            build()

    assert ONE.needs("GET", "/x") is ANYONE


def test_a_route_that_is_declared_in_two_ways_is_not_built() -> None:
    with pytest.raises(UndeclaredRoute, match="in two ways"):
        Gate(NOBODY, (Right("GET", "/x", ANYONE), Right("GET", "/x", ANY_KEY)))

    assert Gate(NOBODY, (Right("GET", "/x", ANYONE),) * 2).needs("GET", "/x") is ANYONE


HOT = [right for right in RIGHTS if right.method == "POST" and right.needs == ("write:route",)]


async def test_a_key_that_is_revoked_is_refused_on_the_connection_that_it_opened(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as composed, listening(composed) as port:
        keys = composed.parts.storage.keys
        await keys.create(KeyTerms(name="stays", scopes=("admin",)), actor="test")
        for right in HOT:
            terms = KeyTerms(name=right.path, scopes=("write:route",))
            made = await keys.create(terms, actor="test")
            sent = row_request(right, made.text)
            async with line(port) as send:
                before = [await send(sent) for _ in range(3)]
                await keys.revoke(made.stored.key_id, actor="test")
                after = [await send(sent) for _ in range(2)]

            assert len(set(before)) == 1
            assert before[0] not in (0, 401, 403), right
            assert after == [401, 401], right


async def test_a_key_that_is_made_is_let_in_on_the_connection_that_was_refused(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as composed, listening(composed) as port, line(port) as send:
        keys = composed.parts.storage.keys
        terms = KeyTerms(name="mine", scopes=("write:route",), enabled=False)
        made = await keys.create(terms, actor="test")
        sent = request("POST", "/v1/chat/completions", made.text)
        before = [await send(sent) for _ in range(3)]
        await keys.change(made.stored.key_id, lambda now: replace(now, enabled=True), actor="test")
        after = [await send(sent) for _ in range(3)]

    assert before == [401, 401, 401]
    assert after == [400, 400, 400]


async def test_the_page_of_a_gateway_that_needs_keys_names_no_provider(tmp_path: Path) -> None:
    variables = {"GROQ_API_KEY": "gsk-fake"}
    async with opened(tmp_path, **variables) as composed, client(composed) as anyone:
        before = (await anyone.get("/")).text
        await composed.parts.storage.keys.create(KeyTerms(name="one", scopes=("admin",)), actor="t")
        after = (await anyone.get("/")).text

    assert "groq" in before
    assert "groq" not in after


REFUSED_IN = {
    "/v1/chat/completions": ("error", "message"),
    "/v1/messages": ("error", "message"),
    "/v1/providers/sim/messages": ("error", "message"),
    "/v1beta/models/sim/fast:generateContent": ("error", "status"),
    "/mcp": ("error", "data"),
    "/a2a": ("error", "code"),
    "/api/keys": ("error", "message"),
}


async def test_what_is_refused_is_told_in_the_words_of_its_door(tmp_path: Path) -> None:
    always = {"OMNIROUTE_REQUIRE_KEY": "always"}
    async with opened(tmp_path, **always) as composed, client(composed) as anyone:
        told = {path: await anyone.post(path, json={}) for path in (*REFUSED_IN, "/api/chat")}
        told["/api/keys"] = await anyone.get("/api/keys")

    assert {answer.status_code for answer in told.values()} == {401}
    assert isinstance(told.pop("/api/chat").json()["error"], str)
    for path, (outer, inner) in REFUSED_IN.items():
        assert inner in told[path].json()[outer], path
        assert told[path].headers["www-authenticate"] == 'Bearer realm="omniroute"', path
    assert told["/v1/messages"].json()["type"] == "error"
    assert told["/v1/providers/sim/messages"].json()["type"] == "error"
    assert told["/mcp"].json()["jsonrpc"] == told["/a2a"].json()["jsonrpc"] == "2.0"
