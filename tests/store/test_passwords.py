"""The dashboard's password as it is kept, on every database."""

import pytest

from omniroute.routing.access import OWNER
from omniroute.server.store.passwords import Passwords
from omniroute.server.store.sign_ins import SignIns
from tests.fakes import FakeClock
from tests.store.opened import Opened

pytestmark = pytest.mark.anyio


@pytest.fixture
def passwords(store: Opened) -> Passwords:
    return Passwords(store.database, store.changes)


async def test_there_is_none_until_one_is_set_and_none_when_it_is_removed(
    passwords: Passwords, store: Opened
) -> None:
    await passwords.load()
    first = passwords.stored
    assert await passwords.put("hash-1", actor="abc")
    second = passwords.stored
    assert await passwords.remove(actor="abc")
    again = await passwords.remove(actor="abc")

    assert (first, passwords.stored, again) == (None, None, False)
    assert second is not None
    assert (second.hashed, second.changed_by) == ("hash-1", "abc")
    told = await store.audit.recent(limit=10)
    assert [(one.action, one.target, one.detail) for one in told] == [
        ("password.remove", "dashboard", "{}"),
        ("password.set", "dashboard", "{}"),
    ]


async def test_another_process_has_it_when_it_reads_again(
    passwords: Passwords, store: Opened
) -> None:
    other = Passwords(store.database, store.changes)
    await other.load()
    await passwords.put("hash-1", actor="abc")
    before = other.stored
    await other.load()

    assert before is None
    assert other.stored == passwords.stored
    assert other.version == passwords.version


async def test_the_first_password_replaces_none(passwords: Passwords) -> None:
    first = await passwords.put("hash-1", actor="start", only_first=True)
    second = await passwords.put("hash-2", actor="start", only_first=True)

    assert (first, second) == (True, False)
    assert passwords.stored is not None
    assert passwords.stored.hashed == "hash-1"


async def test_whoever_signed_in_with_the_one_before_is_signed_out(
    passwords: Passwords, store: Opened
) -> None:
    sessions = SignIns(store.database, store.ring, store.changes, FakeClock())

    async def left() -> list[str]:
        return [one.key_id for one in await sessions.open()]

    for _ in range(2):
        await sessions.begin(OWNER, (), address="", agent="")
        await sessions.begin("abc", (), address="", agent="")
        await passwords.put("hash-1", actor="abc")
    after_put = await left()
    await sessions.begin(OWNER, (), address="", agent="")
    await passwords.remove(actor="abc")

    assert after_put == ["abc", "abc"]
    assert await left() == ["abc", "abc"]
