"""The simulated provider behind a real nginx and a real haproxy: plain, over TLS, in HTTP/2."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Iterator

import pytest
from msgspec import structs

from omniroute.routing.errors import FailureKind
from omniroute.routing.model import Call, Dialect
from omniroute.routing.simulator.directives import Directives
from omniroute.routing.upstream.upstream import HttpUpstream
from omniroute.server.simulator.simulator import Simulator
from tests import services

from . import intermediaries
from .authority import Authority, authority_in
from .intermediaries import BODY_BYTES_MAX, KEPT_S, Intermediary
from .servers import WAIT_S, call_to, failure_of, read_all, upstream
from .test_simulated_faults import BASES, BODIES, SAID

pytestmark = pytest.mark.anyio

TEXT = f"[simulated by sim/fast] You said: {SAID}"
EXCHANGES = 50
REPEATS = 8


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """One loop is enough here, the one that the gateway runs on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority_in(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def intermediary(request: pytest.FixtureRequest, authority: Authority) -> Iterator[Intermediary]:
    with (
        services.temporary_folder(f"omni-{request.param}-") as folder,
        intermediaries.running(request.param, folder, authority) as made,
    ):
        yield made


@pytest.fixture
async def simulator(anyio_backend: object, intermediary: Intermediary) -> AsyncIterator[Simulator]:
    async with Simulator(port=intermediary.provider_port) as running:
        yield running


@pytest.fixture
async def made(anyio_backend: object, authority: Authority) -> AsyncIterator[HttpUpstream]:
    async with upstream(tls=authority.trusted) as http:
        yield http


@dataclasses.dataclass(frozen=True)
class Spoken:
    """Where an intermediary is, and what is spoken with it."""

    base: str
    http2: bool = False


@pytest.fixture(params=["plain", "encrypted", "http2"])
def base(request: pytest.FixtureRequest, intermediary: Intermediary) -> Spoken:
    if request.param == "plain":
        return Spoken(intermediary.url)
    return Spoken(intermediary.encrypted_url, http2=request.param == "http2")


def call_for(spoken: Spoken, dialect: Dialect = "openai_chat", *, stream: bool = False) -> Call:
    wants = ',"stream":true' if stream and dialect != "gemini" else ""
    body = (BODIES[dialect] % (SAID, wants)).encode()
    return call_with(spoken, dialect, body, stream=stream)


def call_with(spoken: Spoken, dialect: Dialect, body: bytes, *, stream: bool = False) -> Call:
    call = call_to(
        spoken.base + BASES[dialect], stream=stream, dialect=dialect, client=dialect, body=body
    )
    return structs.replace(call, account=dataclasses.replace(call.account, http2=spoken.http2))


async def said(made: HttpUpstream, call: Call) -> str:
    """Give the text of an answer, which is read as it comes."""
    call = structs.replace(call, operation=structs.replace(call.operation, forward=False))
    async with asyncio.timeout(WAIT_S):
        answer = await made.open(call)
        try:
            deltas = [piece.delta async for piece in answer if piece.delta is not None]
        finally:
            answer.close()
    return "".join(delta.text for delta in deltas)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialect", BASES)
async def test_every_dialect_is_answered(
    simulator: Simulator, made: HttpUpstream, base: Spoken, dialect: Dialect, *, stream: bool
) -> None:
    assert await said(made, call_for(base, dialect, stream=stream)) == TEXT


async def test_what_is_spoken_is_what_the_account_asks_for(
    simulator: Simulator, made: HttpUpstream, base: Spoken
) -> None:
    answer = await made.open(call_for(base))
    answer.close()

    assert answer.headers[b"x-spoken"] == (b"HTTP/2.0" if base.http2 else b"HTTP/1.1")


async def test_one_connection_serves_request_after_request(
    simulator: Simulator, made: HttpUpstream, base: Spoken
) -> None:
    texts = [await said(made, call_for(base, stream=odd)) for odd in (True, False) * 5]

    assert texts == [TEXT] * 10
    assert made.connections == 1


async def test_streams_at_the_same_time_are_all_whole(
    simulator: Simulator, made: HttpUpstream, base: Spoken
) -> None:
    simulator.control.set(Directives(pace=0.005, chunk=7))

    texts = await asyncio.gather(
        *(said(made, call_for(base, stream=True)) for _ in range(EXCHANGES))
    )

    assert texts == [TEXT] * EXCHANGES


async def test_a_request_that_meets_the_end_of_an_idle_connection_is_answered(
    simulator: Simulator, made: HttpUpstream, base: Spoken
) -> None:
    texts = []
    for number in range(REPEATS):
        texts.append(await said(made, call_for(base)))
        # Around the moment at which the other side closes: before it, at it, after it.
        await asyncio.sleep(KEPT_S + (number - REPEATS / 2) * 0.002)

    assert texts == [TEXT] * REPEATS


async def test_an_answer_that_comes_before_the_request_is_whole_is_taken(
    simulator: Simulator, made: HttpUpstream, base: Spoken
) -> None:
    body = b'{"model":"fast","x":"' + b"y" * (4 * BODY_BYTES_MAX) + b'"}'

    failure = await failure_of(made, call_with(base, "openai_chat", body))

    assert (failure.kind, failure.provider_status) == ("context_too_long", 413)
    assert simulator.control.requests == 0


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("rate_limited", ("rate_limited", 429)),
        ("bad_key", ("auth", 401)),
        ("html_502", ("server_error", 502)),
        ("slow_first_byte", ("server_error", 504)),
    ],
)
async def test_an_error_has_its_kind(
    simulator: Simulator,
    made: HttpUpstream,
    base: Spoken,
    fault: str,
    told: tuple[FailureKind, int],
) -> None:
    simulator.control.set(Directives(fault=fault, seconds=3.0))

    failure = await failure_of(made, call_for(base))

    assert (failure.kind, failure.provider_status) == told


@pytest.mark.parametrize("fault", ["reset", "hang_up", "stall"])
async def test_a_stream_that_the_provider_breaks_off_is_truncated(
    simulator: Simulator, made: HttpUpstream, base: Spoken, fault: str
) -> None:
    simulator.control.set(Directives(fault=fault, after=3, seconds=3.0))

    failure = await failure_of(made, call_for(base, stream=True))

    assert failure.kind == "truncated"


async def test_a_provider_that_is_down_is_a_server_error(made: HttpUpstream, base: Spoken) -> None:
    failure = await failure_of(made, call_for(base))

    assert failure.kind in ("server_error", "overloaded")
    assert failure.provider_status in (502, 503)


async def test_hints_before_the_answer_do_not_matter(
    simulator: Simulator, made: HttpUpstream, base: Spoken
) -> None:
    simulator.control.set(Directives(fault="early_hints"))

    assert await said(made, call_for(base)) == TEXT


async def test_who_leaves_midway_stops_the_provider(
    simulator: Simulator, made: HttpUpstream, base: Spoken
) -> None:
    simulator.control.set(Directives(words=2_000, pace=0.01))

    answer = await made.open(call_for(base, stream=True))
    await anext(aiter(answer))
    answer.close()
    async with asyncio.timeout(WAIT_S):
        while not simulator.control.disconnects:
            await asyncio.sleep(0.005)

    assert made.connections == 0


async def test_a_slow_reader_loses_nothing(
    simulator: Simulator, made: HttpUpstream, base: Spoken
) -> None:
    simulator.control.set(Directives(words=20_000, latency=0, pace=0))

    answer = await made.open(call_for(base, stream=True))
    first = await anext(aiter(answer))
    await asyncio.sleep(0.2)
    rest = await read_all(answer)

    assert rest.endswith(b"data: [DONE]\n\n")
    assert (first.raw + rest).count(b"data: ") > 20_000
