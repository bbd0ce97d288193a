"""What doors share that make a conversation of their own of what a client sends.

Such a door reads its endpoint's body into chats, has the engine answer each of them, and writes
what comes in its own words: completions, and Ollama's two endpoints. What they are asked for
takes the same way as any chat: keys, limits, budgets, fallbacks, records.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from omniroute.routing.conversation import Chat, Delta
from omniroute.routing.engine import new_request_id
from omniroute.routing.errors import RoutingError
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller, RouteRequest
from omniroute.routing.reply import Reply
from omniroute.routing.wire.codec import Head, StreamWriter
from omniroute.routing.wire.operations import operation_of_chat
from omniroute.routing.wire.sessions import session_of
from omniroute.routing.wire.splice import fields_of

from ..auth import Authenticator
from ..exchange import ClientGone, Exchange, Wait, headers_of, lines_of
from .answers import (
    EVENTS,
    JSON,
    STREAMS,
    Keeper,
    Voice,
    budget_lines,
    cost_line,
    error_lines,
    origin_lines,
)
from .bodies import read_unpacked
from .idempotency import Answers, answer_once, idempotency_name
from .limits import Wishes, wishes_of
from .outflow import Rendered

AT_ONCE_MAX = 4
"""Chats of one request that are answered at the same time."""

Whole = tuple[bytes, bytes]
"""The lines of a whole answer, and its body."""


@dataclass(frozen=True, slots=True)
class Asker:
    """What such a door stands on.

    Attributes:
        hold_s: how long a stream's status line waits for content before it commits.
        body_bytes_max: the largest body.
        answers: where answers to idempotent requests are kept.
    """

    gateway: Gateway
    authenticator: Authenticator
    hold_s: float
    body_bytes_max: int
    answers: Answers


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a client that was let in."""

    request_id: str
    caller: Caller
    wishes: Wishes
    body: bytes
    session: str | None

    def request(self, chat: Chat, target: str, asker: Asker, *, first: bool = True) -> RouteRequest:
        """Give the request for one chat; the first has the id that the client is told."""
        return RouteRequest(
            request_id=self.request_id if first else new_request_id(),
            target=target,
            operation=operation_of_chat(chat, target=target),
            at_s=asker.gateway.route.clock.now(),
            spend_usd_nanos_max=self.wishes.spend_usd_nanos_max,
            allowed=self.caller.models,
            session_id=self.session,
            client_request_id=self.wishes.client_request_id,
            via=self.wishes.via,
            mode=self.wishes.mode,
        )


class Teller(Protocol):
    """A client's way of being answered.

    Attributes:
        voice: how its streams begin and are kept alive.
    """

    @property
    def voice(self) -> Voice: ...

    def error(self, error: RoutingError, request_id: str) -> bytes:
        """Give the body of an error."""
        ...


Answer = Callable[[Asked], Awaitable[None]]


async def answered(asker: Asker, teller: Teller, exchange: Exchange, answer: Answer) -> None:
    """Let the client in and have it answered; what is refused is told in its own words."""
    request_id = new_request_id()
    try:
        head = exchange.head
        caller = asker.authenticator.caller_of(head)
        body = await read_unpacked(exchange, asker.body_bytes_max)
        wishes = wishes_of(head)
        session = session_of(wishes.session, _fields(body))
        await answer(Asked(request_id, caller, wishes, body, session))
    except ClientGone:
        return
    except RoutingError as error:
        await send(exchange, teller, error, request_id)


async def send(exchange: Exchange, teller: Teller, error: RoutingError, request_id: str) -> None:
    """Send an error as the whole answer."""
    body = teller.error(error, request_id)
    await _over(
        exchange.whole(error.status, error_lines(error, "openai_chat", request_id=request_id), body)
    )


async def once(
    asker: Asker, asked: Asked, path: str, make: Callable[[], Awaitable[Whole]]
) -> Whole:
    """Give a whole answer, the first one again where the client repeats its request."""
    name = None if asked.wishes.name is None else idempotency_name(asked.wishes.name, asked.caller)
    if name is None:
        return await make()

    async def made() -> tuple[list[tuple[bytes, bytes]], bytes]:
        lines, body = await make()
        return headers_of(lines), body

    about = path.encode() + b"\0" + asked.body
    headers, body = await answer_once(asker.answers, asked.caller.key_id, name, about, made)
    return lines_of(list(headers)), body


async def deltas_of(asker: Asker, request: RouteRequest, caller: Caller) -> "Told":
    """Have one chat answered whole."""
    reply = await asker.gateway.route.open(request, caller)
    try:
        deltas = [piece.delta async for piece in reply if piece.delta is not None]
    finally:
        reply.close()
    return Told(reply, deltas)


async def all_deltas(
    asker: Asker, requests: Sequence[RouteRequest], caller: Caller
) -> "list[Told]":
    """Have chats answered whole, a few at the same time, in their order.

    Raises:
        RoutingError: one of them failed; the others are ended.
    """
    room = asyncio.Semaphore(AT_ONCE_MAX)

    async def one(request: RouteRequest) -> Told:
        async with room:
            return await deltas_of(asker, request, caller)

    if len(requests) == 1:
        return [await one(requests[0])]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(request)) for request in requests]
    except* RoutingError as failed:
        raise _first(failed) from None
    return [task.result() for task in tasks]


@dataclass(frozen=True, slots=True)
class Told:
    """A whole answer as it came."""

    reply: Reply
    deltas: list[Delta]

    @property
    def model(self) -> str:
        """The model that answered."""
        return served(self.reply)

    def lines(self) -> bytes:
        """Give the lines of the answer's head."""
        reply = self.reply
        return JSON + origin_lines(reply) + cost_line(reply) + budget_lines(reply)


WriterOf = Callable[[int, str], StreamWriter]
"""Gives the writer of the chat of a number, which the model of that name answers."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream to a client. It begins when the first chat has content, and may hold several.

    Attributes:
        more: lines of the head beside those of the answer.
    """

    asker: Asker
    exchange: Exchange
    teller: Teller
    caller: Caller
    more: bytes = b""

    async def pour(self, requests: Sequence[RouteRequest], writer_of: WriterOf) -> None:
        """Send the answers one after the other, each with its writer's end."""
        last = requests[-1]
        reply = await self._begin(requests[0], writer_of)
        for number, request in enumerate(requests):
            if reply is None:
                return
            writer = writer_of(number, served(reply))
            try:
                await reply.pour(Rendered(self.exchange, writer))
                data = writer.end()
                if request is last:
                    await _over(self.exchange.end(data))
                    return
                await _over(self.exchange.write(data))
            except RoutingError as failure:
                await _over(self.exchange.end(writer.error(failure)))
                return
            finally:
                reply.close()
            reply = await self._next(requests[number + 1], writer_of(number + 1, ""))

    async def _begin(self, request: RouteRequest, writer_of: WriterOf) -> Reply | None:
        """Give the first reply when its content is there, None when an error was sent instead."""
        exchange, teller = self.exchange, self.teller
        keeper = Keeper(exchange, teller.voice, request.request_id, hold_s=self.asker.hold_s)
        try:
            reply = await self.asker.gateway.route.open(request, self.caller)
        except RoutingError as error:
            if await keeper.stop():
                await _over(exchange.end(writer_of(0, request.target).error(error)))
            else:
                await send(exchange, teller, error, request.request_id)
            return None
        except asyncio.CancelledError:
            keeper.drop()
            raise
        if not await keeper.stop():
            lines = STREAMS.get(teller.voice, EVENTS) + origin_lines(reply) + budget_lines(reply)
            await _over(exchange.start(200, lines + self.more))
        return reply

    async def _next(self, request: RouteRequest, writer: StreamWriter) -> Reply | None:
        try:
            return await self.asker.gateway.route.open(request, self.caller)
        except RoutingError as error:
            await _over(self.exchange.end(writer.error(error)))
            return None


def served(reply: Reply) -> str:
    """Give the name of the model that answers."""
    return reply.model_served or (reply.winner.model if reply.winner else "")


def head_of(asked: Asked, model: str = "") -> Head:
    """Give what every part of an answer repeats."""
    return Head(asked.request_id.removeprefix("req_"), model, int(time.time()))


async def _over(wait: Wait) -> None:
    if wait is not None:
        await wait


def _fields(body: bytes) -> dict[str, msgspec.Raw]:
    """Give a body's fields, none where it is no object: whoever parses it says so."""
    try:
        return fields_of(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return {}


def _first(failed: BaseExceptionGroup[RoutingError]) -> RoutingError:
    for one in failed.exceptions:
        return _first(one) if isinstance(one, BaseExceptionGroup) else one
    raise AssertionError("a group holds an exception")
