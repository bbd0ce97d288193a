"""Resources and templates, read by the official MCP client in memory, in both protocol eras."""

import json
from typing import Any

import jsonschema
import pytest
from mcp import MCPError
from mcp.types import ReadResourceResult, TextResourceContents

from omniroute.routing.access import SCOPES
from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Caller
from omniroute.tools.offers import Offers
from omniroute.tools.resources import RESOURCES
from omniroute.tools.shapes import output_schema
from omniroute.tools.table import TABLE
from tests.fakes import ADMIN, World, account, combo, failing, world
from tests.tools.test_tools import AGENT, OTHER, QUESTION, client

pytestmark = pytest.mark.anyio

ERAS = ("legacy", "2026-07-28")
MISSING = {"legacy": -32002, "2026-07-28": -32602}
"""The code of a resource that does not exist, by era."""


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def text(result: ReadResourceResult) -> str:
    (contents,) = result.contents
    assert isinstance(contents, TextResourceContents)
    return contents.text


def two_combos() -> World:
    return world(
        combos=[combo("fast", "one/m", "two/m"), combo("cheap code", "two/m", active=False)]
    )


async def asked(here: World, caller: Caller = AGENT, model: str = "one/m") -> str:
    """Ask a model and give the request's id."""
    async with client(here, caller) as mine:
        await mine.call_tool("omniroute_route_request", {"model": model, **QUESTION})
    return here.ledger.records[-1].outcome.request.request_id


async def test_lists_and_each_combo_are_listed(era: str) -> None:
    async with client(two_combos(), era=era) as mine:
        listed = (await mine.list_resources()).resources

    assert [one.uri for one in listed] == [
        "omniroute://health",
        "omniroute://combos",
        "omniroute://models",
        "omniroute://decisions",
        "omniroute://combos/fast",
        "omniroute://combos/cheap%20code",
    ]
    assert all(one.title and one.description and one.mime_type for one in listed)


async def test_templates_are_listed_apart(era: str) -> None:
    async with client(world(), era=era) as mine:
        listed = (await mine.list_resource_templates()).resource_templates

    assert [one.uri_template for one in listed] == [
        "omniroute://combos/{combo}",
        "omniroute://models/{+model}",
        "omniroute://providers/{provider}/models",
        "omniroute://decisions/{requestId}",
        "omniroute://decisions/{requestId}/text",
    ]


async def test_many_combos_come_in_pages_and_each_once(era: str) -> None:
    here = world(combos=[combo(f"c{number}", "one/m") for number in range(230)])

    async with client(here, era=era) as mine:
        first = await mine.list_resources()
        second = await mine.list_resources(cursor=first.next_cursor)
        third = await mine.list_resources(cursor=second.next_cursor)

    pages = [one.resources for one in (first, second, third)]
    assert [len(one) for one in pages] == [100, 100, 34]
    assert len({one.uri for rows in pages for one in rows}) == 234
    assert third.next_cursor is None


async def test_a_row_that_comes_between_two_pages_makes_none_come_twice(era: str) -> None:
    here = world(combos=[combo(f"c{number}", "one/m") for number in range(150)])

    async with client(here, era=era) as mine:
        first = await mine.list_resources()
        await here.configs.remove_combo("cmb-c0", actor="test")
        second = await mine.list_resources(cursor=first.next_cursor)

    assert not {one.uri for one in first.resources} & {one.uri for one in second.resources}
    assert second.resources[-1].uri == "omniroute://combos/c149"


@pytest.mark.parametrize("cursor", ["nonsense", "bm9uZQ==", "ÿ", ""])
@pytest.mark.parametrize("kind", ["tools", "resources", "resource_templates", "prompts"])
async def test_a_cursor_that_is_none_of_ours_is_refused(kind: str, cursor: str, era: str) -> None:
    async with client(world(), era=era) as mine:
        with pytest.raises(MCPError, match="without a cursor") as refused:
            await getattr(mine, f"list_{kind}")(cursor=cursor)

    assert refused.value.code == -32602


@pytest.mark.parametrize(
    ("uri", "tool", "arguments"),
    [
        ("omniroute://health", "omniroute_get_health", {}),
        ("omniroute://combos", "omniroute_list_combos", {}),
        ("omniroute://models", "omniroute_list_models_catalog", {}),
    ],
)
async def test_a_list_reads_as_its_tool_answers(
    uri: str, tool: str, arguments: dict[str, Any], era: str
) -> None:
    async with client(two_combos(), era=era) as mine:
        read = json.loads(text(await mine.read_resource(uri)))
        called = (await mine.call_tool(tool, arguments)).structured_content

    assert called is not None
    for moves in ("memoryUsage", "uptime", "uptimeS"):
        read.pop(moves, None)
        called.pop(moves, None)
    assert read == called


async def test_one_combo_is_read_by_its_name(era: str) -> None:
    async with client(two_combos(), era=era) as mine:
        read = json.loads(text(await mine.read_resource("omniroute://combos/cheap%20code")))

    assert (read["name"], read["enabled"]) == ("cheap code", False)
    assert [one["target"] for one in read["models"]] == ["two/m"]


@pytest.mark.parametrize("model", ["one/m", "two/org/large:70b", "auto", "fast"])
async def test_one_model_is_read_by_its_name_with_slashes_in_it(model: str, era: str) -> None:
    here = world(
        account("one"), account("two", "m", "org/large:70b"), combos=[combo("fast", "one/m")]
    )

    async with client(here, era=era) as mine:
        read = json.loads(text(await mine.read_resource(f"omniroute://models/{model}")))

    assert (read["id"], read["status"]) == (model, "available")


async def test_a_providers_models_are_read(era: str) -> None:
    async with client(world(), era=era) as mine:
        read = json.loads(text(await mine.read_resource("omniroute://providers/two/models")))

    assert read["provider"] == "two"
    assert [one["id"] for one in read["models"]] == ["two/m"]


async def test_decisions_are_listed_newest_first_with_where_each_is_read(era: str) -> None:
    here = world(scripts={"two/m": failing(UpstreamFailure("no", kind="server_error"))})
    first = await asked(here)
    second = await asked(here, model="two/m")

    async with client(here, era=era) as mine:
        read = json.loads(text(await mine.read_resource("omniroute://decisions")))
        whole = json.loads(text(await mine.read_resource(read["decisions"][1]["uri"])))
        called = await mine.call_tool("omniroute_explain_route", {"requestId": first})

    assert [one["requestId"] for one in read["decisions"]] == [second, first]
    assert [one["status"] for one in read["decisions"]] == ["failed", "answered"]
    assert read["decisions"][0]["provider"] is None
    assert whole == called.structured_content


async def test_a_decision_reads_as_text(era: str) -> None:
    here = world(
        combos=[combo("fast", "one/m", "two/m")],
        scripts={"one/m": failing(UpstreamFailure("it broke", kind="server_error"))},
    )
    request_id = await asked(here, model="fast")

    async with client(here, era=era) as mine:
        read = await mine.read_resource(f"omniroute://decisions/{request_id}/text")

    told = text(read)
    assert read.contents[0].mime_type == "text/plain"
    assert told.startswith(f"Request {request_id}\n")
    assert "asked for: fast" in told
    assert "1. one/m failed with server_error" in told
    assert "it broke" in told
    assert "2. two/m answered in" in told
    assert "answered by: two/m" in told
    assert "cost: $" in told


@pytest.mark.parametrize("tail", ["", "/text"])
async def test_another_keys_decision_reads_as_a_missing_one(tail: str, era: str) -> None:
    here = world()
    request_id = await asked(here)

    async with client(here, OTHER, era=era) as theirs:
        with pytest.raises(MCPError) as foreign:
            await theirs.read_resource(f"omniroute://decisions/{request_id}{tail}")
        with pytest.raises(MCPError) as missing:
            await theirs.read_resource(f"omniroute://decisions/req-none{tail}")

    assert foreign.value.code == missing.value.code == MISSING[era]
    assert str(foreign.value) == str(missing.value).replace("req-none", request_id)


async def test_decisions_are_those_of_the_own_key(era: str) -> None:
    here = world()
    await asked(here)

    async with client(here, OTHER, era=era) as theirs:
        read = json.loads(text(await theirs.read_resource("omniroute://decisions")))

    assert read == {"decisions": []}


@pytest.mark.parametrize(
    "uri",
    [
        "omniroute://combos/none",
        "omniroute://combos/",
        "omniroute://models/none/m",
        "omniroute://providers/none/models",
        "omniroute://providers/one",
        "omniroute://secrets",
        "omniroute://health/../combos",
        "https://example.com/",
        "file:///etc/passwd",
        "nonsense",
        "omniroute://models/" + "x" * 5000,
    ],
)
async def test_what_does_not_exist_is_an_error_that_repeats_the_address(uri: str, era: str) -> None:
    async with client(world(), era=era) as mine:
        with pytest.raises(MCPError) as refused:
            await mine.read_resource(uri)

    assert refused.value.code == MISSING[era]
    assert uri.startswith(refused.value.data["uri"])
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("row", RESOURCES, ids=lambda row: row.name)
async def test_a_resource_is_seen_and_read_by_the_scope_of_what_it_shows(
    row: Any, era: str
) -> None:
    less = Caller("key-less", frozenset(SCOPES) - {row.scope})
    values = {"combo": "fast", "model": "one/m", "provider": "one", "requestId": "req-1"}
    uri = row.uri.replace("{+", "{").format(**values)

    async with client(two_combos(), less, era=era) as mine:
        listed = [one.uri for one in (await mine.list_resources()).resources]
        kinds = (await mine.list_resource_templates()).resource_templates
        with pytest.raises(MCPError, match=f"lacks scope {row.scope}") as refused:
            await mine.read_resource(uri)

    assert refused.value.code == -32003
    assert refused.value.data == {"required_scopes": [row.scope]}
    assert uri not in listed
    assert row.uri not in [one.uri_template for one in kinds]


async def test_a_key_without_scopes_sees_nothing(era: str) -> None:
    async with client(two_combos(), Caller("key-none", frozenset()), era=era) as mine:
        listed = await mine.list_resources()
        kinds = await mine.list_resource_templates()
        prompts = await mine.list_prompts()

    assert (listed.resources, kinds.resource_templates, prompts.prompts) == ([], [], [])


async def test_a_restricted_key_reads_the_models_that_it_may_ask_for(era: str) -> None:
    caller = Caller(AGENT.key_id, AGENT.scopes, ("two/*",))

    async with client(world(), caller, era=era) as mine:
        read = json.loads(text(await mine.read_resource("omniroute://models")))
        with pytest.raises(MCPError, match="no model is named 'one/m'"):
            await mine.read_resource("omniroute://models/one/m")

    assert [one["id"] for one in read["models"] if one["kind"] == "model"] == ["two/m"]


async def test_what_never_changes_may_be_kept_and_nothing_is_shared() -> None:
    here = world()
    request_id = await asked(here)

    async with client(here) as mine:
        health = await mine.read_resource("omniroute://health")
        decision = await mine.read_resource(f"omniroute://decisions/{request_id}")
        lists: list[Any] = [
            await mine.list_resources(),
            await mine.list_resource_templates(),
            await mine.list_prompts(),
        ]

    assert (health.ttl_ms, health.cache_scope) == (0, "private")
    assert (decision.ttl_ms, decision.cache_scope) == (3_600_000, "private")
    assert {(one.ttl_ms, one.cache_scope) for one in lists} == {(30_000, "private")}


async def test_a_json_resource_holds_to_the_schema_of_its_tool() -> None:
    schemas = {tool.name: output_schema(tool.gives) for tool in TABLE}
    here = two_combos()
    request_id = await asked(here)

    async with client(here, ADMIN) as mine:
        for uri, tool in (
            ("omniroute://health", "omniroute_get_health"),
            ("omniroute://combos", "omniroute_list_combos"),
            ("omniroute://models", "omniroute_list_models_catalog"),
            (f"omniroute://decisions/{request_id}", "omniroute_explain_route"),
        ):
            told = json.loads(text(await mine.read_resource(uri)))
            assert list(jsonschema.Draft202012Validator(schemas[tool]).iter_errors(told)) == [], uri


@pytest.mark.parametrize("row", RESOURCES, ids=lambda row: row.name)
def test_every_row_has_a_known_scope_and_is_found_by_its_own_address(row: Any) -> None:
    values = {"combo": "a b", "model": "one/two:3", "provider": "one", "requestId": "req-1"}
    filled = row.uri.replace("{+", "{").format(**{**values, "combo": "a%20b"})

    found = Offers(world().gateway).found(filled)

    assert row.scope in SCOPES
    assert found is not None
    assert found[0] is row
    assert all(values[name] == value for name, value in found[1].items())
