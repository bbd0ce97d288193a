"""The record of tool calls: each is there once, whatever became of it, and holds no free text.

DEFECT of the ancestor, section 1.5: some tools were not audited at all, a call that was refused
or cancelled looked like one that failed, and the beginning of every answer was kept.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from mcp import Client, MCPError
from mcp.types import CallToolRequestParams, CallToolResult, TextContent
from mcp.types import Tool as McpTool

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Caller
from omniroute.tools.additions import AddedTool, Additions, Context
from omniroute.tools.audit import ToolCall, Trail
from omniroute.tools.binding import build_server
from omniroute.tools.calls import ERROR_META
from omniroute.tools.redaction import KEPT, redacted, shown
from omniroute.tools.shapes import input_schema
from omniroute.tools.table import TABLE, Tool
from tests.fakes import ADMIN, MemoryAudit, World, failing, world
from tests.tools.test_mcp_door import READER, ask, client, door_of, listening, post, stalled

pytestmark = pytest.mark.anyio

ERAS = ("legacy", "2026-07-28")
VERSIONS = {"legacy": "2025-11-25", "2026-07-28": "2026-07-28"}
AGENT = Caller("key-agent", frozenset({"read:health", "write:route"}))
NO_LOG = Caller("key-quiet", AGENT.scopes, keep_content=False)
SECRET_WORDS = "my diary, page one"
QUESTION = {"model": "one/m", "messages": [{"role": "user", "content": SECRET_WORDS}]}
WAIT_S = 10


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def audit() -> MemoryAudit:
    return MemoryAudit()


@asynccontextmanager
async def served(
    here: World,
    audit: MemoryAudit,
    caller: Caller = AGENT,
    *,
    era: str = "2026-07-28",
    added: Additions | None = None,
) -> AsyncIterator[Client]:
    server = build_server(
        here.gateway,
        lambda ctx: caller,
        additions=added or Additions(),
        trail=Trail(audit, here.clock),
    )
    async with asyncio.timeout(WAIT_S), Client(server, mode=era) as one:
        yield one


def only(audit: MemoryAudit) -> ToolCall:
    (call,) = audit.calls
    return call


def code_of(result: CallToolResult) -> Mapping[str, Any]:
    assert result.meta is not None
    facts: Mapping[str, Any] = result.meta[ERROR_META]
    return facts


async def test_an_answered_call_is_recorded_with_all_that_is_known_of_it(
    audit: MemoryAudit, era: str
) -> None:
    here = world()

    async with served(here, audit, era=era) as mine:
        result = await mine.call_tool("omniroute_route_request", QUESTION)

    text = json.dumps(QUESTION, sort_keys=True, separators=(",", ":"))
    call = only(audit)
    assert result.structured_content is not None
    assert call.call_id == result.structured_content["routing"]["requestId"]
    assert (call.tool, call.key_id) == ("omniroute_route_request", "key-agent")
    assert (call.outcome, call.error) == ("answered", None)
    assert call.at_unix_s == here.clock.unix()
    assert call.arguments_hash == hashlib.sha256(text.encode()).hexdigest()
    assert call.arguments is None
    assert (call.era, call.transport) == (VERSIONS[era], "memory")
    assert call.summary is not None
    assert '"content":"[5 characters]","model":"m"' in call.summary


async def test_a_call_takes_as_long_as_the_clock_says(audit: MemoryAudit) -> None:
    here = world()

    async def run(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
        here.clock.advance(1.5)
        return CallToolResult(content=[TextContent(type="text", text=SECRET_WORDS)])

    listed = McpTool(name="slow", input_schema={"type": "object"})
    added = Additions(tools=(AddedTool(listed, "read:health", run),))
    async with served(here, audit, added=added) as mine:
        await mine.call_tool("slow", {})

    assert only(audit).duration_ms == 1_500
    assert only(audit).summary == '{"content":[{"kind":"text"}]}'


@pytest.mark.parametrize(
    ("arguments", "code"),
    [({"model": "one/m"}, "bad_request"), ({**QUESTION, "model": "nobody"}, "model_not_found")],
)
async def test_a_call_that_fails_is_recorded_with_its_code_and_words(
    audit: MemoryAudit, era: str, arguments: dict[str, Any], code: str
) -> None:
    async with served(world(), audit, era=era) as mine:
        result = await mine.call_tool("omniroute_route_request", arguments)

    call, facts = only(audit), code_of(result)
    assert (call.outcome, call.error) == ("failed", code)
    assert (facts["code"], facts["requestId"]) == (code, call.call_id)
    assert call.summary is not None
    assert call.summary.startswith(result.content[0].text[:100])  # type: ignore[union-attr]


async def test_a_failing_provider_is_recorded_as_a_failure(audit: MemoryAudit) -> None:
    refusal = failing(UpstreamFailure("the provider is down", kind="server_error"))

    async with served(world(scripts={"one/m": refusal}), audit) as mine:
        result = await mine.call_tool("omniroute_route_request", QUESTION)

    assert (only(audit).outcome, only(audit).error) == ("failed", code_of(result)["code"])


async def test_a_call_without_the_scope_is_refused_and_not_failed(
    audit: MemoryAudit, era: str
) -> None:
    async with served(world(), audit, era=era) as mine:
        with pytest.raises(MCPError):
            await mine.call_tool("omniroute_list_combos", {})

    call = only(audit)
    assert (call.outcome, call.error) == ("refused", "scope_denied:read:combos")
    assert call.summary is not None
    assert "lacks scope read:combos" in call.summary


async def test_a_call_of_no_tool_is_refused_and_its_name_is_only_told_where_it_is_one(
    audit: MemoryAudit,
) -> None:
    async with served(world(), audit) as mine:
        for name in ("omniroute_nothing", SECRET_WORDS, "sk-omni-fake"):
            with pytest.raises(MCPError):
                await mine.call_tool(name, {})

    assert {(one.outcome, one.error) for one in audit.calls} == {("refused", "unknown_tool")}
    assert [one.tool for one in audit.calls] == [
        "omniroute_nothing",
        "[18 characters]",
        "[12 characters]",
    ]


async def test_a_cancelled_call_is_neither_answered_nor_failed(
    audit: MemoryAudit, era: str
) -> None:
    here = world()
    stalling = stalled(here)

    async with served(here, audit, era=era) as mine:
        calling = asyncio.create_task(mine.call_tool("omniroute_route_request", QUESTION))
        await stalling.begun.wait()
        calling.cancel()
        await stalling.closed.wait()

    call = only(audit)
    assert (call.outcome, call.error, call.summary) == ("cancelled", None, None)
    assert call.arguments_hash is not None


async def test_a_tool_that_raises_is_recorded_once_as_failed(audit: MemoryAudit, era: str) -> None:
    async def run(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
        raise MCPError(-32050, "no")

    listed = McpTool(name="broken", input_schema={"type": "object"})
    added = Additions(tools=(AddedTool(listed, "read:health", run),))
    async with served(world(), audit, era=era, added=added) as mine:
        with pytest.raises(MCPError):
            await mine.call_tool("broken", {})

    assert (only(audit).outcome, only(audit).error) == ("failed", "protocol_error:-32050")


async def test_nothing_that_was_said_is_kept_of_a_key_that_keeps_nothing(
    audit: MemoryAudit,
) -> None:
    audit.keeps_arguments = True

    async with served(world(), audit, NO_LOG) as mine:
        await mine.call_tool("omniroute_route_request", QUESTION)
        await mine.call_tool("omniroute_route_request", {"model": "one/m"})

    assert [one.error for one in audit.calls] == [None, "bad_request"]
    assert {(one.arguments_hash, one.arguments, one.summary) for one in audit.calls} == {
        (None, None, None)
    }


async def test_arguments_are_kept_by_the_setting_with_free_text_as_its_length(
    audit: MemoryAudit,
) -> None:
    audit.keeps_arguments = True

    async with served(world(), audit) as mine:
        await mine.call_tool("omniroute_route_request", {**QUESTION, "budget": 0.5, "x": {"y": 1}})

    assert json.loads(only(audit).arguments or "") == {
        "model": "one/m",
        "messages": [{"role": "user", "content": "[18 characters]"}],
        "budget": 0.5,
        "x": {"y": 1},
    }


def texts(schema: Mapping[str, Any], word: str) -> Any:
    """Give a value of a schema whose texts are all this word, whatever else they should be."""
    match schema.get("type"):
        case "object":
            return {name: texts(one, word) for name, one in schema.get("properties", {}).items()}
        case "array":
            return [texts(schema["items"], word)]
        case "string":
            return word
        case _:
            return schema.get("minimum", 1)


@pytest.mark.parametrize("tool", TABLE, ids=lambda tool: tool.name)
async def test_no_tool_leaves_a_text_or_a_key_in_the_record(
    tool: Tool[Any, Any], audit: MemoryAudit
) -> None:
    audit.keeps_arguments = True
    schema = input_schema(tool.takes)

    async with served(world(), audit, ADMIN) as mine:
        for word in (SECRET_WORDS, "sk-omni-fake-0123456789", "AIzaFake0123456789"):
            await mine.call_tool(tool.name, {"stray": word, **texts(schema, word)})

    kept = [one.arguments or "" for one in audit.calls]
    assert len(kept) == 3
    assert not [one for one in kept if "diary" in one or "fake" in one.lower()]


async def test_the_record_of_any_arguments_is_bounded_and_valid() -> None:
    deep: Any = {"model": "m"}
    for _ in range(50):
        deep = {"messages": [deep]}
    wide = {f"name{number}": ["x"] * 1_000 for number in range(1_000)}
    odd = {"model": "\0", "sp ace": 1, "role": "\ud800", "budget": float("nan"), "n": 2**70}

    assert len(shown(deep, chars_max=2_000)) < 500
    assert len(shown(wide, chars_max=2_000)) == 2_000
    assert redacted(odd) | {"budget": None} == {
        "model": "[1 characters]",
        "[name 1]": 1,
        "role": "[1 characters]",
        "budget": None,
        "n": "[a number]",
    }
    assert redacted({"model": ["a"] * 25})["model"][-1] == "[5 more]"


def test_free_text_has_no_place_among_the_fields_that_are_told() -> None:
    prompts = {"content", "testPrompt", "message", "detail", "explanation", "routingExplanation"}
    handles = {"session", "idempotencyKey", "sessionId", "description", "reason", "tradeoff"}

    assert not KEPT & (prompts | handles)


async def test_the_hash_is_the_same_for_the_same_values_in_any_order(audit: MemoryAudit) -> None:
    one, two = {"model": "one/m", "promptTokenEstimate": 9}, {"promptTokenEstimate": 9}

    async with served(world(), audit) as mine:
        await mine.call_tool("omniroute_simulate_route", one)
        await mine.call_tool("omniroute_simulate_route", {**two, "model": "one/m"})
        await mine.call_tool("omniroute_simulate_route", {**one, "promptTokenEstimate": 10})

    hashes = [call.arguments_hash for call in audit.calls]
    assert hashes[0] == hashes[1] != hashes[2]


async def test_over_http_a_refusal_by_the_door_is_recorded_once(
    audit: MemoryAudit, era: str
) -> None:
    here = world()
    door = door_of(here)
    door.trail = Trail(audit, here.clock)

    async with listening(door) as url, client(url, READER, era=era) as mine:
        with pytest.raises(MCPError):
            await mine.call_tool("omniroute_route_request", QUESTION)
        await mine.call_tool("omniroute_get_health", {})

    refused, answered = audit.calls
    assert (refused.outcome, refused.error) == ("refused", "scope_denied:write:route")
    assert (refused.key_id, refused.tool) == ("key-reader", "omniroute_route_request")
    assert refused.arguments_hash is not None
    assert (answered.outcome, answered.tool) == ("answered", "omniroute_get_health")
    assert {one.era for one in audit.calls} == {VERSIONS[era]}
    assert {one.transport for one in audit.calls} == {"http"}


async def test_who_is_not_known_leaves_no_record(audit: MemoryAudit) -> None:
    here = world()
    door = door_of(here)
    door.trail = Trail(audit, here.clock)

    async with listening(door) as url:
        refused = await post(url, ask(), authorization="Bearer sk-omni-fake-wrong")

    assert refused.status_code == 401
    assert audit.calls == []


async def test_the_relay_is_told_from_other_clients(audit: MemoryAudit) -> None:
    here = world()
    door = door_of(here, stateless=True)
    door.trail = Trail(audit, here.clock)
    old = {"mcp_protocol_version": "2025-11-25", "x_omniroute_transport": "stdio"}

    async with listening(door) as url:
        await post(url, ask(), **old)
        await post(url, ask("omniroute_list_combos"), **old)

    assert [one.outcome for one in audit.calls] == ["answered", "refused"]
    assert [one.transport for one in audit.calls] == ["stdio", "stdio"]


async def test_a_client_that_hangs_up_cancelled_its_call(audit: MemoryAudit) -> None:
    here = world()
    stalling = stalled(here)
    door = door_of(here, stateless=True)
    door.trail = Trail(audit, here.clock)
    question = ask("omniroute_route_request", **QUESTION)

    async with listening(door) as url:
        calling = asyncio.create_task(post(url, question, mcp_protocol_version="2025-11-25"))
        await stalling.begun.wait()
        calling.cancel()
        await asyncio.wait_for(stalling.closed.wait(), WAIT_S)
        with pytest.raises(asyncio.CancelledError):
            await calling

    assert [one.outcome for one in audit.calls] == ["cancelled"]


async def test_a_body_that_is_nested_too_deep_is_refused_without_a_hash(
    audit: MemoryAudit,
) -> None:
    here = world()
    door = door_of(here)
    door.trail = Trail(audit, here.clock)
    # As deep as the door reads it, and deeper than it can be written again.
    nested = (
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"omniroute_route_request"'
    )
    nested += ',"arguments":{"x":' + "[" * 900 + "]" * 900 + "}}}"

    async with listening(door) as url, httpx.AsyncClient() as http:
        refused = await http.post(
            url, content=nested, headers={"authorization": f"Bearer {READER}"}
        )

    assert refused.status_code == 403
    assert [one.outcome for one in audit.calls] == ["refused"]
