"""Answers of providers: whole ones, usage, errors with a good status, and known bends."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.conversation import Delta, Reasoning, Text, ToolCall, Usage
from omniroute.routing.errors import FailureKind, UpstreamFailure
from omniroute.routing.model import Dialect
from omniroute.routing.wire.fold import fold
from omniroute.routing.wire.table import codec

from .answers import DIALECTS, HEAD, events, folded, golden, read, streamed


def _chat_stream(*deltas: dict[str, Any], finish: str = "stop", **last: Any) -> bytes:
    chunks: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": one}]} for one in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}], **last})
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)


def _chat_usage(usage: object) -> Usage | None:
    return fold(read("openai_chat", [_chat_stream({"content": "x"}, usage=usage)]), HEAD).usage


def _calls(*pieces: dict[str, Any], finish: str = "tool_calls") -> tuple[ToolCall, ...]:
    stream = _chat_stream(*({"tool_calls": [piece]} for piece in pieces), finish=finish)
    return fold(read("openai_chat", [stream]), HEAD).calls


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!DOCTYPE html><html></html>",
        b'{"id":"x","choices":[{"mess',
        b"{}",
        b"[]",
        b'{"choices":[],"candidates":[]}',
        b'{"choices":3,"content":3,"output":3,"candidates":3}',
        b'{"model":"\xff","modelVersion":"\xff"}',
    ],
)
def test_what_is_no_answer_is_malformed(dialect: Dialect, body: bytes) -> None:
    with pytest.raises(UpstreamFailure) as sniffing:
        codec(dialect).sniffer(stream=False).feed(body)
    with pytest.raises(UpstreamFailure) as parsing:
        codec(dialect).parse_answer(body)

    assert (sniffing.value.kind, parsing.value.kind) == ("malformed", "malformed")


@pytest.mark.parametrize(
    ("dialect", "error", "kind"),
    [
        ("openai_chat", {"message": "no", "code": "rate_limit_exceeded"}, "rate_limited"),
        ("openai_chat", {"message": "no", "type": "insufficient_quota"}, "quota_exhausted"),
        ("openai_chat", {"message": "no", "code": 529}, "overloaded"),
        ("openai_chat", {"message": "no", "code": ["odd"]}, "server_error"),
        ("openai_chat", "no", "server_error"),
        ("anthropic", {"type": "overloaded_error", "message": "no"}, "overloaded"),
        ("anthropic", {"type": "rate_limit_error", "message": "no"}, "rate_limited"),
        ("anthropic", {"type": "api_error", "message": "no"}, "server_error"),
        ("openai_responses", {"code": "server_error", "message": "no"}, "server_error"),
        ("gemini", {"code": 503, "status": "UNAVAILABLE", "message": "no"}, "overloaded"),
        ("gemini", {"status": "RESOURCE_EXHAUSTED", "message": "no"}, "rate_limited"),
    ],
)
def test_an_error_with_a_good_status_is_a_failure_of_its_kind(
    dialect: Dialect, error: object, kind: FailureKind
) -> None:
    body = json.dumps({"type": "error", "error": error}).encode()

    with pytest.raises(UpstreamFailure, match="no") as failed:
        codec(dialect).sniffer(stream=False).feed(body)

    assert failed.value.kind == kind


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error":{"message":"no"}}', "no"),
        (b'{"type":"error","error":{"type":"api_error","message":"no"}}', "no"),
        (b'[{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT"}}]', "no"),
        (b'{"error":"no"}', "no"),
        (b'{"object":"error","message":"no"}', "no"),
        (b'{"detail":"no"}', "no"),
        (b'{"detail":[{"loc":[]}]}', None),
        (b'{"error":{}}', None),
        (b"<html>", None),
        (b"", None),
        (b"[" * 100_000, None),
    ],
)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_message_of_an_error_body(dialect: Dialect, body: bytes, message: str | None) -> None:
    assert codec(dialect).error_message(body) == message


def test_a_long_message_is_cut() -> None:
    body = json.dumps({"error": {"message": "x" * 10_000}}).encode()

    message = codec("openai_chat").error_message(body)

    assert message is not None
    assert len(message) == 2000


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 7}, Usage(5, 7)),
        ({"prompt_tokens": -5, "completion_tokens": 7}, Usage(0, 7)),
        ({"prompt_tokens": 10**12, "completion_tokens": 7}, Usage(10**9, 7)),
        ({"prompt_tokens": 5}, None),
        ({"prompt_tokens": "5", "completion_tokens": 7}, None),
        ({"prompt_tokens": True, "completion_tokens": 7}, None),
        ({"prompt_tokens": 5.0, "completion_tokens": 7}, None),
        ({"prompt_tokens": None, "completion_tokens": None}, None),
        ("5", None),
        (None, None),
        (
            {
                "prompt_tokens": 5,
                "completion_tokens": 7,
                "prompt_tokens_details": {"cached_tokens": 9},
                "completion_tokens_details": {"reasoning_tokens": 9},
            },
            Usage(5, 7, 5, 0, 7),
        ),
        (
            {
                "prompt_tokens": 5,
                "completion_tokens": 7,
                "total_tokens": 15,
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            Usage(5, 10, 0, 0, 3),
        ),
        (
            {
                "prompt_tokens": 5,
                "completion_tokens": 7,
                "total_tokens": 12,
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            Usage(5, 7, 0, 0, 3),
        ),
    ],
)
def test_openai_chat_usage_is_never_inflated(reported: object, usage: Usage | None) -> None:
    assert _chat_usage(reported) == usage


def test_anthropics_later_counts_replace_the_earlier() -> None:
    start = {"input_tokens": 0, "output_tokens": 1, "cache_read_input_tokens": 7}
    last = {"input_tokens": 20, "output_tokens": 30}
    stream = b"".join(
        b"event: x\ndata: " + json.dumps(event).encode() + b"\n\n"
        for event in (
            {"type": "message_start", "message": {"usage": start}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": last},
        )
    )

    assert fold(read("anthropic", [stream]), HEAD).usage == Usage(27, 30, 7)


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        ({"promptTokenCount": 5, "candidatesTokenCount": 7}, Usage(5, 7)),
        (
            {"promptTokenCount": 5, "totalTokenCount": 15, "thoughtsTokenCount": 3},
            Usage(5, 10, 0, 0, 3),
        ),
        ({"promptTokenCount": 5, "thoughtsTokenCount": 3}, Usage(5, 3, 0, 0, 3)),
        ({"promptTokenCount": 5, "toolUsePromptTokenCount": 2}, Usage(7, 0)),
        ({"candidatesTokenCount": 7}, None),
    ],
)
def test_geminis_usage_counts_thoughts_as_output(reported: object, usage: Usage | None) -> None:
    candidate = {"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}
    body = {"candidates": [candidate], "usageMetadata": reported}

    answer = fold(codec("gemini").parse_answer(json.dumps(body).encode()), HEAD)

    assert answer.usage == usage


WHOLE: dict[Dialect, dict[str, Any]] = {
    "openai_chat": {"choices": [{"message": {"content": "x"}}]},
    "anthropic": {"content": [{"type": "text", "text": "x"}]},
    "openai_responses": {"output": [{"type": "message", "content": [{"text": "x"}]}]},
    "gemini": {"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}]},
}
COUNTS: dict[Dialect, tuple[str, dict[str, Any], str]] = {
    "openai_chat": (
        "usage",
        {
            "prompt_tokens": 50,
            "completion_tokens": 20,
            "prompt_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 10},
            "completion_tokens_details": {"reasoning_tokens": 5},
        },
        "total_tokens",
    ),
    "anthropic": (
        "usage",
        {
            "input_tokens": 10,
            "cache_read_input_tokens": 30,
            "cache_creation_input_tokens": 10,
            "output_tokens": 20,
            "output_tokens_details": {"thinking_tokens": 5},
        },
        "service_tier",
    ),
    "openai_responses": (
        "usage",
        {
            "input_tokens": 50,
            "output_tokens": 20,
            "input_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 10},
            "output_tokens_details": {"reasoning_tokens": 5},
        },
        "total_tokens",
    ),
    "gemini": (
        "usageMetadata",
        {
            "promptTokenCount": 40,
            "toolUsePromptTokenCount": 10,
            "candidatesTokenCount": 15,
            "thoughtsTokenCount": 5,
            "cachedContentTokenCount": 30,
        },
        "totalTokenCount",
    ),
}
"""Where each dialect reports its usage, good counts, and a word that no good count needs."""


def _reported(dialect: Dialect, counts: object) -> Usage | None:
    body = json.dumps({**WHOLE[dialect], COUNTS[dialect][0]: counts}).encode()
    sniffed_delta = codec(dialect).sniffer(stream=False).feed(body)
    assert sniffed_delta is not None
    assert sniffed_delta.usage == fold(codec(dialect).parse_answer(body), HEAD).usage
    return sniffed_delta.usage


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("odd", ["5", 5.0, True, None, [], {"x": 1}, -1, 10**30])
def test_an_odd_count_takes_nothing_from_the_good_ones(dialect: Dialect, odd: object) -> None:
    _, good, other = COUNTS[dialect]

    usage = _reported(dialect, {**good, other: odd})

    written = 0 if dialect == "gemini" else 10
    assert usage == _reported(dialect, good) == Usage(50, 20, 30, written, 5)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("odd", ["5", 5.0, True, [], {"x": 1}, 10**30])
@given(data=st.data())
def test_an_odd_count_is_one_that_is_absent_or_at_the_end_of_its_range(
    dialect: Dialect, odd: object, data: st.DataObject
) -> None:
    _, good, _ = COUNTS[dialect]
    name = data.draw(st.sampled_from(sorted(good)))
    instead = {} if type(odd) is not int or isinstance(good[name], dict) else {name: 10**9}

    usage = _reported(dialect, {**good, name: odd})

    assert usage == _reported(
        dialect, {**{one: count for one, count in good.items() if one != name}, **instead}
    )


@pytest.mark.parametrize(
    ("source", "word", "target", "expected"),
    [
        ("anthropic", "end_turn", "openai_chat", "stop"),
        ("anthropic", "stop_sequence", "openai_chat", "stop"),
        ("anthropic", "max_tokens", "openai_chat", "length"),
        ("anthropic", "tool_use", "openai_chat", "tool_calls"),
        ("anthropic", "refusal", "openai_chat", "content_filter"),
        ("anthropic", "pause_turn", "openai_chat", "stop"),
        ("anthropic", "model_context_window_exceeded", "openai_chat", "length"),
        ("anthropic", "new_one", "openai_chat", "stop"),
        ("openai_chat", "stop", "anthropic", "end_turn"),
        ("openai_chat", "length", "anthropic", "max_tokens"),
        ("openai_chat", "tool_calls", "anthropic", "tool_use"),
        ("openai_chat", "function_call", "anthropic", "tool_use"),
        ("openai_chat", "content_filter", "anthropic", "refusal"),
        ("openai_chat", "eos", "anthropic", "end_turn"),
        ("gemini", "STOP", "openai_chat", "stop"),
        ("gemini", "MAX_TOKENS", "anthropic", "max_tokens"),
        ("gemini", "SAFETY", "openai_chat", "content_filter"),
        ("gemini", "RECITATION", "openai_chat", "content_filter"),
        ("gemini", "BLOCKLIST", "anthropic", "refusal"),
        ("gemini", "PROHIBITED_CONTENT", "anthropic", "refusal"),
        ("gemini", "SPII", "anthropic", "refusal"),
    ],
)
def test_stop_reasons(source: Dialect, word: str, target: Dialect, expected: str) -> None:
    bodies: dict[str, Any] = {
        "openai_chat": {"choices": [{"message": {"content": "x"}, "finish_reason": word}]},
        "anthropic": {"content": [{"type": "text", "text": "x"}], "stop_reason": word},
        "gemini": {"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": word}]},
    }

    deltas = codec(source).parse_answer(json.dumps(bodies[source]).encode())
    whole = json.loads(codec(target).render_answer(deltas, HEAD))

    found = whole["stop_reason"] if target == "anthropic" else whole["choices"][0]["finish_reason"]
    assert found == expected


@pytest.mark.parametrize(
    ("finish", "status", "reason"),
    [
        ("length", "incomplete", "max_output_tokens"),
        ("content_filter", "incomplete", "content_filter"),
        ("stop", "completed", None),
    ],
)
def test_a_response_that_was_cut_says_so(finish: Any, status: str, reason: str | None) -> None:
    stream = streamed("openai_responses", [Delta(text="x"), Delta(finish=finish, ended=True)])

    response = folded("openai_responses", stream)

    assert events(stream)[-1][0] == f"response.{status}"
    assert response["status"] == status
    assert (response["incomplete_details"] or {}).get("reason") == reason
    assert fold(read("openai_responses", [stream]), HEAD).finish == finish


def test_a_failed_response_is_an_error_and_an_end() -> None:
    failed = {
        "type": "response.failed",
        "response": {"error": {"code": "rate_limit_exceeded", "message": "slow down"}},
    }

    (delta,) = read("openai_responses", [b"data: " + json.dumps(failed).encode() + b"\n\n"])

    assert delta.ended
    assert delta.error is not None
    assert (delta.error.kind, delta.error.message) == ("rate_limited", "slow down")


def test_a_blocked_prompt_is_gemini_filtering() -> None:
    body = b'{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":4}}'

    answer = fold(codec("gemini").parse_answer(body), HEAD)

    assert (answer.parts, answer.finish, answer.usage) == ((), "content_filter", Usage(4, 0))


def test_a_call_that_gemini_could_not_write_is_an_error() -> None:
    body = b'{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]}'

    with pytest.raises(UpstreamFailure, match="MALFORMED_FUNCTION_CALL"):
        codec("gemini").parse_answer(body)


def test_calls_that_share_an_index_are_told_apart_by_id() -> None:
    assert _calls(
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}},
        {"index": 0, "id": "b", "function": {"name": "g", "arguments": "{}"}},
    ) == (ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}"))


def test_pieces_without_an_index_belong_to_the_latest_call() -> None:
    assert _calls(
        {"id": "a", "function": {"name": "f", "arguments": '{"x"'}},
        {"function": {"arguments": ":1}"}},
        {"id": "b", "function": {"name": "g", "arguments": "{}"}},
    ) == (ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", "{}"))


def test_an_id_and_a_name_that_are_repeated_begin_no_new_call() -> None:
    assert _calls(
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}},
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": "}"}},
    ) == (ToolCall("a", "f", "{}"),)


def test_a_call_without_arguments_gets_an_empty_object() -> None:
    assert _calls({"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}) == (
        ToolCall("a", "f", "{}"),
    )


def test_the_first_piece_after_text_is_kept() -> None:
    stream = _chat_stream(
        {"content": "I call."},
        {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x":'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]},
        finish="stop",
    )

    message = folded("anthropic", streamed("anthropic", read("openai_chat", [stream])))

    assert message["content"] == [
        {"type": "text", "text": "I call."},
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
    ]
    assert message["stop_reason"] == "tool_use"


def test_a_call_that_begins_without_a_name_is_malformed() -> None:
    with pytest.raises(UpstreamFailure) as failed:
        _calls({"index": 0, "id": "a", "function": {"arguments": "{}"}})

    assert failed.value.kind == "malformed"


def test_mistrals_content_of_parts_is_read() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    stream = _chat_stream({"content": [thinking]}, {"content": [{"type": "text", "text": "Yes."}]})

    assert fold(read("openai_chat", [stream]), HEAD).parts == (Reasoning("Hm."), Text("Yes."))


def test_a_thought_said_under_two_names_is_read_once() -> None:
    stream = _chat_stream({"reasoning": "Hm.", "reasoning_content": "Hm."})

    assert fold(read("openai_chat", [stream]), HEAD).parts == (Reasoning("Hm."),)


def test_only_the_first_of_several_choices_is_read() -> None:
    choices = [{"index": 1, "delta": {"content": "b"}}, {"index": 0, "delta": {"content": "a"}}]
    stream = b"data: " + json.dumps({"choices": choices}).encode() + b"\n\n"

    assert fold(read("openai_chat", [stream]), HEAD).text == "a"


def test_input_that_anthropic_gives_at_once_is_kept() -> None:
    block = {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}}
    stream = b"".join(
        b"data: " + json.dumps(event).encode() + b"\n\n"
        for event in (
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_stop", "index": 0},
        )
    )

    assert fold(read("anthropic", [stream]), HEAD).calls == (ToolCall("a", "f", '{"x":1}'),)


def test_blocks_and_events_that_are_not_known_are_skipped() -> None:
    stream = b"".join(
        b"data: " + json.dumps(event).encode() + b"\n\n"
        for event in (
            {"type": "content_block_start", "index": 0, "content_block": {"type": "new_block"}},
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "input_json_delta", "partial_json": "{}"},
            },
            {"type": "new_event", "delta": {"text": "?"}},
            {"type": "content_block_stop", "index": 0},
        )
    )

    deltas = read("anthropic", [stream])

    assert fold(deltas, HEAD).parts == ()
    assert [delta.content for delta in deltas] == [True]


def test_an_anthropic_answer_reaches_an_openai_client() -> None:
    deltas = read("anthropic", [golden("anthropic", "tools.stream")])

    whole = folded("openai_chat", streamed("openai_chat", deltas))

    (choice,) = whole["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] == "I will look."
    assert choice["message"]["reasoning_content"] == "Two cities, two calls."
    assert [call["function"]["arguments"] for call in choice["message"]["tool_calls"]] == [
        '{"city":"Oslo"}',
        "{}",
    ]
    assert whole["usage"]["prompt_tokens"] == 472


def test_an_openai_answer_reaches_an_anthropic_client() -> None:
    deltas = read("openai_chat", [golden("openai_chat", "tools.stream")])

    message = folded("anthropic", streamed("anthropic", deltas))

    assert message["content"] == [
        {"type": "tool_use", "id": "call_oslo", "name": "get_weather", "input": {"city": "Oslo"}},
        {"type": "tool_use", "id": "call_rome", "name": "get_weather", "input": {"city": "Rome"}},
    ]
    assert message["stop_reason"] == "tool_use"
    assert message["usage"]["input_tokens"] == 82
    assert message["usage"]["output_tokens"] == 17
