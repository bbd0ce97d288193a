"""A chat door over the real engine, codecs and simulator, called as an ASGI application."""

import asyncio
import json
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any

from omniroute.routing.catalog.prices import facts_of
from omniroute.routing.catalog.simulated import SIMULATED_ACCOUNT
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Account, Caller, Combo, Dialect
from omniroute.routing.ports import Upstream
from omniroute.routing.prepare import Preparer
from omniroute.routing.simulator.upstream import SimulatedUpstream
from omniroute.server.asgi import answer
from omniroute.server.auth import Authenticator, KnownKeys
from omniroute.server.v1.chat import ChatDoor
from tests.fakes import World, world

HOLD_S = 10.0
BODY_BYTES_MAX = 100_000


@dataclass
class Response:
    """What the door sent."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict[str, str])
    chunks: list[bytes] = field(default_factory=list[bytes])

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    def json(self) -> Any:
        return json.loads(self.body)

    def events(self) -> list[str]:
        """Give the data of every event."""
        lines = self.body.decode().splitlines()
        return [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]


@dataclass
class Setting:
    """The door and the world behind it."""

    here: World
    door: ChatDoor

    async def post(self, body: object, **headers: str) -> Response:
        """Send one body to the door and give all that it sends."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        response, waiting = Response(), [raw]
        gone = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if waiting:
                return {"type": "http.request", "body": waiting.pop(), "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                response.status = message["status"]
                response.headers = {
                    name.decode(): value.decode() for name, value in message["headers"]
                }
            else:
                response.chunks.append(message.get("body", b""))

        await answer(self.door, scope(**headers), receive, send)
        return response


def scope(**headers: str) -> dict[str, Any]:
    """Give the scope of a POST from loopback."""
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {
        "type": "http",
        "method": "POST",
        "path": "/v1/chat/completions",
        "headers": [(b"host", b"127.0.0.1"), *named],
        "client": ("127.0.0.1", 1),
    }


def setting(
    *accounts: Account,
    combos: tuple[Combo, ...] = (),
    dialect: Dialect = "openai_chat",
    check: Callable[[str], Caller | None] | None = None,
    upstream: Upstream | None = None,
    hold_s: float = HOLD_S,
) -> Setting:
    """Give a door; without accounts the simulator answers, without `check` no key is needed."""
    here = world(*(accounts or (SIMULATED_ACCOUNT,)), combos=combos)
    engine = replace(
        here.gateway.route,
        upstream=upstream or SimulatedUpstream(here.clock),
        preparer=Preparer(here.health, facts=facts_of),
    )
    gateway = Gateway(engine, here.gateway.view, here.gateway.control)
    authenticator = Authenticator(
        keys=KnownKeys(check or (lambda text: None), lambda: check is not None),
        keyless=True,
        token=None,
    )
    return Setting(here, ChatDoor(gateway, authenticator, dialect, hold_s, BODY_BYTES_MAX))
