"""Everything that is mounted, on one screen.

`Front` is the application that a connection asks: it checks Host and Origin, counts requests in
flight for the idle exit and the drain, names the doors of the hot paths and sends everything
else to the Starlette application. An ASGI client reaches the same hot doors through it.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from omniroute.routing.errors import NotFound, RoutingError
from omniroute.routing.pressure import Pressure

from . import cors
from .asgi import HEAD, answer, head_of
from .bounds import Bounds
from .errors import NotForHere, Refusals, refusal, refuse, refuse_fault
from .exchange import Door, Head, Header, SocketDoor
from .gate import Gate
from .guard import Guard
from .paths import geminis, meant
from .refused import Refused
from .request_ids import identified
from .rights import BELOW, EVERY, SOCKET, Needs
from .telemetry.access import NO_ROUTE, logged, logged_door
from .telemetry.traced import Asked, traced, traced_door
from .turnstile import Turnstile

GOOGLES = b"x-goog-api-client"
"""The header by which Google's SDKs say what they are."""
_NO_SOCKETS: Mapping[str, SocketDoor] = {}


Entry = tuple[Door, Needs]
"""A door, and what it needs."""


def _nothing() -> None:
    """Close nothing."""


class Front:
    """The ASGI application in front of all doors.

    Args:
        guard: which Host and Origin may be named.
        gate: who may reach which door.
        hot: answers a POST to exactly this path, or below it where it ends in `...` and there
            is no other.
        doors: applications of their own at exactly these paths, whatever the method.
        sockets: answers a WebSocket at exactly this path, on connections of our own.

    Raises:
        UndeclaredRoute: nobody has said what a door needs.

    Attributes:
        busy: requests that are being answered now.
        last_s: monotonic time of the last request's begin or end.
        turnstile: lets requests begin.
        bounds: how much is taken at once.
        refused: where what no door has answered is logged.
        pressure: whether there is room for new requests.
        app: answers what is not hot.
        draining: no new work is taken; /ready says so. Set by `drain`.
        closing: called when no new work is taken any more, to close what stays open.
        cutting: called when what still runs is about to be cut, to have it end in order.
        mcp_only_port: a port where nothing but /mcp is answered.
        logs: whether each request is logged.
        asked: gives in whose span a request is answered; None where nobody traces.
    """

    def __init__(
        self,
        guard: Guard,
        gate: Gate,
        *,
        hot: Mapping[str, Door],
        doors: Mapping[str, ASGIApp],
        sockets: Mapping[str, SocketDoor] = _NO_SOCKETS,
    ) -> None:
        self.app = build_app((), gate)
        self.busy = 0
        self.last_s = time.monotonic()
        self.turnstile = Turnstile()
        self.bounds = Bounds()
        self.refused = Refused()
        self.pressure = Pressure()
        self.draining = False
        self.closing: Callable[[], None] = _nothing
        self.cutting: Callable[[], None] = _nothing
        self.mcp_only_port: int | None = None
        self.logs = False
        self.asked: Asked | None = None
        self._guard = guard
        self._gate = gate
        self._hot = {path: (door, gate.needs("POST", path)) for path, door in hot.items()}
        self._below = tuple(
            (path.removesuffix(BELOW), entry)
            for path, entry in self._hot.items()
            if path.endswith(BELOW)
        )
        # Only a connection of our own asks for doors by the head, and its exchanges can upgrade.
        self._sockets = {
            path: (cast("Door", door), gate.needs(SOCKET, path)) for path, door in sockets.items()
        }
        self._doors = {
            path: gate.app(door, gate.needs(EVERY, path)) for path, door in doors.items()
        }

    def hot_door(self, head: Head) -> Door | None:
        """Give the door that answers by itself; None leaves the request to this application."""
        found = self._posted(head.path) if head.method == "POST" else self._socket(head)
        if found is None or (head.method == "POST" and cors.ORIGIN in head.named):
            # What a web page asks is answered with headers that let it read the answer.
            return None
        if self._refused(head.headers, head.path, head.port) is not None:
            return None
        door = self._gate.door(*found, head)
        if self.asked is not None:
            door = traced_door(door, self.asked)
        return logged_door(door, head, self.route_of(head.method, head.path)) if self.logs else door

    def route_of(self, method: str, path: str) -> str:
        """Give what the path of a request is one of, NO_ROUTE where nothing is served there."""
        path = meant(path)
        if path in self._doors or path in self._sockets or (method == "POST" and path in self._hot):
            return path
        below = (f"{prefix}..." for prefix, _ in self._below if path.startswith(prefix))
        scope = {"type": "http", "method": method, "path": path, "root_path": ""}
        routes = (
            one.path
            for one in self.app.routes
            if isinstance(one, Route) and one.matches(scope)[0] is not Match.NONE
        )
        return next(below, None) or next(routes, NO_ROUTE)

    @property
    def posts(self) -> tuple[str, ...]:
        """The paths of the hot doors."""
        return tuple(self._hot)

    def is_posted(self, path: str) -> bool:
        """Whether a POST to a path has a hot door."""
        return self._posted(path) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request under ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif self.logs:
            method, path = scope["method"], scope["path"]
            route = partial(self.route_of, method, path)
            await logged(self._trace, route, scope, receive, send)
        else:
            await self._trace(scope, receive, send)

    async def _trace(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.asked is None:
            await self._enter(scope, receive, send)
        else:
            await traced(self._enter, self.asked, scope, receive, send)

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        send = identified(scope, send)
        path, here = scope["path"], scope.get("server")
        refused = self._refused(scope["headers"], path, None if here is None else here[1])
        if refused is not None:
            await refusal(scope, refused)(scope, receive, send)
            return
        origin = cors.origin_of(scope["headers"])
        if origin is None:
            await self._answer(scope, receive, send)
        elif (allowed := cors.preflight(scope["method"], scope["headers"])) is not None:
            await send({"type": "http.response.start", "status": 204, "headers": allowed})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self._answer(scope, receive, cors.readable(send, origin))

    def drain(self) -> None:
        """Take no new work from now on."""
        self.draining = True
        self.closing()

    def not_ready(self) -> str | None:
        """Give why no new work is taken, None when it is."""
        return "the gateway is shutting down" if self.draining else self.pressure.why

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if scope["method"] == "GET" and path in self._doors:
            # A stream to a client that only listens: nothing is under way for it.
            await self._doors[path](scope, receive, send)
            return
        self.busy += 1
        try:
            found = self._posted(path) if scope["method"] == "POST" else None
            if found is None:
                await self._other(scope)(scope, receive, send)
            else:
                head = scope[HEAD] = head_of(scope)
                await answer(self._gate.door(*found, head), scope, receive, send)
        finally:
            self.busy -= 1
            self.last_s = time.monotonic()

    def _socket(self, head: Head) -> Entry | None:
        if head.named.get(b"upgrade", b"").lower() != b"websocket":
            return None
        return self._sockets.get(meant(head.path))

    def _door_below(self, path: str) -> Entry | None:
        for prefix, entry in self._below:
            if path.startswith(prefix):
                return entry
        return None

    def _posted(self, path: str) -> Entry | None:
        """Give the door of a POST to a path, or to the one that was meant, and what it needs."""
        entry = self._hot.get(path) or self._door_below(path)
        if entry is None and (mended := meant(path)) != path:
            entry = self._hot.get(mended) or self._door_below(mended)
        return entry

    def _other(self, scope: Scope) -> ASGIApp:
        """Give what answers a request that has no hot door."""
        path: str = scope["path"]
        door = self._doors.get(path)
        if door is not None:
            return door
        path = meant(path)
        if any(name == GOOGLES for name, _ in scope["headers"]):
            path = geminis(path)
        scope["path"] = path
        return self.app

    def _refused(
        self, headers: Iterable[Header], path: str, port: int | None
    ) -> RoutingError | None:
        """Give why a request is refused before anyone looks at it, None when it is not."""
        refusal = self._guard.refusal(headers)
        if refusal is not None:
            return NotForHere(refusal[1], status=refusal[0])
        if self.mcp_only_port is None or port != self.mcp_only_port or path.rstrip("/") == "/mcp":
            return None
        return NotFound("this port answers MCP at /mcp alone")


def build_app(routes: Sequence[BaseRoute], gate: Gate, front: Front | None = None) -> Starlette:
    """Give the application of every route that is not hot; it knows those that a front has hot.

    Raises:
        UndeclaredRoute: nobody has said what a route needs.
    """
    served = [one for one in routes if isinstance(one, Route)]
    posts = front.posts if front is not None else ()
    refusals = Refusals(front.is_posted if front is not None else None, posts, served)
    return Starlette(
        routes=[gate.route(one) for one in routes],
        exception_handlers={
            RoutingError: refuse,
            HTTPException: refusals.refuse_http,
            Exception: refuse_fault,
        },
    )


def health_routes(ready: Callable[[], str | None]) -> list[Route]:
    """Give /health (the process lives) and /ready (it takes work).

    Args:
        ready: gives why not, None when it is.
    """

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readiness(request: Request) -> Response:
        why = ready()
        if why is None:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not_ready", "reason": why}, status_code=503)

    return [
        Route("/health", health, methods=["GET"]),
        Route("/ready", readiness, methods=["GET"]),
    ]


def home_route(page: Callable[[], str]) -> Route:
    """Give / : a page for a person who opens the gateway's address in a browser."""

    async def home(request: Request) -> Response:
        return HTMLResponse(
            page(),
            headers={
                "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; "
                "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
                "x-content-type-options": "nosniff",
            },
        )

    return Route("/", home, methods=["GET", "HEAD"])


def hello_routes() -> list[Route]:
    """Give /api/hello, which Claude Code asks before its first request."""

    async def hello(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return [Route("/api/hello", hello, methods=["GET"])]
