"""Recording holds that were let through in memory: those that leases pay, and the unpaid ones.

A hold that leases paid is recorded with its windows: what it took moves out of the leases, to
what requests hold, or to what is spent when it is settled already. A batch goes in at once, as if
every hold's id were free, which it is (`record`). Where the database refuses that, the batch goes
in with care (`record_with_care`): a hold is recorded once; when an earlier try was stored after
all, its row is there, and nothing is counted again.

Two other things can have happened meanwhile. The lease may be over, because other processes
took this one for dead and wrote it off: then its budget has paid already, and the hold's row
does not name it. Or the hold's id may be another's, which only the database can tell: then the
hold is recorded under `<id>@<boot>`, so that what it costs is counted beside the other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from omniroute.routing.ports import Hold

from .budget_rows import LEASE_S, Standing
from .database import Many, Statement, Steps, Value
from .lease import Lease
from .lease_rows import change_window, locked_windows
from .windows import Line


@dataclass(slots=True, eq=False)
class Held:
    """A hold that was let through in memory. It changes in place while it waits to be written.

    Attributes:
        leases: what pays for it; none when no budget does.
        usd_nanos: what was really spent, None until it is settled.
        taken_usd_nanos: what it takes out of each lease; what a cheap answer leaves stays there.
        is_recorded: it is in the database, and its leases know.
    """

    hold: Hold
    leases: tuple[Lease, ...]
    created_unix_s: float
    taken_usd_nanos: int
    usd_nanos: int | None = None
    is_recorded: bool = False

    def settle(self, usd_nanos: int) -> None:
        """Know what was really spent; the first call counts."""
        if self.usd_nanos is not None:
            return
        self.usd_nanos = usd_nanos
        spare_usd_nanos = self.taken_usd_nanos - usd_nanos
        if spare_usd_nanos > 0:
            self.taken_usd_nanos = usd_nanos
            for lease in self.leases:
                lease.unrecorded_usd_nanos -= spare_usd_nanos


@dataclass(slots=True)
class Sums:
    """What holds that the same leases pay come to together.

    Attributes:
        taken_usd_nanos: what they took out of each lease.
        freed_usd_nanos: the part of it that nothing holds any more: of those that are settled.
        spent_usd_nanos: what was spent in its stead.
    """

    holds: int = 0
    taken_usd_nanos: int = 0
    freed_usd_nanos: int = 0
    spent_usd_nanos: int = 0


Summed = dict[tuple[Lease, ...], Sums]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of a batch.

    Attributes:
        summed: all of its holds.
        living: the leases that were not over.
        standings: the windows that changed.
        aliases: the ids under which holds were recorded whose own ids were taken.
    """

    summed: Summed
    living: frozenset[str]
    standings: tuple[Standing, ...]
    aliases: dict[str, str]


def record(items: Sequence[Held], kind: str, *, boot_id: str, now_unix_s: float) -> Steps[Recorded]:
    """Record holds whose ids are free.

    The unit raises RowRefused when one is not.
    """
    summed = _summed(items)
    living = yield from _living(summed, kind)
    named = [(item.hold.hold_id, item) for item in items]
    yield Many(_KEEP, _rows(named, living, boot_id=boot_id, now_unix_s=now_unix_s))
    standings = yield from _move(summed, living)
    return Recorded(summed, living, standings, {})


def record_with_care(
    items: Sequence[Held], kind: str, *, boot_id: str, again: bool, now_unix_s: float
) -> Steps[Recorded]:
    """Record holds whatever became of their ids.

    `again`: an earlier try may have been stored after all.
    """
    summed = _summed(items)
    living = yield from _living(summed, kind)
    named = {item.hold.hold_id: item for item in items}
    taken = yield from _stored(named, kind)
    own = (yield from _stored(taken, kind, boot_id)) if again else frozenset[str]()
    # What no budget pays for needs no second row: nothing is counted by it.
    aliases = {
        hold_id: f"{hold_id}@{boot_id}"
        for hold_id in taken
        if hold_id not in own and named[hold_id].leases
    }
    others = {alias: named[hold_id] for hold_id, alias in aliases.items()}
    stored = yield from _stored(others, kind)
    new = [(hold_id, item) for hold_id, item in named.items() if hold_id not in taken]
    new += [(alias, item) for alias, item in others.items() if alias not in stored]
    if new:
        yield Many(_KEEP, _rows(new, living, boot_id=boot_id, now_unix_s=now_unix_s))
    standings = yield from _move(_summed(item for _, item in new), living)
    return Recorded(summed, living, standings, aliases)


def _summed(items: Iterable[Held]) -> Summed:
    summed: Summed = {}
    for item in items:
        sums = summed.get(item.leases)
        if sums is None:
            sums = summed[item.leases] = Sums()
        sums.holds += 1
        sums.taken_usd_nanos += item.taken_usd_nanos
        if item.usd_nanos is not None:
            sums.freed_usd_nanos += item.taken_usd_nanos
            sums.spent_usd_nanos += item.usd_nanos
    return summed


def _living(summed: Summed, kind: str) -> Steps[frozenset[str]]:
    """Lock the windows that pay, and give the ids of their leases that are not over."""
    leases = {lease.lease_id: lease.line for leases in summed for lease in leases}
    if not leases:
        return frozenset()
    yield from locked_windows(sorted(set(leases.values()), key=_place), kind)
    rows = yield Statement(_LEASES[kind], (_json(list(leases)),))
    return frozenset(str(row["lease_id"]) for row in rows)


def _stored(
    hold_ids: Iterable[str], kind: str, boot_id: str | None = None
) -> Steps[frozenset[str]]:
    """Give those of these holds that are in the database; with a boot_id only its own."""
    ids = _json(list(hold_ids))
    rows = yield Statement(_STORED[kind], (ids, boot_id or ""))
    return frozenset(str(row["hold_id"]) for row in rows)


def _rows(
    named: Iterable[tuple[str, Held]],
    living: frozenset[str],
    *,
    boot_id: str,
    now_unix_s: float,
) -> list[tuple[Value, ...]]:
    """Give the values of _KEEP for holds under these ids."""
    lines: dict[tuple[Lease, ...], str] = {}
    rows: list[tuple[Value, ...]] = []
    for hold_id, item in named:
        hold, leases, created_unix_s, spent = (
            item.hold,
            item.leases,
            item.created_unix_s,
            item.usd_nanos,
        )
        if leases not in lines:
            texts = [lease.text for lease in leases if lease.lease_id in living]
            lines[leases] = f"[{', '.join(texts)}]"
        rows.append(
            (
                *(hold_id, hold.key_id, lines[leases], hold.usd_nanos, boot_id),
                *(created_unix_s + LEASE_S, created_unix_s),
                *(spent, None if spent is None else now_unix_s),
            )
        )
    return rows


def _move(summed: Summed, living: frozenset[str]) -> Steps[tuple[Standing, ...]]:
    """Move what the holds took out of the leases that still live."""
    taken: dict[str, int] = {}
    moved: dict[Line, Sums] = {}
    for leases, sums in summed.items():
        for lease in leases:
            if lease.lease_id not in living:
                continue
            taken[lease.lease_id] = taken.get(lease.lease_id, 0) + sums.taken_usd_nanos
            change = moved.setdefault(lease.line, Sums())
            change.taken_usd_nanos += sums.taken_usd_nanos
            change.freed_usd_nanos += sums.freed_usd_nanos
            change.spent_usd_nanos += sums.spent_usd_nanos
    if taken:
        yield Many(_TAKE, list(taken.items()))
    standings: list[Standing] = []
    for line, change in moved.items():
        standing = yield from change_window(
            line,
            held=-change.freed_usd_nanos,
            leased=-change.taken_usd_nanos,
            spent=change.spent_usd_nanos,
        )
        if standing is not None:
            standings.append(standing)
    return tuple(standings)


def _place(line: Line) -> tuple[str, int]:
    return line.budget_id, line.window_start


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


_KEEP = (
    "INSERT INTO reservations (hold_id, key_id, lines, bound_usd_nanos, boot_id, "
    "lease_until_unix_s, created_unix_s, actual_usd_nanos, settled_unix_s, abandoned) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, FALSE)"
)

_TAKE = "UPDATE budget_leases SET leased_usd_nanos = leased_usd_nanos - $2 WHERE lease_id = $1"

# Lists come as one JSON text, which both databases take apart.
_LEASES = {
    "sqlite": "SELECT lease_id FROM budget_leases "
    "WHERE lease_id IN (SELECT value FROM json_each($1))",
    "postgres": "SELECT lease_id FROM budget_leases "
    "WHERE lease_id IN (SELECT json_array_elements_text(CAST($1 AS JSON)))",
}

_STORED = {
    "sqlite": "SELECT hold_id FROM reservations WHERE ($2 = '' OR boot_id = $2) "
    "AND hold_id IN (SELECT value FROM json_each($1))",
    "postgres": "SELECT hold_id FROM reservations WHERE ($2 = '' OR boot_id = $2) "
    "AND hold_id IN (SELECT json_array_elements_text(CAST($1 AS JSON)))",
}
