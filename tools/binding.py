"""Binds the tool table to the MCP SDK. The only module that knows the SDK.

Importing it takes about a second (the SDK builds its models), so nothing imports it at the
gateway's start: see server/mcp_door.py.

One dispatch function serves every transport and both protocol eras. It looks up the tool,
asks for its scope, checks the arguments and runs it. What a caller can mend comes back as a
tool error that says what to do (SEP-1303); only an unknown tool and a missing scope are
protocol errors. A fault of ours is logged once with its traceback, and the caller gets the
request id to look it up by.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import msgspec
from jsonschema.protocols import Validator
from mcp import MCPError
from mcp.server import Server, ServerRequestContext
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.caching import CacheHint
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp.types import Tool as McpTool
from starlette.types import Receive, Scope, Send

from omniroute.routing.access import ADMIN, require
from omniroute.routing.engine import new_request_id
from omniroute.routing.errors import NotAllowed, RoutingError
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller
from omniroute.routing.ports import Once

from .checking import checked, compiled
from .invocation import Invocation, Tell
from .shapes import Result, input_schema, output_schema
from .table import TABLE, Tool

NAME = "omniroute"
INSUFFICIENT_SCOPE = -32003
"""JSON-RPC code of a call that the key may not make; the range -32000 to -32019 is free."""
LIST_TTL_MS = 30_000
"""How long a client may keep a tool list. It is private: it depends on the key."""
BODY_BYTES_MAX = 4 * 2**20
SESSIONS_MAX = 1000
"""Open sessions of the older protocol era; the newer one has none."""
SESSION_IDLE_S = 1800.0
CALLER = "omniroute.caller"
"""Where an ASGI scope carries the authenticated caller."""
ERROR_META = "omniroute/error"
"""Where a tool error carries its code for programs."""
INSTRUCTIONS = (
    "OmniRoute is a gateway to many language models. Ask one with omniroute_route_request: "
    'name a model, a combo (omniroute_list_combos) or "auto", and the gateway picks a '
    "provider, falls back when it fails and says what it cost. omniroute_simulate_route says "
    "beforehand who would answer and at what price; omniroute_explain_route tells afterwards "
    "why, by the requestId of an answer. Costs are US dollars; null means not known."
)

Context = ServerRequestContext[Any, Any]
WhoCalls = Callable[[Context], Caller]
log = logging.getLogger("omniroute")


@dataclass(frozen=True, slots=True)
class _Bound:
    """A tool with what is made once of it."""

    tool: Tool[Any, Any]
    listed: McpTool
    arguments: Validator


def build_server(gateway: Gateway, who_calls: WhoCalls, once: Once | None = None) -> Server[Any]:
    """Give an MCP server that lists and runs the tools the caller may use.

    Args:
        gateway: runs every call, with the caller's own rights.
        who_calls: gives the authenticated caller of a message; never reads its body.
        once: answers repeated calls; None answers each.
    """
    bound = {tool.name: _bind(tool) for tool in TABLE}

    async def list_tools(ctx: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        caller = who_calls(ctx)
        return ListToolsResult(
            tools=[one.listed for one in bound.values() if _may(caller, one.tool.scope)]
        )

    async def call_tool(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
        one = bound.get(params.name)
        if one is None:
            known = ", ".join(bound)
            raise MCPError(
                INVALID_PARAMS, f"no tool is named {params.name[:80]!r}; known are {known}"
            )
        caller = who_calls(ctx)
        _require(caller, one.tool)
        call = Invocation(gateway, caller, new_request_id(), _teller(ctx), once)
        return await _run(one, call, params.arguments or {})

    return Server(
        NAME,
        version=gateway.view.version,
        title="OmniRoute",
        instructions=INSTRUCTIONS,
        cache_hints={"tools/list": CacheHint(ttl_ms=LIST_TTL_MS, scope="private")},
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        get_tool_input_schema=lambda name: (
            bound[name].listed.input_schema if name in bound else None
        ),
    )


class HttpBinding:
    """The tools over streamable HTTP, in both protocol eras.

    Args:
        gateway: runs every call.
        hosts: values of the Host header that are answered; "name:*" allows any port.
        origins: values of the Origin header that are answered.
        stateless: the older era keeps no sessions: needed with more than one worker.
        once: answers repeated calls; None answers each.

    Attributes:
        scopes: the scope of each tool by its name.
    """

    def __init__(
        self,
        gateway: Gateway,
        *,
        hosts: Iterable[str],
        origins: Iterable[str],
        stateless: bool,
        once: Once | None = None,
    ) -> None:
        self.scopes = {tool.name: tool.scope for tool in TABLE}
        self._manager = StreamableHTTPSessionManager(
            build_server(gateway, _sender, once),
            stateless=stateless,
            # Always explicit: without settings the SDK checks neither Host nor Origin.
            security_settings=TransportSecuritySettings(
                enable_dns_rebinding_protection=True,
                allowed_hosts=list(hosts),
                allowed_origins=list(origins),
            ),
            session_idle_timeout=SESSION_IDLE_S,
            max_sessions=SESSIONS_MAX,
            max_request_body_size=BODY_BYTES_MAX,
        )

    def run(self) -> AbstractAsyncContextManager[None]:
        """Give the context in which requests are answered; it is entered once."""
        return self._manager.run()

    async def answer(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request of an authenticated caller.

        A session of the older era belongs to the key that opened it; for another key it does
        not exist.
        """
        # The SDK compares who opened a session by this user; the token is the key's public id.
        token = AccessToken(
            token=caller.key_id, client_id=caller.key_id, scopes=sorted(caller.scopes)
        )
        known = {**scope, "user": AuthenticatedUser(token), CALLER: caller}
        await self._manager.handle_request(known, receive, send)


def _sender(ctx: Context) -> Caller:
    """Give who sent this message, also within a session: every request is authenticated."""
    caller = ctx.request.scope[CALLER] if ctx.request is not None else None
    assert isinstance(caller, Caller)  # noqa: S101 - `answer` is the only way in
    return caller


def _bind(tool: Tool[Any, Any]) -> _Bound:
    schema = input_schema(tool.takes)
    listed = McpTool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=schema,
        output_schema=output_schema(tool.gives),
        annotations=ToolAnnotations(
            title=tool.title,
            read_only_hint=not tool.changes,
            destructive_hint=False,
            idempotent_hint=not tool.changes,
            open_world_hint=tool.open_world,
        ),
    )
    return _Bound(tool, listed, compiled(schema))


def _may(caller: Caller, scope: str) -> bool:
    return scope in caller.scopes or ADMIN in caller.scopes


def _require(caller: Caller, tool: Tool[Any, Any]) -> None:
    try:
        require(caller, tool.scope)
    except NotAllowed as error:
        # Over HTTP the door has answered 403 before; this holds on every transport.
        data = {"required_scopes": [tool.scope]}
        raise MCPError(INSUFFICIENT_SCOPE, str(error), data) from None


def _teller(ctx: Context) -> Tell:
    """Give where progress goes; the SDK drops it when the client asked for none."""

    async def tell(progress: float, words: str) -> None:
        await ctx.session.report_progress(progress, None, words)

    return tell


async def _run(one: _Bound, call: Invocation, given: Mapping[str, Any]) -> CallToolResult:
    """Run a tool. A cancelled call is cancelled here too: nothing of it is answered."""
    try:
        arguments = checked(one.arguments, one.tool.takes, given)
        result: Result = await one.tool.run(call, arguments)
    except RoutingError as error:
        return _refusal(error, call)
    except Exception:
        log.exception(
            "mcp_tool_failed",
            extra={
                "tool": one.tool.name,
                "request_id": call.request_id,
                "key_id": call.caller.key_id,
            },
        )
        words = f"internal error; the gateway's log has its cause under {call.request_id}"
        return _error(words, {"code": "internal_error", "requestId": call.request_id})
    return _answer(result)


def _answer(result: Result) -> CallToolResult:
    """Give a result as values, and as text for clients that read nothing else."""
    text = msgspec.json.encode(result).decode()
    return CallToolResult(
        content=[TextContent(type="text", text=text)],
        structured_content=msgspec.to_builtins(result),
    )


def _refusal(error: RoutingError, call: Invocation) -> CallToolResult:
    """Give what stood in the way and what to do, in words and for programs."""
    facts: dict[str, Any] = {
        "code": error.code,
        "status": error.status,
        "requestId": call.request_id,
    }
    words = str(error)
    field = getattr(error, "field", None)
    if field is not None:
        facts["field"] = field
    if error.retry_after_s is not None:
        facts["retryAfterS"] = round(error.retry_after_s, 3)
        words = f"{words}; asking again makes sense in {error.retry_after_s:.0f} s"
    return _error(f"{words} [{error.code}]", facts)


def _error(words: str, facts: dict[str, Any]) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(type="text", text=words)], is_error=True, _meta={ERROR_META: facts}
    )
