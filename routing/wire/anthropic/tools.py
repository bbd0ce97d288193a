"""Anthropic's tools and how they are chosen, read and written.

A tool may be deferred: the model learns of it only when a search has found it, or a change in
mid-conversation offers it, and such a change may withdraw a tool, too. No other dialect has words
for that, but each request tells it all: so a Chat's tools are those that the model is offered at
the end of the conversation, and the others are kept aside, in their places, for Anthropic alone.
Where Anthropic itself would search (`tool_search_tool_*`), nobody else can: all tools are offered.

Source: Anthropic's documentation, "Tool search tool", "Mid-conversation system messages and tool
changes" and the API reference, "tools", read 2026-11.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

from ...conversation import Json, Message, Text, Tool, ToolChoice, ToolResult
from ..dropped import Dropped
from ..fields import Fields
from ..parts import cache_marker, kept, own, require_function
from .blocks import DIALECT, changed_tool
from .client_tools import client_tool

ASIDE = "tools.defer_loading"
"""In the rest of a chat: the tools that are not offered, each with its place among all."""

_ADDED = "tool_addition"
_SEARCH = "tool_search_tool"
_SEARCH_RESULT = "tool_search_tool_result"


def read_tools(
    fields: Fields, messages: Sequence[Message]
) -> tuple[tuple[Tool, ...], dict[str, object]]:
    """Give the tools that the model is offered, and for the chat's rest those that it is not.

    Raises:
        BadRequest: a tool is not valid; names the field.
    """
    tools = [_tool(item) for item in fields.items("tools")]
    changes = _Changes(messages)
    searched = any(_is_search(tool) for tool in tools)
    hidden = {place for place, one in enumerate(tools) if changes.hides(one, searched=searched)}
    aside = [
        {"place": place, "tool": item.values}
        for place, item in enumerate(fields.items("tools"))
        if place in hidden
    ]
    offered = [tool for place, tool in enumerate(tools) if place not in hidden]
    return (*offered, *changes.brought), {ASIDE: aside} if aside else {}


def write_tools(
    tools: Iterable[Tool], rest: dict[str, object], dropped: Dropped
) -> list[dict[str, object]]:
    """Give all tools in their places; takes those that are kept aside out of the rest.

    Raises:
        BadRequest: a tool is another dialect's own.
    """
    written = [_written(tool, dropped) for tool in tools if _ADDED not in own(tool.rest, DIALECT)]
    aside = rest.pop(ASIDE, None)
    for one in aside if isinstance(aside, list) else ():
        written.insert(one["place"], dict(one["tool"]))
    return written


def read_choice(fields: Fields) -> ToolChoice:
    """Give which tools are called.

    Raises:
        BadRequest: it is not valid; names the field.
    """
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


def write_choice(choice: ToolChoice) -> dict[str, object]:
    """Give the choice; where no tool is called, none is called beside another."""
    match choice.mode:
        case "none":
            return {"type": "none"}
        case "auto":
            written: dict[str, object] = {"type": "auto"}
        case "required":
            written = {"type": "any"}
        case "named":
            written = {"type": "tool", "name": choice.name or ""}
        case _:
            assert_never(choice.mode)
    if choice.parallel is not None:
        written["disable_parallel_tool_use"] = not choice.parallel
    return written


class _Changes:
    """What the conversation says of tools: which were found, and which withdrawn."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.brought: list[Tool] = []
        self._found: set[str] = set()
        self._gone: set[str] = set()
        for message in messages:
            for part in message.parts:
                shown = part.parts if isinstance(part, ToolResult) else (part,)
                for one in shown:
                    if isinstance(one, Text) and one.rest:
                        self._read(own(one.rest, DIALECT))

    def hides(self, tool: Tool, *, searched: bool) -> bool:
        """Whether the model is not offered a tool; `searched` where Anthropic would find it."""
        if tool.name in self._gone or _is_search(tool):
            return True
        deferred = own(tool.rest, DIALECT).get("defer_loading") is True
        return deferred and not searched and tool.name not in self._found

    def _read(self, block: Json) -> None:
        match block.get("type"):
            case "tool_reference":
                self._found.add(str(block.get("tool_name")))
            case "tool_addition":
                name = changed_tool(block)
                self._found.add(name)
                self._gone.discard(name)
                self._bring(block)
            case "tool_removal":
                name = changed_tool(block)
                self._gone.add(name)
                self.brought = [tool for tool in self.brought if tool.name != name]
            case "compaction":
                self._read_all(block.get("tool_changes"))
            case kind if kind == _SEARCH_RESULT:
                content = block.get("content")
                if isinstance(content, Mapping):
                    self._read_all(content.get("tool_references"))

    def _read_all(self, blocks: object) -> None:
        for block in blocks if isinstance(blocks, list) else ():
            if isinstance(block, Mapping):
                self._read(block)

    def _bring(self, block: Json) -> None:
        tool = block.get("tool")
        definition = tool.get("definition") if isinstance(tool, Mapping) else None
        if isinstance(definition, dict):
            brought = _tool(Fields(definition, "tool.definition"))
            rest = {**own(brought.rest, DIALECT), _ADDED: True}
            self.brought.append(
                Tool(brought.name, brought.description, brought.parameters, kept(DIALECT, rest))
            )


def _is_search(tool: Tool) -> bool:
    kind = own(tool.rest, DIALECT).get("type")
    return isinstance(kind, str) and kind.startswith(_SEARCH)


def _tool(fields: Fields) -> Tool:
    kind = fields.text_or_none("type")
    if kind is not None and kind != "custom":
        name, rest = fields.text_or_none("name") or kind, kept(DIALECT, fields.values)
        known = client_tool(kind)
        if known is None:
            return Tool(name, rest=rest)
        return Tool(name, known.description, known.parameters, rest)
    name = fields.text("name")
    description = fields.text_or_none("description") or ""
    parameters = fields.child("input_schema").values
    return Tool(name, description, parameters, kept(DIALECT, fields.rest()))


def _written(tool: Tool, dropped: Dropped) -> dict[str, object]:
    rest = own(tool.rest, DIALECT)
    if "type" in rest:
        return dict(rest)
    require_function(tool, DIALECT)
    dropped.note_tool(tool.rest, DIALECT, told=("cache_control",))
    schema = {"type": "object", **tool.parameters} if tool.parameters else {"type": "object"}
    written: dict[str, object] = {"name": tool.name}
    if tool.description:
        written["description"] = tool.description
    return {**written, "input_schema": schema, **cache_marker(tool.rest, DIALECT), **rest}
