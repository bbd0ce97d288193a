"""The gate by itself: what it lets in, in whose words it refuses, and what it is not built with."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from omniroute.routing.errors import NotAllowed, NotAuthenticated, RoutingError
from omniroute.routing.model import Caller
from omniroute.server.asgi import HEAD
from omniroute.server.auth import Authenticator, KnownKeys
from omniroute.server.exchange import Exchange, Head
from omniroute.server.gate import Entrance, Gate, UndeclaredRoute, Words
from omniroute.server.rights import ANY_KEY, ANYONE, EVERY, LISTS, ROUTES, Needs, Right

pytestmark = pytest.mark.anyio

ROUTER, READER = "key-router", "key-reader"
RIGHTS = (
    Right("GET", "/many", LISTS),
    Right("POST", "/many", ROUTES),
    Right("GET", "/open", ANYONE),
    Right(EVERY, "/every", ANY_KEY),
    Right("GET", "/every", ROUTES),
    Right("GET", "/dashboard/x", ROUTES),
    Right("POST", "/dashboard/x", ANY_KEY),
    Right("GET", "/x/dashboard", ROUTES),
)


@dataclass
class Held:
    """Keys that can be taken away."""

    keys: dict[str, Caller] = field(
        default_factory=lambda: {
            ROUTER: Caller("router", frozenset({"write:route"})),
            READER: Caller("reader", frozenset({"read:models"})),
        }
    )

    def gate(
        self, words: Mapping[str, Words] | None = None, entrance: Entrance | None = None
    ) -> Gate:
        known = KnownKeys(self.keys.get, lambda: True)
        who = Authenticator(keys=known, keyless=False, token=None)
        if words is None and entrance is None:
            return Gate(who, RIGHTS)
        return Gate(who, RIGHTS, words or {}, entrance)


def head(key: str | None, path: str = "/many", method: str = "POST") -> Head:
    return Head(method, path, headers_of(key), peer="192.0.2.7")


def headers_of(key: str | None) -> list[tuple[bytes, bytes]]:
    return [] if key is None else [(b"x-api-key", key.encode())]


class Answered:
    """An exchange that keeps its answer; `wait` is what there is to wait for after it."""

    def __init__(self, asked: Head, *, waits: bool = False) -> None:
        self.head = asked
        self.body: bytes | None = b""
        self.status = 0
        self.told = b""
        self.waited = False
        self._waits = waits

    async def read(self, bytes_max: int) -> bytes:
        return b""

    def whole(self, status: int, lines: bytes, body: bytes) -> Any:
        self.status, self.told = status, body
        return self._wait() if self._waits else None

    def start(self, status: int, lines: bytes) -> None: ...

    def write(self, data: bytes) -> None: ...

    def end(self, data: bytes = b"") -> None: ...

    async def _wait(self) -> None:
        self.waited = True


async def door(exchange: Exchange) -> None:
    wait = exchange.whole(299, b"", b"in")
    if wait is not None:
        await wait


@dataclass
class Sent:
    """What an application answered."""

    status: int = 0
    body: bytes = b""


async def asked(app: Any, key: str | None, path: str, method: str = "GET") -> Sent:
    """Call an application, and give its answer."""
    sent = Sent()
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": headers_of(key),
        "client": ("192.0.2.7", 1),
        "query_string": b"",
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.status = message.get("status", sent.status)
        sent.body += message.get("body", b"")

    await app(scope, receive, send)
    return sent


class Entered:
    """An application that was entered."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("in", 299)(scope, receive, send)


entered = Entered()


async def endpoint(request: Request) -> Response:
    return PlainTextResponse(f"in {request.method}", 299)


@pytest.mark.parametrize(
    ("method", "path", "needs"),
    [
        *(("GET", "/many", LISTS), ("POST", "/many", ROUTES), ("GET", "/open", None)),
        *(("POST", "/every", ()), ("GET", "/every", ROUTES), (EVERY, "/every", ())),
    ],
)
def test_a_method_of_its_own_is_declared_before_every_method(
    method: str, path: str, needs: Needs
) -> None:
    assert Held().gate().needs(method, path) == needs


@pytest.mark.parametrize(("method", "path"), [("PUT", "/many"), ("GET", "/x"), ("POST", "/open")])
def test_what_is_not_declared_is_named_with_where_to_declare_it(method: str, path: str) -> None:
    with pytest.raises(UndeclaredRoute, match=f"{method} {path} declares no right: .*rights.py"):
        Held().gate().needs(method, path)


def test_two_declarations_of_one_route_have_to_say_the_same() -> None:
    who = Authenticator(keys=KnownKeys(lambda text: None, bool), keyless=False, token=None)
    same = Gate(who, (Right("GET", "/x", ROUTES), Right("GET", "/x", ("write:route",))))

    with pytest.raises(UndeclaredRoute, match="GET /x is declared in two ways"):
        Gate(who, (Right("GET", "/x", ANY_KEY), Right("GET", "/x", ANYONE)))

    assert same.needs("GET", "/x") == ROUTES


@pytest.mark.parametrize(
    ("key", "needs", "error"),
    [
        (None, ANYONE, None),
        ("strange", ANYONE, None),
        (None, ANY_KEY, NotAuthenticated),
        ("strange", ANY_KEY, NotAuthenticated),
        (READER, ANY_KEY, None),
        (READER, LISTS, None),
        (READER, ROUTES, NotAllowed),
        (ROUTER, ROUTES, None),
        (None, ROUTES, NotAuthenticated),
    ],
)
def test_a_request_is_refused_unless_its_key_has_what_is_needed(
    key: str | None, needs: Needs, error: type[RoutingError] | None
) -> None:
    told = Held().gate().refused(head(key), needs)

    assert type(told) is (error or type(None))


async def test_a_hot_door_is_called_as_it_is_by_who_may() -> None:
    gate = Held().gate()

    assert gate.door(door, ROUTES, head(ROUTER)) is door
    assert gate.door(door, ANYONE, head(None)) is door
    assert gate.door(door, ROUTES, head(READER)) is not door


@pytest.mark.parametrize("waits", [True, False])
async def test_a_hot_door_refuses_in_its_own_words_until_the_key_is_there(waits: bool) -> None:
    held = Held({})
    gate = held.gate()
    closed = gate.door(door, ROUTES, head(ROUTER))
    before, after = (Answered(head(ROUTER, "/v1/messages"), waits=waits) for _ in range(2))

    await closed(before)
    held.keys[ROUTER] = Caller("router", frozenset({"write:route"}))
    await closed(after)

    assert (before.status, before.waited) == (401, waits)
    assert json.loads(before.told)["error"]["type"] == "authentication_error"
    assert (after.status, after.told) == (299, b"in")


async def test_an_application_is_entered_by_who_may_with_what_is_known_of_it() -> None:
    app = Held().gate().app(entered, {"GET": LISTS, "POST": ROUTES, "OPTIONS": ANYONE})

    told = {
        (method, key): (await asked(app, key, "/many", method)).status
        for method in ("GET", "POST", "OPTIONS")
        for key in (ROUTER, READER, None)
    }

    assert told == {
        ("GET", ROUTER): 299,
        ("GET", READER): 299,
        ("GET", None): 401,
        ("POST", ROUTER): 299,
        ("POST", READER): 403,
        ("POST", None): 401,
        ("OPTIONS", ROUTER): 299,
        ("OPTIONS", READER): 299,
        ("OPTIONS", None): 299,
    }


async def test_all_methods_of_an_application_may_need_the_same() -> None:
    app, public = Held().gate().app(entered, ROUTES), Held().gate().app(entered, ANYONE)

    statuses = [
        (await asked(one, key, "/many", method)).status
        for one in (app, public)
        for method, key in (("GET", READER), ("DELETE", ROUTER), ("POST", None))
    ]

    assert statuses == [403, 299, 401, 299, 299, 299]


async def test_who_was_let_in_is_known_to_what_is_entered() -> None:
    app = Held().gate().app(entered, ANY_KEY)
    seen: list[Head] = []

    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope[HEAD])
        await entered(scope, receive, send)

    looked = Held().gate().app(look, ROUTES)
    await asked(looked, ROUTER, "/many", "PUT")

    assert (await asked(app, READER, "/many")).status == 299
    assert [(one.method, one.path, one.needs) for one in seen] == [("PUT", "/many", ROUTES)]


async def test_a_path_may_be_refused_in_words_of_its_own() -> None:
    def own(scope: Scope, error: RoutingError) -> Response:
        return PlainTextResponse(f"own: {type(error).__name__}", 418)

    gate = Held().gate({"/own": own})
    app = gate.app(entered, ROUTES)

    mine, others = await asked(app, None, "/own"), await asked(app, None, "/v1/messages")

    assert (mine.status, mine.body) == (418, b"own: NotAuthenticated")
    assert others.status == 401
    assert json.loads(others.body)["type"] == "error"


async def test_a_route_is_entered_by_who_has_the_right_of_the_method() -> None:
    route = Held().gate().route(Route("/many", endpoint, methods=["GET", "POST"]))

    told = {
        (method, key): (await asked(route.app, key, "/many", method)).status
        for method in ("GET", "HEAD", "POST")
        for key in (READER, None)
    }

    assert (route.path, route.methods) == ("/many", {"GET", "HEAD", "POST"})
    assert route.endpoint is endpoint
    assert told == {
        ("GET", READER): 299,
        ("HEAD", READER): 299,
        ("POST", READER): 403,
        ("GET", None): 401,
        ("HEAD", None): 401,
        ("POST", None): 401,
    }


@dataclass
class Doorkeeper:
    """An entrance that lets everybody in who knocks at a page, and notes what that needs."""

    noted: list[tuple[str, Needs]] = field(default_factory=list[tuple[str, Needs]])

    async def enter(
        self, app: ASGIApp, needs: Needs, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self.noted.append((scope[HEAD].method, needs))
        await app(scope, receive, send)


async def test_a_page_is_entered_by_its_entrance_and_nothing_else_is() -> None:
    keeper = Doorkeeper()
    gate = Held().gate(entrance=keeper)
    page = gate.route(Route("/dashboard/x", endpoint, methods=["GET", "POST"]))
    beside = gate.route(Route("/x/dashboard", endpoint))

    told = [
        (await asked(route.app, None, route.path, method)).status
        for route, method in ((page, "GET"), (page, "POST"), (page, "HEAD"), (beside, "GET"))
    ]
    others = [(await asked(gate.app(entered, ROUTES), None, "/dashboard/x")).status]

    assert told == [299, 299, 299, 401]
    assert others == [401]
    assert keeper.noted == [("GET", ROUTES), ("POST", ANY_KEY), ("HEAD", ROUTES)]


async def test_a_page_without_an_entrance_needs_a_key_like_all_else() -> None:
    page = Held().gate().route(Route("/dashboard/x", endpoint, methods=["GET", "POST"]))

    statuses = [(await asked(page.app, key, "/dashboard/x")).status for key in (None, ROUTER)]

    assert statuses == [401, 299]


async def socket(anything: object) -> None: ...


@pytest.mark.parametrize(
    "route",
    [
        Mount("/open", routes=[Route("/x", endpoint)]),
        WebSocketRoute("/open", socket),
        # An application has every method.
        Route("/open", entered),
        Route("/x", endpoint),
        Route("/open", endpoint, methods=["GET", "POST"]),
    ],
)
def test_a_route_is_not_built_without_a_right_for_each_of_its_methods(route: BaseRoute) -> None:
    gate = Held().gate()

    with pytest.raises(UndeclaredRoute):
        gate.route(route)

    assert gate.route(Route("/open", endpoint)).methods == {"GET", "HEAD"}
