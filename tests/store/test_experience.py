"""What was learned of models survives a restart, and several processes add to the same rows."""

from pathlib import Path

import pytest

from omniroute.server.store.experience import KEPT_S, StoredExperience
from tests.fakes import FakeClock, world
from tests.routing.test_experience import answered
from tests.store.opened import Opened, open_store

pytestmark = pytest.mark.anyio


async def use(store: Opened, times: int = 1) -> None:
    """Let a model answer so often."""
    here = world()
    await answered(here, "one/m", times)
    for record in here.ledger.records:
        store.learned.experience.learn(record.outcome)


def counts(store: Opened) -> dict[tuple[str, str], tuple[int, int]]:
    return {
        (seen.model, seen.family): (seen.good, seen.output_tokens)
        for seen, _ in store.learned.experience.rows()
    }


async def test_what_was_learned_is_there_after_a_restart(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with open_store(database_url, tmp_path, clock) as before:
        await use(before, 3)
        await before.learned.flush()
        known = before.learned.experience.rows()

    async with open_store(database_url, tmp_path, clock) as after:
        again = after.learned.experience

        assert counts(after)["one/m", "math"] == (3, 6)
        assert [seen for seen, _ in again.rows()] == [seen for seen, _ in known]
        assert again.pending() == ()


async def test_two_processes_add_to_the_same_rows(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with (
        open_store(database_url, tmp_path, clock) as one,
        open_store(database_url, tmp_path, clock) as two,
    ):
        for store in (one, two, one):
            await use(store)
            await store.learned.flush()

    async with open_store(database_url, tmp_path, clock) as after:
        assert counts(after)["one/m", "math"] == (3, 6)


async def test_it_is_stored_when_it_is_time_and_forgotten_when_nobody_uses_it(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with open_store(database_url, tmp_path, clock) as before:
        await use(before)
        await before.learned.poll()
        waiting = before.learned.experience.pending()
        clock.advance(StoredExperience.every_s)
        await before.learned.poll()

        assert waiting
        assert before.learned.experience.pending() == ()

    clock.advance(KEPT_S + 1)
    async with open_store(database_url, tmp_path, clock) as after:
        assert counts(after) == {}


async def test_a_huge_past_is_read_as_a_faded_one(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with open_store(database_url, tmp_path, clock) as before:
        experience = before.learned.experience
        experience._count(("one/m", "math"), good=9_000_000, bad=1_000_000)
        await before.learned.flush()

    async with open_store(database_url, tmp_path, clock) as after:
        ((seen, _),) = after.learned.experience.rows()

        assert seen.good + seen.bad < 400
        assert seen.good / seen.bad == pytest.approx(9, rel=0.1)
