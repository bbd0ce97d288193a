"""Old requests go for good, and what is left verifies as before."""

from pathlib import Path

import pytest

from omniroute.routing.ports import Hold
from omniroute.server.store.database import Database, Statement
from omniroute.server.store.ledger import DECISION_CHAINS
from omniroute.server.store.retention import BATCH_ROWS, LOOK_S, Removed, Retention
from tests.fakes import FakeClock
from tests.store.opened import Opened, open_store
from tests.store.outcomes import SNAPSHOT, answered, refused

pytestmark = pytest.mark.anyio

OLD_S, BORDER_S, NEW_S = 1_600_000_000.0, 1_650_000_000.0, 1_700_000_000.0
DAY_S = 86_400.0


def retention(store: Opened, days: float | None = None) -> Retention:
    return Retention(store.database, store.ring, DECISION_CHAINS, days=days)


async def rows_in(database: Database, table: str) -> int:
    statement = Statement(f"SELECT count(*) AS rows FROM {table}")
    return int((await database.read(statement))[0]["rows"])


async def kept(store: Opened, *, old: int, new: int) -> None:
    """Store answered requests, the old ones first."""
    for number in range(old + new):
        at = OLD_S if number < old else NEW_S
        store.ledger.record(answered(f"r{number}", at_unix_s=at), SNAPSHOT)
    await store.ledger.flush()


async def test_old_requests_go_with_their_decisions_and_the_chain_still_verifies(
    store: Opened,
) -> None:
    await kept(store, old=3, new=2)

    removed = await retention(store).prune(BORDER_S)
    verified = await store.ledger.verify()

    assert removed == Removed(requests=3, decisions=3)
    assert (verified.rows, verified.faults) == (2, ())
    assert await store.ledger.find("r2", key_id=None) is None
    assert await store.ledger.find("r3", key_id=None) is not None
    assert await rows_in(store.database, "outcomes") == 2
    assert await rows_in(store.database, "snapshots") == 1


async def test_the_oldest_beyond_a_number_go_whatever_their_age(store: Opened) -> None:
    for number in range(5):
        outcome = answered(f"r{number}", at_unix_s=NEW_S + number)
        store.ledger.record(outcome, SNAPSHOT)
    await store.ledger.flush()
    few = Retention(store.database, store.ring, DECISION_CHAINS, days=None, requests_max=2)

    await few.poll(now_s=1.0, now_unix_s=NEW_S + 5)
    kept_now = [await store.ledger.find(f"r{number}", key_id=None) for number in range(5)]
    await few.poll(now_s=2.0, now_unix_s=NEW_S + 5)
    verified = await store.ledger.verify()

    assert [one is not None for one in kept_now] == [False, False, False, True, True]
    assert (verified.rows, verified.faults) == (2, ())


async def test_a_stored_age_wins_over_the_process_s_own(store: Opened) -> None:
    await kept(store, old=1, new=1)
    limited = Retention(store.database, store.ring, DECISION_CHAINS, days=0.0001)

    limited.stored = {"retention_days": "never"}.get
    forever = limited.days
    await limited.poll(now_s=1.0, now_unix_s=NEW_S + 1e6)
    everything = await rows_in(store.database, "outcomes")
    limited.stored = {"retention_days": 3.0}.get

    assert (forever, everything, limited.days) == (None, 2, 3.0)


async def test_a_chain_goes_on_after_all_of_it_was_removed(store: Opened) -> None:
    await kept(store, old=2, new=0)

    removed = await retention(store).prune(BORDER_S)
    empty = await store.ledger.verify()
    store.ledger.record(answered("r9", at_unix_s=NEW_S), SNAPSHOT)
    await store.ledger.flush()
    after = await store.ledger.verify()

    assert removed == Removed(requests=2, decisions=2, snapshots=1)
    assert (empty.chains, empty.rows, empty.faults) == (1, 0, ())
    assert (after.rows, after.faults) == (1, ())
    assert await rows_in(store.database, "snapshots") == 1


async def test_only_the_beginning_of_a_chain_is_removed(store: Opened) -> None:
    store.ledger.record(answered("new", at_unix_s=NEW_S), SNAPSHOT)
    store.ledger.record(answered("old", at_unix_s=OLD_S), SNAPSHOT)
    await store.ledger.flush()

    removed = await retention(store).prune(BORDER_S)

    assert removed == Removed()
    assert await store.ledger.find("old", key_id=None) is not None


async def test_many_requests_go_in_bounded_parts(store: Opened) -> None:
    await kept(store, old=BATCH_ROWS + 20, new=1)
    first = await retention(store).prune(BORDER_S, batches_max=1)
    middle = await store.ledger.verify()
    second = await retention(store).prune(BORDER_S)

    assert first.decisions == BATCH_ROWS
    assert second.decisions == 20
    assert (middle.rows, middle.faults) == (21, ())
    assert (await store.ledger.verify()).faults == ()


async def test_requests_without_a_decision_and_settled_holds_go_open_holds_stay(
    store: Opened, clock: FakeClock
) -> None:
    clock.unix_s = OLD_S
    store.ledger.record(refused("gone"), None)
    for hold_id in ("settled", "open"):
        await store.budgets.reserve(Hold(hold_id, "key-1", (), 100))
    store.budgets.settle("settled", usd_nanos=40)
    await store.ledger.flush()
    await store.budgets.flush()

    counted = await retention(store).count(1_700_000_002.0)
    removed = await retention(store).prune(1_700_000_002.0)

    left = await store.database.read(Statement("SELECT hold_id FROM reservations"))
    assert counted == Removed(requests=1, holds=1)
    assert (removed.requests, removed.holds) == (1, 1)
    assert [one["hold_id"] for one in left] == ["open"]


async def test_settled_holds_go_in_step_with_the_requests_that_are_due(
    store: Opened, clock: FakeClock
) -> None:
    await kept(store, old=BATCH_ROWS + 20, new=1)
    clock.unix_s = OLD_S
    await store.budgets.reserve(Hold("settled", "key-1", (), 100))
    store.budgets.settle("settled", usd_nanos=40)
    await store.budgets.flush()

    first = await retention(store).prune(BORDER_S, batches_max=1)

    assert (first.decisions, first.holds) == (BATCH_ROWS, 1)


async def test_a_dry_run_counts_what_would_go_and_removes_nothing(store: Opened) -> None:
    await kept(store, old=3, new=2)

    counted = await retention(store).count(BORDER_S)

    assert counted == Removed(requests=3, decisions=3)
    assert await rows_in(store.database, "outcomes") == 5


@pytest.mark.parametrize(
    ("tampering", "reason"),
    [
        ("UPDATE checkpoints SET seq = 1", "its checkpoint is not signed by this gateway"),
        ("DELETE FROM checkpoints", "the row is missing"),
        ("DELETE FROM decisions WHERE seq = 3", "the row is missing"),
        (
            "INSERT INTO decisions SELECT 'again', key_id, snapshot_id, record, chain_id, 1, mac "
            "FROM decisions WHERE seq = 3",
            "the row is behind its checkpoint",
        ),
    ],
)
async def test_tampering_around_a_checkpoint_is_named(
    store: Opened, tampering: str, reason: str
) -> None:
    await kept(store, old=2, new=2)
    await retention(store).prune(BORDER_S)

    await store.database.write(Statement(tampering))
    verified = await store.ledger.verify()

    assert reason in [one.reason for one in verified.faults]


async def test_a_chain_that_does_not_verify_is_kept_whatever_its_age(store: Opened) -> None:
    await kept(store, old=3, new=0)
    await store.database.write(Statement("UPDATE decisions SET key_id = 'x' WHERE seq = 2"))

    removed = await retention(store).prune(BORDER_S)

    assert removed == Removed()
    assert await rows_in(store.database, "decisions") == 3
    assert [one.reason for one in (await store.ledger.verify()).faults] == ["the row was changed"]


async def test_chains_of_other_processes_are_removed_too(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with open_store(database_url, tmp_path, clock) as ended:
        await kept(ended, old=2, new=0)
    async with open_store(database_url, tmp_path, clock) as store:
        removed = await retention(store).prune(BORDER_S)

        assert removed.decisions == 2
        assert (await store.ledger.verify()).faults == ()


async def test_what_is_due_is_removed_by_and_by_and_then_looked_for_seldom(
    store: Opened, clock: FakeClock
) -> None:
    await kept(store, old=2, new=1)
    one = retention(store, days=(NEW_S - BORDER_S) / DAY_S)

    await one.poll(now_s=0.0, now_unix_s=NEW_S)
    await one.poll(now_s=0.25, now_unix_s=NEW_S)
    store.ledger.record(refused("late"), None)
    await store.ledger.flush()
    await one.poll(now_s=0.5, now_unix_s=NEW_S + 3 * (NEW_S - BORDER_S))
    looked_early = await rows_in(store.database, "outcomes")
    await one.poll(now_s=0.25 + LOOK_S, now_unix_s=NEW_S + 3 * (NEW_S - BORDER_S))

    assert looked_early == 2
    assert await rows_in(store.database, "outcomes") == 0


async def test_never_removes_nothing(store: Opened) -> None:
    await kept(store, old=2, new=0)

    await retention(store, days=None).poll(now_s=0.0, now_unix_s=NEW_S)

    assert await rows_in(store.database, "outcomes") == 2
