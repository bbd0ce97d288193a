"""Streams out: what is written folds, in the vendors' own way, to the whole answer."""

import json
import logging

import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from omniroute.routing.conversation import Delta, ToolCallDelta, Usage
from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Dialect
from omniroute.routing.wire.codec import Head
from omniroute.routing.wire.table import codec

from .answers import DIALECTS, HEAD, answers, events, folded, read, streamed

OVERLOADED = UpstreamFailure("the provider is overloaded", kind="overloaded")
TEXT = [Delta(text="Os"), Delta(text="lo."), Delta(finish="stop", ended=True)]
CALLS = [
    Delta(text="Let me see."),
    Delta(tool_call=ToolCallDelta(0, "call_a", "get_weather")),
    Delta(tool_call=ToolCallDelta(0, arguments='{"city":')),
    Delta(tool_call=ToolCallDelta(0, arguments='"Oslo"}')),
    Delta(tool_call=ToolCallDelta(1, "call_b", "get_time", "")),
    Delta(finish="tool_calls", ended=True),
]


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(deadline=None)
@given(deltas=answers())
def test_a_stream_folds_to_the_whole_answer(dialect: Dialect, deltas: list[Delta]) -> None:
    stream = streamed(dialect, deltas)

    whole = json.loads(codec(dialect).render_answer(deltas, HEAD))

    assert folded(dialect, stream) == whole


@pytest.mark.parametrize("dialect", ["anthropic", "openai_responses", "gemini"])
@settings(deadline=None)
@given(deltas=answers(custom=True))
def test_a_stream_with_custom_calls_folds_to_the_whole_answer(
    dialect: Dialect, deltas: list[Delta]
) -> None:
    stream = streamed(dialect, deltas)

    whole = json.loads(codec(dialect).render_answer(deltas, HEAD))

    assert folded(dialect, stream) == whole


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(deadline=None)
@given(data=st.data())
def test_what_is_written_is_read_back(dialect: Dialect, data: st.DataObject) -> None:
    deltas = data.draw(answers(exact=dialect in ("openai_chat", "gemini"), custom=True))
    theirs = codec(dialect)

    streamed_again = theirs.render_answer(read(dialect, [streamed(dialect, deltas)]), HEAD)
    parsed_again = theirs.parse_answer(theirs.render_answer(deltas, HEAD))

    assert json.loads(theirs.render_answer(parsed_again, HEAD)) == json.loads(streamed_again)


def test_openai_chat_begins_with_the_role_and_ends_with_done_once() -> None:
    writer = codec("openai_chat").writer(HEAD)

    written = b"".join(map(writer.write, TEXT)) + writer.end() + writer.end()

    steps = [data for _, data in events(written)]
    assert steps[0]["choices"][0]["delta"] == {"role": "assistant", "content": None}
    assert [step for step in steps if step == "[DONE]"] == ["[DONE]"]
    assert steps[-1] == "[DONE]"


@pytest.mark.parametrize("asked", [True, False])
def test_openai_chat_gives_usage_only_to_who_asked(*, asked: bool) -> None:
    head = Head("chatcmpl-1", "a-model", 1, include_usage=asked)

    steps = events(streamed("openai_chat", [*TEXT, Delta(usage=Usage(3, 4))], head))

    chunks = [data for _, data in steps[:-1]]
    assert [chunk["choices"] == [] for chunk in chunks].count(True) == asked
    assert all(("usage" in chunk) == asked for chunk in chunks)


def test_a_second_finish_is_not_written() -> None:
    finished = [*TEXT, Delta(finish="stop"), Delta(text="late"), Delta(finish="length")]

    words = {dialect: streamed(dialect, finished) for dialect in DIALECTS}

    assert words["openai_chat"].count(b'"finish_reason":"') == 1
    assert words["anthropic"].count(b'"stop_reason":"') == 1
    assert words["gemini"].count(b'"finishReason":"') == 1
    assert words["openai_responses"].count(b"event: response.completed") == 1
    assert all(b"late" not in stream for stream in words.values())


def test_an_anthropic_stream_has_one_block_a_call_with_rising_indexes() -> None:
    steps = events(streamed("anthropic", CALLS))

    assert [(name, step.get("index")) for name, step in steps] == [
        ("message_start", None),
        ("content_block_start", 0),
        ("ping", None),
        ("content_block_delta", 0),
        ("content_block_stop", 0),
        ("content_block_start", 1),
        ("content_block_delta", 1),
        ("content_block_delta", 1),
        ("content_block_stop", 1),
        ("content_block_start", 2),
        ("content_block_stop", 2),
        ("message_delta", None),
        ("message_stop", None),
    ]


def test_pieces_of_two_calls_in_turn_stay_with_their_calls() -> None:
    deltas = [
        Delta(tool_call=ToolCallDelta(0, "call_a", "f", '{"x"')),
        Delta(tool_call=ToolCallDelta(1, "call_b", "g", '{"y"')),
        Delta(tool_call=ToolCallDelta(0, arguments=":1}")),
        Delta(tool_call=ToolCallDelta(1, arguments=":2}")),
    ]

    message = folded("anthropic", streamed("anthropic", deltas))

    assert [block["input"] for block in message["content"]] == [{"x": 1}, {"y": 2}]
    assert message["stop_reason"] == "tool_use"


def test_a_call_without_an_id_gets_one_that_is_its_own() -> None:
    deltas = [
        Delta(tool_call=ToolCallDelta(0, None, "f", "{}")),
        Delta(tool_call=ToolCallDelta(1, None, "f", "{}")),
    ]

    message = folded("anthropic", streamed("anthropic", deltas))

    assert [block["id"] for block in message["content"]] == [
        "call_answer-1_0",
        "call_answer-1_1",
    ]


def test_only_a_real_signature_is_written() -> None:
    signed = [Delta(reasoning="Hm."), Delta(reasoning_signature="real"), *TEXT]

    with_one = folded("anthropic", streamed("anthropic", signed))
    without = folded("anthropic", streamed("anthropic", [Delta(reasoning="Hm."), *TEXT]))

    assert with_one["content"][0] == {"type": "thinking", "thinking": "Hm.", "signature": "real"}
    assert without["content"][0] == {"type": "thinking", "thinking": "Hm.", "signature": ""}
    assert b"signature_delta" not in streamed("anthropic", [Delta(reasoning="Hm.")])


def test_invalid_arguments_of_a_whole_answer_are_wrapped_not_repaired() -> None:
    deltas = [Delta(tool_call=ToolCallDelta(0, "call_a", "f", '{"x": '))]

    message = json.loads(codec("anthropic").render_answer(deltas, HEAD))

    assert message["content"][0]["input"] == {"INVALID_JSON": '{"x": '}


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        (
            "openai_chat",
            b'data: {"error":{"message":"the provider is overloaded",'
            b'"type":"service_unavailable","param":null,"code":"upstream_error"}}\n\n',
        ),
        (
            "anthropic",
            b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error",'
            b'"message":"the provider is overloaded"}}\n\n',
        ),
        (
            "gemini",
            b'data: {"error":{"code":503,"message":"the provider is overloaded",'
            b'"status":"UNAVAILABLE","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo",'
            b'"reason":"UPSTREAM_ERROR","domain":"omniroute"}]}}\n\n',
        ),
        (
            "openai_responses",
            b'event: error\ndata: {"type":"error","sequence_number":6,'
            b'"code":"upstream_error","message":"the provider is overloaded","param":null,'
            b'"error":{"message":"the provider is overloaded","type":"service_unavailable",'
            b'"param":null,"code":"upstream_error"}}\n\n',
        ),
    ],
)
def test_an_error_ends_a_stream_in_its_dialect_and_nothing_follows(
    dialect: Dialect, expected: bytes
) -> None:
    writer = codec(dialect).writer(HEAD)
    writer.write(Delta(text="Os"))

    written = writer.error(OVERLOADED)

    *before, last = written.removesuffix(b"\n\n").split(b"\n\n")
    assert last + b"\n\n" == expected
    assert [b"event: response.failed" in one for one in before] == (
        [True] if dialect == "openai_responses" else []
    )
    assert writer.end() == writer.error(OVERLOADED) == writer.write(Delta(text="lo")) == b""


def test_openais_sdk_raises_on_our_error_event() -> None:
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    writer = codec("openai_chat").writer(HEAD)
    body = writer.write(Delta(text="Os")) + writer.error(OVERLOADED)
    answer = httpx2.Response(200, content=body, headers={"content-type": "text/event-stream"})
    transport = httpx2.MockTransport(lambda _: answer)
    client = openai.OpenAI(
        api_key="sk-fake", max_retries=0, http_client=httpx2.Client(transport=transport)
    )

    with client, pytest.raises(openai.APIError, match="the provider is overloaded"):
        list(
            client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "hello"}], stream=True
            )
        )


@settings(deadline=None)
@given(deltas=answers())
def test_whole_answers_are_what_openais_sdk_expects(deltas: list[Delta]) -> None:
    chat = codec("openai_chat").render_answer(deltas, HEAD)
    response = codec("openai_responses").render_answer(deltas, HEAD)

    assert ChatCompletion.model_validate_json(chat).model == HEAD.model
    assert Response.model_validate_json(response).model == HEAD.model
