"""Tools as every dialect knows them: functions, each with a name of its own.

OpenAI's dialects know more: tools that take free text, perhaps of a grammar, and groups of tools
(namespaces). For the others such a tool becomes a function: a free text is its one argument,
`input`, and a group's name stands before the tool's, `group__tool`. The name is found from the
tools of the request alone, so that whoever holds the client's body finds the tool again that a
model has called (`by_flat_name`).

A vendor's own tool (a search, an interpreter) is no function. One that is only an offer beside
the client's own tools is left out and named; all others are refused.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2s

import msgspec
from msgspec import structs

from ..conversation import Chat, Json, Message, Part, Text, Tool, ToolCall, ToolChoice
from ..model import Dialect
from .dropped import Dropped
from .fields import encode_text
from .parts import OMISSIBLE, own, require_function

# Source: OpenAI API reference, "function.name", and Anthropic's, "tools.name", read 2026-11.
NAME_CHARS_MAX = 64
_BAD = re.compile(r"[^A-Za-z0-9_-]")
_BETWEEN = "__"
_DIGEST_BYTES = 4

INPUT = "input"
"""The argument that holds a custom tool's text."""

# An agent works without them; a request for nothing but them would be another one.
_OFFERS = (
    *("web_search", "web_fetch", "tool_search", "programmatic_tool_calling"),
    *("googleSearch", "googleMaps", "urlContext"),
)

_Key = tuple[str | None, str]


def plain(chat: Chat, dialect: Dialect, dropped: Dropped) -> Chat:
    """Give the chat with functions for all tools that the dialect does not know.

    A tool whose own block is of the dialect stays as it is, and so do its calls.

    Raises:
        BadRequest: a tool is a vendor's own and cannot be left out; names it.
    """
    note_omitted(chat.messages, dialect, dropped)
    if not any(map(_is_special, chat.tools)) and not _calls_specially(chat.messages):
        return chat
    names = flat_names(chat.tools)
    homely = {(tool.namespace, tool.name) for tool in chat.tools if is_own(tool, dialect)}
    functions = tuple(
        tool if is_own(tool, dialect) else _function(tool, names, first=first)
        for tool, first in _with_first_of_namespace(without_offers(chat, dialect, dropped))
    )
    return structs.replace(
        chat,
        tools=functions,
        tool_choice=_choice(chat.tool_choice, names),
        messages=tuple(_message(message, names, homely) for message in chat.messages),
    )


def note_omitted(messages: Iterable[Message], dialect: Dialect, dropped: Dropped) -> None:
    """Note the blocks of other dialects that may be left out."""
    for message in messages:
        for part in message.parts:
            for source, block in part.rest.items() if isinstance(part, Text) else ():
                if source != dialect and isinstance(block, Mapping) and OMISSIBLE in block:
                    dropped.note(f"input.{block.get('type')}")


def is_own(tool: Tool, dialect: Dialect) -> bool:
    """Whether a tool goes to this dialect as the block that it came in."""
    return "type" in own(tool.rest, dialect)


def without_offers(chat: Chat, dialect: Dialect, dropped: Dropped) -> tuple[Tool, ...]:
    """Give the tools without other vendors' own that are only offers beside others.

    Raises:
        BadRequest: a tool is another vendor's own, and no mere offer.
    """
    chosen = None if chat.tool_choice is None else chat.tool_choice.name
    offers = [tool for tool in chat.tools if _is_offer(tool, dialect) and tool.name != chosen]
    left = tuple(tool for tool in chat.tools if tool not in offers)
    if not left:
        left, offers = chat.tools, []
    for tool in offers:
        dropped.note(f"tools.{tool.name}")
    for tool in left:
        require_function(tool, dialect)
    return left


def flat_names(tools: Iterable[Tool]) -> dict[_Key, str]:
    """Give the name of each tool's function, by namespace and name.

    Tools without a namespace keep theirs. The same tools always give the same names.
    """
    tools = tuple(tools)
    names: dict[_Key, str] = {(None, one.name): one.name for one in tools if one.namespace is None}
    taken = set(names.values())
    for tool in tools:
        key = (tool.namespace, tool.name)
        if tool.namespace is None or key in names:
            continue
        name = flat_name(tool.namespace, tool.name)
        names[key] = _hashed(tool.namespace, tool.name) if name in taken else name
        taken.add(names[key])
    return names


def flat_name(namespace: str, name: str) -> str:
    """Give a name that says both, of at most NAME_CHARS_MAX characters that all dialects take."""
    between = "" if namespace.endswith(_BETWEEN) else _BETWEEN
    flat = f"{namespace}{between}{name}"
    if len(flat) > NAME_CHARS_MAX or _BAD.search(flat):
        return _hashed(namespace, name)
    return flat


def by_flat_name(tools: Sequence[Tool]) -> dict[str, Tool]:
    """Give the client's tools by the names that their functions have.

    Models forget the group at times: a bare name that only one tool has finds it, too.
    """
    names = flat_names(tools)
    found: dict[str, Tool] = {}
    for tool in tools:
        found.setdefault(names[tool.namespace, tool.name], tool)
    bare = [tool.name for tool in tools]
    for tool in tools:
        if bare.count(tool.name) == 1:
            found.setdefault(tool.name, tool)
    return found


def wrapped(text: str) -> str:
    """Give a custom tool's text as its function's arguments."""
    return encode_text({INPUT: text})


def free_text(arguments: str) -> str:
    """Give a custom tool's text from its function's arguments.

    What is not the object that was asked for is taken for the text itself.
    """
    try:
        value = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return arguments
    text = value.get(INPUT) if isinstance(value, dict) else value
    return text if isinstance(text, str) else arguments


def _is_special(tool: Tool) -> bool:
    return bool(tool.rest) or tool.kind != "function" or tool.namespace is not None


def _is_offer(tool: Tool, dialect: Dialect) -> bool:
    return not tool.parameters and any(
        source != dialect
        and isinstance(block, Mapping)
        and str(block.get("type", "")).startswith(_OFFERS)
        for source, block in tool.rest.items()
    )


def _calls_specially(messages: Iterable[Message]) -> bool:
    return any(
        isinstance(part, ToolCall) and (part.kind != "function" or part.namespace is not None)
        for message in messages
        for part in message.parts
    )


def _with_first_of_namespace(tools: Iterable[Tool]) -> Iterable[tuple[Tool, bool]]:
    """Give each tool and whether it is the first of its namespace."""
    seen: set[str] = set()
    for tool in tools:
        first = tool.namespace is not None and tool.namespace not in seen
        if tool.namespace is not None:
            seen.add(tool.namespace)
        yield tool, first


def _function(tool: Tool, names: Mapping[_Key, str], *, first: bool) -> Tool:
    """Give a tool's function; the first of a namespace says what the namespace is for."""
    lines = [tool.description]
    if tool.kind == "custom":
        lines.append(_wanted(tool))
    if first:
        lines.append(_of_namespace(tool))
    rest = {} if tool.kind == "custom" else tool.rest
    return Tool(
        names[tool.namespace, tool.name],
        "\n\n".join(line for line in lines if line),
        _TEXT if tool.kind == "custom" else tool.parameters,
        rest,
    )


_TEXT: Json = {
    "type": "object",
    "properties": {INPUT: {"type": "string", "description": "The whole text for the tool."}},
    "required": [INPUT],
    "additionalProperties": False,
}


def _wanted(tool: Tool) -> str:
    if tool.grammar is None:
        return f"Takes free text, no JSON, as the argument `{INPUT}`."
    syntax, definition = tool.grammar.get("syntax"), tool.grammar.get("definition")
    return (
        f"Takes free text, no JSON, as the argument `{INPUT}`. The text must follow this "
        f"{syntax} grammar:\n{definition}"
    )


def _of_namespace(tool: Tool) -> str:
    for fields in tool.rest.values():
        namespace = fields.get("namespace") if isinstance(fields, Mapping) else None
        if isinstance(namespace, Mapping) and namespace.get("description"):
            return f"The tools of {tool.namespace}: {namespace['description']}"
    return ""


def _choice(choice: ToolChoice | None, names: Mapping[_Key, str]) -> ToolChoice | None:
    if choice is None or choice.name is None or (None, choice.name) in names:
        return choice
    grouped = [flat for (_, name), flat in names.items() if name == choice.name]
    return structs.replace(choice, name=grouped[0]) if len(grouped) == 1 else choice


def _message(message: Message, names: Mapping[_Key, str], homely: set[_Key]) -> Message:
    if message.role != "assistant":
        return message
    parts = (_part(part, names, homely) for part in message.parts)
    return structs.replace(message, parts=tuple(parts))


def _part(part: Part, names: Mapping[_Key, str], homely: set[_Key]) -> Part:
    if not isinstance(part, ToolCall) or (part.namespace, part.name) in homely:
        return part
    return _call(part, names)


def _call(call: ToolCall, names: Mapping[_Key, str]) -> ToolCall:
    name = names.get((call.namespace, call.name))
    if name is None:
        name = call.name if call.namespace is None else flat_name(call.namespace, call.name)
    arguments = wrapped(call.arguments) if call.kind == "custom" else call.arguments
    return ToolCall(call.call_id, name, arguments)


def _hashed(namespace: str, name: str) -> str:
    said = f"{namespace}\n{name}".encode("utf-8", "surrogatepass")
    digest = blake2s(said, digest_size=_DIGEST_BYTES).hexdigest()
    # The tool's name tells more than its group's.
    flat = _BAD.sub("_", f"{namespace}{_BETWEEN}{name}")[-(NAME_CHARS_MAX - len(digest) - 1) :]
    return f"{flat}_{digest}"
