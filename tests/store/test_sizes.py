"""How much a database holds, the same on SQLite and PostgreSQL."""

from pathlib import Path

import pytest

from omniroute.server.store.sizes import kept_answers, sizes
from tests.fakes import FakeClock
from tests.store.opened import open_store
from tests.store.outcomes import SNAPSHOT, answered

pytestmark = pytest.mark.anyio


async def test_requests_are_counted_and_the_oldest_is_named(
    database_url: str, tmp_path: Path
) -> None:
    async with open_store(database_url, tmp_path, FakeClock()) as store:
        empty = await sizes(store.database)
        for number, at in enumerate((1_700_000_100.0, 1_700_000_050.0)):
            store.ledger.record(answered(f"r{number}", at_unix_s=at), SNAPSHOT)
        await store.ledger.flush()
        used = await sizes(store.database)
        answers = await kept_answers(store.database)

    assert (empty.requests, empty.oldest_unix_s) == (0, None)
    assert (used.requests, used.oldest_unix_s, answers) == (2, 1_700_000_050.0, 0)
    assert used.size_bytes > 4096
