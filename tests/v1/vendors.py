"""Providers of what is no chat: small servers on loopback with a vendor's documented shape."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omniroute.routing.catalog.providers import provider_named
from omniroute.routing.model import Account
from tests.upstream.servers import Exchange, serving

from .mounted import Mounted, mounted

KEY = "sk-fake-vendor-key"


@dataclass(frozen=True)
class Heard:
    """A request that a vendor got."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Told:
    """What a vendor answers; one that breaks off never ends, one that hangs never begins.

    `coding` is how its body is packed.
    """

    body: bytes = b""
    content_type: str = "application/json"
    status: int = 200
    breaks_off: bool = False
    hangs: bool = False
    coding: str = "identity"


def told(**fields: object) -> Told:
    """Give an answer in JSON."""
    return Told(json.dumps(fields).encode())


Vendor = Callable[[Heard], Told]


@dataclass
class Shop:
    """The gateway, a vendor behind it, and what the vendor has heard."""

    here: Mounted
    heard: list[Heard] = field(default_factory=list[Heard])

    @property
    def last(self) -> Heard:
        return self.heard[-1]

    async def ask(self, path: str, **body: object) -> Any:
        """POST a body as JSON."""
        return await self.here.client.post(f"/v1/{path}", json=body)


@asynccontextmanager
async def shop(
    folder: Path,
    provider: str,
    vendor: Vendor,
    *,
    key: str | None = KEY,
    base: str | None = None,
) -> AsyncIterator[Shop]:
    """Serve a gateway with one account, whose base URL has the path that the provider's own has.

    `base` is another path.
    """
    heard: list[Heard] = []

    async def script(exchange: Exchange) -> None:
        first, *lines = exchange.head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        pairs = (one.partition(": ") for one in lines if one)
        request = Heard(method, path, {a.lower(): c for a, _, c in pairs}, exchange.body)
        heard.append(request)
        answer = vendor(request)
        if answer.hangs:
            return
        length = len(answer.body) + answer.breaks_off
        head = (
            f"HTTP/1.1 {answer.status} Said\r\ncontent-type: {answer.content_type}\r\n"
            f"content-encoding: {answer.coding}\r\ncontent-length: {length}\r\n\r\n"
        )
        await exchange.send(head.encode() + answer.body)
        if answer.breaks_off:
            exchange.close()

    known = provider_named(provider)
    if base is None:
        whole = "x://x/v1" if known is None else known.base_url
        base = "/" + whole.partition("://")[2].partition("/")[2]
    async with AsyncExitStack() as opened:
        here = await opened.enter_async_context(mounted(folder))
        server = await opened.enter_async_context(serving(script))
        url = server.url.removesuffix("/v1") + base.rstrip("/")
        dialect = "openai_chat" if known is None else known.dialect
        account = Account(f"acc_{provider}", provider, dialect, url, key)
        await here.composed.parts.storage.configs.put_account(account, actor="test")
        yield Shop(here, heard)
