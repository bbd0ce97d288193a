"""A Chat into an Anthropic Messages request.

What differs from other dialects and how it is met:
- `max_tokens` is demanded: MAX_TOKENS_DEFAULT when the client set no bound.
- Instructions stand apart: all system and developer turns go there, in order.
- Turns alternate, and results stand in the user's turn right after their calls.
- Temperature ends at 1: a higher one is sent as 1. `top_p` 1 is the default and left out,
  because newer models refuse it beside a temperature.
- Thoughts go back only with Anthropic's own signature; unsigned ones are left out.
- `reasoning_effort` is a hint that older models would refuse, and is left out.
- A `json_schema` is sent as `output_config.format`; JSON of any shape cannot be asked for.

Source: Anthropic API reference, "Create a Message", read 2026-11.
"""

from collections.abc import Mapping, Sequence
from typing import assert_never

from ...conversation import (
    Audio,
    Chat,
    Document,
    Image,
    Json,
    Message,
    Part,
    Reasoning,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from ..codec import Rendered
from ..dropped import Dropped
from ..fields import encode
from ..parts import (
    arguments_object,
    cache_marker,
    inexpressible,
    own,
    own_block,
    refuse_foreign,
    require_function,
    tool_id,
)
from ..signatures import unmarked
from ..turns import merged, regrouped, without_system
from .parse import DIALECT

# Anthropic has no default of its own. Every model of theirs can answer as much.
MAX_TOKENS_DEFAULT = 4096

_TEMPERATURE_MAX = 1.0


def render_request(chat: Chat, *, model: str) -> Rendered:
    """Give the body for a provider of this dialect; without a bound, MAX_TOKENS_DEFAULT.

    Raises:
        BadRequest: the chat holds what this dialect cannot say; names it.
    """
    refuse_foreign(chat, DIALECT)
    dropped = Dropped()
    dropped.note_chat(chat, DIALECT)
    rest = dict(own(chat.rest, DIALECT))
    limit = chat.output_tokens_max
    body: dict[str, object] = {
        "model": model,
        "max_tokens": MAX_TOKENS_DEFAULT if limit is None else limit,
    }
    system, turns = without_system(chat.messages)
    if system:
        body["system"] = [block for text in system for block in _blocks(text)]
    body["messages"] = _messages(turns)
    if chat.tools:
        body["tools"] = [_tool(tool) for tool in chat.tools]
        if chat.tool_choice is not None:
            body["tool_choice"] = _tool_choice(chat.tool_choice)
    if chat.temperature is not None:
        body["temperature"] = min(chat.temperature, _TEMPERATURE_MAX)
    if chat.top_p is not None and chat.top_p != 1:
        body["top_p"] = chat.top_p
    if chat.stop:
        body["stop_sequences"] = list(chat.stop)
    if chat.json_schema is not None:
        body["output_config"] = _output_config(chat.json_schema, rest.get("output_config"))
    if chat.stream:
        body["stream"] = True
    return Rendered(encode({**rest, **body}), dropped.names)


def _messages(turns: Sequence[Message]) -> list[dict[str, object]]:
    """Give alternating turns; one in which nothing is left to say is left out."""
    rendered: list[dict[str, object]] = []
    # What is empty goes first, so that the turns around it are joined.
    spoken = [turn for turn in regrouped(turns) if any(map(_is_said, turn.parts))]
    for turn in merged(spoken):
        blocks = [block for part in turn.parts for block in _blocks(part)]
        rendered.append({"role": turn.role, "content": blocks})
    return rendered


def _is_said(part: Part) -> bool:
    """Whether a part has a block; most need not be rendered to know."""
    if isinstance(part, Text) and not part.rest:
        return bool(part.text)
    return isinstance(part, ToolCall | ToolResult | Image) or bool(_blocks(part))


def _blocks(part: Part) -> list[dict[str, object]]:
    """Give a part's block, none when it has nothing that Anthropic accepts."""
    match part:
        case Text():
            block = own_block(part, DIALECT)
            if block is not None:
                return [dict(block)]
            text = {"type": "text", "text": part.text, **_markers(part.rest)}
            return [text] if part.text else []
        case Image():
            return [{"type": "image", "source": _source(part), **_markers(part.rest)}]
        case Reasoning():
            return _thought(part)
        case ToolCall():
            return [
                {
                    "type": "tool_use",
                    "id": tool_id(part.call_id),
                    "name": part.name,
                    "input": arguments_object(part.arguments),
                }
            ]
        case ToolResult():
            return [_result(part)]
        case Document() | Audio():
            raise inexpressible("a file", DIALECT)
        case _:
            assert_never(part)


def _markers(rest: Json) -> dict[str, object]:
    return {**cache_marker(rest, DIALECT), **own(rest, DIALECT)}


def _source(image: Image) -> dict[str, object]:
    if image.url is not None:
        return {"type": "url", "url": image.url}
    media_type = image.media_type or "image/png"
    return {"type": "base64", "media_type": media_type, "data": image.data or ""}


def _thought(part: Reasoning) -> list[dict[str, object]]:
    signature = unmarked(part.signature, DIALECT)
    if signature is not None:
        return [{"type": "thinking", "thinking": part.text, "signature": signature}]
    encrypted = unmarked(part.encrypted, DIALECT)
    return [] if encrypted is None else [{"type": "redacted_thinking", "data": encrypted}]


def _result(part: ToolResult) -> dict[str, object]:
    content = [block for item in part.parts for block in _blocks(item)]
    rendered: dict[str, object] = {
        "type": "tool_result",
        "tool_use_id": tool_id(part.call_id),
    }
    if content:
        rendered["content"] = content
    return {**rendered, "is_error": True} if part.is_error else rendered


def _tool(tool: Tool) -> dict[str, object]:
    rest = own(tool.rest, DIALECT)
    if "type" in rest:
        return dict(rest)
    require_function(tool, DIALECT)
    schema = {"type": "object", **tool.parameters} if tool.parameters else {"type": "object"}
    rendered: dict[str, object] = {"name": tool.name}
    if tool.description:
        rendered["description"] = tool.description
    return {**rendered, "input_schema": schema, **_markers(tool.rest)}


def _tool_choice(choice: ToolChoice) -> dict[str, object]:
    match choice.mode:
        case "none":
            return {"type": "none"}
        case "auto":
            rendered: dict[str, object] = {"type": "auto"}
        case "required":
            rendered = {"type": "any"}
        case "named":
            rendered = {"type": "tool", "name": choice.name or ""}
        case _:
            assert_never(choice.mode)
    if choice.parallel is not None:
        rendered["disable_parallel_tool_use"] = not choice.parallel
    return rendered


def _output_config(json_schema: Json, configured: object) -> dict[str, object]:
    schema = json_schema.get("schema")
    if not isinstance(schema, Mapping):
        raise inexpressible("a JSON answer without a schema", DIALECT, "response_format")
    others = configured if isinstance(configured, Mapping) else {}
    return {**others, "format": {"type": "json_schema", "schema": schema}}
