"""The audit log: complete, in order, and telling when it was tampered with."""

import pytest

from omniroute.server.store.changes import Changes, Told
from omniroute.server.store.database import Statement, Steps
from omniroute.server.store.ledger import DECISION_CHAINS
from omniroute.server.store.retention import Retention
from tests.fakes import FakeClock
from tests.store.opened import Opened


def nothing() -> Steps[None]:
    yield Statement("SELECT 1 AS one")


@pytest.fixture
def changes(store: Opened, clock: FakeClock) -> Changes:
    return Changes(store.database, store.audit, clock)


@pytest.mark.anyio
async def test_entries_come_newest_first_and_by_target(
    store: Opened, changes: Changes, clock: FakeClock
) -> None:
    for number in range(4):
        clock.advance(1)
        await changes.make(Told("maria", "look", f"t{number % 2}", {"number": number}), nothing)

    newest = await store.audit.recent(limit=2)
    older = await store.audit.recent(limit=10, before_unix_s=newest[-1].at_unix_s)
    about = await store.audit.recent(limit=10, target="t1")

    assert [entry.detail for entry in newest] == ['{"number": 3}', '{"number": 2}']
    assert [entry.detail for entry in older] == ['{"number": 1}', '{"number": 0}']
    assert [entry.detail for entry in about] == ['{"number": 3}', '{"number": 1}']


async def aged(store: Opened, clock: FakeClock, *, days: float) -> Retention:
    """Give a retention of the audit log alone; it has looked once."""
    retention = Retention(store.database, store.ring, DECISION_CHAINS, days=None)
    retention.audit_days = days
    await retention.poll(now_s=1.0, now_unix_s=clock.unix_s)
    return retention


@pytest.mark.anyio
async def test_changes_of_an_age_go_behind_a_checkpoint_and_the_rest_verifies(
    store: Opened, changes: Changes, clock: FakeClock
) -> None:
    for number in range(4):
        await changes.make(Told("maria", "look", "t", {"number": number}), nothing)
        clock.advance(86_400)
    whole = [one async for one in store.audit.everything()]

    await aged(store, clock, days=2.5)
    verified = await store.audit.verify()
    left = await store.audit.recent(limit=10)
    await changes.make(Told("maria", "look", "t", {"number": 4}), nothing)

    assert (verified.rows, verified.faults) == (2, ())
    # Where it begins is the very row that went last: an export from before shows that.
    assert verified.begins == (whole[1].link,)
    assert [one.detail for one in left] == ['{"number": 3}', '{"number": 2}']
    assert ((await store.audit.verify()).rows, (await store.audit.verify()).faults) == (3, ())


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("tampering", "reason"),
    [
        ("DELETE FROM checkpoints", "the row is missing"),
        ("UPDATE checkpoints SET seq = 3", "its checkpoint is not signed by this gateway"),
        ("DELETE FROM audit WHERE seq = 3", "the row is missing"),
    ],
)
async def test_tampering_with_what_age_has_left_of_the_log_is_named(
    store: Opened, changes: Changes, clock: FakeClock, tampering: str, reason: str
) -> None:
    for number in range(4):
        await changes.make(Told("maria", "look", "t", {"number": number}), nothing)
        clock.advance(86_400)
    await aged(store, clock, days=2.5)

    await store.database.write(Statement(tampering))

    assert [one.reason for one in (await store.audit.verify()).faults] == [reason]


@pytest.mark.anyio
async def test_a_log_that_was_changed_is_kept_whatever_its_age(
    store: Opened, changes: Changes, clock: FakeClock
) -> None:
    for number in range(3):
        await changes.make(Told("maria", "look", "t", {"number": number}), nothing)
    await store.database.write(Statement("UPDATE audit SET actor = 'otto' WHERE seq = 2"))
    clock.advance(9 * 86_400)

    await aged(store, clock, days=1)

    assert len(await store.audit.recent(limit=10)) == 3
    assert [one.seq for one in (await store.audit.verify()).faults] == [2]


@pytest.mark.anyio
async def test_without_an_age_the_log_stays_for_ever(
    store: Opened, changes: Changes, clock: FakeClock
) -> None:
    await changes.make(Told("maria", "look", "t", {}), nothing)
    clock.advance(9_999 * 86_400)

    retention = Retention(store.database, store.ring, DECISION_CHAINS, days=1)
    await retention.poll(now_s=1.0, now_unix_s=clock.unix_s)

    assert len(await store.audit.recent(limit=10)) == 1


@pytest.mark.anyio
async def test_a_change_that_fails_is_not_audited(store: Opened, changes: Changes) -> None:
    def failing() -> Steps[None]:
        yield Statement("SELECT 1 AS one")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await changes.make(Told("maria", "fail", "t", {}), failing)

    assert await store.audit.recent(limit=10) == []
    assert (await store.audit.verify()).rows == 0


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("tampering", "reason"),
    [
        ("UPDATE audit SET actor = 'otto' WHERE seq = 1", "the row was changed"),
        ("UPDATE audit SET detail = '{}' WHERE seq = 3", "the row was changed"),
        ("UPDATE audit SET at_unix_s = at_unix_s + 1 WHERE seq = 2", "the row was changed"),
        ("DELETE FROM audit WHERE seq = 1", "the row is missing"),
        ("DELETE FROM audit WHERE seq = 3", "the rows up to 3 are missing"),
        ("DELETE FROM chains WHERE kind = 'audit'", "the row belongs to no chain"),
        ("UPDATE chains SET mac_key_id = 'unknown'", "its key is not in the key ring"),
        (
            "INSERT INTO audit SELECT chain_id, 4, at_unix_s, actor, action, target, detail, mac "
            "FROM audit WHERE seq = 3",
            "the row belongs to no chain",
        ),
    ],
)
async def test_tampering_is_named(
    store: Opened, changes: Changes, tampering: str, reason: str
) -> None:
    for number in range(3):
        await changes.make(Told("maria", "look", "t", {"number": number}), nothing)
    assert (await store.audit.verify()).faults == ()

    await store.database.write(Statement(tampering))

    assert [fault.reason for fault in (await store.audit.verify()).faults] == [reason]
