"""Where bytes arrive and leave: the web server's own protocol, over real sockets."""

import asyncio
import random
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from omniroute.server import pace
from tests.edge_server import LONG, WAIT_S, App, Served, answer_of, length_in, post, serving

pytestmark = pytest.mark.anyio


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving(App()) as one:
        yield one


BOTH = pytest.mark.parametrize("at", ["", "asgi/"], ids=["hot", "asgi"])


@BOTH
async def test_a_whole_answer_comes_back_and_the_connection_serves_the_next(
    served: Served, at: str
) -> None:
    requests = (post(at + "whole", "first"), post(at + "whole", "2nd", "connection: close"))

    got = await served.ask(*requests)

    first, second = got.split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert first == b"content-length: 5\r\n\r\nfirst"
    head, _, body = second.partition(b"\r\n\r\n")
    assert sorted(head.split(b"\r\n")) == [b"connection: close", b"content-length: 3"]
    assert body == b"2nd"


@BOTH
async def test_a_stream_is_chunked_and_ends_once(served: Served, at: str) -> None:
    got = await served.ask(post(at + "stream", "", "connection: close"))

    head, _, body = got.partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head
    assert body == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"


@BOTH
async def test_the_head_of_a_stream_does_not_wait_for_its_first_part(
    served: Served, at: str
) -> None:
    got = await served.ask(post(at + "late"), until=b"\r\n\r\n")

    assert got.startswith(b"HTTP/1.1 200 OK\r\n")


@BOTH
async def test_whoever_answers_is_told_at_once_that_the_client_left(
    served: Served, at: str
) -> None:
    await served.ask(post(at + "late"), until=b"\r\n\r\n")

    await asyncio.wait_for(served.app.gone.wait(), WAIT_S)
    assert served.app.told == ["left"]
    assert served.app.busy == 0


@BOTH
async def test_a_client_that_leaves_with_a_second_request_waiting_stops_the_first(
    served: Served, at: str
) -> None:
    await served.ask(post(at + "late"), post(at + "whole", "x"), until=b"\r\n\r\n")

    await asyncio.wait_for(served.app.gone.wait(), WAIT_S)
    assert served.app.told == ["left"]


@pytest.mark.parametrize("path", ["asgi/injected", "asgi/short", "half"])
async def test_an_answer_that_no_client_could_read_rightly_is_cut_off(
    served: Served, path: str
) -> None:
    got = await served.ask(post(path))

    assert b"stolen" not in got
    assert b"four" not in got
    assert b"0\r\n\r\n" not in got


@pytest.mark.parametrize("path", ["silent", "faulty"])
async def test_a_door_that_fails_is_a_500_that_says_nothing_of_why(
    served: Served, path: str
) -> None:
    got = await served.ask(post(path))

    assert got.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert b"fault of ours" not in got
    assert served.app.busy == 0


async def test_an_answer_is_not_sent_twice(served: Served) -> None:
    await served.ask(post("asgi/twice", "x", "connection: close"))
    got = await served.ask(post("twice", "x", "connection: close"))

    assert served.app.told == [
        "http.response.body is due, not 'http.response.body'",
        "an answer is due once",
    ]
    assert got.count(b"HTTP/1.1") == 1


async def test_a_head_request_gets_the_head_alone(served: Served) -> None:
    got = await served.ask("HEAD /asgi/whole HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")

    assert got == b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


@BOTH
async def test_a_connection_of_the_old_version_ends_after_its_answer(
    served: Served, at: str
) -> None:
    got = await served.ask(post(at + "whole", "old", version="1.0"))

    assert b"connection: close\r\n" in got
    assert got.endswith(b"\r\n\r\nold")


@BOTH
@pytest.mark.parametrize(
    "head",
    [
        "POST /{at}whole HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
        "POST /{at}whole HTTP/1.1\r\nhost: a\r\nhost: b\r\ncontent-length: 0\r\n\r\n",
        "POST /{at}whole HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n"
        "transfer-encoding: chunked\r\n\r\n",
        "POST /{at}whole HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\nabc",
        "POST /{at}whole HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n"
        "transfer-encoding: chunked\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n",
        "nonsense\r\n\r\n",
    ],
    ids=[
        "no host",
        "two hosts",
        "two ways to say it",
        "two lengths",
        "upgrade",
        "no path",
        "no request",
    ],
)
async def test_what_two_servers_could_read_in_two_ways_is_refused(
    served: Served, head: str, at: str
) -> None:
    first = await served.ask(head.format(at=at))
    later = await served.ask(post(at + "whole", "a"), post(at + "whole", "b") + head.format(at=at))

    assert first.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert later.count(b"HTTP/1.1 200 OK") <= 2
    assert served.app.busy == 0


async def test_a_head_that_is_too_large_is_refused(served: Served) -> None:
    got = await served.ask(post("whole", "", "x-long: " + "a" * 100_000))

    assert got.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")


@pytest.mark.parametrize("begun", ["P", "POST /whole HTTP/1.1\r\nhost: h\r\n"])
async def test_a_head_that_does_not_come_in_time_is_refused(
    monkeypatch: pytest.MonkeyPatch, served: Served, begun: str
) -> None:
    monkeypatch.setattr(pace, "HEAD_S_MAX", 0.05)

    silent = await served.ask()
    first = await served.ask(begun)
    later = await served.ask(post("whole", "x") + begun)

    assert silent.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert first.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert later.partition(b"\r\n\r\nx")[2].startswith(b"HTTP/1.1 408 Request Timeout\r\n")


async def test_the_deadline_of_a_head_does_not_touch_an_answer_that_takes_longer(
    monkeypatch: pytest.MonkeyPatch, served: Served
) -> None:
    monkeypatch.setattr(pace, "HEAD_S_MAX", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    said: list[bytes] = []

    for _ in range(3):
        served.app.opened.clear()
        writer.write(post("slow", "x").encode())
        await asyncio.sleep(0.1)
        served.app.opened.set()
        said.append(await answer_of(reader))
    writer.close()

    assert said == [b"x"] * 3


async def test_a_connection_that_asks_nothing_more_is_let_go(served: Served) -> None:
    served.server.config.timeout_keep_alive = 1
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    began_s = asyncio.get_running_loop().time()
    for _ in range(3):
        writer.write(post("whole", "x").encode())
        await answer_of(reader)
        await asyncio.sleep(0.2)

    rest = await asyncio.wait_for(reader.read(), WAIT_S)
    lived_s = asyncio.get_running_loop().time() - began_s
    writer.close()

    assert rest == b""
    assert lived_s > 1.3


async def test_the_same_head_again_is_not_read_again_and_means_the_same(served: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    bodies = ["a", "bc", "d" * 1234, "", "e"]

    for body in bodies:
        writer.write(post("whole", body, "x-a: 1").encode())
        assert (await answer_of(reader)) == body.encode()
    writer.close()

    # The first two are read: the first also waits for the connection's first byte.
    assert len(served.app.heads) == 2
    assert served.app.heads[1].named[b"x-a"] == b"1"


@pytest.mark.parametrize(
    "other",
    [
        post("whole", "x", "x-a: 2"),
        post("whole", "x", "x-a: 1", "x-b: 1"),
        post("asgi/whole", "x", "x-a: 1"),
        post("whole", "x", "x-a: 1").replace("content-length", "Content-Length"),
        post("whole", "x", "x-a: 1").replace("length: 1", "length:  1"),
        "POST /whole HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    ],
)
async def test_a_head_that_differs_at_all_is_read_by_itself(served: Served, other: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    said: list[bytes] = []

    for one in (post("whole", "1", "x-a: 1"), post("whole", "2", "x-a: 1"), other):
        writer.write(one.encode())
        said.append(await answer_of(reader))
    writer.close()

    assert said == [b"1", b"2", b"x"]
    served.app.heads[-1].forget(b"content-length")
    assert served.app.heads[-1].named == head_of(other)


async def test_what_a_remembered_head_does_not_fit_is_read_as_ever(served: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    for one in ("1", "2"):
        writer.write(post("whole", one).encode())
        await answer_of(reader)

    writer.write((post("whole", "two") + post("whole", "at once")).encode())
    together = [await answer_of(reader), await answer_of(reader)]
    writer.write(post("whole", "in").encode() + b"")
    parts = [await answer_of(reader)]
    whole = post("whole", "in parts").encode()
    writer.write(whole[:-3])
    await asyncio.sleep(0.05)
    writer.write(whole[-3:])
    parts.append(await answer_of(reader))
    writer.write(post("whole", "x").replace("length: 1", "length: 1x").encode())
    refused = await reader.read()
    writer.close()

    assert together == [b"two", b"at once"]
    assert parts == [b"in", b"in parts"]
    assert refused.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("seed", range(20))
async def test_where_the_network_cuts_a_request_changes_no_answer(
    served: Served, seed: int
) -> None:
    draw = random.Random(seed)
    paths = ["whole", "asgi/parts", "whole"]
    asked = [(draw.choice(paths), "x" * draw.choice([0, 1, 9, 10, 5000])) for _ in range(40)]
    data = "".join(post(path, body, "x-a: 1") for path, body in asked).encode()
    cuts = sorted(draw.sample(range(1, len(data)), 60))
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)

    async def send() -> None:
        for begin, end in pairwise([0, *cuts, len(data)]):
            writer.write(data[begin:end])
            await asyncio.sleep(draw.choice([0, 0, 0.001]))

    async with asyncio.TaskGroup() as group:
        group.create_task(send())
        said = [await answer_of(reader) for _ in asked]
    writer.close()

    assert said == [
        b"%d" % len(body) if path == "asgi/parts" else body.encode() for path, body in asked
    ]


@BOTH
async def test_a_body_that_comes_in_parts_is_put_together(served: Served, at: str) -> None:
    path = "whole" if not at else "asgi/parts"
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(
        f"POST /{path} HTTP/1.1\r\nhost: h\r\ncontent-length: {3 * len(LONG)}\r\n\r\n".encode()
    )
    for _ in range(3):
        await writer.drain()
        writer.write(LONG)

    said = await answer_of(reader)
    writer.close()

    assert said == (3 * LONG if not at else b"600000")


@BOTH
async def test_a_header_after_the_body_is_none(served: Served, at: str) -> None:
    got = await served.ask(
        f"POST /{at}names HTTP/1.1\r\nhost: h\r\nconnection: close\r\n"
        "transfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nauthorization: Bearer x\r\n\r\n"
    )

    assert got.endswith(b"\r\n\r\nhost connection transfer-encoding")


@BOTH
async def test_blanks_around_a_value_are_none_of_it(served: Served, at: str) -> None:
    await served.ask(
        f"POST /{at}names HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: 0\r\n"
        "mcp-name:  two words \t \r\nempty: \t\r\n\r\n"
    )

    named = dict(served.app.heads[0].headers)
    assert (named[b"mcp-name"], named[b"empty"]) == (b"two words", b"")


async def test_a_client_that_waits_is_told_to_send_its_body_once_it_is_wanted(
    served: Served,
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)

    for path in ("whole", "asgi/whole"):
        writer.write(post(path, "body", "expect: 100-continue")[:-4].encode())
        async with asyncio.timeout(WAIT_S):
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"body")
        assert await answer_of(reader) == b"body"
    # Refused before the body is wanted: whether it comes cannot be known.
    writer.write(post("refused", "body", "expect: 100-continue")[:-4].encode())
    refused = await reader.read()
    writer.close()

    assert refused.startswith(b"HTTP/1.1 401 Unauthorized\r\nconnection: close\r\n")


async def test_a_body_that_was_refused_is_passed_over(served: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(
        f"POST /whole HTTP/1.1\r\nhost: h\r\ncontent-length: {10 * len(LONG)}\r\n\r\n".encode()
    )
    for _ in range(10):
        writer.write(LONG)
        await writer.drain()
    writer.write(post("whole", "next").encode())

    async with asyncio.timeout(WAIT_S):
        first = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(length_in(first)))
    second = await answer_of(reader)
    writer.close()

    assert first.startswith(b"HTTP/1.1 413 ")
    assert second == b"next"


async def test_a_client_that_does_not_read_holds_a_stream_back(served: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=2**16)
    writer.write(post("flood", "", "connection: close").encode())
    await asyncio.wait_for(served.app.opened.wait(), WAIT_S)
    assert served.app.told == ["waits"]

    async with asyncio.timeout(WAIT_S):
        got = await reader.read()
        while not got.endswith(b"0\r\n\r\n"):
            got = got[-10:] + await reader.read(2**16)
    writer.close()


async def test_a_client_that_does_not_read_its_answers_gets_no_more_of_them(
    served: Served,
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=2**16)
    body = "x" * 100_000

    writer.write((post("whole", body) * 200).encode())
    await asyncio.sleep(0.3)
    begun = len(served.app.heads)
    for _ in range(200):
        assert len(await answer_of(reader)) == len(body)
    writer.close()

    assert begun < 200


async def test_requests_in_one_piece_are_answered_in_their_order(served: Served) -> None:
    paths = ["slow", "whole", "asgi/whole", "whole", "slow", "asgi/whole"] * 5
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write("".join(post(path, str(n)) for n, path in enumerate(paths)).encode())
    await asyncio.sleep(0.05)
    served.app.opened.set()

    said = [await answer_of(reader) for _ in paths]
    writer.close()

    assert said == [b"%d" % n for n in range(len(paths))]


async def test_a_refused_head_does_not_cut_the_answer_before_it_in_two(served: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(post("slow", "first").encode() + b"nonsense\r\n\r\n")
    await asyncio.sleep(0.05)
    served.app.opened.set()

    got = await reader.read()
    writer.close()

    assert got.endswith(b"\r\n\r\nfirst")
    assert got.count(b"HTTP/1.1") == 1


@BOTH
@pytest.mark.parametrize("body", ["", "body", "x" * 300_000], ids=["none", "short", "long"])
async def test_a_wish_for_another_protocol_is_answered_as_if_it_were_none(
    served: Served, at: str, body: str
) -> None:
    path = "asgi/parts" if at else "whole"
    wish = post(path, body, "connection: upgrade", "upgrade: h2c")

    got = await served.ask(wish, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + post("whole", "x"))

    head, _, said = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"connection: close" in head
    assert said == (b"%d" % len(body) if at else body.encode())


async def test_a_wish_for_another_protocol_whose_body_comes_later_is_answered(
    served: Served,
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    wish = post("whole", "one and two", "connection: upgrade", "upgrade: h2c").encode()
    for part in (wish[:-11], wish[-11:-4], wish[-4:] + b"more"):
        writer.write(part)
        await asyncio.sleep(0.02)

    assert await answer_of(reader) == b"one and two"
    assert await reader.read() == b""
    writer.close()


async def test_the_end_of_the_server_waits_for_the_answer_and_says_so(served: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(post("slow", "last").encode())
    await asyncio.sleep(0.05)

    served.server.should_exit = True
    assert await asyncio.wait_for(idle_reader.read(), WAIT_S) == b""
    served.app.opened.set()
    got = await asyncio.wait_for(reader.read(), WAIT_S)
    for one in (writer, idle_writer):
        one.close()

    assert b"connection: close\r\n" in got
    assert got.endswith(b"\r\n\r\nlast")


def head_of(request: str) -> dict[bytes, bytes]:
    lines = request.partition("\r\n\r\n")[0].split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines)
    named = {name.lower().encode(): value.strip().encode() for name, _, value in pairs}
    named.pop(b"content-length", None)
    return named


async def test_requests_that_wait_for_their_turn_beside_a_stream_are_all_answered(
    served: Served,
) -> None:
    served.app.turnstile.streams = 1

    got = await asyncio.gather(
        *(served.ask(post("whole", str(number), "connection: close")) for number in range(40))
    )

    assert [one.rpartition(b"\r\n\r\n")[2] for one in got] == [b"%d" % n for n in range(40)]


async def test_a_stream_is_counted_until_it_ends_or_its_client_leaves(served: Served) -> None:
    await served.ask(post("stream", "", "connection: close"))
    await served.ask(post("late"), until=b"\r\n\r\n")
    async with asyncio.timeout(WAIT_S):
        await served.app.gone.wait()
        while served.app.busy:
            await asyncio.sleep(0)

    assert served.app.turnstile.streams == 0
