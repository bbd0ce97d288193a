"""Thoughts that a client has not asked to see."""

import pytest

from omniroute.routing.conversation import Delta
from omniroute.routing.model import Dialect
from omniroute.routing.wire.visible import shows_thoughts, unthought


@pytest.mark.parametrize(
    ("dialect", "body", "shown"),
    [
        ("anthropic", b'{"thinking":{"type":"enabled","budget_tokens":1024}}', True),
        ("anthropic", b'{"thinking": {"type": "adaptive"}}', True),
        ("anthropic", b'{"thinking":{"type":"disabled"}}', False),
        ("anthropic", b'{"messages":[{"thinking":{"type":"enabled"}}]}', False),
        ("anthropic", b"{}", False),
        ("gemini", b'{"generationConfig":{"thinkingConfig":{"includeThoughts":true}}}', True),
        ("gemini", b'{"generation_config":{"thinking_config":{"include_thoughts": true}}}', True),
        ("gemini", b'{"generationConfig":{"thinkingConfig":{"thinkingBudget":5}}}', False),
        ("gemini", b'{"contents":[]}', False),
        ("openai_chat", b"{}", True),
        ("openai_responses", b"{}", True),
    ],
)
def test_thoughts_are_shown_to_who_asks_for_them(
    dialect: Dialect, body: bytes, *, shown: bool
) -> None:
    assert shows_thoughts(dialect, body) is shown


def test_a_step_keeps_everything_but_its_thought() -> None:
    step = Delta(text="hi", reasoning="hm", reasoning_signature="proof", reasoning_encrypted="x")

    assert unthought(step, "anthropic") == Delta(text="hi")
    assert unthought(step, "gemini") == Delta(text="hi", reasoning_signature="proof")
    assert unthought(Delta(text="hi"), "anthropic") == Delta(text="hi")
