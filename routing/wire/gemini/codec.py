"""The Gemini generateContent dialect as one object."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

import msgspec

from ...conversation import Chat, Delta
from ...errors import RoutingError
from ...model import Dialect, Features
from ..codec import Head, Rendered, Sniffer, StreamReader, StreamWriter
from ..failures import message_in
from ..families import Turn, family_of_turns
from ..features import (
    ABSENT,
    CHOICES_MAX,
    Choices,
    TokenLimit,
    decode_routed,
    explain_turns,
    input_tokens,
    input_tokens_max,
    is_filled_list,
)
from ..fields import Fields, encode
from ..sniffing import SseSniffer, WholeSniffer
from ..sse import SseReader
from .answer import parse_answer, render_answer, sniff_answer
from .media import DIALECT
from .parse import parse_request
from .render import render_request
from .stream import EVENT_BYTES_MAX, RARE, ChunkWriter, EventReader, error_json

_IMAGES = re.compile(rb'"(?:inlineData|inline_data|fileData|file_data)"\s*:\s*\{')


class _Config(msgspec.Struct, rename="camel", gc=False):
    max_output_tokens: TokenLimit | None = None
    max_output_tokens_snake: TokenLimit | None = msgspec.field(
        default=None, name="max_output_tokens"
    )
    candidate_count: Choices | None = None
    candidate_count_snake: Choices | None = msgspec.field(default=None, name="candidate_count")
    response_mime_type: str | None = None
    response_mime_type_snake: str | None = msgspec.field(default=None, name="response_mime_type")


class _Routed(msgspec.Struct, rename="camel", gc=False):
    contents: list[Turn]
    generation_config: _Config | None = None
    generation_config_snake: _Config | None = msgspec.field(default=None, name="generation_config")
    tools: msgspec.Raw = ABSENT


_JSON_TYPE = "application/json"

_decoder = msgspec.json.Decoder(_Routed)

_WHOLE = WholeSniffer(sniff_answer)


@dataclass(frozen=True, slots=True)
class Gemini:
    """Google's Gemini API. An account's base URL ends in /v1beta."""

    name: Dialect = DIALECT

    def read_features(self, body: bytes) -> tuple[str, Features]:
        """Give "" and what a decision reads: the model and the mode stand in the path.

        The bound may be written in either case of letters, as Google's servers read it.
        """
        routed = decode_routed(_decoder, body, _explain)
        config = routed.generation_config or routed.generation_config_snake or _Config()
        limits = (config.max_output_tokens, config.max_output_tokens_snake)
        limit = max((one for one in limits if one is not None), default=None)
        choices = config.candidate_count or config.candidate_count_snake
        if limit is not None and choices is not None:
            limit *= choices
        return "", Features(
            stream=False,
            input_tokens=input_tokens(body),
            input_tokens_max=input_tokens_max(body),
            output_tokens_max=limit,
            tools=is_filled_list(routed.tools),
            images=_IMAGES.search(body) is not None,
            json_schema=_JSON_TYPE in (config.response_mime_type, config.response_mime_type_snake),
            family=family_of_turns(routed.contents),
            choices=choices or 1,
        )

    def parse_request(self, body: bytes) -> Chat:
        return parse_request(body)

    def render_request(self, chat: Chat, *, model: str) -> Rendered:
        return render_request(chat, model=model)

    def path(self, *, model: str, stream: bool) -> str:
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return f"/models/{quote(model, safe='')}:{method}"

    def sniffer(self, *, stream: bool) -> Sniffer:
        if stream:
            return SseSniffer(EventReader().read, RARE, EVENT_BYTES_MAX)
        return _WHOLE

    def reader(self) -> StreamReader:
        return SseReader(EventReader().read, EVENT_BYTES_MAX)

    def parse_answer(self, body: bytes) -> Sequence[Delta]:
        return parse_answer(body)

    def writer(self, head: Head) -> StreamWriter:
        return ChunkWriter(head)

    def render_answer(self, deltas: Sequence[Delta], head: Head) -> bytes:
        return render_answer(deltas, head)

    def render_error(self, error: RoutingError, *, request_id: str) -> bytes:
        return encode(error_json(error))

    def error_message(self, body: bytes) -> str | None:
        return message_in(body)


def _explain(fields: Fields) -> None:
    if not fields.has("contents"):
        raise fields.wrong("contents", "a list")
    explain_turns(fields, "contents")
    for name in ("generationConfig", "generation_config"):
        config = fields.child_or_none(name)
        if config is None:
            continue
        for limit in ("maxOutputTokens", "max_output_tokens"):
            config.tokens_or_none(limit)
        for kind in ("responseMimeType", "response_mime_type"):
            config.text_or_none(kind)
        for choices in ("candidateCount", "candidate_count"):
            if config.has(choices):
                raise config.wrong(choices, f"an integer from 1 to {CHOICES_MAX}")
