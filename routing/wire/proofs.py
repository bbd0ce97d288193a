"""Proofs of other vendors' thoughts, in bodies that go on in the dialect they came in.

A conversation that one vendor's model has begun may go on with another's: after a failure, or
because a combo chose so. Its thoughts carry the first one's proofs then, and the second one
refuses a body that holds them. So they are taken out, thought by thought, and everything else
stays as it was; a body without them, which nearly all are, is not touched.

Source: Anthropic API reference, "Extended thinking", and OpenAI's, "Reasoning models", read
2026-11: a proof is checked, and one that does not hold is an error.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from ..model import Dialect
from .signatures import CARRIED, is_foreign

_MARKS: Mapping[Dialect, tuple[bytes, ...]] = {
    "anthropic": (b'"gemini#', b'"openai_responses#', b'"openai_chat#'),
    "openai_responses": tuple(f'"{mark}'.encode() for mark in CARRIED),
}
PROVEN = frozenset(_MARKS)
"""The dialects whose bodies hold proofs that a provider checks."""

_THOUGHTS = ("thinking", "redacted_thinking", "reasoning")
_PROOFS = ("signature", "data", "encrypted_content")


def without_foreign_proofs(body: bytes, dialect: Dialect) -> bytes | None:
    """Give a body without the thoughts that another vendor has proven; None where it has none.

    Args:
        body: of a request in one of the dialects that are PROVEN.
        dialect: of the body.
    """
    if not any(mark in body for mark in _MARKS[dialect]):
        return None
    try:
        asked = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # the provider says what it thinks of it
    if not isinstance(asked, dict):
        return None
    if dialect == "openai_responses":
        return _encoded({**asked, "input": _kept(asked.get("input"), dialect)})
    messages = asked.get("messages")
    if not isinstance(messages, list):
        return None
    return _encoded({**asked, "messages": [one for one in _turns(messages, dialect) if one]})


def _turns(messages: list[Any], dialect: Dialect) -> list[Any]:
    """Give the turns without such thoughts, and None for those that were nothing else."""
    turns: list[Any] = []
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        left = _kept(content, dialect)
        if left == content:
            turns.append(message)
        else:
            turns.append({**message, "content": left} if left else None)
    return turns


def _kept(items: Any, dialect: Dialect) -> Any:
    if not isinstance(items, list):
        return items
    return [item for item in items if not _is_foreign_thought(item, dialect)]


def _is_foreign_thought(item: object, dialect: Dialect) -> bool:
    if not isinstance(item, dict) or item.get("type") not in _THOUGHTS:
        return False
    return any(is_foreign(item.get(name), dialect) for name in _PROOFS)


def _encoded(asked: dict[str, Any]) -> bytes | None:
    try:
        return msgspec.json.encode(asked)
    except RecursionError:
        return None
