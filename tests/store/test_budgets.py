"""Budgets: exact under every interleaving, on both databases."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from omniroute.routing.errors import BadRequest, BudgetExceeded, Conflict, StorageUnavailable
from omniroute.routing.ports import Budgets, Hold
from omniroute.server.store.boots import SILENT_S
from omniroute.server.store.budget import Budget
from omniroute.server.store.budget_rows import LEASE_S
from omniroute.server.store.budgets import Budgets as StoredBudgets
from omniroute.server.store.database import Row, Statement
from omniroute.server.store.windows import Windows, windows_at
from tests.fakes import FakeClock, MemoryBudgets
from tests.store.opened import Opened, open_store

DOLLAR = 1_000_000_000
DAY_S = 86_400
WAIT_S = 30


def hold(name: str, usd_nanos: int, *budget_ids: str) -> Hold:
    return Hold(name, "key-1", budget_ids, usd_nanos)


def budget(budget_id: str, dollars: int, **changes: object) -> Budget:
    made = Budget(budget_id, "key-1", budget_id, dollars * DOLLAR)
    return replace(made, **changes)  # type: ignore[arg-type]


async def windows(store: Opened) -> dict[str, tuple[int, int]]:
    """Give what each budget has spent and holds, read past everything that caches."""
    rows = await store.database.read(
        Statement("SELECT budget_id, spent_usd_nanos, held_usd_nanos FROM budget_windows")
    )
    return {row["budget_id"]: (row["spent_usd_nanos"], row["held_usd_nanos"]) for row in rows}


async def reservations(store: Opened) -> Sequence[Row]:
    return await store.database.read(
        Statement(
            "SELECT hold_id, bound_usd_nanos, actual_usd_nanos, abandoned, lines "
            "FROM reservations ORDER BY hold_id"
        )
    )


@pytest.fixture
async def any_budgets(any_url: str, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Budgets]:
    """A budget of ten dollars: in the fake, and in the real ones on both databases."""
    if not any_url:
        yield MemoryBudgets(caps={"team": 10 * DOLLAR})
        return
    async with open_store(any_url, tmp_path, clock) as store:
        await store.budgets.put(budget("team", 10), actor="test")
        yield store.budgets


@pytest.mark.anyio
async def test_a_hold_leaves_less_and_settling_gives_the_rest_back(any_budgets: Budgets) -> None:
    await any_budgets.reserve(hold("h1", 4 * DOLLAR, "team"))

    assert any_budgets.left(("team",)) == 6 * DOLLAR


@pytest.mark.anyio
async def test_what_the_last_request_left_over_pays_the_next_one_at_once(
    any_budgets: Budgets,
) -> None:
    await any_budgets.reserve(hold("h1", 10 * DOLLAR, "team"))
    any_budgets.settle("h1", usd_nanos=DOLLAR)

    await any_budgets.reserve(hold("h2", 9 * DOLLAR, "team"))

    with pytest.raises(BudgetExceeded):
        await any_budgets.reserve(hold("h3", 1, "team"))


@pytest.mark.anyio
async def test_what_a_budget_cannot_pay_is_refused_and_takes_nothing(any_budgets: Budgets) -> None:
    await any_budgets.reserve(hold("h1", 10 * DOLLAR, "team"))

    with pytest.raises(BudgetExceeded):
        await any_budgets.reserve(hold("h2", 1, "team"))

    assert any_budgets.left(("team",)) == 0


@pytest.mark.anyio
async def test_without_a_budget_nothing_is_refused(any_budgets: Budgets) -> None:
    await any_budgets.reserve(hold("h1", 10**15))
    any_budgets.settle("h1", usd_nanos=10**14)

    assert any_budgets.left(()) is None


@pytest.mark.anyio
async def test_settling_counts_once_however_often_it_is_told(store: Opened) -> None:
    await store.budgets.put(budget("team", 10), actor="test")
    await store.budgets.reserve(hold("h1", 4 * DOLLAR, "team"))

    store.budgets.settle("h1", usd_nanos=DOLLAR)
    store.budgets.settle("h1", usd_nanos=3 * DOLLAR)
    await store.budgets.flush()
    store.budgets.settle("h1", usd_nanos=2 * DOLLAR)
    await store.budgets.flush()

    assert await windows(store) == {"team": (DOLLAR, 0)}
    assert store.budgets.left(("team",)) == 9 * DOLLAR


@pytest.mark.anyio
async def test_all_budgets_of_a_hold_pay_or_none(store: Opened) -> None:
    for name, dollars in (("wide", 100), ("narrow", 1)):
        await store.budgets.put(budget(name, dollars), actor="test")

    with pytest.raises(BudgetExceeded, match=r"'narrow' cannot pay.*may cost \$2\.00: of \$1\.00"):
        await store.budgets.reserve(hold("h1", 2 * DOLLAR, "wide", "narrow"))
    await store.budgets.reserve(hold("h2", DOLLAR, "narrow", "wide", "wide"))

    assert await windows(store) == {"wide": (0, DOLLAR), "narrow": (0, DOLLAR)}
    assert store.budgets.left(("wide", "narrow")) == 0


@pytest.mark.anyio
async def test_reserving_twice_is_one_hold_and_another_hold_of_its_id_is_a_conflict(
    store: Opened,
) -> None:
    await store.budgets.put(budget("team", 10), actor="test")
    await store.budgets.reserve(hold("h1", DOLLAR, "team"))

    await store.budgets.reserve(hold("h1", DOLLAR, "team"))
    with pytest.raises(Conflict):
        await store.budgets.reserve(hold("h1", 2 * DOLLAR, "team"))
    store.budgets.settle("h1", usd_nanos=0)
    await store.budgets.flush()
    with pytest.raises(Conflict):
        await store.budgets.reserve(hold("h1", DOLLAR, "team"))

    assert await windows(store) == {"team": (0, 0)}


@pytest.mark.anyio
async def test_a_budget_that_does_not_exist_cannot_pay(store: Opened) -> None:
    with pytest.raises(BudgetExceeded, match="'nobodys' does not exist"):
        await store.budgets.reserve(hold("h1", 1, "nobodys"))

    assert store.budgets.left(("nobodys",)) is None


@pytest.mark.anyio
async def test_an_answer_above_its_bound_is_charged_in_full_and_stops_the_next(
    store: Opened,
) -> None:
    await store.budgets.put(budget("team", 10), actor="test")
    await store.budgets.reserve(hold("h1", 10 * DOLLAR, "team"))
    store.budgets.settle("h1", usd_nanos=12 * DOLLAR)
    await store.budgets.flush()

    with pytest.raises(BudgetExceeded):
        await store.budgets.reserve(hold("h2", 1, "team"))

    assert await windows(store) == {"team": (12 * DOLLAR, 0)}
    assert store.budgets.left(("team",)) == 0


@pytest.mark.anyio
async def test_a_cap_can_be_lowered_below_what_is_spent_and_raised_again(store: Opened) -> None:
    await store.budgets.put(budget("team", 10), actor="test")
    await store.budgets.reserve(hold("h1", 8 * DOLLAR, "team"))

    await store.budgets.put(budget("team", 5), actor="test")
    with pytest.raises(BudgetExceeded, match=r"of \$5\.00 .* holds \$8\.00"):
        await store.budgets.reserve(hold("h2", 1, "team"))
    await store.budgets.put(budget("team", 9), actor="test")
    await store.budgets.reserve(hold("h3", DOLLAR, "team"))

    assert await windows(store) == {"team": (0, 9 * DOLLAR)}


@pytest.mark.anyio
async def test_a_daily_budget_begins_anew_and_a_hold_stays_in_its_day(
    store: Opened, clock: FakeClock
) -> None:
    await store.budgets.put(budget("daily", 10, period="day"), actor="test")
    await store.budgets.reserve(hold("h1", 10 * DOLLAR, "daily"))

    clock.advance(DAY_S)
    assert store.budgets.left(("daily",)) == 10 * DOLLAR
    await store.budgets.reserve(hold("h2", 7 * DOLLAR, "daily"))
    store.budgets.settle("h1", usd_nanos=10 * DOLLAR)
    await store.budgets.flush()

    assert store.budgets.left(("daily",)) == 3 * DOLLAR
    standing = await store.budgets.standing("daily")
    assert standing is not None
    assert standing.spent_usd_nanos == 0


@pytest.mark.parametrize(
    ("unix_s", "day", "month", "until"),
    [
        (0.0, 0, 0, DAY_S),
        (DAY_S - 0.001, 0, 0, DAY_S),
        (DAY_S, DAY_S, 0, 2 * DAY_S),
        # 29 February 2024, 23:59:59 UTC.
        (1_709_251_199.5, 1_709_164_800, 1_706_745_600, 1_709_251_200),
        # 1 January 2026, 00:00 UTC.
        (1_767_225_600.0, 1_767_225_600, 1_767_225_600, 1_767_312_000),
    ],
)
def test_windows_are_those_of_utc(unix_s: float, day: int, month: int, until: int) -> None:
    assert windows_at(unix_s) == Windows(day, month, until)


@pytest.mark.anyio
async def test_bad_budgets_are_refused(store: Opened) -> None:
    await store.budgets.put(budget("team", 10), actor="test")

    with pytest.raises(BadRequest, match="cap"):
        await store.budgets.put(budget("team", -1), actor="test")
    with pytest.raises(BadRequest, match="cap"):
        await store.budgets.put(budget("team", 10**10), actor="test")
    with pytest.raises(BudgetExceeded, match="so much"):
        await store.budgets.reserve(hold("h1", 2**70, "team"))
    with pytest.raises(BadRequest, match="name"):
        await store.budgets.put(budget("team", 1, name=""), actor="test")
    with pytest.raises(Conflict, match="owner or period"):
        await store.budgets.put(budget("team", 1, period="day"), actor="test")
    with pytest.raises(Conflict, match="owner or period"):
        await store.budgets.put(budget("team", 1, key_id="key-2"), actor="test")

    assert [one.cap_usd_nanos for one in store.budgets.all()] == [10 * DOLLAR]


@pytest.mark.anyio
async def test_a_removed_budget_is_gone_and_its_holds_can_still_be_settled(store: Opened) -> None:
    await store.budgets.put(budget("team", 10), actor="test")
    await store.budgets.reserve(hold("h1", DOLLAR, "team"))

    assert await store.budgets.remove("team", actor="test")
    assert not await store.budgets.remove("team", actor="test")
    store.budgets.settle("h1", usd_nanos=DOLLAR)
    await store.budgets.flush()

    assert await windows(store) == {}
    assert [row["actual_usd_nanos"] for row in await reservations(store)] == [DOLLAR]


@pytest.mark.anyio
async def test_what_other_processes_spend_shows_after_a_poll(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    await store.budgets.put(budget("team", 10), actor="test")
    async with open_store(database_url, tmp_path, clock) as other:
        await other.budgets.reserve(hold("h1", 4 * DOLLAR, "team"))

    assert store.budgets.left(("team",)) == 10 * DOLLAR
    await store.budgets.poll()
    assert store.budgets.left(("team",)) == 6 * DOLLAR


@pytest.mark.anyio
async def test_a_caller_who_leaves_while_reserving_leaves_no_hold_behind(store: Opened) -> None:
    await store.budgets.put(budget("team", 10), actor="test")
    for number in range(20):
        reserving = asyncio.ensure_future(store.budgets.reserve(hold(f"h{number}", DOLLAR, "team")))
        for _ in range(number % 4):
            await asyncio.sleep(0)
        reserving.cancel()
        await asyncio.wait([reserving], timeout=WAIT_S)

    async with asyncio.timeout(WAIT_S):
        while any(row["actual_usd_nanos"] is None for row in await reservations(store)):
            await store.budgets.flush()

    assert (await windows(store)).get("team", (0, 0)) == (0, 0)


@pytest.mark.anyio
async def test_holds_of_a_dead_process_are_settled_at_their_bound(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    await store.budgets.put(budget("team", 10), actor="test")
    async with open_store(database_url, tmp_path, clock) as other:
        await other.budgets.reserve(hold("h1", 4 * DOLLAR, "team"))
        other.budgets.settle("h1", usd_nanos=DOLLAR)
        await other.budgets.flush()
        await other.budgets.reserve(hold("h2", 2 * DOLLAR, "team"))
        living = await store.budgets.sweep(clock.unix())
        # The process is the test's own: say that it was another, which is gone.
        await store.database.write(
            Statement("UPDATE boots SET process = 'gone' WHERE boot_id = $1", (other.boot.boot_id,))
        )

    swept = await store.budgets.sweep(clock.unix())

    assert (living, swept) == (0, 1)
    assert await windows(store) == {"team": (3 * DOLLAR, 0)}
    assert [row["abandoned"] for row in await reservations(store)] == [False, True]


@pytest.mark.anyio
async def test_holds_of_another_machine_wait_for_silence_and_the_end_of_their_lease(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    await store.budgets.put(budget("team", 10), actor="test")
    async with open_store(database_url, tmp_path, clock) as other:
        await other.budgets.reserve(hold("h1", DOLLAR, "team"))
        await store.database.write(
            Statement(
                "UPDATE boots SET machine = 'elsewhere' WHERE boot_id = $1", (other.boot.boot_id,)
            )
        )

    clock.advance(SILENT_S + 1)
    early = await store.budgets.sweep(clock.unix())
    clock.advance(LEASE_S)
    late = await store.budgets.sweep(clock.unix())

    assert (early, late) == (0, 1)
    assert await windows(store) == {"team": (DOLLAR, 0)}


@pytest.mark.anyio
async def test_a_hold_without_budgets_is_kept_too(store: Opened) -> None:
    await store.budgets.reserve(hold("quick", 5))
    store.budgets.settle("quick", usd_nanos=3)
    await store.budgets.reserve(hold("slow", 7))
    await store.budgets.flush()
    store.budgets.settle("slow", usd_nanos=2)
    await store.budgets.reserve(hold("under way", 9))
    await store.budgets.flush()

    found = [
        (row["hold_id"], row["bound_usd_nanos"], row["actual_usd_nanos"])
        for row in await reservations(store)
    ]

    assert found == [("quick", 5, 3), ("slow", 7, 2), ("under way", 9, None)]


@pytest.mark.anyio
async def test_without_the_database_money_fails_closed_and_settling_waits(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with open_store(database_url, tmp_path, clock) as store:
        await store.budgets.put(budget("team", 10), actor="test")
        await store.budgets.reserve(hold("h1", DOLLAR, "team"))

    with pytest.raises(StorageUnavailable):
        await store.budgets.reserve(hold("h2", DOLLAR, "team"))
    store.budgets.settle("h1", usd_nanos=0)
    with pytest.raises(StorageUnavailable):
        await store.budgets.flush()


@pytest.mark.anyio
async def test_past_its_threshold_a_budget_warns_and_the_log_says_so_once(
    any_budgets: Budgets, caplog: pytest.LogCaptureFixture
) -> None:
    told = list[str]()
    await any_budgets.reserve(hold("h1", 8 * DOLLAR, "team"))
    before = any_budgets.warnings(("team",))
    any_budgets.settle("h1", usd_nanos=8 * DOLLAR)
    if isinstance(any_budgets, StoredBudgets):
        any_budgets.on_warning = told.append
        await any_budgets.flush()

    after = any_budgets.warnings(("team",))
    assert any_budgets.warnings(("team",)) == after

    assert before == ()
    assert len(after) == 1
    assert "'team' has spent" in after[0]
    said = [one for one in caplog.records if one.message == "budget_warning"]
    assert len(said) == len(told) == isinstance(any_budgets, StoredBudgets)


@pytest.mark.anyio
async def test_unpriced_models_need_every_budgets_leave(store: Opened) -> None:
    await store.budgets.put(budget("strict", 1), actor="test")
    await store.budgets.put(budget("lax", 1, allow_unpriced=True), actor="test")

    assert store.budgets.pay_unpriced(())
    assert store.budgets.pay_unpriced(("lax",))
    assert not store.budgets.pay_unpriced(("lax", "strict"))
    assert not store.budgets.pay_unpriced(("nobodys",))
    assert any(not one.allow_unpriced for one in store.budgets.all())


@pytest.mark.anyio
@pytest.mark.parametrize("percent", [0, 101, -5])
async def test_a_threshold_is_a_percentage(store: Opened, percent: int) -> None:
    with pytest.raises(BadRequest) as refused:
        await store.budgets.put(budget("team", 1, warn_percent=percent), actor="test")

    assert refused.value.field == "warn_percent"
