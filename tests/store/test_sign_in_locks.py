"""Who has to wait before trying again, on every database."""

import asyncio

import pytest

from omniroute.server.store.sign_in_locks import FORGET_S, OF_ALL, OF_ONE, Attempt, Locks, source_of
from tests.fakes import FakeClock
from tests.store.opened import Opened

pytestmark = pytest.mark.anyio


@pytest.fixture
def locks(store: Opened, clock: FakeClock) -> Locks:
    return Locks(store.database, store.changes, clock)


async def failing(locks: Locks, address: str = "10.0.0.1", *, is_here: bool = False) -> Attempt:
    attempt = await locks.attempt(address, is_here=is_here)
    if not attempt.wait_s:
        await locks.failed(attempt)
    return attempt


async def test_waits_of_an_address_double_up_to_a_quarter_of_an_hour(
    locks: Locks, clock: FakeClock
) -> None:
    waits: list[float] = []
    for _ in range(12):
        await failing(locks)
        told = await locks.attempt("10.0.0.1", is_here=False) if len(waits) >= 4 else None
        waits.append(0.0 if told is None else told.wait_s)
        clock.advance(waits[-1])

    assert waits == [0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900, 900]


async def test_who_has_to_wait_is_not_counted(locks: Locks, clock: FakeClock) -> None:
    for _ in range(5):
        await failing(locks)
    early = [(await failing(locks)).wait_s for _ in range(20)]
    clock.advance(30.0)
    late = await failing(locks)
    next_one = await failing(locks)

    assert early == [30.0] * 20
    assert (late.wait_s, next_one.wait_s) == (0.0, 60.0)


async def test_of_many_attempts_at_once_only_the_free_ones_are_judged(locks: Locks) -> None:
    attempts = await asyncio.gather(*(locks.attempt("10.0.0.1", is_here=False) for _ in range(20)))

    assert sum(1 for one in attempts if not one.wait_s) == OF_ONE.free


async def test_signing_in_forgets_what_failed_from_there(locks: Locks) -> None:
    for _ in range(4):
        await failing(locks)
    await locks.succeeded(await locks.attempt("10.0.0.1", is_here=False))
    after = [await failing(locks) for _ in range(5)]

    assert [one.wait_s for one in after] == [0.0] * 5


async def test_failures_are_forgotten_in_time(locks: Locks, clock: FakeClock) -> None:
    for _ in range(4):
        await failing(locks)
    clock.advance(FORGET_S + 1.0)
    after = [await failing(locks) for _ in range(5)]

    assert [one.wait_s for one in after] == [0.0] * 5
    assert (await failing(locks)).wait_s == 30.0


async def test_many_addresses_together_have_to_wait_but_this_machine_does_not(
    locks: Locks, clock: FakeClock
) -> None:
    for number in range(OF_ALL.free):
        assert (await failing(locks, f"10.0.1.{number}")).wait_s == 0.0
    other = await failing(locks, "10.9.9.9")
    here = await failing(locks, "127.0.0.1", is_here=True)
    clock.advance(1.0)
    later = await failing(locks, "10.9.9.9")
    then = await failing(locks, "10.8.8.8")

    assert (other.wait_s, here.wait_s, later.wait_s, then.wait_s) == (1.0, 0.0, 0.0, 2.0)


async def test_who_signs_in_is_no_failure_in_total(locks: Locks) -> None:
    for number in range(OF_ALL.free - 1):
        await failing(locks, f"10.0.1.{number}")
    good = [await locks.attempt("10.0.9.1", is_here=False)]
    await locks.succeeded(good[0])
    good.append(await locks.attempt("10.0.9.1", is_here=False))
    await locks.succeeded(good[1])

    assert [one.wait_s for one in good] == [0.0, 0.0]
    assert (await locks.attempt("10.0.9.2", is_here=False)).wait_s == 0.0
    assert (await locks.attempt("10.0.9.3", is_here=False)).wait_s == 1.0


async def test_the_audit_says_when_a_wait_begins(
    locks: Locks, store: Opened, clock: FakeClock
) -> None:
    for _ in range(6):
        await failing(locks)
        clock.advance(30.0)

    told = await store.audit.recent(limit=10)
    assert [(one.actor, one.action, one.target, one.detail) for one in told] == [
        ("dashboard", "dashboard.lock", "10.0.0.1", '{"wait_s": 30.0}')
    ]


async def test_another_process_counts_the_same_failures(
    locks: Locks, store: Opened, clock: FakeClock
) -> None:
    other = Locks(store.database, store.changes, clock)
    for one in (locks, other, locks, other, locks):
        await failing(one)

    assert (await failing(other)).wait_s == 30.0


async def test_what_is_forgotten_is_removed(locks: Locks, clock: FakeClock) -> None:
    await failing(locks)
    before = await locks.prune(now_unix_s=clock.unix())
    clock.advance(FORGET_S + 1.0)

    # The address, and all.
    assert (before, await locks.prune(now_unix_s=clock.unix())) == (0, 2)


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("", ""),
        ("unix:" + "x" * 100, "unix:" + "x" * 59),
    ],
)
def test_an_address_is_counted_as_what_one_subscriber_has(address: str, source: str) -> None:
    assert source_of(address) == source
