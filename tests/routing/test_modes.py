"""A mode of auto for one request: which vector chooses, and what is kept of it."""

import pytest
from msgspec import structs

from omniroute.routing.choose.auto import MODES
from omniroute.routing.choose.record import pack_decision, pack_snapshot, replays
from omniroute.routing.errors import BadRequest
from omniroute.routing.model import ModelFacts, Price
from omniroute.routing.preference import MODE_NAMES, MODES_OF, Preference, mode_named
from tests.fakes import ADMIN, World, account, combo, world
from tests.routing.asking import ask

pytestmark = pytest.mark.anyio

DOLLAR = 1_000_000_000
PRICES = {"dear": 2000 * DOLLAR, "cheap": DOLLAR // 10}


def priced(provider: str, model: str) -> ModelFacts:
    price = PRICES[provider]
    return ModelFacts(
        context_tokens_max=100_000, output_tokens_max=1_000, price=Price(price, price)
    )


def here_with(chosen: Preference | None = None) -> World:
    """Give a dear model that answers at once and a cheap one that lets wait for ten seconds."""
    here = world(
        account("dear"),
        account("cheap"),
        combos=[
            combo("mix", "dear/m", "cheap/m", strategy="auto", preference=chosen),
            combo("listed", "dear/m", "cheap/m"),
        ],
        facts_by=priced,
    )
    for candidate in here.gateway.route.decide(ask(here, "mix"), ADMIN).order:
        first_byte_s = 0.1 if candidate.provider == "dear" else 10.0
        now_s = here.clock.now()
        for _ in range(20):
            here.health.succeeded(
                candidate, first_byte_s=first_byte_s, total_s=first_byte_s, now_s=now_s
            )
    here.clock.advance(2.0)
    return here


def chance(here: World, mode: str | None, target: str = "mix") -> dict[str, float]:
    decision = here.gateway.route.decide(structs.replace(ask(here, target), mode=mode), ADMIN)
    return {one.candidate.provider: one.first_q32 / 2**32 for one in decision.verdicts}


@pytest.mark.parametrize("target", ["mix", "auto", "auto/smart"])
def test_a_wish_takes_the_place_of_the_targets_own_mode(target: str) -> None:
    here = here_with()

    assert chance(here, "fast", target)["dear"] > 0.9
    assert chance(here, "cheap", target)["cheap"] > 0.9


def test_a_wish_counts_for_its_request_alone() -> None:
    here = here_with()
    before = chance(here, None)

    chance(here, "fast")

    assert chance(here, None) == before


def test_an_auto_of_ones_own_keeps_what_is_no_mode() -> None:
    here = here_with(Preference(mode="cheap", cost_usd_nanos_max=1_000_000))
    prepare = here.gateway.route.preparer.prepare

    wished = prepare(here.configs.current(), "mix", now_s=here.clock.now(), mode="ship-fast")

    assert wished.snapshot.mode == "ship-fast"
    assert wished.snapshot.preference == Preference(
        "classic-6f", "ship-fast", cost_usd_nanos_max=1_000_000
    )


def test_a_strategy_without_modes_decides_as_ever() -> None:
    here = here_with()

    assert chance(here, "cheap", "listed") == chance(here, None, "listed")


@pytest.mark.parametrize("mode", sorted(set(MODE_NAMES.values())))
async def test_a_wish_is_on_record_and_replays(mode: str) -> None:
    here = here_with()
    request = structs.replace(ask(here, "mix"), mode=mode)

    dry = here.gateway.route.decide(request, ADMIN)
    here.gateway.route.begin(request, ADMIN).close()

    record = here.ledger.records[-1]
    assert record.snapshot is not None
    assert record.outcome.decision == dry
    assert (record.outcome.request.mode, record.snapshot.mode) == (mode, mode)
    packed = pack_snapshot(record.snapshot)
    assert replays(pack_decision(record.outcome.request, dry), packed, b"a fake seed")


def test_the_documented_names_are_known_and_others_refused_with_the_list() -> None:
    documented = ("fast", "balanced", "quality", "cheap", "reliable", "offline")

    assert [mode_named(name) for name in documented] == [
        *("fast", "balanced", "smart", "cheap", "reliable", "offline")
    ]
    assert mode_named(" Quality-First ") == "quality-first"
    with pytest.raises(BadRequest, match="one of balanced, coding, fast"):
        mode_named("best")
    assert set(MODES) == set(MODES_OF["utility"])
