"""What one worker observes of providers, the others know."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from omniroute.routing.health.alerts import Alert
from omniroute.routing.health.profiles import BALANCED
from omniroute.routing.health.quota import Limit, Need
from omniroute.routing.model import Candidate
from omniroute.server.workers.health import SharedBook
from omniroute.server.workers.mail import Peers

from .group import delivered, group

pytestmark = pytest.mark.anyio

ONE = Candidate("one-account", "one", "m", "openai_chat")
NOW_S = 1_000.0


@asynccontextmanager
async def books(count: int) -> AsyncIterator[tuple[list[SharedBook], list[Peers]]]:
    async with group(count) as (peers, _):
        yield [SharedBook(one, lambda: 0.5) for one in peers], peers


def fail(book: SharedBook, times: int) -> None:
    for _ in range(times):
        book.failed(ONE, "server_error", hint_s=None, now_s=NOW_S)


async def test_failures_at_different_workers_open_one_circuit() -> None:
    async with books(2) as ((one, other), peers):
        for book in (one, other) * (BALANCED.failures_max - 1):
            fail(book, 1)
            await delivered(*peers)
        states = [book.state(ONE) for book in (one, other)]

    assert states[0].open_until_s > NOW_S
    assert states[0].open_until_s == states[1].open_until_s


async def test_a_success_at_any_worker_forgets_the_failures_of_all() -> None:
    async with books(2) as ((one, other), peers):
        fail(one, BALANCED.failures_max - 1)
        await delivered(*peers)
        other.succeeded(ONE, first_byte_s=0.1, total_s=0.2, now_s=NOW_S)
        await delivered(*peers)
        fail(one, 1)
        await delivered(*peers)
        states = [book.state(ONE) for book in (one, other)]

    assert [one.open_until_s for one in states] == [0.0, 0.0]


async def test_a_random_rest_is_drawn_once_for_all() -> None:
    async with group(2) as (peers, _):
        one = SharedBook(peers[0], lambda: 0.9)
        other = SharedBook(peers[1], lambda: 0.1)
        one.failed(ONE, "rate_limited", hint_s=None, now_s=NOW_S)
        await delivered(*peers)
        rests = [book.rests(NOW_S) for book in (one, other)]

    assert rests[0] == rests[1] != {}


async def test_a_failed_probe_opens_the_circuit_again_for_all() -> None:
    async with books(2) as ((one, other), peers):
        fail(one, BALANCED.failures_max)
        await delivered(*peers)
        later_s = one.state(ONE).open_until_s + 1.0
        assert one.begin(ONE, later_s)
        one.failed(ONE, "server_error", hint_s=None, now_s=later_s)
        await delivered(*peers)
        states = [book.state(ONE) for book in (one, other)]

    assert states[0].open_until_s > later_s
    assert states[0] == states[1]


async def test_a_reset_at_one_worker_ends_the_rests_of_all() -> None:
    async with books(2) as ((one, other), peers):
        one.failed(ONE, "auth", hint_s=None, now_s=NOW_S)
        await delivered(*peers)
        ended = other.reset()
        await delivered(*peers)

    assert ended >= 1
    assert (one.rests(NOW_S), other.rests(NOW_S)) == ({}, {})


async def test_what_was_told_of_a_limit_holds_for_all_until_something_newer_is_told() -> None:
    spent, some = Limit("requests", 10, 0, 30.0), Limit("requests", 10, 7, 30.0)
    async with books(2) as ((one, other), peers):
        one.learn(ONE, [spent], now_s=NOW_S)
        await delivered(*peers)
        rests = [book.rests(NOW_S) for book in (one, other)]
        other.learn(ONE, [some], now_s=NOW_S + 2.0)
        one.learn(ONE, [spent], now_s=NOW_S + 1.0)
        await delivered(*peers)

    assert rests[0] == rests[1] != {}
    assert other.rests(NOW_S + 2.0) == {}


async def test_an_alert_is_listed_by_all_and_logged_by_one() -> None:
    logged: list[Alert] = []
    async with books(3) as (three, peers):
        for book in three:
            book.alerts.listener = logged.append
        fail(three[1], BALANCED.failures_max)
        three[0].alerts.note("model_swapped", NOW_S, about=ONE, detail="another")
        await delivered(*peers)
        listed = [sorted((one.name, one.times) for one in book.alerts.newest()) for book in three]

    assert listed == [[("circuit_opened", 1), ("model_swapped", 1)]] * 3
    assert sorted(one.name for one in logged) == ["circuit_opened", "model_swapped"]


async def test_failures_of_others_do_not_count_in_a_workers_own_estimate() -> None:
    async with books(2) as ((one, other), peers):
        fail(one, 2)
        await delivered(*peers)
        for book in (one, other):
            book.timing(ONE)
            book.refresh(NOW_S)

    assert one.state(ONE).success < other.state(ONE).success == 1.0


async def test_a_worker_that_starts_takes_what_the_others_know() -> None:
    async with books(2) as ((one, _), peers):
        fail(one, BALANCED.failures_max)
        one.learn(ONE, [Limit("requests", 10, 0, 30.0)], now_s=NOW_S)
        one.failed(ONE, "rate_limited", hint_s=5.0, now_s=NOW_S)
        await delivered(*peers)

        late = SharedBook(peers[1], lambda: 0.5)
        await late.join()

        assert late.state(ONE) == one.state(ONE)
        assert late.rests(NOW_S) == one.rests(NOW_S)
        assert late.alerts.newest() == one.alerts.newest()


async def test_workers_share_what_an_account_may_get() -> None:
    async with books(2) as ((one, other), peers):
        one.learn(ONE, [Limit("requests", 10, 6, 60.0)], now_s=NOW_S)
        await delivered(*peers)
        sent = 0
        for book in (one, other):
            gait = book.gait(ONE, NOW_S)
            assert gait is not None
            while gait.wait_s(Need(), NOW_S) == 0.0:
                gait.take(Need(), NOW_S)
                sent += 1

    assert sent == 6


async def test_workers_share_the_retries_that_time_alone_pays() -> None:
    async with books(2) as (both, _):
        taken = 0
        for book in both:
            book.admit(ONE, NOW_S, again=False)
            for at_s in (NOW_S, NOW_S + 1.0):
                taken += retries(book, at_s)

    assert taken == 2 * 10


def retries(book: SharedBook, now_s: float) -> int:
    """Give how many further attempts one worker lets out now."""
    taken = 0
    while book.retries[ONE.account_id, ""].take(now_s):
        taken += 1
    return taken


async def test_times_are_those_of_all_workers_together() -> None:
    async with books(2) as ((one, other), _):
        for book, first_byte_s in ((one, 0.1), (other, 1.0)):
            for _ in range(10):
                book.succeeded(ONE, first_byte_s=first_byte_s, total_s=2.0, now_s=NOW_S)
        other.timing(ONE).swapped += 1
        for book in (one, other):
            await book.gather()
        ((_, seen),), ((_, same),) = one.measured(NOW_S), other.measured(NOW_S)

    assert seen.first_byte.total == 20
    assert seen.swapped == 1
    assert seen.published == same.published
    assert seen.published is not None
    assert seen.published.first_byte_p50_ms == pytest.approx(100, rel=0.05)
    assert seen.published.first_byte_p95_ms == pytest.approx(1000, rel=0.05)
