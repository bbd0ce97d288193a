"""An Anthropic Messages request into a Chat.

Signed and redacted thoughts are kept as they are. Blocks that no value carries (documents,
search results, server tools and their results) stay opaque, with their text where they
have one.

Source: Anthropic API reference, "Create a Message", read 2026-11.
"""

from collections.abc import Mapping

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
from ...model import Dialect
from ..fields import Fields, body_fields, encode_text, refusing_depth
from ..parts import kept, opaque

DIALECT: Dialect = "anthropic"

_ROLES: tuple[Role, ...] = ("user", "assistant", "system")


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
    system = _content(fields, "system")
    messages = tuple(_message(item) for item in fields.items("messages"))
    if system:
        messages = (Message("system", system), *messages)
    json_schema, output_config = _output_config(fields.child_or_none("output_config"))
    choice = fields.child_or_none("tool_choice")
    tools = tuple(_tool(item) for item in fields.items("tools"))
    limit = fields.tokens_or_none("max_tokens")
    temperature = fields.number_or_none("temperature")
    top_p = fields.number_or_none("top_p")
    stop = fields.texts("stop_sequences")
    stream = fields.flag_or_none("stream") or False
    rest = fields.rest()
    if output_config:
        rest["output_config"] = output_config
    return Chat(
        messages=messages,
        tools=tools,
        tool_choice=None if choice is None else _tool_choice(choice),
        output_tokens_max=limit,
        temperature=temperature,
        top_p=top_p,
        stop=stop,
        json_schema=json_schema,
        stream=stream,
        rest=kept(DIALECT, rest),
    )


def _message(fields: Fields) -> Message:
    word = fields.text("role")
    role = next((known for known in _ROLES if known == word), None)
    if role is None:
        raise fields.unknown("role", _ROLES)
    if not fields.has("content"):
        raise fields.wrong("content", "a string or a list of blocks")
    return Message(role, _content(fields, "content"))


def _content(fields: Fields, name: str) -> tuple[Part, ...]:
    content = fields.value(name)
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content),)
    if not isinstance(content, list):
        raise fields.wrong(name, "a string or a list of blocks")
    return tuple(_block(item) for item in fields.items(name))


def _block(fields: Fields) -> Part:
    match fields.text("type"):
        case "tool_use":
            return ToolCall(
                fields.text("id"), fields.text("name"), encode_text(fields.child("input").values)
            )
        case "tool_result":
            content = _content(fields, "content")
            parts = tuple(part for part in content if isinstance(part, Text | Image))
            return ToolResult(
                fields.text("tool_use_id"), parts, fields.flag_or_none("is_error") or False
            )
        case "thinking":
            # An empty signature stands where another provider's thought had none.
            signature = fields.text_or_none("signature") or None
            return Reasoning(fields.text("thinking"), signature=signature)
        case "redacted_thinking":
            return Reasoning(encrypted=fields.text("data"))
        case _:
            return _shown(fields)


def _shown(fields: Fields) -> Text | Image:
    """Give a block that may stand in a turn and in a tool's result."""
    match fields.text("type"):
        case "text":
            text = fields.text("text")
            return Text(text, rest=kept(DIALECT, fields.rest()))
        case "image":
            return _image(fields)
        case "tool_reference":
            return opaque(DIALECT, fields.values, f"tool {fields.text('tool_name')}")
        case "document":
            return opaque(DIALECT, fields.values, _document_text(fields.child("source")))
        case "search_result":
            texts = [item.text("text") for item in fields.items("content")]
            lines = (fields.text("title"), fields.text("source"), *texts)
            return opaque(DIALECT, fields.values, "\n".join(lines))
        case _:
            return opaque(DIALECT, fields.values)


def _image(fields: Fields) -> Text | Image:
    source = fields.child("source")
    kind = source.text("type")
    rest = kept(DIALECT, fields.rest())
    if kind == "base64":
        return Image(media_type=source.text("media_type"), data=source.text("data"), rest=rest)
    if kind == "url":
        return Image(url=source.text("url"), rest=rest)
    return opaque(DIALECT, fields.values)  # a file at the provider: only it knows the bytes


def _document_text(source: Fields) -> str:
    """Give the text of a document that is text; a PDF has none."""
    if source.text("type") == "text":
        return source.text("data")
    if source.text("type") == "content":
        parts = _content(source, "content")
        return "\n".join(part.text for part in parts if isinstance(part, Text))
    return ""


def _tool(fields: Fields) -> Tool:
    kind = fields.text_or_none("type")
    if kind not in (None, "custom"):
        return Tool(fields.text_or_none("name") or kind or "", rest={DIALECT: fields.values})
    name = fields.text("name")
    description = fields.text_or_none("description") or ""
    parameters = fields.child("input_schema").values
    return Tool(name, description, parameters, kept(DIALECT, fields.rest()))


def _tool_choice(fields: Fields) -> ToolChoice:
    disabled = fields.flag_or_none("disable_parallel_tool_use")
    parallel = None if disabled is None else not disabled
    match fields.text("type"):
        case "auto":
            return ToolChoice("auto", parallel=parallel)
        case "any":
            return ToolChoice("required", parallel=parallel)
        case "none":
            return ToolChoice("none", parallel=parallel)
        case "tool":
            return ToolChoice("named", name=fields.text("name"), parallel=parallel)
        case _:
            raise fields.unknown("type", ("auto", "any", "none", "tool"))


def _output_config(
    fields: Fields | None,
) -> tuple[Mapping[str, object] | None, dict[str, object]]:
    """Give the schema of the answer, and what else is configured."""
    if fields is None:
        return None, {}
    answer_format = fields.child_or_none("format")
    if answer_format is None:
        return None, fields.rest()
    if answer_format.text("type") != "json_schema":
        raise answer_format.unknown("type", ("json_schema",))
    return {"schema": answer_format.child("schema").values}, fields.rest()
