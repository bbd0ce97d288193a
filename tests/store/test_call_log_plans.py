"""The call log is read along an index, newest first, whatever it is filtered by."""

import asyncio

import pytest

from omniroute.server.store.call_log import Filters, call_log
from omniroute.server.store.database import Database, Rows, Statement, T, Unit, open_database
from tests.store.test_pieces import keep, mixed

pytestmark = pytest.mark.anyio

FILTERS = (
    Filters(),
    Filters(since_unix_s=1.0, until_unix_s=2e9, error="provider_error"),
    Filters(key_ids=("key-1",), since_unix_s=1.0, status="error"),
    Filters(answered_by="two/org/m", cached=True, priced=False),
    Filters(without="combo", total_s_min=0.5, first_content_s_min=0.1, before="r000009"),
)


class Explained:
    """A database that tells how it would read."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.kind = database.kind
        self.plans: list[str] = []

    async def read(self, unit: Unit[T]) -> T:
        statement: object = unit
        assert isinstance(statement, Statement)
        asked = Statement(f"EXPLAIN QUERY PLAN {statement.sql}", statement.values)
        plan: Rows = await self.database.read(asked)
        self.plans.append(" / ".join(str(row["detail"]) for row in plan))
        return await self.database.read(unit)

    async def write(self, unit: Unit[T]) -> T:
        return await self.database.write(unit)

    def submit(self, unit: Unit[T]) -> "asyncio.Future[T]":
        return self.database.submit(unit)


@pytest.mark.parametrize("filters", FILTERS)
async def test_a_page_of_the_log_is_read_by_an_index_and_not_sorted(
    sqlite_url: str, filters: Filters
) -> None:
    async with open_database(sqlite_url) as database:
        await keep(database, mixed(50))
        explained = Explained(database)
        await call_log(explained, filters, 10)

    plan = explained.plans[-1]
    assert "USING INDEX ix_outcomes_" in plan
    assert "SCAN outcomes" not in plan.replace("SCAN outcomes USING INDEX", "")
    assert "USE TEMP B-TREE FOR ORDER BY" not in plan
