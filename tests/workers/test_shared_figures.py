"""What one worker has learned of sessions, combos and models, the others know."""

import asyncio
from collections.abc import Callable

import pytest

from omniroute.routing.health.experience import Experience, Seen
from omniroute.routing.health.tallies import Count, Tallies
from omniroute.routing.model import Candidate
from omniroute.server.workers.sessions import SharedSessions
from tests.store.outcomes import answered

from .group import group

pytestmark = pytest.mark.anyio

ONE = Candidate("one-account", "one", "m", "openai_chat")
OTHER = Candidate("other-account", "other", "n", "openai_chat")


async def heard(claim: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not claim():
            await asyncio.sleep(0.01)


async def test_a_session_stays_with_whom_any_worker_last_asked() -> None:
    outcome = answered("r1")
    assert outcome.winner is not None
    async with group(2) as (peers, _):
        one, other = (SharedSessions(peer) for peer in peers)

        one.note(outcome, now_s=outcome.request.at_s)
        await heard(lambda: len(other) == 1)
        stay = other.stay(outcome.request, [OTHER, outcome.winner], None)

    assert stay is not None
    assert stay.place == 1


async def test_a_session_that_nobody_answered_stays_nowhere_in_any_worker() -> None:
    good, bad = answered("r1"), answered("r2", status="failed", winner=None)
    async with group(2) as (peers, _):
        one, other = (SharedSessions(peer) for peer in peers)
        one.note(good, now_s=1.0)
        await heard(lambda: len(other) == 1)

        other.note(bad, now_s=2.0)
        await heard(lambda: len(one) == 0)

    assert len(other) == 0


def test_counts_that_were_heard_are_counted_and_are_no_news() -> None:
    tallies = Tallies()
    tallies.used("mine", ONE, [ONE, OTHER])
    before = tallies.pending()

    tallies.heard([Count("mine", "other-account", "n", 3, 5.0)])

    assert tallies.uses("mine", [ONE, OTHER]) == (1, 3)
    assert tallies.last_good("mine", [ONE, OTHER]) == 1
    assert tallies.pending() == before


def test_who_is_heard_to_have_failed_is_no_longer_the_last_good_one() -> None:
    tallies = Tallies()
    tallies.answered("mine", ONE, unix_s=5.0)

    tallies.heard([Count("mine", "one-account", "m", 0, 0.0)])

    assert tallies.last_good("mine", [ONE, OTHER]) is None


def test_what_others_learned_of_a_model_is_added_and_is_no_news() -> None:
    experience = Experience()
    experience.restore([Seen("one/m", "code", good=10, bad=1, answers=10, output_tokens=500)])

    experience.heard([Seen("one/m", "code", good=5, bad=2, answers=5, output_tokens=100)])

    ((seen, _),) = experience.rows()
    assert seen == Seen("one/m", "code", good=15, bad=3, answers=15, output_tokens=600)
    assert experience.pending() == ()
