"""A cancel closes the provider's connection within a second, wherever it is asked for."""

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from omniroute.routing.simulator.directives import Directives
from omniroute.server.store.database import Statement, open_database
from tests.a2a_crashes.clients import ANSWER_S_MAX, MODEL
from tests.a2a_crashes.replicas import Provider, providing, replicas
from tests.processes import RunningGateway
from tests.services import postgres, postgres_url

__all__ = ["postgres", "postgres_url"]
pytestmark = pytest.mark.anyio

AT_ONCE = 8
CLOSED_S_MAX = 1.0
LOOK_S = 0.005
WAIT_S_MAX = 30.0
ENDLESS = Directives(latency=0.0, pace=0.02, words=2_000)


async def test_two_hundred_cancels_while_streaming_each_close_the_upstream_within_a_second(
    tmp_path: Path,
) -> None:
    async with AsyncExitStack() as opened:
        provider = await opened.enter_async_context(providing(ENDLESS))
        [one] = await opened.enter_async_context(replicas(tmp_path, provider, 1))
        assert one.running is not None
        http = await opened.enter_async_context(httpx.AsyncClient(timeout=ANSWER_S_MAX))
        took_s = await canceled(http, provider, [one.running], 200)
        calls = provider.simulator.control.requests
    url = f"sqlite:///{one.home}/data/storage.sqlite"

    assert len(took_s) == calls == 200
    assert max(took_s) < CLOSED_S_MAX, sorted(took_s)[-5:]
    assert await open_holds(url) == 0


async def test_a_cancel_at_another_replica_closes_the_upstream_within_a_second(
    tmp_path: Path, postgres_url: str
) -> None:
    async with AsyncExitStack() as opened:
        provider = await opened.enter_async_context(providing(ENDLESS))
        more = {"OMNIROUTE_DATABASE_URL": postgres_url}
        made = await opened.enter_async_context(replicas(tmp_path, provider, 2, **more))
        http = await opened.enter_async_context(httpx.AsyncClient(timeout=ANSWER_S_MAX))
        running = [one.running for one in made if one.running is not None]
        took_s = await canceled(http, provider, running, 5 * AT_ONCE)

    assert len(took_s) == 5 * AT_ONCE
    assert max(took_s) < CLOSED_S_MAX, sorted(took_s)[-5:]
    assert await open_holds(postgres_url) == 0


@dataclass
class Stream:
    """One streamed task, as its client sees it."""

    http: httpx.AsyncClient
    url: str
    task_id: str = ""
    state: str = ""
    writes: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> None:
        """Read to the end."""
        part = {"kind": "text", "text": "go on"}
        message = {"kind": "message", "messageId": "m", "role": "user", "parts": [part]}
        params = {"message": message, "metadata": {"model": MODEL}}
        body = {"jsonrpc": "2.0", "id": 1, "method": "message/stream", "params": params}
        async with self.http.stream("POST", self.url, json=body) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    self._note(json.loads(line[6:])["result"])

    async def cancel(self, url: str) -> None:
        params = {"id": self.task_id}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tasks/cancel", "params": params}
        answer = (await self.http.post(url, json=body)).json()
        assert answer["result"]["status"]["state"] == "canceled", answer

    def _note(self, event: Any) -> None:
        self.task_id = event.get("taskId") or event["id"]
        self.state = event.get("status", {}).get("state", self.state)
        if event["kind"] == "artifact-update":
            self.writes.set()


async def canceled(
    http: httpx.AsyncClient, provider: Provider, gateways: Sequence[RunningGateway], count: int
) -> list[float]:
    """Stream so many tasks from the first gateway, cancel each at the last while it writes.

    Gives the seconds from the cancels, which are sent together, to the provider's seeing its
    clients leave.
    """
    first, last = f"{gateways[0].url}/a2a", f"{gateways[-1].url}/a2a"
    gone = provider.simulator.control.disconnects
    took_s: list[float] = []
    for _ in range(count // AT_ONCE):
        before = len(gone)
        streams = [Stream(http, first) for _ in range(AT_ONCE)]
        reading = [asyncio.create_task(one.read()) for one in streams]
        async with asyncio.timeout(WAIT_S_MAX):
            await asyncio.gather(*(one.writes.wait() for one in streams))
            began_s = time.monotonic()
            await asyncio.gather(*(one.cancel(last) for one in streams))
            await asyncio.gather(*reading)
            while len(gone) < before + AT_ONCE:
                await asyncio.sleep(LOOK_S)
        assert {one.state for one in streams} == {"canceled"}
        took_s += [one.at_s - began_s for one in list(gone)[before:]]
    return took_s


async def open_holds(url: str) -> int:
    """Give how many holds are not settled."""
    async with open_database(url) as database:
        rows = await database.read(
            Statement("SELECT count(*) AS open FROM reservations WHERE actual_usd_nanos IS NULL")
        )
        return int(rows[0]["open"])
