"""The hot path: a chat in one dialect, answered as a stream or whole.

One plain callable a dialect, in front of the application: body read once as bytes, only the
routed fields decoded, the original bytes forwarded where the dialect stays the same. No
framework, no database and no log line on this path.
"""

import asyncio
import re
import time
from dataclasses import dataclass, field

from msgspec import structs

from omniroute.routing.access import require
from omniroute.routing.conversation import Delta
from omniroute.routing.engine import ROUTE, new_request_id
from omniroute.routing.errors import BadRequest, RoutingError
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller, Dialect, RouteRequest
from omniroute.routing.reply import Reply
from omniroute.routing.wire.codec import Codec
from omniroute.routing.wire.codec import Head as AnswerHead
from omniroute.routing.wire.operations import operation_of_body, operation_of_path
from omniroute.routing.wire.parts import answer_id
from omniroute.routing.wire.sessions import session_of
from omniroute.routing.wire.table import codec
from omniroute.routing.wire.visible import Unthinking, shows_thoughts, unthought

from ..auth import Authenticator
from ..exchange import ClientGone, Exchange, Head, Header, headers_of, lines_of
from .answers import EVENTS, JSON, Keeper, budget_lines, cost_line, origin_lines, send_error
from .bodies import read_unpacked
from .cache import MISS, ResponseCache, Tape, cache_name, send_kept
from .gemini_path import asked_of
from .idempotency import Answers, answer_once, idempotency_name
from .limits import Wishes, wishes_of
from .mistakes import where_it_belongs
from .outflow import outflow_of
from .passing import NOTHING, passed_of

_WANTS_USAGE = re.compile(rb'"include_usage"\s*:\s*true')


@dataclass(frozen=True, slots=True)
class ChatDoor:
    """Answers chats of one dialect.

    Attributes:
        hold_s: how long a stream's status line waits for content before it commits.
        body_bytes_max: the largest body.
        answers: where answers to idempotent requests are kept; None keeps none.
        cache: where answers are kept for the same question.
        cache_s: for how long, where the client does not say; 0 is not at all.
    """

    gateway: Gateway
    authenticator: Authenticator
    dialect: Dialect
    hold_s: float
    body_bytes_max: int
    answers: Answers | None = None
    cache: ResponseCache = field(default_factory=ResponseCache)
    cache_s: float = 0.0

    async def __call__(self, exchange: Exchange) -> None:
        """Answer one POST, whatever happens, in the dialect's own words."""
        request_id = new_request_id()
        try:
            caller = self.authenticator.caller_of(exchange.head)
            head, body = exchange.head, exchange.body
            if body is None or b"content-encoding" in head.named or len(body) > self.body_bytes_max:
                body = await read_unpacked(exchange, self.body_bytes_max)
            wishes = wishes_of(head)
            request = self._request(head, body, request_id, caller, wishes)
            kept_s = self.cache_s if wishes.cache_s is None else wishes.cache_s
            if kept_s and wishes.name is None and caller.keep_content:
                await self._cached(request, caller, exchange, kept_s)
                return
            if request.operation.features.stream:
                await self._stream(request, caller, exchange)
                return
            if wishes.name is None or self.answers is None:
                lines, body = await self._answer(request, caller)
            else:
                lines, body = await self._answer_once(self.answers, request, caller, wishes.name)
        except ClientGone:
            return
        except RoutingError as error:
            wait = send_error(exchange, codec(self.dialect), error, request_id=request_id)
        else:
            wait = exchange.whole(200, lines, body)
        if wait is not None:
            await wait

    def _request(
        self, head: Head, body: bytes, request_id: str, caller: Caller, wishes: Wishes
    ) -> RouteRequest:
        try:
            if self.dialect == "gemini":
                asked = asked_of(head)
                target = asked.model
                operation, fields = operation_of_path(self.dialect, body, stream=asked.stream)
            else:
                target, operation, fields = operation_of_body(self.dialect, body)
        except BadRequest as error:
            raise where_it_belongs(error, self.dialect, body) from None
        passed = head.passed or passed_of(head, self.dialect)
        if passed is not NOTHING:
            operation = structs.replace(operation, headers=passed[0], query=passed[1])
        return RouteRequest(
            request_id=request_id,
            target=target,
            operation=operation,
            at_s=self.gateway.route.clock.now(),
            spend_usd_nanos_max=wishes.spend_usd_nanos_max,
            allowed=caller.models,
            session_id=session_of(wishes.session, fields),
            client_request_id=wishes.client_request_id,
            via=wishes.via,
            mode=wishes.mode,
        )

    async def _answer_once(
        self, answers: Answers, request: RouteRequest, caller: Caller, name: bytes
    ) -> tuple[bytes, bytes]:
        known = idempotency_name(name, caller)
        if known is None:
            return await self._answer(request, caller)

        async def make() -> tuple[list[Header], bytes]:
            lines, body = await self._answer(request, caller)
            return headers_of(lines), body

        asked = self.dialect.encode() + b"\0" + request.operation.body
        if not request.operation.model_in_body:
            asked = request.target.encode() + b"\0" + asked
        headers, body = await answer_once(answers, caller.key_id, known, asked, make)
        return lines_of(headers), body

    async def _cached(
        self, request: RouteRequest, caller: Caller, exchange: Exchange, kept_s: float
    ) -> None:
        """Give the answer that is kept, or have one made and keep it when it is good."""
        require(caller, ROUTE)
        engine = self.gateway.route
        name = cache_name(request, caller, config_version=engine.configs.current().version)
        kept = self.cache.find(name, request.at_s)
        stream = request.operation.features.stream
        if kept is not None:
            await send_kept(exchange, kept, request.at_s, stream=stream)
        elif stream:
            tape = Tape(exchange)
            reply = await self._stream(request, caller, tape)
            if reply is not None and _answered(reply) and tape.parts is not None:
                self.cache.keep(name, tape.lines, b"".join(tape.parts), engine.clock.now(), kept_s)
        else:
            lines, body = await self._answer(request, caller)
            self.cache.keep(name, lines, body, engine.clock.now(), kept_s)
            wait = exchange.whole(200, lines + MISS, body)
            if wait is not None:
                await wait

    async def _answer(self, request: RouteRequest, caller: Caller) -> tuple[bytes, bytes]:
        reply = await self.gateway.route.open(request, caller)
        try:
            body = reply.whole() or await _fold(reply, codec(self.dialect))
        finally:
            reply.close()
        return JSON + origin_lines(reply) + cost_line(reply) + budget_lines(reply), body

    async def _stream(
        self, request: RouteRequest, caller: Caller, exchange: Exchange
    ) -> Reply | None:
        """Send an answer as it comes, and give its reply; None where an error was sent."""
        own = codec(self.dialect)
        keeper = Keeper(exchange, self.dialect, request.request_id, hold_s=self.hold_s)
        try:
            reply = await self.gateway.route.open(request, caller)
        except RoutingError as error:
            if await keeper.stop():
                writer = own.writer(_head(request, request.target))
                wait = exchange.end(writer.error(error))
            else:
                wait = send_error(exchange, own, error, request_id=request.request_id)
            if wait is not None:
                await wait
            return None
        except asyncio.CancelledError:
            keeper.drop()
            raise
        try:
            if not await keeper.stop():
                wait = exchange.start(200, EVENTS + origin_lines(reply) + budget_lines(reply))
                if wait is not None:
                    await wait
            await _pump(reply, own, request, exchange)
        finally:
            reply.close()
        return reply


async def _pump(reply: Reply, own: Codec, request: RouteRequest, exchange: Exchange) -> None:
    """Send the answer as it comes: bytes as they are, or Deltas in the client's dialect."""
    winner = reply.winner
    writer = own.writer(_head(request, reply.model_served or (winner.model if winner else "")))
    if not reply.forwards and not shows_thoughts(own.name, request.operation.body):
        writer = Unthinking(writer, own.name)
    outflow = outflow_of(reply, exchange, writer)
    try:
        await reply.pour(outflow)
        last = outflow.end()
    except RoutingError as failure:
        last = writer.error(failure)
    wait = exchange.end(last)
    if wait is not None:
        await wait


def _answered(reply: Reply) -> bool:
    return reply.outcome is not None and reply.outcome.status == "answered"


async def _fold(reply: Reply, own: Codec) -> bytes:
    if reply.forwards:
        return b"".join([piece.raw async for piece in reply])
    deltas: list[Delta] = [piece.delta async for piece in reply if piece.delta is not None]
    if not shows_thoughts(own.name, reply.request.operation.body):
        deltas = [unthought(delta, own.name) for delta in deltas]
    winner = reply.winner
    model = reply.model_served or (winner.model if winner else "")
    return own.render_answer(deltas, _head(reply.request, model))


def _head(request: RouteRequest, model: str) -> AnswerHead:
    wanted = request.operation.wants_usage
    if wanted is None:
        wanted = _WANTS_USAGE.search(request.operation.body) is not None
    return AnswerHead(
        answer_id=answer_id(request.request_id, request.operation.dialect),
        model=model,
        created_unix_s=int(time.time()),
        include_usage=wanted,
        asked=request.operation.body,
    )
