"""Whatever bytes come as an answer, in whatever parts: it ends, in words, and leaves nothing."""

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Sequence

import pytest
import uvloop
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Call, Limits
from omniroute.routing.upstream.upstream import HttpUpstream

from .servers import (
    DONE,
    EVENT,
    EVENTS,
    FINISH,
    SSE_HEAD,
    STREAM,
    WAIT_S,
    Exchange,
    ask,
    call_to,
    chunked,
    serving,
    settle,
    upstream,
    whole,
)

Loop = Callable[[], asyncio.AbstractEventLoop]
LOOPS = ["asyncio", "uvloop"]
SHORT = Limits(connect_s=1.0, first_byte_s=0.05, idle_s=0.05, total_s=1.0)
PARTS_MAX = 6
EXAMPLES = 150

WORDS = [
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.0 200\r\n",
    b"HTTP/1.1 204 No Content\r\n",
    b"HTTP/1.1 304 Not Modified\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/2.0 200 OK\r\n",
    b"content-length: 5\r\n",
    b"content-length: 5\r\ncontent-length: 6\r\n",
    b"content-length: -1\r\n",
    b"content-length: 99999999999999999999\r\n",
    b"transfer-encoding: chunked\r\n",
    b"Transfer-Encoding : chunked\r\n",
    b"transfer-encoding: gzip\r\n",
    b"content-type: application/json\r\n",
    b"content-type: text/event-stream\r\n",
    b"connection: close\r\n",
    b"keep-alive: timeout=0\r\n",
    b"keep-alive: timeout=999999\r\n",
    b" folded\r\n",
    b"\r\n",
    b"\n",
    b"5\r\nhello\r\n",
    b"-5\r\nhello\r\n",
    b"fffffffffffffffff\r\n",
    b"0\r\n\r\n",
    b"0\r\nx: y\r\n\r\n",
    EVENT,
    b"data: [DONE]\n\n",
    b"\x00",
    b"\xff" * 40,
]
GOOD = [STREAM, whole(), whole(b"{}", status="429 Slow"), SSE_HEAD + chunked(EVENT, FINISH, DONE)]
WIRE = st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from(WORDS), max_size=12).map(b"".join),
    st.tuples(st.sampled_from(GOOD), st.integers(0, 600), st.binary(max_size=12)).map(
        lambda cut: cut[0][: cut[1]] + cut[2] + cut[0][cut[1] + len(cut[2]) :]
    ),
    st.tuples(st.sampled_from(GOOD), st.sampled_from(GOOD + WORDS)).map(b"".join),
)
ENDINGS = st.sampled_from(["close", "reset", "half-close", "stay"])


def parts_of(sent: bytes, cuts: Sequence[int]) -> list[bytes]:
    """Give the bytes in parts that end at the cuts."""
    places = sorted({min(cut, len(sent)) for cut in cuts} | {0, len(sent)})
    return [sent[start:end] for start, end in itertools.pairwise(places)]


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=LOOPS)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    sent=WIRE,
    cuts=st.lists(st.integers(0, 600), max_size=PARTS_MAX),
    ending=ENDINGS,
    stream=st.booleans(),
)
@example(sent=STREAM + STREAM, cuts=[len(STREAM)], ending="stay", stream=True)
@example(sent=SSE_HEAD, cuts=[], ending="stay", stream=True)
def test_whatever_a_peer_answers_the_call_ends_and_the_next_one_is_answered(
    loop: Loop, sent: bytes, cuts: list[int], ending: str, *, stream: bool
) -> None:
    troubles: list[object] = []
    server_requests: list[Exchange] = []
    said = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        if len(server_requests) > 1:
            await exchange.send(STREAM)
            return
        try:
            for part in parts_of(sent, cuts):
                await exchange.send(part)
                await asyncio.sleep(0)
            if ending == "close":
                exchange.close()
            elif ending == "reset":
                exchange.reset()
            elif ending == "half-close":
                # The client may have left already: then there is no side to close.
                with contextlib.suppress(OSError):
                    exchange.writer.write_eof()
        finally:
            said.set()

    async def tried() -> tuple[bytes, int, int]:
        running = asyncio.get_running_loop()
        running.set_exception_handler(lambda loop, context: troubles.append(context))
        async with serving(script) as server, upstream() as made:
            nonlocal server_requests
            server_requests = server.requests
            await outcome(made, call_to(server.url, stream=stream, limits=SHORT))
            await said.wait()
            await asyncio.sleep(0.002)
            # Bytes after an answer's end have arrived: they must not be the next one's.
            kept = made.connections
            answered = await ask(made, call_to(server.url, stream=True))
            made.close()
            await settle()
            return answered, kept, made.connections

    with asyncio.Runner(loop_factory=loop) as runner:
        answered, kept, left = runner.run(tried())

    assert answered == EVENTS
    assert kept <= 1
    assert left == 0
    assert troubles == []


async def outcome(made: HttpUpstream, call: Call) -> str:
    """Give the failure's kind, or "answered"; any other exception goes through."""
    try:
        async with asyncio.timeout(WAIT_S):
            await ask(made, call)
    except UpstreamFailure as failure:
        return failure.kind
    return "answered"
