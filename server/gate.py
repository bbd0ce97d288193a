"""The one decision who may reach what, made where a request has found its route.

The front finds which hot door, mounted door or route answers, by the path that it has itself
decoded and mended, and asks here with what that one was declared to need (rights.py). Nothing is
ever decided by the look of a path, so another spelling of it either finds the same route, with
the same right, or none at all. What is refused never enters the door.

A hot door whose caller was let in is called as it is, so that the next request with the same
head on that connection costs nothing here. It asks for its Caller as its first step, and gets it
with the same decision: a key that was revoked since then is found there.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from omniroute.routing.errors import RoutingError

from .asgi import HEAD, head_of
from .auth import Authenticator
from .errors import hot_refusal, refusal
from .exchange import Door, Exchange, Head
from .rights import DASHBOARD, EVERY, Needs, Right

Words = Callable[[Scope, RoutingError], Response]
"""Gives the answer to a refused request, in the words of its door."""
_OWN: Mapping[str, Words] = {}


class Entrance(Protocol):
    """Lets people in to pages."""

    async def enter(
        self, app: ASGIApp, needs: Needs, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Have a page answer a request, or say why it does not."""
        ...


class UndeclaredRoute(Exception):
    """Something would be served of which nobody has said what it needs."""


class Gate:
    """Lets requests in.

    Args:
        rights: what each route needs.
        words: how a refusal is said at a path whose dialect is not seen by the path itself.
        entrance: the way into pages of the dashboard, where people are known by a cookie.

    Raises:
        UndeclaredRoute: a route is declared twice, in two ways.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        rights: Iterable[Right],
        words: Mapping[str, Words] = _OWN,
        entrance: Entrance | None = None,
    ) -> None:
        self._authenticator = authenticator
        self._entrance = entrance
        self._words = words
        self._needs: dict[tuple[str, str], Needs] = {}
        for right in rights:
            place = (right.method, right.path)
            if self._needs.setdefault(place, right.needs) != right.needs:
                raise UndeclaredRoute(f"{right.method} {right.path} is declared in two ways")

    def needs(self, method: str, path: str) -> Needs:
        """Give what a route was declared to need.

        Raises:
            UndeclaredRoute: it was not declared.
        """
        for place in ((method, path), (EVERY, path)):
            if place in self._needs:
                return self._needs[place]
        raise UndeclaredRoute(
            f"{method} {path} declares no right: add it to RIGHTS in server/rights.py, or to its "
            "row of the management API"
        )

    def refused(self, head: Head, needs: Needs) -> RoutingError | None:
        """Give why a request may not have what needs this; None when it may."""
        if needs is None:
            return None
        head.needs = needs
        try:
            self._authenticator.caller_of(head)
        except RoutingError as error:
            return error
        return None

    def door(self, door: Door, needs: Needs, head: Head) -> Door:
        """Give what answers a request to a hot door: itself, or what refuses."""
        if self.refused(head, needs) is None:
            return door

        async def answer(exchange: Exchange) -> None:
            # The connection keeps this with the head, and the key may be there the next time.
            error = self.refused(exchange.head, needs)
            if error is None:
                await door(exchange)
                return
            wait = hot_refusal(exchange, error)
            if wait is not None:
                await wait

        return answer

    def app(
        self, app: ASGIApp, needs: Mapping[str, Needs] | Needs, *, is_page: bool = False
    ) -> ASGIApp:
        """Give an application that is entered only by those who may.

        Args:
            app: what is entered.
            needs: the same for all methods, or of each.
            is_page: whether it is a page of the dashboard: nowhere else a cookie is looked at.
        """
        entrance = self._entrance if is_page else None

        async def gated(scope: Scope, receive: Receive, send: Send) -> None:
            head = scope[HEAD] = head_of(scope)
            needed = needs[head.method] if isinstance(needs, Mapping) else needs
            if entrance is not None:
                await entrance.enter(app, needed, scope, receive, send)
                return
            error = self.refused(head, needed)
            if error is None:
                await app(scope, receive, send)
            else:
                words = self._words.get(head.path, refusal)
                await words(scope, error)(scope, receive, send)

        return gated

    def route(self, route: BaseRoute) -> Route:
        """Give a route that is entered only by those who may.

        Raises:
            UndeclaredRoute: a method of it was not declared, or it is more than one route.
        """
        if not isinstance(route, Route) or route.methods is None:
            raise UndeclaredRoute(f"{route!r} is not one route with its methods")
        gated: Any = Route(route.path, route.endpoint, methods=list(route.methods))
        needs = {
            method: self.needs("GET" if method == "HEAD" else method, route.path)
            for method in route.methods
        }
        is_page = route.path.startswith(DASHBOARD)
        gated.app = self.app(gated.app, needs, is_page=is_page)
        return gated  # type: ignore[no-any-return]
