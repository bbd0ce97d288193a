"""The management API over a world of fakes, called as an ASGI application."""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import httpx

from omniroute.routing.model import Caller
from omniroute.server.api.rows import Row, rights_of, routes_of
from omniroute.server.app import build_app
from omniroute.server.auth import Authenticator, KnownKeys
from omniroute.server.gate import Gate
from tests.fakes import ADMIN


class Alone:
    """A configuration that nobody else changes. Fulfils the port Edited."""

    async def fresh(self) -> int:
        return 1

    def only_at(self, version: int) -> AbstractContextManager[None]:
        return nullcontext()


@dataclass
class Api:
    """Routes of the management API, and who may call them by which key."""

    rows: tuple[Row, ...]
    callers: Mapping[str, Caller]

    async def call(
        self, method: str, path: str, body: object = None, *, key: str = "admin"
    ) -> httpx.Response:
        """Send one request as the caller of a key."""
        authenticator = Authenticator(
            keys=KnownKeys({"admin": ADMIN, **self.callers}.get, lambda: True),
            keyless=False,
            token=None,
        )
        gate = Gate(authenticator, rights_of(self.rows))
        app = build_app(list(routes_of(self.rows, authenticator, Alone())), gate)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            content = None if body is None else json.dumps(body)
            return await client.request(
                method, path, content=content, headers={"authorization": f"Bearer {key}"}
            )

    async def get(self, path: str, *, key: str = "admin") -> Any:
        """Give the JSON of a good answer."""
        answer = await self.call("GET", path, key=key)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def put(self, path: str, body: object, *, key: str = "admin") -> Any:
        """Give the JSON of a good answer."""
        answer = await self.call("PUT", path, body, key=key)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: object = None, *, key: str = "admin") -> Any:
        """Give the JSON of a good answer."""
        answer = await self.call("POST", path, body, key=key)
        assert answer.status_code < 300, answer.text
        return answer.json()


def api(*rows: Row, callers: Mapping[str, Caller] | None = None) -> Api:
    """Give an API of these routes; the key `admin` may do all."""
    return Api(rows, callers or {})
