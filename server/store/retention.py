"""What is kept for how long: requests that are older than so many days are removed, for good.

So are the oldest where there are more than so many, or they take more than so many bytes.

With a request go its attempts, its decision, snapshots that no other decision was made on, and
the settled hold of its money. What a budget has spent stays as it is: windows keep their sums.
Calls of tools go at the same age. The audit log of changes is kept for ever unless it was given
an age of its own: it is small, and it is what people ask for years later.

Decisions, calls of tools and changes are chained, so they are removed only from the beginning of
their chain, in its order, and only behind a signed checkpoint that is stored with the removal: the
chain then verifies from there on, and says how much is gone. Each row is verified before it goes.
A chain that does not verify is kept as it is, whatever its age, and said so: the evidence of
tampering is not thrown away.

Removing is bounded: BATCH_ROWS rows a transaction, BATCHES_MAX of those in one go; what is left
is for the next one, a moment later. When nothing is left, the next look is after LOOK_S.
The database file does not shrink: what was freed is used again.
"""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial

from .audit import AUDIT_CHAINS
from .chain import ChainedTable, Link, checkpoint, first_rows, verified_part
from .contents import kept_from as contents_kept_from
from .contents import outdated
from .database import Database, Row, Statement, Steps
from .keyring import KeyRing
from .request_bytes import kept_from
from .tool_calls import CALL_CHAINS

BATCH_ROWS = 500
BATCHES_MAX = 4
LOOK_S = 600.0
SECONDS_A_DAY = 86_400.0

DAYS = "retention_days"
"""The stored setting that wins over the process's own; NEVER keeps everything."""
NEVER = "never"

log = logging.getLogger("omniroute")


@dataclass(frozen=True, slots=True)
class Removed:
    """How much was removed, or would be.

    Attributes:
        requests: with their attempts.
        holds: settled ones.
        boots: past runs of processes of which nothing else is kept.
        tool_calls: of MCP tools.
        changes: entries of the audit log.
        contents: prompts and answers, of keys that wish them kept.
    """

    requests: int = 0
    decisions: int = 0
    snapshots: int = 0
    holds: int = 0
    boots: int = 0
    tool_calls: int = 0
    changes: int = 0
    contents: int = 0

    def __add__(self, other: "Removed") -> "Removed":
        return Removed(
            *(getattr(self, one.name) + getattr(other, one.name) for one in fields(self))
        )

    def __bool__(self) -> bool:
        return self != Removed()


class Retention:
    """Removes what is older than `days`, and the oldest beyond so many; None keeps everything.

    Args:
        decisions: how the chained rows of decisions are read.

    Attributes:
        stored: gives a stored setting, which wins over what the process was told.
        requests_max: how many requests are kept.
        bytes_max: how much they may take, see request_bytes.py.
        audit_days: how old changes in the audit log get.
        content_bytes_max: how much kept prompts and answers may take.
    """

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        decisions: ChainedTable,
        *,
        days: float | None,
        requests_max: int | None = None,
    ) -> None:
        self.stored: Callable[[str], object] = _nothing_stored
        self.requests_max = requests_max
        self.bytes_max: int | None = None
        self.audit_days: float | None = None
        self.content_bytes_max: int | None = None
        self._days = days
        self._database = database
        self._ring = ring
        self._table = decisions
        self._look_s = 0.0
        self._broken: set[tuple[str, str]] = set()

    async def poll(self, *, now_s: float, now_unix_s: float) -> None:
        """Remove some of what is due, if it is time to look.

        Args:
            now_s: of the monotonic clock.
            now_unix_s: what age is counted from.
        """
        if now_s < self._look_s:
            return
        before = await self._before(now_unix_s)
        removed = Removed() if before == -math.inf else await self.prune(before)
        removed += await self._unkept(before)
        if self.audit_days is not None:
            removed += await self._forget(now_unix_s - self.audit_days * SECONDS_A_DAY)
        if removed:
            log.info("retention_removed", extra={name: getattr(removed, name) for name in NAMES})
        else:
            self._look_s = now_s + LOOK_S

    @property
    def days(self) -> float | None:
        """How old requests get; None is as old as may be."""
        stored = self.stored(DAYS)
        if stored == NEVER:
            return None
        return float(stored) if isinstance(stored, int | float) else self._days

    async def _before(self, now_unix_s: float) -> float:
        """Give from when on requests are kept."""
        days, most = self.days, self.requests_max
        before = -math.inf if days is None else now_unix_s - days * SECONDS_A_DAY
        if most is not None:
            newest = await self._database.read(Statement(_TOO_MANY, (most,)))
            if newest:
                # The newest of those that are too many goes, too.
                before = max(before, math.nextafter(newest[0]["at_unix_s"], math.inf))
        if self.bytes_max is not None:
            before = max(before, await kept_from(self._database, self.bytes_max))
        return before

    async def _unkept(self, before_unix_s: float) -> Removed:
        """Remove prompts and answers that go with their requests, or are too much, some of them."""
        before, most = before_unix_s, self.content_bytes_max
        if most is not None:
            before = max(before, await contents_kept_from(self._database, most))
        gone = 0
        for _ in range(BATCHES_MAX):
            removed = await self._database.write(partial(outdated, before))
            gone += removed
            if not removed:
                break
        return Removed(contents=gone)

    async def prune(self, before_unix_s: float, *, batches_max: int = BATCHES_MAX) -> Removed:
        """Remove what is older than that, in batches_max transactions; nothing: all is done."""
        total = Removed()
        for _ in range(batches_max):
            removed = await self._batch(before_unix_s)
            if not removed:
                break
            total += removed
        return total

    async def count(self, before_unix_s: float) -> Removed:
        """Give how much is older than that; snapshots and boots are not counted ahead."""
        rows = await self._database.read(Statement(_COUNT, (before_unix_s,)))
        return Removed(
            requests=int(rows[0]["requests"]),
            decisions=int(rows[0]["decisions"]),
            holds=int(rows[0]["holds"]),
            tool_calls=int(rows[0]["tool_calls"]),
        )

    async def _batch(self, before_unix_s: float) -> Removed:
        # Both in step: left for later, one of them would never be reached under load.
        removed = await self._first(self._table, self._decided, before_unix_s)
        removed += await self._first(CALL_CHAINS, self._called, before_unix_s)
        removed += Removed(contents=await self._database.write(partial(outdated, before_unix_s)))
        if removed:
            return removed
        return await self._database.write(partial(_undecided, before_unix_s))

    async def _forget(self, before_unix_s: float) -> Removed:
        """Remove changes that are older than that from the audit log, some of them."""
        total = Removed()
        for _ in range(BATCHES_MAX):
            removed = await self._first(AUDIT_CHAINS, self._changed, before_unix_s)
            if not removed:
                break
            total += removed
        return total

    async def _first(
        self,
        table: ChainedTable,
        remove: Callable[[str, float], Steps[Removed]],
        before_unix_s: float,
    ) -> Removed:
        """Remove the oldest rows of the first chain of a table that has any that are due."""
        for row in await self._database.read(Statement(_CHAINS, (table.kind,))):
            chain_id = str(row["chain_id"])
            if (table.kind, chain_id) in self._broken:
                continue
            removed = await self._database.write(partial(remove, chain_id, before_unix_s))
            if removed:
                return removed
        return Removed()

    def _due(
        self, table: ChainedTable, oldest_sql: str, chain_id: str, before_unix_s: float
    ) -> Steps[tuple[Link, list[Row]] | None]:
        """Give the rows of one chain that are due, and their end, behind a new checkpoint.

        None where none is due, or one of them is not as it was.
        """
        start = yield from first_rows(table, chain_id, self._ring)
        if start is None:
            self._stop(table, chain_id, "its checkpoint or its key is not this gateway's")
            return None
        rows = yield Statement(oldest_sql, (chain_id, start.seq, BATCH_ROWS))
        due = _due(rows, before_unix_s)
        if not due:
            return None
        end = verified_part(table, start, due)
        if end is None:
            self._stop(table, chain_id, "a row that is due was changed, or one is missing")
            return None
        yield from checkpoint(table, end, self._ring)
        return end, due

    def _decided(self, chain_id: str, before_unix_s: float) -> Steps[Removed]:
        """Remove the oldest decisions of one chain with their requests."""
        found = yield from self._due(self._table, _OLDEST, chain_id, before_unix_s)
        if found is None:
            return Removed()
        end, due = found
        # The requests first: they are found by their decisions.
        requests = yield Statement(_REQUESTS, (chain_id, end.seq))
        decisions = yield Statement(_DECISIONS, (chain_id, end.seq))
        snapshots = sorted({str(one["snapshot_id"]) for one in due})
        gone = 0
        for one in snapshots:
            gone += len((yield Statement(_SNAPSHOT, (one,))))
        # In step with the requests: left for later, they would never be reached under load.
        holds = yield Statement(_HOLDS, (before_unix_s, BATCH_ROWS))
        return Removed(len(requests), len(decisions), gone, len(holds))

    def _called(self, chain_id: str, before_unix_s: float) -> Steps[Removed]:
        """Remove the oldest calls of tools of one chain."""
        found = yield from self._due(CALL_CHAINS, CALL_CHAINS.rows_sql, chain_id, before_unix_s)
        if found is None:
            return Removed()
        calls = yield Statement(_CALLS, (chain_id, found[0].seq))
        return Removed(tool_calls=len(calls))

    def _changed(self, chain_id: str, before_unix_s: float) -> Steps[Removed]:
        """Remove the oldest changes of one chain from the audit log."""
        found = yield from self._due(AUDIT_CHAINS, AUDIT_CHAINS.rows_sql, chain_id, before_unix_s)
        if found is None:
            return Removed()
        gone = yield Statement(_CHANGES, (chain_id, found[0].seq))
        return Removed(changes=len(gone))

    def _stop(self, table: ChainedTable, chain_id: str, reason: str) -> None:
        if (table.kind, chain_id) not in self._broken:
            self._broken.add((table.kind, chain_id))
            facts = {"chain_id": chain_id, "kind": table.kind, "reason": reason}
            log.error("retention_stops", extra=facts)


NAMES = tuple(one.name for one in fields(Removed))


def _nothing_stored(name: str) -> object:
    return None


def _due(rows: Sequence[Row], before_unix_s: float) -> list[Row]:
    """Give the rows up to the first that is to stay; one without its request is due."""
    due: list[Row] = []
    for row in rows:
        at = row["at_unix_s"]
        if at is not None and at >= before_unix_s:
            break
        due.append(row)
    return due


def _undecided(before_unix_s: float) -> Steps[Removed]:
    """Remove old requests that were refused before any decision, settled holds and past runs."""
    requests = yield Statement(_UNDECIDED, (before_unix_s, BATCH_ROWS))
    holds = yield Statement(_HOLDS, (before_unix_s, BATCH_ROWS))
    boots = yield Statement(_BOOTS, (before_unix_s, BATCH_ROWS))
    return Removed(requests=len(requests), holds=len(holds), boots=len(boots))


_TOO_MANY = "SELECT at_unix_s FROM outcomes ORDER BY at_unix_s DESC LIMIT 1 OFFSET $1"
_CHAINS = (
    "SELECT chains.chain_id FROM chains LEFT JOIN checkpoints "
    "ON checkpoints.chain_id = chains.chain_id AND checkpoints.kind = chains.kind "
    "WHERE chains.kind = $1 AND (checkpoints.seq IS NULL OR checkpoints.seq < chains.seq) "
    "ORDER BY chains.chain_id"
)
_OLDEST = (
    "SELECT decisions.chain_id, decisions.seq, decisions.mac, decisions.request_id, "
    "decisions.key_id, decisions.snapshot_id, decisions.record, outcomes.at_unix_s "
    "FROM decisions LEFT JOIN outcomes ON outcomes.request_id = decisions.request_id "
    "WHERE decisions.chain_id = $1 AND decisions.seq > $2 ORDER BY decisions.seq LIMIT $3"
)
_REQUESTS = (
    "DELETE FROM outcomes WHERE request_id IN "
    "(SELECT request_id FROM decisions WHERE chain_id = $1 AND seq <= $2) RETURNING request_id"
)
_DECISIONS = "DELETE FROM decisions WHERE chain_id = $1 AND seq <= $2 RETURNING request_id"
_CALLS = "DELETE FROM mcp_tool_audit WHERE chain_id = $1 AND seq <= $2 RETURNING call_id"
_CHANGES = "DELETE FROM audit WHERE chain_id = $1 AND seq <= $2 RETURNING seq"
_SNAPSHOT = (
    "DELETE FROM snapshots WHERE snapshot_id = $1 AND NOT EXISTS "
    "(SELECT 1 FROM decisions WHERE decisions.snapshot_id = snapshots.snapshot_id) "
    "RETURNING snapshot_id"
)
_UNDECIDED = (
    "DELETE FROM outcomes WHERE request_id IN (SELECT request_id FROM outcomes "
    "WHERE at_unix_s < $1 AND request IS NOT NULL ORDER BY at_unix_s LIMIT $2) "
    "RETURNING request_id"
)
_HOLDS = (
    "DELETE FROM reservations WHERE hold_id IN (SELECT hold_id FROM reservations "
    "WHERE settled_unix_s < $1 ORDER BY settled_unix_s LIMIT $2) RETURNING hold_id"
)
_BOOTS = (
    "DELETE FROM boots WHERE boot_id IN (SELECT boot_id FROM boots WHERE seen_unix_s < $1 "
    "AND NOT EXISTS (SELECT 1 FROM chains WHERE chains.chain_id = boots.boot_id) "
    "AND NOT EXISTS (SELECT 1 FROM budget_leases WHERE budget_leases.boot_id = boots.boot_id) "
    "AND NOT EXISTS (SELECT 1 FROM reservations WHERE reservations.boot_id = boots.boot_id "
    "AND reservations.actual_usd_nanos IS NULL) LIMIT $2) RETURNING boot_id"
)
_COUNT = (
    "SELECT (SELECT count(*) FROM outcomes WHERE at_unix_s < $1) AS requests, "
    "(SELECT count(*) FROM decisions JOIN outcomes "
    "ON outcomes.request_id = decisions.request_id WHERE outcomes.at_unix_s < $1) AS decisions, "
    "(SELECT count(*) FROM reservations WHERE settled_unix_s < $1) AS holds, "
    "(SELECT count(*) FROM mcp_tool_audit WHERE at_unix_s < $1) AS tool_calls"
)
