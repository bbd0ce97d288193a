"""The dashboard's password as one process has read it, and whom a change of it signs out."""

import asyncio

import pytest

from omniroute.routing.access import OWNER
from omniroute.server.store.passwords import Passwords, StoredPassword
from omniroute.server.store.sign_ins import SignIns
from tests.fakes import FakeClock
from tests.store.failing import Held
from tests.store.opened import Opened
from tests.store.signed_in import begun, seen_as

pytestmark = pytest.mark.anyio

WAIT_S = 30.0


@pytest.fixture
def sessions(sqlite_store: Opened, clock: FakeClock) -> SignIns:
    return SignIns(sqlite_store.database, sqlite_store.ring, sqlite_store.changes, clock)


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
