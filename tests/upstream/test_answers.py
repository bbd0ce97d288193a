"""What counts as an answer: its status, its type and its coding; hostile bytes never do."""

import asyncio
import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Call, Limits, Piece
from omniroute.routing.ports import Answer
from omniroute.routing.upstream.refused import ERROR_BYTES_MAX
from omniroute.routing.upstream.upstream import HttpUpstream, Upstreams

from .servers import (
    ANSWER,
    DONE,
    EVENT,
    EVENTS,
    FINISH,
    SSE_HEAD,
    STREAM,
    Exchange,
    ask,
    call_to,
    chunked,
    failure_of,
    serving,
    upstream,
    whole,
)

HTML = b"<!doctype html><html><body>Please log in</body></html>"


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "headers",
    [
        b"content-type: text/html; charset=utf-8\r\n",
        b"content-type: text/plain\r\n",
        b"content-type:\r\n",
        b"content-type: application/octet-stream\r\n",
    ],
)
async def test_a_page_with_a_good_status_is_no_answer(headers: bytes, *, stream: bool) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(whole(HTML, headers=headers))

    async with serving(script) as server, upstream() as made:
        failure = await failure_of(made, call_to(server.url, stream=stream))

    assert failure.kind == "malformed"
    assert "log in" not in str(failure)
    assert failure.body is None


@pytest.mark.anyio
async def test_content_types_are_read_whatever_their_case_and_parameters() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(whole(headers=b"Content-Type: Application/JSON; charset=UTF-8\r\n"))

    async with serving(script) as server, upstream() as made:
        assert await ask(made, call_to(server.url)) == ANSWER


@pytest.mark.anyio
async def test_a_client_that_asked_for_a_stream_is_not_sent_a_whole_answer() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(whole())

    async with serving(script) as server, upstream() as made:
        failure = await failure_of(made, call_to(server.url, stream=True))

    assert failure.kind == "malformed"


@pytest.mark.anyio
async def test_a_client_that_asked_for_a_whole_answer_is_not_sent_a_stream() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(STREAM)

    async with serving(script) as server, upstream() as made:
        failure = await failure_of(made, call_to(server.url))

    assert failure.kind == "malformed"


@pytest.mark.anyio
async def test_a_door_that_reads_takes_either() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(whole())

    async with serving(script) as server, upstream() as made:
        answer = await made.open(call_to(server.url, stream=True, forward=False))
        pieces = [piece async for piece in answer]
        answer.close()

    assert "".join(piece.delta.text for piece in pieces if piece.delta) == "hello"
    assert all(piece.raw == b"" for piece in pieces)


@pytest.mark.anyio
@pytest.mark.parametrize("coding", [b"compress", b"gzip, identity", b"gzip, gzip", b"br, gzip"])
async def test_an_answer_that_nobody_can_unpack_is_refused(coding: bytes) -> None:
    async def script(exchange: Exchange) -> None:
        headers = b"content-encoding: %s\r\n" % coding
        await exchange.send(whole(b"\x1f\x8b" + b"\x00" * 1000, headers=headers))

    async with serving(script) as server, upstream() as made:
        failure = await failure_of(made, call_to(server.url))

    assert server.requests[0].header(b"accept-encoding") == b"identity"
    assert failure.kind == "malformed"


@pytest.mark.anyio
async def test_a_compressed_error_keeps_the_kind_of_its_status() -> None:
    async def script(exchange: Exchange) -> None:
        headers = b"content-encoding: gzip\r\nretry-after: 8\r\n"
        await exchange.send(
            whole(b"\x1f\x8b" + b"\x00" * 50, status="429 Too Many", headers=headers)
        )

    async with serving(script) as server, upstream() as made:
        failure = await failure_of(made, call_to(server.url))

    assert (failure.kind, failure.retry_after_s) == ("rate_limited", 8.0)


@pytest.mark.anyio
async def test_an_answer_that_says_identity_is_not_compressed() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(whole(headers=b"content-encoding: identity\r\n"))

    async with serving(script) as server, upstream() as made:
        assert await ask(made, call_to(server.url)) == ANSWER


@pytest.mark.anyio
async def test_a_read_error_gives_its_connection_back() -> None:
    async def script(exchange: Exchange) -> None:
        error = b'{"error":{"message":"slow down","type":"requests","code":null}}'
        await exchange.send(whole(error, status="429 Too Many Requests"))

    async with serving(script) as server, upstream() as made:
        first = await failure_of(made, call_to(server.url))
        await failure_of(made, call_to(server.url))

        assert server.connections == 1
        assert first.kind == "rate_limited"
        assert str(first) == "mock answered 429: slow down"


@pytest.mark.anyio
async def test_an_endless_error_is_cut() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 500 Oops\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            await exchange.send(chunked(b"x" * 1000))
            sent.append(1000)

    sent: list[int] = []
    async with serving(script) as server, upstream() as made:
        failure = await failure_of(made, call_to(server.url))
        async with asyncio.timeout(2.0):
            await server.gone.wait()

    assert failure.kind == "server_error"
    assert len(str(failure)) < ERROR_BYTES_MAX
    assert sum(sent) < 16 * 2**20, "more than the kernel's buffers hold"


@pytest.mark.anyio
async def test_an_error_that_breaks_off_keeps_the_kind_of_its_status() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 503 No\r\ncontent-length: 500\r\n\r\n{")
        exchange.reset()

    async with serving(script) as server, upstream() as made:
        failure = await failure_of(made, call_to(server.url))

    assert (failure.kind, failure.provider_status) == ("server_error", 503)


@pytest.mark.anyio
async def test_a_forwarded_stream_builds_no_delta_for_its_events() -> None:
    events = 200

    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD)
        for _ in range(events):
            await exchange.send(chunked(EVENT))
            await asyncio.sleep(0.0005)
        await exchange.send(chunked(FINISH, DONE) + b"0\r\n\r\n")

    pieces: list[Piece] = []
    async with serving(script) as server, upstream() as made:
        answer = await made.open(call_to(server.url, stream=True))
        pieces.extend([piece async for piece in answer])
        answer.close()

    assert b"".join(piece.raw for piece in pieces) == EVENT * events + FINISH + DONE
    assert sum(piece.delta is not None for piece in pieces) <= 3


@pytest.mark.anyio
async def test_an_error_inside_a_stream_does_not_reveal_the_credential() -> None:
    async def script(exchange: Exchange) -> None:
        said = exchange.header(b"authorization") or b""
        event = b'data: {"error":{"message":"bad key %s","type":"server_error"}}\n\n' % said
        await exchange.send(SSE_HEAD + chunked(event, DONE) + b"0\r\n\r\n")

    async with serving(script) as server, upstream() as made:
        answer = await made.open(call_to(server.url, stream=True))
        pieces = [piece async for piece in answer]
        answer.close()

    errors = [piece.delta.error for piece in pieces if piece.delta and piece.delta.error]
    assert [error for error in errors if "bad key" in error.message]
    assert "sk-fake-upstream-credential" not in str(pieces)


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("forward", [False, True])
async def test_an_error_in_place_of_an_answer_does_not_reveal_the_credential(
    *, stream: bool, forward: bool
) -> None:
    async def script(exchange: Exchange) -> None:
        said = exchange.header(b"authorization") or b""
        await exchange.send(whole(b'{"error":{"message":"bad key %s","type":"x"}}' % said))

    async with serving(script) as server, upstream() as made:
        try:
            answer = await made.open(call_to(server.url, stream=stream, forward=forward))
            told = str([piece async for piece in answer])
        except UpstreamFailure as failure:
            told = str(failure)

    assert "bad key" in told
    assert "sk-fake-upstream-credential" not in told


@pytest.mark.anyio
async def test_simulated_accounts_go_to_the_simulator_and_others_over_http() -> None:
    class Named:
        def __init__(self, name: str) -> None:
            self.name = name

        async def open(self, call: Call) -> Answer:
            raise UpstreamFailure(self.name, kind="busy")

    both = Upstreams(simulated=Named("simulator"), http=Named("network"))
    call = call_to("https://api.test/v1")
    account = dataclasses.replace(call.account, simulated=True)

    with pytest.raises(UpstreamFailure, match="network"):
        await both.open(call)
    with pytest.raises(UpstreamFailure, match="simulator"):
        await both.open(structs.replace(call, account=account))


VALID = [STREAM, whole(), whole(b"{}", status="400 Bad"), SSE_HEAD, EVENTS, HTML]
HOSTILE = st.one_of(
    st.binary(max_size=400),
    st.tuples(st.sampled_from(VALID), st.integers(0, 600), st.binary(max_size=12)).map(
        lambda cut: cut[0][: cut[1]] + cut[2] + cut[0][cut[1] + len(cut[2]) :]
    ),
    st.lists(
        st.sampled_from(
            [
                b"HTTP/1.1 200 OK\r\n",
                b"HTTP/1.0 200\r\n",
                b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n",
                b"HTTP/1.1 100 Continue\r\n\r\n",
                b"content-length: 5\r\n",
                b"content-length: -1\r\n",
                b"content-length: 99999999999999999999\r\n",
                b"transfer-encoding: chunked\r\n",
                b"transfer-encoding: gzip\r\n",
                b"content-type: application/json\r\n",
                b"content-type: text/event-stream\r\n",
                b"content-encoding: gzip\r\n",
                b"connection: close\r\n",
                b"\r\n",
                b"\n",
                b"5\r\nhello\r\n",
                b"fffffffffffffffff\r\n",
                b"0\r\n\r\n",
                b"data: {}\n\n",
                b"data: [DONE]\n\n",
                b"\x00",
            ]
        ),
        max_size=12,
    ).map(b"".join),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sent=HOSTILE, stream=st.booleans(), forward=st.booleans(), cut=st.integers(0, 400))
def test_no_bytes_do_worse_than_fail(sent: bytes, *, stream: bool, forward: bool, cut: int) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(sent[:cut])
        await asyncio.sleep(0)
        await exchange.send(sent[cut:])
        exchange.close()

    async def kinds() -> list[str]:
        limits = Limits(connect_s=1.0, first_byte_s=1.0, idle_s=1.0, total_s=2.0)
        async with serving(script) as server, upstream() as made:
            call = call_to(server.url, stream=stream, forward=forward, limits=limits)
            return [await kind_of(made, call) for _ in range(2)]

    assert not [kind for kind in asyncio.run(kinds()) if kind.startswith("timeout")]


async def kind_of(made: HttpUpstream, call: Call) -> str:
    """Give the kind of the call's failure, or "answered"; any other exception goes through."""
    try:
        await ask(made, call)
    except UpstreamFailure as failure:
        return failure.kind
    return "answered"
