"""The simulated provider in process: a Call to Pieces without a socket.

It speaks OpenAI chat, like the account it belongs to, and its bytes go through the same
PieceReader as those of a real provider. Waits go through the passed `sleep`, and keep to the
call's limits: a wait that is longer than a limit lasts until the limit and then fails.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Protocol
from zlib import decompressobj

from ..errors import BadRequest, FailureKind, Inexpressible, UpstreamFailure
from ..model import Call, Dialect, Limits, Piece
from ..ports import Answer, Clock
from ..wire.codec import Rendered
from ..wire.pieces import PieceReader
from ..wire.services.reading import asked_of
from ..wire.splice import splice_model
from ..wire.table import codec
from ..wire.translation import translated
from .director import refused, script_for
from .models import MODELS, SimulatedModel, find_model
from .performance import Cut, Frame, Head, Performance
from .script import Refusal
from .services import ServiceReader, perform_service
from .stage import perform, refuse
from .voices import openai_chat
from .voices.voice import Occasion

DIALECT: Dialect = "openai_chat"
SEED_BYTES = 12
PACKED = ("content-encoding", "gzip")
GZIP_BITS = 31
"""What zlib calls a stream with gzip's head."""

Sleep = Callable[[float], Coroutine[object, object, None]]


class _Reader(Protocol):
    """What PieceReader does, for chats and for all else."""

    def feed(self, data: bytes) -> Sequence[Piece]: ...

    def end(self) -> Sequence[Piece]: ...


class SimulatedUpstream:
    """Answers calls to simulated accounts; fulfils ports.Upstream.

    Args:
        clock: for the total time of a call and the answer's date.
        sleep: waits for so many seconds.
    """

    def __init__(self, clock: Clock, sleep: Sleep = asyncio.sleep) -> None:
        self._clock = clock
        self._sleep = sleep

    async def open(self, call: Call) -> Answer:
        """Give the answer once its head is there.

        Raises:
            UpstreamFailure: the request is refused, or the fault that it asks for says so.
        """
        patience = _Patience(call.limits, self._clock, self._sleep)
        performed, dropped = _performance(call, _occasion(call, self._clock))
        performance = _unpacked(performed)
        await patience.wait(performance.wait_s, call.limits.first_byte_s, "timeout_first_byte")
        head = performance.head
        if head is None:
            raise UpstreamFailure("the simulated provider reset the connection", kind="connect")
        operation = call.operation
        forward = operation.forward and operation.dialect == DIALECT
        is_chat = operation.kind == "chat"
        stream = operation.features.stream if is_chat else None
        _check(head, performance, stream=stream, keep_body=forward)
        headers = {name.lower().encode(): value.encode() for name, value in head.headers}
        reader: _Reader
        if is_chat:
            reader = PieceReader(
                codec(DIALECT),
                forward=forward,
                stream=operation.features.stream,
                bytes_max=call.limits.answer_bytes_max,
            )
        else:
            reader = ServiceReader(
                asked_of(operation, call.candidate.model),
                operation,
                headers.get(b"content-type", b"").decode(),
                call.limits.answer_bytes_max,
            )
        answer = SimulatedAnswer(iter(performance.frames), reader, patience, headers)
        answer.dropped = dropped
        return answer


class SimulatedAnswer:
    """A simulated answer in progress; see ports.Answer."""

    pour = None

    def __init__(
        self,
        frames: Iterator[Frame],
        reader: _Reader,
        patience: "_Patience",
        headers: Mapping[bytes, bytes],
    ) -> None:
        self.headers = headers
        self.dropped: tuple[str, ...] = ()
        self._frames = frames
        self._reader = reader
        self._patience = patience
        self._pieces: deque[Piece] = deque()
        self._pause: asyncio.Task[None] | None = None
        self._begun = False
        self._ended = False
        self._closed = False

    def __aiter__(self) -> "SimulatedAnswer":
        return self

    async def __anext__(self) -> Piece:
        """Give the next Piece.

        Raises:
            UpstreamFailure: the answer broke off, stalled, or is not one of its dialect.
        """
        while not self._pieces:
            if self._closed:
                raise StopAsyncIteration
            try:
                await self._advance()
            except BaseException:
                self.close()
                raise
        return self._pieces.popleft()

    def close(self) -> None:
        """Stop at once, also while a wait is under way; never waits."""
        self._closed = True
        self._pieces.clear()
        if self._pause is not None:
            self._pause.cancel()

    async def _advance(self) -> None:
        """Play one frame."""
        match next(self._frames, None):
            case None:
                self._finish()
            case bytes() as data:
                self._begun = True
                self._take(self._reader.feed(data))
            case Cut(reset=reset):
                if not self._ended:
                    how = "reset" if reset else "closed"
                    raise UpstreamFailure(
                        f"the simulated provider {how} the connection in the middle of its answer",
                        kind="truncated",
                    )
                self._finish()
            case wait:
                await self._wait(wait.seconds)

    def _take(self, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            self._pieces.append(piece)
            self._ended = self._ended or (piece.delta is not None and piece.delta.ended)

    def _finish(self) -> None:
        pieces = self._reader.end()
        self._closed = True
        self._take(pieces)

    async def _wait(self, seconds: float) -> None:
        """Wait for so long, or until `close` is called."""
        limits = self._patience.limits
        if self._begun:
            waiting = self._patience.wait(seconds, limits.idle_s, "timeout_idle")
        else:
            waiting = self._patience.wait(seconds, limits.first_byte_s, "timeout_first_byte")
        # A task of its own, awaited right here: `close` cancels it without its consumer.
        self._pause = asyncio.ensure_future(waiting)
        try:
            await self._pause
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._closed or (task is not None and task.cancelling()):
                raise
        finally:
            self._pause = None


class _Patience:
    """Waits within the limits of one call."""

    def __init__(self, limits: Limits, clock: Clock, sleep: Sleep) -> None:
        self.limits = limits
        self._clock = clock
        self._sleep = sleep
        self._deadline_s = clock.now() + limits.total_s

    async def wait(self, seconds: float, limit_s: float, kind: FailureKind) -> None:
        """Wait for so many seconds.

        Raises:
            UpstreamFailure: of this kind, after `limit_s`, when the wait is longer; kind
                "timeout_total" when the call's whole time is over before.
        """
        if seconds <= 0:
            return
        left_s = max(self._deadline_s - self._clock.now(), 0.0)
        if left_s < limit_s:
            limit_s, kind = left_s, "timeout_total"
        if seconds <= limit_s:
            await self._sleep(seconds)
            return
        await self._sleep(limit_s)
        raise UpstreamFailure(f"the simulated provider sent nothing for {limit_s:g} s", kind=kind)


def _occasion(call: Call, clock: Clock) -> Occasion:
    """Give ids that are the same for the same attempt of the same request."""
    name = f"{call.request_id}/{call.attempt}".encode()
    return Occasion(blake2b(name, digest_size=SEED_BYTES).hexdigest(), int(clock.unix()))


def _performance(call: Call, occasion: Occasion) -> tuple[Performance, tuple[str, ...]]:
    """Give what is played for a call, and what of the request it was not told.

    What is wrong with the request is a performance too.

    Raises:
        UpstreamFailure: kind "inexpressible", as from any provider that is not asked.
    """
    model = find_model(call.candidate.model)
    if model is None:
        names = ", ".join(model.name for model in MODELS)
        message = f"the simulator has no model {call.candidate.model!r}; its models are {names}"
        refusal = Refusal("not_found", 404, message)
        return refuse(refusal, openai_chat, occasion, kind="model_gone"), ()
    try:
        if call.operation.kind != "chat":
            _require_kind(call, model)
            asked = asked_of(call.operation, call.candidate.model)
            return perform_service(asked, occasion), tuple(asked.hints)
        rendered = _own_request(call)
        return _played(call, model, occasion, rendered.body), rendered.dropped
    except Inexpressible as error:
        raise UpstreamFailure(str(error), kind="inexpressible") from error
    except BadRequest as error:
        return refuse(refused(error), openai_chat, occasion, kind="bad_request"), ()


def _played(call: Call, model: SimulatedModel, occasion: Occasion, body: bytes) -> Performance:
    operation = call.operation
    _require_kind(call, model)
    # The codecs ask for usage in the bodies they render; one that is forwarded is the client's.
    asked = replace(
        openai_chat.read(body), model=call.candidate.model, stream=operation.features.stream
    )
    return perform(script_for(asked), openai_chat, occasion, stream=asked.stream)


def _unpacked(performance: Performance) -> Performance:
    """Give a performance whose bytes came packed as they are, as a real upstream does."""
    head = performance.head
    if head is None or PACKED not in head.headers:
        return performance
    left = tuple(one for one in head.headers if one != PACKED)
    opened = decompressobj(wbits=GZIP_BITS)
    frames = (
        opened.decompress(one) if isinstance(one, bytes) else one for one in performance.frames
    )
    return replace(performance, head=replace(head, headers=left), frames=frames)


def _require_kind(call: Call, model: SimulatedModel) -> None:
    if call.operation.kind not in model.facts.capabilities:
        raise BadRequest(f"the simulator's model {model.name} does not do {call.operation.kind}")


def _own_request(call: Call) -> Rendered:
    """Give the request's body in the simulator's dialect, and what that cannot say."""
    operation, model = call.operation, call.candidate.model
    if operation.dialect != DIALECT:
        # What we do not act on is in the client's dialect, and only that one knows it.
        return translated(operation, call.candidate, DIALECT)
    if not operation.model_in_body:
        return Rendered(operation.body)
    named = operation.model_in_body
    return Rendered(splice_model(operation.body, old=named, new=model, at=operation.model_at))


def _check(head: Head, performance: Performance, *, stream: bool | None, keep_body: bool) -> None:
    """Raise unless the head is that of an answer; `stream` None is what is no chat.

    Raises:
        UpstreamFailure: an error status, or an answer of the wrong kind.
    """
    headers = dict(head.headers)
    expected = "text/event-stream" if stream else "" if stream is None else "application/json"
    if (
        head.status == 200
        and headers.get("content-type", "").startswith(expected)
        and not headers.get("content-type", "").startswith("text/html")
    ):
        return
    body = b"".join(frame for frame in performance.frames if isinstance(frame, bytes))
    is_own = headers.get("content-type", "").startswith("application/json")
    raise UpstreamFailure(
        f"the simulated provider answered with status {head.status}",
        kind=performance.kind or "malformed",
        provider_status=head.status,
        retry_after_s=performance.retry_after_s,
        body=body if keep_body and is_own and head.status != 200 else None,
    )
