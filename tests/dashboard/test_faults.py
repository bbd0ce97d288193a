"""The pages while the store fails: each says so in its place, and no form loses what was typed."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from html import escape
from pathlib import Path

import httpx2
import pytest

from omniroute.routing.errors import StorageUnavailable
from omniroute.server.compose import Composed
from omniroute.server.dashboard import door
from omniroute.server.store import sqlite
from omniroute.server.store.database import Rows, Statement, Step
from omniroute.server.store.sqlite import READERS, SqliteDatabase
from tests.dashboard.visiting import Visitor, hidden_of, words_of
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

KEYS, COMBOS, PROVIDERS = "/dashboard/keys", "/dashboard/combos", "/dashboard/providers"
READING = ("/dashboard/requests", COMBOS, PROVIDERS, "/dashboard/audit", "/dashboard")
SECRET = "sk-fake-0123456789abcdef"
TYPED = "<b>typed & kept</b>"
ESCAPED = "&lt;b&gt;typed &amp; kept&lt;/b&gt;"
NEXT = "`omniroute doctor` looks for the cause"
COMBO = {"do": "save", "name": "typed", "description": TYPED, "target": "sim/fast"}
ACCOUNT = {"provider": "openai", "name": "typed", "models": TYPED, "key": SECRET}
FORMS = {
    "a key": (KEYS, {"name": TYPED, "scopes": "agent", "models": "sim/*", "days": "2"}),
    "a budget": ("/dashboard/budgets", {"of": "local", "session": TYPED, "cap": "1.25"}),
    "a combo": (f"{COMBOS}/new", COMBO),
    "an account": (PROVIDERS, ACCOUNT),
}


@dataclass
class Place:
    gateway: Composed
    http: httpx2.AsyncClient
    visitor: Visitor

    async def get(self, path: str) -> httpx2.Response:
        headers = {"authorization": f"Bearer {self.gateway.token}"}
        return await self.http.get(path, headers=headers)

    async def stored(self) -> list[dict[str, object]]:
        names = ("keys", "budgets", "combos", "providers")
        return [await self.visitor.api(f"/api/{name}") for name in names]

    @contextmanager
    def locked(self) -> Iterator[None]:
        path = self.gateway.parts.settings.store_url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("COMMIT")


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        yield Place(gateway, http, Visitor(http, gateway.token))


@pytest.fixture
async def away(tmp_path: Path) -> AsyncIterator[Place]:
    """Give a gateway whose database is closed; it cannot note its own end there either."""
    with suppress(StorageUnavailable):
        async with opened(tmp_path) as gateway, client(gateway) as http:
            database = gateway.parts.storage.database
            assert isinstance(database, SqliteDatabase)
            database.close()
            yield Place(gateway, http, Visitor(http, gateway.token))


@pytest.mark.parametrize("path", READING)
async def test_a_page_whose_store_is_away_says_so_and_what_to_do_next(
    away: Place, path: str
) -> None:
    answer = await away.get(path)

    assert answer.status_code == 503
    assert NEXT in words_of(answer.text)
    assert 'role="alert"' in answer.text
    assert 'href="">Try again</a>' in answer.text
    assert "<nav" in answer.text


@pytest.mark.parametrize(("path", "typed"), FORMS.values(), ids=FORMS)
async def test_a_form_that_a_locked_store_refuses_comes_again_and_can_be_sent_later(
    place: Place, path: str, typed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_MS", 20)
    before = await place.stored()
    with place.locked():
        refused = await place.visitor.send(path, **typed)
    between = await place.stored()
    done = await place.visitor.send(path, **typed)

    assert refused.status_code == 503, words_of(refused.text)[:500]
    assert "locked" in words_of(refused.text)
    assert NEXT in words_of(refused.text)
    assert all(escape(one) in refused.text for name, one in typed.items() if name != "key")
    assert TYPED not in refused.text
    assert between == before
    assert done.status_code in (200, 303)


async def test_a_read_only_store_refuses_a_form_and_shows_its_pages(tmp_path: Path) -> None:
    with suppress(StorageUnavailable):
        async with opened(tmp_path) as gateway, client(gateway) as http:
            await gateway.parts.storage.database.write(Statement("PRAGMA query_only=ON"))
            visitor = Visitor(http, gateway.token)
            refused = await visitor.send(KEYS, **FORMS["a key"][1])
            shown = await visitor.open(KEYS)

    assert refused.status_code == 503, words_of(refused.text)[:500]
    assert "readonly" in words_of(refused.text)
    assert f'value="{ESCAPED}"' in refused.text
    assert "There is no key" in words_of(shown)


@pytest.mark.parametrize("path", [f"{COMBOS}/new", PROVIDERS])
async def test_what_was_typed_is_listed_when_its_page_cannot_be_shown_either(
    away: Place, path: str
) -> None:
    typed = next(told for where, told in FORMS.values() if where == path)
    refused = await away.visitor.send(path, **typed)

    assert refused.status_code == 503, words_of(refused.text)[:500]
    assert NEXT in words_of(refused.text)
    assert ESCAPED in refused.text
    assert all(escape(one) in refused.text for name, one in typed.items() if name != "key")


async def test_secrets_that_were_typed_are_not_listed_when_the_store_is_away(
    away: Place,
) -> None:
    refused = await away.visitor.send(PROVIDERS, **ACCOUNT)

    assert refused.status_code == 503, words_of(refused.text)[:500]
    assert ESCAPED in refused.text
    assert SECRET not in refused.text


async def test_a_thing_that_is_gone_does_not_take_what_was_typed_along(place: Place) -> None:
    page = await place.visitor.send(KEYS, **FORMS["a key"][1])
    key_id = place.gateway.parts.storage.keys.all()[0].key_id
    one = f"{KEYS}/{key_id}"
    await place.visitor.send(f"{one}/revoke")
    refused = await place.visitor.send(one, **FORMS["a key"][1])

    assert page.status_code == 200
    assert refused.status_code == 404
    assert hidden_of(refused.text, "name") == TYPED
    assert hidden_of(refused.text, "days") == "2"
    assert TYPED not in refused.text


async def test_a_slow_store_is_told_and_holds_up_no_page_that_does_not_ask_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, on = place.gateway.parts.storage.database, threading.Event()
    waits = threading.Semaphore(0)

    def stuck() -> Generator[Step, Rows, None]:
        waits.release()
        on.wait(60)
        yield Statement("SELECT 1")

    monkeypatch.setattr(door, "PAGE_S_MAX", 0.2)
    held = [asyncio.ensure_future(database.read(stuck)) for _ in range(READERS)]
    for _ in held:
        assert await asyncio.to_thread(waits.acquire, timeout=60)
    try:
        slow = await place.get("/dashboard/requests")
        other = await place.get("/dashboard/settings")
    finally:
        on.set()
        await asyncio.gather(*held)
    monkeypatch.undo()
    again = await place.get("/dashboard/requests")

    assert slow.status_code == 503
    assert "did not come within 0.2 s" in words_of(slow.text)
    assert NEXT in words_of(slow.text)
    assert (other.status_code, again.status_code) == (200, 200)
