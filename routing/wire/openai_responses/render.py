"""A Chat into an OpenAI Responses request.

Nothing is stored at the provider: `store` is false unless the client of this dialect said
otherwise. Thoughts go back only as what the provider encrypted itself.

Source: OpenAI API reference, "Create a model response", read 2026-11.
"""

from collections.abc import Iterable, Mapping

from ...conversation import (
    Chat,
    Document,
    Image,
    Message,
    Part,
    Reasoning,
    Shown,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from ..codec import Rendered
from ..dropped import Dropped
from ..fields import encode, present
from ..parts import (
    image_url,
    inexpressible,
    own,
    own_block,
    refuse_foreign,
    require_function,
    tool_id,
)
from ..signatures import unmarked
from ..turns import regrouped
from .parse import DIALECT

# The name of a schema is demanded here and unknown to other dialects.
SCHEMA_NAME = "answer"


def render_request(chat: Chat, *, model: str) -> Rendered:
    """Give the body for a provider of this dialect.

    `stop` has no place in this dialect and is left out.

    Raises:
        BadRequest: the chat holds what this dialect cannot say; names it.
    """
    refuse_foreign(chat, DIALECT)
    dropped = Dropped()
    dropped.note_chat(chat, DIALECT)
    rest = dict(own(chat.rest, DIALECT))
    body: dict[str, object] = {"model": model}
    body["input"] = [item for message in regrouped(chat.messages) for item in _items(message)]
    if chat.tools:
        body["tools"] = [_tool(tool) for tool in chat.tools]
        if chat.tool_choice is not None:
            body.update(_tool_choice(chat.tool_choice))
    body |= present(
        max_output_tokens=chat.output_tokens_max, temperature=chat.temperature, top_p=chat.top_p
    )
    if chat.reasoning_effort is not None:
        body["reasoning"] = {**_object(rest, "reasoning"), "effort": chat.reasoning_effort}
    if chat.json_schema is not None:
        body["text"] = {**_object(rest, "text"), "format": _format(chat.json_schema)}
    if chat.stream:
        body["stream"] = True
    return Rendered(encode({"store": False, **rest, **body}), dropped.names)


def _items(message: Message) -> Iterable[dict[str, object]]:
    """Give the items of one turn: content that belongs together is one message."""
    spoken: list[Part] = []
    for part in message.parts:
        if isinstance(part, Shown):
            spoken.append(part)
            continue
        yield from _message(message, spoken)
        spoken = []
        if isinstance(part, ToolCall):
            yield {
                "type": "function_call",
                "call_id": tool_id(part.call_id),
                "name": part.name,
                "arguments": part.arguments or "{}",
            }
        elif isinstance(part, ToolResult):
            yield {
                "type": "function_call_output",
                "call_id": tool_id(part.call_id),
                "output": _output(part),
            }
        elif isinstance(part, Reasoning):
            yield from _thought(part)
    yield from _message(message, spoken)


def _message(message: Message, parts: list[Part]) -> Iterable[dict[str, object]]:
    if not parts:
        return
    text = "output_text" if message.role == "assistant" else "input_text"
    yield {
        "type": "message",
        "role": "user" if message.role == "tool" else message.role,
        "content": [_part(part, text) for part in parts if isinstance(part, Shown)],
    }


def _part(part: Shown, text: str) -> dict[str, object]:
    if isinstance(part, Image):
        rest = own(part.rest, DIALECT)
        return {"detail": "auto", **rest, "type": "input_image", "image_url": image_url(part)}
    if isinstance(part, Document) and part.text is not None:
        return {"type": text, "text": part.text}
    if not isinstance(part, Text):
        raise inexpressible("a file", DIALECT)
    block = own_block(part, DIALECT)
    return dict(block) if block is not None else {"type": text, "text": part.text}


def _output(result: ToolResult) -> object:
    if len(result.parts) == 1 and isinstance(result.parts[0], Text):
        only = _part(result.parts[0], "input_text")
        if only["type"] == "input_text":
            return only["text"]
    return [_part(part, "input_text") for part in result.parts] or ""


def _thought(part: Reasoning) -> Iterable[dict[str, object]]:
    encrypted = unmarked(part.encrypted, DIALECT)
    if encrypted is None:
        return
    summary = [{"type": "summary_text", "text": part.text}] if part.text else []
    yield {"type": "reasoning", "summary": summary, "encrypted_content": encrypted}


def _tool(tool: Tool) -> dict[str, object]:
    rest = own(tool.rest, DIALECT)
    if "type" in rest:
        return dict(rest)
    require_function(tool, DIALECT)
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters or {"type": "object", "properties": {}},
        # This API makes tools strict unless told, which most schemas do not bear.
        "strict": False,
        **rest,
    }


def _tool_choice(choice: ToolChoice) -> dict[str, object]:
    chosen: object = choice.mode
    if choice.mode == "named":
        chosen = {"type": "function", "name": choice.name or ""}
    rendered = {"tool_choice": chosen}
    if choice.parallel is not None:
        rendered["parallel_tool_calls"] = choice.parallel
    return rendered


def _format(json_schema: Mapping[str, object]) -> dict[str, object]:
    if not json_schema:
        return {"type": "json_object"}
    return {"name": SCHEMA_NAME, **json_schema, "type": "json_schema"}


def _object(rest: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = rest.get(name)
    return value if isinstance(value, Mapping) else {}
