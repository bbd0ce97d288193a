"""Sessions of several processes on one database: what one knows, all know."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.dashboard.person import Person
from tests.dashboard.placed import HASHED, PAGE, PASSWORD, SESSIONS, Place, placed
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio


@pytest.fixture
async def places(tmp_path: Path) -> AsyncIterator[tuple[Place, Place]]:
    """Two gateways on one data folder; they look at each other's changes when told to."""
    async with placed(tmp_path) as first, opened(tmp_path) as composed, client(composed) as http:
        yield first, Place(composed, http, first.key, first.key_id)


async def at(place: Place, person: Person) -> Person:
    """Give the same browser, led to another process."""
    moved = place.person()
    moved.cookies = person.cookies
    return moved


async def test_a_session_is_one_in_all_processes_and_over_in_all_at_once(
    places: tuple[Place, Place],
) -> None:
    first, second = places
    person = await first.signed_in()
    there = await at(second, person)
    page = await there.get(SESSIONS)
    # The token of a page of one is good in the other.
    out = await person.post("/dashboard/sign-out", page.text)
    after = await there.get(PAGE)

    assert (page.status_code, out.status_code, after.status_code) == (200, 303, 303)


async def test_a_key_that_one_revokes_ends_its_sessions_in_the_other(
    places: tuple[Place, Place],
) -> None:
    first, second = places
    keys = first.composed.parts.storage.keys
    stored = keys.find(first.key_id)
    assert stored is not None
    made = await keys.create(stored.terms, actor="test")
    await second.composed.parts.storage.poll()
    there = await at(second, await first.signed_in(made.text))
    before = await there.get(PAGE)
    await keys.revoke(made.stored.key_id, actor="test")
    await second.composed.parts.storage.poll()

    assert (before.status_code, (await there.get(PAGE)).status_code) == (200, 303)


async def test_a_password_that_one_sets_signs_in_at_the_other(
    places: tuple[Place, Place],
) -> None:
    first, second = places
    await first.composed.parts.storage.passwords.put(HASHED, actor="test")
    await second.composed.parts.storage.poll()
    person = second.person()

    assert (await person.sign_in(PASSWORD)).status_code == 303
    assert (await (await at(first, person)).get(PAGE)).status_code == 200


async def test_failures_at_one_lock_the_other(places: tuple[Place, Place]) -> None:
    first, second = places
    for number in range(5):
        await places[number % 2].person().sign_in("no")

    assert [(await one.person().sign_in("no")).status_code for one in (first, second)] == [429] * 2
