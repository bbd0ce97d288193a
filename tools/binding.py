"""Binds the tools to the MCP SDK: the server of both protocol eras, and streamable HTTP.

Importing it takes about a second (the SDK builds its models), so nothing imports it at the
gateway's start: see server/mcp_door.py.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from mcp.server import Server
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.caching import CacheableMethod
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
from .offers import LIST_HINT, Offers, WhoCalls
from .reach import Reach
from .recording import run_recorded
from .sessions import BEGAN, Sessions

NAME = "omniroute"
BODY_BYTES_MAX = 4 * 2**20
SESSIONS_MAX = 1000
"""Open sessions of the older protocol era; the newer one has none."""
SESSION_IDLE_S = 1800.0
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
    calls, offers = Calls(gateway, once, additions), Offers(gateway)

    async def list_tools(ctx: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=calls.listed(who_calls(ctx)))

    async def call_tool(
        ctx: Context, params: CallToolRequestParams
    ) -> CallToolResult | InputRequiredResult:
        return await run_recorded(calls, trail, ctx, params, who_calls(ctx))

    server: Server[Any] = Server(
        NAME,
        version=gateway.view.version,
        title="OmniRoute",
        instructions=INSTRUCTIONS,
        cache_hints=dict.fromkeys(CACHED, LIST_HINT),
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        get_tool_input_schema=calls.input_schema,
    )
    offers.add_to(server, who_calls)
    additions.finish(server)
    return server


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
        self._manager = StreamableHTTPSessionManager(
            build_server(gateway, _sender, once, added, trail),
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
        await self._manager.handle_request(known, receive, self._sessions.watched(send))


def _sender(ctx: Context) -> Caller:
    """Give who sent this message, also within a session: every request is authenticated."""
    caller = ctx.request.scope[CALLER] if ctx.request is not None else None
    assert isinstance(caller, Caller)  # noqa: S101 - `answer` is the only way in
    return caller
