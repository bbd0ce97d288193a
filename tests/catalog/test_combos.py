"""What makes a combo valid, and the combos of the first start."""

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.catalog.combos import starter_combos, validate_combo
from omniroute.routing.catalog.names import OWN_NAMES
from omniroute.routing.catalog.prices import facts_of
from omniroute.routing.catalog.resolve import COMBO_DEPTH_MAX, resolve
from omniroute.routing.catalog.simulated import SIMULATED_ACCOUNT
from omniroute.routing.errors import BadRequest
from omniroute.routing.model import Combo, ComboModel
from tests.catalog.configs import account, combo, config

FINE = combo("team/fast-1.0", ComboModel("openai/gpt-4o", 70), "groq/qwen/qwen3-32b")


def refusal(combo: Combo, others: list[Combo]) -> str | None:
    """Give why a combo is refused, None when it is valid."""
    try:
        validate_combo(combo, others)
    except BadRequest as error:
        return str(error)
    return None


def test_a_combo_within_its_bounds_is_valid() -> None:
    widest = replace(FINE, attempts_max=10, first_byte_s=1, total_s=600)
    lean = replace(FINE, retries=0, retry_delay_s=0, concurrency_per_model=1)

    assert refusal(FINE, []) is None
    assert refusal(widest, [FINE]) is None
    assert refusal(lean, [FINE]) is None
    assert refusal(replace(FINE, retries=10, retry_delay_s=60, queue_s=120), [FINE]) is None


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (replace(FINE, name=""), "name"),
        (replace(FINE, name="x" * 101), "name"),
        (replace(FINE, name="two words"), "name"),
        (replace(FINE, name="line\n"), "name"),
        (replace(FINE, name="naïve"), "name"),
        (replace(FINE, name="auto"), "name"),
        (replace(FINE, name="auto/mine"), "name"),
        (replace(FINE, name="claude-auto"), "name"),
        (replace(FINE, name="omniroute/x"), "name"),
        (replace(FINE, models=()), "models"),
        (replace(FINE, models=(ComboModel("a/b"),) * 101), "models"),
        (combo("x", ""), "models[0]"),
        (combo("x", "a/b", "c\n"), "models[1]"),
        (combo("x", "a" * 257), "models[0]"),
        (combo("x", "auto/fast"), "models[0]"),
        (combo("x", ComboModel("a/b", -1)), "models[0].weight"),
        (combo("x", ComboModel("a/b", 101)), "models[0].weight"),
        *((combo(name, "a/b"), "name") for name in (".", "..", "a/..", "../a", "a/./b")),
        (replace(FINE, attempts_max=0), "attempts_max"),
        (replace(FINE, attempts_max=11), "attempts_max"),
        (replace(FINE, first_byte_s=0.5), "first_byte_s"),
        (replace(FINE, total_s=600.5), "total_s"),
        (replace(FINE, total_s=float("nan")), "total_s"),
        (replace(FINE, retries=-1), "retries"),
        (replace(FINE, retries=11), "retries"),
        (replace(FINE, retry_delay_s=-0.1), "retry_delay_s"),
        (replace(FINE, retry_delay_s=60.1), "retry_delay_s"),
        (replace(FINE, concurrency_per_model=0), "concurrency_per_model"),
        (replace(FINE, concurrency_per_model=21), "concurrency_per_model"),
        (replace(FINE, queue_s=0.9), "queue_s"),
        (replace(FINE, queue_s=121), "queue_s"),
        (replace(FINE, description="x" * 1001), "description"),
        (combo("x", "x"), "models"),
    ],
)
def test_what_is_wrong_with_a_combo_is_told_by_its_field(wrong: Combo, field: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        validate_combo(wrong, [])

    assert refusal.value.field == field


def test_an_unknown_strategy_is_refused() -> None:
    wrong = replace(FINE)
    object.__setattr__(wrong, "strategy", "coin-toss")

    with pytest.raises(BadRequest, match="priority") as refusal:
        validate_combo(wrong, [])

    assert refusal.value.field == "strategy"


def test_a_combo_that_would_contain_itself_through_another_is_refused() -> None:
    others = [combo("b", "c", "openai/o1"), combo("c", "a")]

    with pytest.raises(BadRequest, match="contain itself"):
        validate_combo(combo("a", "b"), others)


def test_combos_nest_three_deep_and_no_deeper() -> None:
    three = [combo("b", "c"), combo("c", "openai/o1")]
    four = [combo("b", "c"), combo("c", "d"), combo("d", "openai/o1")]

    validate_combo(combo("a", "b"), three)
    with pytest.raises(BadRequest, match="at most 3 deep"):
        validate_combo(combo("a", "b"), four)


def test_a_combo_that_makes_its_parents_too_deep_is_refused() -> None:
    others = [combo("top", "middle"), combo("middle", "low"), combo("leaf", "openai/o1")]

    with pytest.raises(BadRequest, match="at most 3 deep"):
        validate_combo(combo("low", "leaf"), others)


def test_a_combo_may_change_its_name_without_meeting_its_older_self() -> None:
    older = combo("a", "b")
    others = [older, combo("b", "openai/o1")]

    newer = replace(older, name="c", models=(ComboModel("b"),))

    assert refusal(newer, others) is None


@given(links=st.dictionaries(st.sampled_from("abcdef"), st.sets(st.sampled_from("abcdef"))))
def test_combos_accepted_one_by_one_never_form_a_circle(links: dict[str, set[str]]) -> None:
    accepted: dict[str, Combo] = {}
    for name, targets in links.items():
        one = combo(name, "openai/o1", *sorted(targets))
        with contextlib.suppress(BadRequest):
            validate_combo(one, accepted.values())
            accepted[name] = one

    for name in accepted:
        assert _depth(name, accepted, ()) <= COMBO_DEPTH_MAX


def _depth(name: str, combos: dict[str, Combo], path: tuple[str, ...]) -> int:
    assert name not in path
    nested = [entry.target for entry in combos[name].models if entry.target in combos]
    return 1 + max((_depth(one, combos, (*path, name)) for one in nested), default=0)


def test_starter_combos_are_of_the_simulator_where_there_is_nothing_else() -> None:
    found = starter_combos(config(SIMULATED_ACCOUNT))

    assert {one.name: [entry.target for entry in one.models] for one in found} == {
        "fast-coding": ["sim/fast", "sim/smart"],
        "cheap": ["sim/cheap", "sim/fast"],
        "quality": ["sim/smart", "sim/fast"],
    }
    assert [one.combo_id for one in found] == [
        "starter-fast-coding",
        "starter-cheap",
        "starter-quality",
    ]


def test_starter_combos_are_of_real_models_as_soon_as_there_is_one() -> None:
    found = starter_combos(config(SIMULATED_ACCOUNT, account("openai"), account("anthropic")))

    targets = {one.name: [entry.target for entry in one.models] for one in found}
    assert targets["quality"] == ["anthropic/claude-opus-5-5", "openai/gpt-5.5"]
    assert not any(target.startswith("sim/") for one in targets.values() for target in one)


def test_starter_combos_take_in_servers_and_endpoints_of_the_users_own_last() -> None:
    own = account("ollama-local", "nomic-embed-text", "llama3:8b")

    found = starter_combos(config(own, account("openai")))

    assert [entry.target for entry in found[2].models] == [
        "openai/gpt-5.5",
        "ollama-local/llama3:8b",
    ]


@pytest.mark.parametrize(
    "provider", ["openai", "anthropic", "gemini", "openrouter", "nvidia", "hyperbolic", "sim"]
)
def test_starter_combos_are_valid_and_resolve(provider: str) -> None:
    own = SIMULATED_ACCOUNT if provider == "sim" else account(provider)
    found = starter_combos(config(own))
    here = config(own, combos=found)

    assert [one.name for one in found] == ["fast-coding", "cheap", "quality"]
    for one in found:
        validate_combo(one, found)
        assert resolve(here, one.name, facts=facts_of).candidates


def test_no_starter_combo_is_made_of_nothing() -> None:
    assert starter_combos(config(account("mine"))) == ()


def test_every_own_name_is_refused_as_a_combos_name() -> None:
    for name in OWN_NAMES:
        with pytest.raises(BadRequest):
            validate_combo(replace(FINE, name=name), [])
