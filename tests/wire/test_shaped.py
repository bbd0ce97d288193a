"""What the administrator adds to chats, in every dialect, and what stays as the client wrote it."""

import json
from typing import Any

import pytest

from omniroute.routing.errors import BadRequest
from omniroute.routing.model import Dialect, Operation
from omniroute.routing.shaping import Shaping, Thinking, ThinkingMode
from omniroute.routing.wire.shaped import shaped
from omniroute.routing.wire.table import codec

TURN = {"role": "user", "content": "hi"}
BODIES: dict[Dialect, dict[str, Any]] = {
    "openai_chat": {"model": "m", "messages": [TURN], "reasoning_effort": "high"},
    "openai_responses": {
        "model": "m",
        "input": "hi",
        "reasoning": {"effort": "high", "summary": "auto"},
    },
    "anthropic": {
        "model": "m",
        "max_tokens": 64000,
        "messages": [TURN],
        "thinking": {"type": "enabled", "budget_tokens": 32000},
    },
    "gemini": {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "generationConfig": {"topK": 3, "thinkingConfig": {"thinkingLevel": "high"}},
    },
}
DIALECTS: tuple[Dialect, ...] = tuple(BODIES)


def operation(dialect: Dialect, body: object) -> Operation:
    """Give a client's operation."""
    written = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
    model, features = codec(dialect).read_features(written)
    return Operation("chat", dialect, written, features, model_in_body=model)


def after(dialect: Dialect, body: object, shaping: Shaping) -> Any:
    """Give the body as it is routed."""
    return json.loads(shaped(operation(dialect, body), shaping).body)


def thinking(mode: ThinkingMode, tokens: int = 8000) -> Shaping:
    return Shaping(thinking=Thinking(mode, tokens))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_system_prompt_stands_before_the_clients_own_turns(dialect: Dialect) -> None:
    body = BODIES[dialect]

    found = after(dialect, body, Shaping("Be brief."))

    chat = codec(dialect).parse_request(json.dumps({"model": "m", **found}).encode())
    assert chat.messages[0].role == "system"
    assert [part.text for part in chat.messages[0].parts] == ["Be brief."]  # type: ignore[union-attr]
    untouched = body.keys() - {"messages"}
    assert {name: found[name] for name in untouched} == {name: body[name] for name in untouched}


def test_a_clients_own_system_prompt_comes_after_it() -> None:
    ours = Shaping("Be brief.")
    chat = {"model": "m", "messages": [{"role": "system", "content": "Be kind."}, TURN]}
    blocks = [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}]
    whole = BODIES["anthropic"] | {"system": blocks}
    plain = BODIES["anthropic"] | {"system": "Be kind."}
    gemini = BODIES["gemini"] | {"system_instruction": {"parts": [{"text": "Be kind."}]}}

    assert [one["content"] for one in after("openai_chat", chat, ours)["messages"]][:2] == [
        "Be brief.",
        "Be kind.",
    ]
    assert after("anthropic", whole, ours)["system"] == [
        {"type": "text", "text": "Be brief."},
        *blocks,
    ]
    assert after("anthropic", plain, ours)["system"] == "Be brief.\n\nBe kind."
    parts = after("gemini", gemini, ours)["system_instruction"]["parts"]
    assert parts == [{"text": "Be brief."}, {"text": "Be kind."}]


def test_the_input_counts_what_was_added() -> None:
    plain = operation("openai_chat", BODIES["openai_chat"])

    longer = shaped(plain, Shaping("word " * 1000))

    assert longer.features.input_tokens_max > plain.features.input_tokens_max + 4000


@pytest.mark.parametrize("dialect", DIALECTS)
def test_all_that_is_not_shaped_goes_on_byte_for_byte(dialect: Dialect) -> None:
    body = {**BODIES[dialect]}
    for name in ("reasoning_effort", "reasoning", "thinking", "generationConfig"):
        body.pop(name, None)
    unthinking = operation(dialect, body)

    assert shaped(unthinking, thinking("custom")) is unthinking
    assert shaped(unthinking, thinking("auto")) is unthinking


def test_a_custom_budget_is_written_as_each_dialect_says_it() -> None:
    found = {one: after(one, BODIES[one], thinking("custom")) for one in DIALECTS}

    assert found["openai_chat"]["reasoning_effort"] == "low"
    assert found["openai_responses"]["reasoning"] == {"effort": "low", "summary": "auto"}
    assert found["anthropic"]["thinking"] == {"type": "enabled", "budget_tokens": 8000}
    assert found["gemini"]["generationConfig"] == {
        "topK": 3,
        "thinkingConfig": {"thinkingBudget": 8000},
    }


def test_a_budget_for_claude_stays_under_the_answers_own_bound() -> None:
    short = BODIES["anthropic"] | {"max_tokens": 4000}
    shorter = BODIES["anthropic"] | {"max_tokens": 1000}
    adaptive = BODIES["anthropic"] | {"thinking": {"type": "adaptive"}}

    assert after("anthropic", short, thinking("custom"))["thinking"]["budget_tokens"] == 3999
    assert after("anthropic", shorter, thinking("custom"))["thinking"] == {"type": "disabled"}
    kept = after("anthropic", adaptive, thinking("custom", 20_000))
    assert (kept["thinking"], kept["output_config"]) == ({"type": "adaptive"}, {"effort": "medium"})


def test_mode_auto_leaves_thinking_to_the_provider() -> None:
    found = {one: after(one, BODIES[one], thinking("auto")) for one in DIALECTS}

    assert "reasoning_effort" not in found["openai_chat"]
    assert "reasoning" not in found["openai_responses"]
    assert "thinking" not in found["anthropic"]
    assert found["gemini"]["generationConfig"] == {"topK": 3}


def test_a_chat_that_asks_for_no_thinking_is_not_made_to() -> None:
    disabled = operation("anthropic", BODIES["anthropic"] | {"thinking": {"type": "disabled"}})
    none = operation("openai_chat", BODIES["openai_chat"] | {"reasoning_effort": "none"})

    assert shaped(disabled, thinking("custom")) is disabled
    assert shaped(none, thinking("custom")) is none


def test_an_adaptive_budget_grows_with_the_question() -> None:
    tool = {"name": "t", "input_schema": {"type": "object"}}
    long = BODIES["anthropic"] | {
        "messages": [TURN, {"role": "assistant", "content": "ho"}] * 5
        + [{"role": "user", "content": "x" * 2001}],
        "tools": [tool | {"name": f"t{number}"} for number in range(4)],
    }

    plain = after("anthropic", BODIES["anthropic"], thinking("adaptive", 10_000))
    grown = after("anthropic", long, thinking("adaptive", 10_000))

    assert plain["thinking"]["budget_tokens"] == 10_000
    assert grown["thinking"]["budget_tokens"] == 23_000


def test_a_body_that_cannot_be_added_to_is_refused_with_its_field() -> None:
    bad = operation("openai_responses", BODIES["openai_responses"] | {"instructions": [1]})

    with pytest.raises(BadRequest) as refused:
        shaped(bad, Shaping("Be brief."))

    assert refused.value.field == "instructions"
