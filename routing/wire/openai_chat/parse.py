"""An OpenAI chat completion request into a Chat.

A `response_format` of json_object is an empty `json_schema`: JSON of any shape. Deprecated
functions and custom (non-function) tools have no value and are refused or kept opaque.

Source: OpenAI API reference, "Create chat completion", read 2026-11.
"""

from typing import Literal

from ...conversation import (
    Chat,
    Image,
    Message,
    Part,
    Reasoning,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from ...errors import BadRequest
from ...model import Dialect
from ..fields import Fields, body_fields, encode_text, refusing_depth
from ..parts import image_of, kept, opaque

DIALECT: Dialect = "openai_chat"

_MODES: tuple[Literal["auto", "none", "required"], ...] = ("auto", "none", "required")
_ROLES: tuple[Role, ...] = ("system", "developer", "user", "assistant", "tool")


@refusing_depth
def parse_request(body: bytes) -> Chat:
    """Give the conversation of a request body.

    Raises:
        BadRequest: the body is not valid; names the field.
    """
    fields = body_fields(body)
    fields.text("model")
    if not fields.has("messages"):
        raise fields.wrong("messages", "a list")
    messages = tuple(_message(item) for item in fields.items("messages"))
    tools = tuple(_tool(item) for item in fields.items("tools"))
    choice, tools = _tool_choice(fields, tools)
    limits = (fields.tokens_or_none("max_completion_tokens"), fields.tokens_or_none("max_tokens"))
    return Chat(
        messages=messages,
        tools=tools,
        tool_choice=choice,
        output_tokens_max=next((limit for limit in limits if limit is not None), None),
        temperature=fields.number_or_none("temperature"),
        top_p=fields.number_or_none("top_p"),
        stop=fields.texts("stop"),
        reasoning_effort=fields.text_or_none("reasoning_effort"),
        json_schema=_json_schema(fields.child_or_none("response_format")),
        stream=fields.flag_or_none("stream") or False,
        rest=kept(DIALECT, fields.rest()),
    )


def _message(fields: Fields) -> Message:
    word = fields.text("role")
    role = next((known for known in _ROLES if known == word), None)
    if role is None:
        raise fields.unknown("role", _ROLES)
    name = fields.text_or_none("name")
    if role == "tool":
        parts = tuple(part for part in _content(fields) if isinstance(part, Text | Image))
        return Message("tool", (ToolResult(fields.text("tool_call_id"), parts),), name)
    if role == "assistant":
        return Message("assistant", _assistant_parts(fields), name)
    if not fields.has("content"):
        raise fields.wrong("content", "a string or a list of parts")
    return Message(role, _content(fields), name)


def _assistant_parts(fields: Fields) -> tuple[Part, ...]:
    for name in ("function_call", "audio"):
        if fields.has(name):
            path = fields.path_of(name)
            raise BadRequest(f"`{path}` is not supported; use tool calls and text", field=path)
    # Two names for one thing: DeepSeek's, and that of OpenRouter and others.
    thought = fields.text_or_none("reasoning_content") or fields.text_or_none("reasoning")
    refusal = fields.text_or_none("refusal")
    parts: list[Part] = [Reasoning(thought)] if thought else []
    parts.extend(_content(fields))
    if refusal:
        parts.append(Text(refusal))
    parts.extend(_tool_call(item) for item in fields.items("tool_calls"))
    return tuple(parts)


def _content(fields: Fields) -> tuple[Part, ...]:
    content = fields.value("content")
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content),)
    if not isinstance(content, list):
        raise fields.wrong("content", "a string or a list of parts")
    return tuple(_part(item) for item in fields.items("content"))


def _part(fields: Fields) -> Part:
    kind = fields.text("type")
    if kind == "text":
        text = fields.text("text")
        return Text(text, rest=kept(DIALECT, fields.rest()))
    if kind == "image_url":
        image = fields.child("image_url")
        url = image.text("url")
        rest = fields.rest()
        if image.rest():
            rest["image_url"] = image.rest()
        return image_of(url, kept(DIALECT, rest), image.path_of("url"))
    if kind == "refusal":
        return opaque(DIALECT, fields.values, fields.text("refusal"))
    return opaque(DIALECT, fields.values)


def _tool_call(fields: Fields) -> ToolCall:
    if fields.text_or_none("type") not in (None, "function"):
        raise fields.unknown("type", ("function",))
    function = fields.child("function")
    arguments = function.value("arguments")
    if isinstance(arguments, dict):  # some clients keep them parsed
        arguments = encode_text(arguments)
    if not isinstance(arguments, str):
        raise function.wrong("arguments", "a string of JSON")
    return ToolCall(fields.text("id"), function.text("name"), arguments)


def _tool(fields: Fields) -> Tool:
    kind = fields.text("type")
    if kind != "function":
        return Tool(kind, rest={DIALECT: fields.values})
    function = fields.child("function")
    name = function.text("name")
    description = function.text_or_none("description") or ""
    parameters = function.mapping("parameters")
    rest = fields.rest()
    if function.rest():
        rest["function"] = function.rest()
    return Tool(name, description, parameters, kept(DIALECT, rest))


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
    if kind == "function":
        name = chosen.child("function").text("name")
        return ToolChoice("named", name=name, parallel=parallel), tools
    if kind == "allowed_tools":
        allowed = chosen.child("allowed_tools")
        names = {item.child("function").text("name") for item in allowed.items("tools")}
        left = tuple(tool for tool in tools if tool.name in names)
        if allowed.text("mode") == "required":
            return ToolChoice("required", parallel=parallel), left
        return ToolChoice("auto", parallel=parallel), left
    raise chosen.unknown("type", ("function", "allowed_tools"))


def _json_schema(fields: Fields | None) -> dict[str, object] | None:
    if fields is None:
        return None
    kind = fields.text("type")
    if kind == "text":
        return None
    if kind == "json_object":
        return {}
    if kind == "json_schema":
        schema = fields.child("json_schema")
        schema.text("name")
        return schema.values
    raise fields.unknown("type", ("text", "json_object", "json_schema"))
