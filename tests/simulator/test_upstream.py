"""The simulated provider in process: Pieces, limits, faults and closing, without a socket."""

import asyncio
from typing import Any

import orjson
import pytest
from msgspec import structs

from omniroute.routing.catalog.simulated import SIMULATED_ACCOUNT, SIMULATED_MODELS
from omniroute.routing.conversation import Delta
from omniroute.routing.errors import FailureKind, UpstreamFailure
from omniroute.routing.model import (
    Call,
    Candidate,
    Capability,
    Dialect,
    Features,
    Limits,
    Operation,
    Piece,
)
from omniroute.routing.simulator.faults import FAULTS
from omniroute.routing.simulator.upstream import SimulatedUpstream
from tests.fakes import FakeClock

from .raw import events, parse

pytestmark = pytest.mark.anyio

LIMIT_S = 5.0
LIMITS = Limits(first_byte_s=30, idle_s=40, total_s=300)
TURN = {"role": "user", "content": "hello there"}
BODIES: dict[Dialect, dict[str, Any]] = {
    "openai_chat": {"model": "sim/fast", "messages": [TURN]},
    "openai_responses": {"model": "sim/fast", "input": "hello there"},
    "anthropic": {"model": "sim/fast", "max_tokens": 900, "messages": [TURN]},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "hello there"}]}]},
}


class World:
    """A clock that sleeping moves, and the upstream on it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.upstream = SimulatedUpstream(self.clock, self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def answer(self, call: Call) -> list[Piece]:
        async with asyncio.timeout(LIMIT_S):
            return [piece async for piece in await self.upstream.open(call)]

    async def failure(self, call: Call) -> UpstreamFailure:
        with pytest.raises(UpstreamFailure) as raised:
            await self.answer(call)
        return raised.value


@pytest.fixture
def world() -> World:
    return World()


def call_to(
    model: str = "fast",
    *,
    stream: bool = True,
    forward: bool = True,
    dialect: Dialect = "openai_chat",
    embed: dict[str, object] | None = None,
) -> Call:
    kind: Capability = "embedding" if embed is not None else "chat"
    body = {**BODIES[dialect], **(embed or {})}
    if stream and dialect != "gemini":
        body["stream"] = True
    if dialect == "openai_chat" and kind == "chat" and stream:
        body["stream_options"] = {"include_usage": True}
    named = "" if dialect == "gemini" else "sim/fast"
    operation = Operation(
        kind,
        dialect,
        orjson.dumps(body),
        Features(stream=stream),
        named,
        forward=forward,
        endpoint="embeddings" if embed is not None else "",
    )
    facts = SIMULATED_MODELS["fast"]
    candidate = Candidate("simulator", "sim", model, "openai_chat", facts, simulated=True)
    return Call("request-1", 1, candidate, SIMULATED_ACCOUNT, operation, LIMITS)


def deltas(pieces: list[Piece]) -> list[Delta]:
    return [piece.delta for piece in pieces if piece.delta is not None]


def text(pieces: list[Piece]) -> str:
    return "".join(delta.text for delta in deltas(pieces))


async def test_a_forwarded_stream_is_bytes_and_few_deltas(world: World) -> None:
    pieces = await world.answer(call_to("fast@words=100"))

    told = events(b"".join(piece.raw for piece in pieces))
    said = "".join(event["choices"][0]["delta"].get("content") or "" for event in told[:-1])
    usages = [delta.usage for delta in deltas(pieces) if delta.usage is not None]
    assert said.startswith("[simulated by sim/fast] routes carry every request")
    assert len(pieces) > 100
    assert len(deltas(pieces)) < 8
    assert usages[-1].input_tokens == 3


async def test_a_stream_that_is_read_gives_its_text(world: World) -> None:
    pieces = await world.answer(call_to(forward=False))

    assert text(pieces) == "[simulated by sim/fast] You said: hello there"
    assert {piece.raw for piece in pieces} == {b""}
    assert [delta.finish for delta in deltas(pieces) if delta.finish] == ["stop"]
    assert deltas(pieces)[-1].ended


@pytest.mark.parametrize("forward", [True, False], ids=["forwarded", "read"])
async def test_a_whole_answer_is_one(world: World, forward: bool) -> None:
    pieces = await world.answer(call_to(stream=False, forward=forward))

    usages = [delta.usage for delta in deltas(pieces) if delta.usage is not None]
    assert [usage.output_tokens for usage in usages] == [12]
    if forward:
        assert parse(b"".join(piece.raw for piece in pieces))["object"] == "chat.completion"
    else:
        assert text(pieces) == "[simulated by sim/fast] You said: hello there"


@pytest.mark.parametrize("dialect", ["openai_responses", "anthropic", "gemini"])
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_other_dialects_are_translated(world: World, dialect: Dialect, stream: bool) -> None:
    pieces = await world.answer(call_to(dialect=dialect, stream=stream))

    assert text(pieces) == "[simulated by sim/fast] You said: hello there"
    assert any(delta.usage for delta in deltas(pieces))


async def test_the_same_attempt_gets_the_same_answer(world: World) -> None:
    first = await world.answer(call_to())
    again = await World().answer(call_to())
    other = await World().answer(structs.replace(call_to(), attempt=2))

    assert [piece.raw for piece in first] == [piece.raw for piece in again]
    assert [piece.raw for piece in first] != [piece.raw for piece in other]


async def test_time_is_what_the_model_takes(world: World) -> None:
    started_s = world.clock.now()

    await world.answer(call_to("fast@latency=2,pace=0.5,words=2"))

    # Five words make five pieces: the first comes after the latency.
    assert world.clock.now() - started_s == pytest.approx(2 + 4 * 0.5)


async def test_embeddings_are_answered(world: World) -> None:
    wanted: dict[str, object] = {"input": ["one", "two"], "dimensions": 8}

    pieces = await world.answer(call_to("embed", stream=False, embed=wanted))

    answer = parse(b"".join(piece.raw for piece in pieces))
    assert [len(row["embedding"]) for row in answer["data"]] == [8, 8]


async def test_a_model_that_is_not_simulated_is_not_found(world: World) -> None:
    failure = await world.failure(call_to("gpt-9"))

    assert (failure.kind, failure.provider_status) == ("model_gone", 404)
    assert failure.body is not None
    assert "its models are fast, smart" in parse(failure.body)["error"]["message"]


async def test_a_wrong_directive_is_a_bad_request(world: World) -> None:
    failure = await world.failure(call_to("fast@speed=9"))

    assert failure.kind == "bad_request"
    assert failure.body is not None
    assert "known are fault" in parse(failure.body)["error"]["message"]


async def test_a_model_does_only_what_it_can(world: World) -> None:
    failure = await world.failure(call_to("embed"))

    assert failure.kind == "bad_request"


async def ending(world: World, call: Call) -> str:
    """Give how an answer ends: the kind of its first error or failure, else "answered"."""
    try:
        async with asyncio.timeout(LIMIT_S):
            async for piece in await world.upstream.open(call):
                if piece.delta is not None and piece.delta.error is not None:
                    return piece.delta.error.kind
    except UpstreamFailure as failure:
        return failure.kind
    return "answered"


# Where a whole answer ends otherwise than a streamed one, or otherwise than the row says
# because the call's own limits come first.
ENDS_OTHERWISE: dict[tuple[str, bool], str] = {
    ("keep_alives_only", True): "timeout_total",
    ("keep_alives_only", False): "timeout_total",
    ("stops_early", False): "malformed",
    ("huge_event", False): "answered",
    ("slow_first_event", False): "timeout_first_byte",
}


@pytest.mark.parametrize("fault", [name for name, row in FAULTS.items() if row.kind is not None])
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_a_fault_ends_as_the_kind_of_its_row(world: World, fault: str, stream: bool) -> None:
    ended = await ending(world, call_to(f"fast@fault={fault}", stream=stream, forward=False))

    assert ended == ENDS_OTHERWISE.get((fault, stream), FAULTS[fault].kind)


async def test_a_refusal_carries_its_hint_and_its_body(world: World) -> None:
    failure = await world.failure(call_to("fast@fault=rate_limited,retry=11"))
    read = await world.failure(call_to("fast@fault=rate_limited", forward=False))

    assert (failure.retry_after_s, failure.provider_status) == (11, 429)
    assert failure.body is not None
    assert parse(failure.body)["error"]["code"] == "rate_limit_exceeded"
    assert read.body is None


@pytest.mark.parametrize(
    ("model", "kind", "after_s"),
    [
        ("fast@latency=100", "timeout_first_byte", 30),
        ("fast@latency=0,fault=slow_first_event,seconds=100", "timeout_first_byte", 30),
        ("fast@latency=0,pace=0,fault=stall,seconds=100", "timeout_idle", 40),
        ("fast@latency=0,pace=39,words=100", "timeout_total", 300),
    ],
)
async def test_a_wait_ends_at_the_calls_limit(
    world: World, model: str, kind: FailureKind, after_s: float
) -> None:
    started_s = world.clock.now()

    failure = await world.failure(call_to(model))

    assert failure.kind == kind
    assert world.clock.now() - started_s == pytest.approx(after_s)


@pytest.mark.parametrize("fault", [name for name, row in FAULTS.items() if row.kind is None])
async def test_harmless_faults_are_answered(world: World, fault: str) -> None:
    pieces = await world.answer(call_to(f"fast@fault={fault}", stream=False))

    assert parse(b"".join(piece.raw for piece in pieces))["object"] == "chat.completion"


async def test_bytes_can_be_split_anywhere(world: World) -> None:
    whole = await world.answer(call_to("fast@words=9", forward=False))
    split = await world.answer(call_to("fast@words=9,chunk=3", forward=False))

    assert text(split) == text(whole)


async def test_closing_stops_a_reader_that_waits() -> None:
    upstream = SimulatedUpstream(FakeClock())
    stalled = call_to("fast@latency=0,pace=0,fault=stall,after=0,seconds=39", forward=False)
    answer = await upstream.open(stalled)
    seen: list[Piece] = []

    async def consume() -> None:
        async for piece in answer:
            seen.append(piece)  # noqa: PERF401 - what came before the close counts

    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
        group.create_task(consume())
        await asyncio.sleep(0.01)
        answer.close()

    assert text(seen) == ""


async def test_closing_ends_the_iteration(world: World) -> None:
    answer = await world.upstream.open(call_to())
    pieces = [await anext(aiter(answer))]

    answer.close()
    pieces += [piece async for piece in answer]

    assert len(pieces) == 1


async def test_a_reader_that_is_cancelled_is_cancelled() -> None:
    upstream = SimulatedUpstream(FakeClock())
    answer = await upstream.open(call_to("fast@latency=0,fault=stall,after=0,seconds=39"))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            _ = [piece async for piece in answer]

    assert [piece async for piece in answer] == []


async def test_a_call_that_is_cancelled_while_it_waits_stops() -> None:
    upstream = SimulatedUpstream(FakeClock())

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await upstream.open(call_to("fast@latency=20"))
