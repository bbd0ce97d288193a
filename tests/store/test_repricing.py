"""Requests on record are priced anew, beside what they have cost."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from omniroute.routing.catalog.prices import facts_of
from omniroute.routing.model import Price
from omniroute.routing.usage import Selection
from omniroute.server.store.repricing import reprice
from tests.fakes import FakeClock
from tests.store.opened import Opened, open_store
from tests.store.outcomes import SNAPSHOT, answered

pytestmark = pytest.mark.anyio


def twice_as_dear(provider: str, model: str) -> Any:
    """Price `two/org/m` alone: two dollars for input, four for output."""
    return replace(facts_of(provider, model), price=Price(2 * 10**9, 4 * 10**9))


async def keep(store: Opened, *names: str, cost: int | None = 200_000) -> None:
    for place, name in enumerate(names):
        outcome = answered(name, at_unix_s=1_700_000_000.0 + place, model_served=None)
        store.ledger.record(structs.replace(outcome, cost_usd_nanos=cost), SNAPSHOT)
    await store.ledger.flush()


async def test_requests_are_priced_anew_beside_what_they_have_cost(
    database_url: str, tmp_path: Path
) -> None:
    """100 tokens in (20 cached and 10 written are parts of them) and 50 out, at 2 and 4 dollars."""
    async with open_store(database_url, tmp_path, FakeClock()) as store:
        await keep(store, "r1", "r2")
        tried = await reprice(store.database, Selection(0.0), twice_as_dear, store=False)
        untouched = (await store.ledger.usage(Selection(0.0))).whole.total
        done = await reprice(store.database, Selection(0.0), twice_as_dear, store=True)
        again = await reprice(store.database, Selection(0.0), twice_as_dear, store=True)
        total = (await store.ledger.usage(Selection(0.0))).whole.total
        found = await store.ledger.find("r1", key_id=None)

    assert (tried.requests, tried.changed, tried.unpriced) == (2, 2, 0)
    assert (done.cost_usd_nanos, done.repriced_usd_nanos) == (400_000, 800_000)
    assert (again.changed, again.after) == (0, "")
    assert (untouched.repriced, untouched.repriced_more_usd_nanos) == (0, 0)
    assert (total.cost_usd_nanos, total.repriced, total.repriced_more_usd_nanos) == (
        400_000,
        2,
        400_000,
    )
    assert found is not None
    assert found.outcome.cost_usd_nanos == 200_000


async def test_a_request_whose_price_was_unknown_gets_a_figure(
    database_url: str, tmp_path: Path
) -> None:
    async with open_store(database_url, tmp_path, FakeClock()) as store:
        await keep(store, "r1", cost=None)
        done = await reprice(store.database, Selection(0.0), twice_as_dear, store=True)
        total = (await store.ledger.usage(Selection(0.0))).whole.total

    assert (done.requests, done.changed, done.cost_usd_nanos) == (1, 1, 0)
    assert (total.unpriced, total.repriced_more_usd_nanos) == (1, 400_000)


async def test_many_requests_are_priced_batch_by_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omniroute.server.store.repricing.BATCH_ROWS", 2)
    monkeypatch.setattr("omniroute.server.store.repricing.BATCHES_MAX", 2)
    names = [f"r{number}" for number in range(5)]
    async with open_store(f"sqlite:///{tmp_path}/s.sqlite", tmp_path, FakeClock()) as store:
        await keep(store, *names)
        first = await reprice(store.database, Selection(0.0), twice_as_dear, store=True)
        rest = await reprice(
            store.database, Selection(0.0), twice_as_dear, after=first.after, store=True
        )

    assert (first.requests, first.after, rest.requests, rest.after) == (4, "r3", 1, "")
