"""Times and bounds of a call: each one ends it with its own kind, and nothing waits past it."""

import asyncio

import pytest
from msgspec import structs

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.upstream import pool
from omniroute.routing.upstream.exchange import (
    BUFFERED_BYTES_MAX,
    HEAD_BYTES_MAX,
    HEADERS_MAX,
)

from .servers import (
    ANSWER,
    DONE,
    EVENT,
    EVENTS,
    FINISH,
    LIMITS,
    SSE_HEAD,
    WAIT_S,
    Exchange,
    ask,
    call_to,
    chunked,
    failure_of,
    read_all,
    serving,
    settle,
    upstream,
    whole,
)

pytestmark = pytest.mark.anyio

SHORT_S = 0.1
LONG_S = 2.0
JSON_HEAD = SSE_HEAD.replace(b"text/event-stream", b"application/json")
"""A wait that takes this long would be another limit's."""


async def say_nothing(exchange: Exchange) -> None:
    await exchange.reader.read(1)


async def test_a_silent_peer_is_left_after_the_first_byte_time() -> None:
    limits = structs.replace(LIMITS, first_byte_s=SHORT_S)
    async with serving(say_nothing) as server, upstream() as made:
        async with asyncio.timeout(LONG_S):
            failure = await failure_of(made, call_to(server.url, limits=limits))
            await server.gone.wait()

    assert failure.kind == "timeout_first_byte"
    assert failure.status == 504


async def test_a_head_alone_is_not_the_first_byte() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD)
        await exchange.reader.read(1)

    limits = structs.replace(LIMITS, first_byte_s=SHORT_S)
    async with serving(script) as server, upstream() as made:
        async with asyncio.timeout(LONG_S):
            failure = await failure_of(made, call_to(server.url, stream=True, limits=limits))

    assert failure.kind == "timeout_first_byte"


async def test_a_stall_inside_an_answer_is_left_after_the_idle_time() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD + chunked(EVENT))
        await exchange.reader.read(1)

    limits = structs.replace(LIMITS, idle_s=SHORT_S)
    async with serving(script) as server, upstream() as made:
        answer = await made.open(call_to(server.url, stream=True, limits=limits))
        first = await anext(aiter(answer))
        with pytest.raises(UpstreamFailure) as caught:
            async with asyncio.timeout(LONG_S):
                await anext(aiter(answer))
        answer.close()

    assert first.raw == EVENT
    assert caught.value.kind == "timeout_idle"


async def test_blanks_before_a_whole_answer_are_not_its_first_byte() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(JSON_HEAD)
        while True:
            await exchange.send(chunked(b" \n"))
            await asyncio.sleep(SHORT_S / 4)

    limits = structs.replace(LIMITS, first_byte_s=SHORT_S * 3, idle_s=SHORT_S)
    async with serving(script) as server, upstream() as made:
        async with asyncio.timeout(LONG_S):
            failure = await failure_of(made, call_to(server.url, limits=limits))

    assert failure.kind == "timeout_first_byte"


async def test_blanks_before_a_whole_answer_keep_it_alive() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(JSON_HEAD)
        for _ in range(6):
            await exchange.send(chunked(b" \n"))
            await asyncio.sleep(SHORT_S / 2)
        await exchange.send(chunked(ANSWER) + b"0\r\n\r\n")

    limits = structs.replace(LIMITS, idle_s=SHORT_S / 4)
    async with serving(script) as server, upstream() as made:
        answered = await ask(made, call_to(server.url, limits=limits))

    assert answered == b" \n" * 6 + ANSWER


async def test_a_stall_inside_a_whole_answer_is_left_after_the_idle_time() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(JSON_HEAD + chunked(b" \n", ANSWER[:20]))
        await exchange.reader.read(1)

    limits = structs.replace(LIMITS, idle_s=SHORT_S)
    async with serving(script) as server, upstream() as made:
        async with asyncio.timeout(LONG_S):
            failure = await failure_of(made, call_to(server.url, limits=limits))

    assert failure.kind == "timeout_idle"


async def test_an_answer_that_goes_on_is_never_idle() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD)
        for _ in range(6):
            await asyncio.sleep(SHORT_S / 2)
            await exchange.send(chunked(EVENT))
        await exchange.send(chunked(FINISH, DONE) + b"0\r\n\r\n")

    limits = structs.replace(LIMITS, idle_s=SHORT_S * 2)
    async with serving(script) as server, upstream() as made:
        answered = await ask(made, call_to(server.url, stream=True, limits=limits))

    assert answered == EVENT * 6 + FINISH + DONE


async def test_an_answer_that_goes_on_for_ever_is_left_after_the_total_time() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD)
        while True:
            await exchange.send(chunked(EVENT))
            await asyncio.sleep(SHORT_S / 4)

    limits = structs.replace(LIMITS, total_s=SHORT_S * 3)
    async with serving(script) as server, upstream() as made:
        async with asyncio.timeout(LONG_S):
            failure = await failure_of(made, call_to(server.url, stream=True, limits=limits))

    assert failure.kind == "timeout_total"


async def test_a_connection_that_does_not_come_about_is_left_after_the_connect_time() -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.sleep(WAIT_S)
        return []

    limits = structs.replace(LIMITS, connect_s=SHORT_S)
    async with upstream(resolve=never) as made:
        async with asyncio.timeout(LONG_S):
            failure = await failure_of(made, call_to("https://slow.test/v1", limits=limits))

    assert failure.kind == "timeout_connect"


async def test_a_kept_connection_has_the_limits_of_its_new_call() -> None:
    async def script(exchange: Exchange) -> None:
        if len(server.requests) == 1:
            await exchange.send(whole())
        else:
            await exchange.reader.read(1)

    limits = structs.replace(LIMITS, first_byte_s=SHORT_S)
    async with serving(script) as server, upstream() as made:
        await ask(made, call_to(server.url))
        async with asyncio.timeout(LONG_S):
            failure = await failure_of(made, call_to(server.url, limits=limits))

        assert server.connections == 1
        assert failure.kind == "timeout_first_byte"


async def test_an_idle_connection_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omniroute.routing.upstream.exchange.KEEP_ALIVE_S", SHORT_S)

    async def script(exchange: Exchange) -> None:
        await exchange.send(whole())

    limits = structs.replace(LIMITS, first_byte_s=SHORT_S)
    async with serving(script) as server, upstream() as made:
        await ask(made, call_to(server.url, limits=limits))
        async with asyncio.timeout(LONG_S):
            await server.gone.wait()
            await settle()

        assert made.connections == 0


async def test_a_burst_leaves_a_bounded_number_of_idle_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "IDLE_MAX", 3)

    async def script(exchange: Exchange) -> None:
        await exchange.send(whole())

    async with serving(script) as server, upstream() as made:
        await asyncio.gather(*(ask(made, call_to(server.url)) for _ in range(10)))
        await settle()

        assert server.connections == 10
        assert made.connections == 3


async def test_no_more_connections_are_opened_than_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "CONNECTIONS_MAX", 2)

    async def script(exchange: Exchange) -> None:
        await go_on.wait()
        await exchange.send(whole())

    go_on = asyncio.Event()
    async with serving(script) as server, upstream() as made:
        under_way = [asyncio.ensure_future(ask(made, call_to(server.url))) for _ in range(2)]
        async with asyncio.timeout(WAIT_S):
            while len(server.requests) < 2:
                await asyncio.sleep(0.001)
        failure = await failure_of(made, call_to(server.url))
        go_on.set()
        answers = await asyncio.gather(*under_way)

    assert failure.kind == "busy"
    assert failure.status == 503
    assert answers == [ANSWER, ANSWER]


async def test_a_slow_reader_holds_the_peer_back_and_loses_nothing() -> None:
    part = chunked(b"data: " + b"x" * 65_000 + b"\n\n")
    parts, sent = 500, 0

    async def script(exchange: Exchange) -> None:
        nonlocal sent
        await exchange.send(SSE_HEAD + chunked(EVENT))
        for _ in range(parts):
            await exchange.send(part)
            sent += 1
        await exchange.send(chunked(FINISH, DONE) + b"0\r\n\r\n")

    async with serving(script) as server, upstream() as made:
        answer = await made.open(call_to(server.url, stream=True))
        pieces = aiter(answer)
        first = await anext(pieces)
        await asyncio.sleep(0.3)
        sent_meanwhile = sent
        second = await anext(pieces)
        rest = await read_all(answer)

    assert sent_meanwhile < parts
    assert len(first.raw) <= BUFFERED_BYTES_MAX
    assert len(second.raw) <= BUFFERED_BYTES_MAX
    assert len(first.raw + second.raw + rest) == len(EVENTS) + parts * 65_008


async def test_a_peer_is_not_idle_while_the_reader_is_behind() -> None:
    part = chunked(b"data: " + b"x" * 65_000 + b"\n\n")

    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD + chunked(EVENT))
        for _ in range(200):
            await exchange.send(part)
        await exchange.send(chunked(FINISH, DONE) + b"0\r\n\r\n")

    limits = structs.replace(LIMITS, idle_s=SHORT_S)
    async with serving(script) as server, upstream() as made:
        answer = await made.open(call_to(server.url, stream=True, limits=limits))
        await anext(aiter(answer))
        await asyncio.sleep(SHORT_S * 3)
        rest = await read_all(answer)

    assert rest.endswith(DONE)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_over_the_limit_is_cut(*, stream: bool) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD if stream else JSON_HEAD)
        while True:
            await exchange.send(chunked(b": " + b"x" * 10_000 + b"\n\n"))

    limits = structs.replace(LIMITS, answer_bytes_max=200_000)
    async with serving(script) as server, upstream() as made:
        failure = await failure_of(made, call_to(server.url, stream=stream, limits=limits))
        async with asyncio.timeout(WAIT_S):
            await server.gone.wait()

    assert failure.kind == "too_large"


async def test_an_endless_header_is_cut() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nx-endless: ")
        while True:
            await exchange.send(b"x" * 1024)
            sent.append(1024)

    sent: list[int] = []
    async with serving(script) as server, upstream() as made:
        failure = await failure_of(made, call_to(server.url))
        async with asyncio.timeout(WAIT_S):
            await server.gone.wait()

    assert failure.kind == "malformed"
    assert str(HEAD_BYTES_MAX) in str(failure)


async def test_endless_provisional_answers_are_cut() -> None:
    async def script(exchange: Exchange) -> None:
        while True:
            await exchange.send(b"HTTP/1.1 102 Processing\r\n\r\n" * 100)

    async with serving(script) as server, upstream() as made:
        failure = await failure_of(made, call_to(server.url))

    assert failure.kind == "malformed"


async def test_too_many_headers_are_refused() -> None:
    async def script(exchange: Exchange) -> None:
        many = b"".join(b"x-%d: 1\r\n" % number for number in range(HEADERS_MAX + 1))
        await exchange.send(whole(headers=many))

    async with serving(script) as server, upstream() as made:
        failure = await failure_of(made, call_to(server.url))

    assert failure.kind == "malformed"
