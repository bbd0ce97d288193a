"""Long lists, a page at a time."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from omniroute.routing.errors import BadRequest

PAGE_ROWS = 100

Row = TypeVar("Row")


def page(
    rows: Sequence[Row], cursor: str | None, name: Callable[[Row], str], size: int = PAGE_ROWS
) -> tuple[list[Row], str | None]:
    """Give the rows of a page, and the cursor of the next one; None when this is the last.

    A cursor stands for the last row before the page, not for a number: rows that come or go
    between two pages make no other row come twice or not at all.

    Args:
        rows: the whole list, with other names for other rows.
        cursor: as a page before gave it; None for the first page.
        name: gives a row's name.
        size: rows a page.

    Raises:
        BadRequest: the cursor was not given by this list, or its row is gone.
    """
    begin = 0
    if cursor is not None:
        after = _opened(cursor)
        places = (place for place, row in enumerate(rows, start=1) if name(row) == after)
        found = None if after is None else next(places, None)
        if found is None:
            raise BadRequest(
                "the cursor does not belong to this list as it is now; ask for the first page, "
                "without a cursor",
                field="cursor",
            )
        begin = found
    shown = list(rows[begin : begin + size])
    more = begin + size < len(rows)
    return shown, _closed(name(shown[-1])) if more else None


def _closed(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _opened(cursor: str) -> str | None:
    try:
        return base64.urlsafe_b64decode(cursor.encode("ascii")).decode()
    except (binascii.Error, UnicodeError, ValueError):
        return None
