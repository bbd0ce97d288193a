"""The skills that answer from data: in words, and as an object for programs."""

import json
from dataclasses import replace
from typing import Any

import pytest

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Caller, ModelFacts, Price
from tests.a2a_door import door as doors
from tests.a2a_door.door import Served, serving, v03_message, v10_message
from tests.fakes import World, account, combo, failing, world

pytestmark = pytest.mark.anyio

READER = {"authorization": "Bearer sk-fake-reports"}
READS = frozenset({"read:health", "read:combos", "read:quota", "read:usage", "read:models"})
CALLER = Caller("key-reports", READS | {"write:route"})
V10 = {"A2A_Version": "1.0"}
REPORTS = [
    "quota-management",
    "cost-analysis",
    "provider-discovery",
    "health-report",
    "list-capabilities",
]
QUESTIONS = {
    "quota-management": ["ranking please", "suggest a free combo", "how does it stand?"],
    "cost-analysis": ["what did I spend?", "cost by model today", "costs by day in a month"],
    "provider-discovery": ["who is there?", "which models call tools?", "who serves m?"],
    "health-report": ["is everything up?", "how is one doing?"],
    "list-capabilities": ["what can you do?", "tell me about cost-analysis"],
}


@pytest.fixture(autouse=True)
def reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that may read and route."""
    monkeypatch.setitem(doors.CALLERS, "sk-fake-reports", CALLER)


async def asked(door: Served, skill: str, question: str, **headers: str) -> Any:
    """Give the task of a question in 0.3."""
    params = {"message": v03_message(question), "metadata": {"skill": skill}}
    return await door.result("message/send", params, **(headers or READER))


def text_of(task: Any) -> str:
    [artifact] = task["artifacts"]
    return str(artifact["parts"][0]["text"])


def data_of(task: Any) -> Any:
    [artifact] = task["artifacts"]
    return artifact["parts"][1]["data"]


async def routed(door: Served, model: str, times: int = 1) -> None:
    for _ in range(times):
        params = {"message": v03_message(), "metadata": {"model": model}}
        await door.result("message/send", params, **READER)


def keys_of(value: object) -> set[str]:
    """Give every key within."""
    if isinstance(value, dict):
        return set(value).union(*map(keys_of, value.values()))
    return set[str]().union(*map(keys_of, value)) if isinstance(value, list) else set()


def three_states() -> list[World]:
    down = failing(UpstreamFailure("down for a test", kind="server_error"))
    empty = world()
    empty.configs.config = replace(empty.configs.config, accounts=(), combos=())
    return [
        empty,
        world(combos=[combo("duo", "one/m", "two/m")]),
        world(scripts={"one/m": down, "two/m": down}),
    ]


@pytest.mark.parametrize("skill", REPORTS)
@pytest.mark.parametrize("state", range(3))
async def test_every_question_is_answered_in_every_state_without_any_call(
    skill: str, state: int
) -> None:
    made = three_states()[state]
    async with serving(made) as door:
        if state:
            await routed(door, "one/m", 2)
        calls = len(made.upstream.calls)
        for question in QUESTIONS[skill]:
            task = await asked(door, skill, question)

            assert task["status"]["state"] == "completed", task
            assert text_of(task).strip()
            assert data_of(task)["queryType"]
            assert not {key for key in keys_of(data_of(task)) if "_" in key}
            assert "metadata" not in task

        assert len(made.upstream.calls) == calls


@pytest.mark.parametrize("skill", REPORTS[:-1])
async def test_a_report_needs_the_scope_of_what_it_reads_and_no_other(
    skill: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = {
        "quota-management": "read:quota",
        "cost-analysis": "read:usage",
        "provider-discovery": "read:models",
        "health-report": "read:health",
    }[skill]
    monkeypatch.setitem(doors.CALLERS, "only", Caller("only", frozenset({needed})))
    without = Caller("without", READS - {needed} | {"write:route"})
    monkeypatch.setitem(doors.CALLERS, "without", without)
    async with serving() as door:
        allowed = await asked(door, skill, "how does it stand?", authorization="Bearer only")
        body = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "message/send",
            "params": {"message": v03_message("how?"), "metadata": {"skill": skill}},
        }
        refused = await door.post(body, authorization="Bearer without")
        rows = len(door.store.rows)

    assert allowed["status"]["state"] == "completed"
    assert refused.status_code == 403
    assert needed in refused.json()["error"]["message"]
    assert rows == 1


async def test_free_combos_need_the_scope_of_combos_before_there_is_a_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(doors.CALLERS, "only", Caller("only", frozenset({"read:quota"})))
    async with serving() as door:
        params = {"skill": "quota-management", "messages": [{"content": "suggest a free combo"}]}
        error = await door.error("message/send", params, authorization="Bearer only")
        rows = door.store.rows

    assert "read:combos" in error["message"]
    assert rows == {}


async def test_a_native_report_has_its_data_in_its_metadata_as_documented() -> None:
    async with serving() as door:
        params = {"skill": "quota-management", "messages": [{"content": "ranking please"}]}
        result = await door.result("message/send", params, **READER)
        got = await door.result("tasks/get", {"taskId": result["task"]["id"]}, **READER)

    text, data = result["artifacts"]
    assert (text["type"], data["type"]) == ("text", "json")
    assert result["metadata"]["queryType"] == "ranking"
    assert {one["provider"] for one in result["metadata"]["providers"]} == {"one", "two"}
    assert json.loads(data["content"]) == result["metadata"]
    assert got["task"]["artifacts"] == result["artifacts"]
    assert got["task"]["metadata"] == result["metadata"]


async def test_quota_ranks_what_is_not_bounded_first_and_what_rests_last() -> None:
    limited = failing(UpstreamFailure("slow down", kind="rate_limited", retry_after_s=300.0))
    async with serving(world(scripts={"one/m": limited})) as door:
        await routed(door, "one/m")
        ranking = await asked(door, "quota-management", "a ranking, please")
        summary = await asked(door, "quota-management", "how does it stand?")
        one = await asked(door, "quota-management", "what is left at one?")

    places = [(row["provider"], row["percentRemaining"]) for row in data_of(ranking)["providers"]]
    assert places == [("two", None), ("one", 0.0)]
    assert data_of(summary)["queryType"] == "summary"
    assert (data_of(summary)["providerCount"], len(data_of(summary)["warnings"])) == (2, 1)
    assert "one" in data_of(summary)["warnings"][0]
    assert [row["provider"] for row in data_of(one)["providers"]] == ["one"]


async def test_only_combos_that_cost_nothing_are_said_to() -> None:
    def facts(provider: str, model: str) -> ModelFacts:
        return ModelFacts(price=Price(0, 0) if provider == "one" else Price(1, 1))

    combos = [combo("gift", "one/m"), combo("free-lunch", "two/m"), combo("dear", "two/m")]
    async with serving(world(combos=combos, facts_by=facts)) as door:
        task = await asked(door, "quota-management", "suggest a free combo")

    told = {one["name"]: one["costsNothing"] for one in data_of(task)["freeCombos"]}
    assert data_of(task)["queryType"] == "free_suggestion"
    assert told == {"gift": True, "free-lunch": False}


async def test_costs_are_those_of_the_key_and_of_the_time_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paying = Caller(CALLER.key_id, CALLER.scopes, budget_ids=("monthly",))
    monkeypatch.setitem(doors.CALLERS, "sk-fake-reports", paying)
    async with serving(world(caps={"monthly": 10**9})) as door:
        await routed(door, "one/m", 2)
        door.world.clock.advance(2 * 86_400.0)
        await routed(door, "two/m")
        await door.result("message/send", {"message": v03_message()})
        day = await asked(door, "cost-analysis", "what did I spend in the last 24 hours?")
        week = await asked(door, "cost-analysis", "my costs in the last 7 days by provider")
        one = await asked(door, "cost-analysis", "what did one cost this week?")

    assert (data_of(day)["requestCount"], data_of(week)["requestCount"]) == (1, 3)
    assert data_of(day)["totalCost"] == 0.000014
    [by_provider] = [one for one in data_of(week)["groups"] if one["by"] == "provider"]
    assert [(row["name"], row["requests"]) for row in by_provider["rows"]] == [
        ("one", 2),
        ("two", 1),
    ]
    assert data_of(one)["requestCount"] == 2
    assert data_of(one)["providers"] == ["one"]
    assert [budget["name"] for budget in data_of(week)["budgets"]] == ["monthly"]
    assert "$0.000042" in text_of(week)


async def test_an_unknown_price_makes_the_sum_unknown_and_not_smaller() -> None:
    async with serving(world(facts_by=lambda provider, model: ModelFacts())) as door:
        await routed(door, "one/m")
        task = await asked(door, "cost-analysis", "what did I spend today?")

    assert (data_of(task)["totalCost"], data_of(task)["unpricedRequests"]) == (None, 1)
    assert "at least" in text_of(task)


async def test_health_tells_who_is_down_and_why() -> None:
    down = failing(UpstreamFailure("no credit", kind="quota_exhausted"))
    async with serving(world(scripts={"one/m": down})) as door:
        before = await asked(door, "health-report", "is everything up?")
        await routed(door, "one/m")
        after = await asked(door, "health-report", "is everything up?")
        two = await asked(door, "health-report", "how is two doing?")

    assert data_of(before)["status"] == "healthy"
    assert data_of(after)["status"] == "degraded"
    found = {one["provider"]: one for one in data_of(after)["providers"]}
    assert (found["one"]["status"], found["two"]["status"]) == ("down", "healthy")
    assert "quota exhausted" in found["one"]["reasons"][0]
    assert found["one"]["lastFailure"]["kind"] == "quota_exhausted"
    assert [one["provider"] for one in data_of(two)["providers"]] == ["two"]
    assert data_of(two)["status"] == "healthy"


def many_facts(provider: str, model: str) -> ModelFacts:
    known = {
        "gpt-9": ModelFacts(200_000, None, Price(5, 5), tools=True, images=True),
        "gpt-9-mini": ModelFacts(64_000, None, Price(1, 1), tools=True, images=False),
        "embed-3": ModelFacts(8_000, None, Price(2, 0), capabilities=("embedding",)),
        "llama-7": ModelFacts(128_000, None, None, tools=False),
    }
    return known[model]


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("which models call tools?", ["one/gpt-9", "one/gpt-9-mini"]),
        ("which models can see images?", ["one/gpt-9"]),
        ("the cheapest model that calls tools", ["one/gpt-9-mini", "one/gpt-9"]),
        ("what can I use for embeddings?", ["one/embed-3"]),
        ("who has a context of 128k?", ["one/gpt-9", "two/llama-7"]),
        ("who serves llama?", ["two/llama-7"]),
        ("who serves gpt-9-mini?", ["one/gpt-9-mini"]),
        ("what runs at two", ["two/llama-7"]),
        ("is there something local?", ["two/llama-7"]),
        ("who serves gpt-12?", []),
        ("who serves one/gpt-9?", ["one/gpt-9"]),
    ],
)
async def test_discovery_finds_models_by_what_is_said_of_them(
    question: str, found: list[str]
) -> None:
    accounts = [account("one", "gpt-9", "gpt-9-mini", "embed-3"), account("two", "llama-7")]
    accounts[1] = replace(accounts[1], local=True)
    async with serving(world(*accounts, facts_by=many_facts)) as door:
        task = await asked(door, "provider-discovery", question)

    assert data_of(task)["queryType"] == "models"
    assert [one["id"] for one in data_of(task)["models"]] == found
    assert data_of(task)["modelCount"] == len(found)


async def test_discovery_says_of_how_many_models_it_does_not_know() -> None:
    accounts = [account("one", "gpt-9", "embed-3"), account("two", "llama-7")]
    async with serving(world(*accounts, facts_by=many_facts)) as door:
        task = await asked(door, "provider-discovery", "which models call tools?")

    assert data_of(task)["undecidedCount"] == 1
    assert "Of 1 more model it is not known." in text_of(task)


async def test_discovery_shows_a_key_only_the_models_it_may_ask(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bound = Caller("bound", READS, models=("two/*",))
    monkeypatch.setitem(doors.CALLERS, "bound", bound)
    async with serving() as door:
        task = await asked(
            door, "provider-discovery", "who is there?", authorization="Bearer bound"
        )

    assert [one["provider"] for one in data_of(task)["providers"]] == ["two"]


async def test_capabilities_say_what_the_key_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(doors.CALLERS, "only", Caller("only", frozenset({"read:quota"})))
    async with serving() as door:
        task = await asked(
            door, "list-capabilities", "what can you do?", authorization="Bearer only"
        )

    allowed = {one["id"]: one["allowed"] for one in data_of(task)["skills"]}
    assert data_of(task)["totalSkills"] == len(allowed) == 6
    assert {name for name, may in allowed.items() if may} == {
        "quota-management",
        "list-capabilities",
    }


async def test_every_example_on_the_card_is_answered_by_its_skill() -> None:
    async with serving() as door:
        card = (await door.client.get("/.well-known/agent-card.json")).json()
        for skill in card["skills"]:
            for example in skill["examples"]:
                task = await asked(door, skill["id"], example)

                assert task["status"]["state"] == "completed", (example, task)

    assert {skill["id"] for skill in card["skills"]} == {"smart-routing", *REPORTS}


@pytest.mark.parametrize(
    ("modes", "kinds"),
    [
        (["text/plain"], ["text"]),
        (["application/json"], ["data"]),
        (["text/plain", "application/json"], ["text", "data"]),
        (["*/*"], ["text", "data"]),
        ([], ["text", "data"]),
    ],
)
async def test_a_client_gets_what_it_takes(modes: list[str], kinds: list[str]) -> None:
    params = {
        "message": v10_message("is everything up?"),
        "configuration": {"acceptedOutputModes": modes},
        "metadata": {"skill": "health-report"},
    }
    async with serving() as door:
        task = (await door.result("SendMessage", params, **V10, **READER))["task"]

    [artifact] = task["artifacts"]
    assert [next(iter(part)) for part in artifact["parts"]] == kinds


async def test_a_report_takes_no_picture() -> None:
    picture = {"kind": "file", "file": {"bytes": "aGk=", "mimeType": "image/png"}}
    message = {**v03_message(), "parts": [picture]}
    async with serving() as door:
        params = {"message": message, "metadata": {"skill": "health-report"}}
        error = await door.error("message/send", params, **READER)

    assert error["code"] == -32005


@pytest.mark.parametrize(
    ("method", "message", "version"),
    [("message/stream", v03_message, ""), ("SendStreamingMessage", v10_message, "1.0")],
)
async def test_a_streamed_report_ends_with_its_data(
    method: str, message: Any, version: str
) -> None:
    params = {"message": message("is everything up?"), "metadata": {"skill": "health-report"}}
    async with serving() as door:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        response = await door.post(body, a2a_version=version, **READER)

    events = [json.loads(one[6:]) for one in response.text.splitlines() if one[:6] == "data: "]
    updates = [one["result"].get("artifactUpdate", one["result"]) for one in events]
    artifacts = [one for one in updates if "artifact" in one]
    assert [one["lastChunk"] for one in artifacts] == [False, True]
    assert [one["append"] for one in artifacts] == [False, True]
    [part] = artifacts[-1]["artifact"]["parts"]
    assert part["data"]["queryType"] == "health"


async def test_a_native_streamed_report_has_its_data_as_a_chunk_and_as_metadata() -> None:
    params = {"skill": "health-report", "messages": [{"content": "is everything up?"}]}
    async with serving() as door:
        body = {"jsonrpc": "2.0", "id": 1, "method": "message/stream", "params": params}
        response = await door.post(body, **READER)

    *_, chunk, last = [
        json.loads(one[6:])["params"]
        for one in response.text.splitlines()
        if one.startswith("data: ")
    ]
    assert chunk["chunk"]["type"] == "json"
    assert json.loads(chunk["chunk"]["content"]) == last["metadata"]


async def test_a_report_made_in_one_form_reads_the_same_in_the_others() -> None:
    async with serving() as door:
        params = {"skill": "health-report", "messages": [{"content": "is everything up?"}]}
        made = await door.result("message/send", params, **READER)
        task_id = made["task"]["id"]
        old = await door.result("tasks/get", {"id": task_id}, **READER)
        new = await door.result("GetTask", {"id": task_id}, **V10, **READER)

    text, data = new["artifacts"][0]["parts"]
    assert data["mediaType"] == "application/json"
    assert data["data"] == data_of(old) == made["metadata"]
    assert text["text"] == text_of(old) == made["artifacts"][0]["content"]
