"""Content blocks of Anthropic's turns, read.

Signed and redacted thoughts are kept as they are. Blocks that no value carries (search results,
server tools and their results, files kept at Anthropic) stay opaque, with what they say where
other dialects can be told it.

Source: Anthropic API reference, "Create a Message" and its beta, read 2026-11.
"""

from collections.abc import Iterator, Mapping

from ...conversation import (
    Document,
    Image,
    Part,
    Reasoning,
    Shown,
    Text,
    ToolCall,
    ToolResult,
)
from ...model import Dialect
from ..fields import Fields, encode_text
from ..parts import kept, opaque

DIALECT: Dialect = "anthropic"

PREFILL = "prefill"
"""In the rest of a chat: the answer is to go on from the last turn."""

PDF = "application/pdf"
PLAIN = "text/plain"

_WORDS = ("title", "url", "text", "stdout", "stderr", "error_code")


def read_content(fields: Fields, name: str) -> tuple[Part, ...]:
    """Give the parts of a turn, whose content is a string or a list of blocks.

    Raises:
        BadRequest: it is neither, or a block is not valid.
    """
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
            call_id, name = fields.text("id"), fields.text("name")
            arguments = encode_text(fields.child("input").values)
            return ToolCall(call_id, name, arguments, rest=kept(DIALECT, fields.rest()))
        case "tool_result":
            call_id = fields.text("tool_use_id")
            content = read_content(fields, "content")
            parts = tuple(part for part in content if isinstance(part, Shown))
            is_error = fields.flag_or_none("is_error") or False
            return ToolResult(call_id, parts, is_error, kept(DIALECT, fields.rest()))
        case "thinking":
            # An empty signature stands where another provider's thought had none.
            signature = fields.text_or_none("signature") or None
            return Reasoning(fields.text("thinking"), signature=signature)
        case "redacted_thinking":
            return Reasoning(encrypted=fields.text("data"))
        case _:
            return _shown(fields)


def _shown(fields: Fields) -> Shown:
    """Give a block that may stand in a turn and in a tool's result."""
    match fields.text("type"):
        case "text":
            text = fields.text("text")
            return Text(text, rest=kept(DIALECT, fields.rest()))
        case "image":
            return _image(fields)
        case "document":
            return _document(fields)
        case "search_result":
            texts = [item.text("text") for item in fields.items("content")]
            lines = (fields.text("title"), fields.text("source"), *texts)
            return opaque(DIALECT, fields.values, "\n".join(lines))
        case _:
            return opaque(DIALECT, fields.values, _told(fields))


def _image(fields: Fields) -> Text | Image:
    source = fields.child("source")
    kind = source.text("type")
    rest = kept(DIALECT, fields.rest())
    if kind == "base64":
        return Image(media_type=source.text("media_type"), data=source.text("data"), rest=rest)
    if kind == "url":
        return Image(url=source.text("url"), rest=rest)
    return opaque(DIALECT, fields.values)  # a file at the provider: only it knows the bytes


def _document(fields: Fields) -> Text | Document:
    source = fields.child("source")
    title = fields.text_or_none("title")
    rest = kept(DIALECT, fields.rest())
    match source.text("type"):
        case "base64":
            media_type = source.text("media_type")
            return Document(media_type, data=source.text("data"), title=title, rest=rest)
        case "url":
            return Document(PDF, url=source.text("url"), title=title, rest=rest)
        case "text":
            return Document(PLAIN, text=source.text("data"), title=title, rest=rest)
        case "content":
            # Pieces to be quoted one by one: what is no text cannot be told elsewhere.
            parts = read_content(source, "content")
            texts = [part.text for part in parts if isinstance(part, Text)]
            whole = len(texts) == len(parts)
            return opaque(DIALECT, fields.values, "\n".join(texts) if whole else "")
        case _:
            return opaque(DIALECT, fields.values)


def _told(fields: Fields) -> str:
    """Give what a block without a value says to other dialects; nothing when it says nothing."""
    told = ""
    match fields.text("type"):
        case "tool_reference":
            told = f"tool {fields.text('tool_name')}"
        case "tool_addition":
            told = f"The tool {changed_tool(fields.values)} is available from now on."
        case "tool_removal":
            told = f"The tool {changed_tool(fields.values)} is no longer available."
        case "server_tool_use" | "mcp_tool_use":
            told = f"{fields.text('name')} {encode_text(fields.mapping('input'))}"
        case "fallback":
            told = "(Another model went on from here.)"
        case "compaction":
            told = fields.text_or_none("content") or "(Nothing was compacted here.)"
        case kind if kind.endswith("_tool_result"):
            told = "\n".join(_said(fields.value("content"))) or "(nothing found)"
    return told


def changed_tool(block: Mapping[str, object]) -> str:
    """Give the name of the tool that a change in mid-conversation is about."""
    tool = block.get("tool")
    tool = tool if isinstance(tool, Mapping) else {}
    definition = tool.get("definition")
    named = definition if isinstance(definition, Mapping) else tool
    name = named.get("name")
    return name if isinstance(name, str) else ""


def _said(content: object) -> Iterator[str]:
    """Give the texts in a server tool's result, in the order of its fields."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for item in content:
            yield from _said(item)
    elif isinstance(content, Mapping):
        yield from (value for word in _WORDS if isinstance(value := content.get(word), str))
        for name in ("content", "tool_references"):
            yield from _said(content.get(name))
        if content.get("type") == "tool_reference":
            yield f"tool {content.get('tool_name')}"
