"""One request out, one answer in: framing, reuse of connections, broken ones."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import pytest
from msgspec import structs

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.upstream import exchange as connections
from omniroute.routing.upstream.egress import Egress, Permit, parse_base_url
from omniroute.routing.upstream.pool import Pool, Way

from .servers import (
    ANSWER,
    DONE,
    EVENT,
    EVENTS,
    FINISH,
    LIMITS,
    SSE_HEAD,
    STREAM,
    WAIT_S,
    Exchange,
    ask,
    call_to,
    chunked,
    failure_of,
    read_all,
    serving,
    settle,
    system_store,
    upstream,
    whole,
)

pytestmark = pytest.mark.anyio


async def answer_whole(exchange: Exchange) -> None:
    await exchange.send(whole())


async def answer_stream(exchange: Exchange) -> None:
    await exchange.send(STREAM)


async def test_a_whole_answer_is_given_as_it_came() -> None:
    async with serving(answer_whole) as server, upstream() as made:
        answered = await ask(made, call_to(server.url))

    assert answered == ANSWER
    assert server.requests[0].head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")


async def test_a_stream_is_given_as_it_came() -> None:
    async with serving(answer_stream) as server, upstream() as made:
        answered = await ask(made, call_to(server.url, stream=True))

    assert answered == EVENTS


async def test_a_long_answer_is_given_whole() -> None:
    answered = ANSWER.replace(b'"hello"', b'"%s"' % (b"hello " * 200_000))
    parts = [answered[at : at + 50_000] for at in range(0, len(answered), 50_000)]

    async def script(exchange: Exchange) -> None:
        await exchange.send(whole(answered)[: -len(answered)])
        for part in parts:
            await exchange.send(part)
            await asyncio.sleep(0)

    async with serving(script) as server, upstream() as made:
        answer = await made.open(call_to(server.url))
        pieces = [piece.raw async for piece in answer]
        answer.close()

        assert pieces == [answered]
        assert made.connections == 1


async def test_names_of_headers_are_given_in_lower_case() -> None:
    async def script(exchange: Exchange) -> None:
        number = len(server.requests)
        await exchange.send(whole(headers=b"X-Number: %d\r\nx-Twice: 1\r\nx-Twice: 2\r\n" % number))

    async with serving(script) as server, upstream() as made:
        answers = [await made.open(call_to(server.url)) for _ in range(2)]
        for one in answers:
            await read_all(one)

    assert [one.headers[b"x-number"] for one in answers] == [b"1", b"2"]
    assert [one.headers[b"x-twice"] for one in answers] == [b"2", b"2"]


async def test_a_connection_serves_one_request_after_another() -> None:
    async with serving(answer_stream) as server, upstream() as made:
        for _ in range(5):
            await ask(made, call_to(server.url, stream=True))

        assert server.connections == 1
        assert made.connections == 1


async def test_requests_at_the_same_time_have_connections_of_their_own() -> None:
    async with serving(answer_stream) as server, upstream() as made:
        calls = [ask(made, call_to(server.url, stream=True)) for _ in range(8)]
        answers = await asyncio.gather(*calls)
        await ask(made, call_to(server.url, stream=True))

        assert answers == [EVENTS] * 8
        assert server.connections == 8


async def test_a_peer_that_says_close_is_not_asked_again_on_that_connection() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(whole(headers=b"connection: close\r\n"))

    async with serving(script) as server, upstream() as made:
        await ask(made, call_to(server.url))
        await ask(made, call_to(server.url))

        assert server.connections == 2


async def test_a_peer_that_keeps_connections_too_briefly_is_not_asked_again_on_them() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(whole(headers=b"keep-alive: timeout=1\r\n"))

    async with serving(script) as server, upstream() as made:
        await ask(made, call_to(server.url))
        await ask(made, call_to(server.url))

        assert server.connections == 2


async def test_a_kept_connection_that_died_is_replaced_without_a_failure() -> None:
    async def script(exchange: Exchange) -> None:
        if len(server.requests) == 2:
            exchange.reset()
        else:
            await exchange.send(whole())

    async with serving(script) as server, upstream() as made:
        await ask(made, call_to(server.url))
        second = await ask(made, call_to(server.url))

    assert second == ANSWER
    assert [one.connection for one in server.requests] == [1, 1, 2]


async def test_a_new_connection_that_dies_is_not_tried_again() -> None:
    async def script(exchange: Exchange) -> None:
        exchange.reset()

    async with serving(script) as server, upstream() as made:
        failure = await failure_of(made, call_to(server.url))

    assert failure.kind == "connect"
    assert len(server.requests) == 1


async def test_the_second_try_is_the_last() -> None:
    async def script(exchange: Exchange) -> None:
        if len(server.requests) == 1:
            await exchange.send(whole())
        else:
            exchange.reset()

    async with serving(script) as server, upstream() as made:
        await ask(made, call_to(server.url))
        failure = await failure_of(made, call_to(server.url))

    assert failure.kind == "connect"
    assert len(server.requests) == 3


async def test_nothing_is_tried_again_once_a_byte_of_the_answer_came() -> None:
    async def script(exchange: Exchange) -> None:
        if len(server.requests) == 1:
            await exchange.send(whole())
        else:
            await exchange.send(b"H")
            exchange.close()

    async with serving(script) as server, upstream() as made:
        await ask(made, call_to(server.url))
        failure = await failure_of(made, call_to(server.url))

    assert failure.kind == "truncated"
    assert len(server.requests) == 2


async def test_a_request_that_a_peer_worked_on_is_not_sent_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "STALE_S_MAX", 0.05)

    async def script(exchange: Exchange) -> None:
        if len(server.requests) == 1:
            await exchange.send(whole())
        else:
            await asyncio.sleep(0.1)
            exchange.close()

    async with serving(script) as server, upstream() as made:
        await ask(made, call_to(server.url))
        failure = await failure_of(made, call_to(server.url))

    assert failure.kind == "connect"
    assert len(server.requests) == 2


async def test_a_connection_closed_while_idle_is_not_used() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(whole())
        exchange.close()

    async with serving(script) as server, upstream() as made:
        await ask(made, call_to(server.url))
        async with asyncio.timeout(WAIT_S):
            while made.connections:
                await asyncio.sleep(0.001)
        await ask(made, call_to(server.url))

        assert server.connections == 2


async def test_bytes_that_nobody_asked_for_end_the_connection() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(whole() + whole(b'{"stolen":1}'))

    async with serving(script) as server, upstream() as made:
        first = await ask(made, call_to(server.url))
        second = await ask(made, call_to(server.url))

    assert first == second == ANSWER
    assert server.connections == 2


async def test_a_late_byte_ends_an_idle_connection() -> None:
    late = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.send(whole())
        if exchange.connection == 1:
            await late.wait()
            await exchange.send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")

    async with serving(script) as server, upstream() as made:
        await ask(made, call_to(server.url))
        late.set()
        async with asyncio.timeout(WAIT_S):
            while made.connections:
                await asyncio.sleep(0.001)
        answered = await ask(made, call_to(server.url))

    assert answered == ANSWER


async def test_provisional_answers_are_skipped() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\ncontent-encoding: gzip\r\n\r\n",
            whole(),
        )

    async with serving(script) as server, upstream() as made:
        first = await ask(made, call_to(server.url))
        second = await ask(made, call_to(server.url))

    assert first == second == ANSWER
    assert server.connections == 1


async def test_chunks_of_any_size_with_extensions_and_trailers_are_read() -> None:
    framed = b"".join(b"1;x=1\r\n%c\r\n" % byte for byte in EVENTS)

    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD, framed, b"0\r\nx-trailer: 1\r\n\r\n")

    async with serving(script) as server, upstream() as made:
        first = await ask(made, call_to(server.url, stream=True))
        second = await ask(made, call_to(server.url, stream=True))

    assert first == second == EVENTS
    assert server.connections == 1


@pytest.mark.parametrize("coding", [b"gzip, chunked", b"gzip", b"identity", b"chunked, chunked"])
async def test_a_transfer_coding_that_nobody_asked_for_is_refused(coding: bytes) -> None:
    async def script(exchange: Exchange) -> None:
        head = SSE_HEAD.replace(b"chunked", coding)
        await exchange.send(head, chunked(EVENT, FINISH, DONE) + b"0\r\n\r\n")
        exchange.close()

    async with serving(script) as server, upstream() as made:
        failure = await failure_of(made, call_to(server.url, stream=True))

    assert failure.kind == "malformed"


async def test_a_body_that_ends_with_the_connection_is_whole() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n", ANSWER)
        exchange.close()

    async with serving(script) as server, upstream() as made:
        answered = await ask(made, call_to(server.url))

    assert answered == ANSWER


async def test_a_body_shorter_than_its_length_is_truncated() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(whole()[:-5])
        exchange.close()

    async with serving(script) as server, upstream() as made:
        failure = await failure_of(made, call_to(server.url))

    assert failure.kind == "truncated"


@pytest.mark.parametrize("ending", [Exchange.close, Exchange.reset], ids=["closed", "reset"])
async def test_a_stream_that_breaks_off_is_truncated_after_what_came(ending: object) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD + chunked(EVENT))
        await told.wait()
        assert callable(ending)
        ending(exchange)

    told = asyncio.Event()
    async with serving(script) as server, upstream() as made:
        answer = await made.open(call_to(server.url, stream=True))
        first = await anext(aiter(answer))
        told.set()
        with pytest.raises(Exception, match="broke off") as caught:
            await anext(aiter(answer))
        answer.close()

    assert first.raw == EVENT
    assert getattr(caught.value, "kind", None) == "truncated"


async def test_a_stream_without_its_own_end_is_truncated_even_if_the_framing_ended() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD + chunked(EVENT) + b"0\r\n\r\n")

    async with serving(script) as server, upstream() as made:
        failure = await failure_of(made, call_to(server.url, stream=True))

    assert failure.kind == "truncated"


async def test_a_stream_that_ended_is_whole_though_its_connection_breaks() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD + chunked(EVENT, FINISH, DONE))
        exchange.reset()

    async with serving(script) as server, upstream() as made:
        answered = await ask(made, call_to(server.url, stream=True))

    assert answered == EVENTS


async def test_a_stream_that_ended_does_not_wait_for_a_lazy_peer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("omniroute.routing.upstream.answer.END_GRACE_S", 0.05)

    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD + chunked(EVENT, FINISH, DONE))
        await exchange.reader.read(1)

    async with serving(script) as server, upstream() as made:
        async with asyncio.timeout(1.0):
            answered = await ask(made, call_to(server.url, stream=True))

    assert answered == EVENTS


async def test_an_answer_that_comes_while_we_still_write_is_taken() -> None:
    async def script(exchange: Exchange) -> None:
        error = b'{"error":{"message":"too large","type":"invalid_request_error"}}'
        await exchange.send(whole(error, status="413 Content Too Large"))
        await forever.wait()

    forever = asyncio.Event()
    body = b'{"model":"fast","x":"' + b"y" * (16 * 2**20) + b'"}'
    async with serving(script, read_body=False) as server, upstream() as made:
        failure = await failure_of(made, call_to(server.url, body=body))
        await settle()

        assert made.connections == 0
        assert failure.kind == "context_too_long"
        assert failure.provider_status == 413


async def test_a_peer_that_leaves_while_we_still_write_ends_the_call_at_once() -> None:
    async def script(exchange: Exchange) -> None:
        exchange.close()

    body = b'{"model":"fast","x":"' + b"y" * (16 * 2**20) + b'"}'
    async with serving(script, read_body=False) as server, upstream() as made:
        async with asyncio.timeout(1.0):
            failure = await failure_of(made, call_to(server.url, body=body))

    assert failure.kind == "connect"


async def test_a_peer_that_closes_its_side_while_we_still_write_ends_the_call_at_once() -> None:
    async def script(exchange: Exchange) -> None:
        exchange.writer.write_eof()
        await forever.wait()

    forever = asyncio.Event()
    body = b'{"model":"fast","x":"' + b"y" * (16 * 2**20) + b'"}'
    async with serving(script, read_body=False) as server, upstream() as made:
        async with asyncio.timeout(1.0):
            failure = await failure_of(made, call_to(server.url, body=body))
        await settle()

        assert failure.kind == "connect"
        assert made.connections == 0


async def test_a_large_request_arrives_as_it_is() -> None:
    body = b'{"model":"fast","x":"' + b"y" * (4 * 2**20) + b'"}'
    async with serving(answer_whole) as server, upstream() as made:
        await ask(made, call_to(server.url, body=body))

    assert server.requests[0].body == body


async def test_nobody_listening_is_a_failed_connect() -> None:
    async with serving(answer_whole) as server:
        port = server.port
    async with upstream() as made:
        failure = await failure_of(made, call_to(f"http://127.0.0.1:{port}/v1"))

    assert failure.kind == "connect"
    assert str(port) in str(failure)


async def test_one_dead_address_of_a_name_does_not_matter() -> None:
    async def both(host: str, port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    async with serving(answer_whole) as server, upstream(resolve=both) as made:
        answered = await ask(made, call_to(f"http://some.test:{server.port}/v1"))

    assert answered == ANSWER
    assert server.requests[0].header(b"host") == b"some.test:%d" % server.port


async def test_an_address_that_swallows_connections_leaves_time_for_the_next() -> None:
    async def both(host: str, port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    limits = structs.replace(LIMITS, connect_s=0.5)
    async with serving(answer_whole) as server, upstream(resolve=both) as made:
        with swallowing("127.0.0.2", server.port):
            url = f"http://some.test:{server.port}/v1"
            answered = await ask(made, call_to(url, limits=limits))

    assert answered == ANSWER


@contextlib.contextmanager
def swallowing(host: str, port: int) -> Iterator[None]:
    """Listen without ever accepting, with a queue that is full: further connects hang."""
    with contextlib.ExitStack() as sockets:
        listening = sockets.enter_context(socket.socket())
        listening.bind((host, port))
        listening.listen(0)
        for _ in range(3):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((host, port))
        yield


async def test_a_connection_that_died_before_its_first_request_fails_at_once() -> None:
    async with serving(answer_whole) as server:
        pool = Pool(Egress(), system_store)
        lane = pool.lane(Way(parse_base_url(server.url).origin, Permit(private=True)))
        connection = await lane.connect(timeout_s=WAIT_S)
        connection.abort()
        await settle()
        connection.send(b"GET", b"", LIMITS, total_deadline_s=float("inf"))
        with pytest.raises(UpstreamFailure) as caught:
            async with asyncio.timeout(1.0):
                await connection.head()

        assert caught.value.kind == "connect"
        assert pool.connections == 0


async def test_a_connection_that_comes_about_after_closing_is_not_used() -> None:
    async def slow(host: str, port: int) -> list[str]:
        await go_on.wait()
        return ["127.0.0.1"]

    go_on = asyncio.Event()
    async with serving(answer_whole) as server, upstream(resolve=slow) as made:
        url = f"http://slow.test:{server.port}/v1"
        waiting = asyncio.ensure_future(failure_of(made, call_to(url)))
        await settle()
        made.close()
        go_on.set()
        failure = await waiting

    assert failure.kind == "connect"
    assert server.requests == []


async def test_closing_ends_calls_under_way_and_refuses_new_ones() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.reader.read(1)

    async with serving(script) as server, upstream() as made:
        waiting = asyncio.ensure_future(failure_of(made, call_to(server.url)))
        async with asyncio.timeout(WAIT_S):
            while not server.requests:
                await asyncio.sleep(0.001)
        made.close()
        first = await waiting
        second = await failure_of(made, call_to(server.url))

    assert first.kind == "truncated"
    assert second.kind == "connect"
