"""Requests as they are stored, by whoever: those that came after a position.

Each process numbers what it stores in the order of its commits. A position is the number of the
last one seen of each of them, so nothing is passed over that is stored late, or by another
worker or replica; times would do so. Processes that were not heard of for SEEN_S store nothing;
they keep their place in a position and are asked again when they come back.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from .call_log import COLUMNS
from .database import Row, Statement, Steps, Unit

SEEN_S = 600.0
WRITERS_MAX = 256
Position = Mapping[str, int]

_WRITERS = (
    "SELECT boot_id, (SELECT max(written_seq) FROM outcomes WHERE written_by = boot_id) AS newest "
    "FROM boots WHERE seen_unix_s > $1 ORDER BY seen_unix_s DESC, boot_id LIMIT $2"
)
_ROWS = (
    f"{COLUMNS} WHERE written_by = $1 AND written_seq > $2 AND written_seq <= $3 "
    "ORDER BY written_seq"
)


@dataclass(frozen=True, slots=True)
class News:
    """What came after a position.

    Attributes:
        rows: with their writer and number; the oldest first, each writer's in its order.
        position: after them.
        lost: how many more there may have been, which are not in `rows`.
    """

    rows: tuple[tuple[str, int, Row], ...]
    position: Position
    lost: int


def written_after(position: Position, now_unix_s: float, rows_max: int) -> Unit[News]:
    """Give the unit that reads what came after a position, of each writer its newest rows.

    Of a writer that is not in the position everything is new.
    """

    def steps() -> Steps[News]:
        writers = yield Statement(_WRITERS, (now_unix_s - SEEN_S, WRITERS_MAX))
        reached, lost = dict(position), 0
        rows: list[tuple[str, int, Row]] = []
        for one in writers:
            writer, newest = str(one["boot_id"]), int(one["newest"] or 0)
            seen = reached.get(writer, 0)
            if newest <= seen:
                continue
            after = max(seen, newest - rows_max)
            lost += after - seen
            found = yield Statement(_ROWS, (writer, after, newest))
            rows += [(writer, int(row["written_seq"]), row) for row in found]
            reached[writer] = newest
        rows.sort(key=lambda one: (one[2]["at_unix_s"] + one[2]["total_s"], one[1]))
        return News(tuple(rows), reached, lost)

    return steps


def newest_position(now_unix_s: float, back: int) -> Unit[Position]:
    """Give the unit that reads where all writers are, less so many of each one's rows."""

    def steps() -> Steps[Position]:
        writers = yield Statement(_WRITERS, (now_unix_s - SEEN_S, WRITERS_MAX))
        return {str(one["boot_id"]): max(int(one["newest"] or 0) - back, 0) for one in writers}

    return steps
