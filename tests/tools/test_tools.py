"""The tools, called by the official MCP client in memory, in both protocol eras."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from mcp import Client, MCPError
from mcp.types import CallToolResult, TextContent, Tool
from msgspec import structs

from omniroute.routing.conversation import Delta, Usage
from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Call, Caller, ModelFacts, Piece
from omniroute.routing.ports import Upstream
from omniroute.tools.binding import build_server
from omniroute.tools.calls import ERROR_META
from omniroute.tools.shapes import output_schema
from omniroute.tools.table import TABLE
from tests.fakes import ADMIN, NO_HEADERS, FakeClock, World, account, combo, failing, world

pytestmark = pytest.mark.anyio

ERAS = ("legacy", "2026-07-28")
AGENT = Caller(
    "key-agent",
    frozenset({"read:health", "read:combos", "read:models", "read:usage", "write:route"}),
)
OTHER = Caller("key-other", AGENT.scopes)
QUESTION = {"messages": [{"role": "user", "content": "say hello"}]}
READS = {
    "readOnlyHint": True,
    "destructiveHint": False,
    "idempotentHint": True,
    "openWorldHint": False,
}
ASKS = {
    "readOnlyHint": False,
    "destructiveHint": False,
    "idempotentHint": False,
    "openWorldHint": True,
}
SETS = {
    "readOnlyHint": False,
    "destructiveHint": True,
    "idempotentHint": True,
    "openWorldHint": False,
}
CHANGES = {
    "omniroute_route_request": ASKS,
    "omniroute_test_combo": ASKS,
    "omniroute_switch_combo": SETS,
    "omniroute_set_resilience_profile": SETS,
    # With `restart` each call forgets again what was spent.
    "omniroute_set_budget_guard": {**SETS, "idempotentHint": False},
}
"""The hints of the tools that do more than read."""


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def served(
    gateway: Gateway, caller: Caller = AGENT, *, era: str = "2026-07-28"
) -> AsyncIterator[Client]:
    server = build_server(gateway, lambda ctx: caller)
    async with asyncio.timeout(10), Client(server, mode=era) as one:
        yield one


@asynccontextmanager
async def client(
    here: World, caller: Caller = AGENT, *, era: str = "2026-07-28"
) -> AsyncIterator[Client]:
    async with served(here.gateway, caller, era=era) as one:
        yield one


def with_upstream(here: World, upstream: Upstream) -> Gateway:
    return replace(here.gateway, route=replace(here.gateway.route, upstream=upstream))


def values(result: CallToolResult) -> dict[str, Any]:
    """Give the structured answer, after a look at its text twin."""
    assert not result.is_error, words(result)
    assert isinstance(result.structured_content, dict)
    assert json.loads(words(result)) == result.structured_content
    return result.structured_content


def words(result: CallToolResult) -> str:
    (block,) = result.content
    assert isinstance(block, TextContent)
    return block.text


def facts(result: CallToolResult) -> dict[str, Any]:
    assert result.is_error
    assert result.meta is not None
    found: dict[str, Any] = result.meta[ERROR_META]
    return found


async def test_a_key_sees_the_tools_of_its_scopes_and_no_other(era: str) -> None:
    reader = Caller("key-reader", frozenset({"read:health", "read:usage"}))

    async with client(world(), reader, era=era) as mine:
        listed = await mine.list_tools()

    assert [tool.name for tool in listed.tools] == [
        "omniroute_get_health",
        "omniroute_cost_report",
        "omniroute_get_provider_metrics",
        "omniroute_explain_route",
        "omniroute_get_session_snapshot",
    ]


async def test_an_admin_key_sees_all_with_schemas_and_annotations(era: str) -> None:
    async with client(world(), ADMIN, era=era) as admin:
        listed = await admin.list_tools()

    assert [tool.name for tool in listed.tools] == [tool.name for tool in TABLE]
    assert all(tool.output_schema and tool.title and tool.annotations for tool in listed.tools)
    told = {one.name: hints(one) for one in listed.tools}
    assert told == {name: CHANGES.get(name, READS) for name in told}


def hints(tool: Tool) -> dict[str, object]:
    assert tool.annotations is not None
    found = tool.annotations.model_dump(by_alias=True)
    assert found.pop("title") == tool.title
    return found


async def test_a_tool_list_is_private_to_the_key_that_asked() -> None:
    async with client(world()) as mine:
        listed = await mine.list_tools()

    assert (listed.cache_scope, listed.ttl_ms) == ("private", 30_000)


@pytest.mark.parametrize("tool", TABLE, ids=lambda tool: tool.name)
async def test_a_key_without_the_scope_cannot_call(tool: Any, era: str) -> None:
    scopes = AGENT.scopes - {tool.scope}
    here = world()

    async with client(here, Caller("key-less", scopes), era=era) as mine:
        with pytest.raises(MCPError) as refused:
            await mine.call_tool(tool.name, {})

    assert refused.value.code == -32003
    assert refused.value.data == {"required_scopes": [tool.scope]}
    assert here.upstream.calls == []


async def test_scopes_asserted_by_the_client_count_for_nothing(era: str) -> None:
    less = Caller("key-less", frozenset({"read:health"}))
    asserted: Any = {"scopes": ["write:route"], "omniroute": {"scopes": ["*"]}}

    async with client(world(), less, era=era) as mine:
        with pytest.raises(MCPError, match="lacks scope write:route"):
            await mine.call_tool(
                "omniroute_route_request", {"model": "one/m", **QUESTION}, meta=asserted
            )


async def test_an_unknown_tool_is_a_protocol_error_that_names_the_known(era: str) -> None:
    async with client(world(), era=era) as mine:
        with pytest.raises(MCPError, match="omniroute_get_health") as refused:
            await mine.call_tool("omniroute_no_such_tool", {})

    assert refused.value.code == -32602


@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        ("omniroute_route_request", {}, "model is missing"),
        ("omniroute_route_request", {"model": None, **QUESTION}, "model is missing"),
        ("omniroute_route_request", {"model": "", **QUESTION}, "model must have at least 1"),
        ("omniroute_route_request", {"model": "x" * 257, **QUESTION}, "model must have at most"),
        ("omniroute_route_request", {"model": "m", "messages": []}, "messages must have at least"),
        (
            "omniroute_route_request",
            {"model": "m", "messages": [{"role": "pilot", "content": ""}]},
            "messages[0].role must be one of assistant, developer, system, user",
        ),
        (
            "omniroute_route_request",
            {"model": "m", "messages": [{"role": "user"}]},
            "messages[0].content is missing",
        ),
        (
            "omniroute_route_request",
            {"model": "m", "messages": [{"role": "user", "content": "\ud800"}]},
            "messages[0].content must be a string of valid Unicode",
        ),
        ("omniroute_route_request", {"model": "m", **QUESTION, "budget": -1}, "budget must be at"),
        (
            "omniroute_route_request",
            {"model": "m", **QUESTION, "budget": "much"},
            "budget must be a finite number",
        ),
        (
            "omniroute_route_request",
            {"model": "m", **QUESTION, "temperature": 1},
            "has no field 'temperature'; known are budget, combo",
        ),
        ("omniroute_simulate_route", {"model": "m"}, "promptTokenEstimate is missing"),
        (
            "omniroute_simulate_route",
            {"model": "m", "promptTokenEstimate": 1.5},
            "promptTokenEstimate must be an integer",
        ),
        ("omniroute_explain_route", {"requestId": 7}, "requestId must be a string"),
        ("omniroute_list_models_catalog", {"capability": "magic"}, "capability must be one of"),
        ("omniroute_get_health", {"deep": True}, "has no field 'deep'; known are none"),
    ],
)
async def test_wrong_arguments_are_a_tool_error_that_names_the_field(
    tool: str, arguments: dict[str, Any], told: str
) -> None:
    here = world()

    async with client(here) as mine:
        result = await mine.call_tool(tool, arguments)

    assert result.is_error
    assert told in words(result)
    assert facts(result)["code"] == "bad_request"
    assert here.upstream.calls == []


async def test_wrong_arguments_are_never_repeated_in_the_error() -> None:
    secret = {"model": "m", "messages": [{"role": "user", "content": {"my": "secret plan"}}]}

    async with client(world()) as mine:
        result = await mine.call_tool("omniroute_route_request", secret)

    assert result.is_error
    assert "secret" not in words(result)


async def test_a_fault_of_ours_is_logged_once_and_told_by_its_id(
    era: str, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(call: Call) -> Any:
        raise ZeroDivisionError("a bug with a prompt in it")

    here = world(scripts={"one/m": broken})

    async with client(here, era=era) as mine:
        result = await mine.call_tool("omniroute_route_request", {"model": "one/m", **QUESTION})

    request_id = facts(result)["requestId"]
    (record,) = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert request_id in words(result)
    assert "ZeroDivisionError" not in words(result)
    assert record.message == "mcp_tool_failed"
    assert record.__dict__["request_id"] == request_id
    assert record.exc_info is not None


async def test_an_answer_comes_with_its_routing_and_cost(era: str) -> None:
    here = world(combos=[combo("duo", "one/m", "two/m")])
    here.upstream.scripts["one/m"] = failing(UpstreamFailure("busy day", kind="rate_limited"))

    async with client(here, era=era) as mine:
        result = values(
            await mine.call_tool("omniroute_route_request", {"model": "duo", **QUESTION})
        )

    (record,) = here.ledger.records
    request_id = record.outcome.request.request_id
    assert result == {
        "response": {
            "content": "hello",
            "model": "m",
            "tokens": {"prompt": 10, "completion": 2, "source": "reported"},
            "finishReason": "stop",
        },
        "routing": {
            "provider": "two",
            "combo": "duo",
            "fallbacksTriggered": 1,
            "cost": 0.000014,
            "latencyMs": 0,
            "routingExplanation": (
                "Combo 'duo' has 2 candidates, strategy priority. "
                "one/m failed with rate_limited: busy day. two/m answered."
            ),
            "requestId": request_id,
            "simulated": False,
            "failedAttempts": [
                {
                    "provider": "one",
                    "model": "m",
                    "reason": "rate_limited",
                    "detail": "busy day",
                }
            ],
        },
    }
    assert record.outcome.status == "answered"
    assert (record.outcome.key_id, record.outcome.request.door) == ("key-agent", "mcp")


async def test_a_combo_takes_the_place_of_the_model_by_name_or_id() -> None:
    here = world(combos=[combo("duo", "two/m")])

    async with client(here) as mine:
        by_name = await mine.call_tool(
            "omniroute_route_request", {"model": "one/m", "combo": "duo", **QUESTION}
        )
        by_id = await mine.call_tool(
            "omniroute_route_request", {"model": "one/m", "combo": "cmb-duo", **QUESTION}
        )

    assert values(by_name)["routing"]["combo"] == "duo"
    assert values(by_id)["routing"]["provider"] == "two"


@pytest.mark.parametrize("wanted", ["one/m", "asleep", "nothing"])
async def test_a_combo_that_is_not_an_active_one_is_refused_before_anything_is_sent(
    wanted: str,
) -> None:
    here = world(combos=[combo("asleep", "one/m", active=False)])

    async with client(here) as mine:
        result = await mine.call_tool(
            "omniroute_route_request", {"model": "one/m", "combo": wanted, **QUESTION}
        )

    assert facts(result)["code"] == "model_not_found"
    assert "omniroute_list_combos" in words(result)
    assert here.upstream.calls == []


async def test_a_budget_is_a_ceiling_before_anything_is_sent() -> None:
    here = world()
    ask = {"model": "one/m", "maxTokens": 100, **QUESTION}

    async with client(here) as mine:
        refused = await mine.call_tool("omniroute_route_request", {**ask, "budget": 0.0002})
        paid = await mine.call_tool("omniroute_route_request", {**ask, "budget": 0.01})

    assert facts(refused)["code"] == "budget_exceeded"
    assert len(here.upstream.calls) == 1
    assert values(paid)["routing"]["cost"] == 0.000014


async def test_a_keys_budget_clamps_the_answer_and_refuses_below_the_floor() -> None:
    here = world(caps={"b": 4_000_000})
    payer = structs.replace(AGENT, budget_ids=("b",))

    async with client(here, payer) as mine:
        cut = await mine.call_tool("omniroute_route_request", {"model": "one/m", **QUESTION})
        here.budgets.caps["b"] = 10
        refused = await mine.call_tool("omniroute_route_request", {"model": "one/m", **QUESTION})

    assert b'"max_tokens":' in here.upstream.calls[0].operation.body
    assert "was clamped to" in values(cut)["routing"]["routingExplanation"]
    assert facts(refused)["code"] == "budget_exceeded"
    assert len(here.upstream.calls) == 1


async def test_a_null_argument_counts_as_not_given() -> None:
    async with client(world()) as mine:
        result = await mine.call_tool(
            "omniroute_route_request",
            {"model": "one/m", **QUESTION, "combo": None, "budget": None, "role": None},
        )

    assert values(result)["response"]["content"] == "hello"


async def test_a_role_and_a_token_limit_reach_the_decision() -> None:
    here = world()

    async with client(here) as mine:
        await mine.call_tool(
            "omniroute_route_request",
            {"model": "one/m", **QUESTION, "role": "coding", "maxTokens": 7.0},
        )

    request = here.ledger.records[0].outcome.request
    assert request.role == "coding"
    assert request.operation.features.output_tokens_max == 7


async def test_an_unknown_price_is_null_and_never_zero() -> None:
    here = world(facts_by=lambda provider, model: ModelFacts())

    async with client(here) as mine:
        result = await mine.call_tool("omniroute_route_request", {"model": "one/m", **QUESTION})

    assert values(result)["routing"]["cost"] is None


async def test_tokens_that_nobody_reported_are_called_an_estimate() -> None:
    silent = (Piece(b"", Delta(text="hi")), Piece(b"", Delta(finish="stop", ended=True)))
    here = world(scripts={"one/m": lambda call: silent})

    async with client(here) as mine:
        result = await mine.call_tool("omniroute_route_request", {"model": "one/m", **QUESTION})

    assert values(result)["response"]["tokens"]["source"] == "estimated"


async def test_a_simulated_answer_says_so() -> None:
    here = world(account("sim", simulated=True))

    async with client(here) as mine:
        result = await mine.call_tool("omniroute_route_request", {"model": "sim/m", **QUESTION})

    routing = values(result)["routing"]
    assert routing["simulated"] is True
    assert "simulated" in routing["routingExplanation"]


async def test_when_nobody_answers_the_error_tells_each_attempt(era: str) -> None:
    down = failing(UpstreamFailure("it is down", kind="server_error", provider_status=500))
    here = world(combos=[combo("duo", "one/m", "two/m")], scripts={"one/m": down, "two/m": down})

    async with client(here, era=era) as mine:
        result = await mine.call_tool("omniroute_route_request", {"model": "duo", **QUESTION})

    assert facts(result)["code"] == "all_candidates_failed"
    assert "one/m" in words(result)
    assert "two/m" in words(result)
    assert facts(result)["requestId"] == here.ledger.records[0].outcome.request.request_id


async def test_an_answer_that_breaks_off_is_an_error_and_not_a_short_answer() -> None:
    pieces = (
        Piece(b"", Delta(text="half of it")),
        UpstreamFailure("the provider's stream stopped without its end", kind="truncated"),
    )
    here = world(scripts={"one/m": lambda call: pieces})

    async with client(here) as mine:
        result = await mine.call_tool("omniroute_route_request", {"model": "one/m", **QUESTION})

    assert "stopped without its end" in words(result)
    assert here.ledger.records[0].outcome.status == "failed"
    assert here.upstream.answers[0].closed


class Slow:
    """An upstream that says a word every tenth of a second."""

    headers = NO_HEADERS
    dropped: tuple[str, ...] = ()
    pour = None

    def __init__(self, clock: FakeClock, *said: str) -> None:
        self._clock = clock
        self._said = said

    async def open(self, call: Call) -> "Slow":
        return self

    async def __aiter__(self) -> AsyncIterator[Piece]:
        for word in self._said:
            yield Piece(b"", Delta(text=word))
            self._clock.advance(0.1)
        yield Piece(b"", Delta(finish="stop", usage=Usage(1, 4), ended=True))

    def close(self) -> None:
        return


async def test_a_streamed_answer_is_told_as_it_grows_at_a_bounded_rate(era: str) -> None:
    here = world()
    slow = Slow(here.clock, "one ", "two ", "three ", "four ", "five")
    told: list[tuple[float, float | None, str | None]] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))

    async with served(with_upstream(here, slow), era=era) as mine:
        result = await mine.call_tool(
            "omniroute_route_request",
            {"model": "one/m", **QUESTION, "stream": True},
            progress_callback=tell,
        )

    assert values(result)["response"]["content"] == "one two three four five"
    assert told == [
        (4.0, None, "one "),
        (19.0, None, "one two three four "),
        (23.0, None, "one two three four five"),
    ]


async def test_without_stream_nothing_is_told() -> None:
    told: list[float] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        told.append(progress)

    async with client(world()) as mine:
        await mine.call_tool(
            "omniroute_route_request", {"model": "one/m", **QUESTION}, progress_callback=tell
        )

    assert told == []


class Stalling:
    """An upstream whose answer begins and then says nothing until it is closed."""

    headers = NO_HEADERS
    dropped: tuple[str, ...] = ()
    pour = None

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.closed = asyncio.Event()

    async def open(self, call: Call) -> "Stalling":
        return self

    async def __aiter__(self) -> AsyncIterator[Piece]:
        yield Piece(b"", Delta(text="it begins"))
        self.begun.set()
        await asyncio.Event().wait()

    def close(self) -> None:
        self.closed.set()


async def test_a_cancelled_call_closes_the_provider_and_is_recorded(era: str) -> None:
    stalling = Stalling()
    here = world()

    async with served(with_upstream(here, stalling), era=era) as mine:
        calling = asyncio.create_task(
            mine.call_tool("omniroute_route_request", {"model": "one/m", **QUESTION})
        )
        await stalling.begun.wait()
        calling.cancel()
        await stalling.closed.wait()

    assert here.ledger.records[0].outcome.status == "client_gone"


async def test_a_simulation_gives_the_decision_of_the_live_request() -> None:
    here = world(combos=[combo("duo", "one/m", "two/m", strategy="random")])

    async with client(here) as mine:
        # Health is published once both have answered, and stays the same from then on.
        await mine.call_tool("omniroute_route_request", {"model": "one/m", **QUESTION})
        await mine.call_tool("omniroute_route_request", {"model": "two/m", **QUESTION})
        here.clock.advance(5.0)
        await mine.call_tool("omniroute_route_request", {"model": "duo", **QUESTION})
        live = here.ledger.records[-1].outcome
        asked = values(
            await mine.call_tool("omniroute_explain_route", {"requestId": live.request.request_id})
        )["asked"]
        simulated = values(
            await mine.call_tool(
                "omniroute_simulate_route",
                {"requestId": live.request.request_id, **asked},
            )
        )

    assert live.decision is not None
    assert simulated["snapshotId"] == live.decision.snapshot_id
    names = [one.name for one in live.decision.order]
    assert [simulated["fallbackTree"]["primary"], *simulated["fallbackTree"]["fallbacks"]] == names
    assert len(here.upstream.calls) == 3


async def test_a_simulation_tells_probability_cost_health_and_why_not(era: str) -> None:
    here = world(combos=[combo("duo", "one/m", "two/m")])
    down = UpstreamFailure("down", kind="rate_limited", retry_after_s=30.0)
    here.upstream.scripts["one/m"] = failing(down)

    async with client(here, era=era) as mine:
        await mine.call_tool("omniroute_route_request", {"model": "duo", **QUESTION})
        result = values(
            await mine.call_tool(
                "omniroute_simulate_route",
                {"model": "duo", "promptTokenEstimate": 1000, "maxTokens": 500},
            )
        )

    first, second = result["simulatedPath"]
    assert (first["provider"], first["probability"], first["place"]) == ("two", 1.0, 1)
    assert (first["estimatedCost"], first["healthStatus"]) == (0.002, "CLOSED")
    assert first["worstCaseCost"] == pytest.approx((4067 + 2 * 500) / 1e6)
    assert first["quotaAvailable"] is None
    assert (second["provider"], second["probability"], second["place"]) == ("one", 0.0, None)
    assert second["reason"] == "cooling_down"
    assert result["fallbackTree"] == {
        "primary": "two/m",
        "fallbacks": [],
        "worstCaseCost": first["worstCaseCost"],
        "bestCaseCost": 0.002,
    }


async def test_a_simulation_in_which_nobody_could_answer_is_an_answer() -> None:
    async with client(world()) as mine:
        result = values(
            await mine.call_tool(
                "omniroute_simulate_route",
                {"model": "one/m", "promptTokenEstimate": 500_000},
            )
        )

    assert result["fallbackTree"]["primary"] is None
    assert result["simulatedPath"][0]["reason"] == "context_too_long"


async def test_an_explanation_tells_verdicts_attempts_and_what_it_cost(era: str) -> None:
    here = world(combos=[combo("duo", "one/m", "two/m")])
    here.upstream.scripts["one/m"] = failing(UpstreamFailure("no route", kind="connect"))

    async with client(here, era=era) as mine:
        answer = values(
            await mine.call_tool("omniroute_route_request", {"model": "duo", **QUESTION})
        )
        result = values(
            await mine.call_tool(
                "omniroute_explain_route", {"requestId": answer["routing"]["requestId"]}
            )
        )

    decision = result["decision"]
    assert (decision["comboUsed"], decision["providerSelected"]) == ("duo", "two")
    assert (decision["modelUsed"], decision["costActual"]) == ("m", 0.000014)
    assert decision["fallbacksTriggered"] == [
        {"provider": "one", "reason": "connect", "model": "m", "detail": "no route"}
    ]
    assert [one["reason"] for one in result["verdicts"]] == ["ok", "ok"]
    assert [one["failure"] for one in result["attempts"]] == ["connect", None]
    assert result["at"].endswith("Z")
    assert (result["contrast"]["chosen"], result["contrast"]["runnerUp"]) == ("one/m", "two/m")
    assert (result["contrast"]["probability"], result["contrast"]["advantage"]) == (1.0, None)


async def test_an_explanation_says_what_would_have_brought_the_runner_up_first() -> None:
    here = world(combos=[combo("duo", "one/m", "two/m", strategy="auto")])
    for candidate in here.gateway.route.preparer.prepare(
        here.configs.current(), "duo", now_s=0.0
    ).snapshot.candidates:
        wait_s = 0.1 if candidate.provider == "one" else 9.0
        here.health.succeeded(candidate, first_byte_s=wait_s, total_s=9.0, now_s=here.clock.now())
    here.clock.advance(2.0)

    async with client(here) as mine:
        answer = values(
            await mine.call_tool("omniroute_route_request", {"model": "duo", **QUESTION})
        )
        contrast = values(
            await mine.call_tool(
                "omniroute_explain_route", {"requestId": answer["routing"]["requestId"]}
            )
        )["contrast"]

    assert (contrast["chosen"], contrast["runnerUp"]) == ("one/m", "two/m")
    assert sum(one["advantage"] for one in contrast["deltas"]) == pytest.approx(
        contrast["advantage"]
    )
    waits = [one for one in contrast["wouldFlip"] if one["name"] == "seconds to the first byte"]
    assert {one["provider"]: round(one["needed"], 3) for one in waits} == {"one": 9.0, "two": 0.1}


async def test_the_factors_of_a_score_sum_to_it() -> None:
    async with client(world()) as mine:
        answer = values(
            await mine.call_tool("omniroute_route_request", {"model": "auto", **QUESTION})
        )
        request_id = answer["routing"]["requestId"]
        result = values(await mine.call_tool("omniroute_explain_route", {"requestId": request_id}))

    decision = result["decision"]
    contributions = [one["contribution"] for one in decision["factors"]]
    assert len(contributions) == 4
    assert sum(contributions) == pytest.approx(decision["score"], abs=1e-15)


async def test_another_keys_request_is_not_found_like_one_that_never_was(era: str) -> None:
    here = world()

    async with client(here, era=era) as mine:
        answer = values(
            await mine.call_tool("omniroute_route_request", {"model": "one/m", **QUESTION})
        )
    request_id = answer["routing"]["requestId"]
    async with client(here, OTHER, era=era) as theirs:
        foreign = await theirs.call_tool("omniroute_explain_route", {"requestId": request_id})
        missing = await theirs.call_tool("omniroute_explain_route", {"requestId": "req_none"})

    assert facts(foreign)["code"] == "not_found"
    assert words(foreign).replace(request_id, "req_none") == words(missing)


async def test_health_tells_circuits_and_who_rests(era: str) -> None:
    here = world()
    limited = UpstreamFailure("slow down", kind="rate_limited", retry_after_s=30.0)
    here.upstream.scripts["one/m"] = failing(limited)
    here.upstream.scripts["two/m"] = failing(UpstreamFailure("oops", kind="server_error"))

    async with client(here, era=era) as mine:
        await mine.call_tool("omniroute_route_request", {"model": "one/m", **QUESTION})
        await mine.call_tool("omniroute_route_request", {"model": "two/m", **QUESTION})
        here.clock.advance(65.0 - 40.0)
        result = values(await mine.call_tool("omniroute_get_health", {}))

    assert (result["uptime"], result["uptimeS"], result["version"]) == ("25s", 25.0, "0.0.0-test")
    (breaker,) = result["circuitBreakers"]
    assert (breaker["provider"], breaker["state"], breaker["failureCount"]) == ("two", "CLOSED", 1)
    assert breaker["lastFailure"] == "2023-11-14T22:13:20.000Z"
    limit, held = result["rateLimits"]
    assert (limit["provider"], limit["isLimited"], limit["rpm"]) == ("one", True, None)
    assert limit["remainingS"] == 5.0
    assert (held["model"], held["rpm"], held["isLimited"]) == (None, 100, False)
    assert [one["source"] for one in held["windows"]] == ["profile"]
    assert "cacheStats" not in result


async def test_health_tells_what_is_left_of_a_providers_limits(era: str) -> None:
    here = world()
    here.upstream.headers["one/m"] = {
        b"anthropic-ratelimit-requests-limit": b"50",
        b"anthropic-ratelimit-requests-remaining": b"42",
        b"anthropic-ratelimit-requests-reset": b"30",
    }

    async with client(here, era=era) as mine:
        await mine.call_tool("omniroute_route_request", {"model": "one/m", **QUESTION})
        here.clock.advance(10)
        (row,) = values(await mine.call_tool("omniroute_get_health", {}))["rateLimits"]

    assert (row["provider"], row["rpm"], row["currentUsage"]) == ("one", 50, 8)
    assert (row["isLimited"], row["reason"], row["remainingS"]) == (False, None, None)
    (window,) = row["windows"]
    assert (window["remaining"], window["resetS"], window["ageS"]) == (42, 20.0, 10.0)


async def test_combos_are_listed_with_their_parts_and_metrics(era: str) -> None:
    here = world(
        combos=[
            combo("duo", "one/m", "m", "inner", "nobody/llama"),
            combo("inner", "two/m", active=False, description="for rainy days"),
        ]
    )

    async with client(here, era=era) as mine:
        await mine.call_tool("omniroute_route_request", {"model": "duo", **QUESTION})
        plain = values(await mine.call_tool("omniroute_list_combos", {}))
        measured = values(await mine.call_tool("omniroute_list_combos", {"includeMetrics": True}))

    duo, inner = plain["combos"]
    parts = [(one["provider"], one["model"], one["combo"]) for one in duo["models"]]
    assert parts == [
        ("one", "m", None),
        (None, "m", None),
        (None, None, "inner"),
        (None, "nobody/llama", None),
    ]
    assert [one["priority"] for one in duo["models"]] == [1, 2, 3, 4]
    assert (inner["enabled"], inner["description"], inner["metrics"]) == (
        False,
        "for rainy days",
        None,
    )
    assert measured["combos"][0]["metrics"] == {
        "requestCount": 1,
        "successRate": 1.0,
        "avgLatencyMs": 0.0,
        "totalCost": 0.000014,
        "knownCost": 0.000014,
        "unpricedRequests": 0,
    }
    assert measured["combos"][1]["metrics"]["successRate"] is None


async def test_the_catalogue_is_filtered_and_tells_price_and_status(era: str) -> None:
    here = world(combos=[combo("duo", "one/m", "two/m")])
    here.upstream.scripts["one/m"] = failing(
        UpstreamFailure("slow down", kind="rate_limited", retry_after_s=30.0)
    )

    async with client(here, era=era) as mine:
        await mine.call_tool("omniroute_route_request", {"model": "one/m", **QUESTION})
        everything = values(await mine.call_tool("omniroute_list_models_catalog", {}))
        of_one = values(await mine.call_tool("omniroute_list_models_catalog", {"provider": "one"}))
        images = values(
            await mine.call_tool("omniroute_list_models_catalog", {"capability": "image"})
        )

    status = {one["id"]: one["status"] for one in everything["models"]}
    assert status["one/m"] == "unavailable"
    assert status["two/m"] == "available"
    assert status["duo"] == "degraded"
    assert status["auto"] == "degraded"
    (row,) = of_one["models"]
    assert row["pricing"] == {"inputPerMillion": 1.0, "outputPerMillion": 2.0}
    assert (row["provider"], row["capabilities"], row["contextTokens"]) == (
        "one",
        ["chat"],
        100_000,
    )
    assert images["models"] == []


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("omniroute_get_health", {}),
        ("omniroute_list_combos", {"includeMetrics": True}),
        ("omniroute_list_models_catalog", {}),
        ("omniroute_route_request", {"model": "auto", **QUESTION}),
        ("omniroute_simulate_route", {"model": "auto", "promptTokenEstimate": 5}),
    ],
)
async def test_every_answer_fits_its_output_schema(
    tool: str, arguments: dict[str, Any], era: str
) -> None:
    schemas = {one.name: output_schema(one.gives) for one in TABLE}
    here = world(combos=[combo("duo", "one/m", "two/m")])

    async with client(here, era=era) as mine:
        result = values(await mine.call_tool(tool, arguments))

    jsonschema.validate(result, schemas[tool])
    assert set(result) == set(schemas[tool]["properties"])
