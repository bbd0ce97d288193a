"""The OpenAI Responses dialect as one object."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from ...conversation import Chat, Delta
from ...errors import RoutingError
from ...model import Dialect, Features
from ..codec import Head, Rendered, Sniffer, StreamReader, StreamWriter
from ..failures import message_in, openai_error
from ..families import family_of_input
from ..features import (
    ABSENT,
    ModelName,
    TokenLimit,
    decode_routed,
    holds,
    input_tokens,
    input_tokens_max,
    is_filled_list,
)
from ..fields import Fields, body_fields, encode
from ..sniffing import SseSniffer, WholeSniffer
from ..sse import SseReader
from .answer import parse_answer, render_answer, sniff_answer
from .parse import parse_request
from .render import render_request
from .stream import EVENT_BYTES_MAX, RARE, ResponseReader
from .tools import DIALECT
from .writer import ResponseWriter

_IMAGES = re.compile(rb'"type"\s*:\s*"input_image"')
# Some clients write their tools among the input.
_TOOLS = b'"additional_tools"'
_TEXT_OR_LIST = b'"['
# Where the conversation may come from instead of `input`.
_STORED = ("previous_response_id", "conversation", "prompt")


class _Routed(msgspec.Struct, gc=False):
    model: ModelName
    input: msgspec.Raw = ABSENT
    stream: bool | None = None
    max_output_tokens: TokenLimit | None = None
    tools: msgspec.Raw = ABSENT
    text: msgspec.Raw = ABSENT


_decoder = msgspec.json.Decoder(_Routed)

_WHOLE = WholeSniffer(sniff_answer)


@dataclass(frozen=True, slots=True)
class OpenaiResponses:
    """OpenAI's Responses."""

    name: Dialect = DIALECT

    def read_features(self, body: bytes) -> tuple[str, Features]:
        routed = decode_routed(_decoder, body, _explain)
        if not routed.input or memoryview(routed.input)[0] not in _TEXT_OR_LIST:
            _require_input(body)
        return routed.model, Features(
            stream=bool(routed.stream),
            input_tokens=input_tokens(body),
            input_tokens_max=input_tokens_max(body),
            output_tokens_max=routed.max_output_tokens,
            tools=is_filled_list(routed.tools) or _TOOLS in body,
            images=_IMAGES.search(body) is not None,
            json_schema=holds(routed.text, b'"json_schema"'),
            family=family_of_input(routed.input),
        )

    def parse_request(self, body: bytes) -> Chat:
        return parse_request(body)

    def render_request(self, chat: Chat, *, model: str) -> Rendered:
        return render_request(chat, model=model)

    def path(self, *, model: str, stream: bool) -> str:
        return "/responses"

    def sniffer(self, *, stream: bool) -> Sniffer:
        if stream:
            return SseSniffer(ResponseReader().read, RARE, EVENT_BYTES_MAX)
        return _WHOLE

    def reader(self) -> StreamReader:
        return SseReader(ResponseReader().read, EVENT_BYTES_MAX)

    def parse_answer(self, body: bytes) -> Sequence[Delta]:
        return parse_answer(body)

    def writer(self, head: Head) -> StreamWriter:
        return ResponseWriter(head)

    def render_answer(self, deltas: Sequence[Delta], head: Head) -> bytes:
        return render_answer(deltas, head)

    def render_error(self, error: RoutingError, *, request_id: str) -> bytes:
        return encode({"error": openai_error(error)})

    def error_message(self, body: bytes) -> str | None:
        return message_in(body)


def _require_input(body: bytes) -> None:
    """Raise BadRequest unless the conversation is kept at the provider."""
    fields = body_fields(body)
    if fields.has("input") or not any(fields.has(name) for name in _STORED):
        raise fields.wrong("input", "a string or a list of items")


def _explain(fields: Fields) -> None:
    if not fields.text("model"):
        raise fields.wrong("model", "the name of a model")
    fields.flag_or_none("stream")
    fields.tokens_or_none("max_output_tokens")
