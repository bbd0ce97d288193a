"""One tools/call, from a name and arguments to its result: the same for every transport and era.

It looks up the tool, asks for its scope, checks the arguments and runs it. What a caller can
mend comes back as a tool error that says what to do (SEP-1303); only an unknown tool and a
missing scope are protocol errors. A fault of ours is logged once with its traceback, and the
caller gets the request id to look it up by.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from jsonschema.protocols import Validator
from mcp import MCPError
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    TextContent,
    ToolAnnotations,
)
from mcp.types import Tool as McpTool

from omniroute.routing.access import ADMIN, require
from omniroute.routing.errors import NotAllowed, RoutingError
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller
from omniroute.routing.ports import Once

from .additions import NOTHING, Additions, Context
from .checking import checked, compiled
from .hints import hinted
from .invocation import Invocation, Tell
from .sessions import BEGAN
from .shapes import Result, input_schema, output_schema
from .table import TABLE, Tool

INSUFFICIENT_SCOPE = -32003
"""JSON-RPC code of a call that the key may not make; the range -32000 to -32019 is free."""
ERROR_META = "omniroute/error"
"""Where a tool error carries its code for programs."""

log = logging.getLogger("omniroute")


@dataclass(frozen=True, slots=True)
class _Bound:
    """A tool with what is made once of it."""

    tool: Tool[Any, Any]
    listed: McpTool
    arguments: Validator


class Calls:
    """Lists the tools and runs them.

    Args:
        gateway: runs every call, with the caller's own rights.
        once: answers repeated calls; None answers each.
        additions: tools that stand beside the table's.
    """

    def __init__(
        self, gateway: Gateway, once: Once | None = None, additions: Additions = NOTHING
    ) -> None:
        self._gateway = gateway
        self._once = once
        self._bound = {tool.name: _bind(tool) for tool in TABLE}
        self._added = {one.listed.name: one for one in additions.tools}
        self.scopes = scopes(additions)

    def listed(self, caller: Caller) -> list[McpTool]:
        """Give the tools that the caller may call."""
        every = {name: one.listed for name, one in (self._bound | self._added).items()}
        return [every[name] for name, scope in self.scopes.items() if may(caller, scope)]

    def input_schema(self, name: str) -> Mapping[str, Any] | None:
        """Give the schema of a tool's arguments; None when no tool has that name."""
        one = self._bound.get(name) or self._added.get(name)
        return None if one is None else one.listed.input_schema

    async def run(
        self, ctx: Context, params: CallToolRequestParams, caller: Caller, call_id: str
    ) -> CallToolResult | InputRequiredResult:
        """Run one call.

        Args:
            ctx: of its message.
            params: its name and arguments.
            caller: whose call it is.
            call_id: names it in answers, the log and the audit.

        Raises:
            MCPError: no tool has that name, or the caller lacks its scope.
        """
        scope = self.scopes.get(params.name)
        if scope is None:
            known = ", ".join(self.scopes)
            raise MCPError(
                INVALID_PARAMS, f"no tool is named {params.name[:80]!r}; known are {known}"
            )
        demand(caller, scope)
        added = self._added.get(params.name)
        if added is not None:
            return await added.run(ctx, params)
        call = Invocation(
            *(self._gateway, caller, call_id, _teller(ctx), self._once),
            session_unix_s=None if ctx.request is None else ctx.request.scope.get(BEGAN),
        )
        return await _run(self._bound[params.name], call, params.arguments or {})


def scopes(additions: Additions = NOTHING) -> dict[str, str]:
    """Give the scope of each tool by its name."""
    return {
        **{tool.name: tool.scope for tool in TABLE},
        **{one.listed.name: one.scope for one in additions.tools},
    }


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
            destructive_hint=tool.replaces,
            idempotent_hint=tool.repeatable or not tool.changes,
            open_world_hint=tool.open_world,
        ),
    )
    return _Bound(tool, listed, compiled(schema))


def may(caller: Caller, scope: str) -> bool:
    """Whether the caller's key carries the scope."""
    return scope in caller.scopes or ADMIN in caller.scopes


def demand(caller: Caller, scope: str) -> None:
    """Raise the protocol's error unless the caller's key carries the scope."""
    try:
        require(caller, scope)
    except NotAllowed as error:
        # Over HTTP the door has answered 403 before; this holds on every transport.
        data = {"required_scopes": [scope]}
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
    words = hinted(str(error), error.code, call.caller)
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
