"""The MCP door: our keys in front of the MCP SDK, mounted at /mcp.

    authenticate -> method -> body under a limit -> scope of the called tool -> the SDK

The SDK takes about a second to import, and many a gateway never sees an MCP client. So the
door imports it with its first authenticated request, in a thread: other requests go on, and
the loop is never blocked for longer than IMPORT_BLOCK_S. Requests that come meanwhile wait for
the same build.

Keys are checked here and not by the SDK's own OAuth settings: those publish metadata that
names an authorization server, and with static keys there is none, so that clients would begin
a dance that cannot end. A 401 therefore names no metadata. A call whose tool the key may not
use is a 403 that names the scope, as the specification asks (2025-11-25, "Authorization",
insufficient_scope); tools/binding.py asks again on every transport.

Streams that stay open, the older era's GET and the newer one's subscriptions/listen, are closed
when the gateway begins to end. Where the older era is served without sessions there is no GET:
the worker that has it would not know what the others have to say.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from omniroute.routing.access import require
from omniroute.routing.errors import NotAllowed, NotAuthenticated, RoutingError
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller
from omniroute.routing.ports import Once
from omniroute.tools.audit import TRANSPORT_HEADER, Asked, Trail
from omniroute.tools.reach import Reach

from .errors import NotForHere
from .exchange import ClientGone
from .guard import Guard
from .mcp_faults import FirstLines
from .mcp_streams import Streams
from .request_ids import request_id_of
from .v1.bodies import read_body

if TYPE_CHECKING:
    from omniroute.tools.additions import Additions
    from omniroute.tools.binding import HttpBinding

BODY_BYTES_MAX = 4 * 2**20
IMPORT_BLOCK_S = 0.25
"""The longest that importing the SDK may keep the loop from running, in one piece."""
STARTING_S_MAX = 30.0
"""How long a request waits for the import before it is told to come again."""

BINDING = "omniroute.tools.binding"
METHODS = ("POST", "GET", "DELETE")
STATELESS_METHODS = ("POST", "DELETE")

REFUSED = -32000
CODES = {400: -32600, 401: -32001, 403: -32003, 500: -32603}
"""JSON-RPC codes by HTTP status; -32000 to -32019 are free for servers."""

Authenticate = Callable[[Scope], Caller]
ScopeOf = Callable[[object, Mapping[str, Any]], str | None]
"""Gives the scope that a method with these parameters needs; None when it needs none."""
log = logging.getLogger("omniroute")


def build_mcp(
    gateway: Gateway,
    *,
    authenticate: Authenticate,
    allowed_hosts: Iterable[str],
    allowed_origins: Iterable[str] = (),
    stateless: bool,
) -> "McpDoor":
    """Give the MCP door of a gateway.

    Args:
        gateway: what the tools call.
        authenticate: gives the Caller of an ASGI scope; raises NotAuthenticated.
        allowed_hosts: names and addresses of this gateway, without a port.
        allowed_origins: origins of web pages that may call, such as "https://a.example".
        stateless: keep no sessions for the older protocol era: needed with several workers.
    """
    guard = Guard(hosts=allowed_hosts, origins=allowed_origins)
    return McpDoor(
        gateway, authenticate, guard, Reach(stateless=stateless, authenticate=authenticate)
    )


class McpDoor:
    """An ASGI application that answers while the context of `run` is open.

    Attributes:
        once: answers calls that are repeated; None, as it is at first, answers each. What it is
            when the first request comes, counts.
        additions: what stands beside our own tools, None for nothing; as it is when the first
            request comes.
        trail: records calls of tools; None, as it is at first, records none.
    """

    def __init__(
        self, gateway: Gateway, authenticate: Authenticate, guard: Guard, reach: Reach
    ) -> None:
        self.once: Once | None = None
        self.additions: Additions | None = None
        self.trail: Trail | None = None
        self._gateway = gateway
        self._authenticate = authenticate
        self._guard = guard
        self._reach = reach
        self._methods = STATELESS_METHODS if reach.stateless else METHODS
        self._streams = Streams()
        self._calls = Streams()
        self._wanted = asyncio.Event()
        self._settled = asyncio.Event()
        self._binding: HttpBinding | None = None
        self._open = False

    @property
    def app(self) -> "McpDoor":
        """What to mount, at every path of the door."""
        return self

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[None]:
        """Answer requests while this is open; enter it once, around the life of the app."""
        # The SDK's sessions live in a task group that one task must enter and leave.
        serving = asyncio.get_running_loop().create_task(self._serve(), name="mcp-door")
        self._open = True
        try:
            yield
        finally:
            self._open = False
            serving.cancel()
            await asyncio.wait({serving})

    def drain(self) -> None:
        """Close what stays open: the gateway begins to end."""
        self._streams.end()
        if self._binding is not None:
            self._binding.drain()

    def refusal(self, scope: Scope, error: RoutingError) -> Response:
        """Give the answer to a request that is refused before anybody looked at its body."""
        body, headers = _refusal(error, None)
        made = Response(body, error.status, media_type="application/json")
        made.raw_headers += headers
        return made

    def cut(self) -> None:
        """End the calls that still run: the gateway does not wait any longer."""
        self._calls.end()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        message: Mapping[str, Any] = {}
        try:
            self._check_names(scope)
            caller = self._authenticate(scope)
            if scope["method"] not in self._methods:
                allowed = ", ".join(self._methods).encode()
                await _send(send, 405, b"", headers=[(b"allow", allowed)])
                return
            body = await read_body(dict(scope), receive, bytes_max=BODY_BYTES_MAX)
            message = _decoded(body)
            binding = await self._ready()
            self._check_scope(caller, scope, message, binding.scope)
            app = partial(binding.answer, caller)
            streams = self._streams if scope["method"] == "GET" else self._calls
            call_id = message.get("id") if streams is self._calls else None
            told = send if streams is self._streams else FirstLines(send)
            await streams.answer(app, scope, _replayed(body, receive), told, call_id=call_id)
        except ClientGone:
            return
        except RoutingError as error:
            body, headers = _refusal(error, message.get("id"))
            await _send(send, error.status, body, headers=headers)

    def _check_scope(
        self, caller: Caller, scope: Scope, message: Mapping[str, Any], scope_of: ScopeOf
    ) -> None:
        """Raise NotAllowed for what the key may not call, read, get or complete.

        A call of a tool that is refused here is recorded.
        """
        method, params = message.get("method"), message.get("params")
        needed = scope_of(method, params) if isinstance(params, dict) else None
        if needed is None:
            return
        try:
            require(caller, needed)
        except NotAllowed as error:
            if self.trail is not None and method == "tools/call" and isinstance(params, dict):
                self.trail.denied(_asked(caller, scope, params), error)
            raise

    def _check_names(self, scope: Scope) -> None:
        """Raise NotForHere for a Host or Origin that is not ours, also where nobody else looks."""
        refused = self._guard.refusal(scope["headers"])
        if refused is not None:
            raise NotForHere(refused[1], status=refused[0])

    async def _ready(self) -> "HttpBinding":
        """Give the SDK's side, made by the first request that asks for it."""
        if self._binding is None and self._open:
            self._wanted.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(STARTING_S_MAX):
                    await self._settled.wait()
        if self._binding is None:
            error = RoutingError(
                "the MCP door is not open: the gateway is starting, ending, or its log says why"
            )
            error.status = 503
            raise error
        return self._binding

    async def _serve(self) -> None:
        await self._wanted.wait()
        try:
            module = await asyncio.to_thread(import_module, BINDING)
            binding: HttpBinding = module.HttpBinding(
                self._gateway,
                self._reach,
                once=self.once,
                additions=self.additions,
                trail=self.trail,
            )
            async with binding.run():
                self._binding = binding
                self._settled.set()
                await asyncio.Event().wait()
        except Exception:
            # Without the door the gateway still serves all others.
            log.exception("mcp_door_failed")
        finally:
            self._binding = None
            self._settled.set()


def _decoded(body: bytes) -> Mapping[str, Any]:
    """Give the message; empty when it is no object, which the SDK then answers."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def _asked(caller: Caller, scope: Scope, params: Mapping[str, Any]) -> Asked:
    arguments = params.get("arguments")
    headers = dict(scope["headers"])
    return Asked(
        call_id=request_id_of(scope),
        caller=caller,
        tool=params["name"],
        arguments=arguments if isinstance(arguments, dict) else {},
        era=headers.get(b"mcp-protocol-version", b"").decode("latin-1") or None,
        transport="stdio" if headers.get(TRANSPORT_HEADER) == b"stdio" else "http",
    )


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Give the read body once more, then what comes after it."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


def _refusal(error: RoutingError, message_id: object) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Give a refusal as a JSON-RPC error, and the headers of its answer."""
    detail: dict[str, Any] = {"code": error.code}
    headers: list[tuple[bytes, bytes]] = []
    if isinstance(error, NotAuthenticated):
        headers.append((b"www-authenticate", b'Bearer realm="omniroute"'))
    if isinstance(error, NotAllowed) and error.scope is not None:
        detail["required_scopes"] = [error.scope]
        words = str(error).replace("\\", "").replace('"', "'")
        challenge = (
            f'Bearer realm="omniroute", error="insufficient_scope", scope="{error.scope}", '
            f'error_description="{words}"'
        )
        headers.append((b"www-authenticate", challenge.encode("ascii", "replace")))
    answer = {
        "jsonrpc": "2.0",
        "id": message_id if isinstance(message_id, str | int) else None,
        "error": {
            "code": CODES.get(error.status, REFUSED),
            "message": str(error),
            "data": detail,
        },
    }
    return json.dumps(answer).encode(), headers


async def _send(
    send: Send, status: int, body: bytes, *, headers: Sequence[tuple[bytes, bytes]]
) -> None:
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": [*head, *headers]})
    await send({"type": "http.response.body", "body": body})
