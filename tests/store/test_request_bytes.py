"""Requests go beyond a number of bytes, and bytes are counted as a file has them."""

import math
from dataclasses import replace

import pytest

from omniroute.routing.ports import Hold
from omniroute.server.store.database import Statement
from omniroute.server.store.ledger import DECISION_CHAINS
from omniroute.server.store.request_bytes import ROW_BYTES, kept_from
from omniroute.server.store.retention import Retention
from tests.store.opened import Opened
from tests.store.outcomes import SNAPSHOT, answered, refused

pytestmark = pytest.mark.anyio

NEW_S = 1_700_000_000.0
LARGE = 100_000
USED = (
    "SELECT page_size * (page_count - freelist_count) AS bytes FROM pragma_page_count() "
    "CROSS JOIN pragma_page_size() CROSS JOIN pragma_freelist_count()"
)


async def kept(store: Opened, sizes: list[int]) -> None:
    """Store a request of each of these sizes, the oldest first."""
    for number, size in enumerate(sizes):
        outcome = answered(f"r{number}", at_unix_s=NEW_S + number, error_detail="x" * size)
        store.ledger.record(outcome, SNAPSHOT)
    await store.ledger.flush()


async def left(store: Opened) -> list[str]:
    rows = await store.database.read(Statement("SELECT request_id FROM outcomes ORDER BY 1"))
    return [str(row["request_id"]) for row in rows]


@pytest.mark.parametrize("page_rows", [1, 2, 3, 100])
async def test_the_newest_are_kept_that_fit_in_the_bytes(store: Opened, page_rows: int) -> None:
    await kept(store, [LARGE, LARGE, 0, LARGE, 0])

    found = [
        await kept_from(store.database, bytes_max, page_rows=page_rows)
        for bytes_max in (0, LARGE, 2 * LARGE, 3 * LARGE, 4 * LARGE)
    ]

    after = [math.nextafter(NEW_S + number, math.inf) for number in range(5)]
    assert found == [after[4], after[3], after[1], after[0], -math.inf]


async def test_none_on_record_fit_in_nothing(store: Opened) -> None:
    assert await kept_from(store.database, 0) == -math.inf


async def test_what_is_beyond_the_bytes_is_removed_whatever_its_age(store: Opened) -> None:
    await kept(store, [LARGE, LARGE, 0, LARGE, 0])
    limited = Retention(store.database, store.ring, DECISION_CHAINS, days=None)
    limited.bytes_max = 2 * LARGE

    await limited.poll(now_s=1.0, now_unix_s=NEW_S + 5)
    verified = await store.ledger.verify()

    assert await left(store) == ["r2", "r3", "r4"]
    assert (verified.rows, verified.faults) == (3, ())


async def test_a_snapshot_counts_once_and_a_refusal_without_one_counts_too(store: Opened) -> None:
    large = replace(SNAPSHOT, target="y" * LARGE)
    for number in range(4):
        store.ledger.record(answered(f"r{number}", at_unix_s=NEW_S + number), large)
    store.ledger.record(refused("r4"), None)
    await store.ledger.flush()

    assert await kept_from(store.database, 2 * LARGE) == -math.inf
    assert await kept_from(store.database, LARGE // 2) > -math.inf


async def test_the_sum_is_about_what_a_file_has_grown_by(store: Opened) -> None:
    if store.database.kind == "postgres":
        pytest.skip("its files tell little: they do not shrink")
    count = 1_000
    (before,) = await store.database.read(Statement(USED))
    for number in range(count):
        name = f"req_{number:026d}"
        store.ledger.record(answered(name, at_unix_s=NEW_S + number), SNAPSHOT)
        await store.budgets.reserve(Hold(f"{name}-1", "key-1", (), 100))
        store.budgets.settle(f"{name}-1", usd_nanos=4)
    await store.ledger.flush()
    await store.budgets.flush()
    (after,) = await store.database.read(Statement(USED))
    (held,) = await store.database.read(
        Statement(
            "SELECT sum(length(tried)) + sum(length(target)) + (SELECT sum(length(record)) "
            "FROM decisions) AS bytes FROM outcomes"
        )
    )

    counted, grown = held["bytes"] + count * ROW_BYTES, after["bytes"] - before["bytes"]

    assert 0.8 < counted / grown < 1.25
    assert await kept_from(store.database, round(counted * 1.01)) == -math.inf
    assert await kept_from(store.database, round(counted * 0.99)) > -math.inf
