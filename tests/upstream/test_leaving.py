"""Whoever stops listening stops the provider: at once, whatever the answer is doing."""

import asyncio
import gc
import time

import pytest

from omniroute.routing.upstream.connection import Connection

from .servers import (
    EVENT,
    SSE_HEAD,
    STREAM,
    WAIT_S,
    Exchange,
    Server,
    ask,
    call_to,
    chunked,
    serving,
    settle,
    upstream,
)

pytestmark = pytest.mark.anyio

CLOSED_S_MAX = 0.1


async def seconds_until_gone(server: Server) -> float:
    began = time.perf_counter()
    async with asyncio.timeout(WAIT_S):
        await server.gone.wait()
    return time.perf_counter() - began


async def test_closing_an_answer_midway_closes_the_connection_at_once() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD + chunked(EVENT))
        await exchange.reader.readexactly(1)

    async with serving(script) as server, upstream() as made:
        answer = await made.open(call_to(server.url, stream=True))
        await anext(aiter(answer))
        answer.close()
        took_s = await seconds_until_gone(server)

        assert took_s < CLOSED_S_MAX
        assert made.connections == 0


async def test_nothing_more_is_read_of_a_closed_answer() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD + chunked(EVENT))
        await go_on.wait()
        try:
            while True:
                await exchange.send(chunked(EVENT))
        except ConnectionError:
            server.gone.set()
            raise

    go_on = asyncio.Event()
    async with serving(script) as server, upstream() as made:
        answer = await made.open(call_to(server.url, stream=True))
        pieces = aiter(answer)
        await anext(pieces)
        answer.close()
        go_on.set()
        await seconds_until_gone(server)
        rest = [piece async for piece in pieces]

    assert rest == []


async def test_a_caller_that_is_cancelled_while_waiting_closes_the_connection() -> None:
    async def script(exchange: Exchange) -> None:
        arrived.set()
        await exchange.reader.readexactly(1)

    arrived = asyncio.Event()
    async with serving(script) as server, upstream() as made:
        waiting = asyncio.ensure_future(made.open(call_to(server.url)))
        async with asyncio.timeout(WAIT_S):
            await arrived.wait()
        waiting.cancel()
        took_s = await seconds_until_gone(server)
        with pytest.raises(asyncio.CancelledError):
            await waiting

    assert took_s < CLOSED_S_MAX


async def test_a_caller_that_is_cancelled_between_two_pieces_closes_the_connection() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD + chunked(EVENT))
        await exchange.reader.readexactly(1)

    async def listen() -> None:
        answer = await made.open(call_to(server.url, stream=True))
        async for _ in answer:
            arrived.set()

    arrived = asyncio.Event()
    async with serving(script) as server, upstream() as made:
        listening = asyncio.ensure_future(listen())
        async with asyncio.timeout(WAIT_S):
            await arrived.wait()
        await settle()
        listening.cancel()
        took_s = await seconds_until_gone(server)
        with pytest.raises(asyncio.CancelledError):
            await listening

    assert took_s < CLOSED_S_MAX


async def test_a_caller_that_is_cancelled_while_connecting_leaves_nothing() -> None:
    async def slow(host: str, port: int) -> list[str]:
        asked.set()
        await asyncio.sleep(WAIT_S)
        return ["127.0.0.1"]

    asked = asyncio.Event()
    async with upstream(resolve=slow) as made:
        waiting = asyncio.ensure_future(made.open(call_to("https://slow.test/v1")))
        async with asyncio.timeout(WAIT_S):
            await asked.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

        assert made.connections == 0


async def test_a_whole_answer_that_is_closed_unread_gives_its_connection_back() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(STREAM)

    async with serving(script) as server, upstream() as made:
        answer = await made.open(call_to(server.url, stream=True))
        await settle()
        answer.close()
        answer.close()
        await ask(made, call_to(server.url, stream=True))

        assert server.connections == 1


async def test_an_old_answer_cannot_close_the_next_one() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(STREAM)

    async with serving(script) as server, upstream() as made:
        first = await made.open(call_to(server.url, stream=True))
        async for _ in first:
            pass
        second = await made.open(call_to(server.url, stream=True))
        first.close()
        pieces = [piece async for piece in second]
        second.close()

        assert server.connections == 1
        assert pieces


async def test_callers_that_leave_at_any_moment_leave_nothing_behind() -> None:
    async def script(exchange: Exchange) -> None:
        await asyncio.sleep(0.002)
        await exchange.send(SSE_HEAD)
        for _ in range(20):
            await exchange.send(chunked(EVENT))
            await asyncio.sleep(0.001)
        await exchange.reader.readexactly(1)

    async def listen() -> None:
        answer = await made.open(call_to(server.url, stream=True))
        try:
            async for _ in answer:
                pass
        finally:
            answer.close()

    async with serving(script) as server, upstream() as made:
        callers = []
        for number in range(200):
            callers.append(asyncio.ensure_future(listen()))
            asyncio.get_running_loop().call_later(number % 25 / 1000, callers[-1].cancel)
        ended = await asyncio.gather(*callers, return_exceptions=True)
        await settle()

        assert all(isinstance(one, asyncio.CancelledError) for one in ended)
        assert made.connections == 0
        async with asyncio.timeout(WAIT_S):
            while server.left < server.connections:
                await asyncio.sleep(0.001)


async def test_a_connection_that_ended_is_freed_without_the_garbage_collector() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD + chunked(EVENT))
        await exchange.reader.readexactly(1)

    gc.collect()
    gc.disable()
    try:
        async with serving(script) as server, upstream() as made:
            answer = await made.open(call_to(server.url, stream=True))
            held = connections()
            await anext(aiter(answer))
            answer.close()
            del answer
            await seconds_until_gone(server)
            await settle()
            left = connections()
    finally:
        gc.enable()

    assert held == 1
    assert left == 0


def connections() -> int:
    return sum(isinstance(one, Connection) for one in gc.get_objects())
