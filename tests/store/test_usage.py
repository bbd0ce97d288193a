"""What stored requests and calls add up to: the same on the fake and on both databases."""

import random
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from msgspec import structs

from omniroute.routing.conversation import Usage
from omniroute.routing.model import Attempt, Outcome, Status
from omniroute.routing.ports import Ledger
from omniroute.routing.usage import (
    CallRow,
    Grouping,
    LastFailure,
    Selection,
    Spread,
    UsageTotal,
)
from tests.fakes import FakeClock, MemoryLedger
from tests.store.opened import open_store
from tests.store.outcomes import FIRST, SECOND, SNAPSHOT, answered, refused

pytestmark = pytest.mark.anyio

EVER = Selection(0.0)
NOON = 1_700_049_600.0
EVERY: tuple[Grouping, ...] = (
    *("provider", "account", "model", "combo", "key", "day", "hour"),
    *("model_day", "error", "minute"),
)


@pytest.fixture
async def ledger(any_url: str, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Ledger]:
    """A ledger: the fake, and the real one on both databases."""
    if not any_url:
        yield MemoryLedger()
        return
    async with open_store(any_url, tmp_path, clock) as store:
        yield store.ledger


def at_once(request_id: str, key_id: str = "key-1", **changes: object) -> Outcome:
    """Give a request that its first call answered."""
    one = answered(request_id, key_id)
    return structs.replace(one, attempts=one.attempts[1:], **changes)


def failing(request_id: str, *kinds: str, status: Status = "failed", **changes: object) -> Outcome:
    """Give a request whose calls to the first candidate failed so."""
    attempts = tuple(
        Attempt(number, FIRST, 12.5, 13.0, failure=kind, detail=f"it said {kind}")
        for number, kind in enumerate(kinds, start=1)
    )
    one = answered(request_id, attempts=attempts, status=status, winner=None, usage=Usage())
    return structs.replace(one, first_content_s=None, cost_usd_nanos=0, **changes)


def some(number: int) -> Sequence[Outcome]:
    """Give outcomes of every kind, the same ones each time."""
    draw = random.Random(7)
    made: list[Callable[[str], Outcome]] = [
        lambda name: at_once(name, total_s=draw.uniform(0.1, 9), first_content_s=draw.random()),
        lambda name: answered(name, f"key-{draw.randrange(3)}", cost_usd_nanos=None),
        lambda name: failing(name, "overloaded", "rate_limited"),
        lambda name: failing(name, "client_gone", status="client_gone"),
        lambda name: failing(name, "outrun", "auth"),
        refused,
    ]
    return [
        structs.replace(draw.choice(made)(f"r{one:03}"), at_unix_s=NOON + one * 1_000.5)
        for one in range(number)
    ]


async def test_requests_add_up_to_their_sums(ledger: Ledger) -> None:
    ledger.record(answered("r1"), SNAPSHOT)
    ledger.record(at_once("r2", cost_usd_nanos=None), SNAPSHOT)
    ledger.record(failing("r3", "overloaded"), SNAPSHOT)
    ledger.record(failing("r4", "client_gone", status="client_gone"), SNAPSHOT)
    ledger.record(refused("r5"), None)

    whole = (await ledger.usage(EVER)).whole

    assert whole.total == UsageTotal(
        requests=5,
        answered=2,
        failed=1,
        refused=1,
        client_gone=1,
        fallbacks=1,
        fell_back=1,
        input_tokens=200,
        output_tokens=100,
        cached_input_tokens=40,
        cache_write_tokens=20,
        reasoning_tokens=10,
        cost_usd_nanos=200_000,
        unpriced=1,
        cached=2,
        answered_s=3.0,
    )
    assert (whole.total.success, whole.total.mean_s) == (0.5, 1.5)
    assert (whole.name, whole.times) == (None, None)


async def test_what_nobody_used_is_nothing_and_has_no_rate(ledger: Ledger) -> None:
    usage = await ledger.usage(EVER, ("provider",), timed=True)

    assert usage.whole.total == UsageTotal()
    assert (usage.whole.total.success, usage.whole.total.mean_s) == (None, None)
    assert usage.by == {"provider": ()}
    assert await ledger.calls(EVER, "model") == ()


async def test_percentiles_are_measured_times_of_the_nearest_rank(ledger: Ledger) -> None:
    for number in range(1, 201):
        one = at_once(f"r{number:03}", total_s=float(number), first_content_s=number / 4)
        ledger.record(one, SNAPSHOT)
    ledger.record(failing("late", "timeout_total", total_s=900.0), SNAPSHOT)

    usage = await ledger.usage(EVER, ("combo",), timed=True)

    assert usage.whole.times == Spread(100.0, 190.0, 198.0)
    assert usage.whole.first_content == Spread(25.0, 47.5, 49.5)
    assert [(row.name, row.times) for row in usage.by["combo"]] == [
        ("fast", Spread(100.0, 190.0, 198.0))
    ]


async def test_one_request_is_every_percentile_of_itself(ledger: Ledger) -> None:
    ledger.record(at_once("r1", total_s=0.25, first_content_s=None), SNAPSHOT)

    whole = (await ledger.usage(EVER, timed=True)).whole

    assert (whole.times, whole.first_content) == (Spread(0.25, 0.25, 0.25), None)


async def test_a_selection_bounds_time_key_combo_and_who_answered(ledger: Ledger) -> None:
    ledger.record(answered("r1", at_unix_s=NOON), SNAPSHOT)
    ledger.record(answered("r2", "key-2", at_unix_s=NOON + 10), SNAPSHOT)
    ledger.record(refused("r3"), None)

    async def number(selection: Selection) -> int:
        return (await ledger.usage(selection)).whole.total.requests

    assert await number(Selection(NOON)) == 2
    assert await number(Selection(NOON, NOON + 10)) == 1
    assert await number(Selection(0.0, key_id="key-2")) == 1
    assert await number(Selection(0.0, combo="fast")) == 2
    assert await number(Selection(0.0, provider="two")) == 2
    assert await number(Selection(0.0, provider="one")) == 0
    assert await number(Selection(0.0, key_id="key-1", model="two/org/m")) == 1


async def test_days_and_hours_are_named_by_their_first_second(ledger: Ledger) -> None:
    ledger.record(answered("r1", at_unix_s=NOON - 1), SNAPSHOT)
    ledger.record(answered("r2", at_unix_s=NOON + 0.5), SNAPSHOT)
    ledger.record(answered("r3", at_unix_s=NOON + 86_400 / 2), SNAPSHOT)

    by = (await ledger.usage(EVER, ("day", "hour"))).by

    assert [(row.name, row.total.requests) for row in by["day"]] == [
        ("1700006400", 2),
        ("1700092800", 1),
    ]
    assert [row.name for row in by["hour"]] == ["1700046000", "1700049600", "1700092800"]


async def test_every_dimensions_rows_sum_to_the_whole(ledger: Ledger) -> None:
    for one in some(60):
        ledger.record(one, SNAPSHOT if one.decision is not None else None)

    usage = await ledger.usage(EVER, EVERY)

    assert set(usage.by) == set(EVERY)
    for rows in usage.by.values():
        for figure in ("requests", "answered", "input_tokens", "cost_usd_nanos", "fallbacks"):
            parts = sum(getattr(row.total, figure) for row in rows)
            assert parts == getattr(usage.whole.total, figure)


async def test_databases_give_the_figures_that_are_worked_out_one_by_one(ledger: Ledger) -> None:
    worked_out = MemoryLedger()
    for one in some(120):
        for each in (ledger, worked_out):
            each.record(one, SNAPSHOT if one.decision is not None else None)
    later = Selection(NOON + 30_000, key_id="key-1")

    assert await ledger.usage(EVER, EVERY, timed=True) == await worked_out.usage(
        EVER, EVERY, timed=True
    )
    assert await ledger.usage(later, EVERY, timed=True) == await worked_out.usage(
        later, EVERY, timed=True
    )
    for selection in (EVER, later, Selection(0.0, provider="one"), Selection(0.0, model="one/m")):
        for by in ("provider", "model"):
            assert await ledger.calls(selection, by) == await worked_out.calls(selection, by)


async def test_a_provider_that_another_one_answered_for_has_its_failure(ledger: Ledger) -> None:
    ledger.record(answered("r1", at_unix_s=NOON), SNAPSHOT)
    ledger.record(at_once("r2"), SNAPSHOT)

    rows = await ledger.calls(EVER, "provider")

    assert rows == (
        CallRow(
            "one",
            calls=1,
            failed=1,
            last_failure=LastFailure("r1", NOON, "rate_limited", "", 429),
        ),
        CallRow(
            "two",
            calls=2,
            answered=2,
            answered_s=2.75,
            times=Spread(1.25, 1.5, 1.5),
            first_byte=Spread(13.1 - 12.75, 0.6, 0.6),
        ),
    )
    assert (rows[0].success, rows[0].mean_s, rows[1].success) == (0.0, None, 1.0)


async def test_a_call_that_was_cut_is_neither_good_nor_bad(ledger: Ledger) -> None:
    ledger.record(failing("r1", "client_gone", status="client_gone"), SNAPSHOT)
    ledger.record(failing("r2", "outrun", status="client_gone"), SNAPSHOT)

    (row,) = await ledger.calls(EVER, "provider")

    assert (row.calls, row.answered, row.failed) == (2, 0, 0)
    assert (row.success, row.last_failure) == (None, None)


async def test_the_last_failure_is_the_newest_of_each_model(ledger: Ledger) -> None:
    ledger.record(failing("r2", "overloaded", "auth", at_unix_s=NOON), SNAPSHOT)
    ledger.record(failing("r1", "rate_limited", at_unix_s=NOON - 5), SNAPSHOT)
    ledger.record(answered("r0", at_unix_s=NOON - 9), SNAPSHOT)

    rows = await ledger.calls(EVER, "model")

    assert [row.name for row in rows] == [FIRST.name, SECOND.name]
    assert rows[0].last_failure == LastFailure("r2", NOON, "auth", "it said auth")
    assert rows[1].last_failure is None
