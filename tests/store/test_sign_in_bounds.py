"""Sessions at each of their bounds: to the second, to the row, and where nothing is written."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing

import pytest

from omniroute.routing.errors import StorageUnavailable
from omniroute.server.store.database import Statement
from omniroute.server.store.sign_ins import SignIn, SignIns
from tests.fakes import FakeClock
from tests.store.failing import Failing
from tests.store.opened import Opened
from tests.store.signed_in import begun, seen_as

pytestmark = pytest.mark.anyio

HOUR_S = 3600.0
DAY_S = 86_400.0


@pytest.fixture
def sessions(sqlite_store: Opened, clock: FakeClock) -> SignIns:
    return SignIns(sqlite_store.database, sqlite_store.ring, sqlite_store.changes, clock)


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
