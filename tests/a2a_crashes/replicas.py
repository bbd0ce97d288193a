"""Gateways that are killed and started again, and the one provider that they share."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from omniroute.routing.simulator.directives import Directives
from omniroute.server.simulator.simulator import Simulator
from tests import processes
from tests.processes import RunningGateway

LATENCY_S, PACE_S, WORDS = 0.02, 0.01, 12
LOOK_S = 0.02
_MARK = re.compile(rb"job-\d+")


@dataclass
class Provider:
    """A provider that outlives every gateway and knows what it was asked, and how often."""

    simulator: Simulator
    calls: Counter[str] = field(default_factory=Counter[str])

    def look(self) -> None:
        """Count what was asked since the last time."""
        seen = self.simulator.control.seen
        while seen:
            self.calls.update(one.decode() for one in set(_MARK.findall(seen.popleft().body)))

    async def watch(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(LOOK_S)


@asynccontextmanager
async def providing(answer: Directives | None = None) -> AsyncIterator[Provider]:
    """Run the provider in this loop; its answers stream for about a sixth of a second."""
    async with Simulator() as simulator:
        usual = Directives(latency=LATENCY_S, pace=PACE_S, words=WORDS)
        simulator.control.set(answer or usual)
        provider = Provider(simulator)
        watching = asyncio.create_task(provider.watch())
        try:
            yield provider
        finally:
            watching.cancel()


@dataclass
class Replica:
    """One gateway in a folder of its own, however often it is started."""

    home: Path
    variables: dict[str, str]
    running: RunningGateway | None = None
    kills: int = 0
    _context: AbstractContextManager[RunningGateway] | None = None

    async def start(self) -> RunningGateway:
        self._context = processes.gateway(self.home, **self.variables)
        self.running = await asyncio.to_thread(self._context.__enter__)
        return self.running

    async def kill(self) -> None:
        """End it as a power cut would, with no word to anyone."""
        assert self.running is not None
        self.running.process.kill()
        self.kills += 1
        await self.stop()

    async def stop(self) -> None:
        context, self._context, self.running = self._context, None, None
        if context is not None:
            await asyncio.to_thread(context.__exit__, None, None, None)


@asynccontextmanager
async def replicas(
    folder: Path, provider: Provider, count: int, **more: str
) -> AsyncIterator[list[Replica]]:
    """Start so many gateways before the provider; with several, `more` names their database."""
    variables = {
        "OPENAI_API_KEY": "sk-fake-openai",
        "OPENAI_BASE_URL": f"{provider.simulator.url}/v1",
        "OMNIROUTE_STORAGE_ENCRYPTION_KEY": "0123456789abcdef0123456789abcdef",
        **more,
    }
    made = [Replica(folder / f"replica-{number}", variables) for number in range(count)]
    try:
        for one in made:
            await one.start()
        yield made
    finally:
        for one in made:
            await one.stop()
