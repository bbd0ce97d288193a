"""A bound on the calls to a candidate holds for all workers together."""

import asyncio
import os
from collections.abc import Iterator

import pytest

from omniroute.routing.model import Candidate
from omniroute.server.workers import places as places_of
from omniroute.server.workers.loads import SharedLoads
from omniroute.server.workers.places import Places

pytestmark = pytest.mark.anyio

ONE = Candidate("one-account", "one", "m", "openai_chat")
OTHER = Candidate("one-account", "one", "n", "openai_chat")
WORKERS = 2


@pytest.fixture
def places() -> Iterator[Places]:
    made = Places(WORKERS)
    yield made
    made.close()


def both(places: Places) -> tuple[SharedLoads, SharedLoads]:
    one, other = (SharedLoads(places, index=index, workers=WORKERS) for index in range(WORKERS))
    return one, other


async def test_a_bound_counts_the_calls_of_all_workers(places: Places) -> None:
    one, other = both(places)

    entered = [book.enter_now(ONE, places=3) for book in (one, other, one, other, one)]

    assert entered == [True, True, True, False, False]
    assert one.in_flight(ONE) == other.in_flight(ONE) == 3
    assert other.in_flight(OTHER) == 0


async def test_calls_without_a_bound_count_for_those_with_one(places: Places) -> None:
    one, other = both(places)
    for _ in range(2):
        assert one.enter_now(ONE, places=None)

    assert not other.enter_now(ONE, places=2)
    one.leave(ONE)
    assert other.enter_now(ONE, places=2)


async def test_a_place_that_another_worker_gives_back_goes_to_who_waits(places: Places) -> None:
    one, other = both(places)
    assert one.enter_now(ONE, places=1)
    waiting = asyncio.ensure_future(other.enter(ONE, places=1, queue_s=30.0))
    await asyncio.sleep(0)

    one.leave(ONE)

    assert await waiting
    assert (one.in_flight(ONE), other.in_flight(ONE)) == (1, 1)


async def test_who_waits_in_one_worker_is_served_in_the_order_of_coming(places: Places) -> None:
    one, other = both(places)
    order: list[int] = []
    assert one.enter_now(ONE, places=1)

    async def visit(number: int) -> None:
        assert await other.enter(ONE, places=1, queue_s=30.0)
        order.append(number)
        other.leave(ONE)

    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(visit(number))
        await asyncio.sleep(0)
        one.leave(ONE)

    assert order == [0, 1, 2, 3]
    assert one.in_flight(ONE) == 0


async def test_who_gives_up_takes_no_place(places: Places) -> None:
    one, other = both(places)
    assert one.enter_now(ONE, places=1)

    entered = await other.enter(ONE, places=1, queue_s=0.0)
    one.leave(ONE)

    assert not entered
    assert one.in_flight(ONE) == 0


async def test_the_calls_of_a_worker_that_died_are_forgotten(places: Places) -> None:
    one, other = both(places)
    assert one.enter_now(ONE, places=1)

    places.clear(0)

    assert other.enter_now(ONE, places=1)


async def test_candidates_beyond_the_memory_have_their_bound_divided(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places_of, "ROWS", 0)
    one, other = both(places)

    entered = [book.enter_now(ONE, places=4) for book in (one, one, one, other, other, other)]

    assert entered == [True, True, False, True, True, False]


def test_no_place_is_taken_twice_by_processes_that_race(places: Places) -> None:
    bound, tries = 50, 200
    pids = []
    for index in range(WORKERS):
        pid = os.fork()
        if pid == 0:
            loads = SharedLoads(places, index=index, workers=WORKERS)
            os._exit(sum(loads.enter_now(ONE, places=bound) for _ in range(tries)))
        pids.append(pid)
    taken = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]

    assert sum(taken) == bound
