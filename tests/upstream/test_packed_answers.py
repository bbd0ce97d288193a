"""Answers that come packed although nobody has asked for it: read as if they were not."""

import asyncio
import gzip
import json
import random
import tracemalloc
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import brotli  # type: ignore[import-untyped]
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.upstream.unpacked import UNPACKED_HERE_BYTES_MAX
from omniroute.routing.upstream.unpacking import DECODERS, NotPacked
from omniroute.routing.upstream.upstream import HttpUpstream

from .servers import (
    ANSWER,
    DONE,
    EVENT,
    EVENTS,
    FINISH,
    WAIT_S,
    Exchange,
    Script,
    ask,
    call_to,
    chunked,
    failure_of,
    serving,
    upstream,
    whole,
)

HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: %s\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
Parts = Callable[[Sequence[bytes]], Iterator[bytes]]


def gzipped(parts: Sequence[bytes]) -> Iterator[bytes]:
    yield from _deflated(parts, 31)


def deflated(parts: Sequence[bytes]) -> Iterator[bytes]:
    yield from _deflated(parts, 15)


def bare(parts: Sequence[bytes]) -> Iterator[bytes]:
    yield from _deflated(parts, -15)


def _deflated(parts: Sequence[bytes], bits: int) -> Iterator[bytes]:
    packer = zlib.compressobj(6, zlib.DEFLATED, bits)
    for part in parts:
        yield packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()


def brotlied(parts: Sequence[bytes]) -> Iterator[bytes]:
    packer = brotli.Compressor(quality=5)
    for part in parts:
        yield packer.process(part) + packer.flush()
    yield packer.finish()


def zstded(parts: Sequence[bytes]) -> Iterator[bytes]:
    packer = zstd.ZstdCompressor()
    for part in parts:
        yield packer.compress(part, packer.FLUSH_BLOCK)
    yield packer.flush()


PACKERS: dict[str, Parts] = {
    "gzip": gzipped,
    "deflate": deflated,
    "deflate without a header": bare,
    "br": brotlied,
    "zstd": zstded,
}
ALL = pytest.mark.parametrize("packing", PACKERS)


def coding_of(packing: str) -> bytes:
    return packing.partition(" ")[0].encode()


def packed(packing: str, body: bytes) -> bytes:
    return b"".join(PACKERS[packing]((body,)))


def answering(packing: str, body: bytes, *, status: str = "200 OK") -> Script:
    """Give a provider whose every answer holds these bytes, packed already."""

    async def script(exchange: Exchange) -> None:
        headers = b"content-encoding: %s\r\n" % coding_of(packing)
        await exchange.send(whole(body, status=status, headers=headers))

    return script


def streaming(packing: str, *parts: bytes) -> Script:
    """Give a provider that streams these bytes, packed already."""

    async def script(exchange: Exchange) -> None:
        await exchange.send(HEAD % coding_of(packing), chunked(*parts), b"0\r\n\r\n")

    return script


@pytest.mark.anyio
@ALL
async def test_a_packed_answer_is_read_and_its_connection_kept(packing: str) -> None:
    async with (
        serving(answering(packing, packed(packing, ANSWER))) as server,
        upstream() as made,
    ):
        answers = [await ask(made, call_to(server.url)) for _ in range(2)]

    assert answers == [ANSWER, ANSWER]
    assert server.requests[0].header(b"accept-encoding") == b"identity"
    assert {one.connection for one in server.requests} == {server.requests[0].connection}


@pytest.mark.anyio
async def test_a_long_packed_answer_is_read_as_well() -> None:
    words = random.Random(1).randbytes(100_000).hex()
    answer = ANSWER.replace(b"hello", words.encode())
    body = gzip.compress(answer)

    async with serving(answering("gzip", body)) as server, upstream() as made:
        got = await ask(made, call_to(server.url))

    assert len(body) > UNPACKED_HERE_BYTES_MAX
    assert got == answer


@pytest.mark.anyio
@ALL
async def test_of_a_packed_stream_nothing_waits_for_what_comes_later(packing: str) -> None:
    seen = asyncio.Event()
    parts = [one for one in PACKERS[packing]((EVENT, FINISH + DONE)) if one]

    async def script(exchange: Exchange) -> None:
        await exchange.send(HEAD % coding_of(packing), chunked(parts[0]))
        await asyncio.wait_for(seen.wait(), WAIT_S)
        await exchange.send(chunked(*parts[1:]), b"0\r\n\r\n")

    async with serving(script) as server, upstream() as made, asyncio.timeout(WAIT_S):
        answer = await made.open(call_to(server.url, stream=True))
        raw = (await anext(answer.__aiter__())).raw
        seen.set()
        raw += b"".join([piece.raw async for piece in answer])
        answer.close()

    assert raw == EVENTS
    assert b"content-encoding" not in answer.headers


@pytest.mark.anyio
@ALL
async def test_a_bomb_costs_little_memory(packing: str) -> None:
    bomb, stream = packed(packing, b"[" * 50_000_000), packed(packing, EVENT * 200_000)
    kinds: list[str] = []

    tracemalloc.start()
    async with serving(answering(packing, bomb)) as server, upstream() as made:
        kinds.append((await failure_of(made, call_to(server.url))).kind)
    async with serving(streaming(packing, stream)) as server, upstream() as made:
        async with asyncio.timeout(WAIT_S * 6):
            kinds.append(await kind_of_the_end(made, server.url))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert kinds == ["too_large", "too_large"]
    assert most < 16 * 2**20


async def kind_of_the_end(made: HttpUpstream, url: str) -> str:
    """Give how a stream ends of which nothing is kept."""
    answer = await made.open(call_to(url, stream=True))
    try:
        async for _ in answer:
            pass
    except UpstreamFailure as failure:
        return failure.kind
    return "answered"


@pytest.mark.anyio
@ALL
async def test_what_is_cut_or_is_something_else_is_a_fault_of_its_provider(packing: str) -> None:
    body = packed(packing, ANSWER)
    bodies = [body[:-6], b"\xff\xfe" + body, b"\x00" * 100]
    kinds: list[str] = []

    for one in bodies:
        async with serving(answering(packing, one)) as server, upstream() as made:
            kinds.append((await failure_of(made, call_to(server.url))).kind)
        async with serving(streaming(packing, one)) as server, upstream() as made:
            kinds.append((await failure_of(made, call_to(server.url, stream=True))).kind)

    assert kinds[0] == "truncated"
    assert set(kinds) <= {"truncated", "malformed"}


@pytest.mark.anyio
@ALL
async def test_a_packed_refusal_is_understood(packing: str) -> None:
    words = {"error": {"message": "the prompt is too long", "code": "context_length_exceeded"}}
    body = packed(packing, json.dumps(words).encode())

    async with (
        serving(answering(packing, body, status="400 Bad Request")) as server,
        upstream() as made,
    ):
        failure = await failure_of(made, call_to(server.url))

    assert failure.kind == "context_too_long"
    assert failure.body == json.dumps(words).encode()


@settings(max_examples=60, deadline=None)
@given(
    text=st.binary(max_size=300) | st.binary(min_size=1, max_size=20).map(lambda one: one * 9000),
    cuts=st.lists(st.integers(0, 2000), max_size=8),
    packing=st.sampled_from(sorted(PACKERS)),
)
def test_however_it_is_cut_the_same_is_unpacked(text: bytes, cuts: list[int], packing: str) -> None:
    body, decoder = packed(packing, text), DECODERS[coding_of(packing)]()
    places = [0, *sorted(min(one, len(body)) for one in cuts), len(body)]

    pieces = [piece for begin, end in pairwise(places) for piece in decoder.feed(body[begin:end])]
    decoder.end()

    assert b"".join(pieces) == text
    assert max(map(len, pieces), default=0) <= 2 * 64 * 1024


@settings(max_examples=100, deadline=None)
@given(
    noise=st.binary(max_size=200), at=st.integers(0, 60), packing=st.sampled_from(sorted(PACKERS))
)
def test_no_bytes_do_worse_than_not_to_be_packed(noise: bytes, at: int, packing: str) -> None:
    body = packed(packing, ANSWER)
    decoder = DECODERS[coding_of(packing)]()

    try:
        found = b"".join(decoder.feed(body[:at] + noise + body[at:]))
        decoder.end()
    except NotPacked as fault:
        found = str(fault).encode()

    assert found
