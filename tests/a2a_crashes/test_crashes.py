"""kill -9 at random moments under load: nothing acknowledged is lost, nothing happens twice."""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from omniroute.server.store.database import Database, Statement, open_database
from tests.a2a_crashes.books import charged_twice, ended_twice, logs_of, lost, tasks_of, unbalanced
from tests.a2a_crashes.clients import ANSWER_S_MAX, ENDED, Client, Told
from tests.a2a_crashes.replicas import Provider, Replica, providing, replicas
from tests.services import database_name, postgres, postgres_url

__all__ = ["postgres", "postgres_url"]
pytestmark = pytest.mark.anyio

CLIENTS = 6
LOAD_S_MAX = 0.4
"""The longest that gateways live between two kills, once all are up."""
RECOVERED_S_MAX = 60.0
LOOK_S = 0.1


@pytest.fixture
def durable_url(postgres_url: str) -> str:
    """The URL of a database that keeps each commit before it says so, as servers usually do."""

    async def make() -> None:
        async with open_database(postgres_url) as database:
            name = database_name(postgres_url)
            await database.write(Statement(f'ALTER DATABASE "{name}" SET synchronous_commit = on'))

    asyncio.run(make())
    return postgres_url


async def test_ten_kills_of_a_gateway_on_sqlite_lose_and_double_nothing(tmp_path: Path) -> None:
    assert await crash(tmp_path, kills=10, seed=7) == 10


async def test_ten_kills_of_two_replicas_on_postgres_lose_and_double_nothing(
    tmp_path: Path, durable_url: str
) -> None:
    assert await crash(tmp_path, kills=10, seed=8, database_url=durable_url) == 10


@pytest.mark.long
async def test_a_hundred_kills_of_a_gateway_on_sqlite_lose_and_double_nothing(
    tmp_path: Path,
) -> None:
    assert await crash(tmp_path, kills=100, seed=time.time_ns()) == 100


@pytest.mark.long
async def test_a_hundred_kills_of_two_replicas_on_postgres_lose_and_double_nothing(
    tmp_path: Path, durable_url: str
) -> None:
    assert await crash(tmp_path, kills=100, seed=time.time_ns(), database_url=durable_url) == 100


async def crash(folder: Path, *, kills: int, seed: int, database_url: str | None = None) -> int:
    """Kill gateways under load, let the others go on, and hold the books to what was told.

    Gives how many were killed.
    """
    draw, told = random.Random(seed), Told()
    count = 1 if database_url is None else 2
    more = {} if database_url is None else {"OMNIROUTE_DATABASE_URL": database_url}
    async with AsyncExitStack() as opened:
        provider = await opened.enter_async_context(providing())
        made = await opened.enter_async_context(replicas(folder, provider, count, **more))
        key = await new_key(made)
        http = await opened.enter_async_context(httpx.AsyncClient(timeout=ANSWER_S_MAX))
        client = Client(made, key, told, draw, http)
        await under_load(client, kills)
        await recovered(client)
        provider.look()
    url = database_url or f"sqlite:///{made[0].home}/data/storage.sqlite"
    async with open_database(url) as database:
        await judge(database, told, provider, seed)
    return sum(one.kills for one in made)


async def new_key(made: Sequence[Replica]) -> str:
    """Give a key that every replica knows: until then one would take its owner for nobody."""
    first, *_ = running = [one.running for one in made if one.running is not None]
    words = ("--name", "crash", "--scope", "full", "--budget-usd", "1000")
    key = await asyncio.to_thread(first.new_key, *words)
    async with asyncio.timeout(RECOVERED_S_MAX):
        for one in running:
            while (await asyncio.to_thread(one.call, "GET", "/v1/models")).status != 401:
                await asyncio.sleep(LOOK_S)
    return key


async def under_load(client: Client, kills: int) -> None:
    workers = [asyncio.create_task(client.work(name)) for name in range(CLIENTS)]
    try:
        for _ in range(kills):
            await asyncio.sleep(client.draw.random() * LOAD_S_MAX)
            victim = client.draw.choice(client.replicas)
            await victim.kill()
            await victim.start()
        await asyncio.sleep(LOAD_S_MAX)
    finally:
        for one in workers:
            one.cancel()
        ends = await asyncio.gather(*workers, return_exceptions=True)
    assert all(isinstance(one, asyncio.CancelledError) for one in ends), ends


async def recovered(client: Client) -> None:
    """Wait until every acknowledged task has ended, as its own client sees it."""
    async with asyncio.timeout(RECOVERED_S_MAX):
        for task_id in [one for one, state in client.told.states.items() if state not in ENDED]:
            while True:
                got = await client.ask("tasks/get", {"id": task_id})
                assert "result" in got, (task_id, got)
                if got["result"]["status"]["state"] in ENDED:
                    break
                await asyncio.sleep(LOOK_S)


async def judge(database: Database, told: Told, provider: Provider, seed: int) -> None:
    tasks, logs = await tasks_of(database), await logs_of(database)
    assert len(told.states) > CLIENTS
    assert lost(told, tasks) == [], seed
    assert ended_twice(tasks, logs) == [], seed
    assert await charged_twice(database, tasks, provider.calls, told) == [], seed
    assert await unbalanced(database) == {}, seed
    assert any(task.attempt > 1 for task in tasks.values()), "nothing was taken over"
