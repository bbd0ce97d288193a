"""What slow, greedy and broken clients may take of a gateway, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest

from omniroute.server import own_exchange, pace
from omniroute.server.bounds import Bounds
from tests.edge_server import LONG, WAIT_S, App, Served, answer_of, post, serving

pytestmark = pytest.mark.anyio

BOTH = pytest.mark.parametrize("at", ["", "asgi/"], ids=["hot", "asgi"])
CHUNKED = "POST /{} HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n"
OPEN_BODY = "POST /{} HTTP/1.1\r\nhost: h\r\ncontent-length: 1000\r\n\r\nbegun"


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving(App()) as one:
        yield one


async def free_of_work(served: Served) -> None:
    async with asyncio.timeout(WAIT_S):
        while served.app.busy or served.server.server_state.tasks:
            await asyncio.sleep(0.01)


async def test_more_connections_than_may_be_open_are_turned_away_until_one_leaves(
    served: Served,
) -> None:
    served.app.bounds = Bounds(connections_max=2)
    held = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(2)]
    for reader, writer in held:
        writer.write(post("whole", "in").encode())
        assert await answer_of(reader) == b"in"

    turned_away = await served.ask()
    held[0][1].close()
    async with asyncio.timeout(WAIT_S):
        while served.app.bounds.connections > 1:
            await asyncio.sleep(0.01)
    again = await served.ask(post("whole", "now", "connection: close"))
    held[1][1].close()

    assert turned_away.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"retry-after: 1\r\n" in turned_away
    assert b'"code":"too_many_connections"' in turned_away
    assert again.endswith(b"\r\n\r\nnow")


def test_one_address_has_a_bound_of_its_own_and_gives_back_what_it_leaves() -> None:
    bounds = Bounds(per_address_max=2)

    statuses = [
        refused and refused.status
        for refused in (
            bounds.enter(("192.0.2.1", 1)),
            bounds.enter(("192.0.2.1", 2)),
            bounds.enter(("192.0.2.1", 3)),
            bounds.enter(("192.0.2.2", 4)),
        )
    ]
    bounds.leave(("192.0.2.1", 1))

    assert statuses == [None, None, 429, None]
    assert bounds.enter(("192.0.2.1", 5)) is None
    assert bounds.connections == 3


def test_an_address_of_ipv6_is_counted_with_its_neighbours_and_a_mapped_one_as_what_it_is() -> None:
    bounds = Bounds(per_address_max=1)

    first = bounds.enter(("2001:db8::1", 1))
    neighbour = bounds.enter(("2001:db8::ffff", 2))
    other = bounds.enter(("2001:db8:0:1::1", 3))
    mapped = bounds.enter(("::ffff:192.0.2.1", 4))
    plain = bounds.enter(("192.0.2.1", 5))

    assert [one is None for one in (first, neighbour, other, mapped, plain)] == [
        *(True, False, True, True, False),
    ]


def test_this_machine_and_trusted_proxies_stand_for_many_clients() -> None:
    bounds = Bounds(per_address_max=1, proxies=[ip_network("10.0.0.0/8")])
    addresses = ("127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3", "192.0.2.1")

    taken = {
        address: [bounds.enter((address, port)) is None for port in range(3)]
        for address in addresses
    }

    assert taken.pop("192.0.2.1") == [True, False, False]
    assert all(all(one) for one in taken.values())


@BOTH
async def test_a_body_that_stops_to_come_is_given_up_and_its_door_is_freed(
    monkeypatch: pytest.MonkeyPatch, served: Served, at: str
) -> None:
    monkeypatch.setattr(pace, "BODY_IDLE_S", 0.05)

    got = await served.ask(OPEN_BODY.format("asgi/parts" if at else "whole"))

    assert got.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert got.count(b"HTTP/1.1") == 1
    await free_of_work(served)


@BOTH
async def test_a_body_that_trickles_is_given_up_although_it_never_stops(
    monkeypatch: pytest.MonkeyPatch, served: Served, at: str
) -> None:
    monkeypatch.setattr(pace, "BODY_IDLE_S", 0.3)
    monkeypatch.setattr(pace, "BODY_BYTES_A_S", 10**6)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(OPEN_BODY.format("asgi/parts" if at else "whole").encode())

    async def trickle() -> None:
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.02)

    trickling = asyncio.create_task(trickle())
    got = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_S)
    trickling.cancel()
    writer.close()

    assert got.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    await free_of_work(served)


async def test_nobody_is_too_slow_while_the_gateway_does_not_read(
    monkeypatch: pytest.MonkeyPatch, served: Served
) -> None:
    monkeypatch.setattr(pace, "BODY_IDLE_S", 0.2)
    body = "x" * 900_000
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(post("slow", body, "connection: close").encode())
    await asyncio.sleep(0.5)

    served.app.opened.set()
    got = await answer_of(reader)
    writer.close()

    assert len(got) == len(body)


async def test_a_body_that_is_refused_late_does_not_leave_its_door_waiting(
    served: Served,
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write((CHUNKED.format("whole") + "5\r\nbegun\r\n").encode())
    async with asyncio.timeout(WAIT_S):
        while "unread" not in served.app.told:
            await asyncio.sleep(0.01)

    writer.write(b"nonsense\r\n")
    got = await asyncio.wait_for(reader.read(), WAIT_S)
    writer.close()

    assert got.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    await free_of_work(served)


@BOTH
@pytest.mark.parametrize("flood", [b"1;" + b"a" * 100_000, b"0\r\nx: " + b"a" * 100_000])
async def test_what_frames_a_body_or_follows_it_is_bounded(
    served: Served, at: str, flood: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(CHUNKED.format("asgi/parts" if at else "whole").encode() + flood)

    async def go_on() -> None:
        while True:
            writer.write(b"a" * 10_000)
            await asyncio.sleep(0.001)

    sending = asyncio.create_task(go_on())
    got = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_S)
    sending.cancel()
    writer.close()

    assert got.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    await free_of_work(served)


async def test_small_parts_of_a_body_are_no_flood(served: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(CHUNKED.format("whole").encode())
    for _ in range(10):
        writer.write(b"1\r\nx\r\n" * 20_000)
        await writer.drain()
    writer.write(b"0\r\n\r\n")

    got = await answer_of(reader)
    writer.close()

    assert got == b"x" * 200_000


@pytest.mark.parametrize("path", ["flood", "pages", "asgi/flood"])
async def test_a_client_that_does_not_take_its_answer_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, served: Served, path: str
) -> None:
    monkeypatch.setattr(pace, "UNTAKEN_S_MAX", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1024)

    writer.write(post(path, "").encode())
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_S)

    async with asyncio.timeout(WAIT_S):
        while served.app.bounds.connections:
            await asyncio.sleep(0.01)
    await free_of_work(served)
    writer.close()
    assert not served.server.server_state.connections


async def test_what_is_held_of_bodies_has_one_bound_over_all(served: Served) -> None:
    served.app.bounds = Bounds(bytes_max=500_000)
    begun = f"POST /whole HTTP/1.1\r\nhost: h\r\ncontent-length: {2 * len(LONG)}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(begun.encode() + LONG + LONG[:100_000])
    async with asyncio.timeout(WAIT_S):
        while served.app.bounds.held_bytes < 300_000:
            await asyncio.sleep(0.01)

    small = await served.ask(post("whole", "small", "connection: close"))
    too_much = await served.ask(begun, "x" * 300_000, until=b"\r\n\r\n")
    writer.write(LONG[100_000:])
    first = await answer_of(reader)
    again = await served.ask(begun, "x" * (2 * len(LONG)), until=b"\r\n\r\n")
    writer.close()
    await free_of_work(served)

    assert small.endswith(b"\r\n\r\nsmall")
    assert too_much.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"retry-after: 1\r\n" in too_much
    assert len(first) == 2 * len(LONG)
    assert again.startswith(b"HTTP/1.1 200 OK\r\n")
    assert served.app.bounds.held_bytes == 0


@BOTH
async def test_a_client_that_leaves_in_its_body_holds_nothing(served: Served, at: str) -> None:
    begun = f"POST /{at or 'whole'} HTTP/1.1\r\nhost: h\r\ncontent-length: 900000\r\n\r\n"
    begun = begun.replace("asgi/", "asgi/parts")
    _, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(begun.encode() + LONG + LONG)
    async with asyncio.timeout(WAIT_S):
        while not served.app.bounds.held_bytes:
            await asyncio.sleep(0.01)

    writer.close()
    async with asyncio.timeout(WAIT_S):
        while served.app.bounds.connections:
            await asyncio.sleep(0.01)
    await free_of_work(served)

    assert served.app.bounds.held_bytes == 0


async def test_what_comes_after_a_refusal_is_passed_over_to_a_bound(
    monkeypatch: pytest.MonkeyPatch, served: Served
) -> None:
    monkeypatch.setattr(own_exchange, "PASSED_OVER_BYTES_MAX", 2_000_000)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(CHUNKED.format("whole").encode())

    async def go_on() -> None:
        while True:
            writer.write(b"%x\r\n%b\r\n" % (len(LONG), LONG))
            await writer.drain()

    sending = asyncio.create_task(go_on())
    first = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_S)
    (ended,) = await asyncio.wait_for(asyncio.gather(sending, return_exceptions=True), WAIT_S)
    writer.close()

    assert first.startswith(b"HTTP/1.1 413 ")
    assert isinstance(ended, ConnectionError)
