"""A bound that was meant for another vendor's model is one that the model takes."""

import json
from typing import Any

import pytest

from omniroute.routing.accounting.cost import OUTPUT_TOKENS_UNKNOWN_MAX
from omniroute.routing.model import Candidate, Features, ModelFacts, Operation
from omniroute.routing.wire.bounds import ANSWER_TOKENS_ENOUGH, context_tokens_needed
from omniroute.routing.wire.longest import longest_answer
from omniroute.routing.wire.translation import translated

SMALL = ModelFacts(context_tokens_max=128_000, output_tokens_max=16_384)
FROM_CLAUDE_CODE = Features(stream=True, input_tokens=12_000, output_tokens_max=128_000)


def _operation(**fields: object) -> Operation:
    turns = [{"role": "user", "content": "hi"}]
    body = json.dumps({"model": "m", "messages": turns, **fields}).encode()
    return Operation("chat", "anthropic", body, FROM_CLAUDE_CODE)


def _sent(
    facts: ModelFacts, *, model: str = "llama", **fields: object
) -> tuple[Any, tuple[str, ...]]:
    candidate = Candidate("acc", "mock", model, "openai_chat", facts)
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


@pytest.mark.parametrize(
    ("model", "longest"),
    [
        ("gpt-4o-mini", 16_384),
        ("openai/gpt-4.1", 32_768),
        ("gpt-4-turbo", 4096),
        ("gpt-4", 8192),
        ("gpt-5.5", 128_000),
        ("gpt-5.1-chat-latest", 16_384),
        ("o3", 100_000),
        ("gemini-2.0-flash", 8192),
        ("gemini-2.5-pro", 65_536),
        ("gemini-3-pro-preview", 65_536),
        ("deepseek-chat", 8192),
        ("claude-3-5-sonnet-20241022", 8192),
        ("anthropic.claude-opus-4-6-v1:0", 128_000),
        ("claude-opus-4-20250514", 32_000),
        ("claude-haiku-4-5", 64_000),
        ("claude-sonnet-5-5", 128_000),
        ("qwen3-coder", None),
    ],
)
def test_how_long_an_answer_can_be_is_told_by_the_models_name(
    model: str, longest: int | None
) -> None:
    assert longest_answer(model) == longest
    assert longest is None or longest <= OUTPUT_TOKENS_UNKNOWN_MAX, "a hold pays for less"


def test_what_the_catalogue_knows_counts_before_the_name() -> None:
    body, _ = _sent(ModelFacts(output_tokens_max=500), model="gpt-4o", max_tokens=128_000)

    assert body["max_tokens"] == 500


@pytest.mark.parametrize(
    ("model", "facts", "limit"),
    [
        ("claude-haiku-4-5", SMALL, 16_384),
        ("claude-haiku-4-5", ModelFacts(), 64_000),
        ("minimax-m2", ModelFacts(), 4096),
    ],
)
def test_anthropic_gets_the_models_longest_answer_where_the_client_set_no_bound(
    model: str, facts: ModelFacts, limit: int
) -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
    operation = Operation("chat", "openai_chat", body, Features(input_tokens=9))
    candidate = Candidate("acc", "mock", model, "anthropic", facts)

    rendered = translated(operation, candidate, "anthropic")

    assert json.loads(rendered.body)["max_tokens"] == limit
    assert rendered.dropped == ()
