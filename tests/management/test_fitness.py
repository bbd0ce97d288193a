"""Fitness by the user: rules that win over the tables, and what own requests have shown."""

import pytest

from omniroute.routing.catalog.fitness import TASKS, documented_fitness, fitness_of
from omniroute.routing.catalog.fitness_rules import KINDS, RULES_MAX, ruled
from omniroute.routing.choose.classic import factors_of_kept
from omniroute.routing.choose.record import pack_decision, pack_snapshot, replays
from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.health.experience import PUBLISH_S
from omniroute.routing.model import Caller
from omniroute.routing.preference import FitnessRule
from omniroute.server.api.fitness import rows
from tests.fakes import ADMIN, World, account, failing, world
from tests.management.routes import Api, api
from tests.routing.test_experience import answered, answering, ask, snapshot

pytestmark = pytest.mark.anyio

READER = Caller("reader-key", frozenset({"read:models"}))
NAME = "anthropic/claude-sonnet-4"


def routes(here: World) -> Api:
    return api(*rows(here.gateway), callers={"reader": READER})


def fitness(*rules: FitnessRule, name: str = NAME) -> dict[str, float]:
    return dict(ruled(fitness_of(name.partition("/")[2]), name, rules))


def test_of_the_rules_that_fit_the_longest_counts_for_each_kind() -> None:
    found = fitness(
        FitnessRule("claude", "math", 0.1),
        FitnessRule("claude-sonnet", "math", 0.2),
        FitnessRule("anthropic/", "writing", 0.3),
        FitnessRule("gpt", "math", 0.9),
    )

    tables = dict(fitness_of("claude-sonnet-4"))
    assert (found["math"], found["writing"], found["documentation"]) == (0.2, 0.3, 0.3)
    assert {kind for kind in tables if found[kind] != tables[kind]} == {
        "math",
        "writing",
        "documentation",
    }


@pytest.mark.parametrize(
    ("kinds", "coding"),
    [(("",), 0.1), (("", "code"), 0.2), (("", "code", "coding"), 0.3), (("coding", "code"), 0.1)],
)
def test_a_rule_for_the_task_wins_over_its_familys_and_that_over_one_for_all(
    kinds: tuple[str, ...], coding: float
) -> None:
    rules = [FitnessRule("claude", kind, (place + 1) / 10) for place, kind in enumerate(kinds)]

    assert fitness(*rules)["coding"] == coding


def test_a_longer_part_wins_also_where_it_says_less_exactly() -> None:
    rules = (FitnessRule("claude", "coding", 0.1), FitnessRule("claude-sonnet", "", 0.2))

    assert fitness(*rules)["coding"] == 0.2


async def test_a_rule_moves_auto_at_once_and_is_in_the_snapshot() -> None:
    here = world(account("one"), account("two"))
    request = ask(here, "auto", family="code")
    before = here.gateway.route.decide(request, ADMIN)

    made = await routes(here).call(
        "PUT", "/api/fitness", {"pattern": "TWO/", "kind": "code", "fitness": 1}
    )
    after = here.gateway.route.decide(request, ADMIN)

    assert made.json() == {"pattern": "two/", "kind": "code", "fitness": 1.0}
    assert len({one.first_q32 for one in before.verdicts}) == 1
    shares = {one.candidate.provider: one.first_q32 for one in after.verdicts}
    assert shares["two"] > 100 * shares["one"]
    packed = pack_snapshot(snapshot(here, "auto"))
    assert replays(pack_decision(request, after), packed, b"a fake seed")


@pytest.mark.parametrize(("kind", "family"), [("math", "math"), ("code", "code"), ("", "logic")])
async def test_the_documented_policy_follows_a_rule_too(kind: str, family: str) -> None:
    here = world(account("one"), account("two"))

    await routes(here).call(
        "PUT", "/api/fitness", {"pattern": "two/", "kind": kind, "fitness": 0.99}
    )

    prepared = snapshot(here, "auto/classic")
    kept = list(zip(prepared.candidates, prepared.states, strict=True))
    request = ask(here, "auto/classic", family=family)
    factors = factors_of_kept("classic-6f", request, kept)
    assert [one.fitness for one in factors] == [dict(documented_fitness("m"))["default"], 0.99]


async def test_a_removed_rule_lets_the_tables_speak_again() -> None:
    here = world(account("one"))
    before = snapshot(here, "auto").candidates
    await routes(here).call("PUT", "/api/fitness", {"pattern": "one/m", "fitness": 0.5})
    between = snapshot(here, "auto").candidates

    gone = await routes(here).call("DELETE", "/api/fitness/one/m")
    again = await routes(here).call("DELETE", "/api/fitness/one/m")
    other = await routes(here).call("DELETE", "/api/fitness/one/m?kind=math")

    assert {value for _, value in between[0].fitness} == {0.5}
    assert (gone.status_code, again.status_code, other.status_code) == (204, 404, 404)
    assert snapshot(here, "auto").candidates == before


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"pattern": "", "fitness": 0.5}, "pattern"),
        ({"pattern": "x" * 257, "fitness": 0.5}, "pattern"),
        ({"pattern": "one/..", "fitness": 0.5}, "pattern"),
        ({"pattern": "m", "kind": "maths", "fitness": 0.5}, "kind"),
        ({"pattern": "m", "fitness": 1.01}, "fitness"),
        ({"pattern": "m", "fitness": -0.01}, "fitness"),
        ({"pattern": "m"}, None),
    ],
)
async def test_a_wrong_rule_is_refused_with_its_field(
    rule: dict[str, object], field: str | None
) -> None:
    here = world()

    answer = await routes(here).call("PUT", "/api/fitness", rule)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, field)
    assert here.configs.current().fitness == ()


async def test_there_is_a_most_of_rules_and_replacing_one_makes_no_more() -> None:
    here = world()
    for number in range(RULES_MAX):
        await here.gateway.control.put_fitness(FitnessRule(f"m{number}", "", 0.5), ADMIN)

    replaced = await routes(here).call("PUT", "/api/fitness", {"pattern": "m1", "fitness": 0.6})
    further = await routes(here).call("PUT", "/api/fitness", {"pattern": "m500", "fitness": 0.6})

    assert (replaced.status_code, further.status_code) == (200, 400)


async def test_what_was_learned_is_shown_and_a_reader_may_not_change_rules() -> None:
    here = world(scripts={"one/m": failing(UpstreamFailure("bad", kind="malformed"))})
    here.upstream.scripts["two/m"] = answering(100)
    await answered(here, "one/m", 5)
    await answered(here, "two/m", 4, family="code")
    here.clock.advance(PUBLISH_S)

    found = await routes(here).get("/api/fitness", key="reader")
    refused = await routes(here).call(
        "PUT", "/api/fitness", {"pattern": "m", "fitness": 1}, key="reader"
    )

    one, two = found["learned"]
    assert (one["model"], one["family"], one["good"], one["bad"]) == ("one/m", "math", 0, 5)
    assert (one["reliability"], one["output_tokens"]) == (0.8, None)
    assert (two["model"], two["family"], two["good"], two["bad"]) == ("two/m", "code", 4, 0)
    assert two["reliability"] == 1.0
    assert found["speeds"] == [{"model": "two/m", "token_us": 10_000}]
    assert refused.status_code == 403


def test_every_kind_of_the_tables_can_be_ruled() -> None:
    assert set(dict(fitness_of("m"))) == set(KINDS)
    assert set(TASKS) < set(KINDS)
