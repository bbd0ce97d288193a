"""The A2A door: its HTTP routes. Bytes to values, one call of the agent, values to bytes.

`/a2a` and `/a2a/` are the same endpoint, because clients post to either and follow no
redirect. The caller is known before a byte of the body is read; a JSON-RPC error is HTTP 200
in the standards and has the documented status in the native dialect, while a missing key
(401), a missing scope (403), a body too large (413) and a body that is not JSON (415) have
their HTTP status in every dialect, with a JSON-RPC error as body.
"""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import assert_never

import anyio
import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Scope

from omniroute.routing.errors import (
    NotAllowed,
    NotAuthenticated,
    RequestInFlight,
    RoutingError,
    TooLarge,
)
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller
from omniroute.routing.ports import IDEMPOTENCY_KEY_CHARS_MAX, Clock, MakeOnce, Once

from .card import ENDPOINT, Card, CardKind, Facts, card
from .cards import Cards
from .dialects.codec import Codec
from .dialects.detect import Operation, codec_of, operation_of
from .extensions import activated
from .faults import Fault, no_pushes
from .methods import Agent, Around
from .oversight import Oversight
from .push import Outgoing, PushStore
from .pushing import Pushes
from .rpc import RequestId, RpcCall, answer, read_call, read_id, read_json, refusal
from .run import CANCELED
from .runs import RUNNING_MAX, TASK_S_MAX, Runs
from .sending import Sender
from .signing import Signer
from .stream import Streams, stream_of, stream_of_fault, stream_of_steps
from .task import KEPT_S
from .tasks import TaskStore

BODY_BYTES_MAX = 8 * 2**20
VERSION_CHARS_MAX = 32
DIGITS_MAX = 9
ALLOW = "OPTIONS, POST"
UNKEPT = frozenset({"failed", "rejected", "canceled"})
"""How a task may end that is sent again to be done after all."""

_Named = Callable[[bytes, MakeOnce], Awaitable[tuple[bytes, bool]]]
"""A `Once` for one name of one key."""

_logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Door:
    """The agent at its HTTP routes.

    Attributes:
        authenticate: gives the caller of a request, or raises NotAuthenticated.
        public_url: the gateway's base URL as its settings have it, never the Host header.
        keys_required: whether requests need a key; then the card says so.
        task_s_max: how long a task may run.
        running_max: how many tasks may run at once in this process.
        kept_s: how long after its last change a task can be asked for; None is for ever.
        once: answers sends that are repeated under an idempotency key; None answers each.
        canceled: is told the id and the owner of a canceled task that runs in another process,
            for `cancel` to be called there.
        callers: gives the caller of a key's id, for tasks that are done again; None when the
            key is no more.
        pushes: keeps who is told of tasks; None, as without outgoing: nobody is.
        outgoing: reaches those who are told.
        signer: signs cards; None where they are not signed.
    """

    gateway: Gateway
    tasks: TaskStore
    authenticate: Callable[[Request], Caller]
    public_url: Callable[[], str]
    keys_required: Callable[[], bool]
    clock: Clock
    task_s_max: float = TASK_S_MAX
    running_max: int = RUNNING_MAX
    kept_s: float | None = KEPT_S
    once: Once | None = None
    canceled: Callable[[str, str], None] = lambda task_id, owner: None
    callers: Callable[[str], Caller | None] = lambda key_id: None
    pushes: PushStore | None = None
    outgoing: Outgoing | None = None
    signer: Signer | None = None

    def __post_init__(self) -> None:
        self._runs = Runs(
            self.tasks,
            self.clock,
            seconds_max=self.task_s_max,
            running_max=self.running_max,
        )
        self._cards = Cards(self._facts, _version)
        self._pushes: Pushes | None = None
        self.sender: Sender | None = None
        if self.pushes is not None and self.outgoing is not None:
            self._pushes = Pushes(self.pushes, self.tasks, self.clock, self.outgoing.check)
            self.sender = Sender(self.pushes, self.outgoing, self.clock)
        around = Around(self.callers, self.canceled, self.kept_s, self._pushes)
        self._agent = Agent(self.gateway, self.tasks, self.clock, self._runs, around)
        self.oversight = Oversight(self._agent, self.tasks, self.clock)
        self.streams = Streams()

    def cancel(self, task_id: str, owner: str) -> None:
        """End the work of a task that runs here and was canceled in another process."""
        run = self._runs.find(task_id, owner=owner)
        if run is not None:
            run.stop(CANCELED)

    def stop(self) -> None:
        """End what still runs here, with words: the gateway does not wait any longer."""
        self._runs.stop()
        self._agent.watch.stop()

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Run tasks and tell of them; the app enters it for as long as it serves."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._agent.watch.run)
            if self.sender is not None:
                group.start_soon(self.sender.run)
            try:
                async with self._runs.lifespan(self._agent.recover):
                    yield
            finally:
                group.cancel_scope.cancel()

    async def recover(self) -> None:
        """End, or do again, the tasks of dead processes; while it serves, this is done often.

        Raises:
            StorageUnavailable: the store does not answer.
        """
        await self._agent.recover()

    def card(self, kind: CardKind) -> Card:
        """Give the card as it is now."""
        return card(kind, self._facts())

    def routes(self) -> list[BaseRoute]:
        """Give the routes, for the app to mount at its root."""
        return [
            *(
                Route(path, self._endpoint, methods=["POST", "OPTIONS"])
                for path in (ENDPOINT, f"{ENDPOINT}/")
            ),
            *self._cards.routes(),
        ]

    def refusal(self, scope: Scope, error: RoutingError) -> Response:
        """Give the answer to a request that is refused before anybody looked at its body."""
        codec = codec_of("", {}, _version(Request(scope)))
        return _refused(codec, None, _fault_of(error), error)

    async def _endpoint(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"allow": ALLOW})
        response = await self._answered(request)
        response.headers.update(activated(request.headers))
        return response

    async def _answered(self, request: Request) -> Response:
        version = _version(request)
        codec, request_id = codec_of("", {}, version), None
        try:
            caller = self.authenticate(request)
            _check_content_type(request)
            value = read_json(await _body(request))
            request_id = read_id(value)
            call = read_call(value)
            codec = codec_of(call.method, call.params, version)
            operation = operation_of(call.method, version)
            name = _idempotency_name(request) if operation == "send" else None
            if name is None or self.once is None or not caller.keep_content:
                answering = self._answer(codec, operation, call, caller, _chars(request))
            else:
                named = partial(self.once, caller.key_id, name)
                answering = self._sent_once(codec, call, caller, named)
            return await answering
        except Fault as fault:
            return _refused(codec, request_id, fault)
        except RoutingError as error:
            return _refused(codec, request_id, _fault_of(error), error)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception:
            _logger.exception("a2a_request_broke")
            return _refused(codec, request_id, Fault("internal", "an internal error; see the log"))

    async def _answer(
        self,
        codec: Codec,
        operation: Operation,
        call: RpcCall,
        caller: Caller,
        chars: int | None = None,
    ) -> Response:
        agent, params = self._agent, call.params
        match operation:
            case "send":
                send = codec.read_send(params)
                task = await agent.send(send, caller)
                result = codec.render_sent(task, send.history_length)
            case "stream":
                return await self._stream(codec, call, caller)
            case "get":
                task_id, length = codec.read_query(params)
                task = await agent.get(task_id, caller)
                events = await agent.events(task_id, caller) if codec.shows_events else ()
                result = codec.render_task(task, events, length)
            case "list":
                listing, shown = codec.read_list(params)
                tasks, total = await agent.listed(listing, caller)
                result = codec.render_list(tasks, total, listing, shown)
            case "subscribe":
                return await self._follow(codec, call, caller, chars)
            case "cancel":
                task = await agent.cancel(codec.read_task_id(params), caller)
                result = codec.render_canceled(task)
            case "push_set" | "push_get" | "push_list" | "push_delete":
                if self._pushes is None:
                    raise no_pushes()
                told = await self._pushes.answer(operation, codec.push, params, caller)
                return _json(answer(call.request_id, told))
            case "extended_card":
                result = self._cards.extended(codec, caller)
            case _:
                assert_never(operation)
        return _json(answer(call.request_id, result))

    async def _sent_once(
        self, codec: Codec, call: RpcCall, caller: Caller, once: _Named
    ) -> Response:
        """Give the first good answer to a message again; bound to all of it but its id."""
        send = codec.read_send(call.params)

        async def make() -> tuple[bytes, bool]:
            task = await self._agent.send(send, caller)
            result = codec.render_sent(task, send.history_length)
            return orjson.dumps(result), task.state not in UNKEPT

        asked = orjson.dumps(["a2a", call.method, call.params], option=orjson.OPT_SORT_KEYS)
        made, replayed = await once(asked, make)
        more = {"idempotent-replayed": "true"} if replayed else None
        return _json(answer(call.request_id, orjson.loads(made)), more=more)

    async def _stream(self, codec: Codec, call: RpcCall, caller: Caller) -> Response:
        try:
            run = await self._agent.stream(codec.read_send(call.params), caller)
        except Fault as fault:
            if not codec.fault_as_event:
                raise
            return stream_of_fault(fault, codec, call.request_id)
        return stream_of(run, codec, call.request_id, self.streams)

    async def _follow(
        self, codec: Codec, call: RpcCall, caller: Caller, chars: int | None
    ) -> Response:
        """Follow a task again, from the last event that the client has of it."""
        try:
            steps = await self._agent.follow(codec.read_task_id(call.params), caller, chars)
        except Fault as fault:
            if not codec.fault_as_event:
                raise
            return stream_of_fault(fault, codec, call.request_id)
        return stream_of_steps(steps, codec, call.request_id, self.streams)

    def _facts(self) -> Facts:
        return Facts(
            public_url=self.public_url(),
            version=self.gateway.view.version,
            keys_required=self.keys_required(),
            pushes=self._pushes is not None,
            signer=self.signer,
        )


def _version(request: Request) -> str:
    """Give the A2A version a request names, empty when it names none (A2A 1.0, section 3.6.1)."""
    named = request.headers.get("a2a-version") or request.query_params.get("A2A-Version") or ""
    return named[:VERSION_CHARS_MAX]


def _chars(request: Request) -> int | None:
    """Give how much of an answer the client says it has (Last-Event-ID), None for nothing."""
    told = request.headers.get("last-event-id", "")
    return int(told) if told.isdecimal() and len(told) <= DIGITS_MAX else None


def _idempotency_name(request: Request) -> str | None:
    name = request.headers.get("idempotency-key")
    if name is not None and not 0 < len(name) <= IDEMPOTENCY_KEY_CHARS_MAX:
        raise Fault(
            "invalid_request", f"Idempotency-Key has 1 to {IDEMPOTENCY_KEY_CHARS_MAX} characters"
        )
    return name


def _check_content_type(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise Fault(
            "content_type",
            f"Content-Type {media_type[:64]!r} is not supported; send application/json",
            http_status=415,
        )


async def _body(request: Request) -> bytes:
    """Give the body.

    Raises:
        TooLarge: it is larger than BODY_BYTES_MAX, told as soon as that is known.
    """
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > BODY_BYTES_MAX:
        raise _too_large()
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > BODY_BYTES_MAX:
            raise _too_large()
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large() -> TooLarge:
    return TooLarge(f"the body is larger than {BODY_BYTES_MAX} bytes")


def _fault_of(error: RoutingError) -> Fault:
    """Give the fault for an error of the gateway that is not about a task."""
    if error.status >= 500:
        return Fault("internal", str(error))
    return Fault("invalid_request", str(error), http_status=error.status)


def _refused(
    codec: Codec, request_id: RequestId, fault: Fault, error: RoutingError | None = None
) -> Response:
    body = refusal(request_id, codec.render_fault(fault))
    return _json(body, status=codec.http_status(fault), more=_challenge(error))


def _challenge(error: RoutingError | None) -> dict[str, str]:
    """Give the header that says how to go on: how to authenticate (RFC 6750, section 3), when."""
    match error:
        case NotAuthenticated():
            return {"www-authenticate": 'Bearer realm="omniroute"'}
        case RequestInFlight():
            return {"retry-after": "1"}
        case NotAllowed(scope=str(scope)):
            told = f'Bearer realm="omniroute", error="insufficient_scope", scope="{scope}"'
            return {"www-authenticate": told}
        case _:
            return {}


def _json(body: bytes, *, status: int = 200, more: Mapping[str, str] | None = None) -> Response:
    return Response(body, status, headers=more, media_type="application/json")
