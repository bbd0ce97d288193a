"""The ledger: every request's outcome, kept. Fulfils the port Ledger.

`record` queues and returns; one writer stores outcomes in batches (see outbox.py), each batch
in one transaction with its decisions. A reader finds an outcome from the
moment it was recorded: what is not stored yet is found in the queue.

When the database stays away, outcomes wait. When too many wait, the oldest that cost nothing go
first, and only far beyond that the oldest of all; both are counted and logged. The money
itself is not in question then: budgets keep their own rows.

Decisions are chained (see chain.py), and a snapshot is stored once under the hash of its bytes,
so a decision that is replayed later is known to be the one that was made.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

from msgspec import structs

from omniroute.routing.choose.record import pack_snapshot, snapshot_id, without_body
from omniroute.routing.model import Outcome, Snapshot
from omniroute.routing.ports import Record
from omniroute.routing.usage import CallDimension, CallRow, Grouping, Selection, Usage

from .calls import calls
from .chain import Chain, ChainedTable, Fault, Growth, Verified, framed, verify
from .database import Database, Many, RowRefused, Statement, Steps, Unit
from .keyring import KeyRing
from .ledger_rows import (
    KEEP_DECISION,
    KEEP_OUTCOME,
    KEEP_SNAPSHOT,
    OUTCOME_BY_ID,
    Told,
    decision_values,
    fresh_snapshots,
    newest,
    outcome_values,
    record_of,
)
from .outbox import Limits, Outbox
from .usage import usage

OUTCOMES = Limits(batch_max=1_000, spare_max=20_000, items_max=100_000, gather_s=0.05)
RECENT_MAX = 200
SLICE_ROWS = 64
"""Rows that are made in one go: the event loop may want the interpreter meanwhile."""
SNAPSHOTS_KNOWN_MAX = 4_096
PAGE_ROWS = 500

DECISION_CHAINS = ChainedTable(
    kind="decisions",
    rows_sql=(
        "SELECT chain_id, seq, mac, request_id, key_id, snapshot_id, record FROM decisions "
        "WHERE chain_id = $1 AND seq > $2 ORDER BY seq LIMIT $3"
    ),
    orphans_sql=(
        "SELECT decisions.chain_id, min(decisions.seq) AS seq FROM decisions LEFT JOIN chains "
        "ON chains.chain_id = decisions.chain_id AND chains.kind = 'decisions' "
        "WHERE chains.seq IS NULL OR decisions.seq > chains.seq GROUP BY decisions.chain_id"
    ),
    content=lambda row: framed(
        row["request_id"], row["key_id"], row["snapshot_id"], bytes(row["record"])
    ),
)


def _unfollowed(outcome: Outcome) -> None:
    """Do as a ledger does that nobody follows."""


async def _no_others() -> None:
    """Do as a process does whose outcomes alone are on record."""


class StoredLedger:
    """Outcomes in the database, and this process's chain of decisions.

    Args:
        boot_id: this process's run, which names its chain.

    Attributes:
        gather: is awaited before outcomes are read that others may have: has them store theirs.
        follow: is told each outcome, without its request's body, as it is recorded.
    """

    def __init__(self, database: Database, ring: KeyRing, *, boot_id: str) -> None:
        self.gather: Callable[[], Awaitable[None]] = _no_others
        self.follow: Callable[[Outcome], None] = _unfollowed
        self._database = database
        self._ring = ring
        self._chain = Chain("decisions", boot_id, ring)
        self._boot_id = boot_id
        self._next_seq = 1
        self._snapshots_known: dict[str, None] = {}
        # One at a time: a long one must leave connections to those who ask for a row.
        self._adding_up = asyncio.Lock()
        self._outbox: Outbox[Told] = Outbox("outcomes", self._write, limits=OUTCOMES)

    @property
    def given_up(self) -> int:
        """How many outcomes could not be kept."""
        return self._outbox.given_up

    @property
    def waiting(self) -> int:
        """How many are not stored yet."""
        return len(self._outbox)

    def record(self, outcome: Outcome, snapshot: Snapshot | None) -> None:
        """Keep an outcome; never waits."""
        request = without_body(outcome.request)
        if request is not outcome.request:
            outcome = structs.replace(outcome, request=request)
        self.follow(outcome)
        is_spare = _cost_nothing(outcome)
        self._outbox.put(outcome.request.request_id, Told(outcome, snapshot), is_spare=is_spare)

    async def run(self) -> None:
        """Store outcomes as they come, until cancelled."""
        await self._outbox.run()

    async def flush(self) -> None:
        """Store every outcome so far."""
        await self._outbox.flush()

    async def find(self, request_id: str, *, key_id: str | None) -> Record | None:
        """Give one outcome; with a key_id only if it is that key's own."""
        told = self._outbox.find(request_id)
        if told is not None:
            is_theirs = key_id in {None, told.outcome.key_id}
            return Record(told.outcome, told.snapshot) if is_theirs else None
        found = await self._database.read(partial(_find, request_id))
        if found is None:
            # Another worker may have answered it a moment ago.
            await self.gather()
            found = await self._database.read(partial(_find, request_id))
        is_theirs = found is not None and key_id in {None, found.outcome.key_id}
        return found if is_theirs else None

    async def recent(
        self, *, key_id: str | None, limit: int, before: tuple[float, str] | None = None
    ) -> Sequence[Record]:
        """Give the newest outcomes first, RECENT_MAX at most, of those before a time and an id."""
        await self._all_stored()
        wanted = newest(key_id, min(limit, RECENT_MAX), before)
        return [record_of(row) for row in await self._database.read(wanted)]

    async def usage(
        self, selection: Selection, by: Sequence[Grouping] = (), *, timed: bool = False
    ) -> Usage:
        """Add up requests, by each of these dimensions as well; `timed` gives percentiles, too."""
        await self._all_stored()
        async with self._adding_up:
            database = self._database
            return await database.read(usage(database.kind, selection, by, timed=timed))

    async def calls(self, selection: Selection, by: CallDimension) -> tuple[CallRow, ...]:
        """Add up the calls to providers, also those after which another one answered."""
        await self._all_stored()
        async with self._adding_up:
            return await self._database.read(calls(self._database.kind, selection, by))

    async def verify(self) -> Verified:
        """Check that no decision and no snapshot was changed, inserted or removed."""
        await self._all_stored()
        chains = await verify(self._database, self._ring, DECISION_CHAINS)
        changed = [fault async for fault in self._changed_snapshots()]
        undecided = await self._database.read(Statement(_WITHOUT_DECISION))
        removed = [
            Fault(row["request_id"], 0, "the decision of this outcome is missing")
            for row in undecided
        ]
        return replace(chains, faults=(*chains.faults, *changed, *removed))

    async def _all_stored(self) -> None:
        await self.flush()
        await self.gather()

    async def _write(self, items: Sequence[Told], *, again: bool) -> None:
        try:
            fresh = await self._database.write(self._stored(items, again=again))
        except RowRefused:
            if again:
                raise
            # A snapshot that was stored before may have been removed with its last decision.
            self._snapshots_known.clear()
            fresh = await self._database.write(self._stored(items, again=True))
        self._snapshots_known.update(fresh)
        while len(self._snapshots_known) > SNAPSHOTS_KNOWN_MAX:
            del self._snapshots_known[next(iter(self._snapshots_known))]

    def _stored(self, items: Sequence[Told], *, again: bool) -> Unit[dict[str, None]]:
        """Give what stores outcomes; each try has numbers of its own, so theirs only rise."""
        first_seq = self._next_seq
        self._next_seq += len(items)
        return partial(self._store, items, first_seq, again=again)

    def _store(
        self, items: Sequence[Told], first_seq: int, *, again: bool
    ) -> Steps[dict[str, None]]:
        """Store outcomes, and give the snapshots that were not known to be stored."""
        if again:
            items = yield from _not_stored(items)
        if not items:
            return {}
        known = {} if again else self._snapshots_known
        fresh = fresh_snapshots(items, known)
        if fresh:
            yield Many(KEEP_SNAPSHOT, [(name, pack_snapshot(one)) for name, one in fresh.items()])
        growth = yield from self._chain.open()
        before = growth.end.seq
        for first in range(0, len(items), SLICE_ROWS):
            written = (self._boot_id, first_seq + first)
            yield from _store_slice(items[first : first + SLICE_ROWS], growth, written)
        if growth.end.seq > before:
            yield from self._chain.close(growth)
        return dict.fromkeys(fresh)

    async def _changed_snapshots(self) -> AsyncIterator[Fault]:
        after = ""
        while True:
            rows = await self._database.read(Statement(_SNAPSHOTS, (after, PAGE_ROWS)))
            for row in rows:
                after = str(row["snapshot_id"])
                if snapshot_id(bytes(row["body"])) != after:
                    yield Fault(after, 0, "the snapshot was changed")
            if len(rows) < PAGE_ROWS:
                return


def _store_slice(items: Sequence[Told], growth: Growth, written: tuple[str, int]) -> Steps[None]:
    writer, seq = written
    rows = [outcome_values(told, (writer, place)) for place, told in enumerate(items, seq)]
    yield Many(KEEP_OUTCOME, rows)
    decisions = [
        decision_values(told.outcome, decision, growth)
        for told in items
        if (decision := told.decision) is not None
    ]
    if decisions:
        yield Many(KEEP_DECISION, decisions)


def _not_stored(items: Sequence[Told]) -> Steps[Sequence[Told]]:
    fresh: list[Told] = []
    for told in items:
        rows = yield Statement(
            "SELECT request_id FROM outcomes WHERE request_id = $1",
            (told.outcome.request.request_id,),
        )
        if not rows:
            fresh.append(told)
    return fresh


def _find(request_id: str) -> Steps[Record | None]:
    rows = yield Statement(OUTCOME_BY_ID, (request_id,))
    return record_of(rows[0]) if rows else None


def _cost_nothing(outcome: Outcome) -> bool:
    """Whether no money is in it: no cost, or an unknown one that nothing was reserved for."""
    cost = outcome.cost_usd_nanos
    return not cost and (cost == 0 or outcome.reserved_usd_nanos == 0)


_SNAPSHOTS = (
    "SELECT snapshot_id, body FROM snapshots WHERE snapshot_id > $1 ORDER BY snapshot_id LIMIT $2"
)

_WITHOUT_DECISION = (
    "SELECT outcomes.request_id FROM outcomes LEFT JOIN decisions "
    "ON decisions.request_id = outcomes.request_id "
    "WHERE outcomes.request IS NULL AND decisions.request_id IS NULL"
)
