"""The limits that providers told survive a restart, with their age, until they are too old."""

from dataclasses import replace
from pathlib import Path

import pytest

from omniroute.routing.health.book import HealthBook
from omniroute.routing.health.quota import KEPT_S, Learned, Limit, Need
from omniroute.routing.model import Candidate
from omniroute.server.compose import compose
from omniroute.server.settings import Settings
from omniroute.server.store.database import Statement
from omniroute.server.store.learned_limits import StoredLimits
from tests.fakes import ADMIN, FakeClock
from tests.store.opened import Opened, open_store

pytestmark = pytest.mark.anyio

HERE = Candidate("acc-one", "one", "m", "openai_chat")
SCOPE = ("acc-one", "m")
DAY = Limit("requests-day", limit=1000, remaining=400, reset_s=36_000.0)


def told(store: Opened, clock: FakeClock, *limits: Limit) -> HealthBook:
    """Give a book that the store follows and that has just been told limits."""
    book = HealthBook()
    store.limits.follow(book)
    book.learn(HERE, limits, now_s=clock.now())
    return book


def known(store: Opened, clock: FakeClock) -> dict[str, Learned]:
    """Give what a book knows after a start."""
    book = HealthBook()
    store.limits.follow(book)
    quotas = book.quotas.get(SCOPE)
    return {} if quotas is None else {one.told.dimension: one for one in quotas.known(clock.now())}


async def rows(store: Opened) -> list[tuple[str, int]]:
    found = await store.database.read(
        Statement("SELECT dimension, remaining FROM learned_limits ORDER BY dimension")
    )
    return [(row["dimension"], row["remaining"]) for row in found]


async def test_a_told_limit_is_there_after_a_restart_with_its_age(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with open_store(database_url, tmp_path, clock) as before:
        told(before, clock, DAY, Limit("tokens", limit=None, remaining=None, reset_s=None))
        await before.limits.flush()
    clock.advance(600.0)
    clock.now_s = 5.0

    async with open_store(database_url, tmp_path, clock) as after:
        found = known(after, clock)

    assert found["requests-day"].told == DAY
    assert clock.now() - found["requests-day"].at_s == 600.0
    assert found["tokens"].told == Limit("tokens")


async def test_a_spent_limit_still_rests_its_model_after_a_restart_and_counts_on(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    spent = Limit("requests-day", limit=1000, remaining=0, reset_s=7200.0)
    async with open_store(database_url, tmp_path, clock) as before:
        told(before, clock, spent)
        await before.limits.flush()
    clock.advance(200.0)

    async with open_store(database_url, tmp_path, clock) as after:
        book = HealthBook()
        after.limits.follow(book)

    assert book.state(HERE).cooldown_until_s == clock.now() + 3600.0 - 200.0
    assert book.refresh(clock.now()) > 0
    assert book.state(HERE).headroom == 0.0
    gait = book.gait(HERE, clock.now())
    assert gait is not None
    # 200 s of 7200 s have passed: 27.8 of the 1000 requests are back.
    assert gait.wait_s(Need(), clock.now()) == 0.0


async def test_limits_are_stored_now_and_then_and_only_what_is_new(
    store: Opened, clock: FakeClock
) -> None:
    book = told(store, clock, DAY)
    await store.limits.poll()
    at_once = await rows(store)

    clock.advance(StoredLimits.every_s)
    await store.limits.poll()
    first = await rows(store)
    await store.database.write(Statement("UPDATE learned_limits SET remaining = 7"))
    book.learn(HERE, (Limit("tokens", limit=10, remaining=9, reset_s=1.0),), now_s=clock.now())
    clock.advance(StoredLimits.every_s)
    await store.limits.poll()

    assert (at_once, first) == ([], [("requests-day", 400)])
    assert await rows(store) == [("requests-day", 7), ("tokens", 9)]


async def test_of_two_processes_the_newest_telling_counts(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with (
        open_store(database_url, tmp_path, clock) as one,
        open_store(database_url, tmp_path, clock) as two,
    ):
        told(one, clock, Limit("requests", limit=10, remaining=8, reset_s=60.0))
        clock.advance(1.0)
        told(two, clock, Limit("requests", limit=10, remaining=3, reset_s=60.0))
        await two.limits.flush()
        await one.limits.flush()

        assert await rows(one) == [("requests", 3)]


async def test_a_limit_that_nobody_told_for_a_day_is_gone(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with open_store(database_url, tmp_path, clock) as before:
        told(before, clock, Limit("requests", limit=10, remaining=8, reset_s=60.0))
        await before.limits.flush()
    clock.advance(KEPT_S + 61.0)

    async with open_store(database_url, tmp_path, clock) as after:
        assert known(after, clock) == {}
        assert await rows(after) == []


async def test_a_limit_told_in_the_future_by_a_clock_set_back_is_as_new_as_now(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with open_store(database_url, tmp_path, clock) as before:
        told(before, clock, DAY)
        await before.limits.flush()
    clock.unix_s -= 3600.0

    async with open_store(database_url, tmp_path, clock) as after:
        found = known(after, clock)

    assert found["requests-day"].at_s == clock.now()


async def test_a_gateway_shows_what_one_before_it_was_told(tmp_path: Path) -> None:
    settings, sim = (
        Settings(data_dir=tmp_path),
        Candidate("simulator", "sim", "fast", "openai_chat"),
    )
    async with compose(settings) as first:
        gateway = first.parts.gateway
        sim = replace(sim, account_id=gateway.view.configs.current().accounts[0].account_id)
        gateway.route.health.learn(sim, (DAY,), now_s=first.parts.clock.now())

    async with compose(settings) as second:
        (row,) = second.parts.gateway.view.health(ADMIN).limits

    assert (row.dimension, row.limit, row.remaining) == ("requests-day", 1000, 400)
    assert (row.source, row.age_s < 60.0) == ("provider", True)


async def test_a_budget_past_its_threshold_is_among_the_gateways_alerts(tmp_path: Path) -> None:
    async with compose(Settings(data_dir=tmp_path)) as running:
        running.parts.storage.budgets.on_warning("8 of 10 are spent")
        (row,) = running.parts.gateway.view.alerts(ADMIN)

    assert (row.name, row.detail) == ("budget_warning", "8 of 10 are spent")
