"""The OpenAI chat completions dialect as one object."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from ...conversation import Chat, Delta
from ...errors import RoutingError
from ...model import Dialect, Features
from ..codec import Head, Rendered, Sniffer, StreamReader, StreamWriter
from ..failures import message_in, openai_error
from ..families import Turn, family_of_turns
from ..features import (
    ABSENT,
    CHOICES_MAX,
    Choices,
    ModelName,
    TokenLimit,
    decode_routed,
    explain_turns,
    holds,
    input_tokens,
    input_tokens_max,
    is_filled_list,
    show,
)
from ..fields import Fields, encode
from ..sniffing import SseSniffer, WholeSniffer
from ..sse import SseReader
from .answer import parse_answer, render_answer, sniff_answer
from .custom import CustomWriter, custom_names, restored
from .parse import parse_request
from .render import render_request
from .stream import RARE, ChunkReader, ChunkWriter, TranslatedReader
from .thoughts import DIALECT

_IMAGES = re.compile(rb'"type"\s*:\s*"image')


class _Routed(msgspec.Struct, gc=False):
    model: ModelName
    messages: list[Turn]
    stream: bool | None = None
    max_tokens: TokenLimit | None = None
    max_completion_tokens: TokenLimit | None = None
    n: Choices | None = None
    tools: msgspec.Raw = ABSENT
    response_format: msgspec.Raw = ABSENT


_decoder = msgspec.json.Decoder(_Routed)

_WHOLE = WholeSniffer(sniff_answer)


@dataclass(frozen=True, slots=True)
class OpenaiChat:
    """OpenAI's chat completions, which most providers speak."""

    name: Dialect = DIALECT

    def read_features(self, body: bytes) -> tuple[str, Features]:
        """Give the asked model and what a decision reads.

        With several choices the bound on the answer is that of all of them together.
        """
        routed = decode_routed(_decoder, body, _explain)
        limit, other = routed.max_completion_tokens, routed.max_tokens
        if limit is None or (other is not None and other > limit):
            limit = other
        if limit is not None and routed.n is not None:
            limit *= routed.n
        return routed.model, Features(
            stream=bool(routed.stream),
            input_tokens=input_tokens(body),
            input_tokens_max=input_tokens_max(body),
            output_tokens_max=limit,
            tools=is_filled_list(routed.tools),
            images=show(routed.messages, _IMAGES),
            json_schema=holds(routed.response_format, b'"json_schema"'),
            family=family_of_turns(routed.messages),
            choices=routed.n or 1,
        )

    def parse_request(self, body: bytes) -> Chat:
        return parse_request(body)

    def render_request(self, chat: Chat, *, model: str) -> Rendered:
        return render_request(chat, model=model)

    def path(self, *, model: str, stream: bool) -> str:
        return "/chat/completions"

    def sniffer(self, *, stream: bool) -> Sniffer:
        return SseSniffer(ChunkReader().read, RARE) if stream else _WHOLE

    def reader(self) -> StreamReader:
        return SseReader(TranslatedReader().read)

    def parse_answer(self, body: bytes) -> Sequence[Delta]:
        return parse_answer(body)

    def writer(self, head: Head) -> StreamWriter:
        names = custom_names(head.asked)
        return CustomWriter(ChunkWriter(head), names) if names else ChunkWriter(head)

    def render_answer(self, deltas: Sequence[Delta], head: Head) -> bytes:
        names = custom_names(head.asked)
        return render_answer(restored(deltas, names) if names else deltas, head)

    def render_error(self, error: RoutingError, *, request_id: str) -> bytes:
        return encode({"error": openai_error(error)})

    def error_message(self, body: bytes) -> str | None:
        return message_in(body)


def _explain(fields: Fields) -> None:
    if not fields.text("model"):
        raise fields.wrong("model", "the name of a model")
    if not fields.has("messages"):
        raise fields.wrong("messages", "a list")
    explain_turns(fields, "messages")
    fields.flag_or_none("stream")
    fields.tokens_or_none("max_tokens")
    fields.tokens_or_none("max_completion_tokens")
    if fields.has("n"):
        raise fields.wrong("n", f"an integer from 1 to {CHOICES_MAX}")
