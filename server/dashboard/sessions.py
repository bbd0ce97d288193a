"""Who looks at a page: the key that was presented, the session of a cookie, or this machine.

A session has no rights of its own. Its Caller is the one that its key has at this moment, so a
key that is revoked ends it, and one that is changed changes it, at once.
"""

import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from starlette.requests import Request

from omniroute.routing.access import ADMIN, LOCAL, LOCAL_CLI, OWNER
from omniroute.routing.errors import NotAuthenticated, StorageUnavailable
from omniroute.routing.model import Caller

from ..auth import Authenticator, presents_key
from ..exchange import Head, Header
from ..parts import Parts
from ..store.sign_ins import Found, SignIn, SignIns
from .cookies import SESSION, VISIT, Jar
from .origins import Site
from .tokens import Kind, Tokens

PLACE = "omniroute.dashboard"
"""Where the scope of a request that was let in holds its Session."""
VISIT_BYTES = 32


@dataclass(frozen=True, slots=True)
class Session:
    """Who looks.

    Attributes:
        caller: whose rights it has.
        csrf: the token that every form of its pages sends.
        name: who that is, for people.
        session_id: of whoever has signed in; None of who did not have to.
        bound_to: what its forms are bound to; None where a key is presented with each request,
            which no other site can have a browser do.
        cookies: headers that the answer gives the browser.
    """

    caller: Caller
    csrf: str = ""
    name: str = ""
    session_id: str | None = None
    bound_to: tuple[Kind, str] | None = None
    cookies: tuple[Header, ...] = ()


def current(request: Request) -> Session:
    """Give who asks for a page of the dashboard, which nobody else has entered."""
    found: Session = request.scope[PLACE]
    return found


class Sessions:
    """Finds who looks."""

    def __init__(self, parts: Parts, site: Site, tokens: Tokens) -> None:
        self._authenticator: Authenticator = parts.authenticator
        self._keys = parts.storage.keys
        self._sign_ins: SignIns = parts.storage.sign_ins
        self._site = site
        self._tokens = tokens

    async def of(self, head: Head) -> Session | None:
        """Give who sends a request; None of who has to sign in first.

        Raises:
            NotAuthenticated: a key is presented, and it is none of ours.
            StorageUnavailable: the database does not say who it is.
        """
        if presents_key(head):
            caller = self._authenticator.caller_of(head)
            if caller.key_id != LOCAL:
                return Session(caller, name=self.name_of(caller.key_id))
        jar = self._site.jar(head)
        if not self._authenticator.needs_sign_in():
            with suppress(NotAuthenticated):
                # Where somebody came by a proxy, this is no answer.
                return self._here(self._authenticator.caller_of(head), head, jar)
        found = None if jar is None else await self.found(head, jar)
        if jar is None or found is None or not found.is_open:
            return None
        return await self._signed_in(found, jar)

    async def still(self, session: Session, head: Head) -> Caller | None:
        """Give whose rights somebody has now who was found before; None when it is over.

        Raises as `of`.
        """
        if session.session_id is not None:
            if not await self._sign_ins.is_open(session.session_id):
                return None
            return self._authenticator.caller_named(session.caller.key_id)
        if session.bound_to is not None and self._authenticator.needs_sign_in():
            return None
        return self._authenticator.caller_of(head)

    async def found(self, head: Head, jar: Jar) -> Found | None:
        """Give what the session's cookie stands for, open or not."""
        text = jar.read(head, SESSION)
        return await self._sign_ins.find(text) if text else None

    async def open(self, caller: Caller) -> Sequence[SignIn]:
        """Give the sessions that somebody may see: their key's, and an administrator all."""
        found = await self._sign_ins.open(of=_of(caller))
        # Those whose key is gone are over, although nobody has signed them out.
        named = self._authenticator.caller_named
        return [one for one in found if named(one.key_id) is not None]

    async def end(self, caller: Caller, session_id: str) -> bool:
        """Sign a session out that somebody may see; False when none of those is open."""
        return await self._sign_ins.end(session_id, actor=caller.key_id, of=_of(caller))

    async def end_all(self, caller: Caller, *, everybody: bool) -> int:
        """Sign out all sessions of somebody's key, or everybody's; give how many there were."""
        of = None if everybody else caller.key_id
        return await self._sign_ins.end_all(actor=caller.key_id, of=of)

    def name_of(self, key_id: str) -> str:
        """Give what a key is called, or whoever has none."""
        stored = None if key_id in (LOCAL, LOCAL_CLI, OWNER) else self._keys.find(key_id)
        return key_id if stored is None else stored.terms.name or key_id

    def _here(self, caller: Caller, head: Head, jar: Jar | None) -> Session:
        jar = jar or Jar(is_secure=False)
        visit, cookies = visited(head, jar)
        token = self._tokens.of("visit", visit)
        return Session(caller, token, caller.key_id, None, ("visit", visit), cookies)

    async def _signed_in(self, found: Found, jar: Jar) -> Session | None:
        sign_in, cookies = found.sign_in, tuple[Header, ...]()
        caller = self._authenticator.caller_named(sign_in.key_id)
        if caller is None:
            return None
        if found.is_newest and sign_in.scopes.split() != sorted(caller.scopes):
            # While nothing can be written, a page can still be read.
            with suppress(StorageUnavailable):
                renewed = await self._sign_ins.renew(sign_in, caller.scopes)
                cookies = () if renewed is None else (jar.put(SESSION, renewed.text),)
        return self.new(caller, sign_in.session_id, cookies)

    def new(self, caller: Caller, session_id: str, cookies: tuple[Header, ...] = ()) -> Session:
        """Give a session of somebody who has signed in."""
        return Session(
            caller=caller,
            csrf=self._tokens.of("session", session_id),
            name=self.name_of(caller.key_id),
            session_id=session_id,
            bound_to=("session", session_id),
            cookies=cookies,
        )


def _of(caller: Caller) -> str | None:
    return None if ADMIN in caller.scopes else caller.key_id


def visited(head: Head, jar: Jar) -> tuple[str, tuple[Header, ...]]:
    """Give what the visit's cookie says, and the header that sets it where there is none."""
    visit = jar.read(head, VISIT)
    if visit:
        return visit, ()
    visit = secrets.token_urlsafe(VISIT_BYTES)
    return visit, (jar.put(VISIT, visit),)
