"""The key ring is rotated while a gateway serves: nobody notices, and the old key is gone."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import processes
from tests.processes import RunningGateway
from tests.upstream.servers import Exchange, serving, whole

pytestmark = pytest.mark.anyio

PROVIDER_KEY = "sk-fake-provider-of-the-rotation"
CHAT = {"model": "mine/m", "messages": [{"role": "user", "content": "hi"}]}
CLIENTS = 8
PER_S = 200
"""How many requests a second are sent, as far as this machine keeps up."""


@dataclass
class Load:
    """What requests have got: their statuses, and whether a provider saw the right key."""

    statuses: list[int] = field(default_factory=list[int])
    wrong_keys: int = 0


async def check_key(exchange: Exchange, load: Load) -> None:
    right = exchange.header(b"authorization") == b"Bearer " + PROVIDER_KEY.encode()
    load.wrong_keys += not right
    await exchange.send(whole() if right else whole(b"{}", status="401 Unauthorized"))


@asynccontextmanager
async def load_on(gateway: RunningGateway, key: str, load: Load) -> AsyncIterator[None]:
    """Send requests all the while, each client one after the other and in time."""
    ended = asyncio.Event()

    async def send(client: httpx.AsyncClient) -> None:
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while not ended.is_set():
            answer = await client.post(f"{gateway.url}/v1/chat/completions", json=CHAT)
            load.statuses.append(answer.status_code)
            due_s = max(due_s + CLIENTS / PER_S, loop.time())
            await asyncio.sleep(due_s - loop.time())

    headers = {"authorization": f"Bearer {key}"}
    async with (
        httpx.AsyncClient(headers=headers, timeout=30.0) as client,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(CLIENTS):
            group.create_task(send(client))
        try:
            yield
        finally:
            ended.set()


@dataclass
class Admin:
    """The management API, asked with a key of its own."""

    gateway: RunningGateway
    key: str

    async def asked(self, method: str, path: str, body: object = None) -> Any:
        """Give the JSON of a good answer."""
        call = self.gateway.call
        answer = await asyncio.to_thread(call, method, path, body, key=self.key)
        assert answer.status < 300, answer.body
        return answer.json()

    async def rotated(self) -> str:
        """Add a key to the ring, retire the oldest, and give the id of that."""
        await self.asked("POST", "/api/keyring")
        ring = await self.asked("GET", "/api/keyring")
        oldest: str = [one["key_id"] for one in ring["keys"] if one["state"] == "older"][-1]
        await self.asked("DELETE", f"/api/keyring/{oldest}")
        return oldest


@pytest.mark.parametrize("workers", [pytest.param("1", marks=pytest.mark.long), "2"])
async def test_three_rotations_under_load_fail_no_request(tmp_path: Path, workers: str) -> None:
    load = Load()
    async with serving(lambda exchange: check_key(exchange, load)) as provider:
        running = processes.gateway(tmp_path, "--workers", workers)
        gateway = await asyncio.to_thread(running.__enter__)
        try:
            words = ("--name", "admin", "--scope", "admin")
            admin = Admin(gateway, await asyncio.to_thread(gateway.new_key, *words))
            account = {
                "provider": "mine",
                "base_url": provider.url,
                "dialect": "openai_chat",
                "key": PROVIDER_KEY,
                "models": ["m"],
            }
            await admin.asked("POST", "/api/providers", account)
            key = (await admin.asked("POST", "/api/keys", {"name": "before"}))["secret"]
            async with load_on(gateway, key, load):
                retired = [await admin.rotated() for _ in range(3)]
            ring = await admin.asked("GET", "/api/keyring")
            log = await admin.asked("GET", "/api/audit/log")
        finally:
            await asyncio.to_thread(running.__exit__, None, None, None)
        sent = len(load.statuses)

        # Another process, which has the new key alone.
        running = processes.gateway(tmp_path)
        gateway = await asyncio.to_thread(running.__enter__)
        try:
            later = Load()
            async with load_on(gateway, key, later):
                while not later.statuses:
                    await asyncio.sleep(0.01)
        finally:
            await asyncio.to_thread(running.__exit__, None, None, None)

    assert {*load.statuses, *later.statuses} == {200}
    assert sent >= 20
    assert load.wrong_keys == 0
    states = {one["key_id"]: one["state"] for one in ring["keys"]}
    assert [states[key_id] for key_id in retired] == ["retired"] * 3
    assert [one["secrets"] for one in ring["keys"]] == [1, 0, 0, 0]
    stored = json.loads((tmp_path / "data" / "keyring.json").read_text())
    assert len(stored["keys"]) == 1
    assert log["chains"]["broken"] == []
