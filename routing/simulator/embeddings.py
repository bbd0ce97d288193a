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
from dataclasses import dataclass, replace

import msgspec
import orjson

from ..conversation import Delta, Usage
from ..errors import BadRequest, UpstreamFailure
from ..model import Piece
from .directives import NONE, Directives
from .director import script_for
from .performance import Performance
from .script import Asked, Script
from .stage import perform
from .voices import openai_chat
from .voices.hearing import count_of, decode, text_of
from .voices.voice import Occasion

DIMENSIONS_DEFAULT = 256
DIMENSIONS_MAX = 4_096
INPUTS_MAX = 2_048
NUMBERS_MAX = 2_000_000
_HALF = 2**31


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request for embeddings asks; every input is bytes."""

    model: str
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
    return Wanted(text_of(asked, "model"), inputs, dimensions, packed=form == "base64")


def perform_embeddings(
    wanted: Wanted, occasion: Occasion, control: Directives = NONE
) -> Performance:
    """Give what is sent for a request; directives hold as for a chat.

    Raises:
        BadRequest: the directives in the model's name are not valid.
    """
    size = sum(len(data) for data in wanted.inputs)
    script = script_for(Asked(model=wanted.model, said="", input_bytes=size), control)
    body = _answer(script, wanted)
    if script.breakdown is None:
        script = replace(script, steps=())
    return perform(script, openai_chat, occasion, stream=False, body=body)


class EmbeddingsReader:
    """Turns the body of an answer into one Piece, as wire.pieces does for chats.

    Args:
        bytes_max: the most bytes that are kept.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._body = bytearray()

    def feed(self, data: bytes) -> Sequence[Piece]:
        """Keep the bytes.

        Raises:
            UpstreamFailure: they are too many.
        """
        if len(self._body) + len(data) > self._bytes_max:
            raise UpstreamFailure(
                f"the answer is larger than {self._bytes_max} bytes", kind="too_large"
            )
        self._body += data
        return ()

    def end(self) -> Sequence[Piece]:
        """Give the answer.

        Raises:
            UpstreamFailure: the bytes are no answer with embeddings.
        """
        body = bytes(self._body)
        try:
            told = _told.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UpstreamFailure(
                f"the simulated embeddings are malformed: {error}", kind="malformed"
            ) from error
        usage = Usage(input_tokens=told.usage.prompt_tokens) if told.usage is not None else None
        return (Piece(body, Delta(content=True, usage=usage, model=told.model, ended=True)),)


class _Usage(msgspec.Struct):
    prompt_tokens: int


class _Told(msgspec.Struct):
    data: msgspec.Raw
    model: str
    usage: _Usage | None = None


_told = msgspec.json.Decoder(_Told)


def unit_vector(data: bytes, dimensions: int) -> list[float]:
    """Give the vector of length 1 that stands for the bytes."""
    drawn = hashlib.shake_128(data).digest(4 * dimensions)
    raw = [number - _HALF + 0.5 for number in struct.unpack(f"<{dimensions}I", drawn)]
    length = math.sqrt(sum(value * value for value in raw))
    return [value / length for value in raw]


def _answer(script: Script, wanted: Wanted) -> bytes:
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
