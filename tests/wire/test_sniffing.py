"""A forwarded answer is watched, not read."""

import json
import sys
from collections.abc import Sequence
from types import FrameType

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.conversation import AnswerError, Delta, Usage
from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Dialect
from omniroute.routing.wire.sniffing import summary
from omniroute.routing.wire.table import codec

from .answers import DIALECTS, HEAD, chunked, golden, read, sniffed, streamed

STREAMS: list[tuple[Dialect, str]] = [
    ("openai_chat", "text.stream"),
    ("openai_chat", "tools.stream"),
    ("openai_chat", "reasoning.stream"),
    ("anthropic", "text.stream"),
    ("anthropic", "tools.stream"),
    ("anthropic", "overloaded.stream"),
    ("openai_responses", "tools.stream"),
    ("gemini", "tools.stream"),
]
CUTS = st.lists(st.integers(0, 10_000), max_size=40)
ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'


def _all(deltas: Sequence[Delta]) -> Delta:
    content = any(delta.content for delta in deltas)
    return summary(deltas, content=content)


def _chunk(delta: str, *, finish: str = "null", usage: str = "null") -> bytes:
    choice = f'{{"index":0,"delta":{delta},"finish_reason":{finish}}}'
    return f'data: {{"id":"c","model":"m","choices":[{choice}],"usage":{usage}}}\n\n'.encode()


@pytest.mark.parametrize(("dialect", "case"), STREAMS)
@given(cuts=CUTS)
def test_any_chunking_is_read_alike(dialect: Dialect, case: str, cuts: list[int]) -> None:
    stream = golden(dialect, case)

    assert read(dialect, chunked(stream, cuts)) == read(dialect, [stream])


@pytest.mark.parametrize(("dialect", "case"), STREAMS)
@given(cuts=CUTS)
def test_any_chunking_is_sniffed_alike(dialect: Dialect, case: str, cuts: list[int]) -> None:
    stream = golden(dialect, case)

    whole, parts = sniffed(dialect, [stream]), sniffed(dialect, chunked(stream, cuts))

    assert _all(parts) == _all(whole)
    assert len(parts) <= 4
    assert [delta.content for delta in parts].count(True) <= 1


@pytest.mark.parametrize(("dialect", "case"), STREAMS)
@given(cuts=CUTS)
def test_plain_bytes_may_be_left_out(dialect: Dialect, case: str, cuts: list[int]) -> None:
    parts = chunked(golden(dialect, case), cuts)

    found = _without_plain(dialect, parts)

    assert _all(found) == _all(sniffed(dialect, parts))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_follows_an_event_that_is_not_complete_is_not_plain(dialect: Dialect) -> None:
    *begun, word = _long_stream(dialect, words=50)[:40]
    sniffer = codec(dialect).sniffer(stream=True)
    for event in begun:
        sniffer.feed(event)

    alone = sniffer.is_plain(word)
    sniffer.feed(word[:-1])

    assert alone
    assert not sniffer.is_plain(word)


@pytest.mark.parametrize(("dialect", "case"), STREAMS)
def test_sniffing_finds_what_reading_finds(dialect: Dialect, case: str) -> None:
    stream = golden(dialect, case)
    deltas = read(dialect, [stream])

    (found,) = sniffed(dialect, [stream])

    assert found == summary(deltas, content=any(delta.has_content for delta in deltas))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_stream_of_200_events_gives_at_most_four_deltas(dialect: Dialect) -> None:
    feeds = _long_stream(dialect, words=200)

    deltas = sniffed(dialect, feeds)

    assert len(feeds) >= 200
    assert len(deltas) <= 4
    assert _all(deltas).content
    assert _all(deltas).usage == Usage(10, 200)
    assert _all(deltas).ended


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_event_that_is_only_forwarded_is_not_decoded(dialect: Dialect) -> None:
    few, many = (_long_stream(dialect, words=words) for words in (20, 400))

    decoded = _decoded(dialect, few)

    assert 0 < decoded <= 12
    assert _decoded(dialect, many) == decoded


def _without_plain(dialect: Dialect, parts: list[bytes]) -> list[Delta]:
    sniffer = codec(dialect).sniffer(stream=True)
    found = [None if sniffer.is_plain(part) else sniffer.feed(part) for part in parts]
    return [delta for delta in found if delta is not None]


def _long_stream(dialect: Dialect, *, words: int) -> list[bytes]:
    deltas = [Delta(text=f"word {number} ") for number in range(words)]
    ending = [Delta(finish="stop", ended=True), Delta(usage=Usage(10, 200), ended=True)]
    stream = streamed(dialect, [*deltas, *ending])
    return [event + b"\n\n" for event in stream.split(b"\n\n")[:-1]]


def _decoded(dialect: Dialect, feeds: list[bytes]) -> int:
    """Count how often JSON is decoded while the stream is sniffed."""
    found = 0

    def count(frame: FrameType, event: str, called: object) -> None:
        nonlocal found
        decoder = getattr(called, "__self__", None) if event == "c_call" else None
        found += isinstance(decoder, msgspec.json.Decoder) or called is msgspec.json.decode

    sys.setprofile(count)
    try:
        sniffed(dialect, feeds)
    finally:
        sys.setprofile(None)
    return found


def test_a_role_is_no_content() -> None:
    sniffer = codec("openai_chat").sniffer(stream=True)

    assert sniffer.feed(ROLE) is None
    assert sniffer.feed(_chunk('{"content":""}')) is None
    assert sniffer.feed(_chunk('{"content":"x"}')) == Delta(content=True, model="m", answer_id="c")
    assert sniffer.feed(_chunk('{"content":"y"}')) is None


@pytest.mark.parametrize(
    "delta",
    [
        '{"reasoning_content":"hm"}',
        '{"reasoning":"hm"}',
        '{"refusal":"no"}',
        '{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":""}}]}',
        '{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}',
        '{"audio":{"data":"AAAA"}}',
        '{"images":[{"type":"image_url"}]}',
    ],
)
def test_all_that_a_client_sees_is_content(delta: str) -> None:
    found = codec("openai_chat").sniffer(stream=True).feed(_chunk(delta))

    assert found is not None
    assert found.content


def test_anthropics_start_and_ping_are_no_content() -> None:
    text = golden("anthropic", "text.stream")
    sniffer = codec("anthropic").sniffer(stream=True)

    found = sniffer.feed(text[: text.index(b"event: content_block_delta")])

    assert found == Delta(
        usage=Usage(135, 1, 100, 10),
        model="claude-sonnet-4-5-20250929",
        answer_id="msg_013Zva2CMHLNnXjNJJKqJ2EF",
    )


def test_spaces_in_the_json_hide_nothing() -> None:
    sniffer = codec("openai_chat").sniffer(stream=True)
    sniffer.feed(_chunk('{"content":"x"}'))

    found = sniffer.feed(
        b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason" : "length"}], '
        b'"usage" : {"prompt_tokens": 1, "completion_tokens": 2}}\n\n'
    )

    assert found == Delta(finish="length", usage=Usage(1, 2), ended=True)


def test_words_of_the_protocol_in_a_text_are_text() -> None:
    sniffer = codec("openai_chat").sniffer(stream=True)
    sniffer.feed(_chunk('{"content":"x"}'))
    said = json.dumps({"content": '[DONE] "usage":{"prompt_tokens":1} "finish_reason":"stop"'})

    assert sniffer.feed(_chunk(said)) is None


def test_a_finish_without_done_has_ended() -> None:
    found = (
        codec("openai_chat").sniffer(stream=True).feed(_chunk('{"content":"x"}', finish='"stop"'))
    )

    assert found is not None
    assert found.ended


def test_a_stream_that_stops_early_has_not_ended() -> None:
    for dialect, case in STREAMS[:2]:
        stream = golden(dialect, case)

        cut = stream[: stream.index(b'"finish_reason":"')]

        assert not any(delta.ended for delta in sniffed(dialect, [cut]))


@pytest.mark.parametrize(
    ("dialect", "event", "error"),
    [
        (
            "openai_chat",
            b'data: {"error":{"message":"slow down","code":"rate_limit_exceeded"}}\n\n',
            AnswerError("rate_limited", "slow down"),
        ),
        (
            "openai_chat",
            b'data: {"error":"broken"}\n\n',
            AnswerError("server_error", "broken"),
        ),
        (
            "anthropic",
            b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error",'
            b'"message":"Overloaded"}}\n\n',
            AnswerError("overloaded", "Overloaded"),
        ),
        (
            "openai_responses",
            b'event: error\ndata: {"type":"error","code":"server_error","message":"sorry",'
            b'"param":null,"sequence_number":3}\n\n',
            AnswerError("server_error", "sorry"),
        ),
        (
            "gemini",
            b'data: {"error":{"code":503,"message":"The model is overloaded.",'
            b'"status":"UNAVAILABLE"}}\n\n',
            AnswerError("overloaded", "The model is overloaded."),
        ),
    ],
)
def test_an_error_in_a_stream_is_found_before_and_after_content(
    dialect: Dialect, event: bytes, error: AnswerError
) -> None:
    begun = codec(dialect).writer(HEAD).write(Delta(text="x"))

    before = sniffed(dialect, [event])
    after = sniffed(dialect, [begun, event])

    assert [delta.error for delta in before] == [error]
    assert [delta.error for delta in after] == [None, error]
    assert read(dialect, [event])[-1].error == error


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "data",
    [
        b"data: {broken\n\n",
        b'data: {"type":"\xff","model":"\xff","modelVersion":"\xff"}\n\n',
        b"data: []\n\n",
    ],
)
def test_a_broken_event_is_malformed(dialect: Dialect, data: bytes) -> None:
    with pytest.raises(UpstreamFailure) as sniffing:
        sniffed(dialect, [data])
    with pytest.raises(UpstreamFailure) as reading:
        read(dialect, [data])

    assert (sniffing.value.kind, reading.value.kind) == ("malformed", "malformed")


@pytest.mark.parametrize("dialect", ["openai_chat", "anthropic"])
def test_an_event_of_five_megabytes_is_too_large(dialect: Dialect) -> None:
    feeds = [b"data: {" + b"x" * 2**20] * 5

    with pytest.raises(UpstreamFailure) as sniffing:
        sniffed(dialect, feeds)

    assert sniffing.value.kind == "too_large"


@pytest.mark.parametrize(("dialect", "case"), STREAMS)
def test_a_done_that_is_not_the_dialects_own_does_no_harm(dialect: Dialect, case: str) -> None:
    stream = golden(dialect, case)

    assert _all(sniffed(dialect, [stream, b"data: [DONE]\n\n"])).error == (
        _all(sniffed(dialect, [stream])).error
    )
    assert read(dialect, [stream, b"data: [DONE]\n\n"])
