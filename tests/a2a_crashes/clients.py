"""Clients that send tasks while gateways die under them, and remember what they were told."""

import asyncio
import json
import random
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.a2a_crashes.replicas import Replica

TRY_AGAIN_S = 0.02
ANSWER_S_MAX = 60.0
ENDED = frozenset({"completed", "failed", "canceled", "rejected"})
MODEL = "openai/gpt-4o"


@dataclass
class Told:
    """What the gateways acknowledged: the last state that was heard of each task, by its id."""

    states: dict[str, str] = field(default_factory=dict[str, str])
    replayed: set[str] = field(default_factory=set[str])
    """The jobs that may be done again."""

    def note(self, task: Any) -> None:
        """Take a task, or an event of one, in the words of version 0.3."""
        task_id = task.get("taskId") or task["id"]
        state = task.get("status", {}).get("state", "working")
        if self.states.get(task_id) in ENDED:
            assert state in ("working", self.states[task_id]), (task_id, state)
            return
        self.states[task_id] = state


@dataclass
class Client:
    """Sends to whichever gateway is up: whole answers, streams, tasks to be asked for later."""

    replicas: list[Replica]
    key: str
    told: Told
    draw: random.Random
    http: httpx.AsyncClient

    async def work(self, name: int) -> None:
        """Send one task after the other, for ever."""
        number = 0
        while True:
            number += 1
            try:
                await self._send(f"job-{name * 1_000_000 + number}")
            except httpx.TransportError:
                # A gateway died. What it had not acknowledged is nobody's.
                await asyncio.sleep(TRY_AGAIN_S)

    async def ask(self, method: str, params: object) -> Any:
        """Give a call's answer of any gateway that is up."""
        up = [one.running for one in self.replicas if one.running is not None]
        if not up:
            raise httpx.ConnectError("no gateway is up")
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        url = self.draw.choice(up).url + "/a2a"
        answer = await self.http.post(url, json=body, headers=self._headers)
        return answer.json()

    @property
    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}

    async def _send(self, job: str) -> None:
        way, replay = self.draw.choice(("wait", "later", "cancel", "stream")), self.draw.random()
        metadata: dict[str, object] = {"model": MODEL}
        if replay < 0.5:
            metadata["replay"] = True
            self.told.replayed.add(job)
        part = {"kind": "text", "text": f"{job} please"}
        message = {"kind": "message", "messageId": job, "role": "user", "parts": [part]}
        params: dict[str, object] = {"message": message, "metadata": metadata}
        if way == "stream":
            await self._stream(params)
            return
        answer = await self.ask(
            "message/send", params | {"configuration": {"blocking": way == "wait"}}
        )
        if "result" not in answer:
            # It was told to stop, or its store was just being closed: nothing is acknowledged.
            return
        self.told.note(answer["result"])
        if way == "cancel":
            await asyncio.sleep(self.draw.random() * 0.2)
            ended = await self.ask("tasks/cancel", {"id": answer["result"]["id"]})
            if "result" in ended:
                self.told.note(ended["result"])

    async def _stream(self, params: object) -> None:
        up = [one.running for one in self.replicas if one.running is not None]
        if not up:
            raise httpx.ConnectError("no gateway is up")
        body = {"jsonrpc": "2.0", "id": 1, "method": "message/stream", "params": params}
        url = self.draw.choice(up).url + "/a2a"
        async with self.http.stream("POST", url, json=body, headers=self._headers) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    event = json.loads(line[6:])
                    if "result" in event:
                        self.told.note(event["result"])
