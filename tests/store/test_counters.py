"""The counters of combos survive a restart, and several processes add to the same rows."""

from pathlib import Path

import pytest

from omniroute.routing.model import Candidate
from omniroute.server.store.counters import KEPT_S, StoredCounters
from omniroute.server.store.database import Statement
from tests.fakes import FakeClock
from tests.store.opened import Opened, open_store

pytestmark = pytest.mark.anyio

DUO = [Candidate(f"acc-{name}", name, "m", "openai_chat") for name in ("one", "two")]


async def rows(store: Opened) -> list[tuple[str, str, int]]:
    found = await store.database.read(
        Statement("SELECT combo, account_id, number FROM combo_counts ORDER BY combo, account_id")
    )
    return [(row["combo"], row["account_id"], int(row["number"])) for row in found]


async def test_turns_calls_and_the_last_good_one_are_there_after_a_restart(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with open_store(database_url, tmp_path, clock) as before:
        tallies = before.counters.tallies
        for _ in range(3):
            tallies.take_turn("duo")
        tallies.used("duo", DUO[1], DUO)
        tallies.answered("duo", DUO[1], unix_s=clock.unix())
        await before.counters.flush()

    async with open_store(database_url, tmp_path, clock) as after:
        again = after.counters.tallies

        assert again.turn("duo") == 3
        assert again.uses("duo", DUO) == (0, 1)
        assert again.last_good("duo", DUO) == 1
        assert again.pending() == ()


async def test_two_processes_add_to_the_same_rows(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with (
        open_store(database_url, tmp_path, clock) as one,
        open_store(database_url, tmp_path, clock) as two,
    ):
        for store in (one, two, one):
            store.counters.tallies.take_turn("duo")
            await store.counters.flush()

        assert await rows(one) == [("duo", "", 3)]


async def test_a_candidate_that_failed_since_is_not_the_last_good_one_after_a_restart(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with open_store(database_url, tmp_path, clock) as before:
        before.counters.tallies.answered("duo", DUO[0], unix_s=clock.unix())
        await before.counters.flush()
        before.counters.tallies.failed("duo", DUO[0])
        await before.counters.flush()

    async with open_store(database_url, tmp_path, clock) as after:
        assert after.counters.tallies.last_good("duo", DUO) is None


async def test_counters_are_stored_every_few_seconds(store: Opened, clock: FakeClock) -> None:
    store.counters.tallies.take_turn("duo")
    await store.counters.poll()
    at_once = await rows(store)

    clock.advance(StoredCounters.every_s)
    await store.counters.poll()

    assert at_once == []
    assert await rows(store) == [("duo", "", 1)]


async def test_counters_of_a_combo_that_is_long_gone_are_forgotten(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with open_store(database_url, tmp_path, clock) as before:
        before.counters.tallies.take_turn("duo")
        await before.counters.flush()
    clock.advance(KEPT_S + 1)

    async with open_store(database_url, tmp_path, clock) as after:
        assert after.counters.tallies.turn("duo") == 0
        assert await rows(after) == []
