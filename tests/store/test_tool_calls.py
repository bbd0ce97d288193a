"""The record of tool calls: complete, in order, bounded, and telling when it was tampered with."""

import asyncio
from pathlib import Path

import pytest

from omniroute.routing.errors import StorageUnavailable
from omniroute.server.store.database import Database, Statement, Unit
from omniroute.server.store.ledger import DECISION_CHAINS
from omniroute.server.store.retention import BATCH_ROWS, Removed, Retention
from omniroute.server.store.tool_calls import CALLS, ToolCalls, Wanted
from tests.fakes import FakeClock
from tests.store.calls import called
from tests.store.opened import Opened, open_store
from tests.store.outcomes import SNAPSHOT, answered

pytestmark = pytest.mark.anyio

OLD_S, BORDER_S, NEW_S = 1_600_000_000.0, 1_650_000_000.0, 1_700_000_000.0
EVERY = Wanted()
WAIT_S = 10


async def ids(store: Opened, wanted: Wanted = EVERY, *, limit: int = 50, offset: int = 0) -> str:
    found, _ = await store.tool_calls.page(wanted, limit=limit, offset=offset)
    return " ".join(one.call.call_id for one in found)


async def test_a_call_is_found_as_it_was_recorded_before_the_writer_looked(store: Opened) -> None:
    plain = called("c1")
    bare = called(
        "c2",
        at_unix_s=NEW_S + 1,
        outcome="failed",
        error="bad_request",
        arguments_hash=None,
        arguments='{"model":"auto"}',
        summary=None,
        era=None,
        transport="stdio",
    )

    for call in (plain, bare):
        store.tool_calls.record(call)
    found, total = await store.tool_calls.page(EVERY, limit=50, offset=0)

    assert [one.call for one in found] == [bare, plain]
    assert [one.number for one in found] == [2, 1]
    assert total == 2


async def test_calls_are_found_by_tool_key_outcome_and_success_page_by_page(store: Opened) -> None:
    for number, (tool, key_id, outcome) in enumerate(
        (
            ("a", "key-1", "answered"),
            ("a", "key-2", "failed"),
            ("b", "key-1", "refused"),
            ("b", "key-2", "cancelled"),
        )
    ):
        store.tool_calls.record(
            called(f"c{number}", tool=tool, key_id=key_id, outcome=outcome, at_unix_s=float(number))
        )

    assert await ids(store) == "c3 c2 c1 c0"
    assert await ids(store, limit=2) == "c3 c2"
    assert await ids(store, limit=2, offset=2) == "c1 c0"
    assert await ids(store, Wanted(tool="a")) == "c1 c0"
    assert await ids(store, Wanted(key_id="key-1")) == "c2 c0"
    assert await ids(store, Wanted(outcome="cancelled")) == "c3"
    assert await ids(store, Wanted(success=True)) == "c0"
    assert await ids(store, Wanted(success=False)) == "c2 c1"
    assert await ids(store, Wanted(tool="a", success=False, key_id="key-2")) == "c1"
    assert (await store.tool_calls.page(Wanted(tool="a"), limit=1, offset=0))[1] == 2


async def test_figures_leave_cancelled_calls_out_of_success_and_time(store: Opened) -> None:
    for number, (outcome, duration_ms) in enumerate(
        (("answered", 10), ("answered", 20), ("failed", 60), ("cancelled", 9_000))
    ):
        store.tool_calls.record(called(f"c{number}", outcome=outcome, duration_ms=duration_ms))
    store.tool_calls.record(called("old", at_unix_s=OLD_S, tool="old"))
    store.tool_calls.record(called("other", key_id="key-2", tool="b", at_unix_s=NEW_S + 1))

    stats = await store.tool_calls.stats(key_id="key-1", since_unix_s=BORDER_S)
    every = await store.tool_calls.stats(key_id=None, since_unix_s=BORDER_S)

    assert (stats.calls, stats.answered, stats.failed, stats.cancelled) == (4, 2, 1, 1)
    assert stats.success_rate == 2 / 3
    assert stats.duration_ms == 30
    assert stats.top == (("omniroute_get_health", 4),)
    assert every.top == (("omniroute_get_health", 4), ("b", 1))
    assert every.last is not None
    assert every.last.call_id == "other"


async def test_figures_of_nothing_are_not_known(store: Opened) -> None:
    stats = await store.tool_calls.stats(key_id=None, since_unix_s=0.0)

    assert (stats.calls, stats.success_rate, stats.duration_ms) == (0, None, None)
    assert (stats.top, stats.last) == ((), None)


async def test_a_writer_in_the_background_stores_what_is_recorded(store: Opened) -> None:
    stored = Statement("SELECT call_id FROM mcp_tool_audit")
    writer = asyncio.ensure_future(store.tool_calls.run())
    store.tool_calls.record(called("c1"))

    async with asyncio.timeout(WAIT_S):
        while not (rows := await store.database.read(stored)):
            await asyncio.sleep(0)
    writer.cancel()

    assert [row["call_id"] for row in rows] == ["c1"]


class Doubtful:
    """A database that stores the first unit and then says that it is not known to have."""

    def __init__(self, database: Database) -> None:
        self.kind = database.kind
        self.submit = database.submit
        self.read = database.read
        self._database = database
        self._wrote = False

    async def write(self, unit: Unit[None]) -> None:
        await self._database.write(unit)
        if not self._wrote:
            self._wrote = True
            raise StorageUnavailable("the connection was lost")


async def test_a_call_whose_first_try_was_stored_after_all_is_stored_once(store: Opened) -> None:
    doubtful: Database = Doubtful(store.database)  # type: ignore[assignment]
    calls = ToolCalls(doubtful, store.ring, boot_id=store.boot.boot_id)
    calls.record(called("c1"))

    with pytest.raises(StorageUnavailable):
        await calls.flush()
    calls.record(called("c2", at_unix_s=NEW_S + 1))
    await calls.flush()

    assert await ids(store) == "c2 c1"
    assert (await store.tool_calls.verify()).faults == ()
    assert calls.given_up == 0


async def test_when_too_many_wait_the_oldest_is_given_up_and_counted(store: Opened) -> None:
    for number in range(CALLS.items_max + 3):
        store.tool_calls.record(called(f"c{number}"))

    assert store.tool_calls.given_up == 3
    assert store.tool_calls.waiting == CALLS.items_max


@pytest.mark.parametrize(
    ("tampering", "reason"),
    [
        ("UPDATE mcp_tool_audit SET tool = 'other' WHERE seq = 1", "the row was changed"),
        ("UPDATE mcp_tool_audit SET key_id = 'key-2' WHERE seq = 2", "the row was changed"),
        ("UPDATE mcp_tool_audit SET outcome = 'answered' WHERE seq = 3", "the row was changed"),
        ("UPDATE mcp_tool_audit SET arguments = '' WHERE seq = 1", "the row was changed"),
        ("UPDATE mcp_tool_audit SET duration_ms = 1 WHERE seq = 1", "the row was changed"),
        ("DELETE FROM mcp_tool_audit WHERE seq = 1", "the row is missing"),
        ("DELETE FROM mcp_tool_audit WHERE seq = 3", "the rows up to 3 are missing"),
        ("DELETE FROM chains WHERE kind = 'mcp_tool_audit'", "the row belongs to no chain"),
        ("UPDATE chains SET signature = mac", "its end is not signed by this gateway"),
    ],
)
async def test_tampering_is_named(store: Opened, tampering: str, reason: str) -> None:
    for number in range(3):
        store.tool_calls.record(called(f"c{number}", outcome="failed", error="e"))
    before = await store.tool_calls.verify()

    await store.database.write(Statement(tampering))

    assert (before.chains, before.rows, before.faults) == (1, 3, ())
    assert [fault.reason for fault in (await store.tool_calls.verify()).faults] == [reason]


async def test_each_process_has_a_chain_and_all_are_read_as_one(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with (
        open_store(database_url, tmp_path, clock) as one,
        open_store(database_url, tmp_path, clock) as two,
    ):
        one.tool_calls.record(called("c1"))
        await one.tool_calls.flush()
        two.tool_calls.record(called("c2", at_unix_s=NEW_S + 1))

        assert await ids(two) == "c2 c1"
        assert (await one.tool_calls.verify()).chains == 2


def retention(store: Opened) -> Retention:
    return Retention(store.database, store.ring, DECISION_CHAINS, days=None)


async def test_old_calls_go_and_the_chain_verifies_from_there_on(store: Opened) -> None:
    for number in range(BATCH_ROWS + 2):
        store.tool_calls.record(called(f"old{number}", at_unix_s=OLD_S))
    store.tool_calls.record(called("new", at_unix_s=NEW_S))
    await store.tool_calls.flush()

    counted = await retention(store).count(BORDER_S)
    first = await retention(store).prune(BORDER_S, batches_max=1)
    second = await retention(store).prune(BORDER_S)
    store.tool_calls.record(called("newer", at_unix_s=NEW_S + 1))

    assert counted == Removed(tool_calls=BATCH_ROWS + 2)
    assert (first.tool_calls, second.tool_calls) == (BATCH_ROWS, 2)
    assert await ids(store) == "newer new"
    verified = await store.tool_calls.verify()
    assert (verified.rows, verified.faults) == (2, ())


async def test_old_calls_go_in_step_with_the_requests_that_are_due(store: Opened) -> None:
    for number in range(BATCH_ROWS + 2):
        store.ledger.record(answered(f"r{number}", at_unix_s=OLD_S), SNAPSHOT)
    store.tool_calls.record(called("old", at_unix_s=OLD_S))
    await store.ledger.flush()
    await store.tool_calls.flush()

    removed = await retention(store).prune(BORDER_S, batches_max=1)

    assert (removed.decisions, removed.tool_calls) == (BATCH_ROWS, 1)


async def test_a_chain_that_was_tampered_with_is_kept_and_said_so(
    store: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        store.tool_calls.record(called(f"c{number}", at_unix_s=OLD_S))
    await store.tool_calls.flush()
    await store.database.write(Statement("UPDATE mcp_tool_audit SET era = NULL WHERE seq = 2"))

    removed = await retention(store).prune(BORDER_S)

    assert removed == Removed()
    assert await ids(store) == "c2 c1 c0"
    (stopped,) = [one for one in caplog.records if one.message == "retention_stops"]
    assert stopped.__dict__["kind"] == "mcp_tool_audit"
