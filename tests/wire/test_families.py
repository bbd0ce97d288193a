"""The kind of question that a request asks, found from its last user text."""

import json
from hashlib import blake2b
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.conversation import Chat, Message, Text
from omniroute.routing.model import Dialect
from omniroute.routing.wire.families import FAMILIES, HEAD_CHARS_MAX, Family, family_of
from omniroute.routing.wire.operations import operation_of_chat
from omniroute.routing.wire.table import codec

from .answers import DIALECTS

QUESTIONS: tuple[tuple[Family, str], ...] = (
    ("math", "Tom has 12 apples, buys 30 more and eats 7. How many are left?"),
    ("math", "Solve the equation x^2 - 5x + 6 = 0."),
    ("code", "Write a function in Python that reverses a linked list."),
    ("code", "Why does this fail?\n```\ndef f(x):\n    return x +\n```"),
    ("factual", "Which city is the capital of Australia?"),
    ("multiple choice", "Which is a mammal?\nA) trout\nB) whale\nC) hen\nD) newt"),
    ("factual", "Who wrote (A) this? What is x-A) or xB) or yC) here?"),
    ("multiple choice", "Pick one. (A) trout (B) whale (C) hen"),
    ("multiple choice", "Which of the following is most likely to melt?"),
    ("math", "Lloyd's hens lay 252 eggs a day, sold at $2 a dozen. How much does he make?"),
    ("factual", "How many moons does Mars have?"),
    ("code", "Say what this gives:\n>>> largest_divisor(15)"),
    ("hard science", "How does the enzyme bind the molecule in this reaction?"),
    ("logic", "A puzzle about knights and knaves: deduce who the liar is."),
    ("writing", "Write a short poem about the sea."),
    ("general", "Hello there, nice to meet you."),
    ("general", ""),
)


MARKS = (
    *("solve", "equation", "code", "Function", "sql", "essay", "quantum", "clue", "either"),
    *("write", "class ", "", "def ", "import "),
    *("```", "();", ") {", "=> ", ">>> ", ") -> ", "#include", "Traceback (", "Error:", "SELECT "),
    *("x^2", "\\frac", "\\le", "3 + 4", "1=1", "10", "12.5", "٣", "how many ", "percentage "),
    *("A) ", "B. ", "C: ", "(D) ", "xE) ", "éA) ", "of the following", "of these", "best explains"),
    *(
        "who",
        "Who\u017fe",
        "what",
        "WHICH",
        "how tall",
        "a_what",
        "漢字code",
        "code漢字",
        "\u212aode",
    ),
    *("\u00a0", "\u3000", "\x1c", "the", "of", "\n", "é", " "),
)
"""What makes a family, whole and broken, and letters and blanks beyond ASCII."""


def body(dialect: Dialect, text: str) -> bytes:
    """Two user turns of which the last one counts, in the dialect's own shape."""
    turns = ["What is the capital of France?", text]
    shapes: dict[Dialect, dict[str, Any]] = {
        "openai_chat": {"messages": [{"role": "user", "content": one} for one in turns]},
        "anthropic": {
            "max_tokens": 9,
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": one}]} for one in turns
            ],
        },
        "openai_responses": {"input": [{"role": "user", "content": one} for one in turns]},
        "gemini": {"contents": [{"role": "user", "parts": [{"text": one}]} for one in turns]},
    }
    return json.dumps({"model": "m", **shapes[dialect]}).encode()


@pytest.mark.parametrize(("family", "question"), QUESTIONS)
def test_a_question_belongs_to_its_family(family: Family, question: str) -> None:
    assert family_of(question) == family


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("family", "question"), [one for one in QUESTIONS if one[1]])
def test_the_last_user_text_counts_in_every_dialect(
    dialect: Dialect, family: Family, question: str
) -> None:
    assert codec(dialect).read_features(body(dialect, question))[1].family == family


def test_a_turn_without_text_leaves_the_one_before_to_count() -> None:
    asked = json.dumps(
        {
            "model": "m",
            "max_tokens": 9,
            "messages": [
                {"role": "user", "content": "Write a short poem about the sea."},
                {"role": "assistant", "content": "def f(): return"},
                {"role": "user", "content": [{"type": "tool_result", "content": "SELECT 1"}]},
            ],
        }
    ).encode()

    assert codec("anthropic").read_features(asked)[1].family == "writing"


def test_a_conversation_that_a_door_made_has_a_family_too() -> None:
    chat = Chat(messages=(Message("user", (Text("Solve the equation 2x + 3 = 7."),)),))

    assert operation_of_chat(chat, target="auto").features.family == "math"


@given(start=st.text(max_size=HEAD_CHARS_MAX * 2))
def test_only_the_head_of_a_text_is_read(start: str) -> None:
    filled = start.ljust(HEAD_CHARS_MAX, ".")

    assert family_of(filled) == family_of(filled + " solve the integral equation")


def test_a_text_keeps_its_family_for_good() -> None:
    """What is learnt and stored by family counts only as long as none is judged otherwise."""
    made = Random(20_261_122)
    texts = [
        made.choice((" ", "", "\n")).join(made.choices(MARKS, k=made.choice((1, 3, 6, 40, 400))))
        for _ in range(3000)
    ]

    families = [family_of(text) for text in texts]

    assert set(families) == set(FAMILIES)
    assert blake2b("\n".join(families).encode(), digest_size=8).hexdigest() == "1445cdddcb781dc9"


@pytest.mark.parametrize("dialect", DIALECTS)
@given(text=st.text(max_size=50), times=st.integers(1, 200))
def test_any_text_has_a_family(dialect: Dialect, text: str, times: int) -> None:
    assert codec(dialect).read_features(body(dialect, text * times))[1].family in FAMILIES


@pytest.mark.parametrize("text", ["é", "\U0001f600", '"\\', "a\n"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_long_text_is_cut_wherever_its_characters_end(text: str, ascii_only: bool) -> None:
    for shift in range(13):
        long = "." * shift + "Write a poem. " + text * 3000
        asked = {"model": "m", "messages": [{"role": "user", "content": long}]}
        written = json.dumps(asked, ensure_ascii=ascii_only).encode()

        assert codec("openai_chat").read_features(written)[1].family == "writing"
