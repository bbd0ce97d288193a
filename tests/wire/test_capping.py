"""A bound on the answer, written into the client's own bytes."""

import json
from typing import Any

import pytest

from omniroute.routing.errors import BadRequest, BudgetExceeded
from omniroute.routing.model import Dialect, Operation
from omniroute.routing.wire.capping import capped
from omniroute.routing.wire.table import codec

CHAT = b'{"model":"m","messages":[{"role":"user","content":"\\u00e9 max_tokens"}],"x":1.50%s}'
GEMINI = b'{"contents":[{"role":"user","parts":[{"text":"hi"}]}]%s}'


def written(
    dialect: Dialect,
    body: bytes,
    *,
    model: str = "m",
    tokens: int = 300,
    to: Dialect | None = None,
) -> Operation:
    """Cap the body at so many tokens."""
    _, features = codec(dialect).read_features(body)
    operation = Operation("chat", dialect, body, features)
    return capped(operation, tokens, model=model, dialect=to or dialect)


@pytest.mark.parametrize(
    ("dialect", "before", "after", "model"),
    [
        ("openai_chat", b"", b'"max_tokens":300,', "m"),
        ("openai_chat", b"", b'"max_completion_tokens":300,', "gpt-5.4"),
        ("openai_responses", b"", b'"max_output_tokens":300,', "m"),
    ],
)
def test_a_bound_that_was_not_there_is_put_in_and_no_other_byte_changes(
    dialect: Dialect, before: bytes, after: bytes, model: str
) -> None:
    body = CHAT % before
    if dialect == "openai_responses":
        body = body.replace(b'"messages"', b'"input"')

    operation = written(dialect, body, model=model)

    assert operation.body == b"{" + after + body[1:]
    assert operation.features.output_tokens_max == 300


@pytest.mark.parametrize(
    ("dialect", "field"),
    [
        ("openai_chat", b"max_tokens"),
        ("openai_chat", b"max_completion_tokens"),
        ("anthropic", b"max_tokens"),
    ],
)
@pytest.mark.parametrize("value", [b"9000", b" 1 "])
def test_a_bound_that_was_there_is_replaced_in_its_place(
    dialect: Dialect, field: bytes, value: bytes
) -> None:
    operation = written(dialect, CHAT % (b',"%s":%s' % (field, value)))

    assert operation.body.replace(b" ", b"") == (CHAT % (b',"%s":300' % field)).replace(b" ", b"")


def test_both_of_openais_bounds_are_replaced() -> None:
    body = CHAT % b',"max_tokens":1,"max_completion_tokens":null'
    both = CHAT % b',"max_tokens":9000,"max_completion_tokens":8000'

    assert written("openai_chat", body).body == CHAT % (
        b',"max_tokens":300,"max_completion_tokens":null'
    )
    assert written("openai_chat", both).body == CHAT % (
        b',"max_tokens":300,"max_completion_tokens":300'
    )


def test_a_bound_that_stands_twice_is_left_once() -> None:
    operation = written("openai_chat", CHAT % b',"max_tokens":1,"max_tokens":9000')

    assert operation.body.count(b'"max_tokens"') == 1
    assert json.loads(operation.body)["max_tokens"] == 300


def test_several_answers_share_the_bound() -> None:
    operation = written("openai_chat", CHAT % b',"n":4')

    assert json.loads(operation.body)["max_tokens"] == 75
    assert codec("openai_chat").read_features(operation.body)[1].output_tokens_max == 300


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (b"", {"maxOutputTokens": 300}),
        (b',"generationConfig":{}', {"maxOutputTokens": 300}),
        (b',"generationConfig":{"topP":0.5}', {"maxOutputTokens": 300, "topP": 0.5}),
        (b',"generationConfig":{"maxOutputTokens":9}', {"maxOutputTokens": 300}),
        (b',"generationConfig":{"max_output_tokens":9}', {"max_output_tokens": 300}),
        (
            b',"generation_config":{"candidateCount":3}',
            {"candidateCount": 3, "maxOutputTokens": 100},
        ),
    ],
)
def test_geminis_bound_stands_in_its_configuration(config: bytes, expected: dict[str, Any]) -> None:
    operation = written("gemini", GEMINI % config)

    body = json.loads(operation.body)
    assert body.get("generationConfig", body.get("generation_config")) == expected
    assert codec("gemini").read_features(operation.body)[1].output_tokens_max == 300


def test_what_is_no_object_cannot_be_capped() -> None:
    _, features = codec("openai_chat").read_features(CHAT % b"")

    with pytest.raises(BadRequest, match="not a JSON object"):
        capped(
            Operation("chat", "openai_chat", b"[]", features), 300, model="m", dialect="openai_chat"
        )


THINKING = CHAT % b',"max_tokens":16000,"thinking":{"type":"enabled", "budget_tokens":%d}'


@pytest.mark.parametrize(
    ("asked", "tokens", "left"),
    [(10_000, 4_000, 3_744), (4_000, 4_000, 3_744), (3_999, 4_000, 3_999), (9_000, 1_280, 1_024)],
)
def test_thinking_is_lowered_with_the_clamp_and_leaves_room_for_the_answer(
    asked: int, tokens: int, left: int
) -> None:
    operation = written("anthropic", THINKING % asked, tokens=tokens)

    body = json.loads(operation.body)
    assert body["max_tokens"] == tokens
    assert body["thinking"] == {"type": "enabled", "budget_tokens": left}


def test_too_little_to_think_with_is_refused_with_what_would_do() -> None:
    with pytest.raises(BudgetExceeded, match="at least 1024 tokens and 256 for the answer"):
        written("anthropic", THINKING % 10_000, tokens=1_279)


def test_a_provider_that_is_not_asked_to_think_needs_no_room_for_it() -> None:
    operation = written("anthropic", THINKING % 10_000, to="openai_chat")

    assert json.loads(operation.body)["max_tokens"] == 300


@pytest.mark.parametrize(
    "thinking",
    [b'{"type":"disabled"}', b'{"type":"adaptive"}', b"null", b'{"budget_tokens":"many"}', b"1"],
)
def test_thinking_without_a_budget_stays_as_it_is(thinking: bytes) -> None:
    before = CHAT % (b',"max_tokens":9000,"thinking":%s' % thinking)

    operation = written("anthropic", before)

    assert operation.body == before.replace(b'"max_tokens":9000', b'"max_tokens":300')
