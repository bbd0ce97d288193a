"""A chat's body with what the gateway's administrator adds to it; see routing/shaping.py.

Only the fields that change are written; all other bytes go on as the client wrote them, in the
client's own dialect. A request that asks for no thinking is not made to think.

Adaptive thinking gives a plain question the policy's tokens, half as much again in a conversation
of more than MESSAGES_MANY turns, half as much again with more than TOOLS_MANY tools, and 0.3 times
more for a question of more than QUESTION_CHARS_LONG characters.
Source: the reference's section on request shaping, "Thinking budget".
"""

import re
from collections.abc import Callable, Mapping

import msgspec
from msgspec import structs

from ..conversation import Chat, Text
from ..errors import BadRequest
from ..model import Dialect, Operation
from ..shaping import EFFORT_TOKENS, THINKING_TOKENS_MAX, Shaping, Thinking
from .fields import encode
from .splice import fields_of, splice_field
from .table import codec

MESSAGES_MANY = 10
TOOLS_MANY = 3
QUESTION_CHARS_LONG = 2000

THINKING_TOKENS_MIN = 1024
"""The least that Anthropic accepts. Source: its Messages API, "budget_tokens", read 2026-11."""

_NULL = b"null"
_DISABLED = re.compile(rb'^\{\s*"type"\s*:\s*"disabled"\s*\}$|^"none"$')
_ADAPTIVE = re.compile(rb'"type"\s*:\s*"adaptive"')
_EFFORTS = ("none", "low", "medium", "high")

_Fields = Mapping[str, msgspec.Raw]


def shaped(operation: Operation, shaping: Shaping) -> Operation:
    """Give the operation with what is added to it; the same one where nothing is.

    Raises:
        BadRequest: its body is not one of its dialect.
    """
    if operation.kind != "chat":
        return operation
    body, dialect = operation.body, operation.dialect
    if shaping.system_prompt:
        body = _SYSTEM[dialect](body, shaping.system_prompt)
    if shaping.thinking.mode != "passthrough":
        body = _with_thinking(body, dialect, shaping.thinking)
    if body is operation.body:
        return operation
    _, features = codec(dialect).read_features(body)
    # Whether it streams may stand in the path instead of the body.
    features = structs.replace(features, stream=operation.features.stream)
    return structs.replace(operation, body=body, features=features, model_at=None)


# A system prompt in front of the client's own.


def _chat_system(body: bytes, text: str) -> bytes:
    message = encode({"role": "system", "content": text})
    return _in_front(body, "messages", message)


def _responses_system(body: bytes, text: str) -> bytes:
    return splice_field(
        body, "instructions", encode(_before(text, fields_of(body), "instructions"))
    )


def _anthropic_system(body: bytes, text: str) -> bytes:
    fields = fields_of(body)
    if _is_list(fields, "system"):
        return _in_front(body, "system", encode({"type": "text", "text": text}))
    return splice_field(body, "system", encode(_before(text, fields, "system")))


def _gemini_system(body: bytes, text: str) -> bytes:
    fields = fields_of(body)
    name = next((one for one in _GEMINI_SYSTEM if _has(fields, one)), _GEMINI_SYSTEM[0])
    part = {"text": text}
    if not _has(fields, name):
        return splice_field(body, name, encode({"parts": [part]}))
    return splice_field(body, name, _in_front(bytes(fields[name]), "parts", encode(part)))


_GEMINI_SYSTEM = ("systemInstruction", "system_instruction")

_SYSTEM: Mapping[Dialect, Callable[[bytes, str], bytes]] = {
    "openai_chat": _chat_system,
    "openai_responses": _responses_system,
    "anthropic": _anthropic_system,
    "gemini": _gemini_system,
}


# How much is thought.


def _with_thinking(body: bytes, dialect: Dialect, policy: Thinking) -> bytes:
    if not _asks_to_think(body, dialect):
        return body
    if policy.mode == "auto":
        return _without(body, dialect)
    tokens = policy.tokens
    if policy.mode == "adaptive":
        tokens = adapted(tokens, codec(dialect).parse_request(body))
    return _THINKING[dialect](body, tokens)


def adapted(tokens: int, chat: Chat) -> int:
    """Give how much is thought about a conversation, of what a plain question gets."""
    tenths = 10
    tenths += 5 * (len(chat.messages) > MESSAGES_MANY)
    tenths += 5 * (len(chat.tools) > TOOLS_MANY)
    asked = next((one for one in reversed(chat.messages) if one.role == "user"), None)
    if asked is not None:
        chars = sum(len(part.text) for part in asked.parts if isinstance(part, Text))
        tenths += 3 * (chars > QUESTION_CHARS_LONG)
    return min(tokens * tenths // 10, THINKING_TOKENS_MAX)


def effort_within(tokens: int) -> str:
    """Give the highest effort that thinks no more than so many tokens."""
    return next(one for one in reversed(_EFFORTS) if EFFORT_TOKENS[one] <= tokens)


def _asks_to_think(body: bytes, dialect: Dialect) -> bool:
    for place, name in _ASKED[dialect]:
        fields = _object(body, place)
        if _has(fields, name):
            return _DISABLED.search(bytes(fields[name])) is None
    return False


def _without(body: bytes, dialect: Dialect) -> bytes:
    for place, name in _ASKED[dialect]:
        if not _has(_object(body, place), name):
            continue
        if not place:
            body = _removed(body, name)
        else:
            left = _removed(bytes(fields_of(body)[place]), name)
            body = splice_field(body, place, left) if fields_of(left) else _removed(body, place)
    return body


def _chat_thinking(body: bytes, tokens: int) -> bytes:
    effort, fields = encode(effort_within(tokens)), fields_of(body)
    if _has(fields, "reasoning_effort"):
        return splice_field(body, "reasoning_effort", effort)
    if not _has(fields, "reasoning"):
        return body  # `thinking` of some providers is on or off and knows no bound
    reasoning = _removed(bytes(fields["reasoning"]), "max_tokens")
    return splice_field(body, "reasoning", splice_field(reasoning, "effort", effort))


def _responses_thinking(body: bytes, tokens: int) -> bytes:
    reasoning = bytes(fields_of(body)["reasoning"])
    effort = encode(effort_within(tokens))
    return splice_field(body, "reasoning", splice_field(reasoning, "effort", effort))


def _anthropic_thinking(body: bytes, tokens: int) -> bytes:
    """Write the budget, which has to be under `max_tokens`; too little of it is none.

    Models that think adaptively know an effort in its place.
    """
    fields = fields_of(body)
    most = bytes(fields.get("max_tokens", b""))
    if most.isdigit():
        tokens = min(tokens, int(most) - 1)
    if tokens < THINKING_TOKENS_MIN:
        return splice_field(body, "thinking", b'{"type":"disabled"}')
    if _ADAPTIVE.search(bytes(fields["thinking"])) is None:
        return splice_field(body, "thinking", b'{"type":"enabled","budget_tokens":%d}' % tokens)
    config = bytes(fields["output_config"]) if _has(fields, "output_config") else b"{}"
    config = splice_field(config, "effort", encode(effort_within(tokens)))
    return splice_field(body, "output_config", config)


def _gemini_thinking(body: bytes, tokens: int) -> bytes:
    place = next(one for one, name in _ASKED["gemini"] if _has(_object(body, one), name))
    config = bytes(fields_of(body)[place])
    name = next(one for at, one in _ASKED["gemini"] if at == place and _has(fields_of(config), one))
    thinking = bytes(fields_of(config)[name])
    for level in ("thinkingLevel", "thinking_level", "thinking_budget"):
        thinking = _removed(thinking, level)
    thinking = splice_field(thinking, "thinkingBudget", b"%d" % tokens)
    return splice_field(body, place, splice_field(config, name, thinking))


_ASKED: Mapping[Dialect, tuple[tuple[str, str], ...]] = {
    "openai_chat": (("", "reasoning_effort"), ("", "reasoning"), ("", "thinking")),
    "openai_responses": (("", "reasoning"),),
    "anthropic": (("", "thinking"),),
    "gemini": (
        ("generationConfig", "thinkingConfig"),
        ("generationConfig", "thinking_config"),
        ("generation_config", "thinkingConfig"),
        ("generation_config", "thinking_config"),
    ),
}
"""Where each dialect asks to think: a field, and the object at the top that it stands in."""

_THINKING: Mapping[Dialect, Callable[[bytes, int], bytes]] = {
    "openai_chat": _chat_thinking,
    "openai_responses": _responses_thinking,
    "anthropic": _anthropic_thinking,
    "gemini": _gemini_thinking,
}


# Fields of JSON objects as bytes.


def _has(fields: _Fields, name: str) -> bool:
    return name in fields and bytes(fields[name]) != _NULL


def _is_list(fields: _Fields, name: str) -> bool:
    return name in fields and bytes(fields[name]).startswith(b"[")


def _object(body: bytes, place: str) -> _Fields:
    fields = fields_of(body)
    if not place:
        return fields
    return fields_of(bytes(fields[place])) if _has(fields, place) else {}


def _before(text: str, fields: _Fields, name: str) -> str:
    if not _has(fields, name):
        return text
    try:
        return f"{text}\n\n{msgspec.json.decode(fields[name], type=str)}"
    except msgspec.DecodeError:
        raise BadRequest(f"`{name}` must be a string", field=name) from None


def _in_front(body: bytes, name: str, item: bytes) -> bytes:
    fields = fields_of(body)
    if not _is_list(fields, name):
        raise BadRequest(f"`{name}` must be a list", field=name)
    items = bytes(fields[name])[1:].lstrip()
    comma = b"" if items.startswith(b"]") else b","
    return splice_field(body, name, b"[" + item + comma + items)


def _removed(body: bytes, name: str) -> bytes:
    fields = fields_of(body)
    if name not in fields:
        return body
    del fields[name]
    return msgspec.json.encode(fields)
