"""The key ring over its life: everything works through a rotation, and without the old key."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from omniroute.routing.errors import BadRequest, Conflict, NotFound
from omniroute.routing.model import Account
from omniroute.server.store.database import CannotOpenStore, Statement
from omniroute.server.store.key_terms import KeyTerms
from omniroute.server.store.keyring import KeyRing, RetiredKey, open_key_ring
from omniroute.server.store.rings import Rings
from omniroute.server.store.vault import sealed_with
from tests.fakes import FakeClock, account

from .opened import Opened, open_store
from .test_pushes import ENDED, TOLD, subscribed

pytestmark = pytest.mark.anyio

SECRET = "sk-fake-credential"
TERMS = KeyTerms("laptop", ("write:route",))


def one_account(number: int = 1) -> Account:
    return replace(account(f"{number:03}"), credential=f"{SECRET}-{number}")


def credentials(store: Opened) -> list[str | None]:
    return [one.credential for one in store.configs.current().accounts]


def ids(ring: KeyRing) -> list[str]:
    return [key.key_id for key in ring.keys]


async def sealed_by(store: Opened) -> set[str]:
    """Give the ids of all keys that anything is sealed with."""
    rows = [
        *await store.database.read(Statement("SELECT secret FROM accounts")),
        *await store.database.read(Statement("SELECT secret FROM task_subscriptions")),
        *await store.database.read(Statement("SELECT secret FROM request_contents")),
        *await store.database.read(Statement("SELECT secret FROM ring_keys")),
    ]
    return {sealed_with(bytes(row["secret"])) for row in rows if row["secret"] is not None}


async def polled(store: Opened) -> None:
    """Have a process do all that it does in the background."""
    if await store.configs.poll():
        await store.keys.load()
    for _ in range(20):
        await store.rings.poll()


async def test_everything_works_after_three_rotations_without_the_old_keys(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    await store.configs.put_account(one_account(), actor="test")
    await subscribed(store)
    await store.tasks.move(ENDED, "one")
    key = await store.keys.create(TERMS, actor="test")
    first = ids(store.ring)

    for _ in range(3):
        oldest = store.ring.keys[-1].key_id
        await store.rings.add(actor="maria")
        await store.rings.retire(oldest, actor="maria")
    await store.keys.load()

    assert not {*ids(open_key_ring(tmp_path, {}))} & {*first}
    assert store.keys.check(key.text) is not None
    async with open_store(database_url, tmp_path, clock) as later:
        assert credentials(later) == [f"{SECRET}-1"]
        assert later.keys.check(key.text) is not None
        assert later.configs.problems == ()
        assert (await later.audit.verify()).faults == ()
        assert later.configs.current().seed == store.configs.current().seed
        [owed] = await later.pushes.due(now_unix_s=clock.unix() + 100, most=10)
        assert (owed.subscription.token, owed.subscription.credentials) == (
            *(TOLD.token,),
            TOLD.credentials,
        )
        assert await sealed_by(later) == {later.ring.newest.key_id}


async def test_secrets_are_sealed_anew_in_the_background(store: Opened) -> None:
    for number in range(250):
        await store.configs.put_account(one_account(number), actor="test")
    await polled(store)
    newest = await store.rings.add(actor="maria")

    await polled(store)

    assert await sealed_by(store) == {newest}
    [told, *_] = await store.audit.recent(limit=1)
    assert (told.actor, told.action, told.target) == ("system", "secrets.reseal", newest)
    assert told.detail == '{"secrets": 250}'
    await store.configs.load()
    assert sorted(filter(None, credentials(store))) == sorted(
        f"{SECRET}-{number}" for number in range(250)
    )


async def test_what_cannot_be_opened_stays_and_the_rest_is_sealed_anew(store: Opened) -> None:
    for number in (1, 2, 3):
        await store.configs.put_account(one_account(number), actor="test")
    await store.database.write(
        Statement("UPDATE accounts SET secret = $1 WHERE account_id = 'acc-002'", (b"broken",))
    )
    await store.rings.add(actor="maria")

    assert await store.rings.reseal() == 2
    assert await store.rings.reseal() == 0

    await store.configs.load()
    assert credentials(store) == [f"{SECRET}-1", None, f"{SECRET}-3"]
    assert "acc-002" in store.configs.problems[0]


async def test_a_secret_that_changes_while_it_is_sealed_anew_is_the_new_one(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    for number in range(40):
        await store.configs.put_account(one_account(number), actor="test")
    async with open_store(database_url, tmp_path, clock) as other:
        await store.rings.add(actor="maria")

        async with asyncio.TaskGroup() as group:
            for number in range(40):
                changed = replace(one_account(number), credential=f"{SECRET}-changed")
                group.create_task(other.configs.put_account(changed, actor="test"))
            group.create_task(store.rings.reseal())

    await store.configs.load()
    assert {*credentials(store)} == {f"{SECRET}-changed"}


async def test_another_process_goes_on_through_a_rotation_that_it_did_not_make(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    key = await store.keys.create(TERMS, actor="test")
    await store.configs.put_account(one_account(1), actor="test")
    oldest = store.ring.newest.key_id
    async with open_store(database_url, tmp_path, clock) as other:
        await store.rings.add(actor="maria")
        await store.rings.retire(oldest, actor="maria")
        made = await store.keys.create(TERMS, actor="test")
        await polled(other)

        assert other.keys.check(key.text) is not None
        assert other.keys.check(made.text) is not None
        assert credentials(other) == [f"{SECRET}-1"]
        assert other.ring.newest == store.ring.newest
        assert other.ring.leaving == ()
        assert (await other.audit.verify()).faults == ()


async def test_another_process_seals_with_a_key_that_it_did_not_add(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with open_store(database_url, tmp_path, clock) as other:
        newest = await store.rings.add(actor="maria")
        await other.configs.poll()
        await other.configs.put_account(one_account(1), actor="test")

        assert await sealed_by(other) == {newest}


async def test_a_process_that_has_not_heard_of_it_cannot_seal_with_a_retired_key(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    oldest = store.ring.newest.key_id
    async with open_store(database_url, tmp_path, clock) as other:
        await store.rings.add(actor="maria")
        await store.rings.retire(oldest, actor="maria")

        with pytest.raises(Conflict, match="try again"):
            await other.configs.put_account(one_account(1), actor="test")
        await polled(other)
        await other.configs.put_account(one_account(1), actor="test")

    await store.configs.load()
    assert credentials(store) == [f"{SECRET}-1"]
    assert await sealed_by(store) == {store.ring.newest.key_id}


async def test_a_secret_that_comes_late_is_sealed_anew_before_its_key_is_gone(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    patient = Rings(store.database, store.vault, store.changes, tmp_path, grace_s=30.0)
    oldest = store.ring.newest.key_id
    async with open_store(database_url, tmp_path, clock) as other:
        await store.rings.add(actor="maria")
        waiting = asyncio.create_task(patient.retire(oldest, actor="maria"))
        while store.ring.leaving == ():
            await asyncio.sleep(0)
        await subscribed(other)
        await other.tasks.move(ENDED, "one")
        waiting.cancel()
        await asyncio.wait([waiting])

    # Whoever retired it is dead: the next who looks ends the work.
    clock.advance(31.0)
    async with open_store(database_url, tmp_path, clock) as later:
        assert [key.key_id for key in later.ring.leaving] == [oldest]
        await polled(later)

        assert oldest not in ids(open_key_ring(tmp_path, {}))
        assert later.ring.leaving == ()
        assert await sealed_by(later) == {later.ring.newest.key_id}
        [owed] = await later.pushes.due(now_unix_s=clock.unix() + 100, most=10)
        assert owed.subscription.token == TOLD.token


async def test_the_newest_key_and_one_that_is_not_there_are_not_retired(store: Opened) -> None:
    with pytest.raises(Conflict, match="newest"):
        await store.rings.retire(store.ring.newest.key_id, actor="maria")
    with pytest.raises(NotFound, match="keyring list"):
        await store.rings.retire("0123456789abcdef", actor="maria")

    assert await store.audit.recent(limit=5) == []


async def test_a_key_that_cannot_be_written_seals_nothing_and_is_missing(
    store: Opened, tmp_path: Path
) -> None:
    ring_file = tmp_path / "keyring.json"
    before, old = ring_file.read_bytes(), store.ring.newest.key_id
    ring_file.write_bytes(b"damaged")

    with pytest.raises(CannotOpenStore, match="damaged"):
        await store.rings.add(actor="maria")
    ring_file.write_bytes(before)
    await store.configs.put_account(one_account(1), actor="test")

    assert await sealed_by(store) == {old}
    states = sorted((one.state, one.secrets) for one in await store.rings.standing())
    assert states == [("missing", 0), ("newest", 1)]


async def test_a_ring_of_a_variable_is_its_owner_s_to_write(store: Opened) -> None:
    given = Rings(store.database, store.vault, store.changes, None)

    with pytest.raises(BadRequest, match="STORAGE_ENCRYPTION_KEY"):
        await given.add(actor="maria")

    assert not given.in_file
    assert len(store.ring.keys) == 1


async def test_it_is_told_what_rests_on_which_key(store: Opened) -> None:
    await store.configs.put_account(one_account(1), actor="test")
    await store.keys.create(TERMS, actor="test")
    await subscribed(store)
    old = store.ring.newest.key_id
    newest = await store.rings.add(actor="maria")

    before = [
        (one.key_id, one.state, one.secrets, one.virtual_keys, one.chains)
        for one in await store.rings.standing()
    ]
    await store.rings.retire(old, actor="maria")
    after = [
        (one.key_id, one.state, one.secrets, one.virtual_keys, one.chains)
        for one in await store.rings.standing()
    ]

    assert before == [(newest, "newest", 0, 0, 0), (old, "older", 2, 1, 1)]
    assert after == [(newest, "newest", 2, 0, 0), (old, "retired", 0, 1, 1)]
    assert all(one.retired_unix_s for one in await store.rings.standing() if one.key_id == old)


async def test_a_retired_key_that_is_put_back_seals_and_opens_nothing(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    ring_file = tmp_path / "keyring.json"
    before = ring_file.read_bytes()
    await store.rings.add(actor="maria")
    after = ring_file.read_bytes()
    await store.rings.retire(store.ring.keys[-1].key_id, actor="maria")
    ring_file.write_bytes(after)

    async with open_store(database_url, tmp_path, clock) as later:
        await later.configs.put_account(one_account(1), actor="test")
        assert await sealed_by(later) == {store.ring.newest.key_id}
    ring_file.write_bytes(before)

    with pytest.raises(CannotOpenStore, match="was retired"):
        async with open_store(database_url, tmp_path, clock):
            pass


async def test_nothing_that_is_kept_of_a_retired_key_opens_its_secrets(
    store: Opened, tmp_path: Path
) -> None:
    old = store.ring.newest
    await store.rings.add(actor="maria")
    await store.rings.retire(old.key_id, actor="maria")

    [kept] = store.ring.retired
    [row] = await store.database.read(
        Statement("SELECT secret FROM ring_keys WHERE secret IS NOT NULL")
    )

    assert isinstance(kept, RetiredKey)
    assert {*kept.derived} == {"pepper", "chain", "seed"}
    assert old.for_use("secrets") not in kept.derived.values()
    assert old.material not in bytes(row["secret"])
    assert old.for_use("pepper") not in bytes(row["secret"])
    assert old.material not in (tmp_path / "keyring.json").read_bytes()
