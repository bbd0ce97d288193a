"""Simulated embeddings: unit vectors that depend on the text alone.

The same text always gives the same vector, another text gives one that is nearly at a right
angle to it, as random directions in a space of many dimensions are. They carry no meaning.

Source: OpenAI API reference, "Embeddings", October 2026: `input` is a text, texts, tokens or
lists of tokens; `encoding_format` float or base64 (little-endian 32-bit floats).
"""

import base64
import hashlib
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from ..errors import BadRequest
from .script import Script
from .voices.hearing import count_of, decode

DIMENSIONS_DEFAULT = 256
DIMENSIONS_MAX = 4_096
INPUTS_MAX = 2_048
NUMBERS_MAX = 2_000_000
_HALF = 2**31


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request for embeddings asks; every input is bytes."""

    inputs: tuple[bytes, ...]
    dimensions: int
    packed: bool


def read_embeddings(body: bytes) -> Wanted:
    """Give what a request for embeddings asks.

    Raises:
        BadRequest: a field is missing, of the wrong kind or out of bounds.
    """
    asked = decode(body)
    inputs = _inputs(asked.get("input"))
    dimensions = count_of(asked, "dimensions") or DIMENSIONS_DEFAULT
    if len(inputs) > INPUTS_MAX:
        raise BadRequest(f"`input` holds at most {INPUTS_MAX} texts", field="input")
    if dimensions > DIMENSIONS_MAX or dimensions * len(inputs) > NUMBERS_MAX:
        raise BadRequest(
            f"`dimensions` is at most {DIMENSIONS_MAX}, and an answer holds at most "
            f"{NUMBERS_MAX} numbers",
            field="dimensions",
        )
    form = asked.get("encoding_format") or "float"
    if form not in ("float", "base64"):
        raise BadRequest("`encoding_format` is float or base64", field="encoding_format")
    return Wanted(inputs, dimensions, packed=form == "base64")


def answer_embeddings(wanted: Wanted, script: Script) -> bytes:
    """Give the vectors that a request asks for."""
    rows = []
    for index, data in enumerate(wanted.inputs):
        vector = unit_vector(data, wanted.dimensions)
        shown = _packed(vector) if wanted.packed else vector
        rows.append({"object": "embedding", "index": index, "embedding": shown})
    answer: dict[str, object] = {"object": "list", "data": rows, "model": script.model}
    if script.usage is not None:
        count = script.usage.input_tokens
        answer["usage"] = {"prompt_tokens": count, "total_tokens": count}
    return orjson.dumps(answer)


def unit_vector(data: bytes, dimensions: int) -> list[float]:
    """Give the vector of length 1 that stands for the bytes."""
    drawn = hashlib.shake_128(data).digest(4 * dimensions)
    raw = [number - _HALF + 0.5 for number in struct.unpack(f"<{dimensions}I", drawn)]
    length = math.sqrt(sum(value * value for value in raw))
    return [value / length for value in raw]


def _packed(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _inputs(given: object) -> tuple[bytes, ...]:
    """Give each input as bytes; a list of numbers is one input of tokens."""
    match given:
        case str(text) if text:
            return (text.encode(),)
        case [int(), *_]:
            return (_tokens(given),)
        case [str() | list(), *_] as items:
            return tuple(
                item.encode() if isinstance(item, str) else _tokens(item) for item in items
            )
        case _:
            raise BadRequest("`input` is a text, texts, tokens or lists of tokens", field="input")


def _tokens(given: object) -> bytes:
    if not isinstance(given, list) or not all(
        isinstance(one, int) and 0 <= one < 2**32 for one in given
    ):
        raise BadRequest("a list of tokens holds whole numbers", field="input")
    return struct.pack(f"<{len(given)}I", *given)
