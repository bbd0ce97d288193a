"""Binds the tools to the MCP SDK: the server of both protocol eras, and streamable HTTP.

Importing it takes about a second (the SDK builds its models), so nothing imports it at the
gateway's start: see server/mcp_door.py.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from mcp.server import NotificationOptions, Server
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.caching import CacheableMethod
from mcp.server.models import InitializationOptions
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
)
from starlette.types import Receive, Scope, Send

from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller
from omniroute.routing.ports import Once

from .additions import NOTHING, Additions, Context
from .audit import Trail
from .calls import Calls, scopes
from .offers import LIST_HINT, Offers, WhoCalls, paged
from .reach import Reach
from .recording import run_recorded
from .sessions import BEGAN, Sessions
from .standing import session_of, stand
from .streams import SESSION_IDLE_S, SESSIONS_MAX, Streams

NAME = "omniroute"
BODY_BYTES_MAX = 4 * 2**20
CALLER = "omniroute.caller"
"""Where an ASGI scope carries the authenticated caller."""
INSTRUCTIONS = (
    "OmniRoute is a gateway to many language models. Ask one with omniroute_route_request: "
    'name a model, a combo (omniroute_list_combos) or "auto", and the gateway picks a '
    "provider, falls back when it fails and says what it cost. omniroute_simulate_route says "
    "beforehand who would answer and at what price; omniroute_explain_route tells afterwards "
    "why, by the requestId of an answer. Costs are US dollars; null means not known."
)

CACHED: tuple[CacheableMethod, ...] = (
    "tools/list",
    "resources/list",
    "resources/templates/list",
    "prompts/list",
)


def build_server(
    gateway: Gateway,
    who_calls: WhoCalls,
    once: Once | None = None,
    additions: Additions = NOTHING,
    trail: Trail | None = None,
) -> Server[Any]:
    """Give an MCP server of the tools, resources and prompts that the caller may use.

    Args:
        gateway: runs every call, with the caller's own rights.
        who_calls: gives the authenticated caller of a message; never reads its body.
        once: answers repeated calls; None answers each.
        additions: what stands beside our own.
        trail: records calls; None records none.
    """
    offers = Offers(gateway)
    parts = _Parts(
        Calls(gateway, once, additions),
        trail,
        offers,
        Streams(offers, gateway.view, who_calls, added=additions.changes),
        additions,
    )
    return _server(parts, gateway.view.version, who_calls)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What answers the messages."""

    calls: Calls
    trail: Trail | None
    offers: Offers
    streams: Streams
    additions: Additions


def _server(parts: _Parts, version: str, who_calls: WhoCalls) -> Server[Any]:
    calls = parts.calls

    async def list_tools(ctx: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        shown, cursor = paged(calls.listed(who_calls(ctx)), params, lambda one: one.name)
        return ListToolsResult(tools=shown, next_cursor=cursor)

    async def call_tool(
        ctx: Context, params: CallToolRequestParams
    ) -> CallToolResult | InputRequiredResult:
        return await run_recorded(calls, parts.trail, ctx, params, who_calls(ctx))

    server: Server[Any] = (_Telling if parts.streams.has_sessions else Server)(
        NAME,
        version=version,
        title="OmniRoute",
        instructions=INSTRUCTIONS,
        cache_hints=dict.fromkeys(CACHED, LIST_HINT),
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        get_tool_input_schema=calls.input_schema,
    )
    parts.offers.add_to(server, who_calls)
    parts.streams.add_to(server)
    parts.additions.finish(server)
    return server


class _Telling(Server[Any]):
    """A server that says, in the older era too, that it tells of changed lists."""

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        """Give what a session is told at its begin."""
        told = notification_options or NotificationOptions(
            prompts_changed=True, resources_changed=True, tools_changed=True
        )
        return super().create_initialization_options(told, experimental_capabilities, extensions)


class HttpBinding:
    """The tools over streamable HTTP, in both protocol eras.

    Args:
        gateway: runs every call.
        reach: from where, and how, it is reached.
        once: answers repeated calls; None answers each.
        additions: what stands beside our own tools.
        trail: records calls; None records none.

    """

    def __init__(
        self,
        gateway: Gateway,
        reach: Reach,
        *,
        once: Once | None = None,
        additions: Additions | None = None,
        trail: Trail | None = None,
    ) -> None:
        added = NOTHING if additions is None else additions
        self._scopes, self._offers = scopes(added), Offers(gateway)
        self._sessions = Sessions(gateway.view.clock.unix)
        self._streams = Streams(self._offers, gateway.view, _sender, reach, added.changes)
        calls = Calls(gateway, once, added)
        parts = _Parts(calls, trail, self._offers, self._streams, added)
        self._manager = StreamableHTTPSessionManager(
            _server(parts, gateway.view.version, _sender),
            stateless=reach.stateless,
            # Host and Origin are checked before: see server/guard.py.
            security_settings=TransportSecuritySettings(enable_dns_rebinding_protection=False),
            session_idle_timeout=SESSION_IDLE_S,
            max_sessions=SESSIONS_MAX,
            max_request_body_size=BODY_BYTES_MAX,
        )

    def run(self) -> AbstractAsyncContextManager[None]:
        """Give the context in which requests are answered; it is entered once."""
        return self._manager.run()

    def drain(self) -> None:
        """End the streams of the newer era in order: the gateway begins to end."""
        self._streams.drain()

    def scope(self, method: object, params: Mapping[str, Any]) -> str | None:
        """Give the scope that a message needs; None when it needs none, or names nothing of ours.

        Args:
            method: the JSON-RPC method.
            params: as they came: nothing of them was checked.
        """
        if method == "tools/call":
            name = params.get("name")
            return self._scopes.get(name) if isinstance(name, str) else None
        return self._offers.scope(method, params)

    async def answer(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request of an authenticated caller.

        A session of the older era belongs to the key that opened it; for another key it does
        not exist.
        """
        # The SDK compares who opened a session by this user; the token is the key's public id.
        token = AccessToken(
            token=caller.key_id, client_id=caller.key_id, scopes=sorted(caller.scopes)
        )
        known = {
            **scope,
            "user": AuthenticatedUser(token),
            CALLER: caller,
            BEGAN: self._sessions.began(scope),
        }
        session_id, watched = session_of(scope), self._sessions.watched(send)
        if scope["method"] == "GET" and session_id:
            await stand(self._streams, self._manager.handle_request, known, receive, watched)
            return
        self._streams.use(session_id)
        await self._manager.handle_request(known, receive, watched)
        if scope["method"] == "DELETE":
            self._streams.end(session_id)


def _sender(ctx: Context) -> Caller:
    """Give who sent this message, also within a session: every request is authenticated."""
    caller = ctx.request.scope[CALLER] if ctx.request is not None else None
    assert isinstance(caller, Caller)  # noqa: S101 - `answer` is the only way in
    return caller
