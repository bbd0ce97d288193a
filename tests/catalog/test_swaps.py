"""Another model than was asked for, told apart from another way to write the same."""

import pytest

from omniroute.routing.catalog.swaps import told_swap


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ("gpt-4o", "gpt-4o"),
        ("gpt-4o", "gpt-4o-2024-08-06"),
        ("gpt-4", "gpt-4-0613"),
        ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
        ("gemini-2.0-flash", "models/gemini-2.0-flash-001"),
        ("mistral-large-latest", "mistral-large-2411"),
        ("openai/gpt-4o", "gpt-4o"),
        ("deepseek/deepseek-r1:free", "deepseek/deepseek-r1"),
        ("Llama-3.3-70B", "llama-3.3-70b"),
        ("llama3.2:latest", "llama3.2"),
        ("gpt-4o", None),
        ("gpt-4o", ""),
    ],
)
def test_the_same_model_in_other_words_is_no_swap(asked: str, served: str | None) -> None:
    assert told_swap(asked, served) == ""


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ("gpt-4o", "gpt-4o-mini"),
        ("gpt-4o", "gpt-4.1"),
        ("claude-opus-4", "claude-haiku-4"),
        ("llama-3.3-70b", "llama-3.1-8b"),
    ],
)
def test_another_model_is_told_by_its_name(asked: str, served: str) -> None:
    assert served in told_swap(asked, served)
