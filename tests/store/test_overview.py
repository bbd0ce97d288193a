"""Overviews of what was used: the window, its step, and whose requests are in them."""

import pytest
from msgspec import structs

from omniroute.routing.errors import NotAllowed
from omniroute.routing.model import Caller
from omniroute.routing.usage import Selection
from omniroute.server.overview import Overviews
from omniroute.server.store.pieces import Pieces
from tests.fakes import FakeClock
from tests.store.opened import Opened
from tests.store.outcomes import SNAPSHOT, answered, refused
from tests.store.test_usage import at_once, failing

pytestmark = pytest.mark.anyio

ADMIN = Caller("key-0", scopes=frozenset({"admin", "read:usage"}))
NOW = 1_700_049_600.0 + 90.5


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(unix_s=NOW)


@pytest.fixture
def overviews(store: Opened, clock: FakeClock) -> Overviews:
    return Overviews(store.ledger, Pieces(store.database), clock)


async def test_an_overview_tells_errors_by_class_and_rows_of_each_table(
    store: Opened, overviews: Overviews
) -> None:
    made = [
        at_once("r1", at_unix_s=NOW - 30),
        answered("r2", "key-2", at_unix_s=NOW - 40, cost_usd_nanos=None),
        structs.replace(failing("r3", "auth"), error="provider_error", at_unix_s=NOW - 50),
        refused("r4"),
        structs.replace(refused("r5"), at_unix_s=NOW - 20),
        structs.replace(refused("r6"), at_unix_s=NOW - 21),
    ]
    for one in made:
        store.ledger.record(one, SNAPSHOT if one.decision is not None else None)

    found = await overviews.of(ADMIN, Selection(NOW - 7_200))

    total = found.whole.total
    assert (total.requests, total.answered, total.failed, total.refused) == (5, 2, 1, 2)
    assert (total.unpriced, total.cost_usd_nanos, total.cached) == (1, 200_000, 2)
    assert [(row.name, row.total.requests) for row in found.errors] == [
        ("model_not_found", 2),
        ("provider_error", 1),
    ]
    assert [(row.name, row.total.requests) for row in found.tables["key"]] == [
        ("key-1", 4),
        ("key-2", 1),
    ]
    assert set(found.tables) == {"model", "key", "combo", "provider"}
    assert sum(row.total.requests for row in found.series) == total.requests


async def test_a_window_begins_with_a_whole_step_and_ends_now(overviews: Overviews) -> None:
    lengths = {"minute": 7_000.0, "hour": 7 * 86_400.0, "day": 30 * 86_400.0}
    found = {step: await overviews.of(ADMIN, Selection(NOW - s)) for step, s in lengths.items()}

    assert {name: one.step for name, one in found.items()} == {one: one for one in lengths}
    assert found["hour"].selection.since_unix_s % 3_600 == 0
    assert found["day"].selection.since_unix_s % 86_400 == 0
    assert {one.selection.until_unix_s for one in found.values()} == {NOW}
    assert all(NOW - lengths[n] - one.selection.since_unix_s >= 0 for n, one in found.items())


async def test_a_key_sees_its_own_requests_whatever_it_asks_for(
    store: Opened, overviews: Overviews
) -> None:
    for number, key in enumerate(("key-1", "key-2", "key-2")):
        store.ledger.record(at_once(f"r{number}", key, at_unix_s=NOW - 5), SNAPSHOT)
    mine = Caller("key-2", scopes=frozenset({"read:usage"}))

    found = await overviews.of(mine, Selection(NOW - 60, key_id="key-1"))
    whole = await overviews.of(ADMIN, Selection(NOW - 60))

    assert (found.whole.total.requests, whole.whole.total.requests) == (2, 3)
    assert [row.name for row in found.tables["key"]] == ["key-2"]


async def test_an_overview_needs_the_scope_for_usage(overviews: Overviews) -> None:
    with pytest.raises(NotAllowed, match="read:usage"):
        await overviews.of(Caller("key-3", scopes=frozenset({"write:route"})), Selection(0.0))
