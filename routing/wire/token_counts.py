"""How many tokens a conversation has: asked of a provider of its dialect, or estimated.

Three dialects have an endpoint that counts without answering. Its body is a chat's body, but for
Gemini's, which may wrap one. Chat completions have none.

An estimate is the bytes of what a model reads, divided; what is no text counts as what such
parts usually are, never as the bytes of its base64.

Sources: Anthropic API reference, "Count Message tokens"; OpenAI API reference, "Get input token
counts"; Gemini API reference, "Counting tokens"; all read 2026-11.
"""

from urllib.parse import quote

import msgspec

from ..conversation import Audio, Chat, Document, Image, Part, Reasoning, Text, ToolCall, ToolResult
from ..errors import BadRequest
from ..model import Dialect
from .features import BYTES_PER_TOKEN
from .fields import encode
from .splice import fields_of, splice_field, splice_model
from .table import codec

IMAGE_TOKENS = 1_200
DOCUMENT_TOKENS = 3_000
"""A document that has to be unpacked to be read: two pages."""
AUDIO_TOKENS = 1_000
TURN_TOKENS = 4
"""What a turn costs beside its words."""

_WRAPPED = "generateContentRequest"
_KEPT_ELSEWHERE = ("previous_response_id", "conversation")


def asked_to_count(dialect: Dialect, body: bytes) -> tuple[str, bytes]:
    """Give the asked model, "" where it stands in the path, and the chat's body to be counted.

    Raises:
        BadRequest: the body is not one of this dialect.
    """
    chat = body
    if dialect == "gemini" and (wrapped := fields_of(body).get(_WRAPPED)) is not None:
        chat = bytes(wrapped)
    return codec(dialect).read_features(chat)[0], chat


def can_be_asked(dialect: Dialect, chat: bytes) -> bool:
    """Whether a provider can count it: the conversation is in it in full."""
    return not any(name in fields_of(chat) for name in _KEPT_ELSEWHERE)


def count_path(dialect: Dialect, model: str) -> str | None:
    """Give the path below an account's base URL, None where the dialect has none."""
    match dialect:
        case "anthropic":
            return "/messages/count_tokens"
        case "openai_responses":
            return "/responses/input_tokens"
        case "gemini":
            return f"/models/{quote(model, safe='')}:countTokens"
        case "openai_chat":
            return None


def count_body(dialect: Dialect, body: bytes, *, old: str, new: str) -> bytes:
    """Give the body for a provider, with its own name for the model.

    Raises:
        BadRequest: the model's name stands there twice.
    """
    if dialect != "gemini":
        return splice_model(body, old=old, new=new)
    wrapped = fields_of(body).get(_WRAPPED)
    if wrapped is None:
        return body
    named = splice_field(bytes(wrapped), "model", encode(f"models/{new}"))
    return splice_field(body, _WRAPPED, named)


def count_json(dialect: Dialect, tokens: int) -> bytes:
    """Give a count in the dialect's own words."""
    if dialect == "gemini":
        return encode({"totalTokens": tokens})
    if dialect == "openai_responses":
        return encode({"object": "response.input_tokens", "input_tokens": tokens})
    return encode({"input_tokens": tokens})


def estimated_tokens(dialect: Dialect, chat: bytes) -> int:
    """Give an estimate of what a chat's body has, at least 1."""
    try:
        return max(_of_chat(codec(dialect).parse_request(chat)), 1)
    except BadRequest:
        # What only one vendor knows cannot be taken apart, and is to be counted all the same.
        return max(len(chat) // BYTES_PER_TOKEN, 1)


def _of_chat(chat: Chat) -> int:
    size = tokens = 0
    for message in chat.messages:
        tokens += TURN_TOKENS
        for part in message.parts:
            more, whole = _of_part(part)
            size, tokens = size + more, tokens + whole
    for tool in chat.tools:
        tokens += TURN_TOKENS
        size += len(tool.name) + len(tool.description.encode())
        size += len(msgspec.json.encode((tool.parameters, tool.grammar)))
    if chat.json_schema:
        size += len(msgspec.json.encode(chat.json_schema))
    return tokens + size // BYTES_PER_TOKEN


def _of_part(part: Part) -> tuple[int, int]:
    """Give the bytes of text in a part, and the tokens of what is no text."""
    match part:
        case Text(text=text) | Reasoning(text=text):
            return len(text.encode()), 0
        case ToolCall():
            return len(part.name) + len(part.arguments.encode()), TURN_TOKENS
        case ToolResult():
            found = [_of_part(one) for one in part.parts]
            return sum(size for size, _ in found), TURN_TOKENS + sum(one for _, one in found)
        case Image():
            return 0, IMAGE_TOKENS
        case Document():
            return (len(part.text.encode()), 0) if part.text is not None else (0, DOCUMENT_TOKENS)
        case Audio():
            return 0, AUDIO_TOKENS
