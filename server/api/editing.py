"""Edits that are bound to what was seen: ETag, If-Match and If-None-Match.

Every thing that can be edited has an ETag, in the answers that show it whole. An edit with
`If-Match: <that ETag>` is made only if nobody has changed the thing since, else it is refused
with 412 and nothing is stored; `If-None-Match: *` makes a PUT that only creates. An edit without
them is made as ever; but a PATCH, which reads before it writes, never undoes what another one
stored in between.

How: the route is called with its changes bound to the version of the whole configuration at
which the thing was looked at (store/changes.py). If any other change comes between, whatever it
was of, the thing is looked at again and the route called again. So the comparison and the change
are one step, for processes that share a database as well, without a version column in each table.

Source: RFC 9110, sections 8.8.3, 13.1.1, 13.1.2 and 13.2.1.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from starlette.requests import Request

from omniroute.routing.errors import BadRequest, Conflict, NotFound, Outdated
from omniroute.routing.model import Caller

from ..store.changes import Overtaken

TRIES_MAX = 20
"""How often an edit is begun anew because another change came between."""
TAG_BYTES = 16

_TAGS = re.compile(r'\s*(?:\*|(?:W/)?"[\x21\x23-\x7e\x80-\xff]*")\s*')
_CONDITIONS = ("if-match", "if-none-match")

Show = Callable[[Request, Caller], Awaitable[Any]]


def _whole(shown: Any) -> object:
    """Give all of what is shown."""
    return shown


@dataclass(frozen=True, slots=True)
class Thing:
    """What a route shows or edits.

    Attributes:
        show: gives what the answer to a GET of it is; NotFound where it is not there.
        edited: gives what of such an answer edits change: the ETag is made of that.
        told: whether the answer to an edit shows it too, and so has its ETag.
    """

    show: Show
    edited: Callable[[Any], object] = _whole
    told: bool = True

    def tag(self, shown: Any) -> str:
        """Give the ETag of what is shown."""
        told = msgspec.json.encode(self.edited(shown), order="deterministic")
        return f'"{hashlib.blake2b(told, digest_size=TAG_BYTES).hexdigest()}"'


class Edited(Protocol):
    """What is edited, as it is kept for every process."""

    async def fresh(self) -> int:
        """Have all of it in force here as it is stored now, and give its version."""
        ...

    def only_at(self, version: int) -> AbstractContextManager[None]:
        """Let changes made within raise Overtaken unless they are the next after this version."""
        ...


def is_bound(request: Request) -> bool:
    """Whether an edit reads the thing before it changes it."""
    return request.method == "PATCH" or any(name in request.headers for name in _CONDITIONS)


async def edit(
    edited: Edited,
    thing: Thing,
    asked: tuple[Request, Caller],
    work: Callable[[], Awaitable[Any]],
) -> Any:
    """Do an edit's work if the thing is as the request says, and give what that gives.

    Args:
        edited: what is kept.
        thing: what is edited.
        asked: the request, whose headers say how it has to be, and who sent it.
        work: makes the change; it is done again when another change came between.

    Raises:
        Outdated: the thing is not as the request says.
        Conflict: other changes came between again and again.
        Whatever the work raises.
    """
    for _ in range(TRIES_MAX):
        version = await edited.fresh()
        await _check(thing, *asked)
        try:
            with edited.only_at(version):
                return await work()
        except Overtaken:
            continue
    raise Conflict(
        f"other changes came between {TRIES_MAX} times and this one was not made: send it again"
    )


async def _check(thing: Thing, request: Request, caller: Caller) -> None:
    match, none_match = (_tags(request, name) for name in _CONDITIONS)
    if match is None and none_match is None:
        return
    try:
        tag = thing.tag(await thing.show(request, caller))
    except NotFound:
        if match is not None and request.method == "PUT":
            raise Outdated(
                "it is not there, or no more, and If-Match lets only what is there be changed: "
                "leave If-Match out to make it"
            ) from None
        return
    if match is not None and "*" not in match and tag not in match:
        raise Outdated(
            f"it has changed since it was read: its ETag is {tag} now; GET it, make the change to "
            "what is there now, and send that with the new ETag as If-Match"
        )
    if none_match is not None and ("*" in none_match or tag in none_match):
        raise Outdated(
            f"it is there already, with the ETag {tag}, and If-None-Match lets it only be made: "
            "leave If-None-Match out to replace it"
        )


def _tags(request: Request, name: str) -> tuple[str, ...] | None:
    """Give the ETags that a condition names, None when it is not there.

    Weak ones stay as they are: none of ours is weak, so none matches.
    """
    values = request.headers.getlist(name)
    if not values:
        return None
    found = tuple(one for value in values for one in value.split(",") if one.strip())
    if not found or not all(_TAGS.fullmatch(one) for one in found):
        raise BadRequest(f'{name} is * or ETags in quotes, such as "5f3a"', field=name)
    return tuple(one.strip() for one in found)
