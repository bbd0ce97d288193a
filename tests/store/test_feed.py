"""Requests as they happen, on both databases: none is passed over, and each key sees its own."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from omniroute.routing.errors import BadRequest, RateLimited
from omniroute.routing.model import Caller
from omniroute.server import feed as feeds
from omniroute.server.feed import Feed, Known
from omniroute.server.store.database import Database, Row, T, Unit
from tests.fakes import FakeClock
from tests.store.opened import Opened, open_store
from tests.store.outcomes import SNAPSHOT, refused
from tests.store.test_usage import at_once

pytestmark = pytest.mark.anyio

WAIT_S = 30.0
ADMIN = Caller("key-0", frozenset({"admin"}))
MINE = Caller("key-1", frozenset({"read:usage"}))


class Moving(FakeClock):
    """A clock that has moved on a second whenever somebody looks."""

    def now(self) -> float:
        self.now_s += 1.0
        return self.now_s


def shown(row: Row) -> object:
    return {"id": row["request_id"], "key": row["key_id"]}


class Watching:
    """One who watches, as a list of what came."""

    def __init__(self, events: AsyncGenerator[bytes]) -> None:
        self.events = events
        self.ids: list[str] = []
        self.last = ""
        self.state: dict[str, Any] = {}

    async def until(self, number: int) -> list[str]:
        """Wait until so many requests came."""
        async with asyncio.timeout(WAIT_S):
            while len(self.ids) < number:
                self._note(await anext(self.events))
        return self.ids

    async def until_lost(self) -> object:
        """Wait until something was lost."""
        async with asyncio.timeout(WAIT_S):
            while self.state.get("lost", 0) == 0:
                self._note(await anext(self.events))
        return self.state["lost"]

    async def end(self) -> None:
        """Wait for the end."""
        async with asyncio.timeout(WAIT_S):
            async for event in self.events:
                self._note(event)

    def _note(self, event: bytes) -> None:
        fields = dict(line.split(": ", 1) for line in event.decode().splitlines() if ": " in line)
        self.last = fields.get("id", self.last)
        match fields.get("event"):
            case "request":
                self.ids.append(msgspec.json.decode(fields["data"])["id"])
            case "state":
                self.state = msgspec.json.decode(fields["data"])


class Callers:
    """Who is known: all, until they are not."""

    def __init__(self) -> None:
        self.known = {one.key_id: one for one in (ADMIN, MINE)}

    def __call__(self, key_id: str) -> Caller | None:
        return self.known.get(key_id)


class Standing(FakeClock):
    """A clock of the loop's own time."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()


def feed_of(
    database: Database, callers: Callers | None = None, clock: FakeClock | None = None
) -> Feed:
    known = Known(calls=lambda: 3, still=callers or Callers(), shown=shown)
    return Feed(database, clock or Standing(), known, look_s=0.01)


async def stored(store: Opened, *names: str, key: str = "key-1") -> None:
    for name in names:
        store.ledger.record(at_once(name, key), SNAPSHOT)
    await store.ledger.flush()


@pytest.fixture
async def other(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> AsyncIterator[Opened]:
    """Another process on the same database."""
    async with open_store(database_url, tmp_path, clock) as other:
        yield other


async def test_requests_of_every_process_come_as_they_are_stored(
    store: Opened, other: Opened
) -> None:
    await stored(store, "r1", "r2")
    feed = feed_of(store.database)

    async with aclosing(await feed.watch(ADMIN)) as events:
        watching = Watching(events)
        before = list(await watching.until(2))
        await stored(other, "o1")
        store.ledger.record(refused("r3"), None)
        await store.ledger.flush()
        await watching.until(4)

    assert before == ["r1", "r2"]
    assert sorted(watching.ids[2:]) == ["o1", "r3"]
    assert watching.state == {"calls": 3, "lost": 0}
    assert feed.watching == 0


async def test_who_comes_back_gets_what_was_stored_meanwhile_and_nothing_twice(
    store: Opened, other: Opened
) -> None:
    await stored(store, "r1")
    feed = feed_of(store.database)
    async with aclosing(await feed.watch(ADMIN)) as events:
        first = Watching(events)
        await first.until(1)

    await stored(store, "r2", "r3")
    await stored(other, "o1")
    async with aclosing(await feed.watch(ADMIN, first.last)) as events:
        second = Watching(events)
        await second.until(3)
        await stored(store, "r4")
        await second.until(4)

    assert sorted(second.ids[:3]) == ["o1", "r2", "r3"]
    assert second.ids[3:] == ["r4"]


async def test_what_came_long_ago_and_is_stored_late_is_told(store: Opened) -> None:
    feed = feed_of(store.database)

    async with aclosing(await feed.watch(ADMIN)) as events:
        watching = Watching(events)
        await stored(store, "new")
        await watching.until(1)
        store.ledger.record(at_once("late", at_unix_s=1.0), SNAPSHOT)
        await store.ledger.flush()
        await watching.until(2)

    assert watching.ids == ["new", "late"]


async def test_a_key_is_told_of_its_own_requests_alone(store: Opened) -> None:
    feed = feed_of(store.database)

    async with aclosing(await feed.watch(MINE)) as events:
        watching = Watching(events)
        await stored(store, "theirs", key="key-2")
        await stored(store, "mine")
        await watching.until(1)

    assert watching.ids == ["mine"]
    assert watching.state == {"calls": None, "lost": 0}


async def test_two_who_watch_are_told_the_same_by_one_look(store: Opened) -> None:
    reads = 0

    class Counted:
        kind = store.database.kind
        submit = store.database.submit
        write = store.database.write

        async def read(self, unit: Unit[T]) -> T:
            nonlocal reads
            reads += 1
            return await store.database.read(unit)

    feed = feed_of(Counted())
    async with aclosing(await feed.watch(ADMIN)) as one, aclosing(await feed.watch(ADMIN)) as two:
        first, second = Watching(one), Watching(two)
        await stored(store, "r1")
        await asyncio.gather(first.until(1), second.until(1))
        number = feed.watching
    looked = reads
    await stored(store, "r2")

    assert first.ids == second.ids == ["r1"]
    assert number == 2
    assert reads == looked


async def test_who_takes_too_slowly_is_told_what_was_passed_over(
    store: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "LOOK_ROWS_MAX", 5)
    feed = feed_of(store.database)

    async with (
        aclosing(await feed.watch(ADMIN)) as events,
        aclosing(await feed.watch(MINE)) as others,
    ):
        watching, limited = Watching(events), Watching(others)
        await stored(store, "r0")
        await asyncio.gather(watching.until(1), limited.until(1))
        await stored(store, *(f"r{number}" for number in range(1, 21)))
        lost, hidden = await asyncio.gather(watching.until_lost(), limited.until_lost())

    assert lost == 15
    assert hidden is None


async def test_a_watch_ends_with_its_key_and_with_the_gateway(store: Opened) -> None:
    callers = Callers()
    feed = feed_of(store.database, callers, Moving())
    watching = Watching(await feed.watch(MINE))
    await stored(store, "r1")
    await watching.until(1)

    del callers.known["key-1"]
    await watching.end()
    another = Watching(await feed.watch(ADMIN))
    await another.until(1)
    feed.end()
    await another.end()
    late = Watching(await feed.watch(ADMIN))
    await late.end()

    assert feed.watching == 0
    assert late.ids == []


async def test_a_watch_does_not_last_for_ever(store: Opened) -> None:
    feed = feed_of(store.database, clock=Moving())

    watching = Watching(await feed.watch(ADMIN))
    await watching.end()

    assert feed.watching == 0


@pytest.mark.parametrize("after", ["x", "e30=x", "W10", "eyJhIjoieCJ9", "A" * 20_000])
async def test_an_id_that_is_none_of_the_feed_is_refused(store: Opened, after: str) -> None:
    with pytest.raises(BadRequest, match="after is the id of an event"):
        await feed_of(store.database).watch(ADMIN, after)


async def test_only_so_many_may_watch(store: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "WATCHING_MAX", 1)
    feed = feed_of(store.database)

    async with aclosing(await feed.watch(ADMIN)) as events:
        await stored(store, "r1")
        await Watching(events).until(1)
        with pytest.raises(RateLimited, match="close one of them"):
            await feed.watch(ADMIN)
