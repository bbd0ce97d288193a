"""Leases in the database: granted, given back, called back, written off.

What is leased of a window is part of what it holds (`held`), so no reservation and no other
lease can have it. A unit reads the window's row under its lock before it changes anything of
it or of its leases; on SQLite the writer is alone anyway. See leases.py for the policy.

How much a process may lease of a window (`share_of`): the SHARE-th part of what nobody has set
aside, divided among the living processes; and nothing at all when that does not pay for
HOLDS_MIN requests, or when leases were called back less than QUIET_S ago. So close to the cap,
and in small budgets, nothing is leased.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from .boots import SILENT_S, is_known_dead
from .budget_rows import READ_WINDOW, Standing, standings_of
from .database import Row, Statement, Steps
from .windows import Line

SHARE = 8
"""All processes together lease the eighth part of what is left, at most."""
HOLDS_MIN = 4
"""A lease that does not pay for so many requests is not worth its own statements."""
QUIET_S = 5.0
"""How long after chunks were called back no new ones are granted."""
CHUNK_S = 60.0
"""How long a chunk stays its process's own after the last grant."""
CHUNK_SLACK_S = 15.0
"""How much earlier the process stops using it: clocks differ, and a pause may come between."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A chunk that a process asks for; no lease is to be smaller than `usd_nanos_min`.

    `exposed_usd_nanos` is what holds that are not recorded may cost at most from then on.
    """

    line: Line
    lease_id: str
    is_new: bool
    usd_nanos: int
    usd_nanos_min: int
    exposed_usd_nanos: int


@dataclass(frozen=True, slots=True)
class Granted:
    """What came of a wish.

    Attributes:
        usd_nanos: the chunk; 0 when the lease has all that it can have.
        share_usd_nanos: what the lease can have; 0 when it should end.
        standing: the window as it stands; None when it is gone.
        lost: the lease is gone: it was written off, or its budget removed.
    """

    usd_nanos: int
    share_usd_nanos: int
    standing: Standing | None
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Returned:
    """What came of giving back: the amount, and the window; None when the lease was gone."""

    usd_nanos: int
    standing: Standing | None


def share_of(
    standing: Standing, wish: Wish, *, own_usd_nanos: int, processes: int, now_unix_s: float
) -> int:
    """Give how much a process can lease of a window, of which it has leased `own_usd_nanos`."""
    if 0 <= now_unix_s - standing.recalled_unix_s < QUIET_S:
        return 0
    share = (standing.free_usd_nanos + own_usd_nanos) // (SHARE * max(processes, 1))
    return share if share >= max(wish.usd_nanos_min, 1) else 0


def grant(wish: Wish, kind: str, *, boot_id: str, now_unix_s: float) -> Steps[Granted]:
    """Set a chunk aside for a process, or find that none can be."""
    standing = (yield from locked_windows((wish.line,), kind)).get(wish.line)
    own = yield Statement(_LEASED, (wish.lease_id,))
    if standing is None or (not own and not wish.is_new):
        return Granted(0, 0, standing, lost=True)
    own_usd_nanos = sum(int(row["leased_usd_nanos"]) for row in own)
    (boots,) = yield Statement(_LIVING, (now_unix_s - SILENT_S,))
    share = share_of(
        standing,
        wish,
        own_usd_nanos=own_usd_nanos,
        processes=int(boots["living"]),
        now_unix_s=now_unix_s,
    )
    chunk = min(wish.usd_nanos, share - own_usd_nanos)
    if chunk <= 0:
        return Granted(0, share, standing)
    line, until_unix_s = wish.line, now_unix_s + CHUNK_S
    if own:
        # It never falls: the process goes by the greater one until it has the answer.
        exposed = max(wish.exposed_usd_nanos, *(int(row["exposed_usd_nanos"]) for row in own))
        yield Statement(_LEASE_MORE, (wish.lease_id, chunk, until_unix_s, exposed))
    else:
        names = (wish.lease_id, boot_id, line.budget_id, line.window_start)
        yield Statement(_LEASE, (*names, chunk, until_unix_s, wish.exposed_usd_nanos))
    standing = yield from change_window(line, held=chunk, leased=chunk)
    return Granted(chunk, share, standing)


def give_back(
    line: Line, lease_id: str, kind: str, *, keep_usd_nanos: int | None
) -> Steps[Returned]:
    """Give a lease back but for what is kept; None ends the lease.

    What it has more than the process knows of is given back too, so that a grant whose answer
    was lost does not stay behind.
    """
    yield from locked_windows((line,), kind)
    rows = yield Statement(_LEASED, (lease_id,))
    if not rows:
        return Returned(0, None)
    (row,) = rows
    amount = max(0, int(row["leased_usd_nanos"]) - (keep_usd_nanos or 0))
    if keep_usd_nanos is None:
        yield Statement(_END_LEASE, (lease_id,))
    else:
        yield Statement(_LEASE_LESS, (lease_id, amount))
    return Returned(amount, (yield from change_window(line, held=-amount, leased=-amount)))


def call_back(line: Line, *, now_unix_s: float) -> Statement:
    """Ask every process to give back what it has leased of a window."""
    return Statement(_CALL_BACK, (line.budget_id, line.window_start, now_unix_s))


def dead_leases(now_unix_s: float, own_boot_id: str) -> Steps[Sequence[tuple[Line, str]]]:
    """Give the leases of processes that are dead, or that let their leases run out."""
    rows = yield Statement(_OTHERS_LEASES, (own_boot_id,))
    return [
        (Line(row["budget_id"], int(row["window_start"])), row["lease_id"])
        for row in rows
        if row["until_unix_s"] < now_unix_s or is_known_dead(row)
    ]


def write_off(line: Line, lease_id: str, kind: str, *, now_unix_s: float) -> Steps[int | None]:
    """End a dead process's lease; what its last holds may have cost counts as spent.

    A row of `reservations` says so, so that the books still add up.

    Returns:
        How much counts as spent; None when the lease was over already.
    """
    yield from locked_windows((line,), kind)
    rows = yield Statement(_LEASED, (lease_id,))
    if not rows:
        return None
    (row,) = rows
    leased = int(row["leased_usd_nanos"])
    amount = min(leased, int(row["exposed_usd_nanos"]))
    if amount:
        lines = json.dumps([[line.budget_id, line.window_start]])
        values = (f"lease:{lease_id}", lines, amount, row["boot_id"], now_unix_s)
        yield Statement(_KEEP_WRITTEN_OFF, values)
    yield Statement(_END_LEASE, (lease_id,))
    yield from change_window(line, held=-leased, leased=-leased, spent=amount)
    return amount


def locked_windows(lines: Sequence[Line], kind: str) -> Steps[dict[Line, Standing]]:
    """Give the windows that exist, locked in one order until the unit ends."""
    rows: list[Row] = []
    if kind == "sqlite":
        for line in lines:
            rows += yield Statement(READ_WINDOW, (line.budget_id, line.window_start))
    else:
        budget_ids = [line.budget_id for line in lines]
        starts = [line.window_start for line in lines]
        rows += yield Statement(_LOCK_WINDOWS, (budget_ids, starts))
    return {Line(one.budget_id, one.window_start): one for one in standings_of(rows)}


def change_window(
    line: Line, *, held: int = 0, leased: int = 0, spent: int = 0
) -> Steps[Standing | None]:
    """Add to what a window has, and give how it stands then; None when it is gone."""
    rows = yield Statement(_CHANGE, (line.budget_id, line.window_start, held, leased, spent))
    return next(iter(standings_of(rows)), None)


LEASED_WINDOWS = (
    "SELECT budget_windows.budget_id, budget_windows.window_start, recalled_unix_s, lease_id "
    "FROM budget_windows JOIN budget_leases "
    "ON budget_leases.budget_id = budget_windows.budget_id "
    "AND budget_leases.window_start = budget_windows.window_start WHERE boot_id = $1"
)
"""The leases of one boot, with when their windows were called back."""

_LOCK_WINDOWS = (
    "SELECT budget_windows.budget_id, budget_windows.window_start, cap_usd_nanos, "
    "spent_usd_nanos, held_usd_nanos, leased_usd_nanos, recalled_unix_s FROM budget_windows "
    "JOIN unnest(CAST($1 AS TEXT[]), CAST($2 AS BIGINT[])) AS wanted (budget_id, window_start) "
    "ON wanted.budget_id = budget_windows.budget_id "
    "AND wanted.window_start = budget_windows.window_start "
    "ORDER BY budget_windows.budget_id, budget_windows.window_start FOR UPDATE OF budget_windows"
)

_LIVING = "SELECT count(*) AS living FROM boots WHERE ended_unix_s IS NULL AND seen_unix_s >= $1"

_LEASE = (
    "INSERT INTO budget_leases "
    "(lease_id, boot_id, budget_id, window_start, leased_usd_nanos, until_unix_s, "
    "exposed_usd_nanos) VALUES ($1, $2, $3, $4, $5, $6, $7)"
)

_LEASE_MORE = (
    "UPDATE budget_leases SET leased_usd_nanos = leased_usd_nanos + $2, until_unix_s = $3, "
    "exposed_usd_nanos = $4 WHERE lease_id = $1"
)

_LEASE_LESS = (
    "UPDATE budget_leases SET leased_usd_nanos = leased_usd_nanos - $2 WHERE lease_id = $1"
)

_LEASED = (
    "SELECT boot_id, leased_usd_nanos, exposed_usd_nanos FROM budget_leases WHERE lease_id = $1"
)

_END_LEASE = "DELETE FROM budget_leases WHERE lease_id = $1"

_CALL_BACK = (
    "UPDATE budget_windows SET recalled_unix_s = $3 WHERE budget_id = $1 AND window_start = $2"
)

_OTHERS_LEASES = (
    "SELECT lease_id, budget_id, window_start, until_unix_s, machine, process_id, process, "
    "ended_unix_s FROM budget_leases JOIN boots ON boots.boot_id = budget_leases.boot_id "
    "WHERE budget_leases.boot_id <> $1 ORDER BY lease_id"
)

_KEEP_WRITTEN_OFF = (
    "INSERT INTO reservations (hold_id, key_id, lines, bound_usd_nanos, boot_id, "
    "lease_until_unix_s, created_unix_s, actual_usd_nanos, settled_unix_s, abandoned) "
    "VALUES ($1, '', $2, $3, $4, $5, $5, $3, $5, TRUE)"
)

_CHANGE = (
    "UPDATE budget_windows SET held_usd_nanos = held_usd_nanos + $3, "
    "leased_usd_nanos = leased_usd_nanos + $4, spent_usd_nanos = spent_usd_nanos + $5, "
    "cap_passed = (spent_usd_nanos + $5 + held_usd_nanos + $3 > cap_usd_nanos) "
    "WHERE budget_id = $1 AND window_start = $2 "
    "RETURNING budget_id, window_start, cap_usd_nanos, spent_usd_nanos, held_usd_nanos, "
    "leased_usd_nanos, recalled_unix_s"
)
