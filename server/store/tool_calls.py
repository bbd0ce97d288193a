"""The record of tool calls, kept. Fulfils the port Audit of the tools.

`record` queues and returns; one writer stores calls in batches (see outbox.py), chained (see
chain.py), so that none is changed or removed unseen. When the database stays away, calls wait;
past CALLS.items_max the oldest is given up, which is counted, logged and told by
`/api/mcp/status`. A reader sees every call that was recorded before it asked.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from omniroute.tools.audit import ToolCall

from .chain import Chain, ChainedTable, Growth, Verified, framed, verify
from .database import Database, Many, Row, Statement, Steps, Value
from .keyring import KeyRing
from .outbox import Limits, Outbox

CALLS = Limits(batch_max=500, spare_max=10_000, items_max=10_000, gather_s=0.05)
PAGE_MAX = 500
TOP_MAX = 10
STATS_S = 86_400.0
"""How far back statistics go."""

_CONTENT = (
    "call_id, key_id, tool, at_unix_s, duration_ms, outcome, error, input_hash, arguments, "
    "output_summary, era, transport"
)

CALL_CHAINS = ChainedTable(
    kind="mcp_tool_audit",
    rows_sql=(
        f"SELECT chain_id, seq, mac, {_CONTENT} FROM mcp_tool_audit "  # noqa: S608 - constants
        "WHERE chain_id = $1 AND seq > $2 ORDER BY seq LIMIT $3"
    ),
    orphans_sql=(
        "SELECT calls.chain_id, min(calls.seq) AS seq FROM mcp_tool_audit AS calls "
        "LEFT JOIN chains ON chains.chain_id = calls.chain_id "
        "AND chains.kind = 'mcp_tool_audit' "
        "WHERE chains.seq IS NULL OR calls.seq > chains.seq GROUP BY calls.chain_id"
    ),
    content=lambda row: _content(_call(row)),
)


@dataclass(frozen=True, slots=True)
class StoredCall:
    """A call with its number in the database."""

    number: int
    call: ToolCall


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which calls are asked for; None leaves a term out.

    Attributes:
        success: answered ones, or failed and refused ones.
        since_unix_s: calls that came then or later.
        before: calls that came before this time, or then and with a lower number.
    """

    tool: str | None = None
    key_id: str | None = None
    outcome: str | None = None
    success: bool | None = None
    since_unix_s: float | None = None
    before: tuple[float, int] | None = None

    def select(self, columns: str, rest: str = "", *values: Value) -> Statement:
        """Give a statement about these calls.

        Args:
            columns: what it gives.
            rest: what follows its terms, with $1 and on for `values`.
            values: bound in `rest`.
        """
        terms: list[str] = []
        bound = [*values]
        for sql, value in (
            ("tool =", self.tool),
            ("key_id =", self.key_id),
            ("outcome =", self.outcome),
            ("at_unix_s >=", self.since_unix_s),
        ):
            if value is not None:
                bound.append(value)
                terms.append(f"{sql} ${len(bound)}")
        if self.success is not None:
            terms.append(_SUCCEEDED if self.success else _NOT_SUCCEEDED)
        if self.before is not None:
            bound += self.before
            at, number = f"${len(bound) - 1}", f"${len(bound)}"
            terms.append(f"(at_unix_s < {at} OR (at_unix_s = {at} AND id < {number}))")
        where = f"WHERE {' AND '.join(terms)} " if terms else ""
        # Put together of constants alone: the values are bound.
        sql = f"SELECT {columns} FROM mcp_tool_audit {where}{rest}"  # noqa: S608
        return Statement(sql, tuple(bound))


@dataclass(frozen=True, slots=True)
class Stats:
    """Figures of calls since a moment.

    Attributes:
        duration_ms: mean of those that were not cancelled, None where there is none.
        top: the tools called most, with how often.
        last: the newest call of all, None where there is none.
    """

    answered: int
    failed: int
    refused: int
    cancelled: int
    duration_ms: float | None
    top: tuple[tuple[str, int], ...]
    last: ToolCall | None

    @property
    def calls(self) -> int:
        """All calls."""
        return self.answered + self.failed + self.refused + self.cancelled

    @property
    def success_rate(self) -> float | None:
        """The part of the calls that ended which was answered; cancelled ones did not end."""
        ended = self.calls - self.cancelled
        return self.answered / ended if ended else None


async def _no_others() -> None:
    """Do as a process does whose calls alone are on record."""


def _unfollowed(call: ToolCall) -> None:
    """Do as calls do that nobody follows."""


class ToolCalls:
    """Calls in the database, and this process's chain of them.

    Args:
        boot_id: this process's run, which names its chain.

    Attributes:
        gather: is awaited before calls are read that others may have: has them store theirs.
        follow: is told each call as it is recorded.
    """

    def __init__(
        self, database: Database, ring: KeyRing, *, boot_id: str, keeps_arguments: bool = False
    ) -> None:
        self.gather: Callable[[], Awaitable[None]] = _no_others
        self.follow: Callable[[ToolCall], None] = _unfollowed
        self.keeps_arguments = keeps_arguments
        self._database = database
        self._ring = ring
        self._chain = Chain("mcp_tool_audit", boot_id, ring)
        self._outbox: Outbox[ToolCall] = Outbox("tool_calls", self._write, limits=CALLS)

    @property
    def given_up(self) -> int:
        """How many calls could not be kept."""
        return self._outbox.given_up

    @property
    def waiting(self) -> int:
        """How many calls are not stored yet."""
        return len(self._outbox)

    def record(self, call: ToolCall) -> None:
        """Keep a call; never waits."""
        self.follow(call)
        self._outbox.put(call.call_id, call)

    async def run(self) -> None:
        """Store calls as they come, until cancelled."""
        await self._outbox.run()

    async def flush(self) -> None:
        """Store every call so far."""
        await self._outbox.flush()

    async def page(
        self, wanted: Wanted, *, limit: int, offset: int
    ) -> tuple[Sequence[StoredCall], int]:
        """Give calls, the newest first and at most PAGE_MAX, and how many there are in all."""
        await self._all_stored()
        return await self._database.read(partial(_page, wanted, min(limit, PAGE_MAX), offset))

    async def stats(self, *, key_id: str | None, since_unix_s: float) -> Stats:
        """Give figures; with a key_id only of that key's own calls."""
        await self._all_stored()
        return await self._database.read(partial(_stats, key_id, since_unix_s))

    async def verify(self) -> Verified:
        """Check that no call was changed, inserted or removed."""
        await self._all_stored()
        return await verify(self._database, self._ring, CALL_CHAINS)

    async def _all_stored(self) -> None:
        await self.flush()
        await self.gather()

    async def _write(self, items: Sequence[ToolCall], *, again: bool) -> None:
        await self._database.write(partial(self._store, items, again=again))

    def _store(self, items: Sequence[ToolCall], *, again: bool) -> Steps[None]:
        if again:
            items = yield from _not_stored(items)
        if not items:
            return
        growth = yield from self._chain.open()
        yield Many(_KEEP, [_values(call, growth) for call in items])
        yield from self._chain.close(growth)


def _not_stored(items: Sequence[ToolCall]) -> Steps[Sequence[ToolCall]]:
    stored: set[str] = set()
    for call in items:
        rows = yield Statement(_STORED, (call.call_id,))
        stored.update(str(row["call_id"]) for row in rows)
    return [call for call in items if call.call_id not in stored]


def _values(call: ToolCall, growth: Growth) -> tuple[Value, ...]:
    link = growth.link(_content(call))
    return (*_parts(call), link.chain_id, link.seq, link.mac)


def _page(wanted: Wanted, limit: int, offset: int) -> Steps[tuple[Sequence[StoredCall], int]]:
    total = yield replace(wanted, before=None).select("count(*) AS calls")
    rows = yield wanted.select(f"id, {_CONTENT}", _NEWEST, limit, offset)
    return [StoredCall(int(row["id"]), _call(row)) for row in rows], int(total[0]["calls"])


def _stats(key_id: str | None, since_unix_s: float) -> Steps[Stats]:
    wanted = Wanted(key_id=key_id, since_unix_s=since_unix_s)
    outcomes = yield wanted.select(
        "outcome, count(*) AS calls, sum(duration_ms) AS total_ms", "GROUP BY outcome"
    )
    top = yield wanted.select(
        "tool, count(*) AS calls", "GROUP BY tool ORDER BY calls DESC, tool LIMIT $1", TOP_MAX
    )
    last = yield Wanted(key_id=key_id).select(f"id, {_CONTENT}", _NEWEST, 1, 0)
    counts = {str(row["outcome"]): int(row["calls"]) for row in outcomes}
    ended = [row for row in outcomes if row["outcome"] != "cancelled"]
    calls = sum(int(row["calls"]) for row in ended)
    return Stats(
        answered=counts.get("answered", 0),
        failed=counts.get("failed", 0),
        refused=counts.get("refused", 0),
        cancelled=counts.get("cancelled", 0),
        duration_ms=sum(int(row["total_ms"]) for row in ended) / calls if calls else None,
        top=tuple((str(row["tool"]), int(row["calls"])) for row in top),
        last=_call(last[0]) if last else None,
    )


def _call(row: Row) -> ToolCall:
    return ToolCall(
        call_id=row["call_id"],
        key_id=row["key_id"],
        tool=row["tool"],
        at_unix_s=float(row["at_unix_s"]),
        duration_ms=int(row["duration_ms"]),
        outcome=row["outcome"],
        error=row["error"],
        arguments_hash=row["input_hash"],
        arguments=row["arguments"],
        summary=row["output_summary"],
        era=row["era"],
        transport=row["transport"],
    )


def _parts(call: ToolCall) -> tuple[str | float | None, ...]:
    """Give a call's values in the order of _CONTENT."""
    return (
        *(call.call_id, call.key_id, call.tool, call.at_unix_s, call.duration_ms),
        *(call.outcome, call.error, call.arguments_hash, call.arguments, call.summary),
        *(call.era, call.transport),
    )


def _content(call: ToolCall) -> bytes:
    # What is not there is no text, not even the empty one.
    return framed(*(b"\0" if part is None else part for part in _parts(call)))


_KEEP = (
    f"INSERT INTO mcp_tool_audit ({_CONTENT}, chain_id, seq, mac) "  # noqa: S608 - constants
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
)
_STORED = "SELECT call_id FROM mcp_tool_audit WHERE call_id = $1"
_SUCCEEDED = "outcome = 'answered'"
_NOT_SUCCEEDED = "outcome IN ('failed', 'refused')"
_NEWEST = "ORDER BY at_unix_s DESC, id DESC LIMIT $1 OFFSET $2"
