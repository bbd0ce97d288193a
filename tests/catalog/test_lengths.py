"""How long answers are expected to be, by family and by the model's name."""

import pytest

from omniroute.routing.catalog.lengths import lengths_of
from omniroute.routing.wire.families import FAMILIES, Family


def test_every_family_has_a_length_whatever_the_model() -> None:
    for model in ("gpt-5.5", "claude-sonnet-4-20250514", "no-such-model", ""):
        lengths = dict(lengths_of(model))

        assert set(lengths) == set(FAMILIES)
        assert min(lengths.values()) >= 100


@pytest.mark.parametrize(
    ("model", "family", "tokens"),
    [
        ("claude-sonnet-4", "factual", 240),
        ("deepseek/DeepSeek-R1-0528", "math", 2500),
        ("qwen3-235b-a22b-thinking-2507", "math", 1300),
        ("qwen3-235b-a22b-2507", "math", 1700),
        ("some-model", "code", 770),
        ("some-thinking-model", "code", 1400),
        ("grok-4-fast-reasoning", "code", 1400),
        ("foo1-large", "code", 770),
    ],
)
def test_the_longest_part_of_the_name_counts_and_then_whether_it_thinks(
    model: str, family: Family, tokens: int
) -> None:
    assert dict(lengths_of(model))[family] == tokens
