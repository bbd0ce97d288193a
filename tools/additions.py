"""What may stand beside our own tools in the MCP server.

The product adds nothing. It is where a program that embeds the gateway, and the conformance
tests with their fixtures, put tools and handlers of their own: behind the same door, with the
same keys, scopes and record of calls as ours.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from mcp.server import Server, ServerRequestContext
from mcp.server.subscriptions import SubscriptionBus
from mcp.types import CallToolRequestParams, CallToolResult, InputRequiredResult
from mcp.types import Tool as McpTool

Context: TypeAlias = ServerRequestContext[Any, Any]


@dataclass(frozen=True, slots=True)
class AddedTool:
    """A tool that is not in the table.

    Attributes:
        listed: what tools/list says of it.
        scope: what a key must carry to see and to call it.
        run: answers a call, as a handler of the SDK does; its arguments are not checked before.
    """

    listed: McpTool
    scope: str
    run: Callable[[Context, CallToolRequestParams], Awaitable[CallToolResult | InputRequiredResult]]


def _as_it_is(server: Server[Any]) -> None:
    """Change nothing."""


@dataclass(frozen=True, slots=True)
class Additions:
    """What is added.

    Attributes:
        tools: beside the table's; a name of the table's own is not replaced.
        finish: gets the SDK's server when all handlers of ours are registered, before the first
            request: it may add handlers, or wrap ours (`Server.get_request_handler`).
        changes: what is published on it reaches every open stream of the newer protocol era
            that asked for it, beside what we tell of our own.
    """

    tools: tuple[AddedTool, ...] = ()
    finish: Callable[[Server[Any]], None] = _as_it_is
    changes: SubscriptionBus | None = None


NOTHING = Additions()
