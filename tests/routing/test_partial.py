"""What an answer costs that did not come to its end, through the Gateway, on fakes."""

from collections.abc import Sequence
from contextlib import closing, suppress

import pytest
from msgspec import structs

from omniroute.routing.conversation import Delta, Usage
from omniroute.routing.engine import new_request_id
from omniroute.routing.errors import FailureKind, UpstreamFailure
from omniroute.routing.model import Call, Caller, Features, Operation, Outcome, Piece, RouteRequest
from tests.fakes import World, account, failing, world
from tests.routing.asking import fails

pytestmark = pytest.mark.anyio

PAYER = Caller("payer", frozenset({"write:route"}), budget_ids=("b",))
CAP = 10_000_000
INPUT_MAX = 100 * 1000
BOUND = INPUT_MAX + 50 * 2000
STREAM = Features(stream=True, input_tokens=10, input_tokens_max=100, output_tokens_max=50)
WHOLE = structs.replace(STREAM, stream=False)


def half(call: Call) -> Sequence[Piece]:
    """Say eight bytes, and more that nobody reads."""
    return (Piece(b"", Delta(text="half of ")), Piece(b"", Delta(text="it")))


def at(provider: str) -> World:
    return world(account(provider), scripts={f"{provider}/m": half}, caps={"b": CAP})


def ask(here: World, provider: str, features: Features = STREAM) -> RouteRequest:
    target = f"{provider}/m"
    operation = Operation("chat", "openai_chat", b"{}", features, target, forward=False)
    return RouteRequest(new_request_id(), target, operation, here.clock.now())


async def left(here: World, request: RouteRequest) -> Outcome:
    """Read the first piece and go."""
    reply = await here.gateway.route.open(request, PAYER)
    await anext(reply)
    reply.close()
    assert reply.outcome is not None
    return reply.outcome


async def failed(here: World, request: RouteRequest) -> Outcome:
    """Read until it fails."""
    with suppress(UpstreamFailure):
        reply = await here.gateway.route.open(request, PAYER)
        with closing(reply):
            _ = [piece async for piece in reply]
    return here.ledger.records[-1].outcome


def spent(here: World) -> int:
    assert here.budgets.holds == {}
    return here.budgets.spent.get("b", 0)


@pytest.mark.parametrize("provider", ["openai", "anthropic", "someone-elses"])
async def test_a_stream_that_stops_costs_its_input_and_what_came(provider: str) -> None:
    here = at(provider)

    outcome = await left(here, ask(here, provider))

    assert (outcome.status, outcome.usage_source) == ("client_gone", "estimated")
    assert outcome.usage == Usage(100, len("half of "))
    assert spent(here) == outcome.cost_usd_nanos == INPUT_MAX + len("half of ") * 2000


@pytest.mark.parametrize("provider", ["gemini", "groq", "mistral", "openrouter", "perplexity"])
async def test_a_stream_that_runs_on_costs_all_that_was_set_aside(provider: str) -> None:
    here = at(provider)

    outcome = await left(here, ask(here, provider))

    assert outcome.usage == Usage(100, 50)
    assert spent(here) == outcome.cost_usd_nanos == BOUND


async def test_an_answer_that_is_not_streamed_runs_on_everywhere() -> None:
    here = at("openai")

    await left(here, ask(here, "openai", WHOLE))

    assert spent(here) == BOUND


async def test_what_was_reported_so_far_counts_where_it_says_more() -> None:
    here = at("anthropic")
    here.upstream.scripts["anthropic/m"] = lambda call: (
        Piece(b"", Delta(usage=Usage(40, 1))),
        *half(call),
    )
    reply = await here.gateway.route.open(ask(here, "anthropic"), PAYER)
    reply.close()
    early = spent(here)
    here.upstream.scripts["anthropic/m"] = lambda call: (
        Piece(b"", Delta(usage=Usage(40, 30))),
        *half(call),
    )

    await left(here, ask(here, "anthropic"))

    assert early == 40 * 1000 + len("half of ") * 2000
    assert spent(here) - early == 40 * 1000 + 30 * 2000


async def test_who_leaves_after_the_finish_and_its_usage_pays_what_was_reported() -> None:
    here = at("groq")
    end = Delta(text="hi", finish="stop", usage=Usage(10, 2))
    here.upstream.scripts["groq/m"] = lambda call: (Piece(b"", end), Piece(b"", Delta(ended=True)))

    outcome = await left(here, ask(here, "groq"))

    assert outcome.usage_source == "reported"
    assert spent(here) == 10 * 1000 + 2 * 2000


@pytest.mark.parametrize("kind", ["server_error", "rate_limited", "connect", "timeout_connect"])
async def test_a_call_that_failed_by_itself_before_its_first_byte_costs_nothing(
    kind: FailureKind,
) -> None:
    here = at("groq")
    here.upstream.scripts["groq/m"] = failing(fails(kind))

    await failed(here, ask(here, "groq"))

    assert spent(here) == 0


@pytest.mark.parametrize(
    ("provider", "features", "cost"),
    [("openai", STREAM, INPUT_MAX), ("groq", STREAM, BOUND), ("openai", WHOLE, BOUND)],
)
async def test_a_call_that_we_left_before_its_first_byte_may_be_billed(
    provider: str, features: Features, cost: int
) -> None:
    here = at(provider)
    here.upstream.scripts[f"{provider}/m"] = failing(fails("timeout_first_byte"))

    await failed(here, ask(here, provider, features))

    assert spent(here) == cost


async def test_a_stream_that_its_provider_broke_off_is_billed_to_where_it_broke() -> None:
    here = at("groq")
    here.upstream.scripts["groq/m"] = lambda call: (half(call)[0], fails("truncated"))

    outcome = await failed(here, ask(here, "groq"))

    assert outcome.status == "failed"
    assert outcome.usage_source == "estimated"
    assert spent(here) == INPUT_MAX + len("half of ") * 2000


async def test_usage_beyond_what_there_could_be_is_on_record_as_suspect() -> None:
    here = at("openai")
    end = Delta(text="hi", finish="stop", usage=Usage(10, 10**9), ended=True)
    here.upstream.scripts["openai/m"] = lambda call: (Piece(b"", end),)

    outcome = await left(here, ask(here, "openai"))

    assert (outcome.usage_source, outcome.usage.output_tokens) == ("suspect", 10**9)
    assert spent(here) == outcome.cost_usd_nanos == BOUND
