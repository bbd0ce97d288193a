"""Waits before another sign-in, at each of their bounds: to the failure and to the second."""

import sqlite3
from contextlib import closing

import pytest

from omniroute.server.store.sign_in_locks import OF_ALL, OF_ONE, Attempt, Locks, Terms
from tests.fakes import FakeClock
from tests.store.opened import Opened

pytestmark = pytest.mark.anyio


@pytest.fixture
def locks(sqlite_store: Opened, clock: FakeClock) -> Locks:
    return Locks(sqlite_store.database, sqlite_store.changes, clock)


@pytest.mark.parametrize(
    ("terms", "waits"),
    [
        (OF_ONE, {4: 0, 5: 30, 6: 60, 9: 480, 10: 900, 11: 900, 10**6: 900}),
        (OF_ALL, {49: 0, 50: 1, 51: 2, 55: 32, 56: 60, 10**6: 60}),
        (Terms(free=0, first_s=1.0, most_s=1e12), {0: 1, 30: 2**30, 31: 2**30, 10**6: 2**30}),
    ],
)
def test_each_failure_beyond_the_free_ones_doubles_the_wait(
    terms: Terms, waits: dict[int, float]
) -> None:
    assert {failures: terms.wait_s(failures) for failures in waits} == waits


async def test_an_attempt_says_what_it_counted_and_what_it_locks(
    locks: Locks, clock: FakeClock
) -> None:
    four = [await locks.attempt("10.0.0.1", is_here=False) for _ in range(4)]
    fifth = await locks.attempt("10.0.0.1", is_here=False)
    clock.advance(29)
    early = await locks.attempt("10.0.0.1", is_here=False)
    clock.advance(1)
    sixth = await locks.attempt("10.0.0.1", is_here=False)
    here = await locks.attempt("127.0.0.1", is_here=True)

    assert four == [Attempt("10.0.0.1", in_total=True)] * 4
    assert fifth == Attempt("10.0.0.1", 0.0, ("10.0.0.1",), 30.0, in_total=True)
    assert early == Attempt("10.0.0.1", 1.0)
    assert sixth == Attempt("10.0.0.1", 0.0, (), 60.0, in_total=True)
    assert here == Attempt("127.0.0.1")


async def test_all_together_wait_from_the_fiftieth_failure_on(
    locks: Locks, clock: FakeClock
) -> None:
    first = [await locks.attempt(f"10.0.0.{number}", is_here=False) for number in range(49)]
    last = await locks.attempt("10.0.1.1", is_here=False)
    refused = await locks.attempt("10.0.1.2", is_here=False)
    here = await locks.attempt("10.0.1.2", is_here=True)
    clock.advance(1)
    after = await locks.attempt("10.0.1.2", is_here=False)

    assert {one.lock_s for one in first} == {0.0}
    assert last == Attempt("10.0.1.1", 0.0, ("all",), 1.0, in_total=True)
    assert refused == Attempt("10.0.1.2", 1.0)
    assert here == Attempt("10.0.1.2")
    assert (after.wait_s, after.lock_s) == (0.0, 2.0)


async def test_the_longer_wait_is_told_where_an_address_and_all_are_locked(
    locks: Locks, sqlite_store: Opened
) -> None:
    for number in range(45):
        await locks.attempt(f"10.0.0.{number}", is_here=False)
    attempts = [await locks.attempt("10.0.1.1", is_here=False) for _ in range(5)]

    await locks.failed(attempts[-1])

    assert attempts[-1] == Attempt("10.0.1.1", 0.0, ("10.0.1.1", "all"), 30.0, in_total=True)
    told = await sqlite_store.audit.recent(limit=9)
    assert {(one.actor, one.action, one.target) for one in told} == {
        ("dashboard", "dashboard.lock", "10.0.1.1"),
        ("dashboard", "dashboard.lock", "all"),
    }
    assert all("30" in one.detail for one in told)


async def test_whoever_signs_in_is_taken_out_of_the_total_once(
    locks: Locks, clock: FakeClock
) -> None:
    for number in range(48):
        await locks.attempt(f"10.0.0.{number}", is_here=False)
    mine = await locks.attempt("10.0.1.1", is_here=False)

    await locks.succeeded(mine)
    here = await locks.attempt("127.0.0.1", is_here=True)
    await locks.succeeded(here)
    again = await locks.attempt("10.0.1.2", is_here=False)
    fiftieth = await locks.attempt("10.0.1.3", is_here=False)

    assert (again.locks, fiftieth.locks) == ((), ("all",))


async def test_failures_are_forgotten_an_hour_after_the_last(
    locks: Locks, clock: FakeClock
) -> None:
    for address in ("10.0.0.1", "10.0.0.2"):
        for _ in range(4):
            await locks.attempt(address, is_here=True)

    clock.advance(3600)
    still = await locks.attempt("10.0.0.1", is_here=True)
    clock.advance(0.5)
    no_more = await locks.attempt("10.0.0.2", is_here=True)

    assert (still.locks, no_more.locks) == (("10.0.0.1",), ())


async def test_five_hundred_forgotten_addresses_are_removed_at_once(
    locks: Locks, sqlite_url: str, clock: FakeClock
) -> None:
    now = clock.unix()
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as file, file:
        file.executemany(
            "INSERT INTO sign_in_failures (source, failures, last_unix_s, until_unix_s) "
            "VALUES (?, 1, ?, ?)",
            [
                *((f"10.0.{one // 250}.{one % 250}", now, 0.0) for one in range(501)),
                ("waits", now, now + 9000),
            ],
        )

    removed = [await locks.prune(now_unix_s=now + late) for late in (3600, 3601, 3602, 3603, 9001)]

    assert removed == [0, 500, 1, 0, 1]
