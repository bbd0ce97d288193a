"""A Chat into an Anthropic Messages request.

What differs from other dialects and how it is met:
- `max_tokens` is demanded: MAX_TOKENS_DEFAULT when the client set no bound, and a budget of
  thought beside it.
- Instructions stand apart: all system and developer turns go there, in order. A model that takes
  them inside the conversation keeps one there, if it stands where Anthropic takes it.
- What the assistant showed (images, files) is shown by the user: Anthropic takes none from it.
- Turns alternate, and results stand in the user's turn right after their calls.
- Temperature ends at 1: a higher one is sent as 1. `top_p` 1 is the default and left out,
  because newer models refuse it beside a temperature; those newer still take no sampling at all.
- Texts and stop sequences of white space alone are refused, and left out.
- Thoughts go back only with Anthropic's own signature; unsigned ones are left out.
- A `json_schema` is sent as `output_config.format`, in the words that Anthropic takes; JSON of any
  shape cannot be asked for.
- A last turn of the assistant is one to go on from (a prefill), which newer models refuse: so it
  is refused for them. For the others it loses the white space at its end, which Anthropic refuses.
- Seeds and penalties have no place, and are left out and named.

Sources: Anthropic API reference, "Create a Message" and its beta; "Prefill", read 2026-11.
"""

from collections.abc import Mapping, Sequence
from typing import assert_never

from ...conversation import (
    Audio,
    Chat,
    Document,
    Image,
    Json,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
)
from ...errors import Inexpressible
from ..codec import Rendered
from ..dropped import Dropped
from ..fields import encode, present
from ..parts import (
    arguments_object,
    cache_marker,
    inexpressible,
    own,
    own_block,
    refuse_foreign,
    tool_id,
)
from ..plain import plain
from ..signatures import unmarked
from ..turns import merged, regrouped, shown_by_user, without_system
from .blocks import DIALECT, PREFILL
from .documents import document_source
from .models import Facts, facts_of
from .schemas import answer_schema
from .thinking import without_sampling, write_thinking
from .tools import write_choice, write_tools

# Anthropic has no default of its own. Every model of theirs can answer as much.
MAX_TOKENS_DEFAULT = 4096

_TEMPERATURE_MAX = 1.0
_TOLD = ("cache_control",)


def render_request(chat: Chat, *, model: str) -> Rendered:
    """Give the body for a provider of this dialect; without a bound, MAX_TOKENS_DEFAULT.

    Raises:
        BadRequest: the chat holds what this dialect cannot say; names it.
    """
    refuse_foreign(chat, DIALECT)
    facts, dropped = facts_of(model), Dropped()
    dropped.note_chat(chat, DIALECT)
    chat = plain(chat, DIALECT, dropped)
    rest = dict(own(chat.rest, DIALECT))
    thinking = write_thinking(chat, facts, rest, dropped)
    for name in ("thinking", PREFILL):
        rest.pop(name, None)
    limit = chat.output_tokens_max
    if limit is None:
        limit = MAX_TOKENS_DEFAULT + thinking.tokens
    body: dict[str, object] = {"model": model, "max_tokens": limit}
    body |= _conversation(chat, facts, dropped)
    body |= _offered(chat, rest, dropped)
    if thinking.field is not None:
        body["thinking"] = thinking.field
    body |= _sampling(chat, facts, dropped, thinks=thinking.is_on)
    body |= _stops(chat.stop, dropped)
    config = dict(_object(rest.pop("output_config", None))) | present(
        effort=thinking.effort, format=_format(chat.json_schema, facts, dropped)
    )
    if config:
        body["output_config"] = config
    if chat.user is not None:
        body["metadata"] = {**_object(rest.pop("metadata", None)), "user_id": chat.user}
    if chat.stream:
        body["stream"] = True
    for name in ("seed", "frequency_penalty", "presence_penalty"):
        dropped.note_if(name, getattr(chat, name) or None)
    return Rendered(encode({**rest, **body}), dropped.names)


def _offered(chat: Chat, rest: dict[str, object], dropped: Dropped) -> dict[str, object]:
    """Give the tools and how they are chosen.

    Anthropic refuses calls without tools in the request: where the client offers none any more,
    those that were called are named, and that none is to be called.
    """
    tools = write_tools(chat.tools, rest, dropped)
    if not tools:
        called = {
            part.name: {"name": part.name, "input_schema": {"type": "object"}}
            for turn in chat.messages
            for part in turn.parts
            if isinstance(part, ToolCall)
        }
        if not called:
            return {}
        return {"tools": list(called.values()), "tool_choice": {"type": "none"}}
    if chat.tool_choice is None:
        return {"tools": tools}
    return {"tools": tools, "tool_choice": write_choice(chat.tool_choice)}


def _conversation(chat: Chat, facts: Facts, dropped: Dropped) -> dict[str, object]:
    # What is empty goes first, so that the turns around it are joined.
    turns = shown_by_user(regrouped(chat.messages))
    spoken = [turn for turn in turns if any(map(_is_said, turn.parts))]
    system, turns = without_system(spoken, inside=facts.system_inside)
    written: dict[str, object] = {}
    if system:
        written["system"] = [block for text in system for block in _blocks(text, dropped)]
    messages: list[dict[str, object]] = []
    for turn in merged(turns):
        blocks = [block for part in turn.parts for block in _blocks(part, dropped)]
        if blocks:
            messages.append({**own(turn.rest, DIALECT), "role": turn.role, "content": blocks})
    if messages and messages[-1]["role"] == "assistant":
        _prefill(messages[-1]["content"], facts)
    return {**written, "messages": messages}


def _prefill(content: object, facts: Facts) -> None:
    """Make the last turn one that Anthropic goes on from.

    Raises:
        Inexpressible: the model goes on from no turn of its own.
    """
    last = content[-1] if isinstance(content, list) else {}
    if last.get("type") != "text":
        return
    if not facts.prefill:
        raise Inexpressible(
            "the last of `messages` is the assistant's, and the model that would answer goes on "
            "from no turn of its own; end with the user's turn, or ask for another model",
            field="messages",
        )
    last["text"] = last["text"].rstrip() or last["text"]


def _is_said(part: Part) -> bool:
    """Whether a part has a block; most need not be rendered to know."""
    if isinstance(part, Text):
        return bool(part.text.strip() or own_block(part, DIALECT))
    return not isinstance(part, Reasoning) or bool(_thought(part, Dropped()))


def _blocks(part: Part, dropped: Dropped) -> list[dict[str, object]]:
    """Give a part's block, none when it has nothing that Anthropic accepts."""
    if isinstance(part, Text):
        block = own_block(part, DIALECT)
        if block is not None:
            return [dict(block)]
        text = {"type": "text", "text": part.text, **_markers(part.rest, dropped)}
        return [text] if part.text.strip() else []
    if isinstance(part, Reasoning):
        return _thought(part, dropped)
    return [{**_block(part, dropped), **_markers(part.rest, dropped)}]


def _block(
    part: Image | Document | Audio | ToolCall | ToolResult, dropped: Dropped
) -> dict[str, object]:
    match part:
        case Image():
            return {"type": "image", "source": _source(part)}
        case Document():
            titled = {} if part.title is None else {"title": part.title}
            return {"type": "document", "source": document_source(part), **titled}
        case Audio():
            raise inexpressible("a sound", DIALECT)
        case ToolCall():
            call = {"type": "tool_use", "id": tool_id(part.call_id), "name": part.name}
            return {**call, "input": arguments_object(part.arguments)}
        case ToolResult():
            return _result(part, dropped)
        case _:
            assert_never(part)


def _markers(rest: Json, dropped: Dropped) -> dict[str, object]:
    if not rest:
        return {}
    dropped.note_part(rest, DIALECT, told=_TOLD)
    return {**cache_marker(rest, DIALECT), **own(rest, DIALECT)}


def _source(image: Image) -> dict[str, object]:
    if image.url is not None:
        return {"type": "url", "url": image.url}
    media_type = image.media_type or "image/png"
    return {"type": "base64", "media_type": media_type, "data": image.data or ""}


def _thought(part: Reasoning, dropped: Dropped) -> list[dict[str, object]]:
    signature = unmarked(part.signature, DIALECT)
    if signature is not None:
        return [{"type": "thinking", "thinking": part.text, "signature": signature}]
    encrypted = unmarked(part.encrypted, DIALECT)
    if encrypted is not None:
        return [{"type": "redacted_thinking", "data": encrypted}]
    if part.text or part.encrypted:
        dropped.note("thoughts")
    return []


def _result(part: ToolResult, dropped: Dropped) -> dict[str, object]:
    content = [block for item in part.parts for block in _blocks(item, dropped)]
    rendered: dict[str, object] = {
        "type": "tool_result",
        "tool_use_id": tool_id(part.call_id),
    }
    if content:
        rendered["content"] = content
    if part.is_error:
        rendered["is_error"] = True
    return rendered


def _sampling(chat: Chat, facts: Facts, dropped: Dropped, *, thinks: bool) -> dict[str, object]:
    refused = without_sampling(chat, facts, dropped, thinks=thinks)
    sampling: dict[str, object] = {}
    if not facts.sampling:  # what is left is the default, which need not be said
        return sampling
    if chat.temperature is not None and "temperature" not in refused:
        sampling["temperature"] = min(chat.temperature, _TEMPERATURE_MAX)
    if chat.top_p is not None and chat.top_p != 1 and "top_p" not in refused:
        sampling["top_p"] = chat.top_p
    if chat.top_k is not None and "top_k" not in refused:
        sampling["top_k"] = chat.top_k
    return sampling


def _stops(stops: Sequence[str], dropped: Dropped) -> dict[str, object]:
    taken = [stop for stop in stops if stop.strip()]
    if len(taken) < len(stops):
        dropped.note("stop")
    return {"stop_sequences": taken} if taken else {}


def _format(json_schema: Json | None, facts: Facts, dropped: Dropped) -> dict[str, object] | None:
    if json_schema is None:
        return None
    schema = json_schema.get("schema")
    if not isinstance(schema, Mapping):
        raise inexpressible("a JSON answer without a schema", DIALECT, "response_format")
    if not facts.schemas:
        raise Inexpressible(
            "the model that would answer follows no schema; leave `response_format` out, or ask "
            "for a newer model",
            field="response_format",
        )
    return {"type": "json_schema", "schema": answer_schema(schema, dropped)}


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
