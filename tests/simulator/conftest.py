"""The simulator's HTTP server, on loopback."""

from collections.abc import AsyncIterator

import pytest

from omniroute.server.simulator.simulator import Simulator


@pytest.fixture
async def simulator(anyio_backend: str) -> AsyncIterator[Simulator]:
    async with Simulator() as running:
        yield running
