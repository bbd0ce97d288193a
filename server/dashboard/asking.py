"""Pages that ask a model, call a tool or send a message: through the same doors as every client.

A request is made in this process with the caller of the page, whom the page's route has let in,
and with no credential in it. It is routed, paid for and recorded like any other.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from omniroute.routing.model import Caller

from ..asgi import HEAD
from ..auth import Authenticator
from ..exchange import Head
from .policy import HEADERS

JSON = "application/json"
_PASSED = (b"content-type", b"cache-control", b"retry-after")
_TELLS = b"x-omniroute-"
_NONE: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to a door: a POST of JSON.

    Attributes:
        needs: what the door's route needs, one of these scopes; any key where there is none.
        query: without the question mark.
        named: further headers, their names in small letters.
    """

    path: str
    body: bytes
    needs: tuple[str, ...]
    query: str = ""
    accept: str = JSON
    named: Mapping[str, str] = field(default_factory=lambda: _NONE)


@dataclass(frozen=True, slots=True)
class Told:
    """A door's whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Doors:
    """The gateway's own doors.

    Args:
        front: gives the application of all of them.
        authenticator: is told whose a request is.
    """

    def __init__(self, front: Callable[[], ASGIApp], authenticator: Authenticator) -> None:
        self._front = front
        self._authenticator = authenticator

    def stream(self, asked: Asked, caller: Caller) -> Response:
        """Give a response that passes a door's answer on as it comes; it ends when the page goes.

        Raises:
            NotAllowed: the caller may not ask this.
        """
        return _Passed(self._front(), self._scope(asked, caller), asked.body)

    async def whole(self, asked: Asked, caller: Caller) -> Told:
        """Give a door's answer when it is complete. Raises as `stream`."""
        status, headers, body = 500, _NONE, bytearray()

        async def send(message: Message) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                body.extend(message.get("body", b""))

        await self._front()(self._scope(asked, caller), _once(asked.body), send)
        return Told(status, headers, bytes(body))

    def _scope(self, asked: Asked, caller: Caller) -> Scope:
        headers = [
            (b"content-type", JSON.encode()),
            (b"accept", asked.accept.encode()),
            (b"content-length", str(len(asked.body)).encode()),
            *((name.encode(), value.encode()) for name, value in asked.named.items()),
        ]
        head = Head("POST", asked.path, headers, peer=None)
        head.query = asked.query.encode()
        self._authenticator.vouch(head, caller, asked.needs)
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": asked.path,
            "raw_path": asked.path.encode(),
            "query_string": head.query,
            "root_path": "",
            "headers": headers,
            "client": None,
            "server": None,
            HEAD: head,
        }


class _Passed(Response):
    """Passes an answer on, with the headers of it that a page reads."""

    def __init__(self, app: ASGIApp, inner: Scope, body: bytes) -> None:
        super().__init__()
        self._app = app
        self._inner = inner
        self._content = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""

        async def passed(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [one for one in message["headers"] if _is_passed(one[0])]
                ours = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                told = {name for name, _ in kept}
                kept += [one for one in ours if one[0] not in told]
                message = {**message, "headers": kept}
            await send(message)

        await self._app(self._inner, _once(self._content, receive), passed)


def _is_passed(name: bytes) -> bool:
    name = name.lower()
    return name in _PASSED or name.startswith(_TELLS) or name == b"x-request-id"


def _once(body: bytes, then: Receive | None = None) -> Receive:
    """Give what receives one body, and then only that the client is gone."""
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if not sent:
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}
        if then is None:
            return await _never()
        while True:
            message = await then()
            if message["type"] == "http.disconnect":
                return message

    return receive


async def _never() -> Message:
    await asyncio.Event().wait()
    return {"type": "http.disconnect"}
