"""Sign-ins at each of their bounds: to the second, to the row, and where nothing is written."""

import asyncio
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from omniroute.routing.access import OWNER
from omniroute.routing.errors import StorageUnavailable
from omniroute.server.store.database import Database, Statement, Unit
from omniroute.server.store.passwords import Passwords, StoredPassword
from omniroute.server.store.sign_in_locks import OF_ALL, OF_ONE, Attempt, Locks, Terms
from omniroute.server.store.sign_ins import NewCookie, SignIn, SignIns
from tests.fakes import FakeClock
from tests.store.opened import Opened

pytestmark = pytest.mark.anyio

HOUR_S = 3600.0
DAY_S = 86_400.0
WAIT_S = 30.0


@dataclass
class Failing:
    """A database that can be read and, from some moment on, not written; or not even read."""

    real: Database
    writes: bool = True
    reads: bool = True
    written: int = 0
    kind: Literal["sqlite", "postgres"] = "sqlite"

    def submit(self, unit: Unit[Any]) -> "asyncio.Future[Any]":
        return self.real.submit(unit)

    async def write(self, unit: Unit[Any]) -> Any:
        if not self.writes:
            raise StorageUnavailable("the disk is full")
        self.written += 1
        return await self.real.write(unit)

    async def read(self, unit: Unit[Any]) -> Any:
        if not self.reads:
            raise StorageUnavailable("the database does not answer")
        return await self.real.read(unit)


@dataclass
class Held(Failing):
    """A database whose next reading is held back after it has read."""

    read_once: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, unit: Unit[Any]) -> Any:
        found = await self.real.read(unit)
        if not self.read_once.is_set():
            self.read_once.set()
            await self.go_on.wait()
        return found


@pytest.fixture
def sessions(sqlite_store: Opened, clock: FakeClock) -> SignIns:
    return SignIns(sqlite_store.database, sqlite_store.ring, sqlite_store.changes, clock)


@pytest.fixture
def locks(sqlite_store: Opened, clock: FakeClock) -> Locks:
    return Locks(sqlite_store.database, sqlite_store.changes, clock)


async def begun(sessions: SignIns, key_id: str = "abc") -> NewCookie:
    return await sessions.begin(key_id, ("b", "a"), address="10.0.0.1", agent="Browser/1")


async def seen_as(sessions: SignIns, cookie: NewCookie) -> str:
    """Give what a cookie stands for, in a word."""
    found = await sessions.find(cookie.text)
    if found is None:
        return "nobody"
    return "open" if found.is_open else "over"


async def test_a_session_is_kept_as_it_began(sessions: SignIns, clock: FakeClock) -> None:
    began_s = clock.unix()
    cookie = await begun(sessions)
    clock.advance(5)

    found = await sessions.find(cookie.text)

    assert found is not None
    assert found.sign_in == SignIn(
        session_id=cookie.session_id,
        key_id="abc",
        scopes="a b",
        made_unix_s=began_s,
        seen_unix_s=began_s,
        ends_unix_s=began_s + 7 * DAY_S,
        ended_unix_s=None,
        address="10.0.0.1",
        agent="Browser/1",
    )
    assert cookie.text not in repr(cookie)


async def test_a_session_that_is_over_says_whose_it_was_and_when(
    sessions: SignIns, clock: FakeClock
) -> None:
    cookie = await begun(sessions)
    clock.advance(100)
    ended = await sessions.end(cookie.session_id, actor="abc")
    clock.advance(100)

    found = await sessions.find(cookie.text)

    assert ended is True
    assert found is not None
    assert (found.is_open, found.is_newest) == (False, True)
    assert found.sign_in.ended_unix_s == clock.unix() - 100
    assert found.sign_in.key_id == "abc"
    assert await sessions.end(cookie.session_id, actor="abc") is False
    assert await sessions.end("nobodys", actor="abc") is False


async def test_eight_hours_without_a_request_end_a_session(
    sessions: SignIns, clock: FakeClock
) -> None:
    early, late = await begun(sessions), await begun(sessions)

    clock.advance(8 * HOUR_S - 1)
    first = await seen_as(sessions, early)
    clock.advance(1)

    assert first == "open"
    assert await seen_as(sessions, late) == "over"
    assert await seen_as(sessions, early) == "open"


async def test_seven_days_end_a_session_that_is_always_used(
    sessions: SignIns, clock: FakeClock
) -> None:
    cookie = await begun(sessions)
    for _ in range(27):
        clock.advance(6 * HOUR_S)
        assert await seen_as(sessions, cookie) == "open"
    clock.advance(6 * HOUR_S - 1)

    last = await seen_as(sessions, cookie)
    clock.advance(1)

    assert last == "open"
    assert await seen_as(sessions, cookie) == "over"


@pytest.mark.parametrize(("idle_s", "exact_s"), [(8 * HOUR_S, 60.0), (100.0, 25.0)])
async def test_when_a_session_was_used_is_kept_to_the_minute_or_closer(
    sessions: SignIns, clock: FakeClock, idle_s: float, exact_s: float
) -> None:
    sessions.idle_s = idle_s
    cookie, began_s = await begun(sessions), clock.unix()

    clock.advance(exact_s - 1)
    await sessions.find(cookie.text)
    [before] = await sessions.open()
    clock.advance(1)
    await sessions.find(cookie.text)
    [after] = await sessions.open()

    assert before.seen_unix_s == began_s
    assert after.seen_unix_s == began_s + exact_s


async def test_a_session_that_is_over_is_not_noted_as_used(
    sqlite_store: Opened, clock: FakeClock
) -> None:
    database = Failing(sqlite_store.database)
    sessions = SignIns(database, sqlite_store.ring, sqlite_store.changes, clock)
    cookie = await begun(sessions)
    clock.advance(8 * HOUR_S)

    told = await seen_as(sessions, cookie)

    assert told == "over"
    assert database.written == 0


async def test_a_session_lets_in_while_nothing_can_be_written_and_fails_aloud_unread(
    sqlite_store: Opened, clock: FakeClock
) -> None:
    database = Failing(sqlite_store.database)
    sessions = SignIns(database, sqlite_store.ring, sqlite_store.changes, clock)
    cookie = await begun(sessions)
    clock.advance(HOUR_S)
    database.writes = False

    told = await seen_as(sessions, cookie)
    database.reads = False
    with pytest.raises(StorageUnavailable):
        await sessions.find(cookie.text)

    assert told == "open"
    # What has not the shape of one is not asked for.
    assert await sessions.find("x") is None


async def test_the_cookie_before_stays_good_for_twenty_seconds(
    sessions: SignIns, clock: FakeClock
) -> None:
    old = await begun(sessions)
    found = await sessions.find(old.text)
    assert found is not None
    new = await sessions.renew(found.sign_in, ("z", "y"))
    assert new is not None

    clock.advance(19)
    both = [await seen_as(sessions, one) for one in (old, new)]
    wrong = [await sessions.find(one.text[:-4] + "abcd") for one in (old, new)]
    clock.advance(1)

    assert both == ["open", "open"]
    assert wrong == [None, None]
    assert [await seen_as(sessions, one) for one in (old, new)] == ["nobody", "open"]
    [sign_in] = await sessions.open()
    assert (new.session_id, sign_in.scopes) == (old.session_id, "y z")


async def test_a_cookie_of_a_lost_pepper_is_nobodys(
    sessions: SignIns, sqlite_store: Opened
) -> None:
    cookie = await begun(sessions)
    lose = Statement("UPDATE dashboard_sessions SET pepper_id = 'lost'")

    await sqlite_store.database.write(lose)

    assert await seen_as(sessions, cookie) == "nobody"


def many(url: str, rows: Iterable[tuple[str, float]]) -> None:
    """Put sessions into the database: the id of each, and when it was last used."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file, file:
        file.executemany(
            "INSERT INTO dashboard_sessions (session_id, digest, pepper_id, key_id, scopes, "
            "made_unix_s, seen_unix_s, ends_unix_s, address, agent) "
            "VALUES (?, x'00', 'p', 'abc', '', 1, ?, 9e9, '', '')",
            rows,
        )


async def test_five_hundred_sessions_are_listed_at_most_and_removed_at_once(
    sessions: SignIns, sqlite_url: str, clock: FakeClock
) -> None:
    now = clock.unix()
    many(sqlite_url, ((f"session-{number:04}", now - number) for number in range(501)))

    listed = [one.session_id for one in await sessions.open()]
    removed = [await sessions.prune(now_unix_s=now + 40 * DAY_S) for _ in range(3)]

    assert listed == [f"session-{number:04}" for number in range(500)]
    assert removed == [500, 1, 0]


async def test_a_session_stays_on_record_for_thirty_days_after_its_end(
    sessions: SignIns, clock: FakeClock
) -> None:
    cookie = await begun(sessions)
    await sessions.end(cookie.session_id, actor="abc")
    at_s = clock.unix()

    removed = [await sessions.prune(now_unix_s=at_s + 30 * DAY_S + late) for late in (0, 1)]

    assert removed == [0, 1]


async def test_signing_in_and_out_are_on_record_with_where_and_whose(
    sessions: SignIns, sqlite_store: Opened, clock: FakeClock
) -> None:
    cookie = await begun(sessions)
    for act in (
        sessions.end(cookie.session_id, actor="otto"),
        sessions.end_all(actor="otto", of="abc"),
        sessions.end_all(actor="otto"),
    ):
        clock.advance(1)
        await act

    told = await sqlite_store.audit.recent(limit=9)

    assert [(one.actor, one.action, one.target) for one in told] == [
        ("otto", "dashboard.sign_out_all", "all"),
        ("otto", "dashboard.sign_out_all", "abc"),
        ("otto", "dashboard.sign_out", cookie.session_id),
        ("abc", "dashboard.sign_in", cookie.session_id),
    ]
    assert "10.0.0.1" in told[-1].detail


@pytest.mark.parametrize(
    ("terms", "waits"),
    [
        (OF_ONE, {4: 0, 5: 30, 6: 60, 9: 480, 10: 900, 11: 900, 10**6: 900}),
        (OF_ALL, {49: 0, 50: 1, 51: 2, 55: 32, 56: 60, 10**6: 60}),
        (Terms(free=0, first_s=1.0, most_s=1e12), {0: 1, 30: 2**30, 31: 2**30, 10**6: 2**30}),
    ],
)
def test_each_failure_beyond_the_free_ones_doubles_the_wait(
    terms: Terms, waits: dict[int, float]
) -> None:
    assert {failures: terms.wait_s(failures) for failures in waits} == waits


async def test_an_attempt_says_what_it_counted_and_what_it_locks(
    locks: Locks, clock: FakeClock
) -> None:
    four = [await locks.attempt("10.0.0.1", is_here=False) for _ in range(4)]
    fifth = await locks.attempt("10.0.0.1", is_here=False)
    clock.advance(29)
    early = await locks.attempt("10.0.0.1", is_here=False)
    clock.advance(1)
    sixth = await locks.attempt("10.0.0.1", is_here=False)
    here = await locks.attempt("127.0.0.1", is_here=True)

    assert four == [Attempt("10.0.0.1", in_total=True)] * 4
    assert fifth == Attempt("10.0.0.1", 0.0, ("10.0.0.1",), 30.0, in_total=True)
    assert early == Attempt("10.0.0.1", 1.0)
    assert sixth == Attempt("10.0.0.1", 0.0, (), 60.0, in_total=True)
    assert here == Attempt("127.0.0.1")


async def test_all_together_wait_from_the_fiftieth_failure_on(
    locks: Locks, clock: FakeClock
) -> None:
    first = [await locks.attempt(f"10.0.0.{number}", is_here=False) for number in range(49)]
    last = await locks.attempt("10.0.1.1", is_here=False)
    refused = await locks.attempt("10.0.1.2", is_here=False)
    here = await locks.attempt("10.0.1.2", is_here=True)
    clock.advance(1)
    after = await locks.attempt("10.0.1.2", is_here=False)

    assert {one.lock_s for one in first} == {0.0}
    assert last == Attempt("10.0.1.1", 0.0, ("all",), 1.0, in_total=True)
    assert refused == Attempt("10.0.1.2", 1.0)
    assert here == Attempt("10.0.1.2")
    assert (after.wait_s, after.lock_s) == (0.0, 2.0)


async def test_the_longer_wait_is_told_where_an_address_and_all_are_locked(
    locks: Locks, sqlite_store: Opened
) -> None:
    for number in range(45):
        await locks.attempt(f"10.0.0.{number}", is_here=False)
    attempts = [await locks.attempt("10.0.1.1", is_here=False) for _ in range(5)]

    await locks.failed(attempts[-1])

    assert attempts[-1] == Attempt("10.0.1.1", 0.0, ("10.0.1.1", "all"), 30.0, in_total=True)
    told = await sqlite_store.audit.recent(limit=9)
    assert {(one.actor, one.action, one.target) for one in told} == {
        ("dashboard", "dashboard.lock", "10.0.1.1"),
        ("dashboard", "dashboard.lock", "all"),
    }
    assert all("30" in one.detail for one in told)


async def test_whoever_signs_in_is_taken_out_of_the_total_once(
    locks: Locks, clock: FakeClock
) -> None:
    for number in range(48):
        await locks.attempt(f"10.0.0.{number}", is_here=False)
    mine = await locks.attempt("10.0.1.1", is_here=False)

    await locks.succeeded(mine)
    here = await locks.attempt("127.0.0.1", is_here=True)
    await locks.succeeded(here)
    again = await locks.attempt("10.0.1.2", is_here=False)
    fiftieth = await locks.attempt("10.0.1.3", is_here=False)

    assert (again.locks, fiftieth.locks) == ((), ("all",))


async def test_failures_are_forgotten_an_hour_after_the_last(
    locks: Locks, clock: FakeClock
) -> None:
    for address in ("10.0.0.1", "10.0.0.2"):
        for _ in range(4):
            await locks.attempt(address, is_here=True)

    clock.advance(3600)
    still = await locks.attempt("10.0.0.1", is_here=True)
    clock.advance(0.5)
    no_more = await locks.attempt("10.0.0.2", is_here=True)

    assert (still.locks, no_more.locks) == (("10.0.0.1",), ())


async def test_five_hundred_forgotten_addresses_are_removed_at_once(
    locks: Locks, sqlite_url: str, clock: FakeClock
) -> None:
    now = clock.unix()
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as file, file:
        file.executemany(
            "INSERT INTO sign_in_failures (source, failures, last_unix_s, until_unix_s) "
            "VALUES (?, 1, ?, ?)",
            [
                *((f"10.0.{one // 250}.{one % 250}", now, 0.0) for one in range(501)),
                ("waits", now, now + 9000),
            ],
        )

    removed = [await locks.prune(now_unix_s=now + late) for late in (3600, 3601, 3602, 3603, 9001)]

    assert removed == [0, 500, 1, 0, 1]


async def test_the_password_is_read_as_it_was_set(sqlite_store: Opened, clock: FakeClock) -> None:
    passwords = Passwords(sqlite_store.database, sqlite_store.changes)
    unread = (passwords.version, passwords.stored)

    done = await passwords.put("hash-1", actor="otto")
    first, version = passwords.stored, passwords.version
    clock.advance(5)
    await passwords.put("hash-2", actor="maria")

    assert unread == (-1, None)
    assert done is True
    assert first == StoredPassword("hash-1", clock.unix() - 5, "otto")
    assert passwords.stored == StoredPassword("hash-2", clock.unix(), "maria")
    assert passwords.version == version + 1
    assert "hash-2" not in repr(passwords.stored)


async def test_a_reading_of_the_password_that_was_overtaken_changes_nothing(
    sqlite_store: Opened,
) -> None:
    real = Passwords(sqlite_store.database, sqlite_store.changes)
    await real.put("hash-1", actor="otto")
    held = Held(sqlite_store.database)
    slow = Passwords(held, sqlite_store.changes)

    async with asyncio.timeout(WAIT_S):
        reading = asyncio.create_task(slow.load())
        await held.read_once.wait()
        await real.put("hash-2", actor="otto")
        await slow.load()
        held.go_on.set()
        await reading

    assert slow.stored is not None
    assert (slow.stored.hashed, slow.version) == ("hash-2", real.version)


async def test_a_password_that_could_not_be_removed_ends_no_session(
    sessions: SignIns, sqlite_store: Opened, clock: FakeClock
) -> None:
    passwords = Passwords(sqlite_store.database, sqlite_store.changes)
    owner, other = await begun(sessions, OWNER), await begun(sessions)

    nothing = [
        await passwords.remove(actor="otto"),
        await passwords.put("hash-1", actor="otto", only_first=True),
        await passwords.put("hash-2", actor="otto", only_first=True),
    ]
    again = await begun(sessions, OWNER)
    kept = await passwords.put("hash-3", actor="otto", only_first=True)

    assert nothing == [False, True, False]
    assert kept is False
    assert passwords.stored is not None
    assert passwords.stored.hashed == "hash-1"
    assert [await seen_as(sessions, one) for one in (owner, other, again)] == [
        *("over", "open", "open"),
    ]


async def test_whoever_had_signed_in_is_signed_out_when_the_password_changes(
    sessions: SignIns, sqlite_store: Opened, clock: FakeClock
) -> None:
    passwords = Passwords(sqlite_store.database, sqlite_store.changes)
    cookies = [await begun(sessions, OWNER)]
    await passwords.put("hash-1", actor="otto")
    cookies.append(await begun(sessions, OWNER))
    removed = await passwords.remove(actor="otto")
    found = await sessions.find(cookies[1].text)

    assert removed is True
    assert passwords.stored is None
    assert [await seen_as(sessions, one) for one in cookies] == ["over", "over"]
    assert found is not None
    assert found.sign_in.ended_unix_s == clock.unix()
