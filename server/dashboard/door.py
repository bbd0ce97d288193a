"""The dashboard's door: every page and what its forms do, as routes with their rights.

A page is a row of a table (visits.PageRow), as a route of the management API is one. It reads
and changes through that API's own rows (api/calls.py), so this door knows no store and no
engine. What a form sends is either done, and the browser sent on to a page that shows it, or
refused, and the form shown again with the reason where it belongs and nothing of it lost.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from omniroute.routing.errors import NotFound, RoutingError, StorageUnavailable

from ..api.calls import Calls
from ..parts import Parts
from ..rights import ANYONE, Right
from . import assets
from .entrance import Entrance, place_of
from .kept_forms import KeptForms
from .origins import Site
from .policy import HEADERS
from .sessions import Session, Sessions, current
from .sign_in import Door, SignInPage
from .tokens import Tokens
from .visits import PageRow, Shown, Visit, sent

if TYPE_CHECKING:
    from .rendering import Renderer

HOME = "/dashboard"
ASSET = f"{assets.PREFIX}/{{stamp}}/{{name}}"
ELSE = f"{HOME}/{{rest:path}}"

PAGE_S_MAX = 15.0
"""How long a page waits for what it shows; what a form does has no such end: it is done or not."""
UNFORESEEN = "the log of the gateway has the cause"
OF_NO_FORM = {"csrf", "tag"}
"""Fields that nobody typed."""

log = logging.getLogger("omniroute")
Found = TypeVar("Found")


class Dashboard:
    """Serves the pages.

    Args:
        rows: the pages, in the menu's order.
        calls: the management API.
        parts: of the gateway: who may look, and how people sign in.

    Attributes:
        entrance: lets requests in to the pages.
    """

    def __init__(self, rows: Sequence[PageRow], calls: Calls, parts: Parts) -> None:
        self._rows = tuple(rows)
        self._calls = calls
        self._renderer: Renderer | None = None
        self._version = parts.version
        settings, storage = parts.settings, parts.storage
        site = Site(parts.authenticator, settings.public_url, plain=settings.dashboard_plain_cookie)
        tokens = Tokens(storage.vault.ring)
        self._sessions = sessions = Sessions(parts, site, tokens)
        kept = KeptForms(storage.vault, parts.clock)
        self._kept = kept
        self.entrance = Entrance(site, sessions, tokens, kept, self)
        self._sign_in = SignInPage(parts, Door(site, sessions, tokens, kept, self, self.entrance))

    def routes(self) -> list[Route]:
        """Give the routes; the last one answers for every address where no page is."""
        return [
            Route(ASSET, assets.serve, methods=["GET"]),
            Route(f"{HOME}/", self._home, methods=["GET"]),
            *self._sign_in.routes(),
            *(Route(row.path, self._endpoint(row), methods=[row.method]) for row in self._rows),
            Route(ELSE, self._nowhere, methods=["GET"]),
        ]

    def rights(self) -> tuple[Right, ...]:
        """Give what each route needs."""
        return (
            Right("GET", ASSET, ANYONE),
            Right("GET", f"{HOME}/", ANYONE),
            *self._sign_in.rights(),
            *(row.right for row in self._rows),
            Right("GET", ELSE, ANYONE),
        )

    def show(self, request: Request, shown: Shown, session: Session | None = None) -> Response:
        """Give the answer that shows something to whoever looks, or to nobody in particular."""
        visit = None if session is None else self._visit(request, session)
        return self._made().page(shown, visit, request.headers.get("accept-language", ""))

    def _visit(self, request: Request, session: Session) -> Visit:
        return Visit(
            request,
            session.caller,
            self._calls,
            self._sessions,
            csrf=session.csrf,
            name=session.name,
            session_id=session.session_id,
        )

    def _endpoint(self, row: PageRow) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            visit = self._visit(request, current(request))
            try:
                return self._answer(await self._done(row, visit), visit)
            except RoutingError as error:
                return self._refused(error, visit)
            except Exception as fault:
                log.error("unexpected_error", exc_info=fault)
                return self._refused(RoutingError(UNFORESEEN), visit)

        return endpoint

    async def _done(self, row: PageRow, visit: Visit) -> Shown | Response:
        if row.method == "GET":
            return await _in_time(row.handle(visit))
        visit.fields = await sent(visit.request)
        try:
            return await row.handle(visit)
        except RoutingError as error:
            visit.error = error
        except Exception as fault:
            log.error("unexpected_error", exc_info=fault)
            visit.error = RoutingError(UNFORESEEN)
        return await self._again(row, visit, visit.error)

    async def _again(self, row: PageRow, visit: Visit, error: RoutingError) -> Shown | Response:
        """Show a form again that was refused; as a list of what was typed if its page fails."""
        if row.again is None:
            raise error
        try:
            again = await _in_time(row.again(visit))
        except Exception as fault:
            if not isinstance(fault, RoutingError):
                log.error("unexpected_error", exc_info=fault)
            if visit.fields.values.keys() <= OF_NO_FORM:
                raise error from fault
            place = place_of(visit.request.scope)
            form = self._kept.kept(place, visit.fields, visit.caller.key_id)
            again = Shown("again.html", {"form": form})
        if isinstance(again, Shown):
            return Shown(again.template, again.values, error.status)
        return again

    def _answer(self, done: Shown | Response, visit: Visit) -> Response:
        if isinstance(done, Response):
            for name, value in HEADERS.items():
                done.headers.setdefault(name, value)
            return done
        accepted = visit.request.headers.get("accept-language", "")
        return self._made().page(done, visit, accepted)

    def _refused(self, error: RoutingError, visit: Visit) -> Response:
        visit.error = error
        return self._answer(Shown("error.html", {"status": error.status}, error.status), visit)

    async def _home(self, request: Request) -> Response:
        return RedirectResponse(HOME, 308, HEADERS)

    async def _nowhere(self, request: Request) -> Response:
        error = NotFound(f"no page of the dashboard is at {request.scope['path'][:200]}")
        return self.show(request, Shown("error.html", {"status": 404, "error": error}, 404))

    def _made(self) -> "Renderer":
        if self._renderer is None:
            # Templates are compiled, and their library imported, when a page is first asked for.
            from .rendering import Renderer  # noqa: PLC0415

            menu = [row for row in self._rows if row.menu is not None]
            self._renderer = Renderer(menu, self._version)
        return self._renderer


async def _in_time(showing: Awaitable[Found]) -> Found:
    """Give what a page shows.

    Raises:
        StorageUnavailable: it takes too long, as it does when the store is slow.
    """
    try:
        async with asyncio.timeout(PAGE_S_MAX):
            return await showing
    except TimeoutError:
        raise StorageUnavailable(
            f"what this page shows did not come within {PAGE_S_MAX:g} s: the store is slow now"
        ) from None
