"""HTTP/2 for accounts that ask for it: the same answers, failures and limits."""

import asyncio
import contextlib
import dataclasses
import functools
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable

import pytest
from h2.errors import ErrorCodes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Call, Limits
from omniroute.routing.upstream.exchange import HEAD_BYTES_MAX, HEADERS_MAX
from omniroute.routing.upstream.upstream import HttpUpstream

from .authority import Authority, authority_in
from .http2_server import JSON, SSE, Stream, serving_http2
from .proxies import proxying
from .servers import (
    ANSWER,
    DONE,
    EVENT,
    EVENTS,
    FINISH,
    LIMITS,
    STREAM,
    WAIT_S,
    Exchange,
    ask,
    call_to,
    failure_of,
    read_all,
    serving,
    settle,
    upstream,
)

pytestmark = pytest.mark.anyio

Trust = Callable[..., ssl.SSLContext]
SHORT_S = 0.1
LARGE = b'{"model":"fast","x":"' + b"y" * (4 * 2**20) + b'"}'


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority_in(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def trusted(authority: Authority) -> Trust:
    """What trusts the authority, read once: the system's store takes its time."""
    return functools.cache(authority.trusted)


@pytest.fixture
async def made(anyio_backend: object, trusted: Trust) -> AsyncIterator[HttpUpstream]:
    async with upstream(tls=trusted) as http:
        yield http


def in_http2(call: Call) -> Call:
    return structs.replace(call, account=dataclasses.replace(call.account, http2=True))


def stream_call(url: str, limits: Limits = LIMITS) -> Call:
    return in_http2(call_to(url, stream=True, limits=limits))


async def answer_whole(stream: Stream) -> None:
    await stream.head(JSON)
    await stream.data(ANSWER, end=True)


async def answer_stream(stream: Stream) -> None:
    await stream.head(SSE)
    await stream.data(EVENTS, end=True)


async def test_answers_come_one_after_another_over_one_connection(
    authority: Authority, made: HttpUpstream
) -> None:
    async with serving_http2(answer_whole, authority.server("127.0.0.1")) as server:
        answers = [await ask(made, in_http2(call_to(server.url))) for _ in range(5)]

        assert answers == [ANSWER] * 5
        assert server.connections == 1
        assert [one.number for one in server.requests] == [1, 3, 5, 7, 9]


async def test_a_request_is_what_it_is_in_http_1(authority: Authority, made: HttpUpstream) -> None:
    async with serving_http2(answer_stream, authority.server("127.0.0.1")) as server:
        await ask(made, stream_call(server.url))

    (request,) = server.requests
    assert request.header(":method") == "POST"
    assert request.header(":path") == "/v1/chat/completions"
    assert request.header(":authority") == f"127.0.0.1:{server.port}"
    assert request.header("authorization") == "Bearer sk-fake-upstream-credential"
    assert request.header("accept-encoding") == "identity"
    assert request.header("host") is None
    assert bytes(request.body) == call_to(server.url, stream=True).operation.body


async def test_a_large_request_keeps_to_the_servers_window(
    authority: Authority, made: HttpUpstream
) -> None:
    async with serving_http2(answer_whole, authority.server("127.0.0.1")) as server:
        answered = await ask(made, in_http2(call_to(server.url, body=LARGE)))

    assert answered == ANSWER
    assert bytes(server.requests[0].body) == LARGE


async def test_a_server_that_knows_no_http_2_is_spoken_to_in_http_1(
    authority: Authority, made: HttpUpstream
) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(STREAM)

    async with serving(script, tls=authority.server("127.0.0.1")) as server:
        answers = [await ask(made, stream_call(server.url)) for _ in range(2)]

    assert answers == [EVENTS] * 2
    assert server.connections == 1


async def test_a_server_without_tls_is_spoken_to_in_http_1(made: HttpUpstream) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(STREAM)

    async with serving(script) as server:
        answered = await ask(made, stream_call(server.url))

    assert answered == EVENTS


async def test_http_2_goes_through_a_proxy_too(authority: Authority, made: HttpUpstream) -> None:
    async with (
        proxying("http") as proxy,
        serving_http2(answer_stream, authority.server("127.0.0.1")) as server,
    ):
        call = stream_call(server.url)
        account = dataclasses.replace(call.account, proxy=proxy.url)
        answered = await ask(made, structs.replace(call, account=account))

    assert answered == EVENTS
    assert len(proxy.targets) == len(server.requests) == 1


async def test_hints_pings_and_trailers_do_not_matter(
    authority: Authority, made: HttpUpstream
) -> None:
    async def script(stream: Stream) -> None:
        await stream.hint()
        await stream.head(SSE)
        await stream.ping()
        await stream.data(EVENTS)
        await stream.trailers()
        await stream.ping()

    async with serving_http2(script, authority.server("127.0.0.1")) as server:
        answers = [await ask(made, stream_call(server.url)) for _ in range(3)]

        assert answers == [EVENTS] * 3
        assert server.connections == 1


async def test_an_error_has_its_kind_and_its_connection_is_kept(
    authority: Authority, made: HttpUpstream
) -> None:
    async def script(stream: Stream) -> None:
        await stream.head(JSON, status=429)
        await stream.data(b'{"error":{"message":"slow down"}}', end=True)

    async with serving_http2(script, authority.server("127.0.0.1")) as server:
        kinds = [(await failure_of(made, stream_call(server.url))).kind for _ in range(2)]

        assert kinds == ["rate_limited", "rate_limited"]
        assert server.connections == 1


async def test_an_answer_that_comes_while_we_still_write_is_taken(
    authority: Authority, made: HttpUpstream
) -> None:
    async def script(stream: Stream) -> None:
        await stream.head(JSON, status=413)
        await stream.data(b'{"error":{"message":"too large"}}', end=True)

    async with serving_http2(script, authority.server("127.0.0.1"), read_body=False) as server:
        failure = await failure_of(made, in_http2(call_to(server.url, body=LARGE)))
        await settle()

        assert failure.provider_status == 413
        assert made.connections == 0


@pytest.mark.parametrize("code", [ErrorCodes.INTERNAL_ERROR, ErrorCodes.CANCEL])
async def test_a_stream_that_is_reset_midway_is_truncated(
    authority: Authority, made: HttpUpstream, code: ErrorCodes
) -> None:
    async def script(stream: Stream) -> None:
        await stream.head(SSE)
        await stream.data(EVENT)
        await stream.reset(code)

    async with serving_http2(script, authority.server("127.0.0.1")) as server:
        failure = await failure_of(made, stream_call(server.url))

    assert failure.kind == "truncated"
    assert code.name in str(failure)


async def test_a_body_that_ends_before_its_length_is_truncated(
    authority: Authority, made: HttpUpstream
) -> None:
    async def script(stream: Stream) -> None:
        await stream.head([*JSON, ("content-length", "1000")])
        # The server's own library would refuse to end it here: DATA, END_STREAM, stream, 2 bytes.
        await stream.raw(b"\x00\x00\x02\x00\x01" + stream.number.to_bytes(4, "big") + b"{}")

    async with serving_http2(script, authority.server("127.0.0.1")) as server:
        failure = await failure_of(made, in_http2(call_to(server.url)))

    assert failure.kind == "truncated"


@pytest.mark.parametrize(
    ("code", "requests"),
    [(ErrorCodes.REFUSED_STREAM, 3), (ErrorCodes.INTERNAL_ERROR, 2)],
)
async def test_only_a_request_that_was_surely_not_worked_on_is_sent_again(
    authority: Authority, made: HttpUpstream, code: ErrorCodes, requests: int
) -> None:
    async def script(stream: Stream) -> None:
        if len(server.requests) == 2:
            await stream.reset(code)
        else:
            await answer_whole(stream)

    async with serving_http2(script, authority.server("127.0.0.1")) as server:
        await ask(made, in_http2(call_to(server.url)))
        try:
            second = await ask(made, in_http2(call_to(server.url)))
        except UpstreamFailure as failure:
            second = failure.kind.encode()

    assert len(server.requests) == requests
    assert second == (ANSWER if requests == 3 else b"connect")


async def test_a_request_that_crosses_a_farewell_is_sent_again(
    authority: Authority, made: HttpUpstream
) -> None:
    async def script(stream: Stream) -> None:
        if len(server.requests) == 2:
            await stream.farewell(last=1)
        else:
            await answer_whole(stream)

    async with serving_http2(script, authority.server("127.0.0.1")) as server:
        await ask(made, in_http2(call_to(server.url)))
        second = await ask(made, in_http2(call_to(server.url)))

    assert second == ANSWER
    assert [one.connection for one in server.requests] == [1, 1, 2]


async def test_an_answer_is_read_to_its_end_after_a_farewell(
    authority: Authority, made: HttpUpstream
) -> None:
    async def script(stream: Stream) -> None:
        await stream.head(SSE)
        await stream.data(EVENT)
        # GOAWAY frame: last stream, NO_ERROR. The library would end the connection with it.
        goaway = stream.number.to_bytes(4, "big") + bytes(4)
        await stream.raw(b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + goaway)
        await stream.data(FINISH + DONE, end=True)

    async with serving_http2(script, authority.server("127.0.0.1")) as server:
        answers = [await ask(made, stream_call(server.url)) for _ in range(2)]

    assert answers == [EVENTS] * 2
    assert server.connections == 2


async def test_a_silent_server_is_left_after_the_first_byte_time_whatever_it_pings(
    authority: Authority, made: HttpUpstream
) -> None:
    async def script(stream: Stream) -> None:
        await stream.head(SSE)
        while True:
            await stream.ping()
            await asyncio.sleep(SHORT_S / 4)

    limits = structs.replace(LIMITS, first_byte_s=SHORT_S)
    async with serving_http2(script, authority.server("127.0.0.1")) as server:
        failure = await failure_of(made, stream_call(server.url, limits))

    assert failure.kind == "timeout_first_byte"


async def test_a_stalled_answer_is_left_after_the_idle_time_whatever_it_pings(
    authority: Authority, made: HttpUpstream
) -> None:
    async def script(stream: Stream) -> None:
        await stream.head(SSE)
        await stream.data(EVENT)
        while True:
            await stream.ping()
            await asyncio.sleep(SHORT_S / 4)

    limits = structs.replace(LIMITS, idle_s=SHORT_S)
    async with serving_http2(script, authority.server("127.0.0.1")) as server:
        failure = await failure_of(made, stream_call(server.url, limits))

    assert failure.kind == "timeout_idle"


async def test_an_answer_over_the_limit_is_cut(authority: Authority, made: HttpUpstream) -> None:
    async def script(stream: Stream) -> None:
        await stream.head(SSE)
        while True:
            await stream.data(b": " + b"x" * 10_000 + b"\n\n")

    limits = structs.replace(LIMITS, answer_bytes_max=200_000)
    async with serving_http2(script, authority.server("127.0.0.1")) as server:
        failure = await failure_of(made, stream_call(server.url, limits))
        async with asyncio.timeout(WAIT_S):
            await server.gone.wait()

    assert failure.kind == "too_large"


async def test_too_many_headers_are_refused(authority: Authority, made: HttpUpstream) -> None:
    async def script(stream: Stream) -> None:
        await stream.head([(f"x-{number}", "1") for number in range(HEADERS_MAX + 1)])

    async with serving_http2(script, authority.server("127.0.0.1")) as server:
        failure = await failure_of(made, in_http2(call_to(server.url)))

    assert failure.kind == "malformed"
    assert str(HEADERS_MAX) in str(failure)


async def test_a_head_without_an_end_is_cut(authority: Authority, made: HttpUpstream) -> None:
    async def script(stream: Stream) -> None:
        number = stream.number.to_bytes(4, "big")
        # HEADERS without END_HEADERS, then CONTINUATION frames for ever.
        await stream.raw(b"\x00\x00\x01\x01\x00" + number + b"\x88")
        while True:
            await stream.raw(b"\x00\x10\x00\x09\x00" + number + bytes(4096))
            await stream.flush()

    async with serving_http2(script, authority.server("127.0.0.1")) as server:
        failure = await failure_of(made, in_http2(call_to(server.url)))
        async with asyncio.timeout(WAIT_S):
            await server.gone.wait()

    assert failure.kind == "malformed"
    assert str(HEAD_BYTES_MAX) in str(failure)


async def test_who_leaves_midway_cuts_the_connection_at_once(
    authority: Authority, made: HttpUpstream
) -> None:
    async def script(stream: Stream) -> None:
        await stream.head(SSE)
        await stream.data(EVENT)

    async with serving_http2(script, authority.server("127.0.0.1")) as server:
        answer = await made.open(stream_call(server.url))
        await anext(aiter(answer))
        answer.close()
        async with asyncio.timeout(WAIT_S):
            await server.gone.wait()

        assert made.connections == 0


async def test_a_slow_reader_holds_the_server_back_and_loses_nothing(
    authority: Authority, made: HttpUpstream
) -> None:
    part, parts, sent = b"data: " + b"x" * 65_000 + b"\n\n", 300, 0

    async def script(stream: Stream) -> None:
        nonlocal sent
        await stream.head(SSE)
        await stream.data(EVENT)
        for _ in range(parts):
            await stream.data(part)
            sent += 1
        await stream.data(FINISH + DONE, end=True)

    async with serving_http2(script, authority.server("127.0.0.1")) as server:
        answer = await made.open(stream_call(server.url))
        pieces = aiter(answer)
        first = await anext(pieces)
        await asyncio.sleep(0.3)
        sent_meanwhile = sent
        rest = await read_all(answer)

    assert sent_meanwhile < parts / 2
    assert len(first.raw + rest) == len(EVENTS) + parts * 65_008


# A frame of any kind, flags and length, on the stream of the request or on none.
FRAMES = st.builds(
    lambda size, kind, flags, stream, payload: (
        (len(payload) if size is None else size).to_bytes(3, "big")
        + bytes([kind, flags, 0, 0, 0, stream])
        + payload
    ),
    st.one_of(st.none(), st.integers(0, 40)),
    st.integers(0, 12),
    st.integers(0, 255),
    st.sampled_from([0, 1, 1, 1, 3]),
    st.one_of(st.binary(max_size=40), st.sampled_from([b"\x88", b"\x88\x5f\x01x", EVENTS])),
)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    sent=st.one_of(st.binary(max_size=200), st.lists(FRAMES, max_size=6).map(b"".join)),
    cut=st.integers(0, 80),
    headed=st.booleans(),
)
def test_whatever_frames_come_the_call_ends_and_leaves_nothing(
    authority: Authority, trusted: Trust, sent: bytes, cut: int, *, headed: bool
) -> None:
    async def script(stream: Stream) -> None:
        if headed:
            await stream.head(SSE)
        await stream.raw(sent[:cut])
        await asyncio.sleep(0)
        await stream.raw(sent[cut:])
        stream.writer.close()

    async def left() -> int:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: troubles.append(context))
        limits = Limits(connect_s=1.0, first_byte_s=0.05, idle_s=0.05, total_s=1.0)
        async with (
            upstream(tls=trusted) as made,
            serving_http2(script, authority.server("127.0.0.1")) as server,
        ):
            with contextlib.suppress(UpstreamFailure):
                await ask(made, stream_call(server.url, limits))
            made.close()
            await settle()
            return made.connections

    troubles: list[object] = []
    assert asyncio.run(left()) == 0
    assert troubles == []


def test_nothing_of_http_2_is_imported_before_an_account_asks_for_it() -> None:
    code = "import sys, omniroute.server.compose; print(*{'h2', 'hpack', 'httpx'} & {*sys.modules})"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "\n"
