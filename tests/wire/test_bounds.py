"""A bound that was meant for another vendor's model is one that the model takes."""

import json
from typing import Any

import pytest

from omniroute.routing.model import Candidate, Features, ModelFacts, Operation
from omniroute.routing.wire.bounds import ANSWER_TOKENS_ENOUGH, context_tokens_needed
from omniroute.routing.wire.translation import translated

SMALL = ModelFacts(context_tokens_max=128_000, output_tokens_max=16_384)
FROM_CLAUDE_CODE = Features(stream=True, input_tokens=12_000, output_tokens_max=128_000)


def _operation(**fields: object) -> Operation:
    turns = [{"role": "user", "content": "hi"}]
    body = json.dumps({"model": "m", "messages": turns, **fields}).encode()
    return Operation("chat", "anthropic", body, FROM_CLAUDE_CODE)


def _sent(facts: ModelFacts, **fields: object) -> tuple[Any, tuple[str, ...]]:
    candidate = Candidate("acc", "mock", "gpt-4o", "openai_chat", facts)
    rendered = translated(_operation(**fields), candidate, "openai_chat")
    return json.loads(rendered.body), rendered.dropped


@pytest.mark.parametrize(
    ("facts", "asked", "sent"),
    [
        (SMALL, 128_000, 16_384),
        (SMALL, 9, 9),
        (ModelFacts(), 128_000, 128_000),
        (ModelFacts(context_tokens_max=32_000), 128_000, 20_000),
        (ModelFacts(context_tokens_max=9_000), 128_000, ANSWER_TOKENS_ENOUGH),
        (ModelFacts(context_tokens_max=9_000), 100, 100),
    ],
)
def test_a_bound_is_lowered_to_what_the_model_can_do_and_it_is_said(
    facts: ModelFacts, asked: int, sent: int
) -> None:
    body, dropped = _sent(facts, max_tokens=asked)

    assert body["max_tokens"] == sent
    assert dropped == (("max_tokens",) if sent != asked else ())
    assert body["stream"] is True


def test_a_large_bound_does_not_keep_another_vendors_model_from_answering() -> None:
    away = context_tokens_needed(FROM_CLAUDE_CODE, is_meant=False)
    home = context_tokens_needed(FROM_CLAUDE_CODE, is_meant=True)

    assert (away, home) == (12_000 + ANSWER_TOKENS_ENOUGH, 140_000)


@pytest.mark.parametrize(("facts", "limit"), [(SMALL, 16_384), (ModelFacts(), 4096)])
def test_anthropic_gets_the_models_longest_answer_where_the_client_set_no_bound(
    facts: ModelFacts, limit: int
) -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
    operation = Operation("chat", "openai_chat", body, Features(input_tokens=9))
    candidate = Candidate("acc", "mock", "claude-haiku-4-5", "anthropic", facts)

    rendered = translated(operation, candidate, "anthropic")

    assert json.loads(rendered.body)["max_tokens"] == limit
    assert rendered.dropped == ()
