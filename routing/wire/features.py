"""What a decision reads of a body, without reading the body.

Each dialect declares a struct with the routed fields alone; msgspec skips over the rest. A
body that does not fit is read a second time, field by field, to say which one is wrong.
"""

from collections.abc import Callable
from typing import Annotated, TypeVar

import msgspec

from ..errors import BadRequest
from .fields import OUTPUT_TOKENS_MAX, Fields, body_fields

# No tokenizer that works on bytes makes more tokens than bytes; the rest is what chat
# templates add around the turns.
TEMPLATE_TOKENS_MAX = 64
# English text has about four bytes a token; an estimate, never a bound.
BYTES_PER_TOKEN = 4

# Source: OpenAI API reference, "n", read 2026-11.
CHOICES_MAX = 128

ModelName = Annotated[str, msgspec.Meta(min_length=1)]
TokenLimit = Annotated[int, msgspec.Meta(ge=0, le=OUTPUT_TOKENS_MAX)]
Choices = Annotated[int, msgspec.Meta(ge=1, le=CHOICES_MAX)]
ABSENT = msgspec.Raw()

Routed = TypeVar("Routed")

_LIST = ord("[")


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
        if not body.isascii():
            str(body, "utf-8")  # what is skipped is not checked, but goes on to the provider
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        fields = body_fields(body)
        explain(fields)
        raise BadRequest(f"the body is not valid: {error}") from None


def is_list(raw: msgspec.Raw) -> bool:
    """Whether a raw value is a list."""
    view = memoryview(raw)
    return bool(view) and view[0] == _LIST


def is_filled_list(raw: msgspec.Raw) -> bool:
    """Whether a raw value is a list with something in it."""
    view = memoryview(raw)
    if not view or view[0] != _LIST:
        return False
    return not bytes(view[1:64]).lstrip().startswith(b"]")


def holds(raw: msgspec.Raw, word: bytes) -> bool:
    """Whether a small raw value holds some bytes."""
    return word in bytes(raw)


def input_tokens(body: bytes) -> int:
    """Give an estimate of a body's tokens, at least 1."""
    return max(1, len(body) // BYTES_PER_TOKEN)


def input_tokens_max(body: bytes) -> int:
    """Give a bound on a body's tokens that holds for every byte-level tokenizer."""
    return len(body) + TEMPLATE_TOKENS_MAX
