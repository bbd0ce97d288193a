"""Which connection serves a request, and how long an unused one is kept."""

import asyncio

import pytest

from .servers import Exchange, ask, call_to, read_all, serving, settle, upstream, whole

pytestmark = pytest.mark.anyio

SHORT_S = 0.1
LONG_S = 2.0


async def answer(exchange: Exchange) -> None:
    await exchange.send(whole())


async def test_the_connection_that_was_used_last_is_used_next() -> None:
    async with serving(answer) as server, upstream() as made:
        answers = [await made.open(call_to(server.url)) for _ in range(3)]
        for one in reversed(answers):
            await read_all(one)
        for _ in range(3):
            await ask(made, call_to(server.url))

        assert [one.connection for one in server.requests] == [1, 2, 3, 1, 1, 1]


async def test_a_peer_cannot_have_a_connection_kept_longer_than_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("omniroute.routing.upstream.exchange.KEEP_ALIVE_S", SHORT_S)

    async def script(exchange: Exchange) -> None:
        await exchange.send(whole(headers=b"keep-alive: timeout=3600, max=1000\r\n"))

    async with serving(script) as server, upstream() as made:
        await ask(made, call_to(server.url))
        await asyncio.sleep(2 * SHORT_S)
        await ask(made, call_to(server.url))

        assert [one.connection for one in server.requests] == [1, 2]


async def test_a_peers_own_keep_alive_time_is_kept_to(monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(whole(headers=b"keep-alive: timeout=31\r\n"))

    loop = asyncio.get_running_loop()
    async with serving(script) as server, upstream() as made:
        await ask(made, call_to(server.url))
        began_s = loop.time()
        connections = []
        for later_s in (0.0, 29.0, 58.5, 90.0):
            monkeypatch.setattr(loop, "time", lambda now_s=began_s + later_s: now_s)
            await ask(made, call_to(server.url))
            monkeypatch.undo()
            connections.append(server.requests[-1].connection)

    assert connections == [1, 1, 1, 2]


async def test_no_task_is_made_for_a_request() -> None:
    async with serving(answer) as server, upstream() as made:
        await ask(made, call_to(server.url))
        before = asyncio.all_tasks()
        answers = [await made.open(call_to(server.url)) for _ in range(5)]
        ours = [task for task in asyncio.all_tasks() - before if "serv" not in str(task)]
        for one in answers:
            await read_all(one)
        await settle()

    assert ours == []
