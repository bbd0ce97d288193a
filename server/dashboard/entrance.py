"""The one way into the dashboard: who looks is found, and whether they may, before any page.

A request that no page of the dashboard and no person has begun is refused. Whoever is not known
is sent to the sign-in page, and comes back to where they were going. What changes something
needs the token of a form of ours beside all that: in the header X-Csrf-Token, or in the field
`csrf` of the form. A form that comes too late, because its session is over or its page too old,
is not done and not lost: what was entered is offered again (kept_forms.py).
"""

from collections.abc import Sequence
from functools import partial
from typing import Protocol
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from omniroute.routing.access import ADMIN, require_one
from omniroute.routing.errors import NotAuthenticated, RoutingError, StorageUnavailable

from ..asgi import head_of
from ..errors import refusal
from ..exchange import Head, Header
from ..rights import Needs
from .cookies import Jar
from .kept_forms import KeptForm, KeptForms
from .lasting import Lasting
from .origins import READS, OtherSite, Site
from .policy import HEADERS
from .sessions import PLACE, Session, Sessions, visited
from .tokens import Tokens
from .visits import Fields, Shown, sent

SIGN_IN = "/dashboard/sign-in"
TOKEN = b"x-csrf-token"
FIELD = "csrf"


class Pages(Protocol):
    """What shows a page to whoever looks, or to nobody in particular."""

    def show(self, request: Request, shown: Shown, session: Session | None = None) -> Response:
        """Give the answer."""
        ...


class Entrance:
    """Lets requests in to pages."""

    def __init__(
        self, site: Site, sessions: Sessions, tokens: Tokens, kept: KeptForms, pages: Pages
    ) -> None:
        self._site = site
        self._sessions = sessions
        self._tokens = tokens
        self._kept = kept
        self._pages = pages

    async def enter(
        self, app: ASGIApp, needs: Needs, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Have a page answer a request, or say why it does not."""
        head = head_of(scope)
        session = None
        try:
            self._site.check(head)
            if needs is None:
                await app(scope, receive, send)
                return
            session = await self._sessions.of(head)
            if session is None:
                answer = await self._unknown(Request(scope, receive), head)
            else:
                if needs:
                    require_one(session.caller, needs)
                receive, late = await self._with_token(scope, receive, head, session)
                if late is None:
                    scope[PLACE] = session
                    may = partial(self._still, session, needs, head)
                    goes_on = Lasting(may, receive, with_headers(send, session.cookies))
                    await app(scope, goes_on.receive, goes_on.send)
                    return
                answer = self.offered(Request(scope), late, session)
        except RoutingError as error:
            answer = self._refused(scope, error, session)
        await answer(scope, receive, send)

    async def _still(self, session: Session, needs: tuple[str, ...], head: Head) -> bool:
        """Whether somebody who was let in would be now."""
        try:
            caller = await self._sessions.still(session, head)
        except NotAuthenticated:
            return False
        except StorageUnavailable:
            # Nobody can be signed out either, while that lasts.
            return True
        if caller is None:
            return False
        return not needs or ADMIN in caller.scopes or not caller.scopes.isdisjoint(needs)

    def offered(
        self, request: Request, form: KeptForm, session: Session, status: int = 409
    ) -> Response:
        """Show what was entered, to be sent again or not."""
        shown = Shown("go_on.html", {"form": form, FIELD: session.csrf}, status)
        return self._pages.show(request, shown, session)

    async def _with_token(
        self, scope: Scope, receive: Receive, head: Head, session: Session
    ) -> tuple[Receive, KeptForm | None]:
        """Give what the page reads the body from, or the form whose page was too old.

        Raises:
            OtherSite: the token is missing, and the browser does not say that it is from here.
        """
        if head.method in READS or session.bound_to is None:
            return receive, None
        told = head.named.get(TOKEN)
        if told is not None:
            if not self._tokens.fits(told.decode("latin-1"), *session.bound_to):
                raise OtherSite("the page is too old: load it again")
            return receive, None
        body = bytearray()
        fields = await sent(Request(scope, _noting(receive, body)))
        if self._tokens.fits(fields.text(FIELD), *session.bound_to):
            return _again(bytes(body), receive), None
        if not is_page(head):
            raise OtherSite("the page is too old: load it again")
        if not self._site.is_confirmed(head):
            raise OtherSite("what was sent has no token of a page of this dashboard")
        return receive, self._kept.kept(place_of(scope), fields, session.caller.key_id)

    async def _unknown(self, request: Request, head: Head) -> Response:
        """Answer somebody who has to sign in."""
        if not is_page(head):
            raise NotAuthenticated(
                "nobody is signed in: sign in at /dashboard/sign-in, or send a key as "
                "`Authorization: Bearer sk-omni-...`"
            )
        if head.method in READS:
            if head.named.get(b"sec-fetch-site") == b"cross-site":
                # A link of another site: no cookie came with it, and with the next request one may.
                return self._pages.show(request, Shown("hop.html", {"to": place_of(request.scope)}))
            asked = f"{SIGN_IN}?next={quote(place_of(request.scope), safe='/')}"
            return RedirectResponse(asked, 303, HEADERS)
        fields = Fields()
        if self._site.is_confirmed(head):
            fields = await sent(request)
        return await self._ended(request, head, fields)

    async def _ended(self, request: Request, head: Head, fields: Fields) -> Response:
        """Have somebody sign in whose session was over when they sent a form."""
        place, jar = place_of(request.scope), self._site.jar(head)
        found = None if jar is None else await self._sessions.found(head, jar)
        key_id = "" if found is None else found.sign_in.key_id
        visit, cookies = visited(head, jar or Jar(is_secure=False))
        sealed = ""
        if fields.values:
            sealed = self._kept.seal(self._kept.kept(place, fields, key_id), visit)
        values = {
            "next": place,
            FIELD: self._tokens.of("visit", visit),
            "kept": sealed,
            "why": "kept" if sealed else "too_long" if fields.values else "ended",
        }
        answer = self._pages.show(request, Shown("sign_in.html", values, 401))
        answer.raw_headers.extend(cookies)
        return answer

    def _refused(self, scope: Scope, error: RoutingError, session: Session | None) -> Response:
        if not is_page(head_of(scope)):
            return refusal(scope, error)
        shown = Shown("error.html", {"status": error.status, "error": error}, error.status)
        return self._pages.show(Request(scope), shown, session)


def is_page(head: Head) -> bool:
    """Whether a person waits for a page, and not a script for an answer."""
    mode = head.named.get(b"sec-fetch-mode")
    if mode is not None:
        return mode == b"navigate"
    return b"text/html" in head.named.get(b"accept", b"")


def with_headers(send: Send, headers: Sequence[Header]) -> Send:
    """Give a `send` that adds headers to the answer."""
    if not headers:
        return send

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *headers]}
        await send(message)

    return sending


def place_of(scope: Scope) -> str:
    """Give the address on this gateway that was asked for, with its query."""
    query = scope.get("query_string", b"").decode("latin-1")
    path: str = quote(scope["path"], safe="/:@-._~!$&'()*+,;=")
    return f"{path}?{query}" if query else path


def _noting(receive: Receive, body: bytearray) -> Receive:
    """Give a `receive` that keeps the body that it gives."""

    async def noting() -> Message:
        message = await receive()
        body.extend(message.get("body", b""))
        return message

    return noting


def _again(body: bytes, receive: Receive) -> Receive:
    """Give a `receive` that gives a body that was read before."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
