"""How a name becomes candidates: each rule with an example, and what holds for any name."""

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.catalog.names import OLD_NAMES, OWN_NAMES
from omniroute.routing.catalog.prices import facts_of
from omniroute.routing.catalog.resolve import CANDIDATES_MAX, TARGET_CHARS_MAX, Resolved, resolve
from omniroute.routing.errors import BadRequest, ModelNotFound, RoutingError
from omniroute.routing.model import Combo, ComboModel, Config, ModelFacts
from tests.catalog.configs import SIM, account, combo, config


def ask(configuration: Config, target: str) -> Resolved:
    return resolve(configuration, target, facts=facts_of)


def names(resolved: Resolved) -> list[str]:
    return [one.name for one in resolved.candidates]


def test_a_provider_and_a_model_give_every_account_of_the_provider_in_order() -> None:
    here = config(
        account("openai", account_id="b"), account("groq"), account("openai", account_id="a")
    )

    resolved = ask(here, "openai/gpt-4o")

    assert [one.account_id for one in resolved.candidates] == ["b", "a"]
    assert resolved.strategy == "priority"
    assert resolved.combo is None
    assert resolved.renamed is None
    assert resolved.candidates[0].facts == facts_of("openai", "gpt-4o")


def test_only_the_first_slash_splits() -> None:
    resolved = ask(config(account("groq")), "groq/openai/gpt-oss-120b")

    assert resolved.candidates[0].model == "openai/gpt-oss-120b"


@pytest.mark.parametrize("prefix", ["gemini", "google", "Google"])
def test_a_provider_goes_by_its_aliases_too(prefix: str) -> None:
    resolved = ask(config(account("gemini")), f"{prefix}/gemini-2.5-pro")

    assert names(resolved) == ["gemini/gemini-2.5-pro"]


def test_a_model_that_nobody_listed_is_passed_through_with_its_facts_unknown() -> None:
    resolved = ask(config(account("openai")), "openai/gpt-99-imagined")

    assert names(resolved) == ["openai/gpt-99-imagined"]
    assert resolved.candidates[0].facts == ModelFacts()


def test_an_account_with_a_list_of_its_own_serves_that_list_alone() -> None:
    here = config(account("openai", "gpt-4o"))

    with pytest.raises(ModelNotFound, match="openai serves gpt-4o"):
        ask(here, "openai/o1")


def test_what_a_probe_saw_does_not_limit_a_local_server() -> None:
    probed = replace(account("ollama-local", "llama3:8b"), source="probe", local=True)

    resolved = ask(config(probed), "ollama/pulled-since")

    assert names(resolved) == ["ollama-local/pulled-since"]
    assert resolved.candidates[0].local


def test_an_endpoint_of_the_users_own_goes_by_its_provider_name() -> None:
    resolved = ask(config(account("mycorp")), "mycorp/any-model")

    assert names(resolved) == ["mycorp/any-model"]


def test_an_accounts_own_name_chooses_that_account() -> None:
    here = config(
        account("openai", account_id="a", name="home"),
        account("openai", account_id="b", name="work"),
    )

    resolved = ask(here, "work/gpt-4o")

    assert [one.account_id for one in resolved.candidates] == ["b"]


def test_a_bare_name_gives_every_account_that_serves_it() -> None:
    here = config(
        account("openai", account_id="a"), account("groq"), account("openai", account_id="b")
    )

    resolved = ask(here, "gpt-4o")

    assert [one.account_id for one in resolved.candidates] == ["a", "b"]


def test_a_bare_name_of_two_providers_is_ambiguous_and_lists_them() -> None:
    here = config(account("openai"), account("blackbox"))

    with pytest.raises(BadRequest, match="blackbox/gpt-4o, openai/gpt-4o") as refusal:
        ask(here, "gpt-4o")

    assert refusal.value.field == "model"


def test_a_bare_name_that_only_a_price_list_holds_is_found_there() -> None:
    resolved = ask(config(account("anthropic"), account("gemini")), "claude-opus-4-1")

    assert names(resolved) == ["anthropic/claude-opus-4-1"]


def test_a_bare_name_may_hold_the_slash_of_a_provider_that_has_no_account() -> None:
    resolved = ask(config(account("groq")), "openai/gpt-oss-120b")

    assert names(resolved) == ["groq/openai/gpt-oss-120b"]


def test_the_mark_for_long_context_is_stripped() -> None:
    resolved = ask(config(account("anthropic")), "claude-sonnet-5-5[1m]")

    assert names(resolved) == ["anthropic/claude-sonnet-5-5"]
    assert resolved.renamed is None


def test_the_gateways_own_name_before_a_name_is_stripped() -> None:
    assert ask(config(account("openai")), "omniroute/auto").strategy == "auto"


def test_an_old_name_is_replaced_and_it_is_told() -> None:
    resolved = ask(config(account("gemini")), "gemini-1.5-pro")

    assert names(resolved) == ["gemini/gemini-2.5-pro"]
    assert resolved.renamed == "gemini-2.5-pro"


def test_what_openai_has_shut_down_leads_to_what_openai_names_instead() -> None:
    resolved = ask(config(account("openai")), "gpt-4")

    assert names(resolved) == ["openai/gpt-5.6-sol"]
    assert resolved.renamed == "gpt-5.6-sol"


def test_no_old_name_leads_to_another_or_to_itself() -> None:
    assert OLD_NAMES.keys() & set(OLD_NAMES.values()) == set()


def test_a_model_is_asked_for_in_the_format_of_the_account_that_names_it() -> None:
    chat = account("openai", account_id="chat")
    responses = replace(
        account("openai", "gpt-5.5-pro", account_id="r"), dialect="openai_responses"
    )
    here = config(chat, responses)

    custom, other = ask(here, "openai/gpt-5.5-pro"), ask(here, "openai/gpt-5.5")

    assert [(one.account_id, one.dialect) for one in custom.candidates] == [
        ("r", "openai_responses")
    ]
    assert [(one.account_id, one.dialect) for one in other.candidates] == [("chat", "openai_chat")]


def test_an_old_name_that_somebody_still_serves_is_kept() -> None:
    resolved = ask(config(account("mine", "gemini-1.5-pro"), account("gemini")), "gemini-1.5-pro")

    assert names(resolved) == ["mine/gemini-1.5-pro"]


def test_an_alias_comes_before_models_and_may_lead_to_another() -> None:
    here = config(account("openai"), aliases=(("gpt-4o", "mini"), ("mini", "openai/gpt-4o-mini")))

    resolved = ask(here, "gpt-4o")

    assert names(resolved) == ["openai/gpt-4o-mini"]
    assert resolved.renamed == "openai/gpt-4o-mini"


def test_of_wildcard_aliases_the_most_specific_counts_and_a_plain_one_first() -> None:
    here = config(
        account("openai"),
        aliases=(
            ("claude-*", "openai/o1"),
            ("claude-haiku-*", "openai/gpt-4o-mini"),
            ("claude-haiku-?-?", "openai/gpt-4.1-nano"),
            ("claude-opus-5", "openai/gpt-4o"),
        ),
    )

    assert names(ask(here, "claude-haiku-latest")) == ["openai/gpt-4o-mini"]
    assert names(ask(here, "claude-haiku-4-5")) == ["openai/gpt-4.1-nano"]
    assert names(ask(here, "claude-opus-5")) == ["openai/gpt-4o"]
    assert names(ask(here, "claude-sonnet-5")) == ["openai/o1"]


def test_an_alias_that_matches_its_own_target_ends_there() -> None:
    here = config(account("openai"), aliases=(("gpt-*", "gpt-4o"),))

    assert names(ask(here, "gpt-3")) == ["openai/gpt-4o"]


def test_aliases_in_a_circle_are_refused() -> None:
    here = config(account("openai"), aliases=(("a", "b"), ("b", "a")))

    with pytest.raises(BadRequest, match="circle"):
        ask(here, "a")


def test_a_combo_comes_before_everything_else() -> None:
    here = config(
        account("openai"),
        account("groq"),
        combos=(combo("gpt-4o", "groq/qwen/qwen3-32b", "openai/o1", strategy="random"),),
        aliases=(("gpt-4o", "openai/gpt-4o"),),
    )

    resolved = ask(here, "gpt-4o")

    assert names(resolved) == ["groq/qwen/qwen3-32b", "openai/o1"]
    assert (resolved.combo, resolved.strategy) == ("gpt-4o", "random")


def test_an_inactive_combo_is_not_found_and_the_error_says_why() -> None:
    here = config(account("openai"), combos=(combo("fast", "openai/o1", active=False),))

    with pytest.raises(ModelNotFound, match="switched off"):
        ask(here, "fast")


def test_a_combos_limits_and_weights_come_along() -> None:
    weighted = combo("mix", ComboModel("openai/o1", 70), ComboModel("groq/qwen/qwen3-32b", 30))
    here = config(account("openai"), account("groq"), combos=(replace(weighted, attempts_max=7),))

    resolved = ask(here, "mix")

    assert [one.weight for one in resolved.candidates] == [70, 30]
    assert resolved.attempts_max == 7


def test_a_nested_combo_stands_in_its_place_and_shares_its_weight() -> None:
    here = config(
        account("openai"),
        combos=(
            combo("outer", ComboModel("openai/o1", 1), ComboModel("inner", 1)),
            combo("inner", ComboModel("openai/gpt-4o", 1), ComboModel("openai/gpt-4.1", 2)),
        ),
    )

    resolved = ask(here, "outer")

    assert names(resolved) == ["openai/o1", "openai/gpt-4o", "openai/gpt-4.1"]
    assert [one.weight for one in resolved.candidates] == [3, 1, 2]


def test_a_model_at_two_accounts_is_one_step_and_each_has_its_entrys_weight() -> None:
    here = config(
        account("openai", account_id="a"),
        account("openai", account_id="b"),
        account("groq"),
        combos=(combo("mix", ComboModel("openai/o1", 1), ComboModel("groq/qwen/qwen3-32b", 1)),),
    )

    candidates = ask(here, "mix").candidates

    assert [(one.weight, one.step) for one in candidates] == [(1, 0), (1, 0), (1, None)]


def test_accounts_that_are_named_one_by_one_are_steps_of_their_own() -> None:
    here = config(
        account("openai", account_id="a", name="work"),
        account("openai", account_id="b", name="home"),
        combos=(combo("mix", ComboModel("work/o1", 9), ComboModel("home/o1", 1)),),
    )

    candidates = ask(here, "mix").candidates

    assert [(one.account_id, one.weight, one.step) for one in candidates] == [
        ("a", 9, None),
        ("b", 1, None),
    ]


@pytest.mark.parametrize("target", ["auto", "openai/gpt-4o"])
def test_accounts_that_serve_one_model_are_equals_without_a_combo_too(target: str) -> None:
    here = config(account("openai", account_id="a"), account("openai", account_id="b"))

    found: dict[str, set[int | None]] = {}
    for one in ask(here, target).candidates:
        found.setdefault(one.model, set()).add(one.step)

    assert all(len(steps) == 1 and None not in steps for steps in found.values())
    assert len({step for steps in found.values() for step in steps}) == len(found)


def test_a_duplicate_keeps_its_first_place() -> None:
    here = config(account("openai"), combos=(combo("twice", "openai/o1", "gpt-4o", "o1"),))

    assert names(ask(here, "twice")) == ["openai/o1", "openai/gpt-4o"]


def test_inactive_and_too_deep_nested_combos_are_passed_over() -> None:
    here = config(
        account("openai"),
        combos=(
            combo("one", "two", "off", "openai/o1"),
            combo("two", "three"),
            combo("three", "four", "openai/gpt-4o"),
            combo("four", "openai/gpt-4.1"),
            combo("off", "openai/gpt-4-turbo", active=False),
        ),
    )

    assert names(ask(here, "one")) == ["openai/gpt-4o", "openai/o1"]


def test_a_combo_leaves_out_models_without_an_account() -> None:
    here = config(account("openai"), combos=(combo("mix", "groq/qwen/qwen3-32b", "openai/o1"),))

    assert names(ask(here, "mix")) == ["openai/o1"]


def test_a_combo_without_any_account_says_what_to_do() -> None:
    here = config(account("openai"), combos=(combo("mix", "groq/qwen/qwen3-32b"),))

    with pytest.raises(ModelNotFound, match="omniroute providers add"):
        ask(here, "mix")


def test_a_bare_name_in_a_combo_may_be_of_several_providers() -> None:
    here = config(account("openai"), account("blackbox"), combos=(combo("mix", "gpt-4o"),))

    assert names(ask(here, "mix")) == ["openai/gpt-4o", "blackbox/gpt-4o"]


@pytest.mark.parametrize(
    ("target", "mode"),
    [
        ("auto", "balanced"),
        ("claude-auto", "balanced"),
        ("auto/coding", "coding"),
        ("auto/fast", "fast"),
        ("auto/cheap", "cheap"),
        ("auto/smart", "smart"),
        ("auto/offline", "offline"),
    ],
)
def test_our_own_names_choose_among_everything_by_their_mode(target: str, mode: str) -> None:
    here = config(account("openai", "gpt-4o", "text-embedding-3-small"), account("mine", "m"))

    resolved = ask(here, target)

    assert names(resolved) == ["openai/gpt-4o", "mine/m"]
    assert (resolved.strategy, resolved.mode) == ("auto", mode)


def test_auto_takes_the_first_of_every_account_before_the_second_of_any() -> None:
    long = account("long", *(f"m{number}" for number in range(CANDIDATES_MAX * 2)))
    here = config(long, account("short", "n0", "n1"))

    resolved = ask(here, "auto")

    assert names(resolved)[:4] == ["long/m0", "short/n0", "long/m1", "short/n1"]
    assert len(resolved.candidates) == CANDIDATES_MAX


def test_auto_offline_stays_on_this_machine_when_it_can() -> None:
    local = replace(account("ollama-local", "llama3:8b"), local=True)

    assert names(ask(config(account("openai"), local), "auto/offline")) == [
        "ollama-local/llama3:8b"
    ]
    assert ask(config(account("openai")), "auto/offline").candidates


def test_auto_without_a_known_model_says_what_to_do() -> None:
    with pytest.raises(ModelNotFound, match="omniroute providers add"):
        ask(config(account("mine")), "auto")


def test_simulated_models_answer_when_nothing_real_is_there() -> None:
    here = config(SIM)

    assert names(ask(here, "auto")) == ["sim/fast", "sim/smart"]
    assert names(ask(here, "fast")) == ["sim/fast"]
    assert ask(here, "sim/smart").candidates[0].simulated


def test_simulated_models_are_never_mixed_with_real_ones() -> None:
    here = config(
        SIM, account("openai", "gpt-4o"), combos=(combo("mix", "sim/fast", "openai/gpt-4o"),)
    )

    assert names(ask(here, "auto")) == ["openai/gpt-4o"]
    assert names(ask(here, "mix")) == ["openai/gpt-4o"]
    assert names(ask(here, "sim/fast")) == ["sim/fast"]
    with pytest.raises(ModelNotFound):
        ask(here, "fast")


def test_a_real_account_that_is_switched_off_leaves_the_simulator_alone() -> None:
    here = config(SIM, replace(account("openai"), enabled=False))

    assert names(ask(here, "auto")) == ["sim/fast", "sim/smart"]


def test_a_simulated_model_takes_directives_in_its_name() -> None:
    assert names(ask(config(SIM), "sim/fast@latency=0")) == ["sim/fast@latency=0"]


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("anthropic/claude-opus-5-5", "set ANTHROPIC_API_KEY, or run `omniroute providers add"),
        ("google/gemini-2.5-pro", "set GEMINI_API_KEY"),
        ("ollama/llama3", "no Ollama server is known; start it at http://127.0.0.1:11434/v1"),
        ("openai/", "no model is named"),
        ("/gpt-4o", "no model is named"),
        ("gpt-4o-mimi", "similar: openai/gpt-4o-mini"),
        ("openia/gpt-4o", "similar: openai/gpt-4o"),
        ("zzzz", "GET /v1/models"),
        ("auto/quick", "similar: auto/"),
    ],
)
def test_an_unknown_name_says_what_stood_in_the_way_and_what_to_do(target: str, says: str) -> None:
    with pytest.raises(ModelNotFound) as refusal:
        ask(config(account("openai")), target)

    assert says in str(refusal.value)


def test_a_provider_whose_accounts_are_off_is_told_apart_from_one_without() -> None:
    here = config(replace(account("groq"), enabled=False), account("openai"))

    with pytest.raises(ModelNotFound, match="all accounts of groq are switched off"):
        ask(here, "groq/qwen/qwen3-32b")


@pytest.mark.parametrize("target", ["", "   ", "[1m]", "x" * (TARGET_CHARS_MAX + 1)])
def test_an_empty_or_endless_name_is_a_bad_request(target: str) -> None:
    with pytest.raises(BadRequest):
        ask(config(account("openai")), target)


PARTS = st.sampled_from(
    ["openai", "groq", "a", "b", "c", "auto", "gpt-4o", "sim", "fast", "[1m]", "*", "?", "o1"]
)
NAMES = st.one_of(
    st.lists(PARTS, min_size=1, max_size=3).map("/".join), st.text(max_size=30), PARTS
)
COMBOS = st.lists(
    st.builds(
        lambda name, targets, active: Combo(f"id-{name}", name, tuple(targets), active=active),
        st.sampled_from(["a", "b", "c", "gpt-4o"]),
        st.lists(st.builds(ComboModel, NAMES, st.integers(0, 100)), max_size=4),
        st.booleans(),
    ),
    max_size=4,
)


@given(
    target=NAMES,
    combos=COMBOS,
    aliases=st.lists(st.tuples(NAMES, NAMES), max_size=4),
    providers=st.lists(st.sampled_from(["openai", "groq", "mine", "sim"]), max_size=4),
)
def test_any_name_in_any_configuration_is_answered_or_refused(
    target: str, combos: list[Combo], aliases: list[tuple[str, str]], providers: list[str]
) -> None:
    accounts = [
        replace(SIM, account_id=str(place))
        if provider == "sim"
        else account(provider, account_id=str(place))
        for place, provider in enumerate(providers)
    ]
    here = config(*accounts, combos=tuple(combos), aliases=tuple(aliases))

    with contextlib.suppress(RoutingError):
        resolved = ask(here, target)

        pairs = [(one.account_id, one.model) for one in resolved.candidates]
        assert 0 < len(pairs) <= CANDIDATES_MAX
        assert len(pairs) == len(set(pairs))
        assert len({one.simulated for one in resolved.candidates}) == 1


@given(target=st.text(max_size=2 * TARGET_CHARS_MAX))
def test_a_refusal_of_any_name_is_short(target: str) -> None:
    with pytest.raises(RoutingError) as refusal:
        ask(config(account("openai", "m"), account("groq", "m")), target + "\u2603")

    assert len(str(refusal.value)) < 4000


@given(weights=st.lists(st.integers(0, 100), min_size=1, max_size=6))
def test_weights_of_a_flat_combo_keep_their_proportions(weights: list[int]) -> None:
    entries = [ComboModel(f"p{place}/m", weight) for place, weight in enumerate(weights)]
    here = config(
        *(account(f"p{place}") for place in range(len(weights))), combos=(combo("x", *entries),)
    )

    found = [one.weight for one in ask(here, "x").candidates]

    assert found == (weights if any(weights) else [1] * len(weights))


@given(
    outer=st.lists(st.integers(1, 100), min_size=2, max_size=5),
    inner=st.lists(st.integers(1, 100), min_size=1, max_size=5),
)
def test_a_nested_combo_has_as_much_weight_as_its_entry(outer: list[int], inner: list[int]) -> None:
    entries = [ComboModel(f"p{place}/m", weight) for place, weight in enumerate(outer[1:])]
    nested = [ComboModel(f"q{place}/m", weight) for place, weight in enumerate(inner)]
    here = config(
        *(account(f"{letter}{place}") for letter in "pq" for place in range(5)),
        combos=(combo("x", ComboModel("y", outer[0]), *entries), combo("y", *nested)),
    )

    candidates = ask(here, "x").candidates

    total = sum(one.weight for one in candidates)
    share = sum(one.weight for one in candidates if one.provider.startswith("q"))
    assert share * sum(outer) == total * outer[0]


def test_every_own_name_resolves_where_a_model_is_known() -> None:
    for name in OWN_NAMES:
        assert ask(config(account("openai")), name).candidates
