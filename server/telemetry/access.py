"""The access log: a line for each request over HTTP, and one for what came of it at providers.

Nothing that a client can choose freely is in it: of the path the route that answered, no query,
no header, no model's name but the one that answered, and no word of a prompt. It is off by
default, and off it costs a request nothing: hot doors are wrapped only where it is on.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from omniroute.routing.model import Outcome

from ..cycle import EXCHANGE
from ..exchange import Door, Exchange, Head, Wait
from ..own_exchange import OwnExchange

NO_ROUTE = "-"
CLIENT_LEFT = 499
"""The status of an answer that was never begun, as the client left."""
_ID = b"x-request-id: "

log = logging.getLogger("omniroute.access")


class Entry:
    """One request, as it will be logged."""

    def __init__(self, method: str, route: str, peer: str | None) -> None:
        self.status = CLIENT_LEFT
        self.response_bytes = 0
        self.request_id: str | None = None
        self._method = method
        self._route = route
        self._peer = peer
        self._began_s = time.monotonic()

    def write(self, edge_said: tuple[int, str] | None = None) -> None:
        """Log it; where the edge itself has answered, with its status and request id."""
        if edge_said is not None:
            self.status, self.request_id = edge_said
        log.info(
            "http_request",
            extra={
                "request_id": self.request_id,
                "method": self._method,
                "route": self._route,
                "status": self.status,
                "duration_ms": round((time.monotonic() - self._began_s) * 1000, 1),
                "response_bytes": self.response_bytes,
                "peer": self._peer,
            },
        )


class NotedExchange:
    """An Exchange that notes what is answered, for its Entry."""

    def __init__(self, exchange: Any, entry: Entry) -> None:
        self._exchange = exchange
        self._entry = entry

    def __getattr__(self, name: str) -> Any:
        """Be the exchange in all else."""
        return getattr(self._exchange, name)

    def whole(self, status: int, lines: bytes, body: bytes) -> Wait:
        """Answer with a body that is complete."""
        self._note(status, lines, len(body))
        wait: Wait = self._exchange.whole(status, lines, body)
        return wait

    def start(self, status: int, lines: bytes) -> Wait:
        """Begin an answer whose length is not known yet."""
        self._note(status, lines, 0)
        wait: Wait = self._exchange.start(status, lines)
        return wait

    def write(self, data: bytes) -> Wait:
        """Send a part of the answer."""
        self._entry.response_bytes += len(data)
        wait: Wait = self._exchange.write(data)
        return wait

    def end(self, data: bytes = b"") -> Wait:
        """Send the last part of the answer."""
        self._entry.response_bytes += len(data)
        wait: Wait = self._exchange.end(data)
        return wait

    def _note(self, status: int, lines: bytes, size: int) -> None:
        entry = self._entry
        entry.status, entry.response_bytes = status, size
        _, found, rest = (b"\r\n" + lines).partition(b"\r\n" + _ID)
        if found:
            entry.request_id = rest.partition(b"\r\n")[0].decode("latin-1")


def logged_door(door: Door, head: Head, route: str) -> Door:
    """Give a door that logs each request that it answers."""

    async def answer(exchange: Exchange) -> None:
        entry = Entry(head.method, route, exchange.head.peer)
        try:
            await door(NotedExchange(exchange, entry))
        finally:
            # Only connections of our own have an edge that answers.
            entry.write(getattr(exchange, "edge_said", None))

    return answer


async def logged(
    app: ASGIApp, route: Callable[[], str], scope: Scope, receive: Receive, send: Send
) -> None:
    """Have an application answer a request, and log it."""
    client = scope.get("client")
    entry = Entry(scope["method"], route(), None if client is None else client[0])

    async def note(message: Message) -> None:
        if message["type"] == "http.response.start":
            entry.status = message["status"]
            named = dict(message.get("headers", ()))
            entry.request_id = named.get(b"x-request-id", b"").decode("latin-1") or None
        else:
            entry.response_bytes += len(message.get("body", b""))
        await send(message)

    try:
        await app(scope, receive, note)
    finally:
        exchange: OwnExchange | None = scope.get(EXCHANGE)
        entry.write(None if exchange is None else exchange.edge_said)


def log_outcome(outcome: Outcome) -> None:
    """Log what came of a request at providers."""
    request, winner, decision = outcome.request, outcome.winner, outcome.decision
    log.info(
        "request",
        extra={
            "request_id": request.request_id,
            "key_id": outcome.key_id,
            "door": request.door,
            "kind": request.operation.kind,
            "state": outcome.status,
            "error": outcome.error,
            "provider": None if winner is None else winner.provider,
            "account_id": None if winner is None else winner.account_id,
            "model_name": None if winner is None else winner.model,
            "combo": None if decision is None else decision.combo,
            "attempts": len(outcome.attempts),
            "input_tokens": outcome.usage.input_tokens,
            "output_tokens": outcome.usage.output_tokens,
            "cost_usd_nanos": outcome.cost_usd_nanos,
            "first_content_ms": _ms(outcome.first_content_s),
            "total_ms": _ms(outcome.total_s),
        },
    )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
