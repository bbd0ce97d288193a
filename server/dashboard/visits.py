"""One visit of a page: who looks, what was sent, and what is shown."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from omniroute.routing.access import ADMIN
from omniroute.routing.errors import BadRequest, RoutingError, TooLarge
from omniroute.routing.model import Caller

from ..api.calls import Called, Calls
from ..rights import Right
from .sessions import Sessions

FORM_BYTES_MAX = 2**20
FIELDS_MAX = 2_000
_NO_FIELDS: Mapping[str, tuple[str, ...]] = {}


@dataclass(frozen=True, slots=True)
class Fields:
    """What a form sent, or what a query says: each name with its values, in order."""

    values: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NO_FIELDS)

    def text(self, name: str, default: str = "") -> str:
        """Give a field without the blanks around it; the default where it was not sent."""
        found = self.values.get(name)
        return found[0].strip() if found else default

    def all(self, name: str) -> tuple[str, ...]:
        """Give every value of a field."""
        return self.values.get(name, ())

    def flag(self, name: str) -> bool:
        """Whether a box was ticked: a browser sends nothing of one that was not."""
        return name in self.values

    def number(self, name: str) -> float | None:
        """Give a field as a number, None where it was left empty.

        Raises:
            BadRequest: it is none.
        """
        text = self.text(name)
        if not text:
            return None
        try:
            found = float(text)
        except ValueError:
            raise BadRequest(f"{text[:40]!r} is no number", field=name) from None
        if not isfinite(found):
            raise BadRequest(f"{text[:40]!r} is no number", field=name)
        return found

    def whole(self, name: str) -> int | None:
        """Give a field as a whole number, None where it was left empty. Raises as `number`."""
        found = self.number(name)
        if found is not None and found != int(found):
            raise BadRequest(f"{self.text(name)[:40]!r} is no whole number", field=name)
        return None if found is None else int(found)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page shows: a template, what it is filled with, and the status of the answer."""

    template: str
    values: Mapping[str, object]
    status: int = 200


@dataclass(slots=True)
class Visit:
    """One request to a page.

    Attributes:
        sessions: of everybody who has signed in.
        caller: who looks, whose scopes say what is shown and may be done.
        csrf: the token that every form sends.
        name: who that is, for the page's head.
        session_id: of whoever has signed in; None of who did not have to.
        error: why what was sent was refused, when a page is shown again.
        fields: what a form sent; its page is filled with it when it is shown again.
    """

    request: Request
    caller: Caller
    calls: Calls
    sessions: Sessions
    csrf: str = ""
    name: str = ""
    session_id: str | None = None
    error: RoutingError | None = None
    fields: Fields = field(default_factory=Fields)

    @property
    def query(self) -> Fields:
        """What the address's query says."""
        found: dict[str, tuple[str, ...]] = {}
        for name, value in self.request.query_params.multi_items():
            found[name] = (*found.get(name, ()), value)
        return Fields(found)

    def part(self, name: str) -> str:
        """Give a part of the path, as PageRow's path names it."""
        found: str = self.request.path_params[name]
        return found

    def may(self, scope: str) -> bool:
        """Whether whoever looks may do what needs this scope."""
        return scope in self.caller.scopes or ADMIN in self.caller.scopes

    async def get(self, path: str, **query: object) -> Any:
        """Give what GET of a path of the management API answers. Raises as Calls.call."""
        return (await self.call("GET", path, query=query)).value

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: object = None,
        tag: str | None = None,
    ) -> Called:
        """Call a route of the management API. Raises as Calls.call."""
        asked = (method, path)
        return await self.calls.call(
            asked, self.caller, query=query or {}, body=body, tag=tag or None
        )


async def sent(request: Request) -> Fields:
    """Give what a form sent.

    Raises:
        TooLarge: more than FORM_BYTES_MAX.
        BadRequest: not what a form sends, or more than FIELDS_MAX fields.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > FORM_BYTES_MAX:
            raise TooLarge(f"a form of more than {FORM_BYTES_MAX} bytes")
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            max_num_fields=FIELDS_MAX,
            errors="strict",
        )
    except ValueError:
        raise BadRequest("the body is not what a form of the dashboard sends") from None
    found: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        found[name] = (*found.get(name, ()), value)
    return Fields(found)


Handle = Callable[[Visit], Awaitable[Shown | Response]]


@dataclass(frozen=True, slots=True)
class Menu:
    """A page's place in the menu: its word there (`menu.<word>`) and its icon."""

    word: str
    icon: str


@dataclass(frozen=True, slots=True)
class PageRow:
    """One page, or what one of its forms does.

    Attributes:
        needs: whoever has one of these scopes may; where there are none, any key.
        again: gives the page that is shown again when what was sent is refused.
        menu: its place in the menu, None where it has none.
    """

    method: str
    path: str
    needs: tuple[str, ...]
    handle: Handle
    again: Handle | None = None
    menu: Menu | None = None

    @property
    def right(self) -> Right:
        """What its route needs."""
        return Right(self.method, self.path, self.needs)


def onward(path: str, done: str = "") -> Response:
    """Send the browser on to a page after something was done.

    Args:
        path: of this dashboard.
        done: the name of the word that says what, such as `combos.removed`.
    """
    mark = "&" if "?" in path else "?"
    return RedirectResponse(f"{path}{mark}done={done}" if done else path, 303)
