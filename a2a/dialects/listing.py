"""Lists of tasks: what a request asks for, and where its next page begins.

A page's token names the last task of it, so a page never repeats or leaves out a task that did
not change meanwhile.

Source: A2A 1.0, section 3.1.4.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import orjson

from ..task import Json, State, Task
from ..tasks import Listing, Place
from .codec import Shown
from .fields import Fields

PAGE = 50
PAGE_MAX = 100
TOKEN_CHARS_MAX = 256


def read_listing(fields: Fields, states: Mapping[str, frozenset[State]]) -> tuple[Listing, Shown]:
    """Give which tasks are asked for, and how much of each.

    Args:
        fields: the request's params.
        states: what each spelling of a state stands for.

    Raises:
        Fault: a field is of the wrong type or out of its range.
    """
    size = fields.count("pageSize")
    if size is not None and not 1 <= size <= PAGE_MAX:
        raise fields.fault("pageSize", f"must be from 1 to {PAGE_MAX}")
    where = "status" if fields.raw("state") is None else "state"
    name = fields.name(where)
    if name is not None and name not in states:
        raise fields.fault(where, f"must be one of {', '.join(states)}")
    listing = Listing(
        context_id=fields.name("contextId"),
        states=frozenset() if name is None else states[name],
        updated_after_unix_s=_moment(fields),
        after=_place(fields),
        limit=PAGE if size is None else size,
    )
    length = fields.count("historyLength")
    return listing, Shown(length, artifacts=fields.flag("includeArtifacts") is True)


def next_page(tasks: Sequence[Task], listing: Listing) -> str:
    """Give the token of the page after these tasks, empty when there is none."""
    if len(tasks) < listing.limit:
        return ""
    last = tasks[-1]
    token = orjson.dumps([last.at_unix_s, last.task_id])
    return base64.urlsafe_b64encode(token).rstrip(b"=").decode()


def page_of(shown: Sequence[Json], tasks: Sequence[Task], total: int, listing: Listing) -> Json:
    """Give the result of a list."""
    return {
        "tasks": shown,
        "nextPageToken": next_page(tasks, listing),
        "pageSize": listing.limit,
        "totalSize": total,
    }


def _place(fields: Fields) -> Place | None:
    token = fields.text("pageToken")
    if not token:
        return None
    try:
        padded = token[:TOKEN_CHARS_MAX] + "=" * (-len(token) % 4)
        at_unix_s, task_id = orjson.loads(base64.urlsafe_b64decode(padded))
        return Place(float(at_unix_s), str(task_id))
    except (binascii.Error, ValueError, TypeError):
        raise fields.fault("pageToken", "is none that this agent gave") from None


def _moment(fields: Fields) -> float | None:
    told = fields.text("statusTimestampAfter")
    if told is None:
        return None
    try:
        moment = datetime.fromisoformat(told)
    except ValueError:
        raise fields.fault("statusTimestampAfter", "must be a time of RFC 3339") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
