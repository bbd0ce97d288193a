"""The sign-in page, and the way out.

A key signs in as that key; the password as its owner, who may do everything. A key that is good
is let in whatever is locked, as nobody guesses 256 bits; everything else is an attempt, which is
counted (store/sign_in_locks.py), costs the same and is refused in the same words. Each sign-in
is a new session with a new cookie; what the browser held before is over.
"""

import re
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from omniroute.routing.access import OWNER
from omniroute.routing.errors import RoutingError
from omniroute.routing.model import Caller

from ..asgi import head_of
from ..auth import Authenticator
from ..exchange import Head
from ..parts import Parts
from ..passwords import CHARACTERS_MAX, Checker
from ..rights import ANYONE, Right
from ..store.passwords import Passwords
from ..store.sign_in_locks import Locks
from ..store.sign_ins import SignIns
from .cookies import SESSION, VISIT, Jar
from .entrance import FIELD, SIGN_IN, Entrance, Pages
from .kept_forms import KeptForms
from .origins import Site
from .policy import HEADERS
from .sessions import Sessions, visited
from .tokens import Tokens
from .visits import Fields, Shown, sent

HOME = "/dashboard"
# Printable, without a blank and a backslash, which browsers read as a slash.
_NEXT = re.compile(r"/dashboard(?:[/?][!-\[\]-~]*)?", re.ASCII)


class CannotSignIn(RoutingError):
    """Nobody can sign in on this connection: a browser would keep no cookie, or give it away."""

    status = 403
    code = "cannot_sign_in"


class WrongSecret(RoutingError):
    """It is no key of this gateway and not the password."""

    status = 401
    code = "sign_in_failed"


class MustWait(RoutingError):
    """Too many attempts have failed."""

    status = 429
    code = "sign_in_locked"


class OldPage(RoutingError):
    """The sign-in page was loaded by another visit, or too long ago."""

    status = 400
    code = "old_page"


@dataclass(frozen=True, slots=True)
class Door:
    """What the sign-in page works with."""

    site: Site
    sessions: Sessions
    tokens: Tokens
    kept: KeptForms
    pages: Pages
    entrance: Entrance


class SignInPage:
    """Signs people in."""

    def __init__(self, parts: Parts, door: Door) -> None:
        self._authenticator: Authenticator = parts.authenticator
        self._passwords: Passwords = parts.storage.passwords
        self._sign_ins: SignIns = parts.storage.sign_ins
        self._locks: Locks = parts.storage.locks
        self._checker: Checker = parts.checker
        self._door = door

    def routes(self) -> list[Route]:
        """Give the routes."""
        return [
            Route(SIGN_IN, self._ask, methods=["GET"]),
            Route(SIGN_IN, self._answer, methods=["POST"]),
        ]

    def rights(self) -> tuple[Right, ...]:
        """Give what they need: nothing."""
        return (Right("GET", SIGN_IN, ANYONE), Right("POST", SIGN_IN, ANYONE))

    async def _ask(self, request: Request) -> Response:
        head, onward = head_of(request.scope), safe_next(request.query_params.get("next", ""))
        try:
            if await self._door.sessions.of(head) is not None:
                return RedirectResponse(onward, 303, HEADERS)
            return self._form(request, head, onward)
        except RoutingError as error:
            return self._form(request, head, onward, error=error)

    async def _answer(self, request: Request) -> Response:
        head, fields = head_of(request.scope), Fields()
        try:
            fields = await sent(request)
            return await self._sign_in(request, head, fields)
        except RoutingError as error:
            onward = safe_next(fields.text("next"))
            return self._form(request, head, onward, fields.text("kept"), error=error)

    async def _sign_in(self, request: Request, head: Head, fields: Fields) -> Response:
        jar = self._jar(head)
        visit = jar.read(head, VISIT)
        if not visit:
            raise OldPage(
                "the browser keeps no cookie of this page: allow cookies for it, and try again"
            )
        if not self._door.tokens.fits(fields.text(FIELD), "visit", visit):
            raise OldPage("this page was too old: try again")
        caller = await self._caller(head, (fields.all("secret") or ("",))[0])
        found = await self._door.sessions.found(head, jar)
        made = await self._sign_ins.begin(
            caller.key_id,
            caller.scopes,
            address=self._authenticator.address_of(head),
            agent=request.headers.get("user-agent", ""),
            before="" if found is None else found.sign_in.session_id,
        )
        kept = self._door.kept.open(fields.text("kept"), visit)
        answer: Response = RedirectResponse(safe_next(fields.text("next")), 303, HEADERS)
        if kept is not None and kept.key_id in ("", caller.key_id):
            session = self._door.sessions.new(caller, made.session_id)
            answer = self._door.entrance.offered(request, kept, session, 200)
        # Nothing that was there before somebody signed in is of use after.
        answer.raw_headers.extend((jar.put(SESSION, made.text), jar.drop(VISIT)))
        return answer

    async def _caller(self, head: Head, secret: str) -> Caller:
        """Give who has a key, or the password.

        Raises:
            MustWait: too many attempts failed.
            WrongSecret: nobody has it.
        """
        caller = self._authenticator.caller_by_key(secret.strip())
        if caller is not None:
            return caller
        address, is_here = self._authenticator.address_of(head), self._authenticator.is_local(head)
        attempt = await self._locks.attempt(address, is_here=is_here)
        if attempt.wait_s:
            refused = MustWait(f"too many attempts failed: try again in {attempt.wait_s:.0f} s")
            refused.retry_after_s = attempt.wait_s
            raise refused
        stored = self._passwords.stored
        hashed = None if stored is None else stored.hashed
        if await self._checker.fits(secret[:CHARACTERS_MAX], hashed):
            owner = self._authenticator.caller_named(OWNER)
            if owner is not None:
                await self._locks.succeeded(attempt)
                return owner
        await self._locks.failed(attempt)
        raise WrongSecret("that is no key of this gateway, and not its password")

    def _jar(self, head: Head) -> Jar:
        jar = self._door.site.jar(head)
        if jar is None:
            raise CannotSignIn(
                "signing in needs an encrypted connection, as the cookie would be read on the "
                "way: put a proxy with TLS in front and name it with --public-url and "
                "--trusted-proxy; or come over SSH (ssh -L 20128:127.0.0.1:20128 HOST) and open "
                "http://127.0.0.1:20128/dashboard; or, in a network that you trust, set "
                "OMNIROUTE_DASHBOARD_PLAIN_COOKIE=on"
            )
        return jar

    def _form(
        self,
        request: Request,
        head: Head,
        onward: str,
        kept: str = "",
        error: RoutingError | None = None,
    ) -> Response:
        jar = self._door.site.jar(head)
        if jar is None and error is None:
            try:
                self._jar(head)
            except CannotSignIn as cannot:
                error = cannot
        visit, cookies = visited(head, jar or Jar(is_secure=False))
        values = {
            "next": onward,
            FIELD: "" if jar is None else self._door.tokens.of("visit", visit),
            "kept": kept,
            "why": "",
            "error": error,
        }
        status = 200 if error is None else error.status
        answer = self._door.pages.show(request, Shown("sign_in.html", values, status))
        if jar is not None:
            answer.raw_headers.extend(cookies)
        if error is not None and error.retry_after_s is not None:
            answer.headers["retry-after"] = str(round(error.retry_after_s + 0.5))
        return answer


def safe_next(text: str) -> str:
    """Give where to go after signing in: a page of this dashboard, whatever was asked for."""
    if _NEXT.fullmatch(text) is None or text.partition("?")[0] == SIGN_IN:
        return HOME
    path = text.partition("?")[0].lower()
    return HOME if ".." in path or "%2e" in path or "%5c" in path else text
