"""A whole gateway in this process, called over HTTP without a socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from omniroute.server.compose import Composed, compose
from omniroute.server.settings import load_settings
from tests.canaries.secrets import canary

HOST = "http://127.0.0.1:20128"


@asynccontextmanager
async def opened(folder: Path, **variables: str) -> AsyncIterator[Composed]:
    """Open a gateway with a data folder of its own."""
    environment = {"HOME": str(folder), "OMNIROUTE_DATA_DIR": str(folder / "data"), **variables}
    settings, sources = load_settings({}, environment, folder)
    async with compose(settings, sources) as gateway:
        yield gateway


@asynccontextmanager
async def client(gateway: Composed, **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Give a client of an open gateway; it sends these headers."""
    named = {"cookie": f"session={canary('cookie')}", "x-secret": canary("header")}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    transport = httpx2.ASGITransport(app=gateway.app, client=("127.0.0.1", 1))
    async with httpx2.AsyncClient(transport=transport, base_url=HOST, headers=named) as made:
        yield made
