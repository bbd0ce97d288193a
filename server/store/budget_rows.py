"""Reserving and settling in the database: the statements that keep budgets exact.

A budget has one row for each window it spends in (`budget_windows`). A reservation adds its
bound to `held` in every row that pays, if every one can, else in none; settling takes the bound
out again and adds what was really spent, once. The part of `held` that processes have leased
for their next requests is in `leased`, too (see lease_rows.py); a Standing has it taken out.
The rows of a reservation are those of the moment it was made: a day that ends meanwhile does
not move it.

PostgreSQL does each in one statement. The rows must be read under their locks (`FOR UPDATE` in
a MATERIALIZED part that later parts read): a variant that locks ids and reads the rows again
sees them as they were before the lock, and overspends. Every changed column is set from what
was read so, even one that keeps its value: PostgreSQL checks a row's constraints once on the
version before the lock, and would refuse what the locked version allows. On SQLite the writer
is alone anyway.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from omniroute.routing.errors import Conflict
from omniroute.routing.ports import Hold

from .budget import Budget
from .database import Database, Row, Rows, Statement, Steps, Unit
from .windows import Line

LEASE_S = 900.0
"""How long a hold of a process that was lost sight of stays in force."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a budget stands in one window.

    Attributes:
        held_usd_nanos: set aside for requests under way.
        leased_usd_nanos: set aside by processes for their next requests (see leases.py).
        recalled_unix_s: when leases were last called back; 0 when they never were.
    """

    budget_id: str
    window_start: int
    cap_usd_nanos: int
    spent_usd_nanos: int
    held_usd_nanos: int
    leased_usd_nanos: int = 0
    recalled_unix_s: float = 0.0

    @property
    def left_usd_nanos(self) -> int:
        """What requests can still be given: leases count as left, for they can be called back."""
        return max(0, self.cap_usd_nanos - self.spent_usd_nanos - self.held_usd_nanos)

    @property
    def free_usd_nanos(self) -> int:
        """What nobody has set aside; below 0 when the cap was lowered or passed."""
        return (
            self.cap_usd_nanos - self.spent_usd_nanos - self.held_usd_nanos - self.leased_usd_nanos
        )

    @property
    def over_usd_nanos(self) -> int:
        """What was spent beyond the cap."""
        return max(0, self.spent_usd_nanos - self.cap_usd_nanos)

    def warns(self, warn_percent: int) -> bool:
        """Whether that much of the cap is spent."""
        return self.spent_usd_nanos * 100 >= self.cap_usd_nanos * warn_percent


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a reservation: whether it stands, and the rows as they were judged."""

    paid: bool
    standings: tuple[Standing, ...]


def reservation(
    database: Database, hold: Hold, lines: Sequence[Line], *, boot_id: str, now_unix_s: float
) -> Unit[Judged]:
    """Give the unit that reserves, in all lines or in none.

    The unit raises RowRefused when there is a reservation of that id already.
    """
    kept = Statement(
        _KEEP, (*reservation_values(hold, lines, boot_id=boot_id, now_unix_s=now_unix_s), None)
    )
    if database.kind == "sqlite":
        return lambda: _reserve_in_steps(hold.usd_nanos, lines, kept)
    passes: list[int] = [line.passes for line in lines]
    statement = Statement(
        _RESERVE_AT_ONCE,
        (
            [line.budget_id for line in lines],
            [line.window_start for line in lines],
            *kept.values[:-1],
            passes,
        ),
    )

    def steps() -> Steps[Judged]:
        rows = yield statement
        return Judged(any(row["paid"] for row in rows), standings_of(rows))

    return steps


def settlement(
    database: Database, hold_id: str, usd_nanos: int | None, *, now_unix_s: float
) -> Unit[Sequence[Standing]]:
    """Give the unit that settles a reservation, if it is still open, and gives what changed.

    `usd_nanos` None is not known: then the bound counts as spent, and the row is marked.
    """
    values = (hold_id, usd_nanos, now_unix_s)
    if database.kind == "sqlite":
        return lambda: _settle_in_steps(values)

    def steps() -> Steps[Sequence[Standing]]:
        return standings_of((yield Statement(_SETTLE_AT_ONCE, values)))

    return steps


def open_windows(database: Database, lines: Sequence[Line]) -> Steps[None]:
    """Make the rows of windows that nothing was spent in yet."""
    sql = _OPEN_WINDOW if database.kind == "sqlite" else _OPEN_WINDOW_LOCKED
    for line in lines:
        yield Statement(sql, (line.budget_id, line.window_start))


def store_budget(budget: Budget, window_start: int, *, now_unix_s: float) -> Steps[None]:
    """Make a budget or change its name and cap, from its current window on.

    Raises:
        Conflict: a budget of that id has another owner or period.
    """
    stored = yield Statement(
        "INSERT INTO budgets (budget_id, key_id, name, cap_usd_nanos, period, "
        "created_unix_s, warn_percent, allow_unpriced, action, tier, combo, session_id) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) "
        "ON CONFLICT (budget_id) DO UPDATE SET name = excluded.name, "
        "cap_usd_nanos = excluded.cap_usd_nanos, warn_percent = excluded.warn_percent, "
        "allow_unpriced = excluded.allow_unpriced, action = excluded.action, tier = excluded.tier "
        "WHERE budgets.key_id = excluded.key_id AND budgets.period = excluded.period "
        "RETURNING budget_id",
        (
            *(budget.budget_id, budget.key_id, budget.name),
            *(budget.cap_usd_nanos, budget.period, now_unix_s),
            *(budget.warn_percent, budget.allow_unpriced, budget.action, budget.tier),
            *(budget.combo, budget.session_id),
        ),
    )
    if not stored:
        raise Conflict(
            f"budget {budget.budget_id!r} exists with another owner or period: make a new one"
        )
    yield Statement(
        "UPDATE budget_windows SET cap_usd_nanos = $3, "
        "cap_passed = (spent_usd_nanos + held_usd_nanos > $3) "
        "WHERE budget_id = $1 AND window_start >= $2",
        (budget.budget_id, window_start, budget.cap_usd_nanos),
    )


def standings_of(rows: Rows) -> tuple[Standing, ...]:
    """Give rows of budget_windows as values."""
    return tuple(_standing(row) for row in rows)


def _reserve_in_steps(usd_nanos: int, lines: Sequence[Line], kept: Statement) -> Steps[Judged]:
    rows: list[Row] = []
    for line in lines:
        rows += yield Statement(READ_WINDOW, (line.budget_id, line.window_start))
    standings = standings_of(rows)
    paid = len(standings) == len(lines) and all(
        line.passes or one.free_usd_nanos >= usd_nanos
        for line, one in zip(lines, standings, strict=True)
    )
    if paid:
        yield kept
        for line in lines:
            yield Statement(_HOLD_IN_WINDOW, (line.budget_id, line.window_start, usd_nanos))
    return Judged(paid, standings)


def _settle_in_steps(values: tuple[str, int | None, float]) -> Steps[Sequence[Standing]]:
    rows: list[Row] = []
    for settled in (yield Statement(_CLOSE, values)):
        bound, actual = settled["bound_usd_nanos"], settled["actual_usd_nanos"]
        for budget_id, window_start in json.loads(settled["lines"]):
            rows += yield Statement(_SPEND_IN_WINDOW, (budget_id, window_start, bound, actual))
    return standings_of(rows)


def reservation_values(
    hold: Hold, lines: Sequence[Line], *, boot_id: str, now_unix_s: float
) -> tuple[str, str, str, int, str, float, float]:
    text = json.dumps([[line.budget_id, line.window_start] for line in lines])
    return (
        *(hold.hold_id, hold.key_id, text, hold.usd_nanos),
        *(boot_id, now_unix_s + LEASE_S, now_unix_s),
    )


def _standing(row: Row) -> Standing:
    return Standing(
        budget_id=row["budget_id"],
        window_start=int(row["window_start"]),
        cap_usd_nanos=int(row["cap_usd_nanos"]),
        spent_usd_nanos=int(row["spent_usd_nanos"]),
        held_usd_nanos=int(row["held_usd_nanos"]) - int(row["leased_usd_nanos"]),
        leased_usd_nanos=int(row["leased_usd_nanos"]),
        recalled_unix_s=float(row["recalled_unix_s"]),
    )


_KEEP = (
    "INSERT INTO reservations (hold_id, key_id, lines, bound_usd_nanos, boot_id, "
    "lease_until_unix_s, created_unix_s, actual_usd_nanos, abandoned) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, FALSE)"
)

READ_WINDOW = (
    "SELECT budget_id, window_start, cap_usd_nanos, spent_usd_nanos, held_usd_nanos, "
    "leased_usd_nanos, recalled_unix_s "
    "FROM budget_windows WHERE budget_id = $1 AND window_start = $2"
)

_HOLD_IN_WINDOW = (
    "UPDATE budget_windows SET held_usd_nanos = held_usd_nanos + $3, "
    "cap_passed = (spent_usd_nanos + held_usd_nanos + $3 > cap_usd_nanos) "
    "WHERE budget_id = $1 AND window_start = $2"
)

_CLOSE = (
    "UPDATE reservations SET actual_usd_nanos = COALESCE($2, bound_usd_nanos), "
    "abandoned = ($2 IS NULL), settled_unix_s = $3 "
    "WHERE hold_id = $1 AND actual_usd_nanos IS NULL "
    "RETURNING bound_usd_nanos, actual_usd_nanos, lines"
)

_SPEND_IN_WINDOW = (
    "UPDATE budget_windows SET held_usd_nanos = held_usd_nanos - $3, "
    "spent_usd_nanos = spent_usd_nanos + $4, "
    "cap_passed = (spent_usd_nanos + $4 + held_usd_nanos - $3 > cap_usd_nanos) "
    "WHERE budget_id = $1 AND window_start = $2 "
    "RETURNING budget_id, window_start, cap_usd_nanos, spent_usd_nanos, held_usd_nanos, "
    "leased_usd_nanos, recalled_unix_s"
)

_OPEN_WINDOW = (
    "INSERT INTO budget_windows (budget_id, window_start, cap_usd_nanos, spent_usd_nanos, "
    "held_usd_nanos, cap_passed) SELECT budget_id, $2, cap_usd_nanos, 0, 0, FALSE "
    "FROM budgets WHERE budget_id = $1 ON CONFLICT (budget_id, window_start) DO NOTHING"
)

# The lock keeps the cap from being changed between reading it here and storing it there.
_OPEN_WINDOW_LOCKED = (
    "WITH budget AS MATERIALIZED (SELECT budget_id, cap_usd_nanos FROM budgets "
    "WHERE budget_id = $1 FOR SHARE) "
    "INSERT INTO budget_windows (budget_id, window_start, cap_usd_nanos, spent_usd_nanos, "
    "held_usd_nanos, cap_passed) SELECT budget_id, CAST($2 AS BIGINT), cap_usd_nanos, 0, 0, FALSE "
    "FROM budget ON CONFLICT (budget_id, window_start) DO NOTHING"
)

_RESERVE_AT_ONCE = """
WITH wanted AS (
  SELECT * FROM unnest(CAST($1 AS TEXT[]), CAST($2 AS BIGINT[]), CAST($10 AS BOOLEAN[]))
    AS w (budget_id, window_start, passes)
), need AS MATERIALIZED (
  SELECT budget_id, window_start, cap_usd_nanos, spent_usd_nanos, held_usd_nanos,
    leased_usd_nanos, recalled_unix_s, passes
  FROM budget_windows JOIN wanted USING (budget_id, window_start)
  ORDER BY budget_id, window_start FOR UPDATE OF budget_windows
), verdict AS (
  SELECT COALESCE(bool_and(passes OR
      spent_usd_nanos + held_usd_nanos + $6 <= cap_usd_nanos), FALSE)
    AND count(*) = cardinality(CAST($1 AS TEXT[])) AS paid FROM need
), set_aside AS (
  UPDATE budget_windows SET cap_usd_nanos = need.cap_usd_nanos,
    spent_usd_nanos = need.spent_usd_nanos, held_usd_nanos = need.held_usd_nanos + $6,
    cap_passed = (need.spent_usd_nanos + need.held_usd_nanos + $6 > need.cap_usd_nanos)
  FROM verdict, need WHERE verdict.paid AND budget_windows.budget_id = need.budget_id
    AND budget_windows.window_start = need.window_start
), kept AS (
  INSERT INTO reservations (hold_id, key_id, lines, bound_usd_nanos, boot_id,
    lease_until_unix_s, created_unix_s, abandoned)
  SELECT $3, $4, $5, $6, $7, $8, $9, FALSE FROM verdict WHERE verdict.paid
)
SELECT need.budget_id, need.window_start, need.cap_usd_nanos, need.spent_usd_nanos,
  need.held_usd_nanos, need.leased_usd_nanos, need.recalled_unix_s, verdict.paid
FROM need, verdict
"""

_SETTLE_AT_ONCE = """
WITH closed AS (
  UPDATE reservations SET actual_usd_nanos = COALESCE($2, bound_usd_nanos),
    abandoned = ($2 IS NULL), settled_unix_s = $3
  WHERE hold_id = $1 AND actual_usd_nanos IS NULL
  RETURNING bound_usd_nanos AS bound, actual_usd_nanos AS actual, lines
), line AS (
  SELECT closed.bound, closed.actual, part ->> 0 AS budget_id,
    CAST(part ->> 1 AS BIGINT) AS window_start
  FROM closed, jsonb_array_elements(CAST(closed.lines AS JSONB)) AS part
), locked AS MATERIALIZED (
  SELECT budget_id, window_start, cap_usd_nanos AS cap,
    spent_usd_nanos + line.actual AS spent, held_usd_nanos - line.bound AS held
  FROM budget_windows JOIN line USING (budget_id, window_start)
  ORDER BY budget_id, window_start FOR UPDATE OF budget_windows
)
UPDATE budget_windows SET cap_usd_nanos = locked.cap, spent_usd_nanos = locked.spent,
  held_usd_nanos = locked.held, cap_passed = (locked.spent + locked.held > locked.cap)
FROM locked WHERE budget_windows.budget_id = locked.budget_id
  AND budget_windows.window_start = locked.window_start
RETURNING budget_windows.budget_id, budget_windows.window_start, cap_usd_nanos,
  spent_usd_nanos, held_usd_nanos, leased_usd_nanos, recalled_unix_s
"""
