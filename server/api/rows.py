"""The management API as a table: one row a route, with the scope that it needs.

The same table makes the routes and the OpenAPI document, so neither can miss one. A row's
handler gets the request and the caller and gives a value of management.py, Lines of them, or a
whole answer of its own; an error is a RoutingError.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, get_type_hints

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from omniroute.routing.errors import BadRequest, NotFound, TooLarge
from omniroute.routing.model import Caller

from ..auth import Authenticator
from ..rights import Right
from .bodies import decoded, merged, names_in
from .editing import Edited, Thing, edit, is_bound
from .pages import Lists, link_of
from .queries import Query, check_query

BODY_BYTES_MAX = 2**20

Tell = Callable[[object], Awaitable[None]]
"""Sends one line of a streamed answer."""

_PLAIN: Mapping[str, str] = {}
_BODY = "omniroute.body"
"""Where a request keeps its body once it was read: an edit may have to begin anew."""

Handle = Callable[[Request, Caller], Awaitable[Any]]
Body = TypeVar("Body")


@dataclass(frozen=True, slots=True)
class Lines:
    """An answer that comes line by line: `work` runs while it is sent and tells each value."""

    work: Callable[[Tell], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Row:
    """One route of the management API.

    The schema of its answer is that of the type which its handler says it returns.

    Attributes:
        scope: what the caller's key must carry; the handler may ask for more.
        status: of a good answer.
        body: the type that the handler reads the request's body as; None takes none.
        merges: whether the body is a merge patch, in which no field has to be there.
        query: what the handler reads of the query; None leaves all of it to the handler.
        thing: what the route shows or edits, if its answers have an ETag.
        lists: the list of its answer, if it is one in memory.
    """

    method: str
    path: str
    scope: str
    summary: str
    handle: Handle
    status: int = 200
    body: type | None = None
    query: tuple[Query, ...] | None = ()
    merges: bool = False
    thing: Thing | None = None
    lists: Lists | None = None

    @property
    def parameters(self) -> tuple[Query, ...]:
        """What may stand in the query, that of every list as well."""
        return (*(self.query or ()), *(() if self.lists is None else self.lists.query))

    @property
    def is_tagged(self) -> bool:
        """Whether good answers have an ETag."""
        thing = self.thing
        return thing is not None and self.status != 204 and (self.method == "GET" or thing.told)

    @property
    def answer(self) -> Any:
        """The type of a good answer; None when there is no body."""
        return get_type_hints(self.handle).get("return")


def routes_of(rows: Sequence[Row], authenticator: Authenticator, edited: Edited) -> list[Route]:
    """Give the routes of a table."""
    return [
        Route(
            row.path,
            _endpoint(row, authenticator, edited),
            methods=[row.method],
            # What is departed is no method to try.
            include_in_schema=row.query is not None,
        )
        for row in rows
    ]


def rights_of(rows: Sequence[Row]) -> tuple[Right, ...]:
    """Give what the routes of a table need."""
    return tuple(Right(row.method, row.path, (row.scope,)) for row in rows)


async def body_as(request: Request, kind: type[Body]) -> Body:
    """Give the request's JSON body as a value of `kind`, a dataclass or a struct.

    Raises:
        BadRequest: not JSON, or a field is missing, unknown or of the wrong type.
        TooLarge: more than BODY_BYTES_MAX.
    """
    return decoded(await _body(request), kind)


async def patched(request: Request, current: Body) -> Body:
    """Give a value with what the request's merge patch changes of it. Raises as `body_as`."""
    return merged(await _body(request), current)


async def named(request: Request) -> frozenset[str]:
    """Give the names of the fields that the request's merge patch has. Raises as `body_as`."""
    return names_in(await _body(request))


async def _body(request: Request) -> bytes:
    kept: bytes | None = request.scope.get(_BODY)
    if kept is not None:
        return kept
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_BYTES_MAX:
            raise TooLarge(f"the body is larger than {BODY_BYTES_MAX} bytes")
    request.scope[_BODY] = bytes(body)
    return bytes(body)


def number(request: Request, name: str, default: int, *, least: int, most: int) -> int:
    """Give a number of the request's query.

    Raises:
        BadRequest: it is none, or out of these bounds.
    """
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdecimal()) or not least <= int(text[:20]) <= most:
        raise BadRequest(f"{name} is a number from {least} to {most}", field=name)
    return int(text)


def _endpoint(
    row: Row, authenticator: Authenticator, edited: Edited
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        caller = authenticator.caller(request.scope)
        value = await performed(row, request, caller, edited)
        return _answer(row, value, link_of(request))

    return endpoint


async def performed(row: Row, request: Request, caller: Caller, edited: Edited) -> Any:
    """Give the value of a route's answer; the caller has the right to it."""
    _check(row, request)
    if row.thing is not None and request.method != "GET" and is_bound(request):
        work = partial(row.handle, request, caller)
        return await edit(edited, row.thing, (request, caller), work)
    value = await row.handle(request, caller)
    return value if row.lists is None else row.lists.cut(request, value)


def with_body(scope: Scope, body: bytes) -> Request:
    """Give a request whose body was read already."""
    return Request({**scope, _BODY: body})


def _check(row: Row, request: Request) -> None:
    if any("\0" in str(one) for one in request.path_params.values()):
        raise NotFound("nothing has a name with the character U+0000")
    if row.query is not None:
        check_query(request, row.parameters)


def _answer(row: Row, value: Any, headers: Mapping[str, str] = _PLAIN) -> Response:
    if row.status == 204:
        return Response(status_code=204)
    if isinstance(value, Lines):
        return LinesResponse(value)
    if isinstance(value, Response):
        return value
    tag = {"etag": row.thing.tag(value)} if row.thing is not None and row.is_tagged else {}
    content = msgspec.json.encode(value)
    return Response(content, row.status, {**headers, **tag}, media_type="application/json")


class LinesResponse(Response):
    """Sends each value as one line of JSON, as soon as it is told."""

    media_type = "application/x-ndjson"

    def __init__(self, lines: Lines) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._lines = lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer while the work is done."""

        async def tell(value: object) -> None:
            line = msgspec.json.encode(value) + b"\n"
            await send({"type": "http.response.body", "body": line, "more_body": True})

        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await self._lines.work(tell)
        await send({"type": "http.response.body", "body": b""})
