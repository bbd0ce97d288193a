"""A Chat into an OpenAI chat completion request.

What is left out: fields of other dialects that are hints; reasoning signatures, for which
the dialect has no place. A stream is always asked for its usage.

Source: OpenAI API reference, "Create chat completion", read 2026-11.
"""

import re
from collections.abc import Iterable

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
from ..turns import regrouped
from .parse import DIALECT

# OpenAI's reasoning models refuse max_tokens; many compatible servers know only that.
# Source: OpenAI API reference, "max_tokens" (deprecated), read 2026-11.
_NEW_LIMIT_MODELS = re.compile(r"(?:^|/)(?:o\d|gpt-[5-9]|gpt-\d\d)")

# The name of a schema is demanded here and unknown to other dialects.
SCHEMA_NAME = "answer"


def render_request(chat: Chat, *, model: str) -> Rendered:
    """Give the body for a provider of this dialect.

    Raises:
        BadRequest: the chat holds what this dialect cannot say; names it.
    """
    refuse_foreign(chat, DIALECT)
    dropped = Dropped()
    dropped.note_chat(chat, DIALECT)
    rest = dict(own(chat.rest, DIALECT))
    body: dict[str, object] = {"model": model}
    body["messages"] = [
        rendered for message in regrouped(chat.messages) for rendered in _messages(message)
    ]
    if chat.tools:
        body["tools"] = [_tool(tool) for tool in chat.tools]
        if chat.tool_choice is not None:
            body.update(_tool_choice(chat.tool_choice))
    if chat.output_tokens_max is not None:
        body[limit_name(model)] = chat.output_tokens_max
    body |= present(
        temperature=chat.temperature,
        top_p=chat.top_p,
        stop=list(chat.stop) or None,
        reasoning_effort=chat.reasoning_effort,
    )
    if chat.json_schema is not None:
        body["response_format"] = _response_format(chat.json_schema)
    if chat.stream:
        body["stream"] = True
        options = rest.get("stream_options")
        body["stream_options"] = {
            **(options if isinstance(options, dict) else {}),
            "include_usage": True,
        }
    rest.pop("stream_options", None)
    return Rendered(encode({**rest, **body}), dropped.names)


def limit_name(model: str) -> str:
    """Give the field that bounds the answer of a model."""
    return "max_completion_tokens" if _NEW_LIMIT_MODELS.search(model) else "max_tokens"


def _messages(message: Message) -> Iterable[dict[str, object]]:
    """Give the messages of one turn: each tool result is a message of its own."""
    if message.role == "tool":
        yield from _results(part for part in message.parts if isinstance(part, ToolResult))
    elif message.role == "assistant":
        yield _assistant(message)
    else:
        rendered: dict[str, object] = {"role": message.role, "content": _content(message.parts)}
        yield {**rendered, "name": message.name} if message.name else rendered


def _results(results: Iterable[ToolResult]) -> Iterable[dict[str, object]]:
    """Give the results' messages; their images follow as the user's, where they are accepted."""
    images: list[Part] = []
    for result in results:
        texts = tuple(part for part in result.parts if isinstance(part, Text))
        pictures = [part for part in result.parts if not isinstance(part, Text)]
        call_id = tool_id(result.call_id)
        content = _content(texts) if texts else ""
        yield {"role": "tool", "tool_call_id": call_id, "content": content}
        if pictures:
            images += [Text(f"Images of the tool result {call_id}:"), *pictures]
    if images:
        yield {"role": "user", "content": _content(images)}


def _assistant(message: Message) -> dict[str, object]:
    texts = tuple(part for part in message.parts if isinstance(part, Text))
    thought = "".join(part.text for part in message.parts if isinstance(part, Reasoning))
    calls = [_tool_call(part) for part in message.parts if isinstance(part, ToolCall)]
    rendered: dict[str, object] = {
        "role": "assistant",
        "content": _content(texts) if texts else None,
    }
    if message.name:
        rendered["name"] = message.name
    if thought:
        rendered["reasoning_content"] = thought
    if calls:
        rendered["tool_calls"] = calls
    elif not texts:
        rendered["content"] = ""  # null is allowed only beside tool calls
    return rendered


def _content(parts: Iterable[Part]) -> str | list[dict[str, object]]:
    """Give a string for one plain text or for nothing, else a list of parts."""
    rendered = [_part(part) for part in parts if isinstance(part, Shown)]
    if len(rendered) == 1 and rendered[0].keys() == {"type", "text"}:
        text = rendered[0]["text"]
        if isinstance(text, str):
            return text
    return rendered or ""


def _part(part: Shown) -> dict[str, object]:
    rest = own(part.rest, DIALECT)
    if isinstance(part, Image):
        details = rest.get("image_url")
        image = {"url": image_url(part), **(details if isinstance(details, dict) else {})}
        return {**rest, "type": "image_url", "image_url": image}
    if isinstance(part, Document) and part.text is not None:
        return {"type": "text", "text": part.text}
    if not isinstance(part, Text):
        raise inexpressible("a file", DIALECT)
    block = own_block(part, DIALECT)
    return dict(block) if block is not None else {"type": "text", "text": part.text, **rest}


def _tool_call(call: ToolCall) -> dict[str, object]:
    function = {"name": call.name, "arguments": call.arguments or "{}"}
    return {"id": tool_id(call.call_id), "type": "function", "function": function}


def _tool(tool: Tool) -> dict[str, object]:
    rest = own(tool.rest, DIALECT)
    if "type" in rest:
        return dict(rest)
    require_function(tool, DIALECT)
    details = rest.get("function")
    function: dict[str, object] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.parameters or {"type": "object", "properties": {}}
    if isinstance(details, dict):
        function.update(details)
    return {**rest, "type": "function", "function": function}


def _tool_choice(choice: ToolChoice) -> dict[str, object]:
    chosen: object = choice.mode
    if choice.mode == "named":
        chosen = {"type": "function", "function": {"name": choice.name or ""}}
    rendered = {"tool_choice": chosen}
    if choice.parallel is not None:
        rendered["parallel_tool_calls"] = choice.parallel
    return rendered


def _response_format(json_schema: object) -> dict[str, object]:
    if not isinstance(json_schema, dict) or not json_schema:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": SCHEMA_NAME, **json_schema}}
