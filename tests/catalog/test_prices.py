"""What is known of models: the shipped table, its rules and a user's overrides."""

import importlib.util
import json
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import pytest
from genai_prices import types
from genai_prices.data import providers as price_lists
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.catalog.kinds import kind_of
from omniroute.routing.catalog.prices import (
    Override,
    facts_of,
    fits,
    overridden,
    tiers_of,
    with_override,
)
from omniroute.routing.catalog.providers import LOCAL_PROVIDERS, PROVIDERS, Provider
from omniroute.routing.model import ModelFacts, Price

ROOT = Path(__file__).parent.parent.parent
TABLE = ROOT / "routing/catalog/prices.json"
USD = 1_000_000_000


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    """requirements/prices.py, which is a script and not a module of the package."""
    spec = importlib.util.spec_from_file_location("prices", ROOT / "requirements/prices.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("provider", "model", "price", "context"),
    [
        ("openai", "gpt-4o", Price(2_500_000_000, 10 * USD, 1_250_000_000), 128_000),
        ("openai", "gpt-4o-mini", Price(150_000_000, 600_000_000, 75_000_000), 128_000),
        ("anthropic", "claude-sonnet-4-20250514", None, 200_000),
        (
            "anthropic",
            "claude-3-5-sonnet-20241022",
            Price(3 * USD, 15 * USD, 300_000_000, 3_750_000_000),
            200_000,
        ),
        ("groq", "openai/gpt-oss-120b", None, 131_072),
    ],
)
def test_well_known_models_have_their_prices(
    provider: str, model: str, price: Price | None, context: int
) -> None:
    facts = facts_of(provider, model)

    assert facts.price is not None
    assert price is None or facts.price == price
    assert facts.context_tokens_max == context
    assert facts.price_source is not None
    assert facts.price_source.startswith("genai-prices ")


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-99-imagined"),
        ("siliconflow", "deepseek-ai/DeepSeek-V3.2"),
        ("my-own-endpoint", "gpt-4o"),
        ("openrouter", "auto"),
    ],
)
def test_an_unknown_price_is_unknown_and_not_free(provider: str, model: str) -> None:
    assert facts_of(provider, model).price is None


def test_a_model_billed_per_request_too_has_no_token_price() -> None:
    facts = facts_of("perplexity", "sonar")

    assert facts.price is None
    assert facts.context_tokens_max == 128_000
    assert facts.price_source is not None
    assert facts.price_source.endswith("billed per request too")


@pytest.mark.parametrize("row", LOCAL_PROVIDERS, ids=lambda row: row.name)
def test_a_local_server_is_free_in_so_many_words(row: Provider) -> None:
    facts = facts_of(row.name, "whatever")

    assert facts.price == Price(0, 0)
    assert facts.price_source == "local"


def test_what_a_provider_takes_of_no_model_is_known_of_every_model() -> None:
    assert facts_of("perplexity", "sonar-pro").tools is False
    assert facts_of("publicai", "swiss-ai/apertus-70b-instruct").images is False
    assert (facts_of("groq", "m").tools, facts_of("groq", "m").images) == (None, None)


def test_a_free_variant_is_free_and_its_paid_model_is_not() -> None:
    assert facts_of("openrouter", "google/gemma-3-12b-it:free").price == Price(0, 0)
    paid = facts_of("openrouter", "google/gemma-3-12b-it").price
    assert paid is not None
    assert paid.input > 0


def test_a_tiered_price_gives_its_base_and_says_so() -> None:
    facts = facts_of("anthropic", "claude-sonnet-4-5")

    assert facts.price is not None
    assert facts.price.input == 3 * USD
    assert facts.price_source is not None
    assert facts.price_source.endswith("tiered")
    assert tiers_of("anthropic", "claude-sonnet-4-5") == (
        (200_000, Price(6 * USD, 22_500_000_000, 600_000_000, 7_500_000_000)),
    )
    assert tiers_of("openai", "gpt-4o") == ()


def test_the_gemini_provider_does_not_know_models_that_only_vertex_sells() -> None:
    assert facts_of("gemini", "claude-opus-4-5") == ModelFacts()


def test_an_alias_of_a_provider_knows_the_same() -> None:
    assert facts_of("google", "gemini-2.5-pro") == facts_of("gemini", "gemini-2.5-pro")


def test_a_simulated_model_keeps_its_facts_under_directives() -> None:
    assert facts_of("sim", "fast@latency=0") == facts_of("sim", "fast")
    assert facts_of("sim", "fast").price == Price(100_000_000, 400_000_000)
    assert facts_of("sim", "nothing").price is None


def test_the_shipped_table_is_what_the_lock_script_makes(maker: ModuleType) -> None:
    text = TABLE.read_text(encoding="utf-8")
    day = date.fromisoformat(json.loads(text)["on"])

    assert maker.render(maker.lists_on(day), day) == text


def test_the_shipped_table_is_small() -> None:
    assert TABLE.stat().st_size < 300 * 1024


def test_names_match_as_in_the_package_the_table_is_from() -> None:
    """Every name that a rule spells out, also with an ending, at every list we ship."""
    lists = {one.id: one for one in price_lists}
    rows = [one for one in PROVIDERS if one.price_list and one.price_list != "google"]

    wrong = [
        f"{row.name}/{name}"
        for row in rows
        for model in lists[row.price_list or ""].models
        for name in (model.id, f"{model.id}-preview", model.id.upper())
        if not _same(lists[row.price_list or ""], name, facts_of(row.name, name))
    ]

    assert wrong == []


def _same(price_list: types.Provider, name: str, facts: ModelFacts) -> bool:
    found = price_list.find_model(name)
    return facts.context_tokens_max == (None if found is None else found.context_window)


def test_a_price_by_the_hour_is_taken_at_its_dearest(maker: ModuleType) -> None:
    cheap = types.ModelPrice(input_mtok=Decimal(1), output_mtok=Decimal(2))
    dear = types.ModelPrice(input_mtok=Decimal(3), output_mtok=Decimal(1))
    night = types.TimeOfDateConstraint(start_time=time(1), end_time=time(5))
    model = types.ModelInfo(
        id="m",
        match=types.ClauseEquals("m"),
        prices=[types.ConditionalPrice(prices=cheap), types.ConditionalPrice(night, prices=dear)],
    )

    assert maker.price_on("x", model, date(2026, 1, 1)) == ([3 * USD, 2 * USD], ["dearest hours"])


def test_an_announced_price_is_noted_and_not_yet_taken(maker: ModuleType) -> None:
    model = types.ModelInfo(
        id="m",
        match=types.ClauseEquals("m"),
        prices=[
            types.ConditionalPrice(
                prices=types.ModelPrice(input_mtok=Decimal(1), output_mtok=Decimal(2))
            ),
            types.ConditionalPrice(
                types.StartDateConstraint(date(2026, 2, 1)),
                prices=types.ModelPrice(input_mtok=Decimal(5), output_mtok=Decimal(6)),
            ),
        ],
    )

    before = maker.price_on("x", model, date(2026, 1, 31))
    after = maker.price_on("x", model, date(2026, 2, 1))

    assert before == ([1 * USD, 2 * USD], ["changes 2026-02-01"])
    assert after == ([5 * USD, 6 * USD], [])


def test_a_chat_model_without_an_output_price_has_no_price(maker: ModuleType) -> None:
    half = types.ModelPrice(input_mtok=Decimal(1))

    chat = types.ModelInfo(id="m", match=types.ClauseEquals("m"), prices=half)
    embedding = types.ModelInfo(id="m-embed", match=types.ClauseEquals("m"), prices=half)

    assert maker.price_on("x", chat, date(2026, 1, 1)) == ([], [])
    assert maker.price_on("x", embedding, date(2026, 1, 1)) == ([1 * USD, 0], [])


def test_nested_match_rules_become_alternatives_of_conditions(maker: ModuleType) -> None:
    clause = types.ClauseAnd(
        [
            types.ClauseOr([types.ClauseStartsWith("A"), types.ClauseContains("b")]),
            types.ClauseEndsWith("C"),
        ]
    )

    assert maker.alternatives(clause) == [["^a", "$c"], ["*b", "$c"]]


def test_an_override_wins_over_the_table_and_leaves_the_rest() -> None:
    mine = Price(1, 2)

    facts = with_override(facts_of("openai", "gpt-4o"), Override("openai/gpt-4o", price=mine))

    assert facts.price == mine
    assert facts.price_source == "override"
    assert facts.context_tokens_max == 128_000


def test_the_longest_override_that_fits_counts() -> None:
    facts = overridden(
        facts_of,
        (
            Override("openai/*", price=Price(1, 1)),
            Override("openai/gpt-4o*", price=Price(2, 2)),
            Override("mine/m", context_tokens_max=5, capabilities=("embedding",)),
        ),
    )

    assert facts("openai", "gpt-4o-mini").price == Price(2, 2)
    assert facts("openai", "o1").price == Price(1, 1)
    assert facts("groq", "openai/gpt-oss-20b") == facts_of("groq", "openai/gpt-oss-20b")
    assert facts("mine", "m") == ModelFacts(context_tokens_max=5, capabilities=("embedding",))


def test_a_price_of_zero_can_be_said() -> None:
    facts = with_override(ModelFacts(), Override("mine/*", price=Price(0, 0)))

    assert facts.price == Price(0, 0)


@given(provider=st.sampled_from([one.name for one in PROVIDERS]), model=st.text(max_size=40))
def test_any_name_has_facts(provider: str, model: str) -> None:
    facts = facts_of(provider, model)

    assert len(facts.capabilities) == 1
    assert facts.price is None or facts.price.input >= 0


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("gpt-4o", "chat"),
        ("nomic-embed-text:latest", "embedding"),
        ("BAAI/bge-m3", "embedding"),
        ("bge-reranker-v2", "rerank"),
        ("whisper-large-v3", "transcription"),
        ("gpt-4o-mini-tts", "speech"),
        ("voxtral-mini", "audio"),
        ("musicgen-medium", "music"),
        ("gpt-image-2", "image"),
        ("black-forest-labs/FLUX.1-dev", "image"),
        ("sora-2", "video"),
        ("omni-moderation-latest", "moderation"),
        ("meta-llama/Llama-3.3-70B-Instruct", "chat"),
    ],
)
def test_a_models_kind_is_told_from_its_name(model: str, kind: str) -> None:
    assert kind_of(model) == kind


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [("a/b", "a/b", True), ("a/b", "a/bc", False), ("a/*", "a/bc", True), ("*", "x", True)],
)
def test_a_pattern_ends_in_a_star_or_is_the_name(pattern: str, name: str, expected: bool) -> None:
    assert fits(pattern, name) is expected
