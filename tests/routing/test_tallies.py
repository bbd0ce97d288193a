"""What combos have counted, kept over a restart."""

from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.health.tallies import COMBOS_MAX, Count, Tallies
from omniroute.routing.model import Candidate

TRIO = [Candidate(f"acc-{name}", name, "m", "openai_chat") for name in ("one", "two", "three")]


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["turn", "use", "good", "bad", "store"]), st.integers(0, 2)),
        max_size=40,
    )
)
def test_what_was_stored_in_parts_restores_to_the_same_counters(
    steps: list[tuple[str, int]],
) -> None:
    live, kept = Tallies(), dict[tuple[str, str], Count]()

    for time, (step, place) in enumerate([*steps, ("store", 0)], start=1):
        match step:
            case "turn":
                live.take_turn("trio")
            case "use":
                live.used("trio", TRIO[place], TRIO)
            case "good":
                live.answered("trio", TRIO[place], unix_s=float(time))
            case "bad":
                live.failed("trio", TRIO[place])
            case _:
                news = live.pending()
                _add_up(kept, news)
                live.stored(news)
    again = Tallies()
    again.restore(kept.values())

    assert live.pending() == ()
    assert again.turn("trio") == live.turn("trio")
    assert again.uses("trio", TRIO) == live.uses("trio", TRIO)
    if live.last_good("trio", TRIO) is not None:
        assert again.last_good("trio", TRIO) == live.last_good("trio", TRIO)


def test_what_comes_while_news_are_stored_stays_news() -> None:
    tallies = Tallies()
    tallies.take_turn("trio")
    news = tallies.pending()
    tallies.take_turn("trio")

    tallies.stored(news)

    assert tallies.pending() == (Count("trio", "", "", 1),)


def test_a_new_candidate_starts_at_the_least_count_of_the_others() -> None:
    tallies = Tallies()
    for number in range(10):
        tallies.used("duo", TRIO[number % 2], TRIO[:2])

    assert tallies.uses("duo", TRIO) == (5, 5, 5)


def test_a_candidate_that_joins_gets_its_turn_among_those_before_it() -> None:
    tallies, before, after = Tallies(), TRIO[:2], TRIO
    for _ in range(20):
        uses = tallies.uses("mix", before)
        tallies.used("mix", before[uses.index(min(uses))], before)

    called = []
    for _ in range(6):
        uses = tallies.uses("mix", after)
        called.append(after[uses.index(min(uses))])
        tallies.used("mix", called[-1], after)

    assert sorted(map(after.index, called)) == [0, 0, 1, 1, 2, 2]


def test_the_oldest_combo_is_forgotten_when_there_are_too_many() -> None:
    tallies = Tallies()
    for number in range(COMBOS_MAX + 1):
        tallies.take_turn(f"combo-{number}")

    assert len(tallies.pending()) == COMBOS_MAX
    assert tallies.turn(f"combo-{COMBOS_MAX}") == 1


def _add_up(kept: dict[tuple[str, str], Count], news: tuple[Count, ...]) -> None:
    for one in news:
        key = (one.account_id, one.model)
        before = kept.get(key, Count(one.combo, *key, 0))
        good = before.good_unix_s if one.good_unix_s is None else one.good_unix_s
        kept[key] = Count(one.combo, *key, before.number + one.number, good)
