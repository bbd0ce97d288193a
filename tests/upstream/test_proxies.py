"""Accounts that go through a proxy of their own: the same calls, by another way."""

import asyncio
import dataclasses
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import structs

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Call
from omniroute.routing.upstream.tunnel import parse_proxy

from .authority import Authority, authority_in
from .proxies import Kind, RunningProxy, proxying
from .servers import (
    ANSWER,
    EVENT,
    EVENTS,
    LIMITS,
    SSE_HEAD,
    STREAM,
    WAIT_S,
    Exchange,
    ask,
    call_to,
    chunked,
    failure_of,
    serving,
    settle,
    upstream,
    whole,
)

pytestmark = pytest.mark.anyio

KINDS: list[Kind] = ["http", "https", "socks5"]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return authority_in(tmp_path)


@pytest.fixture(params=KINDS)
async def proxy(
    request: pytest.FixtureRequest, anyio_backend: object, authority: Authority
) -> AsyncIterator[RunningProxy]:
    async with proxying(request.param, tls=tls_of(request.param, authority)) as running:
        yield running


def tls_of(kind: Kind, authority: Authority) -> ssl.SSLContext | None:
    return authority.server("127.0.0.1") if kind == "https" else None


def through(call: Call, url: str) -> Call:
    """Give the call with a proxy at its account, which is at home on this machine."""
    account = dataclasses.replace(call.account, proxy=url, local=True)
    return structs.replace(call, account=account)


async def answer_stream(exchange: Exchange) -> None:
    await exchange.send(STREAM)


async def test_an_encrypted_provider_is_reached_by_its_name(
    authority: Authority, proxy: RunningProxy
) -> None:
    context = authority.server("api.test")
    async with (
        serving(answer_stream, tls=context) as server,
        upstream(tls=authority.trusted) as made,
    ):
        call = call_to(f"https://api.test:{server.port}/v1", stream=True)
        answers = [await ask(made, through(call, proxy.url)) for _ in range(3)]

    assert answers == [EVENTS] * 3
    assert proxy.targets == [("api.test", server.port)]
    assert server.requests[0].header(b"host") == b"api.test:%d" % server.port


async def test_a_plain_provider_of_ones_own_is_reached_too(
    authority: Authority, proxy: RunningProxy
) -> None:
    async with serving(answer_stream) as server, upstream(tls=authority.trusted) as made:
        answered = await ask(made, through(call_to(server.url, stream=True), proxy.url))

    assert answered == EVENTS
    assert proxy.targets == [("127.0.0.1", server.port)]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_proxy_may_want_a_password(authority: Authority, kind: Kind) -> None:
    context = tls_of(kind, authority)
    async with (
        proxying(kind, tls=context, password=True) as proxy,
        serving(answer_stream) as server,
        upstream(tls=authority.trusted) as made,
    ):
        call = call_to(server.url, stream=True)
        answered = await ask(made, through(call, proxy.url_with_password))
        failure = await failure_of(made, through(call, proxy.url))
        await settle()

        assert answered == EVENTS
        assert failure.kind == "connect"
        assert "user name and password" in str(failure)
        assert proxy.refused == 1


@pytest.mark.parametrize(
    ("kind", "answer", "said"),
    [
        ("http", b"HTTP/1.1 403 Forbidden\r\n\r\n", "answered 403 to CONNECT"),
        ("http", b"HTTP/1.1 200 OK\r\n\r\nmore", "bytes that nobody asked for"),
        ("http", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "did not answer in HTTP"),
        ("http", b"x" * 20_000, "did not answer in HTTP"),
        ("http", b"HTTP/1.1 200", "closed the connection"),
        ("http", b"", "closed the connection"),
        ("socks5", b"\x04\x00", "does not speak SOCKS 5"),
        ("socks5", b"\x05\x00\x05\x02\x00\x01", "its rules do not allow it"),
        ("socks5", b"\x05\x00\x05\x63\x00\x01", "no reason that is known"),
        ("socks5", b"\x05\x00\x05\x00\x00\x03\x02ab", "closed the connection"),
        ("socks5", b"\x05", "closed the connection"),
    ],
)
async def test_a_proxy_that_does_not_let_us_through_is_a_failed_connect(
    kind: Kind, answer: bytes, said: str
) -> None:
    async with proxying(kind, answer=answer) as proxy, upstream() as made:
        call = through(call_to("https://api.test/v1"), proxy.url)
        failure = await failure_of(made, call)
        await settle()

        assert failure.kind == "connect"
        assert said in str(failure)
        assert proxy.url in str(failure)
        assert made.connections == 0


async def test_a_proxy_that_says_nothing_is_left_after_the_connect_time() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        left.set()
        writer.close()

    left = asyncio.Event()
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    limits = structs.replace(LIMITS, connect_s=0.1)
    async with server, upstream() as made:
        call = call_to("https://api.test/v1", limits=limits)
        failure = await failure_of(made, through(call, f"http://127.0.0.1:{port}"))
        async with asyncio.timeout(WAIT_S):
            await left.wait()

    assert failure.kind == "timeout_connect"


async def test_a_proxy_that_is_not_there_is_a_failed_connect() -> None:
    async with proxying("http") as proxy:
        url = proxy.url
    async with upstream() as made:
        failure = await failure_of(made, through(call_to("https://api.test/v1"), url))

    assert failure.kind == "connect"


async def test_a_provider_behind_a_proxy_must_prove_its_name(
    authority: Authority, proxy: RunningProxy
) -> None:
    # asyncio of CPython 3.11 reports a stumble of its own inside an encrypted proxy.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    context = authority.server("other.test")
    async with (
        serving(answer_stream, tls=context) as server,
        upstream(tls=authority.trusted) as made,
    ):
        call = call_to(f"https://api.test:{server.port}/v1")
        failure = await failure_of(made, through(call, proxy.url))
        await settle()

        assert failure.kind == "tls"
        assert "Hostname mismatch" in str(failure)
        assert server.requests == []
        assert made.connections == 0


async def test_an_encrypted_proxy_must_prove_its_name(authority: Authority) -> None:
    context = authority.server("other.test")
    async with (
        proxying("https", tls=context) as proxy,
        upstream(tls=authority.trusted) as made,
    ):
        failure = await failure_of(made, through(call_to("https://api.test/v1"), proxy.url))

    assert failure.kind == "tls"
    assert "certificate of the proxy" in str(failure)
    assert proxy.targets == []


@pytest.mark.parametrize(
    ("target", "url", "said"),
    [
        ("https://api.test/v1", "http://127.0.0.1:3128", "a private address"),
        ("https://api.test/v1", "socks5://169.254.169.254", "metadata"),
        ("https://api.test/v1", "http://someone:sk-fake-secret@8.8.8.8", "without encryption"),
        ("https://169.254.169.254/v1", "https://8.8.8.8", "metadata"),
        ("https://0.0.0.0/v1", "https://8.8.8.8", "metadata, link-local or reserved"),
        ("https://[::]/v1", "https://8.8.8.8", "metadata, link-local or reserved"),
        ("https://0/v1", "https://8.8.8.8", "metadata, link-local or reserved"),
        ("https://10.0.0.5/v1", "https://8.8.8.8", "a private address"),
        ("https://localhost/v1", "https://8.8.8.8", "a private address"),
        ("https://127.1/v1", "https://8.8.8.8", "a private address"),
        ("http://api.test/v1", "https://8.8.8.8", "without encryption"),
    ],
)
async def test_a_proxy_and_what_lies_behind_it_are_judged(target: str, url: str, said: str) -> None:
    async with upstream(allow_private=lambda account: False) as made:
        call = call_to(target)
        account = dataclasses.replace(call.account, proxy=url)
        failure = await failure_of(made, structs.replace(call, account=account))

    assert failure.kind == "egress_refused"
    assert said in str(failure)
    assert "sk-fake" not in str(failure)


async def test_the_proxys_address_that_was_judged_is_the_one_connected_to() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    asked: list[str] = []
    async with (
        proxying("http") as proxy,
        serving(answer_stream) as server,
        upstream(resolve=resolve) as made,
    ):
        call = call_to(f"http://api.test:{server.port}/v1", stream=True)
        answered = await ask(made, through(call, f"http://proxy.test:{proxy.port}"))

    assert answered == EVENTS
    assert asked == ["proxy.test"]
    assert proxy.targets == [("api.test", server.port)]


async def test_connections_of_one_way_do_not_serve_another() -> None:
    async with proxying("http") as proxy, serving(answer_stream) as server, upstream() as made:
        call = call_to(server.url, stream=True)
        await ask(made, call)
        await ask(made, through(call, proxy.url))
        await ask(made, through(call, proxy.url))

        assert server.connections == 2
        assert len(proxy.targets) == 1


async def test_a_kept_connection_that_died_behind_a_proxy_is_replaced(
    authority: Authority, proxy: RunningProxy
) -> None:
    async def script(exchange: Exchange) -> None:
        if len(server.requests) == 2:
            exchange.reset()
        else:
            await exchange.send(whole())

    async with serving(script) as server, upstream(tls=authority.trusted) as made:
        answers = [await ask(made, through(call_to(server.url), proxy.url)) for _ in range(2)]

    assert answers == [ANSWER, ANSWER]
    assert len(proxy.targets) == 2


async def test_who_leaves_midway_is_seen_to_leave_behind_a_proxy(
    authority: Authority, proxy: RunningProxy
) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD + chunked(EVENT))
        await exchange.reader.readexactly(1)

    context = authority.server("api.test")
    async with (
        serving(script, tls=context) as server,
        upstream(tls=authority.trusted) as made,
    ):
        call = call_to(f"https://api.test:{server.port}/v1", stream=True)
        answer = await made.open(through(call, proxy.url))
        await anext(aiter(answer))
        answer.close()
        async with asyncio.timeout(WAIT_S):
            await server.gone.wait()

        assert made.connections == 0


async def test_a_slow_reader_behind_a_proxy_loses_nothing(
    authority: Authority, proxy: RunningProxy
) -> None:
    part = chunked(b"data: " + b"x" * 65_000 + b"\n\n")

    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD + chunked(EVENT), *[part] * 50)
        await exchange.send(STREAM.removeprefix(SSE_HEAD + chunked(EVENT)))
        exchange.hang_up()

    context = authority.server("api.test")
    async with (
        serving(script, tls=context) as server,
        upstream(tls=authority.trusted) as made,
    ):
        call = call_to(f"https://api.test:{server.port}/v1", stream=True)
        answer = await made.open(through(call, proxy.url))
        size = 0
        async with asyncio.timeout(WAIT_S):
            async for piece in answer:
                size += len(piece.raw)
                await asyncio.sleep(0.005)
        answer.close()

    assert size == len(EVENTS) + 50 * 65_008


@pytest.mark.parametrize(
    "url",
    [
        "",
        "proxy.test:3128",
        "ftp://proxy.test",
        "socks4://proxy.test",
        "http://",
        "http://proxy.test:0",
        "http://proxy.test:sk-fake-port",
        "http://proxy.test/sk-fake-path",
        "http://proxy.test?sk-fake=1",
        "http://someone:sk-fake secret@proxy.test",
        "http://someone:sk-fake-\u00e9@proxy.test",
        "socks5://someone@proxy.test",
        "socks5://someone:" + "sk-fake" * 50 + "@proxy.test",
        "http://proxy.test/\r\nsk-fake: 1",
    ],
)
def test_a_proxy_that_is_not_plainly_one_is_refused_without_its_secrets(url: str) -> None:
    with pytest.raises(UpstreamFailure) as caught:
        parse_proxy(url)

    assert caught.value.kind == "egress_refused"
    assert "sk-fake" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown", "user", "password"),
    [
        ("http://proxy.test", "http://proxy.test", "", ""),
        ("HTTP://Proxy.test.:3128/", "http://proxy.test:3128", "", ""),
        ("https://a:b%40c@[::1]:8443", "https://[::1]:8443", "a", "b@c"),
        ("socks5h://10.0.0.1", "socks5://10.0.0.1:1080", "", ""),
    ],
)
def test_a_proxys_url_is_taken_apart(url: str, shown: str, user: str, password: str) -> None:
    proxy = parse_proxy(url)

    assert (str(proxy), proxy.user, proxy.password) == (shown, user, password)
    assert "b@c" not in repr(proxy)
