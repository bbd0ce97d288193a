"""Lists of the management API, walked page by page on SQLite and PostgreSQL."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from omniroute.server.compose import Composed
from tests.services import postgres, postgres_url
from tests.store.calls import called
from tests.v1.whole import client, opened

__all__ = ["postgres", "postgres_url"]

pytestmark = pytest.mark.anyio

COUNT = 5
WALKED_MAX = 300
A2A = {"jsonrpc": "2.0", "id": 1, "method": "message/send"}


@dataclass(frozen=True)
class Listed:
    """A list that is walked.

    Attributes:
        path: of the list.
        entries: where in the answer they are; the answer itself without.
        name: gives what tells one entry from another.
    """

    path: str
    entries: str
    name: Callable[[Any], object]


LISTS = (
    Listed("/api/keys", "keys", lambda one: one["key_id"]),
    Listed("/api/budgets", "budgets", lambda one: one["budget_id"]),
    Listed("/api/providers", "providers", lambda one: one["account_id"]),
    Listed("/api/combos", "combos", lambda one: one["combo_id"]),
    Listed("/api/combos/auto", "combos", lambda one: one["id"]),
    Listed("/api/aliases", "aliases", lambda one: one["name"]),
    Listed("/api/sessions", "sessions", lambda one: (one["sessionId"], one["target"])),
    Listed("/api/models", "models", lambda one: one["fullModel"]),
    Listed("/api/models/catalog", "catalog", lambda one: one),
    Listed("/api/requests", "requests", lambda one: one["request_id"]),
    Listed("/api/usage/call-logs", "", lambda one: one["id"]),
    Listed("/api/audit/log", "entries", lambda one: (one["action"], one["target"])),
    Listed("/api/mcp/audit", "entries", lambda one: one["id"]),
    Listed("/api/a2a/tasks", "tasks", lambda one: one["id"]),
)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> dict[str, str]:
    """The variables that name the database."""
    if request.param == "sqlite":
        return {}
    return {"OMNIROUTE_DATABASE_URL": str(request.getfixturevalue("postgres_url"))}


@asynccontextmanager
async def filled(folder: Path, **variables: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Give a client of a gateway whose lists all have at least COUNT entries."""
    async with (
        opened(folder, **variables) as gateway,
        client(gateway, authorization=f"Bearer {gateway.token}") as api,
    ):
        for number in range(COUNT):
            for path, body in made(number):
                named = {"x-omniroute-session": f"session {number}"}
                answer = await api.post(path, json=body, headers=named)
                assert answer.status_code < 300, answer.text
            alias = {"name": f"alias-{number}", "target": "sim/fast"}
            assert (await api.put("/api/aliases", json=alias)).status_code == 200
        keep_calls(gateway)
        yield api


def made(number: int) -> list[tuple[str, dict[str, Any]]]:
    models = [{"target": "sim/fast"}]
    budget = {"key_id": "local", "terms": {"cap_usd_nanos": 10**12}, "session": f"s{number}"}
    account = {
        "provider": "own",
        "base_url": f"https://own{number}.example/v1",
        "dialect": "openai_chat",
    }
    message = {"messageId": f"m{number}", "role": "user", "parts": [{"kind": "text", "text": "hi"}]}
    said = [{"role": "user", "content": "hi"}]
    return [
        ("/api/keys", {"name": f"key {number}"}),
        ("/api/budgets", budget),
        ("/api/providers", account),
        ("/api/combos", {"name": f"combo-{number}", "models": models}),
        ("/api/combos/auto", {"type": "auto", "id": f"auto-{number}", "name": "Auto"}),
        ("/v1/chat/completions", {"model": "sim/fast", "messages": said}),
        ("/a2a", {**A2A, "params": {"message": message}}),
    ]


def keep_calls(gateway: Composed) -> None:
    now = gateway.parts.clock.unix()
    for number in range(COUNT):
        # At the same moment: what tells them apart is their number alone.
        record = {"at_unix_s": now - 10 * (number % 2)}
        gateway.parts.storage.tool_calls.record(called(f"req_{number}", **record))


async def page(api: httpx2.AsyncClient, url: str, entries: str) -> tuple[list[Any], str | None]:
    """Give the entries of a page and the URL of the next one."""
    answer = await api.get(url)
    assert answer.status_code == 200, answer.text
    link = re.fullmatch('<(.+)>; rel="next"', answer.headers.get("link", ""))
    found = answer.json()
    listed = found[entries] if entries else found
    return list(listed), None if link is None else link[1]


async def walked(api: httpx2.AsyncClient, listed: Listed, limit: int, query: str = "") -> list[Any]:
    """Give all entries, as they come page by page."""
    found: list[Any] = []
    url: str | None = f"{listed.path}?limit={limit}{query}"
    for _ in range(WALKED_MAX):
        if url is None:
            return found
        entries, url = await page(api, url, listed.entries)
        assert len(entries) <= limit
        found += entries
    raise AssertionError("the list has no end")


async def test_every_list_is_walked_with_each_entry_once(
    database: dict[str, str], tmp_path: Path
) -> None:
    async with filled(tmp_path, **database) as api:
        for listed in LISTS:
            whole, _ = await page(api, listed.path, listed.entries)
            expected = [listed.name(one) for one in whole]
            for limit in (1, 2, COUNT):
                seen = [listed.name(one) for one in await walked(api, listed, limit)]

                assert len(seen) >= COUNT, listed.path
                assert sorted(map(str, seen)) == sorted(map(str, expected)), listed.path


async def test_backups_are_walked_from_the_newest_one(tmp_path: Path) -> None:
    listed = Listed("/api/db-backups", "backups", lambda one: one["id"])
    async with opened(tmp_path) as gateway, client(gateway, x_api_key=gateway.token) as api:
        made = [(await api.put(listed.path)).json()["backup"]["id"] for _ in range(3)]
        whole, _ = await page(api, listed.path, listed.entries)
        seen = await walked(api, listed, 1)
        none, _ = await page(api, f"{listed.path}?reason=scheduled", listed.entries)

    assert [listed.name(one) for one in seen] == made[::-1]
    assert (whole, none) == (seen, [])


async def test_sessions_are_walked_from_the_one_that_was_used_last(tmp_path: Path) -> None:
    listed = next(one for one in LISTS if one.path == "/api/sessions")
    async with filled(tmp_path) as api:
        whole, _ = await page(api, listed.path, listed.entries)
        first, url = await page(api, f"{listed.path}?limit=2", listed.entries)
        body = {"model": "sim/fast", "messages": [{"role": "user", "content": "hi"}]}
        named = {"x-omniroute-session": "session 4"}
        assert (await api.post("/v1/chat/completions", json=body, headers=named)).status_code == 200
        rest: list[Any] = []
        while url is not None:
            entries, url = await page(api, url, listed.entries)
            rest += entries

    assert [*first, *rest] == whole


async def test_what_is_removed_and_made_meanwhile_moves_no_other_entry(tmp_path: Path) -> None:
    async with filled(tmp_path) as api:
        first, url = await page(api, "/api/combos?limit=8", "combos")
        names = [one["name"] for one in first]
        removed = [name for name in names if name.startswith("combo-")]
        for name in removed:
            assert (await api.delete(f"/api/combos/{name}")).status_code == 204
        body = {"name": "aaa", "models": [{"target": "sim/fast"}]}
        assert (await api.post("/api/combos", json=body)).status_code == 201
        rest: list[str] = []
        while url is not None:
            entries, url = await page(api, url, "combos")
            rest += [one["name"] for one in entries]
        left, _ = await page(api, "/api/combos", "combos")

    assert removed
    assert sorted([*names, *rest, "aaa"]) == sorted([*(one["name"] for one in left), *removed])


async def test_a_new_request_does_not_shift_the_pages_of_older_ones(tmp_path: Path) -> None:
    listed = next(one for one in LISTS if one.path == "/api/requests")
    async with filled(tmp_path) as api:
        before = [listed.name(one) for one in await walked(api, listed, 100)]
        first, url = await page(api, "/api/requests?limit=2", "requests")
        body = {"model": "sim/fast", "messages": [{"role": "user", "content": "hi"}]}
        await api.post("/v1/chat/completions", json=body)
        second, _ = await page(api, url or "", "requests")

    assert [listed.name(one) for one in (*first, *second)] == before[:4]


FILTERS: tuple[tuple[str, str, str, set[str]], ...] = (
    ("/api/combos?strategy=auto", "combos", "strategy", {"auto"}),
    ("/api/combos?active=false", "combos", "active", set()),
    ("/api/providers?source=database", "providers", "source", {"database"}),
    ("/api/providers?provider=own&enabled=true", "providers", "provider", {"own"}),
    ("/api/keys?name=key%203", "keys", "name", {"key 3"}),
    ("/api/aliases?target=sim/fast", "aliases", "target", {"sim/fast"}),
    ("/api/budgets?state=exhausted", "budgets", "state", set()),
    ("/api/timings?model=fast", "timings", "model", {"fast"}),
    ("/api/models?provider=sim&available=true", "models", "provider", {"sim"}),
    ("/api/models?available=false", "models", "available", set()),
)


async def test_a_filter_leaves_what_is_asked_for(tmp_path: Path) -> None:
    async with filled(tmp_path) as api:
        for path, entries, field, values in FILTERS:
            found, _ = await page(api, path, entries)

            assert {one[field] for one in found} == values, path


async def test_a_filter_leaves_what_is_asked_for_of_a_map(tmp_path: Path) -> None:
    async with filled(tmp_path) as api:
        active = (await api.get("/api/models/catalog?active=true")).json()["catalog"]
        one = (await api.get("/api/models/catalog?provider=anthropic&limit=1")).json()["catalog"]

    assert active
    assert {entry["active"] for entry in active.values()} == {True}
    assert [entry["provider"] for entry in one.values()] == ["anthropic"]


async def test_filters_hold_on_every_page(tmp_path: Path) -> None:
    listed = next(one for one in LISTS if one.path == "/api/providers")
    async with filled(tmp_path) as api:
        found = await walked(api, listed, 2, "&provider=own")

    assert [one["provider"] for one in found] == ["own"] * COUNT


NO_CURSORS = ("x", "W10", "bnVsbA", "WzEsMiwzLDQsNV0", "%ff", "W1tbW1tb", "A" * 3000, "eyJhIjoxfQ")


async def test_what_is_no_cursor_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway, x_api_key=gateway.token) as api:
        for path in ("/api/requests", "/api/audit/log", "/api/a2a/tasks", "/api/usage/call-logs"):
            for cursor in NO_CURSORS:
                answer = await api.get(f"{path}?cursor={cursor}")

                assert answer.status_code == 400, f"{path} {cursor[:20]}"
                assert answer.json()["error"]["param"] == "cursor"


async def test_a_key_walks_its_own_requests_alone(tmp_path: Path) -> None:
    listed = next(one for one in LISTS if one.path == "/api/requests")
    async with filled(tmp_path) as api:
        wish = {"name": "reader", "scopes": ["read:usage", "write:route"]}
        key = (await api.post("/api/keys", json=wish)).json()
        mine = {"authorization": f"Bearer {key['secret']}"}
        body = {"model": "sim/fast", "messages": [{"role": "user", "content": "hi"}]}
        for _ in range(3):
            await api.post("/v1/chat/completions", json=body, headers=mine)
        _, url = await page(api, "/api/requests?limit=1", "requests")
        api.headers.update(mine)
        own = await walked(api, listed, 1)
        # The cursor of another key tells where to begin, and shows nothing of that key.
        with_theirs, _ = await page(api, url or "", "requests")

    assert {one["key_id"] for one in (*own, *with_theirs)} == {key["key"]["key_id"]}
    assert len(own) == 3
