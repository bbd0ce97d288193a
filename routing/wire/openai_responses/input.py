"""The turns of a Chat into the input items of a Responses request.

Source: OpenAI API reference, "Create a model response", "input", read 2026-11.
"""

from collections.abc import Iterable, Sequence

from ...conversation import (
    Audio,
    Document,
    Image,
    Message,
    Part,
    Reasoning,
    Shown,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from ..dropped import Dropped
from ..media import document_text, file_data, file_name
from ..openai_hints import breakpoint_of, image_detail
from ..parts import image_url, inexpressible, is_omitted, own, own_block, tool_id
from ..signatures import unmarked
from ..turns import shown_by_user
from .items import ITEM
from .tools import DIALECT, client_call_item, client_tool_of

Item = dict[str, object]

# Of a part in the other dialect of OpenAI, what is said here too.
_TOLD = ("detail", "prompt_cache_breakpoint")


def input_items(messages: Sequence[Message], tools: Sequence[Tool], dropped: Dropped) -> list[Item]:
    """Give the items of all turns.

    Raises:
        BadRequest: a part cannot be said in this dialect; names it.
    """
    items = _Items(messages, tools, dropped)
    return [item for message in shown_by_user(messages) for item in items.of(message)]


class _Items:
    """Writes items; knows which calls are of custom tools, as their results differ, too."""

    def __init__(
        self, messages: Sequence[Message], tools: Sequence[Tool], dropped: Dropped
    ) -> None:
        self._dropped = dropped
        self._client_tools = {
            tool.name: found for tool in tools if (found := client_tool_of(tool)) is not None
        }
        self._custom = {
            part.call_id
            for message in messages
            for part in message.parts
            if isinstance(part, ToolCall) and part.kind == "custom"
        }

    def of(self, message: Message) -> Iterable[Item]:
        """Give the items of one turn: content that belongs together is one message."""
        self._dropped.note_if("messages.name", message.name)
        spoken: list[Shown] = []
        for part in message.parts:
            item = _own_item(part)
            if item is None and isinstance(part, Shown):
                spoken.append(part)
                continue
            yield from self._message(message, spoken)
            spoken = []
            if item is not None:
                yield item
            else:
                yield from self._item(part)
        yield from self._message(message, spoken)

    def _item(self, part: Part) -> Iterable[Item]:
        if isinstance(part, ToolCall):
            yield self._call(part)
        elif isinstance(part, ToolResult):
            yield self._result(part)
        elif isinstance(part, Reasoning):
            yield from self._thought(part)

    def _message(self, message: Message, parts: list[Shown]) -> Iterable[Item]:
        if message.role == "assistant":
            yield from self._answer(parts)
            return
        content = [block for part in parts for block in self._blocks(part, "input_text")]
        if content or not message.parts:
            role = "user" if message.role == "tool" else message.role
            yield {"type": "message", "role": role, "content": content}

    def _answer(self, parts: list[Shown]) -> Iterable[Item]:
        """Give what the assistant said, each text alone: with no id, only a string is valid."""
        for part in parts:
            for block in self._blocks(part, "output_text"):
                plain = block.keys() == {"type", "text"}
                yield {
                    "type": "message",
                    "role": "assistant",
                    "content": block["text"] if plain else [block],
                }

    def _call(self, call: ToolCall) -> Item:
        self._dropped.note_part(call.rest, DIALECT)
        call_id = tool_id(call.call_id)
        client_tool = None if call.namespace else self._client_tools.get(call.name)
        if client_tool is not None:
            return client_call_item(client_tool, call_id=call_id, arguments=call.arguments)
        item: Item = {"call_id": call_id, "name": call.name}
        if call.namespace:
            item["namespace"] = call.namespace
        if call.kind == "custom":
            return {"type": "custom_tool_call", **item, "input": call.arguments}
        return {"type": "function_call", **item, "arguments": call.arguments or "{}"}

    def _result(self, result: ToolResult) -> Item:
        call_id = tool_id(result.call_id)
        if len(result.parts) == 1:
            item = _own_item(result.parts[0])
            if item is not None:
                return {**item, "call_id": call_id}
        self._dropped.note_part(result.rest, DIALECT)
        if result.is_error:
            self._dropped.note("is_error")
        kind = "custom_tool_call" if result.call_id in self._custom else "function_call"
        return {"type": f"{kind}_output", "call_id": call_id, "output": self._output(result)}

    def _output(self, result: ToolResult) -> object:
        blocks = [block for part in result.parts for block in self._blocks(part, "input_text")]
        if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
            return blocks[0]["text"]
        return blocks or ""

    def _blocks(self, part: Shown, text: str) -> Iterable[Item]:
        if part.rest:
            self._dropped.note_part(part.rest, DIALECT, told=_TOLD)
        return _blocks(part, text)

    def _thought(self, part: Reasoning) -> Iterable[Item]:
        encrypted = unmarked(part.encrypted, DIALECT)
        if encrypted is None:
            self._dropped.note("thoughts")
            return
        summary = [{"type": "summary_text", "text": part.text}] if part.text else []
        yield {"type": "reasoning", "summary": summary, "encrypted_content": encrypted}


def _own_item(part: Part) -> Item | None:
    """Give the item that a part stands for in this dialect, None for all other parts."""
    block = own(part.rest, DIALECT) if isinstance(part, Text) and part.rest else {}
    item = block.get(ITEM)
    return dict(item) if isinstance(item, dict) else None


def _blocks(part: Shown, text: str) -> Iterable[Item]:
    """Give a part's block, none for a text that stands for a block of another dialect."""
    match part:
        case Text():
            block = own_block(part, DIALECT)
            if block is not None:
                yield dict(block)
            elif not is_omitted(part, DIALECT):
                asked = text == "input_text"
                rest = {**breakpoint_of(part.rest), **own(part.rest, DIALECT)} if asked else {}
                yield {"type": text, "text": part.text, **rest}
        case Image():
            rest = {**breakpoint_of(part.rest), **own(part.rest, DIALECT)}
            detail = image_detail(part)
            url = image_url(part)
            yield {"detail": detail, **rest, "type": "input_image", "image_url": url}
        case Document():
            yield _document(part, text)
        case Audio():
            raise inexpressible("a sound", DIALECT)


def _document(part: Document, text: str) -> Item:
    if part.text is not None:
        return {"type": text, "text": document_text(part)}
    rest = {**breakpoint_of(part.rest), **own(part.rest, DIALECT)}
    rendered: Item = {**rest, "type": "input_file"}
    if part.url is not None:
        # Beside a URL no name is taken.
        return {**rendered, "file_url": part.url}
    return {**rendered, "filename": file_name(part), "file_data": file_data(part)}
