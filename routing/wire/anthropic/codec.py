"""The Anthropic Messages dialect as one object."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from ...conversation import Chat, Delta
from ...errors import BadRequest, RoutingError, UpstreamFailure
from ...model import Dialect, Features
from ..codec import Head, Rendered, Sniffer, StreamReader, StreamWriter
from ..failures import message_in
from ..families import Turn, family_of_turns
from ..features import (
    ABSENT,
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
from .blocks import DIALECT
from .parse import parse_request
from .render import render_request
from .stream import RARE, MessageReader
from .writer import MessageWriter, error_json

UNTHREADED = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
"""What Anthropic's SDK takes as the word to send the whole conversation with each turn.

Source: anthropic-sdk-python 2.12, lib/threads, read 2026-11-22: a conversation that the vendor
holds is begun with `thread`, and a provider of another dialect holds none.
"""

_IMAGES = re.compile(rb'"type"\s*:\s*"image"')


class _Routed(msgspec.Struct, gc=False):
    model: ModelName
    messages: list[Turn]
    stream: bool | None = None
    max_tokens: TokenLimit | None = None
    tools: msgspec.Raw = ABSENT
    output_config: msgspec.Raw = ABSENT


_decoder = msgspec.json.Decoder(_Routed)

_WHOLE = WholeSniffer(sniff_answer)


@dataclass(frozen=True, slots=True)
class Anthropic:
    """Anthropic's Messages. An account's base URL ends in /v1."""

    name: Dialect = DIALECT

    def read_features(self, body: bytes) -> tuple[str, Features]:
        routed = decode_routed(_decoder, body, _explain)
        return routed.model, Features(
            stream=bool(routed.stream),
            input_tokens=input_tokens(body),
            input_tokens_max=input_tokens_max(body),
            output_tokens_max=routed.max_tokens,
            tools=is_filled_list(routed.tools),
            images=show(routed.messages, _IMAGES),
            json_schema=holds(routed.output_config, b'"json_schema"'),
            family=family_of_turns(routed.messages),
        )

    def parse_request(self, body: bytes) -> Chat:
        return parse_request(body)

    def render_request(self, chat: Chat, *, model: str) -> Rendered:
        return render_request(chat, model=model)

    def path(self, *, model: str, stream: bool) -> str:
        return "/messages"

    def sniffer(self, *, stream: bool) -> Sniffer:
        return SseSniffer(MessageReader().read, RARE) if stream else _WHOLE

    def reader(self) -> StreamReader:
        return SseReader(MessageReader().read)

    def parse_answer(self, body: bytes) -> Sequence[Delta]:
        return parse_answer(body)

    def writer(self, head: Head) -> StreamWriter:
        return MessageWriter(head)

    def render_answer(self, deltas: Sequence[Delta], head: Head) -> bytes:
        return render_answer(deltas, head)

    def render_error(self, error: RoutingError, *, request_id: str) -> bytes:
        said = error_json(error)
        inner = said["error"]
        # What a renderer refuses comes as the failure of the candidate that it was for.
        refusal = error.__cause__ if isinstance(error, UpstreamFailure) else error
        of_thread = isinstance(refusal, BadRequest) and refusal.field == "thread"
        if of_thread and isinstance(inner, Mapping):
            said = {**said, "error": {**inner, "details": UNTHREADED}}
        return encode({**said, "request_id": request_id})

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
