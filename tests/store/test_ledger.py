"""The ledger: outcomes are kept as they were, each for its own key, and cannot be changed."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from msgspec import structs

from omniroute.routing.choose.record import pack_decision, pack_snapshot, replays
from omniroute.routing.errors import StorageUnavailable
from omniroute.routing.ports import Ledger
from omniroute.routing.usage import Selection, Usage
from omniroute.server.store import ledger as ledger_module
from omniroute.server.store.database import Database, Statement, T, Unit
from omniroute.server.store.ledger import StoredLedger
from omniroute.server.store.outbox import Limits
from tests.fakes import FakeClock, MemoryLedger
from tests.store.opened import Opened, open_store
from tests.store.outcomes import SNAPSHOT, answered, kept, refused, request

WAIT_S = 10


@pytest.fixture
async def any_ledger(any_url: str, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Ledger]:
    """A ledger: the fake, and the real one on both databases."""
    if not any_url:
        yield MemoryLedger()
        return
    async with open_store(any_url, tmp_path, clock) as store:
        yield store.ledger


@pytest.mark.anyio
async def test_an_outcome_is_found_by_its_own_key_at_once(any_ledger: Ledger) -> None:
    any_ledger.record(answered("r1"), SNAPSHOT)

    found = await any_ledger.find("r1", key_id="key-1")

    assert found is not None
    assert found.outcome.winner == answered("r1").winner
    assert await any_ledger.find("r1", key_id=None) == found


@pytest.mark.anyio
async def test_another_keys_outcome_is_not_found_like_a_missing_one(any_ledger: Ledger) -> None:
    any_ledger.record(answered("r1"), SNAPSHOT)

    assert await any_ledger.find("r1", key_id="key-2") is None
    assert await any_ledger.find("missing", key_id="key-2") is None
    assert await any_ledger.recent(key_id="key-2", limit=10) == []
    assert await any_ledger.usage(Selection(0.0, key_id="key-2")) == Usage()
    assert await any_ledger.calls(Selection(0.0, key_id="key-2"), "provider") == ()


@pytest.mark.anyio
async def test_the_newest_outcomes_come_first(any_ledger: Ledger) -> None:
    for number in range(5):
        any_ledger.record(answered(f"r{number}", at_unix_s=100.0 + number), SNAPSHOT)
    any_ledger.record(answered("foreign", "key-2", at_unix_s=200.0), SNAPSHOT)

    own = await any_ledger.recent(key_id="key-1", limit=3)
    everybodys = await any_ledger.recent(key_id=None, limit=2)

    assert [record.outcome.request.request_id for record in own] == ["r4", "r3", "r2"]
    assert [record.outcome.request.request_id for record in everybodys] == ["foreign", "r4"]
    assert [len(record.outcome.attempts) for record in own] == [2, 2, 2]


@pytest.mark.anyio
async def test_an_outcome_comes_back_as_it_was_but_for_the_prompt(store: Opened) -> None:
    outcome, without = answered("r1"), refused("r2")
    store.ledger.record(outcome, SNAPSHOT)
    store.ledger.record(without, None)
    waiting = await store.ledger.find("r1", key_id="key-1")
    await store.ledger.flush()

    stored = await store.ledger.find("r1", key_id="key-1")
    undecided = await store.ledger.find("r2", key_id="key-1")

    assert stored is not None
    assert undecided is not None
    assert stored == waiting
    assert stored.outcome == kept(outcome)
    assert stored.snapshot == SNAPSHOT
    assert undecided.outcome == kept(without)
    assert undecided.snapshot is None


@pytest.mark.anyio
async def test_a_stored_decision_replays_bit_for_bit(store: Opened) -> None:
    store.ledger.record(answered("r1"), SNAPSHOT)
    await store.ledger.flush()

    rows = await store.database.read(
        Statement("SELECT record, body FROM decisions JOIN snapshots USING (snapshot_id)")
    )

    decision = answered("r1").decision
    assert decision is not None
    assert bytes(rows[0]["record"]) == pack_decision(answered("r1").request, decision)
    assert bytes(rows[0]["body"]) == pack_snapshot(SNAPSHOT)
    assert replays(bytes(rows[0]["record"]), bytes(rows[0]["body"]), b"a seed")


def test_decisions_with_the_same_verdicts_are_packed_as_what_each_is() -> None:
    decision = answered("r1").decision
    assert decision is not None
    others = (
        structs.replace(decision, snapshot_id="another"),
        structs.replace(decision, combo="slow"),
        structs.replace(decision, strategy="random"),
        structs.replace(decision, order=decision.order[1:]),
    )

    packed = [pack_decision(request("r1"), one) for one in (decision, *others, decision)]

    assert len(set(packed)) == len(others) + 1
    assert packed[0] == packed[-1]


@pytest.mark.anyio
async def test_a_snapshot_is_stored_once_for_many_decisions(store: Opened) -> None:
    for number in range(450):
        store.ledger.record(answered(f"r{number}"), SNAPSHOT)
    await store.ledger.flush()

    counts = [
        (await store.database.read(Statement(sql)))[0]["n"]
        for sql in (
            "SELECT count(*) AS n FROM outcomes",
            "SELECT count(*) AS n FROM decisions",
            "SELECT count(*) AS n FROM snapshots",
        )
    ]

    assert counts == [450, 450, 1]


@pytest.mark.anyio
async def test_a_snapshot_that_was_removed_meanwhile_is_stored_again(store: Opened) -> None:
    store.ledger.record(answered("r1"), SNAPSHOT)
    await store.ledger.flush()
    await store.database.write(Statement("DELETE FROM decisions"))
    await store.database.write(Statement("DELETE FROM snapshots"))

    store.ledger.record(answered("r2"), SNAPSHOT)
    await store.ledger.flush()

    found = await store.ledger.find("r2", key_id=None)
    assert found is not None
    assert found.snapshot == SNAPSHOT
    assert store.ledger.given_up == 0


@pytest.mark.anyio
async def test_a_writer_in_the_background_stores_what_is_recorded(store: Opened) -> None:
    writer = asyncio.ensure_future(store.ledger.run())
    store.ledger.record(answered("r1"), SNAPSHOT)

    async with asyncio.timeout(WAIT_S):
        while not await store.database.read(Statement("SELECT request_id FROM outcomes")):
            await asyncio.sleep(0)
    writer.cancel()

    assert await store.ledger.find("r1", key_id=None) is not None


@pytest.mark.anyio
async def test_text_that_a_database_cannot_hold_loses_no_outcome(store: Opened) -> None:
    store.ledger.record(answered("r1", error_detail="a zero \0 byte"), SNAPSHOT)
    store.ledger.record(answered("r2"), SNAPSHOT)
    await store.ledger.flush()

    found = await store.ledger.find("r1", key_id=None)

    assert found is not None
    assert found.outcome.error_detail == "a zero \ufffd byte"
    assert await store.ledger.find("r2", key_id=None) is not None


@pytest.mark.anyio
async def test_an_outcome_that_cannot_be_stored_holds_up_no_other(store: Opened) -> None:
    store.ledger.record(answered("r1"), SNAPSHOT)
    store.ledger.record(answered("impossible", cost_usd_nanos=2**80), SNAPSHOT)
    store.ledger.record(answered("r3"), SNAPSHOT)
    await store.ledger.flush()

    assert store.ledger.given_up == 1
    assert await store.ledger.find("impossible", key_id=None) is None
    assert await store.ledger.find("r1", key_id=None) is not None
    assert await store.ledger.find("r3", key_id=None) is not None
    assert (await store.ledger.verify()).faults == ()


@pytest.mark.anyio
async def test_outcomes_that_cost_nothing_are_given_up_first(
    database_url: str, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "OUTCOMES", Limits(10, 4, 6, 0.0))
    async with open_store(database_url, tmp_path, clock) as store:
        store.ledger.record(answered("paid 1"), SNAPSHOT)
        store.ledger.record(refused("free 1"), None)
        store.ledger.record(answered("paid 2"), SNAPSHOT)
        store.ledger.record(refused("free 2"), None)
        for number in range(3, 8):
            store.ledger.record(answered(f"paid {number}"), SNAPSHOT)

        records = await store.ledger.recent(key_id=None, limit=10)

    left = {record.outcome.request.request_id for record in records}
    assert left == {f"paid {number}" for number in range(2, 8)}
    assert store.ledger.given_up == 3


@pytest.mark.anyio
async def test_while_the_database_stays_away_outcomes_wait(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with open_store(database_url, tmp_path, clock) as store:
        pass
    store.ledger.record(answered("r1"), SNAPSHOT)

    with pytest.raises(StorageUnavailable):
        await store.ledger.flush()

    assert await store.ledger.find("r1", key_id="key-1") is not None
    assert store.ledger.given_up == 0


@pytest.mark.anyio
async def test_decisions_of_several_processes_verify(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with open_store(database_url, tmp_path, clock) as other:
        for number in range(3):
            store.ledger.record(answered(f"r{number}"), SNAPSHOT)
            other.ledger.record(answered(f"s{number}"), replace(SNAPSHOT))
        await other.ledger.flush()

    verified = await store.ledger.verify()

    assert (verified.chains, verified.rows, verified.faults) == (2, 6, ())


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("tampering", "reason"),
    [
        ("UPDATE decisions SET key_id = 'key-2' WHERE seq = 2", "the row was changed"),
        ("DELETE FROM decisions WHERE seq = 2", "the row is missing"),
        ("DELETE FROM decisions WHERE seq = 3", "the rows up to 3 are missing"),
        ("UPDATE decisions SET seq = 4 WHERE seq = 3", "the row belongs to no chain"),
        ("UPDATE chains SET seq = 2", "its end is not signed by this gateway"),
        ("DELETE FROM chains", "the row belongs to no chain"),
        ("UPDATE snapshots SET body = snapshot_id::bytea", "the snapshot was changed"),
        ("DELETE FROM decisions", "the decision of this outcome is missing"),
    ],
)
async def test_tampering_is_named(store: Opened, tampering: str, reason: str) -> None:
    for number in range(3):
        store.ledger.record(answered(f"r{number}"), SNAPSHOT)
    await store.ledger.flush()
    if store.database.kind == "sqlite":
        tampering = tampering.replace("snapshot_id::bytea", "CAST(snapshot_id AS BLOB)")

    await store.database.write(Statement(tampering))

    assert reason in {fault.reason for fault in (await store.ledger.verify()).faults}


class Watched:
    """A database that counts how many of its reads run at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.reading = self.reading_max = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._database, name)

    async def read(self, unit: Unit[T]) -> T:
        self.reading += 1
        self.reading_max = max(self.reading_max, self.reading)
        try:
            return await self._database.read(unit)
        finally:
            self.reading -= 1


@pytest.mark.anyio
async def test_adding_up_leaves_connections_to_those_who_ask_for_a_row(store: Opened) -> None:
    watched = Watched(store.database)
    ledger = StoredLedger(cast(Database, watched), store.ring, boot_id=store.boot.boot_id)
    ledger.record(answered("r1"), SNAPSHOT)
    await ledger.flush()

    many = [ledger.usage(Selection(0.0), ("model",)) for _ in range(4)]
    calls = [ledger.calls(Selection(0.0), "model") for _ in range(4)]
    told = await asyncio.gather(*many, *calls)

    assert watched.reading_max == 1
    assert len(told) == 8
