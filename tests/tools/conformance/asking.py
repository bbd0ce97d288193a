"""The conformance suite's tools that ask the client for something before they answer.

In the older era they send it a request and wait; in the newer one they answer with what they
need and are called again with it. Source: as content.py.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from mcp import MCPError
from mcp.types import (
    INVALID_PARAMS,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CallToolRequestParams,
    CallToolResult,
    ClientCapabilities,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitationCapability,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingCapability,
    SamplingMessage,
    TextContent,
)

from omniroute.tools.additions import Context

from .content import said, text, tool

Input: TypeAlias = ElicitRequest | CreateMessageRequest | ListRootsRequest
Answered: TypeAlias = CallToolResult | InputRequiredResult
SEAL = b"obviously-fake-key-of-the-tests"


def _string(**more: Any) -> dict[str, Any]:
    return {"type": "string", **more}


def _object(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "required": list(required)}


def _one_string(name: str) -> dict[str, Any]:
    return _object({name: _string()}, name)


def _titled(kind: str, *titles: str) -> list[dict[str, str]]:
    return [
        {"const": f"{kind}{place}", "title": title} for place, title in enumerate(titles, start=1)
    ]


DEFAULTS = _object(
    {
        "name": _string(default="John Doe"),
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": _string(enum=["active", "inactive", "pending"], default="active"),
        "verified": {"type": "boolean", "default": True},
    }
)
OPTIONS = ["option1", "option2", "option3"]
ENUMS = _object(
    {
        "untitledSingle": _string(enum=OPTIONS),
        "titledSingle": _string(
            oneOf=_titled("value", "First Option", "Second Option", "Third Option")
        ),
        "legacyEnum": _string(
            enum=["opt1", "opt2", "opt3"],
            enumNames=["Option One", "Option Two", "Option Three"],
        ),
        "untitledMulti": {"type": "array", "items": _string(enum=OPTIONS)},
        "titledMulti": {
            "type": "array",
            "items": {"anyOf": _titled("value", "First Choice", "Second Choice", "Third Choice")},
        },
    }
)
USER = _object(
    {
        "username": _string(description="User's response"),
        "email": _string(description="User's email address"),
    },
    "username",
    "email",
)


# The older era: a request to the client, inside of the call.


async def _sample(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
    prompt = str((params.arguments or {}).get("prompt", ""))
    message = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
    result = await ctx.session.create_message(
        [message], max_tokens=100, related_request_id=ctx.request_id
    )
    return said(text(f"LLM response: {result.content}"))


async def _elicit(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
    message = str((params.arguments or {}).get("message", ""))
    result = await ctx.session.elicit_form(message, USER, related_request_id=ctx.request_id)
    return said(text(f"User response: action: {result.action}, content: {result.content}"))


def _eliciting(schema: dict[str, Any]) -> Any:
    async def run(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
        result = await ctx.session.elicit_form(
            "Please answer", schema, related_request_id=ctx.request_id
        )
        content = json.dumps(result.content)
        return said(text(f"Elicitation completed: action={result.action}, content={content}"))

    return run


# The newer era: what is needed is the answer, and the call comes again with it.


def elicitation(message: str, schema: dict[str, Any]) -> ElicitRequest:
    params = ElicitRequestFormParams(message=message, requested_schema=schema)
    return ElicitRequest(params=params)


def _sampling(question: str, tokens_max: int) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=TextContent(type="text", text=question))
    return CreateMessageRequest(
        params=CreateMessageRequestParams(messages=[message], max_tokens=tokens_max)
    )


NAME = elicitation("What is your name?", _one_string("name"))
CAPITAL = _sampling("What is the capital of France?", 100)
GREETING = _sampling("Generate a greeting", 50)
ROOTS = ListRootsRequest()
CONFIRM = elicitation("Please confirm", _object({"ok": {"type": "boolean"}}, "ok"))
STEP_1 = elicitation("Step 1: What is your name?", _one_string("name"))
STEP_2 = elicitation("Step 2: What is your favorite color?", _one_string("color"))


def _sealed(state: str) -> str:
    mark = hmac.new(SEAL, state.encode(), hashlib.sha256).hexdigest()
    return f"{state}.{mark}"


def _opened(sealed: str) -> str:
    state, _, _ = sealed.rpartition(".")
    if not hmac.compare_digest(_sealed(state).encode(), sealed.encode()):
        raise MCPError(INVALID_PARAMS, "the requestState is not one of this server's")
    return state


def _need(wanted: dict[str, Input], state: str | None = None) -> InputRequiredResult:
    sealed = None if state is None else _sealed(state)
    return InputRequiredResult(input_requests=wanted, request_state=sealed)


def content_of(params: Any, key: str) -> Mapping[str, Any] | None:
    """Give what the client filled in for a form; None when it did not, or not as a form is."""
    found = (params.input_responses or {}).get(key)
    if isinstance(found, ElicitResult) and found.action == "accept":
        return found.content or None
    return None


async def _ask_name(ctx: Context, params: CallToolRequestParams) -> Answered:
    name = (content_of(params, "user_name") or {}).get("name")
    if not isinstance(name, str):
        return _need({"user_name": NAME})
    return said(text(f"Hello, {name}!"))


async def _ask_model(ctx: Context, params: CallToolRequestParams) -> Answered:
    found = (params.input_responses or {}).get("capital_question")
    if not isinstance(found, CreateMessageResult):
        return _need({"capital_question": CAPITAL})
    return said(text(f"The model said: {found.content}"))


async def _ask_roots(ctx: Context, params: CallToolRequestParams) -> Answered:
    found = (params.input_responses or {}).get("client_roots")
    if not isinstance(found, ListRootsResult):
        return _need({"client_roots": ROOTS})
    return said(text(f"The roots are {', '.join(str(root.uri) for root in found.roots)}"))


async def _ask_with_state(ctx: Context, params: CallToolRequestParams) -> Answered:
    if params.request_state is None:
        return _need({"confirm": CONFIRM}, "asked")
    state = _opened(params.request_state)
    if content_of(params, "confirm") is None:
        return _need({"confirm": CONFIRM}, state)
    return said(text("state-ok"))


async def _ask_all(ctx: Context, params: CallToolRequestParams) -> Answered:
    wanted: dict[str, Input] = {"user_name": NAME, "greeting": GREETING, "client_roots": ROOTS}
    if params.request_state is None or set(params.input_responses or {}) < set(wanted):
        return _need(wanted, "asked")
    _opened(params.request_state)
    return said(text("all three have come"))


async def _ask_twice(ctx: Context, params: CallToolRequestParams) -> Answered:
    if params.request_state is None:
        return _need({"step1": STEP_1}, "asked")
    state = _opened(params.request_state)
    if state == "asked":
        name = (content_of(params, "step1") or {}).get("name")
        return _need({"step2": STEP_2}, f"asked {name}")
    color = (content_of(params, "step2") or {}).get("color")
    return said(text(f"{state.removeprefix('asked ')} likes {color}"))


async def _ask_what_is_possible(ctx: Context, params: CallToolRequestParams) -> Answered:
    wanted: dict[str, Input] = {}
    if ctx.session.check_client_capability(ClientCapabilities(sampling=SamplingCapability())):
        wanted["capital_question"] = CAPITAL
    if ctx.session.check_client_capability(ClientCapabilities(elicitation=ElicitationCapability())):
        wanted["user_name"] = NAME
    if not wanted or params.input_responses:
        return said(text("nothing more can be asked"))
    return _need(wanted)


async def _need_sampling(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
    needed = ClientCapabilities(sampling=SamplingCapability())
    if not ctx.session.check_client_capability(needed):
        data: dict[str, object] = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "sampling is needed", data)
    return said(text("sampling is possible"))


TOOLS = (
    tool("test_sampling", _sample, _one_string("prompt")),
    tool("test_elicitation", _elicit, _one_string("message")),
    tool("test_elicitation_sep1034_defaults", _eliciting(DEFAULTS)),
    tool("test_elicitation_sep1330_enums", _eliciting(ENUMS)),
    tool("test_input_required_result_elicitation", _ask_name),
    tool("test_input_required_result_sampling", _ask_model),
    tool("test_input_required_result_list_roots", _ask_roots),
    tool("test_input_required_result_request_state", _ask_with_state),
    tool("test_input_required_result_tampered_state", _ask_with_state),
    tool("test_input_required_result_multiple_inputs", _ask_all),
    tool("test_input_required_result_multi_round", _ask_twice),
    tool("test_input_required_result_capabilities", _ask_what_is_possible),
    tool("test_missing_capability", _need_sampling),
)
