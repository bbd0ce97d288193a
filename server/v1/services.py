"""The doors for what is no chat: vectors, judgements, pictures, sounds, films, music.

One door an endpoint, all of the same making: the body read once as bytes, one call of the Gateway,
the answer as it is. Sounds go out as they come; everything else is whole. What takes minutes is
kept alive by blanks, which JSON allows before a value: from then on the status is said, and a
failure is an error in its place. No file passes through JSON or a log on its way.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from omniroute.routing.engine import new_request_id
from omniroute.routing.errors import RoutingError
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller, RouteRequest
from omniroute.routing.reply import Reply
from omniroute.routing.wire.services.reading import (
    ENDPOINTS,
    GEMINI_EMBEDDINGS,
    Endpoint,
    operation_of,
)
from omniroute.routing.wire.table import codec

from ..auth import Authenticator
from ..exchange import ClientGone, Door, Exchange, Header, headers_of, line, lines_of
from .answers import JSON, budget_lines, cost_line, origin_lines, send_error
from .bodies import read_unpacked
from .gemini_path import asked_of
from .idempotency import Answers, answer_once, idempotency_name
from .limits import Wishes, wishes_of
from .model_shapes import row_json
from .outflow import Forwarded

KEEP_ALIVE_S = 15.0
"""How long a client of a slow endpoint hears nothing; proxies give up after 30 to 60 s."""

GEMINI_METHODS = ("embedContent", "batchEmbedContents")

BYTES = b"application/octet-stream"


@dataclass(frozen=True, slots=True)
class ServiceDoor:
    """Answers one endpoint.

    Attributes:
        body_bytes_max: the largest body.
        answers: where answers to idempotent requests are kept; None keeps none.
    """

    gateway: Gateway
    authenticator: Authenticator
    endpoint: Endpoint
    body_bytes_max: int
    answers: Answers | None = None

    async def __call__(self, exchange: Exchange) -> None:
        """Answer one POST, whatever happens, in the client's own words."""
        request_id = new_request_id()
        try:
            caller = self.authenticator.caller_of(exchange.head)
            body = await self._body(exchange)
            wishes = wishes_of(exchange.head)
            named = exchange.head.named
            target, operation = operation_of(self.endpoint, body, named.get(b"content-type", b""))
            request = RouteRequest(
                request_id=request_id,
                target=target or asked_of(exchange.head).model,
                operation=operation,
                at_s=self.gateway.route.clock.now(),
                spend_usd_nanos_max=wishes.spend_usd_nanos_max,
                allowed=caller.models,
                client_request_id=wishes.client_request_id,
                via=wishes.via,
            )
            if operation.features.stream:
                await self._stream(request, caller, exchange)
                return
            if self.endpoint.slow:
                await self._slow(request, caller, exchange)
                return
            lines, body = await self._once(request, caller, wishes)
        except ClientGone:
            return
        except RoutingError as error:
            own = codec(self.endpoint.dialect)
            wait = send_error(exchange, own, error, request_id=request_id)
        else:
            wait = exchange.whole(200, lines, body)
        if wait is not None:
            await wait

    async def _body(self, exchange: Exchange) -> bytes:
        head, body = exchange.head, exchange.body
        if body is None or b"content-encoding" in head.named or len(body) > self.body_bytes_max:
            body = await read_unpacked(exchange, self.body_bytes_max)
        return body

    async def _once(
        self, request: RouteRequest, caller: Caller, wishes: Wishes
    ) -> tuple[bytes, bytes]:
        """Give the answer, for a name that was used before the one that it got."""
        if wishes.name is None or self.answers is None:
            return await self._answer(request, caller)
        known = idempotency_name(wishes.name, caller)
        if known is None:
            return await self._answer(request, caller)

        async def make() -> tuple[list[Header], bytes]:
            lines, body = await self._answer(request, caller)
            return headers_of(lines), body

        asked = self.endpoint.path.encode() + b"\0" + request.operation.body
        headers, body = await answer_once(self.answers, caller.key_id, known, asked, make)
        return lines_of(headers), body

    async def _answer(self, request: RouteRequest, caller: Caller) -> tuple[bytes, bytes]:
        reply = await self.gateway.route.open(request, caller)
        try:
            body = reply.whole()
            if body is None:
                body = b"".join([piece.raw async for piece in reply])
        finally:
            reply.close()
        lines = _head_lines(reply) + cost_line(reply) + budget_lines(reply)
        return lines, body

    async def _stream(self, request: RouteRequest, caller: Caller, exchange: Exchange) -> None:
        reply = await self.gateway.route.open(request, caller)
        try:
            lines = _head_lines(reply) + budget_lines(reply)
            wait = exchange.start(200, lines)
            if wait is not None:
                await wait
            await reply.pour(Forwarded(exchange))
        except RoutingError:
            # Half a sound has gone out. Without its end the client knows that it is half.
            return
        finally:
            reply.close()
        wait = exchange.end()
        if wait is not None:
            await wait

    async def _slow(self, request: RouteRequest, caller: Caller, exchange: Exchange) -> None:
        """Answer, with a blank from time to time until the answer is there."""
        making = asyncio.ensure_future(self._answer(request, caller))
        is_started = False
        try:
            while not (await asyncio.wait((making,), timeout=KEEP_ALIVE_S))[0]:
                if not is_started:
                    wait = exchange.start(200, JSON + line(b"x-request-id", request.request_id))
                    is_started = True
                    if wait is not None:
                        await wait
                wait = exchange.write(b" ")
                if wait is not None:
                    await wait
            lines, body = await making
        except RoutingError as error:
            if not is_started:
                raise
            own = codec(self.endpoint.dialect)
            wait = exchange.end(own.render_error(error, request_id=request.request_id))
        else:
            wait = exchange.end(body) if is_started else exchange.whole(200, lines, body)
        finally:
            making.cancel()
        if wait is not None:
            await wait


def _head_lines(reply: Reply) -> bytes:
    """Give what the answer is, and where it comes from."""
    kind = reply.headers.get(b"content-type", BYTES).decode("latin-1")
    return line(b"content-type", kind) + origin_lines(reply)


@dataclass(frozen=True, slots=True)
class ServiceDoors:
    """The doors of every endpoint, made of the same parts."""

    gateway: Gateway
    authenticator: Authenticator
    body_bytes_max: int
    answers: Answers | None = None

    def hot(self) -> dict[str, Door]:
        """Give the door of each path."""
        return {f"/v1/{one.path}": self._door(one) for one in ENDPOINTS}

    def methods(self) -> dict[str, Door]:
        """Give the doors of Gemini's methods."""
        return dict.fromkeys(GEMINI_METHODS, self._door(GEMINI_EMBEDDINGS))

    def routes(self) -> list[Route]:
        """Give what lists the models that can be asked for at each path."""
        return [Route(f"/v1/{one.path}", self._lister(one), methods=["GET"]) for one in ENDPOINTS]

    def _door(self, endpoint: Endpoint) -> ServiceDoor:
        parts = (self.gateway, self.authenticator, endpoint)
        return ServiceDoor(*parts, self.body_bytes_max, self.answers)

    def _lister(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def listed(request: Request) -> Response:
            caller = self.authenticator.caller(request.scope)
            rows = self.gateway.view.listing(caller, capability=endpoint.kind)
            return JSONResponse({"object": "list", "data": [row_json(one) for one in rows]})

        return listed
