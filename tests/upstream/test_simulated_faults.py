"""Every fault that the simulated provider can produce, over real sockets, in every dialect."""

from collections.abc import AsyncIterator

import pytest
from msgspec import structs

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Call, Dialect
from omniroute.routing.simulator.directives import Directives
from omniroute.routing.simulator.faults import FAULTS
from omniroute.routing.upstream.upstream import HttpUpstream
from omniroute.server.simulator.simulator import Simulator

from .servers import LIMITS, call_to, failure_of, upstream

pytestmark = pytest.mark.anyio

SAID = "one two three four five six seven eight"
SHORT = structs.replace(LIMITS, first_byte_s=0.3, idle_s=0.3)
LASTS_S = 1.0
"""How long a fault lasts: longer than the limit that it runs into."""

BASES: dict[Dialect, str] = {
    "openai_chat": "/v1",
    "openai_responses": "/v1",
    "anthropic": "/v1",
    "gemini": "/v1beta",
}
BODIES: dict[Dialect, str] = {
    "openai_chat": '{"model":"fast","messages":[{"role":"user","content":"%s"}]%s}',
    "openai_responses": '{"model":"fast","input":"%s"%s}',
    "anthropic": ('{"model":"fast","max_tokens":99,"messages":[{"role":"user","content":"%s"}]%s}'),
    "gemini": '{"contents":[{"role":"user","parts":[{"text":"%s"}]}]%s}',
}
WHOLE = ("short_body", "error_as_200")
"""Faults that only an answer that is not streamed can show."""

INSIDE = ("error_first", "error_later")
"""Faults that come as a Delta of an answer, not as a failure of the call."""

UNSEEN = ("malformed_line", "malformed_json", "huge_event")
"""Faults inside one event: who forwards bytes does not read every event."""

ELSEWHERE = ("connection_refused", "html_502", "stops_early")
KINDS = {
    name: fault.kind
    for name, fault in FAULTS.items()
    if fault.kind and name not in (*WHOLE, *INSIDE, *UNSEEN, *ELSEWHERE)
}
TIMED = [name for name, kind in KINDS.items() if kind.startswith("timeout")]
"""Faults that take a limit's time each: shown in one dialect, for they are below them all."""

CASES = [
    (fault, dialect)
    for fault in KINDS
    for dialect in BASES
    if (dialect == "openai_chat" or fault not in TIMED)
    # Gemini blocks a prompt inside a good answer.
    and (fault, dialect) != ("content_policy", "gemini")
]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """One loop is enough here, the one that the gateway runs on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def simulator(anyio_backend: object) -> AsyncIterator[Simulator]:
    async with Simulator() as running:
        yield running


@pytest.fixture
async def made(anyio_backend: object) -> AsyncIterator[HttpUpstream]:
    async with upstream() as http:
        yield http


def call_for(
    simulator: Simulator,
    dialect: Dialect,
    *,
    stream: bool = False,
    client: Dialect | None = None,
    forward: bool = True,
) -> Call:
    asked = client or dialect
    wants = ',"stream":true' if stream and asked != "gemini" else ""
    return call_to(
        simulator.url + BASES[dialect],
        stream=stream,
        dialect=dialect,
        client=asked,
        forward=forward,
        body=(BODIES[asked] % (SAID, wants)).encode(),
        limits=SHORT,
    )


async def told(made: HttpUpstream, call: Call) -> str:
    """Give the text of an answer that is read."""
    answer = await made.open(call)
    try:
        deltas = [piece.delta async for piece in answer if piece.delta is not None]
    finally:
        answer.close()
    return "".join(delta.text for delta in deltas)


def play(simulator: Simulator, fault: str) -> None:
    simulator.control.set(Directives(fault=fault, seconds=LASTS_S), requests=1)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("forward", [False, True], ids=["read", "forward"])
@pytest.mark.parametrize("case", CASES, ids="-".join)
async def test_a_fault_is_classed_as_what_it_is(
    simulator: Simulator,
    made: HttpUpstream,
    case: tuple[str, Dialect],
    *,
    stream: bool,
    forward: bool,
) -> None:
    fault, dialect = case
    play(simulator, fault)

    failure = await failure_of(made, call_for(simulator, dialect, stream=stream, forward=forward))

    assert failure.kind == KINDS[fault]


@pytest.mark.parametrize("dialect", BASES)
@pytest.mark.parametrize("fault", WHOLE)
async def test_a_whole_answer_that_is_none_is_classed_as_what_it_is(
    simulator: Simulator, made: HttpUpstream, fault: str, dialect: Dialect
) -> None:
    play(simulator, fault)

    failure = await failure_of(made, call_for(simulator, dialect, forward=False))

    assert failure.kind == FAULTS[fault].kind


@pytest.mark.parametrize("dialect", BASES)
async def test_an_error_in_place_of_a_stream_is_classed_as_what_it_is(
    simulator: Simulator, made: HttpUpstream, dialect: Dialect
) -> None:
    play(simulator, "error_as_200")

    failure = await failure_of(made, call_for(simulator, dialect, stream=True))

    assert failure.kind == "server_error"


@pytest.mark.parametrize("forward", [False, True], ids=["read", "forward"])
@pytest.mark.parametrize("dialect", BASES)
@pytest.mark.parametrize("fault", INSIDE)
async def test_an_error_inside_a_stream_reaches_the_reader(
    simulator: Simulator, made: HttpUpstream, fault: str, dialect: Dialect, *, forward: bool
) -> None:
    play(simulator, fault)

    answer = await made.open(call_for(simulator, dialect, stream=True, forward=forward))
    pieces = [piece async for piece in answer]
    answer.close()

    assert [piece.delta.error for piece in pieces if piece.delta and piece.delta.error]


@pytest.mark.parametrize("dialect", BASES)
@pytest.mark.parametrize("fault", ["malformed_line", "malformed_json"])
async def test_a_broken_event_is_malformed_for_who_reads_it(
    simulator: Simulator, made: HttpUpstream, fault: str, dialect: Dialect
) -> None:
    play(simulator, fault)

    failure = await failure_of(made, call_for(simulator, dialect, stream=True, forward=False))

    assert failure.kind == "malformed"


async def test_a_page_of_a_proxy_with_a_bad_status_is_a_server_error(
    simulator: Simulator, made: HttpUpstream
) -> None:
    play(simulator, "html_502")

    failure = await failure_of(made, call_for(simulator, "openai_chat"))

    assert (failure.kind, failure.provider_status) == ("server_error", 502)


async def test_a_connection_that_is_reset_at_once_is_a_failed_connect(
    simulator: Simulator, made: HttpUpstream
) -> None:
    play(simulator, "connection_refused")

    failure = await failure_of(made, call_for(simulator, "openai_chat"))

    assert failure.kind == "connect"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("dialect", BASES)
@pytest.mark.parametrize("client", BASES)
async def test_any_client_dialect_is_answered_by_any_providers(
    simulator: Simulator,
    made: HttpUpstream,
    client: Dialect,
    dialect: Dialect,
    *,
    stream: bool,
) -> None:
    call = call_for(simulator, dialect, stream=stream, client=client, forward=False)

    assert SAID in await told(made, call)


@pytest.mark.parametrize("dialect", BASES)
async def test_provisional_hints_before_an_answer_do_not_matter(
    simulator: Simulator, made: HttpUpstream, dialect: Dialect
) -> None:
    play(simulator, "early_hints")

    assert SAID in await told(made, call_for(simulator, dialect, forward=False))


async def test_a_failed_call_leaves_the_connection_fit_or_closed(
    simulator: Simulator, made: HttpUpstream
) -> None:
    for fault in KINDS.keys() - TIMED:
        play(simulator, fault)
        with pytest.raises(UpstreamFailure):
            await told(made, call_for(simulator, "openai_chat", forward=False))
        assert SAID in await told(made, call_for(simulator, "openai_chat", forward=False))
