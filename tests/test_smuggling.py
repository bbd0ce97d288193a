"""Requests that two servers could read in two ways: each is refused, alone and behind others.

The smuggled request is a POST to /smuggled in all of them: no door is ever asked for it.

Source: the probes of "HTTP Desync Attacks" (PortSwigger, 2019 to 2025: CL.TE, TE.CL, TE.TE,
CL.0, 0.CL, Expect), RFC 9112 sections 3.2, 5.1, 5.2, 6.1, 6.3 and 11.2; read 2026-11-23.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import pytest

from tests import services
from tests.edge_server import WAIT_S, App, Served, post, serving
from tests.upstream import intermediaries
from tests.upstream.authority import authority_in
from tests.upstream.intermediaries import Intermediary

pytestmark = pytest.mark.anyio

PROBE_S = 0.1
SMUGGLED = "POST /smuggled HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n"
HEAD = "POST /whole HTTP/1.1\r\nhost: h\r\n"
CHUNKS = "0\r\n\r\n" + SMUGGLED
PROBES = {
    "length and coding": HEAD + "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n" + CHUNKS,
    "coding and length": HEAD + "transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n" + CHUNKS,
    "two lengths": HEAD + "content-length: 0\r\ncontent-length: 66\r\n\r\n" + SMUGGLED,
    "one length twice": HEAD + "content-length: 0\r\ncontent-length: 0\r\n\r\n" + SMUGGLED,
    "lengths in a list": HEAD + "content-length: 0, 66\r\n\r\n" + SMUGGLED,
    "a negative length": HEAD + "content-length: -1\r\n\r\n" + SMUGGLED,
    "a length with a sign": HEAD + "content-length: +66\r\n\r\n" + SMUGGLED,
    "a length in hexadecimal": HEAD + "content-length: 0x42\r\n\r\n" + SMUGGLED,
    "a length beyond 64 bits": HEAD + "content-length: 18446744073709551616\r\n\r\n" + SMUGGLED,
    "an empty length": HEAD + "content-length: \r\n\r\n" + SMUGGLED,
    "a line feed alone": HEAD.replace("\r\n", "\n") + "content-length: 0\n\n" + SMUGGLED,
    "a carriage return in a value": HEAD + "x: a\rcontent-length: 66\r\n\r\n" + SMUGGLED,
    "a zero byte in a value": HEAD + "x: a\0b\r\ncontent-length: 0\r\n\r\n" + SMUGGLED,
    "a folded line": HEAD + "x: a\r\n transfer-encoding: chunked\r\n\r\n" + CHUNKS,
    "a blank before the colon": HEAD + "transfer-encoding : chunked\r\n\r\n" + CHUNKS,
    "a blank before the name": HEAD + " transfer-encoding: chunked\r\n\r\n" + CHUNKS,
    "a name of odd bytes": HEAD + "transfer\x0bencoding: chunked\r\n\r\n" + CHUNKS,
    "no name": HEAD + ": chunked\r\n\r\n" + CHUNKS,
    "an odd coding": HEAD + "transfer-encoding: xchunked\r\n\r\n" + CHUNKS,
    "a coding that is none": HEAD + "transfer-encoding: identity\r\n\r\n" + CHUNKS,
    "two codings": HEAD + "transfer-encoding: gzip, chunked\r\n\r\n" + CHUNKS,
    "chunked twice": HEAD + "transfer-encoding: chunked, chunked\r\n\r\n" + CHUNKS,
    "a coding after chunked": HEAD + "transfer-encoding: chunked, identity\r\n\r\n" + CHUNKS,
    "codings in two headers": HEAD
    + "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n"
    + CHUNKS,
    "a coding in quotes": HEAD + 'transfer-encoding: "chunked"\r\n\r\n' + CHUNKS,
    "a coding after a tab": HEAD + "transfer-encoding:\x0bchunked\r\n\r\n" + CHUNKS,
    "a coding in the old version": "POST /whole HTTP/1.0\r\nhost: h\r\n"
    "transfer-encoding: chunked\r\n\r\n" + CHUNKS,
    "a part without an end": HEAD + "transfer-encoding: chunked\r\n\r\n1\r\nxx\r\n" + CHUNKS,
    "a part with a line feed": HEAD + "transfer-encoding: chunked\r\n\r\n1\nx\n0\n\n" + SMUGGLED,
    "a part of odd length": HEAD + "transfer-encoding: chunked\r\n\r\n0x0\r\n\r\n" + SMUGGLED,
    "a part of negative length": HEAD + "transfer-encoding: chunked\r\n\r\n-1\r\n\r\n" + SMUGGLED,
    "a part beyond 64 bits": HEAD
    + "transfer-encoding: chunked\r\n\r\n10000000000000000\r\n\r\n"
    + SMUGGLED,
    "no host": "POST /whole HTTP/1.1\r\ncontent-length: 0\r\n\r\n" + SMUGGLED,
    "two hosts": HEAD + "host: other\r\ncontent-length: 0\r\n\r\n" + SMUGGLED,
    "a host that is a list": HEAD.replace("host: h", "host: h, other") + "\r\n" + SMUGGLED,
    "a host with a user": HEAD.replace("host: h", "host: h@other") + "\r\n" + SMUGGLED,
    "a host with a path": HEAD.replace("host: h", "host: h/whole?") + "\r\n" + SMUGGLED,
    "an empty host": HEAD.replace("host: h", "host: ") + "\r\n" + SMUGGLED,
    "a whole URL": HEAD.replace("/whole", "http://other/whole") + "\r\n" + SMUGGLED,
    "no target": HEAD.replace(" /whole", "") + "\r\n" + SMUGGLED,
    "a target without a slash": HEAD.replace("/whole", "whole") + "\r\n" + SMUGGLED,
    "no version": HEAD.replace(" HTTP/1.1", "") + "\r\n" + SMUGGLED,
    "another version": HEAD.replace("HTTP/1.1", "HTTP/3.7") + "\r\n" + SMUGGLED,
    "another protocol": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SMUGGLED,
    "two kinds of content": HEAD
    + "content-type: a/b\r\ncontent-type: c/d\r\ncontent-length: 0\r\n\r\n",
    "an upgrade in parts": HEAD
    + "connection: upgrade\r\nupgrade: h2c\r\ntransfer-encoding: chunked\r\n\r\n"
    + CHUNKS,
    "too many headers": HEAD + "x: y\r\n" * 201 + "content-length: 0\r\n\r\n",
}


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving(App()) as one:
        yield one


async def probed(port: int, probe: str) -> None:
    """Send a probe, and wait for the first answer to it if one comes soon."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(probe.encode("latin-1"))
    with suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError):
        async with asyncio.timeout(PROBE_S):
            await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def answered(port: int, body: str) -> bytes:
    """Give the body of the answer to a plain request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(post("whole", body, "connection: close").encode())
    async with asyncio.timeout(WAIT_S):
        got = await reader.read()
    writer.close()
    return got.rpartition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("probe", PROBES)
async def test_a_request_that_can_be_read_in_two_ways_is_refused(
    served: Served, probe: str
) -> None:
    got: list[bytes] = []

    for bodies in ((), ("first", "other")):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        for body in bodies:
            writer.write(post("whole", body).encode())
            async with asyncio.timeout(WAIT_S):
                await reader.readuntil(body.encode())
        writer.write(PROBES[probe].encode("latin-1"))
        got.append(await asyncio.wait_for(reader.read(), WAIT_S))
        writer.close()

    for one in got:
        assert one.startswith((b"HTTP/1.1 400 Bad Request\r\n", b"HTTP/1.1 431 "))
        assert b"connection: close\r\n" in one
        assert b"\nHTTP/1.1 " not in one
    assert "/smuggled" not in [head.path for head in served.app.heads]
    assert served.app.busy == 0


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def before(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Intermediary]:
    authority = authority_in(tmp_path_factory.mktemp("authority"))
    with (
        services.temporary_folder(f"omni-{request.param}-") as folder,
        intermediaries.running(request.param, folder, authority) as made,
    ):
        yield made


async def test_behind_another_server_both_read_the_same_requests(before: Intermediary) -> None:
    app = App()
    bodies: list[bytes] = []

    async with serving(app, before.provider_port):
        for number, probe in enumerate(PROBES.values()):
            await probed(before.plain_port, probe)
            # What a probe left behind on the way would be in front of this one's answer.
            bodies.append(await answered(before.plain_port, str(number)))

    assert bodies == [b"%d" % number for number in range(len(PROBES))]
