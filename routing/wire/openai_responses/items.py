"""The input items of a Responses request into turns, and the tools that they bring.

Items of one answer stand apart here (a thought, a message, each call); they become one turn of
the assistant. An item that no value carries stays whole, for a provider of this dialect; others
refuse it by its type (a reference to what OpenAI keeps, what it has compacted), or leave it out
where nothing of the conversation is lost with it (OMITTED).

Source: OpenAI API reference, "Create a model response", "input", read 2026-11.
"""

from msgspec import Struct

from ...conversation import (
    Document,
    Image,
    Message,
    Part,
    Reasoning,
    Role,
    Shown,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from ..fields import Fields, encode_text
from ..media import audio_of, data_url
from ..parts import OMISSIBLE, image_of, kept, opaque
from ..plain import flat_name
from ..signatures import brought
from .tools import (
    CLIENT_TOOL_BY_CALL,
    CLIENT_TOOL_BY_OUTPUT,
    DIALECT,
    TOOL_ITEMS,
    ClientTool,
    read_tools,
)

ITEM = "item"
"""In the rest of a part that stands for a whole item: the item."""

# What they did is said by the message after them, or is no part of what was said.
OMITTED = ("web_search_call", "tool_search_call", "tool_search_output", "configuration_update")

_ROLES: tuple[Role, ...] = ("system", "developer", "user", "assistant")


class Input(Struct, frozen=True):
    """What the input holds."""

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()


def read_input(fields: Fields) -> Input:
    """Give the turns of a request's input, and the tools that it brings.

    Raises:
        BadRequest: an item is not valid; names the field.
    """
    asked = fields.value("input")
    if isinstance(asked, str):
        return Input((Message("user", (Text(asked),)),))
    if asked is not None and not isinstance(asked, list):
        raise fields.wrong("input", "a string or a list of items")
    turns: list[tuple[Role, list[Part]]] = []
    tools: list[Tool] = []
    for item in fields.items("input"):
        if item.value("type") in TOOL_ITEMS:
            tools += read_tools(item)
        message = _item(item)
        if message is None:
            continue
        if message.role != "assistant" or not turns or turns[-1][0] != "assistant":
            turns.append((message.role, []))
        turns[-1][1].extend(message.parts)
    return Input(tuple(Message(role, tuple(parts)) for role, parts in turns), tuple(tools))


def _item(fields: Fields) -> Message | None:
    kind = fields.text_or_none("type") or ("message" if fields.has("role") else "item_reference")
    match kind:
        case "message":
            return _message(fields)
        case "additional_tools":
            return None
        case "function_call_output" | "custom_tool_call_output":
            shown = _content(fields, "output")
            return Message("tool", (ToolResult(fields.text("call_id"), shown),))
        case _ if kind in CLIENT_TOOL_BY_OUTPUT and _call_id(fields):
            return Message("tool", (_client_result(fields, kind),))
        case _:
            return Message("assistant", _spoken(fields, kind))


def _message(fields: Fields) -> Message:
    word = fields.text("role")
    role = next((known for known in _ROLES if known == word), None)
    if role is None:
        raise fields.unknown("role", _ROLES)
    return Message(role, _content(fields, "content"))


def _spoken(fields: Fields, kind: str) -> tuple[Part, ...]:
    """Give what an item of the assistant's says."""
    if kind in ("function_call", "custom_tool_call"):
        return (_call(fields, kind),)
    if kind == "reasoning":
        return _thoughts(fields)
    if kind in CLIENT_TOOL_BY_CALL and _call_id(fields):
        return (_client_call(fields, CLIENT_TOOL_BY_CALL[kind]),)
    return (_whole(fields, kind),)


def _call(fields: Fields, kind: str) -> ToolCall:
    custom = kind == "custom_tool_call"
    return ToolCall(
        fields.text("call_id"),
        fields.text("name"),
        fields.text("input" if custom else "arguments"),
        kind="custom" if custom else "function",
        namespace=fields.text_or_none("namespace") or None,
    )


def _client_call(fields: Fields, client_tool: ClientTool) -> ToolCall:
    values = {
        name: value
        for name, value in fields.mapping(client_tool.holds).items()
        if client_tool.fixed.get(name) != value
    }
    return ToolCall(_call_id(fields) or "", client_tool.kind, encode_text(values))


def _client_result(fields: Fields, kind: str) -> ToolResult:
    output = _whole(fields, kind, _output_text(fields, kind))
    failed = fields.value("status") == "failed"
    return ToolResult(_call_id(fields) or "", (output,), is_error=failed)


def _call_id(fields: Fields) -> str | None:
    """Give what names a call of a tool that OpenAI defines, None where OpenAI runs it itself."""
    if fields.value("execution") == "server":
        return None
    return fields.text_or_none("call_id") or fields.text_or_none("id")


def _whole(fields: Fields, kind: str, text: str = "") -> Text:
    """Give an item as a part; `text` is what it says to other dialects."""
    block: dict[str, object] = {"type": kind, ITEM: fields.values}
    if kind in OMITTED and not text:
        block[OMISSIBLE] = True
    return opaque(DIALECT, block, text)


def _output_text(fields: Fields, kind: str) -> str:
    if kind == "tool_search_output":
        names = [
            flat_name(tool.namespace, tool.name) if tool.namespace else tool.name
            for tool in read_tools(fields)
        ]
        return f"Found: {', '.join(names)}." if names else "No tool was found."
    output = fields.value("output")
    if output is None:
        return fields.text_or_none("status") or "done"
    return output if isinstance(output, str) else encode_text(output)


def _content(fields: Fields, name: str) -> tuple[Shown, ...]:
    content = fields.value(name)
    if isinstance(content, str):
        return (Text(content),)
    if not isinstance(content, list):
        raise fields.wrong(name, "a string or a list of parts")
    return tuple(_part(item) for item in fields.items(name))


def _part(fields: Fields) -> Shown:
    match fields.text("type"):
        case "input_text":
            text = fields.text("text")
            return Text(text, kept(DIALECT, fields.rest()))
        case "output_text" | "text":
            # What the provider adds to its own text (annotations, logprobs) is not sent back.
            return Text(fields.text("text"))
        case "refusal":
            return Text(fields.text("refusal"))
        case kind:
            return _medium(fields, kind)


def _medium(fields: Fields, kind: str) -> Shown:
    """Give an image, a file or a sound; what only its provider has is kept as it is."""
    if kind == "input_image" and fields.has("image_url"):
        return _image(fields)
    if kind == "input_file" and (fields.has("file_data") or fields.has("file_url")):
        return _document(fields)
    if kind == "input_audio":
        return audio_of(fields.child("input_audio"), {})
    return opaque(DIALECT, fields.values)


def _image(fields: Fields) -> Image:
    url = fields.text("image_url")
    return image_of(url, kept(DIALECT, fields.rest()), fields.path_of("image_url"))


def _document(fields: Fields) -> Document:
    title = fields.text_or_none("filename")
    url, data = fields.text_or_none("file_url"), fields.text_or_none("file_data")
    rest = kept(DIALECT, fields.rest())
    if data is None:
        return Document(url=url, title=title, rest=rest)
    media_type, data = data_url(data, title, fields.path_of("file_data"))
    return Document(media_type=media_type, data=data, title=title, rest=rest)


def _thoughts(fields: Fields) -> tuple[Part, ...]:
    pieces = [*fields.items("summary"), *fields.items("content")]
    text = "\n\n".join(piece.text("text") for piece in pieces)
    encrypted = fields.text_or_none("encrypted_content")
    if not text and not encrypted:
        return ()
    signature, data = brought(encrypted) if encrypted else (None, None)
    return (Reasoning(text, signature=signature, encrypted=data),)
