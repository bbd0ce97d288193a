"""One tools/call with its record: what the SDK gives and raises, told to the audit."""

from mcp import MCPError
from mcp.types import CallToolRequestParams, CallToolResult, InputRequiredResult, TextContent

from omniroute.routing.engine import new_request_id
from omniroute.routing.model import Caller
from omniroute.routing.tracing import AskedBy, within

from .additions import Context
from .audit import (
    REQUEST_ID_PLACE,
    TOOL_ERROR,
    TRACE_PLACE,
    TRANSPORT_HEADER,
    UNKNOWN_TOOL,
    Asked,
    Followed,
    Trail,
)
from .calls import ERROR_META, INSUFFICIENT_SCOPE, Calls

Answer = CallToolResult | InputRequiredResult
_TAKEN = "omniroute.request_id_taken"


async def run_recorded(
    calls: Calls, trail: Trail | None, ctx: Context, params: CallToolRequestParams, caller: Caller
) -> Answer:
    """Run one call and record what became of it; without a trail it is only run."""
    call_id = _call_id(ctx)
    if trail is None:
        return await calls.run(ctx, params, caller, call_id)
    asked = Asked(
        call_id=call_id,
        caller=caller,
        tool=params.name,
        arguments=params.arguments or {},
        era=ctx.protocol_version,
        transport=_transport(ctx),
    )
    with within(call_id, _asked_by(ctx)), trail.follow(asked) as followed:
        try:
            answer = await calls.run(ctx, params, caller, call_id)
        except MCPError as error:
            _raised(followed, error, is_known=params.name in calls.scopes)
            raise
        _gave(followed, answer)
        return answer


def _asked_by(ctx: Context) -> AskedBy | None:
    """Give whose span the call is made in: the SDK answers in tasks of its own."""
    found: str | None = None if ctx.request is None else ctx.request.scope.get(TRACE_PLACE)
    return None if found is None else AskedBy(found)


def _call_id(ctx: Context) -> str:
    """Give the id that the HTTP answer names, to the first call of a request, else a new one."""
    call_id = new_request_id()
    if ctx.request is None:
        return call_id
    scope = ctx.request.scope
    if scope.setdefault(_TAKEN, call_id) != call_id:
        return call_id
    named: str = scope.setdefault(REQUEST_ID_PLACE, call_id)
    return named


def _transport(ctx: Context) -> str:
    if ctx.request is None:
        return "memory"
    said = (TRANSPORT_HEADER, b"stdio") in ctx.request.scope["headers"]
    return "stdio" if said else "http"


def _raised(followed: Followed, error: MCPError, *, is_known: bool) -> None:
    """Note a protocol error: the call was refused, or a tool that was added raised it."""
    code, data = error.error.code, error.error.data
    if code == INSUFFICIENT_SCOPE and isinstance(data, dict):
        followed.denied(data["required_scopes"][0], error.error.message)
    elif not is_known:
        followed.refused(UNKNOWN_TOOL, "")
    else:
        followed.failed(f"protocol_error:{code}", error.error.message)


def _gave(followed: Followed, answer: Answer) -> None:
    if not isinstance(answer, CallToolResult):
        followed.gave({"kind": "input_required"})
    elif answer.is_error:
        facts = (answer.meta or {}).get(ERROR_META)
        code = facts["code"] if isinstance(facts, dict) else TOOL_ERROR
        words = (one.text for one in answer.content if isinstance(one, TextContent))
        followed.failed(str(code), next(words, ""))
    elif answer.structured_content is not None:
        followed.gave(answer.structured_content)
    else:
        followed.gave({"content": [{"kind": one.type} for one in answer.content]})
