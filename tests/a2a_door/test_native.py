"""The native dialect: the documented OmniRoute shapes, sent as raw JSON.

The shapes of the requests are those of the documented A2A server, sections 2.2 to 2.6.
"""

import json
from typing import Any

import pytest

from omniroute.routing.errors import UpstreamFailure
from tests.a2a_door.door import HeldUpstream, serving, v03_message
from tests.fakes import combo, failing, hello, world

pytestmark = pytest.mark.anyio

ASKED = {"skill": "smart-routing", "messages": [{"role": "user", "content": "say hello"}]}


@pytest.mark.parametrize(
    "params",
    [
        {"skill": "smart-routing", "messages": [{"role": "user", "content": "say hello"}]},
        {"messages": [{"role": "user", "content": "say hello"}]},
        {"messages": [{"content": "say hello"}]},
        {"skill": "smart-routing", "message": {"role": "user", "content": "say hello"}},
        {"message": {"role": "user", "content": "say hello"}},
        {"message": {"content": "say hello"}},
        {"message": {"parts": [{"text": "say hello"}]}},
        {"message": {"role": "user", "parts": [{"content": "say"}, {"text": "hello"}]}},
        {
            "skill": "smart-routing",
            "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": "say hello"},
                {"role": "assistant", "content": ""},
            ],
            "metadata": {"model": "auto", "combo": "duo", "budget": 0.5, "role": "coding"},
        },
    ],
)
async def test_every_documented_shape_of_a_send_is_answered(params: dict[str, Any]) -> None:
    async with serving(world(combos=[combo("duo", "one/m", "two/m")])) as door:
        result = await door.result("message/send", params)

    assert set(result) == {"task", "artifacts", "metadata"}
    assert result["task"]["state"] == "completed"
    assert set(result["task"]) == {"id", "state"}
    assert result["artifacts"] == [{"type": "text", "content": "hello"}]
    assert result["metadata"].keys() >= {
        "routing_explanation",
        "cost_envelope",
        "resilience_trace",
        "policy_verdict",
    }


async def test_the_conversation_reaches_the_provider_in_order() -> None:
    params = {
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "yes?"},
            {"role": "user", "content": "say hello"},
        ],
        "metadata": {"model": "one/m"},
    }
    async with serving() as door:
        await door.result("message/send", params)

        sent = json.loads(door.world.upstream.calls[0].operation.body)

    assert sent["messages"] == params["messages"]
    assert sent["model"] == "one/m"


async def test_the_metadata_tells_what_really_happened() -> None:
    down = failing(UpstreamFailure("down for a test", kind="server_error"))
    made = world(combos=[combo("duo", "one/m", "two/m")], scripts={"one/m": down})
    async with serving(made) as door:
        result = await door.result("message/send", {**ASKED, "metadata": {"combo": "duo"}})

    told = result["metadata"]
    assert told["cost_envelope"]["actual"] == 0.000014
    assert told["cost_envelope"]["currency"] == "USD"
    assert [(one["event"], one["provider"]) for one in told["resilience_trace"]] == [
        ("primary_selected", "one"),
        ("fallback_needed", "one"),
    ]
    assert told["resilience_trace"][1]["reason"] == "server_error"
    assert told["policy_verdict"]["allowed"] is True
    assert "two/m answered after one/m (server_error)" in told["routing_explanation"]
    assert told["request_id"] == door.world.ledger.records[0].outcome.request.request_id


async def test_a_failed_task_is_a_result_with_an_error_artifact() -> None:
    down = failing(UpstreamFailure("down for a test", kind="server_error"))
    async with serving(world(scripts={"one/m": down, "two/m": down})) as door:
        result = await door.result("message/send", ASKED)

    assert result["task"]["state"] == "failed"
    [artifact] = result["artifacts"]
    assert artifact["type"] == "error"
    assert "2 of 2 attempts failed" in artifact["content"]
    assert len(result["metadata"]["resilience_trace"]) == 3


async def test_a_task_over_its_budget_is_refused_before_any_call() -> None:
    async with serving() as door:
        result = await door.result("message/send", {**ASKED, "metadata": {"budget": 0.000001}})

        calls = door.world.upstream.calls

    assert result["task"]["state"] == "failed"
    assert result["metadata"]["policy_verdict"]["allowed"] is False
    assert "budget" in result["metadata"]["policy_verdict"]["reason"]
    assert result["metadata"]["resilience_trace"] == []
    assert calls == []


async def test_a_task_is_given_whole() -> None:
    params = {**ASKED, "metadata": {"model": "one/m", "budget": 0.25, "role": "coding"}}
    async with serving() as door:
        sent = await door.result("message/send", params)
        got = await door.result("tasks/get", {"taskId": sent["task"]["id"]})

    task = got["task"]
    assert task["id"] == sent["task"]["id"]
    assert task["skill"] == "smart-routing"
    assert task["state"] == "completed"
    assert task["input"] == {
        "skill": "smart-routing",
        "messages": [{"role": "user", "content": "say hello"}],
        "metadata": {"model": "one/m", "combo": None, "budget": 0.25, "role": "coding"},
    }
    assert task["artifacts"] == sent["artifacts"]
    assert task["metadata"] == sent["metadata"]
    assert [one["state"] for one in task["events"]] == ["working", "completed"]
    assert task["createdAt"] == task["updatedAt"] == "2023-11-14T22:13:20.000Z"
    assert task["expiresAt"] == "2023-11-15T22:13:20.000Z"


async def test_a_running_task_is_cancelled() -> None:
    held = HeldUpstream()
    async with serving(upstream=held) as door:
        params = {"message": v03_message("hi"), "configuration": {"blocking": False}}
        task_id = (await door.result("message/send", params))["id"]
        await held.opened.wait()
        result = await door.result("tasks/cancel", {"taskId": task_id})

    assert result == {"task": {"id": task_id, "state": "cancelled"}}
    assert held.closed.is_set()


@pytest.mark.parametrize(
    ("method", "params", "code", "status"),
    [
        ("message/send", {"skill": "smart-routing"}, -32602, 200),
        ("message/send", {"skill": "smart-routing", "messages": []}, -32602, 200),
        ("message/send", {"messages": [{"role": "user", "content": ""}]}, -32602, 200),
        ("message/send", {"messages": [{"role": "user"}]}, -32602, 200),
        ("message/send", {"messages": "hi"}, -32602, 200),
        ("message/send", {"messages": [{"role": "king", "content": "hi"}]}, -32602, 200),
        ("message/send", {"message": {"content": "  "}}, -32602, 200),
        ("message/send", {**ASKED, "skill": "unheard-of"}, -32601, 404),
        ("message/send", {**ASKED, "metadata": {"budget": "much"}}, -32602, 200),
        ("message/send", {**ASKED, "metadata": {"budget": -1}}, -32602, 200),
        ("message/send", {**ASKED, "metadata": {"budget": True}}, -32602, 200),
        ("message/send", {**ASKED, "metadata": {"model": 7}}, -32602, 200),
        ("tasks/get", {"taskId": "unknown"}, -32602, 200),
        ("tasks/get", {"taskId": 7}, -32602, 200),
        ("tasks/cancel", {"taskId": "unknown"}, -32602, 200),
    ],
)
async def test_errors_stay_within_the_documented_codes(
    method: str, params: dict[str, Any], code: int, status: int
) -> None:
    async with serving() as door:
        response = await door.post({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})

    assert response.status_code == status
    assert response.json()["error"]["code"] == code
    assert response.json()["id"] == 7


async def test_an_ended_task_cannot_be_cancelled() -> None:
    async with serving() as door:
        task_id = (await door.result("message/send", ASKED))["task"]["id"]
        error = await door.error("tasks/cancel", {"taskId": task_id})

    assert error["code"] == -32602
    assert "completed" in error["message"]


async def test_a_gone_database_is_an_internal_error_and_no_task() -> None:
    async with serving() as door:
        door.store.broken = True
        response = await door.post(
            {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": ASKED}
        )

        calls = door.world.upstream.calls

    assert response.status_code == 500
    assert response.json()["error"]["code"] == -32603
    assert calls == []


def data_lines(text: str) -> list[str]:
    """Give the data lines of a stream; beside them stand only the ids of ours."""
    lines = [line for line in text.splitlines() if line]
    assert all(line.startswith(("data: ", "id: ")) for line in lines)
    return [line for line in lines if line.startswith("data: ")]


async def test_the_policy_verdict_is_there_before_the_provider_has_answered() -> None:
    """DEFECT of the ancestor: its policy verdict was made of the cost, after the call."""
    held = HeldUpstream()
    async with serving(upstream=held) as door:
        params = {"message": v03_message(), "configuration": {"blocking": False}}
        task = await door.result("message/send", params | {"metadata": {"budget": 0.5}})
        await held.opened.wait()
        before = (await door.result("tasks/get", {"taskId": task["id"]}))["task"]
        held.go.set()
        await held.closed.wait()
        after = (await door.result("tasks/get", {"taskId": task["id"]}))["task"]

    assert (before["state"], after["state"]) == ("working", "completed")
    told = before["metadata"]
    assert told["policy_verdict"]["allowed"] is True
    assert "$0.500000000" in told["policy_verdict"]["reason"]
    assert told["cost_envelope"]["estimated"] == after["metadata"]["cost_envelope"]["estimated"] > 0
    assert told["cost_envelope"]["actual"] is None
    assert told["policy_verdict"] == after["metadata"]["policy_verdict"]


async def test_a_stream_is_notifications_that_end_with_the_metadata() -> None:
    async with serving() as door:
        body = {"jsonrpc": "2.0", "id": 1, "method": "message/stream", "params": ASKED}
        response = await door.post(body)

    *chunks, last = [json.loads(line[6:]) for line in data_lines(response.text)]
    assert response.headers["content-type"].startswith("text/event-stream")
    assert all(one["method"] == "message/stream" and "id" not in one for one in (*chunks, last))
    assert "".join(one["params"]["chunk"]["content"] for one in chunks) == "hello"
    assert {one["params"]["task"]["state"] for one in chunks} == {"working"}
    assert last["params"]["task"]["state"] == "completed"
    assert last["params"]["metadata"]["cost_envelope"]["actual"] == 0.000014


async def test_a_stream_that_fails_says_so_in_its_last_notification() -> None:
    breaks = UpstreamFailure("cut for a test", kind="truncated")
    made = world(scripts={"one/m": lambda call: (hello(call)[0], breaks)})
    async with serving(made) as door:
        params = {**ASKED, "metadata": {"model": "one/m"}}
        body = {"jsonrpc": "2.0", "id": 1, "method": "message/stream", "params": params}
        response = await door.post(body)

    *_, last = [json.loads(line[6:]) for line in data_lines(response.text)]
    assert last["params"]["task"]["state"] == "failed"
    assert "cut for a test" in last["params"]["metadata"]["error"]


async def test_a_budget_in_cents_is_exact() -> None:
    async with serving() as door:
        await door.result("message/send", {**ASKED, "metadata": {"budget": 0.1}})

        asked = door.world.ledger.records[0].outcome.request

    assert asked.spend_usd_nanos_max == 100_000_000
    assert asked.door == "a2a"
