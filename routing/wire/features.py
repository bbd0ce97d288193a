"""What a decision reads of a body, without reading the body.

Each dialect declares a struct with the routed fields alone; msgspec skips over the rest. A
body that does not fit is read a second time, field by field, to say which one is wrong.
"""

import re
from codecs import utf_8_decode
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

import msgspec

from ..errors import BadRequest
from .families import Turn
from .fields import OUTPUT_TOKENS_MAX, Fields, body_fields

# No tokenizer that works on bytes makes more tokens than bytes; the rest is what chat
# templates add around the turns.
TEMPLATE_TOKENS_MAX = 64
# English text has about four bytes a token; an estimate, never a bound.
BYTES_PER_TOKEN = 4

# Source: OpenAI API reference, "n", read 2026-11.
CHOICES_MAX = 128

CHECKED_BYTES = 2**15
"""What is checked of a body at once: all of a large one would be copied into fresh memory."""

ModelName = Annotated[str, msgspec.Meta(min_length=1)]
TokenLimit = Annotated[int, msgspec.Meta(ge=0, le=OUTPUT_TOKENS_MAX)]
Choices = Annotated[int, msgspec.Meta(ge=1, le=CHOICES_MAX)]
ABSENT = msgspec.Raw()

Routed = TypeVar("Routed")

_LIST = ord("[")
_FILLED = re.compile(rb"\[[ \t\r\n]*+[^\]]")


def decode_routed(
    decoder: "msgspec.json.Decoder[Routed]", body: bytes, explain: Callable[[Fields], None]
) -> Routed:
    """Give the routed fields of a body.

    Args:
        decoder: of the dialect's struct.
        body: the client's bytes.
        explain: raises BadRequest for the field that is wrong.

    Raises:
        BadRequest: always naming the field, unless the whole body is at fault.
    """
    try:
        _require_utf8(body)
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        fields = body_fields(body)
        explain(fields)
        raise BadRequest(f"the body is not valid: {error}") from None


def explain_turns(fields: Fields, name: str) -> None:
    """Raise BadRequest for turns that no dialect would write: of these only the roles are read."""
    for turn in fields.items(name):
        turn.text_or_none("role")


def is_filled_list(raw: msgspec.Raw) -> bool:
    """Whether a raw value is a list with something in it."""
    return bool(raw) and _FILLED.match(raw) is not None


def holds(raw: msgspec.Raw, word: bytes) -> bool:
    """Whether a small raw value holds some bytes."""
    return bool(raw) and word in bytes(raw)


def show(turns: Sequence[Turn], mark: re.Pattern[bytes]) -> bool:
    """Whether a turn's list of parts has the mark; a turn that is only text cannot have it."""
    for turn in turns:
        content = turn.content
        if content and memoryview(content)[0] == _LIST and mark.search(content) is not None:
            return True
    return False


def input_tokens(body: bytes) -> int:
    """Give an estimate of a body's tokens, at least 1."""
    return len(body) // BYTES_PER_TOKEN or 1


def input_tokens_max(body: bytes) -> int:
    """Give a bound on a body's tokens that holds for every byte-level tokenizer."""
    return len(body) + TEMPLATE_TOKENS_MAX


def _require_utf8(body: bytes) -> None:
    """Raise UnicodeDecodeError: what is skipped is not checked, but goes on to the provider."""
    if body.isascii():
        return
    view, at, size = memoryview(body), 0, len(body)
    while at < size:
        end = at + CHECKED_BYTES
        at += utf_8_decode(view[at:end], "strict", end >= size)[1]
