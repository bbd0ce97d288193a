"""Thoughts between tags at the beginning of a text: wherever the stream is cut."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.conversation import Delta, Reasoning, Text
from omniroute.routing.wire.fold import fold
from omniroute.routing.wire.openai_chat.thinking import BLANK_CHARS_MAX, ThoughtSplitter
from omniroute.routing.wire.table import codec

from .answers import HEAD, chunked, folded, read, sniffed, streamed

SAID = "<think>\nNine is odd, so < and </thin do not end me.\n</think>\n\nOdd. <think>"
APART = (Reasoning("Nine is odd, so < and </thin do not end me."), Text("Odd. <think>"))


def _stream(pieces: Sequence[str]) -> bytes:
    steps: list[dict[str, object]] = [{"delta": {"content": piece}} for piece in pieces]
    steps.append({"delta": {}, "finish_reason": "stop"})
    return b"".join(
        b"data: " + json.dumps({"choices": [{"index": 0, **step}]}).encode() + b"\n\n"
        for step in steps
    )


def _parts(*pieces: str) -> tuple[object, ...]:
    return fold(read("openai_chat", [_stream(pieces)]), HEAD).parts


def test_defect_think_tags_split_over_chunks_do_not_leak() -> None:
    """Reference 6.10: tags were looked for in each chunk, so those split over two leaked."""
    for cut in range(len(SAID) + 1):
        assert _parts(SAID[:cut], SAID[cut:]) == APART
    assert _parts(*SAID) == APART


@given(cuts=st.lists(st.integers(0, 200), max_size=20))
def test_any_pieces_give_the_same_thought_and_text(cuts: list[int]) -> None:
    pieces = [piece.decode() for piece in chunked(SAID.encode(), cuts)]

    assert _parts(*pieces) == APART


@given(text=st.text(alphabet="<think>/ \nab", max_size=90), cuts=st.lists(st.integers(0, 90)))
def test_tags_anywhere_are_read_alike_however_they_are_cut(text: str, cuts: list[int]) -> None:
    pieces = [piece.decode() for piece in chunked(text.encode(), cuts)]

    assert _parts(*pieces) == _parts(text)


def test_a_whole_answer_is_told_apart_too() -> None:
    body = {"choices": [{"message": {"content": SAID}, "finish_reason": "stop"}]}

    deltas = codec("openai_chat").parse_answer(json.dumps(body).encode())

    assert fold(deltas, HEAD).parts == APART


@pytest.mark.parametrize(
    ("pieces", "parts"),
    [
        (["No tags."], (Text("No tags."),)),
        ([" \n", "Odd."], (Text(" \nOdd."),)),
        (["<thin"], (Text("<thin"),)),
        (["<thing>"], (Text("<thing>"),)),
        (["Write ", "<think>", "x</think>"], (Text("Write <think>x</think>"),)),
        (["<think>\n\n</think>\n\nOdd."], (Text("Odd."),)),
        (["<think>Hm. "], (Reasoning("Hm. "),)),
        (["<think>Hm.</think>"], (Reasoning("Hm."),)),
        (
            [" " * (BLANK_CHARS_MAX + 1), "<think>x</think>"],
            (Text(" " * (BLANK_CHARS_MAX + 1) + "<think>x</think>"),),
        ),
        ([], ()),
    ],
)
def test_what_is_a_thought_and_what_is_not(pieces: list[str], parts: tuple[object, ...]) -> None:
    assert _parts(*pieces) == parts


def test_what_is_held_back_comes_before_a_call() -> None:
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}
    step = {"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}
    body = _stream(["<thi"]).split(b"\n\n")[0] + b"\n\ndata: " + json.dumps(step).encode() + b"\n\n"

    parts = fold(read("openai_chat", [body]), HEAD).parts

    assert [type(part).__name__ for part in parts] == ["Text", "ToolCall"]


def test_only_a_little_is_held_back() -> None:
    splitter = ThoughtSplitter()

    told = [splitter.split([Delta(text=piece)]) for piece in ("<think>", "One ", "more", " </th")]

    assert [[delta.reasoning for delta in deltas] for deltas in told] == [
        [],
        ["One"],
        [" more"],
        [],
    ]


def test_a_client_of_another_dialect_gets_a_thought() -> None:
    deltas = read("openai_chat", [_stream(["<think>Hm.</", "think>", "Odd."])])

    message = folded("anthropic", streamed("anthropic", deltas))

    assert [block["type"] for block in message["content"]] == ["thinking", "text"]


def test_in_its_own_dialect_a_tag_is_content_as_it_stands() -> None:
    found = sniffed("openai_chat", [_stream(["<think>Hm."])])

    assert found[0].content
