"""A store with something of everything in it, its rows as values, and its backups."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from omniroute.routing.model import Account
from omniroute.routing.ports import Hold
from omniroute.server.store.audit import Audit
from omniroute.server.store.backups import Backups, Where
from omniroute.server.store.budget import Budget
from omniroute.server.store.changes import Changes
from omniroute.server.store.database import Database, Statement
from omniroute.server.store.keyring import KeyRing
from tests.fakes import FakeClock, combo
from tests.store.calls import called
from tests.store.opened import Opened
from tests.store.outcomes import SNAPSHOT, answered, refused
from tests.store.test_tasks import TASK

Rows = Mapping[str, list[tuple[Any, ...]]]

GROQ = Account(
    account_id="acc-groq",
    provider="groq",
    dialect="openai_chat",
    base_url="https://groq.example/v1",
    credential="sk-fake-credential",
    enabled=True,
)


def path_of(url: str) -> Path | None:
    """Give the file of a SQLite URL."""
    scheme, _, rest = url.partition("://")
    return Path(rest.removeprefix("/")) if scheme == "sqlite" else None


def where(url: str, folder: Path) -> Where:
    return Where(folder, path_of(url), "0.0.0-test")


def backups(url: str, folder: Path, store: Opened, clock: FakeClock) -> Backups:
    return backups_of(where(url, folder), store.database, store.ring, store.audit, clock)


def backups_of(
    place: Where, database: Database, ring: KeyRing, audit: Audit, clock: FakeClock
) -> Backups:
    return Backups(place, database, ring, Changes(database, audit, clock))


async def fill(store: Opened) -> None:
    """Store something in most tables, and wait until all of it is there."""
    await store.configs.put_account(GROQ, actor="maria")
    await store.configs.put_account(replace(GROQ, account_id="acc-2", enabled=False), actor="m")
    await store.configs.put_combo(combo("duo", "groq"), actor="maria")
    await store.configs.put_alias("quick", "duo", actor="maria")
    await store.configs.put_setting("mode", "frugal", actor="maria")
    budget = Budget("budget-1", "key-1", "month", 5_000_000, period="month")
    await store.budgets.put(budget, actor="maria")
    await store.budgets.reserve(Hold("hold-1", "key-1", ("budget-1",), 400))
    store.budgets.settle("hold-1", usd_nanos=123)
    for number in range(20):
        store.ledger.record(answered(f"r{number}"), SNAPSHOT)
        store.tool_calls.record(called(f"c{number}"))
    store.ledger.record(refused("refused"), None)
    await store.tasks.create(TASK, "created")
    await asyncio.gather(store.ledger.flush(), store.tool_calls.flush(), store.budgets.flush())


async def rows_of(database: Database, *, apart: tuple[str, ...] = ()) -> Rows:
    """Give every row of every table, in an order of their own."""
    sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    if database.kind == "postgres":
        sql = (
            "SELECT table_name AS name FROM information_schema.tables "
            "WHERE table_schema = current_schema()"
        )
    names = sorted(str(row["name"]) for row in await database.read(Statement(sql)))
    found: dict[str, list[tuple[Any, ...]]] = {}
    for name in names:
        if name not in apart:
            rows: Any = await database.read(Statement(f"SELECT * FROM {name}"))
            found[name] = sorted((plain(row) for row in rows), key=repr)
    return found


def plain(row: Any) -> tuple[Any, ...]:
    """Give a row's values by its columns' names, the same for both databases."""
    return tuple(
        (name, int(row[name]) if isinstance(row[name], bool) else row[name])
        for name in sorted(row.keys())
    )
