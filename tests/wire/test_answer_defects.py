"""What the reference's translators got wrong about answers, each named and done right.

The docstrings say what went wrong there; `omniroute-behaviour.md` 6.1 and 6.8 to 6.10 list it.
"""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from omniroute.routing.conversation import AnswerError, Delta, ToolCallDelta, Usage
from omniroute.routing.model import Dialect
from omniroute.routing.wire.fold import Answer, fold
from omniroute.routing.wire.table import codec

from .answers import DIALECTS, HEAD, events, folded, read, streamed

ALL = [
    Delta(reasoning="Hm."),
    Delta(text="Yes."),
    Delta(tool_call=ToolCallDelta(0, "call_a", "f", '{"x":1}')),
    Delta(tool_call=ToolCallDelta(1, "call_b", "g", "{}")),
    Delta(finish="tool_calls", ended=True),
    Delta(usage=Usage(30, 20, 8, 2, 5)),
]


def _events(*steps: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + json.dumps(step).encode() + b"\n\n" for step in steps)


def _answer(dialect: Dialect, *steps: dict[str, Any]) -> Answer:
    return fold(read(dialect, [_events(*steps)]), HEAD)


def _gemini(parts: Sequence[dict[str, Any]], reason: str = "STOP") -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": parts}, "finishReason": reason}]}


def test_defect_input_tokens_of_message_start_are_counted() -> None:
    """Usage was read from message_delta alone: input tokens told only at the start were 0."""
    stream = _events(
        {"type": "message_start", "message": {"usage": {"input_tokens": 30, "output_tokens": 1}}},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 9},
        },
        {"type": "message_stop"},
    )

    whole = folded("openai_chat", streamed("openai_chat", read("anthropic", [stream])))

    assert (whole["usage"]["prompt_tokens"], whole["usage"]["completion_tokens"]) == (30, 9)


def test_defect_a_usage_chunk_after_the_finish_is_not_lost() -> None:
    """Chunks without choices were ignored, and a Claude client got a usage of zero."""
    stream = _events(
        {"choices": [{"index": 0, "delta": {"content": "Yes."}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 30, "completion_tokens": 9}},
    )

    message = folded("anthropic", streamed("anthropic", read("openai_chat", [stream])))

    assert (message["usage"]["input_tokens"], message["usage"]["output_tokens"]) == (30, 9)


def test_defect_a_ping_is_sent() -> None:
    """`ping` events were never sent."""
    names = [name for name, _ in events(streamed("anthropic", ALL))]

    assert names[:3] == ["message_start", "content_block_start", "ping"]
    assert names.count("ping") == 1


def test_defect_a_thought_that_was_signed_keeps_its_signature() -> None:
    """Thinking blocks had no signature_delta."""
    deltas = [Delta(reasoning="Hm."), Delta(reasoning_signature="c2ln"), Delta(text="Yes.")]

    steps = [step for name, step in events(streamed("anthropic", deltas)) if "delta" in name]

    assert {"type": "signature_delta", "signature": "c2ln"} in [step["delta"] for step in steps]


def test_defect_geminis_own_call_id_is_kept() -> None:
    """The upstream's id was ignored, and one was made of name and time."""
    call = {"functionCall": {"id": "their-1", "name": "f", "args": {}}}

    answer = _answer("gemini", _gemini([call]))

    assert [one.call_id for one in answer.calls] == ["their-1"]


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("LANGUAGE", "content_filter"),
        ("OTHER", "stop"),
        ("STOP", "stop"),
    ],
)
def test_defect_geminis_reasons_become_openais(reason: str, word: str) -> None:
    """They were lower-cased: MAX_TOKENS became `max_tokens`, SAFETY `safety`."""
    deltas = read("gemini", [_events(_gemini([{"text": "x"}], reason))])

    whole = folded("openai_chat", streamed("openai_chat", deltas))

    assert whole["choices"][0]["finish_reason"] == word


def test_defect_a_reasoning_summary_is_not_dropped() -> None:
    """reasoning_summary_text.delta was dropped."""
    answer = _answer(
        "openai_responses",
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "Hm."},
    )

    assert answer.reasoning == "Hm."


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("max_output_tokens", "length"), ("content_filter", "content_filter")],
)
def test_defect_an_incomplete_response_is_not_ignored(reason: str, finish: str) -> None:
    """response.incomplete was ignored."""
    response = {
        "status": "incomplete",
        "incomplete_details": {"reason": reason},
        "usage": {"input_tokens": 3, "output_tokens": 4},
    }

    answer = _answer("openai_responses", {"type": "response.incomplete", "response": response})

    assert (answer.finish, answer.usage) == (finish, Usage(3, 4))


@pytest.mark.parametrize(
    "step",
    [
        {
            "type": "response.failed",
            "response": {"status": "failed", "error": {"code": "server_error", "message": "no"}},
        },
        {"type": "error", "code": "server_error", "message": "no", "param": None},
        {"type": "error", "error": {"type": "server_error", "message": "no"}},
    ],
)
def test_defect_a_failed_response_is_not_ignored(step: dict[str, Any]) -> None:
    """response.failed and error were ignored, so a broken answer looked like a short one."""
    deltas = read("openai_responses", [_events(step)])

    assert [delta.error for delta in deltas] == [AnswerError("server_error", "no")]


def test_defect_every_item_has_an_output_index_of_its_own() -> None:
    """The index was the choice's for text and thoughts and the tool's for calls: they collided."""
    steps = events(streamed("openai_responses", ALL))

    added = [step for name, step in steps if name == "response.output_item.added"]
    assert [step["output_index"] for step in added] == [0, 1, 2, 3]
    assert len({step["item"]["id"] for step in added}) == 4


def test_defect_the_completed_response_has_output_and_usage() -> None:
    """response.completed carried neither."""
    name, last = events(streamed("openai_responses", ALL))[-1]

    assert name == "response.completed"
    kinds = [item["type"] for item in last["response"]["output"]]
    assert kinds == ["reasoning", "message", "function_call", "function_call"]
    assert last["response"]["usage"]["total_tokens"] == 50


def test_defect_length_is_an_incomplete_response() -> None:
    """The finish `length` was not mapped."""
    stream = streamed("openai_responses", [Delta(text="x"), Delta(finish="length", ended=True)])

    name, last = events(stream)[-1]

    assert name == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


@pytest.mark.parametrize("source", DIALECTS)
@pytest.mark.parametrize("target", DIALECTS)
def test_defect_usage_is_never_inflated(source: Dialect, target: Dialect) -> None:
    """2000 tokens were added to what was reported, "as a safety buffer"."""
    told = codec(source).render_answer(ALL, HEAD)

    again = codec(target).render_answer(codec(source).parse_answer(told), HEAD)

    usage = fold(codec(target).parse_answer(again), HEAD).usage
    # Gemini has no count of what was written to a cache.
    written = 0 if "gemini" in (source, target) else 2
    assert usage == Usage(30, 20, 8, written, 5)


@pytest.mark.parametrize("target", DIALECTS)
def test_defect_a_whole_answer_is_in_the_clients_dialect(target: Dialect) -> None:
    """Only "anything to OpenAI" existed: Claude, Responses and Gemini clients got OpenAI's JSON."""
    known = {
        "openai_chat": ("choices", "object"),
        "anthropic": ("content", "stop_reason"),
        "openai_responses": ("output", "status"),
        "gemini": ("candidates", "modelVersion"),
    }

    whole = json.loads(codec(target).render_answer(ALL, HEAD))

    assert [name in whole for name in known[target]] == [True, True]
    assert folded(target, streamed(target, ALL)) == whole
