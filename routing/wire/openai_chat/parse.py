"""An OpenAI chat completion request into a Chat.

A `response_format` of json_object is an empty `json_schema`: JSON of any shape. Deprecated
functions have no value and are refused where they cannot be forwarded.

Source: OpenAI API reference, "Create chat completion", read 2026-11.
"""

from typing import Literal

from ...conversation import (
    Chat,
    Document,
    Image,
    Message,
    Part,
    Role,
    Shown,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from ...errors import BadRequest
from ..fields import Fields, body_fields, encode_text, refusing_depth
from ..media import audio_of, data_url
from ..parts import image_of, kept, opaque
from .thoughts import DIALECT, read_signature, read_thinking, read_thoughts, read_wish

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
    choice, tools = _tool_choice(fields, read_tools(fields))
    limits = (fields.tokens_or_none("max_completion_tokens"), fields.tokens_or_none("max_tokens"))
    wish = read_wish(fields)
    return Chat(
        messages=messages,
        tools=tools,
        tool_choice=choice,
        output_tokens_max=next((limit for limit in limits if limit is not None), None),
        temperature=fields.number_or_none("temperature"),
        top_p=fields.number_or_none("top_p"),
        stop=fields.texts("stop"),
        reasoning_effort=wish.effort,
        reasoning_tokens_max=wish.tokens_max,
        reasoning_shown=wish.shown,
        json_schema=_json_schema(fields.child_or_none("response_format")),
        stream=fields.flag_or_none("stream") or False,
        seed=fields.integer_or_none("seed"),
        frequency_penalty=fields.number_or_none("frequency_penalty"),
        presence_penalty=fields.number_or_none("presence_penalty"),
        logprobs=_logprobs(fields),
        user=fields.text_or_none("user") or fields.text_or_none("safety_identifier"),
        rest=kept(DIALECT, fields.rest()),
    )


def read_tools(fields: Fields) -> tuple[Tool, ...]:
    """Give the tools of a request.

    Raises:
        BadRequest: one is not valid; names the field.
    """
    return tuple(_tool(item) for item in fields.items("tools"))


def _logprobs(fields: Fields) -> int | None:
    if not fields.flag_or_none("logprobs"):
        return None
    return fields.tokens_or_none("top_logprobs") or 0


def _message(fields: Fields) -> Message:
    word = fields.text("role")
    role = next((known for known in _ROLES if known == word), None)
    if role is None:
        raise fields.unknown("role", _ROLES)
    name = fields.text_or_none("name")
    if role == "tool":
        return Message("tool", (ToolResult(fields.text("tool_call_id"), _content(fields)),), name)
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
    refusal = fields.text_or_none("refusal")
    parts = read_thoughts(fields)
    if isinstance(fields.value("content"), list):
        for item in fields.items("content"):
            thinks = item.value("type") == "thinking"
            parts.append(read_thinking(item) if thinks else _part(item))
    else:
        parts.extend(_content(fields))
    if refusal:
        parts.append(Text(refusal))
    # Where OpenRouter and others put the images that a model has made.
    parts.extend(_part(item) for item in fields.items("images"))
    for item in fields.items("tool_calls"):
        parts.extend(read_signature(item))
        parts.append(_tool_call(item))
    return tuple(parts)


def _content(fields: Fields) -> tuple[Shown, ...]:
    content = fields.value("content")
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content),)
    if not isinstance(content, list):
        raise fields.wrong("content", "a string or a list of parts")
    return tuple(_part(item) for item in fields.items("content"))


def _part(fields: Fields) -> Shown:
    match fields.text("type"):
        case "text":
            text = fields.text("text")
            return Text(text, rest=kept(DIALECT, fields.rest()))
        case "image_url":
            return _image(fields)
        case "input_audio":
            return audio_of(fields.child("input_audio"), kept(DIALECT, fields.rest()))
        case "file":
            return _file(fields)
        case "refusal":
            return opaque(DIALECT, fields.values, fields.text("refusal"))
        case _:
            return opaque(DIALECT, fields.values)


def _image(fields: Fields) -> Image:
    given = fields.value("image_url")
    if isinstance(given, str):  # as Mistral's clients write it
        return image_of(given, kept(DIALECT, fields.rest()), fields.path_of("image_url"))
    image = fields.child("image_url")
    url = image.text("url")
    rest = fields.rest()
    if image.rest():
        rest["image_url"] = image.rest()
    return image_of(url, kept(DIALECT, rest), image.path_of("url"))


def _file(fields: Fields) -> Text | Document:
    """Give a file; one that only its provider has is kept as it is.

    Some servers take a URL, either as `file_url` or in the place of the data.
    """
    file = fields.child("file")
    title, data = file.text_or_none("filename"), file.text_or_none("file_data")
    url = file.text_or_none("file_url")
    if data is not None and data[:4].lower() == "http":
        url, data = data, None
    if url is None and data is None:
        return opaque(DIALECT, fields.values)
    rest = fields.rest()
    if data is None:
        # Which of the two ways the server knows, only the client can tell.
        rest["file"] = file.values
        return Document(url=url, title=title, rest=kept(DIALECT, rest))
    media_type, data = data_url(data, title, file.path_of("file_data"))
    return Document(media_type=media_type, data=data, title=title, rest=kept(DIALECT, rest))


def _tool_call(fields: Fields) -> ToolCall:
    kind = fields.text_or_none("type")
    if kind == "custom":
        custom = fields.child("custom")
        return ToolCall(fields.text("id"), custom.text("name"), custom.text("input"), kind="custom")
    if kind not in (None, "function"):
        raise fields.unknown("type", ("function", "custom"))
    function = fields.child("function")
    arguments = function.value("arguments")
    if isinstance(arguments, dict):  # some clients keep them parsed
        arguments = encode_text(arguments)
    if not isinstance(arguments, str):
        raise function.wrong("arguments", "a string of JSON")
    return ToolCall(fields.text("id"), function.text("name"), arguments)


def _tool(fields: Fields) -> Tool:
    kind = fields.text("type")
    if kind == "custom":
        return _custom(fields)
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


def _custom(fields: Fields) -> Tool:
    """Give a tool that takes free text; in this dialect it stays the block that it was."""
    custom = fields.child("custom")
    wanted = custom.child_or_none("format")
    grammar: dict[str, object] | None = None
    if wanted is not None and wanted.text("type") == "grammar":
        inner = wanted.child("grammar")
        grammar = {"syntax": inner.text("syntax"), "definition": inner.text("definition")}
    return Tool(
        custom.text("name"),
        custom.text_or_none("description") or "",
        rest={DIALECT: fields.values},
        kind="custom",
        grammar=grammar,
    )


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
    if kind in ("function", "custom"):
        return ToolChoice("named", name=_named(chosen), parallel=parallel), tools
    if kind == "allowed_tools":
        allowed = chosen.child("allowed_tools")
        names = {_named(item) for item in allowed.items("tools")}
        left = tuple(tool for tool in tools if tool.name in names)
        if not left:
            raise allowed.wrong("tools", "a list of tools that are in `tools`")
        if allowed.text("mode") == "required":
            return ToolChoice("required", parallel=parallel), left
        return ToolChoice("auto", parallel=parallel), left
    raise chosen.unknown("type", ("function", "custom", "allowed_tools"))


def _named(fields: Fields) -> str:
    return fields.child("custom" if fields.value("type") == "custom" else "function").text("name")


def _json_schema(fields: Fields | None) -> dict[str, object] | None:
    if fields is None:
        return None
    kind = fields.text("type")
    if kind == "text":
        return None
    if kind == "json_object":
        # Together, Fireworks and llama.cpp take a schema here.
        schema = fields.mapping("schema")
        return {"schema": schema} if schema else {}
    if kind == "json_schema":
        schema_fields = fields.child("json_schema")
        schema_fields.text("name")
        return schema_fields.values
    raise fields.unknown("type", ("text", "json_object", "json_schema"))
