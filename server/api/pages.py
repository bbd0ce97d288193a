"""Lists of the management API, page by page: `limit`, `cursor`, filters and the `Link` header.

One way for every list, whatever the shape of its answer. Where there is more, the answer's `Link`
header (RFC 8288, `rel="next"`) is the URL of the next page, with the filters of this one. Its
cursor says after which entry that begins, by what the list is ordered by and not by a number: an
entry that is there all the time is shown once, whatever comes and goes meanwhile.

Lists that are in memory are given whole unless `limit` or `cursor` is said, in an order for
people. Page by page they are in the order of what tells their entries apart.
"""

import base64
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request

from omniroute.routing.errors import BadRequest

from .queries import Query, count

PAGE = 100
PAGE_MAX = 500
CURSOR_CHARS_MAX = 2_000
_NEXT = "omniroute.next"
_FLAGS = {"true": True, "1": True, "false": False, "0": False}

CURSOR = Query("cursor", str, "of the page before: its Link header has it")

Place = TypeVar("Place")


@dataclass(frozen=True, slots=True)
class Lists:
    """A list in memory, and how its pages are cut.

    Attributes:
        field: of the answer, which holds its entries.
        place: gives what entries are ordered by; no two have the same. Of a list that is a map
            it is given the name as well as the entry, as a pair.
        filters: fields of an entry that can be asked for: only entries that have this there.
        newest_first: whether pages begin at the end of that order.
    """

    field: str
    place: Callable[[Any], tuple[Any, ...]]
    filters: tuple[Query, ...] = ()
    newest_first: bool = False

    @property
    def query(self) -> tuple[Query, ...]:
        """What such a list can be asked for."""
        limit = Query("limit", count(1, PAGE_MAX), f"how many; all unless said, {PAGE} of a page")
        return (limit, CURSOR, *self.filters)

    def cut(self, request: Request, value: Any) -> Any:
        """Give the part of an answer that is asked for, and tell where it goes on."""
        asked = request.query_params
        whole: Sequence[Any] | Mapping[str, Any] = getattr(value, self.field)
        is_map = isinstance(whole, Mapping)
        items: Sequence[Any] = tuple(whole.items()) if isinstance(whole, Mapping) else whole
        entry: Callable[[Any], Any] = itemgetter(1) if is_map else _itself
        for one in self.filters:
            if one.name in asked:
                wanted = _FLAGS[asked[one.name]] if one.kind is bool else asked[one.name]
                items = [item for item in items if getattr(entry(item), one.name) == wanted]
        if "limit" in asked or "cursor" in asked:
            items = self._page(request, items)
        cut = {self.field: dict(items) if is_map else tuple(items)}
        if isinstance(value, msgspec.Struct):
            return msgspec.structs.replace(value, **cut)
        return replace(value, **cut)

    def _page(self, request: Request, items: Sequence[Any]) -> Sequence[Any]:
        ordered = sorted(items, key=self.place, reverse=self.newest_first)
        after = cursor_of(request, tuple[Any, ...])
        if after is not None:
            try:
                is_past = operator.lt if self.newest_first else operator.gt
                ordered = [one for one in ordered if is_past(self.place(one), after)]
            except TypeError:
                raise _no_cursor() from None
        limit = int(request.query_params.get("limit", PAGE))
        if len(ordered) > limit:
            tell_next(request, self.place(ordered[limit - 1]))
        return ordered[:limit]


def cursor_of(request: Request, kind: type[Place]) -> Place | None:
    """Give the place after which a page is to begin; None for the first page.

    Raises:
        BadRequest: the cursor is none of this list.
    """
    text = request.query_params.get(CURSOR.name, "")
    if not text:
        return None
    try:
        if len(text) > CURSOR_CHARS_MAX:
            raise ValueError(text)
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(data, type=kind)
    except (ValueError, RecursionError):
        # What msgspec and base64 raise are ValueErrors.
        raise _no_cursor() from None


def tell_next(request: Request, place: tuple[Any, ...]) -> None:
    """Let the answer say that another page begins after this place."""
    request.scope[_NEXT] = place


def link_of(request: Request) -> dict[str, str]:
    """Give the header that says where a list goes on; none at its end."""
    cursor = next_cursor(request)
    if cursor is None:
        return {}
    kept = [(name, one) for name, one in request.query_params.multi_items() if name != CURSOR.name]
    # The path alone: behind a proxy nobody here knows what stands before it.
    url = f"{request.scope['path']}?{urlencode([*kept, (CURSOR.name, cursor)])}"
    return {"link": f'<{url}>; rel="next"'}


def next_cursor(request: Request) -> str | None:
    """Give the cursor of the page after the one that a request was answered with."""
    place = request.scope.get(_NEXT)
    if place is None:
        return None
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def _itself(item: Any) -> Any:
    return item


def _no_cursor() -> BadRequest:
    return BadRequest(
        "the cursor is none of this list: take the URL from the Link header of the page before",
        field=CURSOR.name,
    )
