"""5,000 other spellings of every path: no handler is entered without its right."""

import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from omniroute.server.rights import ANY_KEY, ANYONE
from tests.rights.world import ENTERED, World, asked_as, line, request, whole

pytestmark = pytest.mark.anyio
SPELLINGS = 5_000
SEED = 20_260_930
PREFIXES = ("/v1", "/api", "/v1beta", "/codex", "/", "/.", "/..", "/health", "/a2a", "/mcp", "/x")
ENDS = ("/", "//", ".", "..", "/.", "/..", "%2f", "%20", "%00", ";", ";x", ";.json", ".json")
MORE_ENDS = ("?", "?key=sk-fake", "#", "%3f", "%23", "\\", "/%2e%2e", "/..;/", "~", "*", "%0d%0a")
Spell = Callable[[random.Random, str], str]


def other_case(chance: random.Random, path: str) -> str:
    return "".join(one.swapcase() if chance.random() < 0.3 else one for one in path)


def percent(chance: random.Random, path: str) -> str:
    """Write some characters, slashes and dots among them, as their codes, once or twice."""
    form = chance.choice(("%{:02x}", "%{:02X}", "%25{:02x}"))
    return "".join(
        form.format(ord(one)) if one != "%" and chance.random() < 0.2 else one for one in path
    )


def overlong(chance: random.Random, path: str) -> str:
    return path.replace("/", chance.choice(("%c0%af", "%e0%80%af", "%ef%bc%8f", "%5c", "\\")), 2)


def slashes(chance: random.Random, path: str) -> str:
    return "".join(one * chance.randint(1, 3) if one == "/" else one for one in path)


def dots(chance: random.Random, path: str) -> str:
    parts = path.split("/")
    parts.insert(chance.randint(1, len(parts)), chance.choice((".", "..", "%2e%2e", "x/..", ";x")))
    return "/".join(parts)


def between(chance: random.Random, path: str) -> str:
    parts = path.split("/")
    at = chance.randrange(len(parts))
    parts[at] += chance.choice((";x", ";jsessionid=1", ".", "%20", "%00", "%09", "%0a"))
    return "/".join(parts)


def before(chance: random.Random, path: str) -> str:
    return chance.choice(PREFIXES) + path


def after(chance: random.Random, path: str) -> str:
    return path + chance.choice(ENDS + MORE_ENDS)


def absolute(chance: random.Random, path: str) -> str:
    hosts = ("127.0.0.1", "localhost:20128", "evil.example", "127.0.0.1@evil.example", "")
    return chance.choice(("http", "https", "HTTP", "ftp")) + "://" + chance.choice(hosts) + path


WAYS: tuple[Spell, ...] = (
    *(other_case, percent, overlong, slashes, dots, between, before, after, absolute),
)
LINES = (
    (),
    ("host: evil.example",),
    ("x-original-url: /health",),
    ("x-rewrite-url: /health",),
    ("x-forwarded-prefix: /health",),
    ("x-forwarded-for: 127.0.0.1",),
    ("x-http-method-override: GET",),
    ("x-goog-api-client: x",),
)


def spelled(world: World) -> list[tuple[str, str, tuple[str, ...]]]:
    """Give a method, a spelling of a path and headers, so many times."""
    chance = random.Random(SEED)
    rows = [asked_as(right) for right in world.rights]
    made = []
    for number in range(SPELLINGS):
        method, path, more = rows[number % len(rows)]
        for way in chance.sample(WAYS, chance.choice((1, 1, 1, 2, 3))):
            path = way(chance, path)
        path = path.replace(" ", "%20")
        made.append((method, path, (*more, *chance.choice(LINES))))
    return made


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with whole(tmp_path, monkeypatch) as made:
        yield made


async def sent(world: World, key: str | None) -> list[int]:
    requests = [request(method, path, key, *more) for method, path, more in spelled(world)]
    return await world.ask(*requests)


async def test_no_spelling_enters_what_needs_a_key_without_one(world: World) -> None:
    statuses = await sent(world, None)

    assert {needs for needs, _ in world.entered} == {ANYONE}
    assert not [one for one in statuses if one >= 500]
    assert statuses.count(401) > SPELLINGS // 20


async def test_no_spelling_enters_what_the_key_has_no_scope_for(world: World) -> None:
    statuses = await sent(world, world.keys["read:quota"])

    assert {needs for needs, _ in world.entered} <= {ANYONE, ANY_KEY, ("read:quota",)}
    assert statuses.count(403) > SPELLINGS // 20


async def test_the_spellings_are_near_enough_to_be_answered_to_who_may(world: World) -> None:
    statuses = await sent(world, world.keys["admin"])

    assert statuses.count(ENTERED) == len(world.entered) > SPELLINGS // 10


async def test_a_second_host_is_refused_before_anything_is_looked_at(world: World) -> None:
    two = request("GET", "/health", None, "host: 127.0.0.1")
    none = b"GET /health HTTP/1.1\r\n\r\n"
    odd = [
        request("GET", "/health", host=host)
        for host in ("127.0.0.1/x", "127.0.0.1:1?x", "127.0.0.1#", "a@127.0.0.1", "127.0.0.1:x", "")
    ]

    statuses = await world.ask(two, none, *odd)

    assert statuses[:2] == [400, 400]
    assert set(statuses[2:]) <= {400, 421}
    assert world.entered == []


ASKED = {
    "/v1/chat/completions": "POST",
    "/v1/models": "GET",
    "/api/keys": "GET",
    "/mcp": "POST",
}


async def test_one_connection_may_ask_for_many_callers_and_each_is_judged(world: World) -> None:
    holders = ("admin", None, "read:models", "write:route", None, "admin")
    keys = [None if holder is None else world.keys[holder] for holder in holders]

    async with line(world.port) as send:
        statuses = {
            path: [await send(request(method, path, key)) for key in keys]
            for path, method in ASKED.items()
        }

    yes = ENTERED
    assert statuses == {
        "/v1/chat/completions": [yes, 401, 403, yes, 401, yes],
        "/v1/models": [yes, 401, yes, yes, 401, yes],
        "/api/keys": [yes, 401, 403, 403, 401, yes],
        "/mcp": [yes, 401, yes, yes, 401, yes],
    }
