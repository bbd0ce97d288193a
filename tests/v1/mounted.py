"""The whole gateway on a port of loopback, with providers that a test scripts byte by byte."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import uvicorn

from omniroute.routing.model import Account, Dialect
from omniroute.server.compose import Composed, compose
from omniroute.server.edge import Connection
from omniroute.server.settings import load_settings
from tests.canaries.secrets import canary
from tests.upstream.servers import WAIT_S, Script, Server, serving

KEY = f"sk-fake-{canary('provider key')}"
BASES: dict[Dialect, str] = {"gemini": "/v1beta"}
CHATS: dict[Dialect, str] = {
    "openai_chat": "/v1/chat/completions",
    "openai_responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/one/m:generateContent",
}
HELLO = [{"role": "user", "content": "hello there"}]
BODIES: dict[Dialect, dict[str, Any]] = {
    "openai_chat": {"model": "one/m", "messages": HELLO},
    "openai_responses": {"model": "one/m", "input": "hello there"},
    "anthropic": {"model": "one/m", "max_tokens": 50, "messages": HELLO},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "hello there"}]}]},
}


@dataclass
class Mounted:
    """A gateway that is served, and a client of it."""

    composed: Composed
    client: httpx.AsyncClient
    providers: tuple[Server, ...] = ()

    async def ask(
        self, dialect: Dialect, model: str = "one/m", *, stream: bool = False, **headers: str
    ) -> httpx.Response:
        """Say hello to a model in a dialect."""
        path, body = CHATS[dialect], dict(BODIES[dialect])
        if dialect == "gemini":
            path = path.replace("one/m", model)
            if stream:
                path = path.replace(":generateContent", ":streamGenerateContent?alt=sse")
        else:
            body |= {"model": model, "stream": stream}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(path, json=body, headers=named)


@asynccontextmanager
async def mounted(
    folder: Path, *providers: tuple[Dialect, Script], **variables: str
) -> AsyncIterator[Mounted]:
    """Serve a gateway; its providers are named one, two and so on, each with the model m."""
    environment = {"HOME": str(folder), "OMNIROUTE_DATA_DIR": str(folder / "data"), **variables}
    settings, sources = load_settings({}, environment, folder)
    async with AsyncExitStack() as opened:
        composed = await opened.enter_async_context(compose(settings, sources))
        servers = []
        for name, (dialect, script) in zip(("one", "two", "three"), providers, strict=False):
            server = await opened.enter_async_context(serving(script))
            servers.append(server)
            base = server.url.removesuffix("/v1") + BASES.get(dialect, "/v1")
            account = Account(f"acc_{name}", name, dialect, base, KEY, models=("m",))
            await composed.parts.storage.configs.put_account(account, actor="test")
        port = await opened.enter_async_context(listening(composed))
        secrets = {"cookie": f"session={canary('cookie')}", "x-secret": canary("header")}
        url = f"http://127.0.0.1:{port}"
        client = httpx.AsyncClient(base_url=url, timeout=WAIT_S, headers=secrets)
        await opened.enter_async_context(client)
        yield Mounted(composed, client, tuple(servers))


@asynccontextmanager
async def listening(composed: Composed) -> AsyncIterator[int]:
    """Serve an open gateway on connections of our own; give the port."""
    config = uvicorn.Config(
        cast(Any, composed.app),
        http=Connection,
        port=0,
        lifespan="off",
        log_config=None,
        proxy_headers=False,
        ws="none",
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(WAIT_S):
        while not server.started:
            await asyncio.sleep(0.001)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task
