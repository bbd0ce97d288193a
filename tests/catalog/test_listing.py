"""What a client sees when it lists models."""

from dataclasses import replace

import pytest

from omniroute.routing.catalog.listing import ModelRow, list_models
from omniroute.routing.catalog.names import OWN_NAMES
from omniroute.routing.catalog.prices import facts_of
from omniroute.routing.catalog.resolve import resolve
from omniroute.routing.model import Capability, ModelFacts, Price
from tests.catalog.configs import SIM, account, combo, config

HERE = config(
    account("openai", "gpt-4o", "text-embedding-3-small"),
    account("openai", "gpt-4o", "o1", account_id="second"),
    replace(account("groq"), enabled=False),
    replace(account("ollama-local", "llama3:8b"), local=True),
    combos=(
        combo("mix", "openai/gpt-4o", "openai/o1"),
        combo("off", "openai/gpt-4o", active=False),
        combo("nobody", "anthropic/claude-opus-5-5"),
    ),
)


def names(rows: tuple[ModelRow, ...]) -> list[str]:
    return [row.model_id for row in rows]


def test_combos_come_first_then_our_own_names_then_each_model_once() -> None:
    assert names(list_models(HERE)) == [
        "mix",
        *OWN_NAMES,
        "openai/gpt-4o",
        "openai/text-embedding-3-small",
        "openai/o1",
        "ollama-local/llama3:8b",
    ]


def test_every_listed_name_can_be_asked_for() -> None:
    for row in list_models(HERE):
        assert resolve(HERE, row.model_id, facts=facts_of).candidates


def test_a_row_says_whose_it_is_and_what_is_known_of_it() -> None:
    row = next(row for row in list_models(HERE) if row.model_id == "openai/gpt-4o")

    assert (row.kind, row.owned_by) == ("model", "openai")
    assert row.facts.context_tokens_max == 128_000
    assert row.facts.price == Price(2_500_000_000, 10_000_000_000, 1_250_000_000)
    assert row.facts.price_source is not None


def test_a_local_model_is_listed_as_local_and_free() -> None:
    row = list_models(HERE)[-1]

    assert row.local
    assert row.facts.price == Price(0, 0)


def test_a_combos_facts_hold_whichever_model_answers() -> None:
    known = {
        "a": ModelFacts(context_tokens_max=100, price=Price(1, 1), tools=True, images=False),
        "b": ModelFacts(context_tokens_max=50, tools=True, images=None),
    }
    here = config(account("x", "a", "b"), combos=(combo("mix", "x/a", "x/b"),))

    row = list_models(here, lambda provider, model: known[model])[0]

    assert row.facts == ModelFacts(context_tokens_max=50, tools=True, images=False)
    assert row.owned_by == "combo"


def test_a_combos_context_is_unknown_when_one_models_is() -> None:
    known = {"a": ModelFacts(context_tokens_max=100), "b": ModelFacts()}
    here = config(account("x", "a", "b"), combos=(combo("mix", "x/a", "x/b"),))

    assert list_models(here, lambda provider, model: known[model])[0].facts == ModelFacts()


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        ("ollama", ["ollama-local/llama3:8b"]),
        ("combo", ["mix"]),
        ("openai", ["openai/gpt-4o", "openai/text-embedding-3-small", "openai/o1"]),
        ("nobody", []),
    ],
)
def test_rows_are_filtered_by_provider(provider: str, expected: list[str]) -> None:
    assert names(list_models(HERE, provider=provider)) == expected


@pytest.mark.parametrize(
    ("capability", "expected"),
    [("embedding", ["openai/text-embedding-3-small"]), ("video", [])],
)
def test_rows_are_filtered_by_capability(capability: Capability, expected: list[str]) -> None:
    assert names(list_models(HERE, capability=capability)) == expected


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        (("mix",), ["mix"]),
        (
            ("openai/*", "mix"),
            ["mix", "openai/gpt-4o", "openai/text-embedding-3-small", "openai/o1"],
        ),
        (("gpt-4o",), ["openai/gpt-4o"]),
        (("nothing",), []),
    ],
)
def test_a_caller_sees_only_what_its_key_allows(
    allowed: tuple[str, ...], expected: list[str]
) -> None:
    assert names(list_models(HERE, allowed=allowed)) == expected


def test_simulated_models_say_that_they_are() -> None:
    rows = list_models(config(SIM, combos=(combo("mix", "sim/fast"),)))

    assert {row.model_id for row in rows if row.simulated} == {"mix", "sim/fast", "sim/smart"}


def test_nothing_is_listed_where_there_is_no_account() -> None:
    assert list_models(config()) == ()
