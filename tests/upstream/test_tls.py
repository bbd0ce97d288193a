"""Encrypted connections: a server is believed only with a certificate for its name."""

import asyncio
import ssl
import tracemalloc
from pathlib import Path

import pytest

from omniroute.routing.upstream.exchange import BUFFERED_BYTES_MAX, READ_BYTES_MAX
from omniroute.routing.upstream.tls import verifying_context

from .authority import Authority, authority_in
from .servers import (
    ANSWER,
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
    failure_of,
    read_all,
    serving,
    settle,
    upstream,
    whole,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return authority_in(tmp_path)


async def to_loopback(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


async def answer_stream(exchange: Exchange) -> None:
    await exchange.send(STREAM)


async def test_a_server_with_a_certificate_for_its_name_is_believed(authority: Authority) -> None:
    context = authority.server("api.test")
    async with (
        serving(answer_stream, tls=context) as server,
        upstream(tls=authority.trusted, resolve=to_loopback) as made,
    ):
        url = f"https://api.test:{server.port}/v1"
        first = await ask(made, call_to(url, stream=True))
        second = await ask(made, call_to(url, stream=True))

        assert first == second == EVENTS
        assert server.connections == 1
        assert server.requests[0].header(b"host") == b"api.test:%d" % server.port


async def test_a_certificate_may_be_for_an_address(authority: Authority) -> None:
    context = authority.server("127.0.0.1")
    async with (
        serving(answer_stream, tls=context) as server,
        upstream(tls=authority.trusted) as made,
    ):
        answered = await ask(made, call_to(server.url, stream=True))

    assert answered == EVENTS


@pytest.mark.parametrize(
    ("name", "days", "own", "said"),
    [
        ("other.test", 1, False, "hostname mismatch"),
        ("api.test", -1, False, "expired"),
        ("api.test", 1, True, "self signed"),
    ],
    ids=["another name", "expired", "self-signed"],
)
async def test_a_server_that_cannot_prove_its_name_gets_nothing(
    authority: Authority, name: str, days: int, *, own: bool, said: str
) -> None:
    context = authority.server(name, days=days, own=own)
    async with (
        serving(answer_stream, tls=context) as server,
        upstream(tls=authority.trusted, resolve=to_loopback) as made,
    ):
        failure = await failure_of(made, call_to(f"https://api.test:{server.port}/v1"))

    assert failure.kind == "tls"
    assert said in str(failure).lower().replace("-", " ")
    assert server.requests == []


async def test_an_unknown_authority_is_refused_by_the_systems_store(authority: Authority) -> None:
    context = authority.server("api.test")
    async with (
        serving(answer_stream, tls=context) as server,
        upstream(tls=verifying_context, resolve=to_loopback) as made,
    ):
        failure = await failure_of(made, call_to(f"https://api.test:{server.port}/v1"))

    assert failure.kind == "tls"
    assert "unable to get local issuer certificate" in str(failure)
    assert "SSL_CERT_FILE" in str(failure)
    assert server.requests == []


async def test_a_plain_server_at_an_encrypted_url_is_a_tls_failure(authority: Authority) -> None:
    async def speak_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(whole())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(speak_plainly, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, upstream(tls=authority.trusted) as made:
        failure = await failure_of(made, call_to(f"https://127.0.0.1:{port}/v1"))

    assert failure.kind == "tls"


async def test_closing_an_encrypted_answer_closes_its_connection_at_once(
    authority: Authority,
) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD + chunked(EVENT))
        await exchange.reader.readexactly(1)

    context = authority.server("127.0.0.1")
    async with (
        serving(script, tls=context) as server,
        upstream(tls=authority.trusted) as made,
    ):
        answer = await made.open(call_to(server.url, stream=True))
        await anext(aiter(answer))
        answer.close()
        async with asyncio.timeout(WAIT_S):
            await server.gone.wait()
        await settle()

        assert made.connections == 0


async def test_an_encrypted_body_shorter_than_its_length_is_truncated(
    authority: Authority,
) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(whole()[:-5])
        exchange.close()

    context = authority.server("127.0.0.1")
    async with (
        serving(script, tls=context) as server,
        upstream(tls=authority.trusted) as made,
    ):
        failure = await failure_of(made, call_to(server.url))

    assert failure.kind == "truncated"


async def test_a_kept_encrypted_connection_that_died_is_replaced(authority: Authority) -> None:
    async def script(exchange: Exchange) -> None:
        if len(server.requests) == 2:
            exchange.reset()
        else:
            await exchange.send(whole())

    context = authority.server("127.0.0.1")
    async with (
        serving(script, tls=context) as server,
        upstream(tls=authority.trusted) as made,
    ):
        await ask(made, call_to(server.url))
        second = await ask(made, call_to(server.url))

    assert second == ANSWER
    assert server.connections == 2


async def test_a_slow_reader_holds_an_encrypted_peer_back_too(authority: Authority) -> None:
    part = chunked(b"data: " + b"x" * 65_000 + b"\n\n")
    parts, sent = 500, 0

    async def script(exchange: Exchange) -> None:
        nonlocal sent
        await exchange.send(SSE_HEAD + chunked(EVENT))
        for _ in range(parts):
            await exchange.send(part)
            sent += 1
        await exchange.send(chunked(FINISH, DONE) + b"0\r\n\r\n")

    context = authority.server("127.0.0.1")
    async with (
        serving(script, tls=context) as server,
        upstream(tls=authority.trusted) as made,
    ):
        answer = await made.open(call_to(server.url, stream=True))
        pieces = aiter(answer)
        first = await anext(pieces)
        await asyncio.sleep(0.3)
        sent_meanwhile = sent
        second = await anext(pieces)
        rest = await read_all(answer)

    assert sent_meanwhile < parts
    assert len(second.raw) <= BUFFERED_BYTES_MAX
    assert len(first.raw + second.raw + rest) == len(EVENTS) + parts * 65_008


async def test_a_peer_that_closes_while_the_reader_is_behind_loses_nothing(
    authority: Authority,
) -> None:
    part = chunked(b"data: " + b"x" * 65_000 + b"\n\n")

    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD + chunked(EVENT) + part * 2)
        await asyncio.sleep(0.1)
        await exchange.send(part + chunked(FINISH, DONE) + b"0\r\n\r\n")
        exchange.hang_up()

    context = authority.server("127.0.0.1")
    async with (
        serving(script, tls=context) as server,
        upstream(tls=authority.trusted) as made,
    ):
        answer = await made.open(call_to(server.url, stream=True))
        await asyncio.sleep(0.4)
        answered = await read_all(answer)

    assert len(answered) == len(EVENTS) + 3 * 65_008


async def test_a_further_handshake_goes_on_with_the_session_of_an_earlier_one(
    authority: Authority,
) -> None:
    resumed: list[bool] = []

    async def script(exchange: Exchange) -> None:
        resumed.append(exchange.writer.get_extra_info("ssl_object").session_reused)
        await exchange.send(whole(headers=b"connection: close\r\n"))

    context = authority.server("api.test")
    async with (
        serving(script, tls=context) as server,
        upstream(tls=authority.trusted, resolve=to_loopback) as made,
    ):
        url = f"https://api.test:{server.port}/v1"
        answers = [await ask(made, call_to(url)) for _ in range(3)]

    assert answers == [ANSWER] * 3
    assert resumed == [False, True, True]


async def test_a_session_that_is_old_is_not_gone_on_with(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omniroute.routing.upstream.tls.SESSION_S_MAX", 0.0)
    resumed: list[bool] = []

    async def script(exchange: Exchange) -> None:
        resumed.append(exchange.writer.get_extra_info("ssl_object").session_reused)
        await exchange.send(whole(headers=b"connection: close\r\n"))

    context = authority.server("127.0.0.1")
    async with (
        serving(script, tls=context) as server,
        upstream(tls=authority.trusted) as made,
    ):
        for _ in range(2):
            await ask(made, call_to(server.url))

    assert resumed == [False, False]


async def test_a_session_of_one_name_proves_no_other_name(authority: Authority) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(whole(headers=b"connection: close\r\n"))

    context = authority.server("api.test")
    async with (
        serving(script, tls=context) as server,
        upstream(tls=authority.trusted, resolve=to_loopback) as made,
    ):
        await ask(made, call_to(f"https://api.test:{server.port}/v1"))
        failure = await failure_of(made, call_to(f"https://other.test:{server.port}/v1"))

    assert failure.kind == "tls"
    assert len(server.requests) == 1


def test_a_short_answer_takes_no_room_for_the_longest_one(authority: Authority) -> None:
    client, server = pair_of(authority)
    server.write(b"a short answer")

    tracemalloc.start()
    try:
        data = client.read(READ_BYTES_MAX)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert data == b"a short answer"
    assert most < READ_BYTES_MAX // 8


def pair_of(authority: Authority) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Give two ends of an encrypted connection, of which ours has read nothing yet."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = authority.trusted().wrap_bio(to_client, to_server, server_hostname="api.test")
    server = authority.server("api.test").wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    while waiting:
        end = waiting.pop(0)
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            waiting.append(end)
    return client, server


async def test_the_protocol_is_agreed_on_in_the_handshake(authority: Authority) -> None:
    async def script(exchange: Exchange) -> None:
        spoken.append(exchange.writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await exchange.send(whole())

    spoken: list[str | None] = []
    context = authority.server("127.0.0.1")
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with (
        serving(script, tls=context) as server,
        upstream(tls=authority.trusted) as made,
    ):
        await ask(made, call_to(server.url))

    assert spoken == ["http/1.1"]


async def test_an_authority_of_ones_own_is_trusted_with_ssl_cert_file(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.pem()))

    context = authority.server("api.test")
    async with (
        serving(answer_stream, tls=context) as server,
        upstream(tls=verifying_context, resolve=to_loopback) as made,
    ):
        answered = await ask(made, call_to(f"https://api.test:{server.port}/v1", stream=True))

    assert answered == EVENTS
