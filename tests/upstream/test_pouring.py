"""An answer that is poured: what is given, when, and what happens when either side stops."""

import asyncio
import random
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace

import pytest
from msgspec import structs

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Call, Piece
from omniroute.routing.ports import Answer
from omniroute.routing.upstream.exchange import BUFFERED_BYTES_MAX
from omniroute.routing.upstream.upstream import HttpUpstream

from .servers import (
    DONE,
    EVENT,
    FINISH,
    LIMITS,
    SSE_HEAD,
    STREAM,
    WAIT_S,
    Exchange,
    ask,
    call_to,
    chunked,
    serving,
    upstream,
)

pytestmark = pytest.mark.anyio

USAGE = (
    b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":9,"total_tokens":12}}\n\n'
)
NO_USAGE_YET = EVENT.replace(b'"finish_reason":null}]', b'"finish_reason":null}],"usage":null')
ERROR = b'data: {"error":{"message":"it is too hot here","type":"server_error"}}\n\n'


@dataclass
class Glass:
    """A sink. `slow_at` is after how many bytes it can take no more until it is `emptied`."""

    data: bytearray = field(default_factory=bytearray)
    pieces: list[Piece] = field(default_factory=list[Piece])
    in_a_task: int = 0
    slow_at: int | None = None
    breaks_at: int | None = None
    emptied: asyncio.Event = field(default_factory=asyncio.Event)
    grown: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, piece: Piece) -> Awaitable[None] | None:
        self.pieces.append(piece)
        return self.write(piece.raw)

    def write(self, data: bytes) -> Awaitable[None] | None:
        self.data += data
        self.grown.set()
        self.in_a_task += asyncio.current_task() is not None
        if self.breaks_at is not None and len(self.data) >= self.breaks_at:
            raise RuntimeError("the glass is broken")
        if self.slow_at is not None and len(self.data) >= self.slow_at:
            return self._room()
        return None

    async def _room(self) -> None:
        await self.emptied.wait()


async def begun(made: HttpUpstream, call: Call) -> Answer:
    """Open an answer and read it up to its first content, as every reply does."""
    async with asyncio.timeout(WAIT_S):
        answer = await made.open(call)
        async for piece in answer:
            if piece.delta is not None and piece.delta.has_content:
                return answer
    raise AssertionError("no content")


async def pour(answer: Answer, glass: Glass) -> None:
    assert answer.pour is not None
    async with asyncio.timeout(WAIT_S):
        await answer.pour(glass)


async def test_what_follows_is_given_in_the_calls_that_bring_it_and_wakes_no_task() -> None:
    async def script(exchange: Exchange) -> None:
        if len(server.requests) > 1:
            await exchange.send(STREAM)
            return
        await exchange.send(SSE_HEAD + chunked(EVENT))
        await go.wait()
        for _ in range(20):
            glass.grown.clear()
            await exchange.send(chunked(EVENT))
            await glass.grown.wait()
        await exchange.send(chunked(FINISH, DONE) + b"0\r\n\r\n")

    glass, go = Glass(), asyncio.Event()
    async with serving(script) as server, upstream() as made:
        answer = await begun(made, call_to(server.url, stream=True))
        asyncio.get_running_loop().call_soon(go.set)
        await pour(answer, glass)
        answer.close()

        assert bytes(glass.data) == EVENT * 20 + FINISH + DONE
        assert glass.in_a_task == 0
        assert [piece.delta.ended for piece in glass.pieces if piece.delta] == [True]
        await ask(made, call_to(server.url, stream=True))
        assert server.connections == 1


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("provider", ["mock", "openai"])
async def test_any_chunking_gives_the_bytes_that_iterating_gives(seed: int, provider: str) -> None:
    events = [EVENT, NO_USAGE_YET, EVENT.replace(b"\n\n", b"\r\n\r\n"), b": still here\n\n"]
    draw = random.Random(seed)
    body = EVENT + b"".join(draw.choices(events, k=60)) + FINISH + USAGE + DONE

    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD)
        left, cuts = body, random.Random(seed)
        while left:
            size = cuts.choice((1, 3, 50, len(EVENT), 700))
            await exchange.send(chunked(left[:size]))
            left = left[size:]
            await asyncio.sleep(0)
        await exchange.send(b"0\r\n\r\n")

    async with serving(script) as server, upstream() as made:
        call = call_to(server.url, stream=True)
        call = structs.replace(call, account=replace(call.account, provider=provider))
        iterated = await ask(made, call)
        answer = await made.open(call)
        first = await anext(aiter(answer))
        glass = Glass()
        await pour(answer, glass)

    hidden = provider == "openai"
    assert first.raw + bytes(glass.data) == iterated
    assert iterated == (body.replace(USAGE, b"") if hidden else body)
    told = [piece.delta.usage for piece in (first, *glass.pieces) if piece.delta]
    assert [usage.output_tokens for usage in told if usage is not None] == [9]


async def test_a_sink_that_is_behind_holds_the_provider_back_until_it_has_room() -> None:
    part = chunked(EVENT.replace(b"hello", b"x" * 60_000))
    parts, sent = 500, 0

    async def script(exchange: Exchange) -> None:
        nonlocal sent
        await exchange.send(SSE_HEAD + chunked(EVENT))
        await go.wait()
        for _ in range(parts):
            await exchange.send(part)
            sent += 1
        await exchange.send(chunked(FINISH, DONE) + b"0\r\n\r\n")

    glass, go = Glass(slow_at=200_000), asyncio.Event()
    async with serving(script) as server, upstream() as made:
        answer = await begun(made, call_to(server.url, stream=True))
        go.set()
        pouring = asyncio.ensure_future(pour(answer, glass))
        before = -1
        async with asyncio.timeout(WAIT_S):
            while sent != before:
                before = sent
                await asyncio.sleep(0.05)
        stopped_at, taken = sent, len(glass.data)
        glass.slow_at = None
        glass.emptied.set()
        await pouring

    assert stopped_at < parts
    assert taken < 200_000 + BUFFERED_BYTES_MAX
    assert glass.data.count(b"x" * 60_000) == parts
    assert glass.data.endswith(DONE)


async def test_a_sink_that_fails_ends_the_pouring_with_its_own_error_and_cuts_the_provider() -> (
    None
):
    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD + chunked(EVENT))
        await go.wait()
        await exchange.send(chunked(EVENT))
        await exchange.reader.readexactly(1)

    go = asyncio.Event()
    async with serving(script) as server, upstream() as made:
        answer = await begun(made, call_to(server.url, stream=True))
        go.set()
        with pytest.raises(RuntimeError, match="the glass is broken"):
            await pour(answer, Glass(breaks_at=1))
        async with asyncio.timeout(WAIT_S):
            await server.gone.wait()

        assert made.connections == 0


async def test_who_stops_pouring_cuts_the_provider_at_once_also_while_the_sink_is_behind() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD + chunked(EVENT))
        await go.wait()
        await exchange.send(chunked(EVENT))
        await exchange.reader.readexactly(1)

    for slow_at in (None, 1):
        glass, go = Glass(slow_at=slow_at), asyncio.Event()
        async with serving(script) as server, upstream() as made:
            answer = await begun(made, call_to(server.url, stream=True))
            go.set()
            pouring = asyncio.ensure_future(pour(answer, glass))
            async with asyncio.timeout(WAIT_S):
                await glass.grown.wait()
            pouring.cancel()
            with pytest.raises(asyncio.CancelledError):
                await pouring
            async with asyncio.timeout(WAIT_S):
                await server.gone.wait()

            assert made.connections == 0


async def poured_until_failure(*parts: bytes, ends: bool, idle_s: float = 3.0) -> tuple[bytes, str]:
    """Give what is poured of an answer and the kind of failure that it ends in."""

    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD + chunked(EVENT))
        await go.wait()
        for part in parts:
            await exchange.send(part)
        if ends:
            exchange.close()
        else:
            await exchange.reader.readexactly(1)

    glass, go = Glass(), asyncio.Event()
    async with serving(script) as server, upstream() as made:
        limits = structs.replace(LIMITS, idle_s=idle_s)
        answer = await begun(made, call_to(server.url, stream=True, limits=limits))
        go.set()
        try:
            await pour(answer, glass)
        except UpstreamFailure as failure:
            return bytes(glass.data), failure.kind
    return bytes(glass.data), ""


async def test_a_provider_that_breaks_off_is_truncated_and_what_came_before_was_given() -> None:
    got, kind = await poured_until_failure(chunked(EVENT), b"40\r\ndata: half", ends=True)

    assert kind == "truncated"
    assert got == EVENT + b"data: half"


async def test_a_stream_without_its_end_is_truncated() -> None:
    got, kind = await poured_until_failure(chunked(EVENT) + b"0\r\n\r\n", ends=False)

    assert kind == "truncated"
    assert got == EVENT


async def test_a_provider_that_stalls_is_timed_out() -> None:
    got, kind = await poured_until_failure(chunked(EVENT), ends=False, idle_s=0.1)

    assert kind == "timeout_idle"
    assert got == EVENT


async def test_an_event_that_is_too_large_ends_the_pouring() -> None:
    _, kind = await poured_until_failure(chunked(b"data: " + b"x" * (2**20 + 1)), ends=False)

    assert kind == "too_large"


async def test_what_is_wrong_after_the_end_is_still_a_failure() -> None:
    wrong = b'data: {"error":{no json}}\n\n'
    _, kind = await poured_until_failure(chunked(FINISH, DONE), chunked(wrong), ends=False)

    assert kind == "malformed"


async def test_an_end_by_its_own_words_is_not_waited_for_longer() -> None:
    got, kind = await poured_until_failure(chunked(FINISH, DONE), ends=False)

    assert kind == ""
    assert got == FINISH + DONE


async def test_an_error_inside_is_given_with_what_it_tells() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD + chunked(EVENT))
        await go.wait()
        await exchange.send(chunked(EVENT) + chunked(ERROR))

    glass, go = Glass(), asyncio.Event()
    async with serving(script) as server, upstream() as made:
        answer = await begun(made, call_to(server.url, stream=True))
        go.set()
        await pour(answer, glass)

    errors = [piece.delta.error for piece in glass.pieces if piece.delta and piece.delta.error]
    assert bytes(glass.data) == EVENT + ERROR
    assert [error.message for error in errors] == ["it is too hot here"]


async def test_a_translated_answer_is_poured_piece_by_piece_as_far_as_the_sink_takes_it() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(STREAM)

    class OneAtATime(Glass):
        waits = 0

        def take(self, piece: Piece) -> Awaitable[None] | None:
            self.pieces.append(piece)
            return self._turn(len(self.pieces))

        async def _turn(self, given: int) -> None:
            await asyncio.sleep(0)
            self.waits += len(self.pieces) == given

    glass = OneAtATime()
    async with serving(script) as server, upstream() as made:
        answer = await made.open(call_to(server.url, stream=True, forward=False))
        first = await anext(aiter(answer))
        await pour(answer, glass)

    said = [piece.delta.text for piece in (first, *glass.pieces) if piece.delta is not None]
    assert "".join(said) == "hello"
    assert glass.waits == len(glass.pieces) > 1
