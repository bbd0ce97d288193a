"""An OpenAI Responses request into a Chat.

The input's items are read in items.py, the tools in tools.py. State that OpenAI keeps
(`previous_response_id`, item references) cannot be read, and is refused where another dialect
would have to know it.

Source: OpenAI API reference, "Create a model response", read 2026-11.
"""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from ...conversation import Chat, Message, Text, Tool, ToolChoice
from ..fields import Fields, body_fields, refusing_depth
from ..parts import kept, own
from .items import read_input
from .tools import DIALECT, merged, read_tools

LOGPROBS = "message.output_text.logprobs"
"""What `include` holds when logprobs are wanted."""

_MODES: tuple[Literal["auto", "none", "required"], ...] = ("auto", "none", "required")


@refusing_depth
def parse_request(body: bytes) -> Chat:
    """Give the conversation of a request body.

    Raises:
        BadRequest: the body is not valid; names the field.
    """
    fields = body_fields(body)
    fields.text("model")
    asked = read_input(fields)
    messages = asked.messages
    instructions = fields.text_or_none("instructions")
    if instructions:
        messages = (Message("system", (Text(instructions),)), *messages)
    choice, tools = _tool_choice(fields, merged(read_tools(fields), asked.tools))
    answer = _Answer.of(fields)
    return Chat(
        messages=messages,
        tools=tools,
        tool_choice=choice,
        output_tokens_max=fields.tokens_or_none("max_output_tokens"),
        temperature=fields.number_or_none("temperature"),
        top_p=fields.number_or_none("top_p"),
        reasoning_effort=answer.effort,
        json_schema=answer.json_schema,
        stream=fields.flag_or_none("stream") or False,
        logprobs=answer.logprobs,
        user=fields.text_or_none("user") or fields.text_or_none("safety_identifier"),
        reasoning_shown=answer.reasoning_shown,
        rest=kept(DIALECT, {**fields.rest(), **answer.rest}),
    )


class _Answer(Struct, frozen=True):
    """How the answer should be: what stands in objects of the body."""

    effort: str | None
    reasoning_shown: bool | None
    json_schema: dict[str, object] | None
    logprobs: int | None
    rest: dict[str, object]

    @staticmethod
    def of(fields: Fields) -> "_Answer":
        reasoning = fields.child_or_none("reasoning")
        text = fields.child_or_none("text")
        rest: dict[str, object] = {}
        logprobs = _logprobs(fields, rest)
        effort = None if reasoning is None else reasoning.text_or_none("effort")
        json_schema = None if text is None else _json_schema(text.child_or_none("format"))
        for name, child in (("reasoning", reasoning), ("text", text)):
            if child is not None and child.rest():
                rest[name] = child.rest()
        shown = True if reasoning is not None and reasoning.has("summary") else None
        return _Answer(effort, shown, json_schema, logprobs, rest)


def _logprobs(fields: Fields, rest: dict[str, object]) -> int | None:
    included = fields.value("include")
    if not isinstance(included, list):
        if included is not None:
            rest["include"] = included
        return None
    if others := [one for one in included if one != LOGPROBS]:
        rest["include"] = others
    if len(others) == len(included):
        return None
    return fields.tokens_or_none("top_logprobs") or 0


def _tool_choice(
    fields: Fields, tools: tuple[Tool, ...]
) -> tuple[ToolChoice | None, tuple[Tool, ...]]:
    """Give the choice, and the tools it leaves: `allowed_tools` is a choice among fewer."""
    parallel = fields.flag_or_none("parallel_tool_calls")
    choice = fields.value("tool_choice")
    if choice is None:
        return (None if parallel is None else ToolChoice("auto", parallel=parallel)), tools
    if isinstance(choice, str):
        for mode in _MODES:
            if choice == mode:
                return ToolChoice(mode, parallel=parallel), tools
        raise fields.unknown("tool_choice", _MODES)
    chosen = fields.child("tool_choice")
    kind = chosen.text("type")
    if kind == "allowed_tools":
        wanted = [_is_wanted(item) for item in chosen.items("tools")]
        left = tuple(tool for tool in tools if any(is_it(tool) for is_it in wanted))
        if not left:
            raise chosen.wrong("tools", "a list of tools that are in `tools`")
        required = chosen.text("mode") == "required"
        return ToolChoice("required" if required else "auto", parallel=parallel), left
    if kind == "mcp":
        raise chosen.unknown("type", ("function", "custom", "allowed_tools"))
    name = chosen.text("name") if kind in ("function", "custom") else kind
    return ToolChoice("named", name=name, parallel=parallel), tools


def _is_wanted(fields: Fields) -> Callable[[Tool], bool]:
    """Give whether a tool is the one that an item of `allowed_tools` names."""
    kind, name = fields.text("type"), fields.text_or_none("name")

    def is_it(tool: Tool) -> bool:
        if kind == "namespace":
            return tool.namespace == name
        if kind in ("function", "custom"):
            return tool.name == name
        return own(tool.rest, DIALECT).get("type") == kind

    return is_it


def _json_schema(fields: Fields | None) -> dict[str, object] | None:
    if fields is None:
        return None
    match fields.text("type"):
        case "text":
            return None
        case "json_object":
            return {}
        case "json_schema":
            fields.child("schema")
            return {name: value for name, value in fields.values.items() if name != "type"}
        case _:
            raise fields.unknown("type", ("text", "json_object", "json_schema"))
