"""What long windows add up to, put together from pieces that are added up once.

Adding up a hundred thousand requests takes the database half a second (docs/decisions/0042), too
long for a page. So a window is cut into whole days, hours and minutes in UTC, and what each of
these comes to is kept in memory, with the times of its requests in order: sums add up, and a
percentile of several sorted runs is found without merging them (see ranks.py), so every figure is
as exact as if all rows had been read. The first look at a window reads its rows, later ones only
what is new.

A piece is used again only when its rows are the same: how many they are and what their moments
add up to are read from the index each time, and so is what was priced anew. A request that comes
late, one that is removed and one that is priced anew change these, whoever wrote them; then the
piece is read again. Nothing is stored, so nothing can drift from what is on record.

Pieces that were not asked for longest are forgotten when there are PIECES_MAX or when their times
are more than TIMES_MAX; without anybody who asks there are none.
"""

import asyncio
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from operator import add

from omniroute.routing.usage import (
    SECONDS_A_DAY,
    SECONDS_A_MINUTE,
    SECONDS_AN_HOUR,
    Grouping,
    Selection,
    Usage,
    UsageRow,
    UsageTotal,
)

from .database import Database, Row, Rows, Statement, Steps
from .ranks import spread_of
from .spreads import MODEL, Kind
from .usage import COUNTS, SUMS, expression, selected

Step = Grouping
"""What a window's series is by: minute, hour or day."""

LENGTHS = (SECONDS_A_DAY, SECONDS_AN_HOUR, SECONDS_A_MINUTE)
PIECES_MAX = 2_000
TIMES_MAX = 3_000_000
"""Of eight bytes each: a request that answered has one or two in each of its groups."""

PARTED: tuple[Grouping, ...] = ("provider", "model", "combo", "key", "error")
"""What every answer is parted by, besides its step."""
_WHO = f"provider AS provider, {MODEL} AS model, combo AS combo, key_id AS key"
_ERROR = "error AS error"
_FIRST = "SELECT min(at_unix_s) AS first FROM outcomes"
_MARK = (
    "SELECT count(*) AS number, COALESCE(sum(at_unix_s - $1), 0) AS moments FROM outcomes "
    "WHERE at_unix_s >= $1 AND at_unix_s < $2"
)
_REPRICED = (
    "SELECT count(*) AS number, COALESCE(sum(repriced_usd_nanos), 0) AS nanos FROM outcomes "
    "WHERE at_unix_s >= $1 AND at_unix_s < $2 AND repriced_usd_nanos IS NOT NULL"
)

Group = tuple[Grouping | None, str | None]
"""A dimension and a name; the whole is the group of neither."""
WHOLE: Group = (None, None)
Mark = tuple[int, float, int, int]
Name = tuple[Selection, Step]


@dataclass(slots=True)
class Part:
    """What requests of one group come to. It changes while it is put together, never after.

    Attributes:
        sums: as COUNTS names them, and how long the answered ones took in all.
        times, firsts: how long the answered ones took, and to their first content; in order.
    """

    sums: Sequence[float]
    times: "array[float]" = field(default_factory=lambda: array("d"))
    firsts: "array[float]" = field(default_factory=lambda: array("d"))


@dataclass(frozen=True, slots=True)
class Piece:
    """What a stretch of time comes to, as long as its mark is the same."""

    mark: Mark
    parts: dict[Group, Part]

    @property
    def size(self) -> int:
        """How many times are kept in it."""
        return sum(len(one.times) + len(one.firsts) for one in self.parts.values())


class Pieces:
    """Gives what windows add up to. Belongs to the event loop of its database."""

    def __init__(self, database: Database, *, times_max: int = TIMES_MAX) -> None:
        self._database = database
        self._times_max = times_max
        self._kept: OrderedDict[Name, Piece] = OrderedDict()
        self._sizes: dict[Name, int] = {}
        # One at a time: a long one must leave connections to those who ask for a row.
        self._adding_up = asyncio.Lock()

    @property
    def times_kept(self) -> int:
        """How many times are kept."""
        return sum(self._sizes.values())

    async def first_unix_s(self) -> float | None:
        """Give when the oldest request on record came; None of none."""
        (row,) = await self._database.read(Statement(_FIRST))
        first: float | None = row["first"]
        return first

    async def usage(self, selection: Selection, step: Step) -> Usage:
        """Add up the requests of a window that has an end: whole, by `step` and by PARTED.

        The same as `usage` of the store gives with percentiles, but that errors have none.
        """
        async with self._adding_up:
            windows = tuple(stretches(selection.since_unix_s, selection.until_unix_s))
            marks = await self._database.read(lambda: _marks(windows))
            pieces: list[Piece] = []
            for (since, until), mark in zip(windows, marks, strict=True):
                within = replace(selection, since_unix_s=since, until_unix_s=until)
                pieces.append(await self._piece(within, step, mark))
        return await asyncio.to_thread(put_together, pieces, step)

    async def _piece(self, selection: Selection, step: Step, mark: Mark) -> Piece:
        since, until = selection.since_unix_s, selection.until_unix_s
        name = (selection, step)
        kept = self._kept.get(name)
        if kept is not None and kept.mark == mark:
            self._kept.move_to_end(name)
            return kept
        found: tuple[Rows, Rows, Rows] = ((), (), ())
        if mark[0]:
            found = await self._database.read(lambda: _read(self._database.kind, selection, step))
        piece = await asyncio.to_thread(piece_of, mark, found, step)
        if until - since in LENGTHS:
            self._keep(name, piece)
        return piece

    def _keep(self, name: Name, piece: Piece) -> None:
        self._kept[name] = piece
        self._kept.move_to_end(name)
        self._sizes[name] = piece.size
        while len(self._kept) > PIECES_MAX or self.times_kept > self._times_max:
            oldest, _ = self._kept.popitem(last=False)
            del self._sizes[oldest]


def stretches(since_unix_s: float, until_unix_s: float) -> Iterator[tuple[float, float]]:
    """Cut a window into whole days, hours and minutes, and what is left at its ends."""
    at = since_unix_s
    while at < until_unix_s:
        whole = (one for one in LENGTHS if not at % one and at + one <= until_unix_s)
        length = next(whole, None)
        minute = (at // SECONDS_A_MINUTE + 1) * SECONDS_A_MINUTE
        end = min(minute, until_unix_s) if length is None else at + length
        yield at, end
        at = end


def _marks(windows: Iterable[tuple[float, float]]) -> Steps[list[Mark]]:
    marks: list[Mark] = []
    for window in windows:
        (rows,) = yield Statement(_MARK, window)
        (repriced,) = yield Statement(_REPRICED, window)
        marks.append(
            (int(rows["number"]), rows["moments"], int(repriced["number"]), int(repriced["nanos"]))
        )
    return marks


def _read(kind: Kind, selection: Selection, step: Step) -> Steps[tuple[Rows, Rows, Rows]]:
    """Give sums by who answered whom with which error, sums by step, and times."""
    where, values = selected(selection)
    bucket = f"{expression(kind, step)} AS step"
    by_who = f"SELECT {_WHO}, {_ERROR}, {SUMS} FROM outcomes WHERE {where} GROUP BY 1, 2, 3, 4, 5"  # noqa: S608 - joins constants
    by_step = f"SELECT {bucket}, {SUMS} FROM outcomes WHERE {where} GROUP BY 1"  # noqa: S608 - joins constants
    times = (
        f"SELECT {_WHO}, {bucket}, total_s, first_content_s FROM outcomes "  # noqa: S608 - joins constants
        f"WHERE {where} AND status = 'answered'"
    )
    who = yield Statement(by_who, values)
    steps = yield Statement(by_step, values)
    return who, steps, (yield Statement(times, values))


def piece_of(mark: Mark, found: tuple[Rows, Rows, Rows], step: Step) -> Piece:
    """Give the piece that rows make."""
    who, steps, times = found
    parts: dict[Group, Part] = {}
    for row in who:
        sums = _sums(row)
        _add(parts, WHOLE, sums)
        for one in PARTED:
            _add(parts, (one, row[one]), sums)
    for row in steps:
        _add(parts, (step, row["step"]), _sums(row))
    _add_times(parts, times, step)
    return Piece(mark, parts)


def _sums(row: Row) -> list[float]:
    # PostgreSQL gives sums of integers as decimals.
    return [*(int(row[name]) for name in COUNTS), row["answered_s"]]


def _add(parts: dict[Group, Part], group: Group, sums: Sequence[float]) -> None:
    part = parts.get(group)
    if part is None:
        parts[group] = Part(sums)
    else:
        part.sums = list(map(add, part.sums, sums))


def _add_times(parts: dict[Group, Part], rows: Rows, step: Step) -> None:
    """Give each group its times: put together by all that tells them apart, then by each."""
    together: dict[tuple[str | None, ...], tuple[list[float], list[float]]] = {}
    for row in rows:
        who = (row["provider"], row["model"], row["combo"], row["key"], row["step"])
        found = together.get(who)
        if found is None:
            found = together[who] = ([], [])
        found[0].append(row["total_s"])
        first_s = row["first_content_s"]
        if first_s is not None:
            found[1].append(first_s)
    groups: dict[Group, tuple[list[float], list[float]]] = {}
    for names, (times, firsts) in together.items():
        for group in (WHOLE, *zip((*PARTED[:4], step), names, strict=True)):
            mine = groups.setdefault(group, ([], []))
            mine[0].extend(times)
            mine[1].extend(firsts)
    for group, (times, firsts) in groups.items():
        parts[group].times = array("d", sorted(times))
        parts[group].firsts = array("d", sorted(firsts))


def put_together(pieces: Iterable[Piece], step: Step) -> Usage:
    """Give what pieces come to together."""
    groups: dict[Group, list[Part]] = {WHOLE: []}
    for piece in pieces:
        for group, part in piece.parts.items():
            groups.setdefault(group, []).append(part)
    by: dict[Grouping, list[UsageRow]] = {one: [] for one in (*PARTED, step)}
    # Each database orders names in its own way.
    for group in sorted(groups, key=lambda one: (one[1] is not None, one[1] or "")):
        if group[0] is not None:
            by[group[0]].append(_row(group[1], groups[group]))
    return Usage(_row(None, groups[WHOLE]), {one: tuple(rows) for one, rows in by.items()})


def _row(name: str | None, parts: Sequence[Part]) -> UsageRow:
    if not parts:
        return UsageRow(name)
    sums = [sum(one) for one in zip(*(part.sums for part in parts), strict=True)]
    counts = dict(zip(COUNTS, map(int, sums), strict=False))
    return UsageRow(
        name,
        UsageTotal(**counts, answered_s=round(sums[-1], 6)),
        spread_of([one.times for one in parts]),
        spread_of([one.firsts for one in parts]),
    )
