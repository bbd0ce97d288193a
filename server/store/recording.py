"""Recording holds that were let through in memory: those that leases pay, and the unpaid ones.

A hold that leases paid is recorded with its windows: what it took moves out of the leases, to
what requests hold, or to what is spent when it is settled already. A hold is recorded once:
when an earlier try was stored after all, its row is there, and nothing is counted again.

Two other things can have happened meanwhile. The lease may be over, because other processes
took this one for dead and wrote it off: then its budget has paid already, and the hold's row
does not name it. Or the hold's id may be another's, which only the database can tell: then the
hold is recorded under `<id>@<boot>`, so that what it costs is counted beside the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from omniroute.routing.ports import Hold

from .budget_rows import LEASE_S, Standing, reservation_values
from .database import Many, Statement, Steps, Value
from .lease_rows import change_window, locked_windows
from .windows import Line


@dataclass(frozen=True, slots=True)
class LeasedHold:
    """A hold that leases paid; `usd_nanos` is None until it is settled.

    Attributes:
        leases: the windows that pay, each with the id of its lease.
    """

    hold: Hold
    leases: tuple[tuple[Line, str], ...]
    created_unix_s: float
    usd_nanos: int | None = None

    @property
    def taken_usd_nanos(self) -> int:
        """What it takes out of each lease; what a cheap answer leaves stays in there."""
        if self.usd_nanos is None:
            return self.hold.usd_nanos
        return min(self.usd_nanos, self.hold.usd_nanos)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of a batch.

    Attributes:
        aliases: the ids under which holds were recorded whose own ids were taken.
        lost: leases that are over.
        standings: the windows that changed.
    """

    aliases: dict[str, str]
    lost: frozenset[str]
    standings: tuple[Standing, ...]


@dataclass(slots=True)
class _Change:
    held: int = 0
    leased: int = 0
    spent: int = 0


def record_leased(
    items: Sequence[LeasedHold], kind: str, *, boot_id: str, again: bool, now_unix_s: float
) -> Steps[Recorded]:
    """Record holds that leases paid. `again`: an earlier try may have been stored after all."""
    lease_ids = {lease_id: line for item in items for line, lease_id in item.leases}
    lines = sorted(set(lease_ids.values()), key=lambda one: (one.budget_id, one.window_start))
    yield from locked_windows(lines, kind)
    rows = yield Statement(_LEASES[kind], (_json(list(lease_ids)),))
    living = {str(row["lease_id"]) for row in rows}
    named = {item.hold.hold_id: item for item in items}
    new = yield from _insert(named, living, kind, boot_id=boot_id, now_unix_s=now_unix_s)
    aliases: dict[str, str] = {}
    if len(new) < len(named):
        taken = [hold_id for hold_id in named if hold_id not in new]
        own = (yield from _own(taken, kind, boot_id)) if again else frozenset[str]()
        aliases = {hold_id: f"{hold_id}@{boot_id}" for hold_id in taken if hold_id not in own}
        others = {alias: named[hold_id] for hold_id, alias in aliases.items()}
        new |= yield from _insert(others, living, kind, boot_id=boot_id, now_unix_s=now_unix_s)
        named |= others
    standings = yield from _count([named[hold_id] for hold_id in new], living)
    return Recorded(aliases, frozenset(lease_ids.keys() - living), standings)


def unpaid_reservation(
    hold: Hold, usd_nanos: int | None, *, boot_id: str, now_unix_s: float
) -> tuple[Value, ...]:
    """Give the values of KEEP_UNPAID for a hold that no budget pays for."""
    values = reservation_values(hold, (), boot_id=boot_id, now_unix_s=now_unix_s)
    return (*values, usd_nanos, None if usd_nanos is None else now_unix_s)


def _insert(
    named: dict[str, LeasedHold],
    living: set[str],
    kind: str,
    *,
    boot_id: str,
    now_unix_s: float,
) -> Steps[set[str]]:
    """Keep holds under these ids, and give the ids that were free."""
    if not named:
        return set()
    rows = [
        (
            hold_id,
            item.hold.key_id,
            _json(
                [(line.budget_id, line.window_start) for line, one in item.leases if one in living]
            ),
            item.hold.usd_nanos,
            item.created_unix_s,
            item.usd_nanos,
            None if item.usd_nanos is None else now_unix_s,
        )
        for hold_id, item in named.items()
    ]
    found = yield Statement(_INSERT[kind], (_json(rows), boot_id, LEASE_S))
    return {str(row["hold_id"]) for row in found}


def _own(hold_ids: Sequence[str], kind: str, boot_id: str) -> Steps[frozenset[str]]:
    """Give those of these holds that this boot has recorded before."""
    rows = yield Statement(_OWN[kind], (_json(hold_ids), boot_id))
    return frozenset(str(row["hold_id"]) for row in rows)


def _count(items: Sequence[LeasedHold], living: set[str]) -> Steps[tuple[Standing, ...]]:
    """Move what the holds took out of the leases that still live."""
    taken: dict[str, int] = {}
    changes: dict[Line, _Change] = {}
    for item in items:
        amount = item.taken_usd_nanos
        for line, lease_id in item.leases:
            if lease_id not in living:
                continue
            taken[lease_id] = taken.get(lease_id, 0) + amount
            change = changes.setdefault(line, _Change())
            change.leased -= amount
            if item.usd_nanos is not None:
                change.held -= amount
                change.spent += item.usd_nanos
    if taken:
        yield Many(_TAKE, list(taken.items()))
    standings: list[Standing] = []
    for line, change in changes.items():
        standing = yield from change_window(
            line, held=change.held, leased=change.leased, spent=change.spent
        )
        if standing is not None:
            standings.append(standing)
    return tuple(standings)


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


KEEP_UNPAID = (
    "INSERT INTO reservations (hold_id, key_id, lines, bound_usd_nanos, boot_id, "
    "lease_until_unix_s, created_unix_s, actual_usd_nanos, settled_unix_s, abandoned) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, FALSE) ON CONFLICT (hold_id) DO NOTHING"
)

_TAKE = "UPDATE budget_leases SET leased_usd_nanos = leased_usd_nanos - $2 WHERE lease_id = $1"

# Lists come as one JSON text, which both databases take apart; a batch is one statement.
_LEASES = {
    "sqlite": "SELECT lease_id FROM budget_leases "
    "WHERE lease_id IN (SELECT value FROM json_each($1))",
    "postgres": "SELECT lease_id FROM budget_leases "
    "WHERE lease_id IN (SELECT json_array_elements_text(CAST($1 AS JSON)))",
}

_OWN = {
    "sqlite": "SELECT hold_id FROM reservations WHERE boot_id = $2 "
    "AND hold_id IN (SELECT value FROM json_each($1))",
    "postgres": "SELECT hold_id FROM reservations WHERE boot_id = $2 "
    "AND hold_id IN (SELECT json_array_elements_text(CAST($1 AS JSON)))",
}

_INSERT = {
    "sqlite": "INSERT INTO reservations (hold_id, key_id, lines, bound_usd_nanos, "
    "created_unix_s, lease_until_unix_s, actual_usd_nanos, settled_unix_s, boot_id, abandoned) "
    "SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), "
    "json_extract(value, '$[2]'), json_extract(value, '$[3]'), json_extract(value, '$[4]'), "
    "json_extract(value, '$[4]') + $3, json_extract(value, '$[5]'), json_extract(value, '$[6]'), "
    "$2, FALSE FROM json_each($1) WHERE TRUE ON CONFLICT (hold_id) DO NOTHING RETURNING hold_id",
    "postgres": "INSERT INTO reservations (hold_id, key_id, lines, bound_usd_nanos, "
    "created_unix_s, lease_until_unix_s, actual_usd_nanos, settled_unix_s, boot_id, abandoned) "
    "SELECT item ->> 0, item ->> 1, item ->> 2, CAST(item ->> 3 AS BIGINT), "
    "CAST(item ->> 4 AS DOUBLE PRECISION), "
    "CAST(item ->> 4 AS DOUBLE PRECISION) + CAST($3 AS DOUBLE PRECISION), "
    "CAST(item ->> 5 AS BIGINT), CAST(item ->> 6 AS DOUBLE PRECISION), $2, FALSE "
    "FROM json_array_elements(CAST($1 AS JSON)) AS item "
    "ON CONFLICT (hold_id) DO NOTHING RETURNING hold_id",
}
