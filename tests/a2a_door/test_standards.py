"""A2A 1.0 and strict 0.3 as raw JSON: what goes in, what comes out, what is refused."""

import base64
import json
import re
from dataclasses import replace
from typing import Any

import pytest

from omniroute.a2a.dialects.codec import EXTENSION
from omniroute.routing.model import ModelFacts
from omniroute.routing.prepare import Preparer
from omniroute.routing.wire.sessions import session_id
from tests.a2a_door.door import HeldUpstream, serving, v03_message, v10_message
from tests.fakes import world

pytestmark = pytest.mark.anyio

V10 = {"A2A_Version": "1.0"}
IMAGE = base64.b64encode(b"\x89PNG fake \xfb\xff").decode()


async def test_a_message_of_1_0_gives_a_task_under_its_name() -> None:
    async with serving() as door:
        result = await door.result("SendMessage", {"message": v10_message()}, **V10)

    task = result["task"]
    assert set(result) == {"task"}
    assert task["status"] == {
        "state": "TASK_STATE_COMPLETED",
        "timestamp": "2023-11-14T22:13:20.000Z",
    }
    assert task["artifacts"][0]["parts"] == [{"text": "hello"}]
    assert task["artifacts"][0]["extensions"] == [EXTENSION]
    assert task["history"][0]["messageId"] == "msg-1"
    assert task["history"][0]["role"] == "ROLE_USER"
    assert task["metadata"][EXTENSION]["costEnvelope"]["actual"] == 0.000014


async def test_a_message_of_0_3_gives_the_bare_task() -> None:
    async with serving() as door:
        task = await door.result("message/send", {"message": v03_message()})

    assert task["kind"] == "task"
    assert task["status"]["state"] == "completed"
    assert task["artifacts"][0]["parts"] == [{"kind": "text", "text": "hello"}]
    assert task["history"][0]["kind"] == "message"
    assert task["history"][0]["role"] == "user"
    assert task["metadata"][EXTENSION]["policyVerdict"]["allowed"] is True


async def test_no_key_of_a_1_0_result_is_in_snake_case() -> None:
    async with serving() as door:
        sent = await door.post(_call("SendMessage", {"message": v10_message()}), **V10)
        task_id = sent.json()["result"]["task"]["id"]
        got = await door.post(_call("GetTask", {"id": task_id}), **V10)
        error = await door.post(_call("GetTask", {"id": "none"}), **V10)

    assert not [
        key
        for answer in (sent, got, error)
        for key in re.findall(r'"([^"]*)":', answer.text)
        if "_" in key
    ]


async def test_1_0_reads_the_proto_s_own_field_names_too() -> None:
    params = {
        "message": {
            "message_id": "msg-1",
            "context_id": "ctx-1",
            "role": "ROLE_USER",
            "parts": [{"url": "https://images.example/a.png", "media_type": "image/png"}],
            "reference_task_ids": ["t-1"],
        },
        "configuration": {"accepted_output_modes": ["text/plain"], "history_length": "1"},
    }
    async with serving() as door:
        result = await door.result("SendMessage", params, **V10)

        sent = json.loads(door.world.upstream.calls[0].operation.body)

    assert result["task"]["contextId"] == "ctx-1"
    assert result["task"]["history"][0]["referenceTaskIds"] == ["t-1"]
    assert result["task"]["history"][0]["parts"][0]["mediaType"] == "image/png"
    assert sent["messages"][0]["content"][0]["image_url"]["url"] == "https://images.example/a.png"


@pytest.mark.parametrize(
    "part",
    [
        {"raw": IMAGE, "mediaType": "image/png"},
        {"raw": IMAGE.replace("+", "-").replace("/", "_").rstrip("="), "mediaType": "image/png"},
        {"raw": IMAGE, "filename": "a.png"},
    ],
)
async def test_an_image_of_1_0_reaches_the_provider(part: dict[str, str]) -> None:
    message = v10_message(parts=[{"text": "what is this?"}, part])
    async with serving() as door:
        await door.result("SendMessage", {"message": message}, **V10)

        sent = json.loads(door.world.upstream.calls[0].operation.body)

    text, image = sent["messages"][0]["content"]
    assert text["text"] == "what is this?"
    assert image["image_url"]["url"] == f"data:image/png;base64,{IMAGE}"


async def test_an_image_of_0_3_reaches_the_provider() -> None:
    file = {"kind": "file", "file": {"bytes": IMAGE, "mimeType": "image/png", "name": "a.png"}}
    async with serving() as door:
        task = await door.result("message/send", {"message": v03_message(parts=[file])})

        sent = json.loads(door.world.upstream.calls[0].operation.body)

    assert sent["messages"][0]["content"][0]["image_url"]["url"].endswith(IMAGE)
    assert task["history"][0]["parts"] == [file]


@pytest.mark.parametrize(
    "part",
    [
        {"data": {"a": 1}},
        {"data": None},
        {"url": "https://files.example/a.pdf", "mediaType": "application/pdf"},
        {"url": "https://files.example/unknown"},
        {"url": "file:///etc/passwd", "mediaType": "image/png"},
        {"raw": "AAAA", "mediaType": "audio/wav"},
    ],
)
async def test_content_that_no_chat_takes_is_refused(part: dict[str, Any]) -> None:
    async with serving() as door:
        error = await door.error("SendMessage", {"message": v10_message(parts=[part])}, **V10)

        rows = door.store.rows

    assert error["code"] == -32005
    assert error["data"][0]["reason"] == "CONTENT_TYPE_NOT_SUPPORTED"
    assert rows == {}


async def test_data_and_files_of_0_3_that_no_chat_takes_are_refused() -> None:
    data = v03_message(parts=[{"kind": "data", "data": {"a": 1}}])
    file = {"kind": "file", "file": {"uri": "https://files.example/a.pdf"}}
    async with serving() as door:
        of_data = await door.error("message/send", {"message": data})
        of_file = await door.error("message/send", {"message": v03_message(parts=[file])})

    assert (of_data["code"], of_file["code"]) == (-32005, -32005)


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({}, "message"),
        ({"message": "hi"}, "message"),
        ({"message": v10_message(messageId="")}, "message.messageId"),
        ({"message": v10_message(messageId=7)}, "message.messageId"),
        ({"message": v10_message(messageId="a\x00b")}, "message.messageId"),
        ({"message": v10_message(messageId="x" * 300)}, "message.messageId"),
        ({"message": v10_message(role="user")}, "message.role"),
        ({"message": v10_message(role=True)}, "message.role"),
        ({"message": v10_message(role=[])}, "message.role"),
        ({"message": v10_message(parts=[])}, "message.parts"),
        ({"message": v10_message(parts=["hi"])}, "message.parts[0]"),
        ({"message": v10_message(parts=[{}])}, "message.parts[0]"),
        ({"message": v10_message(parts=[{"text": "a", "url": "b"}])}, "message.parts[0]"),
        ({"message": v10_message(parts=[{"text": 7}])}, "message.parts[0].text"),
        ({"message": v10_message(parts=[{"raw": "*"}])}, "message.parts[0].raw"),
        ({"message": v10_message(parts=[{"text": "a"}] * 300)}, "message.parts"),
        ({"message": v10_message("  ")}, "message.parts"),
        ({"message": v10_message(metadata=[])}, "message.metadata"),
        ({"message": v10_message(metadata={"a": "x" * 300_000})}, "message.metadata"),
        ({"message": v10_message(), "configuration": 7}, "configuration"),
        (
            {"message": v10_message(), "configuration": {"historyLength": -1}},
            "configuration.historyLength",
        ),
        (
            {"message": v10_message(), "configuration": {"returnImmediately": "yes"}},
            "configuration.returnImmediately",
        ),
        ({"message": v10_message(), "metadata": {"model": 7}}, "metadata.model"),
    ],
)
async def test_params_that_are_not_1_0_name_the_field(params: dict[str, Any], field: str) -> None:
    async with serving() as door:
        error = await door.error("SendMessage", params, **V10)

        rows = door.store.rows

    assert error["code"] == -32602
    assert error["data"][0]["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    assert error["data"][0]["fieldViolations"][0]["field"] == field
    assert rows == {}


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"role": "user", "parts": [{"kind": "text", "text": "hi"}]},
        {"messageId": "m", "parts": [{"kind": "text", "text": "hi"}]},
        {"messageId": "m", "role": "user"},
        {"messageId": "m", "role": "ROLE_USER", "parts": [{"kind": "text", "text": "hi"}]},
        {"messageId": "m", "role": "user", "parts": [{"text": "hi"}]},
        {"messageId": "m", "role": "user", "parts": [{"kind": "text"}]},
        {"messageId": "m", "role": "user", "parts": [{"kind": "file"}]},
        {"messageId": "m", "role": "user", "parts": [{"kind": "file", "file": {}}]},
        {"messageId": "m", "role": "user", "parts": [{"kind": "data"}]},
        {"kind": "task", "messageId": "m", "role": "user", "parts": [{"kind": "text", "text": ""}]},
    ],
)
async def test_messages_that_are_not_0_3_are_invalid_params(message: dict[str, Any]) -> None:
    async with serving() as door:
        error = await door.error("message/send", {"message": message})

    assert error["code"] == -32602


@pytest.mark.parametrize(
    "params",
    [
        {"message": v10_message(metadata={EXTENSION: {"model": "two/m", "budget": 0.5}})},
        {"message": v10_message(), "metadata": {EXTENSION: {"model": "two/m", "budget": "0.5"}}},
        {"message": v10_message(), "metadata": {"model": "two/m", "budget": 0.5}},
        {
            "message": v10_message(metadata={EXTENSION: {"model": "two/m"}}),
            "metadata": {"model": "one/m", "budget": 0.5},
        },
    ],
)
async def test_options_are_read_wherever_the_extension_allows(params: dict[str, Any]) -> None:
    async with serving() as door:
        await door.result("SendMessage", params, **V10)

        asked = door.world.ledger.records[0].outcome.request

    assert asked.target == "two/m"
    assert asked.spend_usd_nanos_max == 500_000_000


@pytest.mark.parametrize(("length", "shown"), [(None, 1), (0, 0), (5, 1)])
async def test_history_length_bounds_what_is_shown(length: int | None, shown: int) -> None:
    configuration = {"historyLength": length}
    async with serving() as door:
        sent = await door.result(
            "SendMessage", {"message": v10_message(), "configuration": configuration}, **V10
        )
        task_id = sent["task"]["id"]
        got = await door.result("GetTask", {"id": task_id, "historyLength": length}, **V10)
        old = await door.result("tasks/get", {"id": task_id, "historyLength": length})

    assert [len(task.get("history", ())) for task in (sent["task"], got, old)] == [shown] * 3


async def test_a_task_reads_correctly_in_every_dialect() -> None:
    async with serving() as door:
        sent = await door.result(
            "message/send",
            {
                "messages": [
                    {"role": "system", "content": "be brief"},
                    {"role": "user", "content": "say hello"},
                ]
            },
        )
        task_id = sent["task"]["id"]
        new = await door.result("GetTask", {"id": task_id}, **V10)
        old = await door.result("tasks/get", {"id": task_id})
        native = await door.result("tasks/get", {"taskId": task_id})

    assert new["history"][0]["parts"] == [{"text": "say hello"}]
    assert new["history"][0]["metadata"][EXTENSION]["messages"][0]["role"] == "system"
    assert old["history"][0]["parts"] == [{"kind": "text", "text": "say hello"}]
    assert new["artifacts"][0]["parts"][0]["text"] == "hello"
    assert native["task"]["artifacts"] == sent["artifacts"]
    assert old["metadata"] == new["metadata"]


async def test_a_task_of_0_3_shows_its_words_natively() -> None:
    async with serving() as door:
        task = await door.result("message/send", {"message": v03_message("say hello")})
        native = await door.result("tasks/get", {"taskId": task["id"]})

    assert native["task"]["input"]["messages"] == [{"role": "user", "content": "say hello"}]


async def test_a_refused_task_is_rejected_with_words() -> None:
    params = {"message": v10_message(), "metadata": {"model": "unheard-of"}}
    async with serving() as door:
        task = (await door.result("SendMessage", params, **V10))["task"]

    assert task["status"]["state"] == "TASK_STATE_REJECTED"
    assert "unheard-of" in task["status"]["message"]["parts"][0]["text"]
    assert task["status"]["message"]["role"] == "ROLE_AGENT"
    assert "artifacts" not in task
    assert task["metadata"][EXTENSION]["costEnvelope"] == {
        "estimated": None,
        "actual": 0.0,
        "currency": "USD",
    }


async def test_an_unknown_price_stays_unknown() -> None:
    made = world()
    unpriced = Preparer(made.health, facts=lambda provider, model: ModelFacts())
    route = replace(made.gateway.route, preparer=unpriced)
    async with serving(replace(made, gateway=replace(made.gateway, route=route))) as door:
        task = (await door.result("SendMessage", {"message": v10_message()}, **V10))["task"]

    envelope = task["metadata"][EXTENSION]["costEnvelope"]
    assert (envelope["estimated"], envelope["actual"]) == (None, None)


async def test_a_message_to_a_task_that_ended_is_unsupported() -> None:
    async with serving() as door:
        task = await door.result("message/send", {"message": v03_message()})
        again = v03_message(taskId=task["id"], contextId=task["contextId"])
        old = await door.error("message/send", {"message": again})
        new = await door.error("SendMessage", {"message": v10_message(taskId=task["id"])}, **V10)
        none = await door.error("SendMessage", {"message": v10_message(taskId="none")}, **V10)

    assert (old["code"], new["code"], none["code"]) == (-32004, -32004, -32001)


async def test_a_context_is_kept_and_made_when_there_is_none() -> None:
    async with serving() as door:
        first = await door.result("message/send", {"message": v03_message()})
        again = v03_message(contextId=first["contextId"])
        second = await door.result("message/send", {"message": again})

        outcomes = [one.outcome for one in door.world.ledger.records]

    assert first["id"] != second["id"]
    assert second["contextId"] == first["contextId"]
    own = session_id(outcomes[0].key_id, first["contextId"])
    assert [one.request.session_id for one in outcomes] == [own] * 2


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("SendMessage", {"message": v10_message(), "configuration": {"returnImmediately": True}}),
        ("message/send", {"message": v03_message(), "configuration": {"blocking": False}}),
    ],
)
async def test_a_client_that_does_not_wait_polls(method: str, params: dict[str, Any]) -> None:
    held = HeldUpstream()
    version = V10 if method == "SendMessage" else {}
    async with serving(upstream=held) as door:
        sent = await door.result(method, params, **version)
        task = sent.get("task", sent)
        before = await door.result("tasks/get", {"id": task["id"]})
        held.go.set()
        await held.closed.wait()
        after = await door.result("tasks/get", {"id": task["id"]})

    assert task["status"]["state"] in ("TASK_STATE_WORKING", "working")
    assert before["status"]["state"] == "working"
    assert after["status"]["state"] == "completed"
    assert after["artifacts"][0]["parts"][0]["text"] == "hello"


@pytest.mark.parametrize(
    ("method", "version", "configuration"),
    [
        ("SendMessage", "1.0", {"taskPushNotificationConfig": {"url": "https://x.example"}}),
        ("message/send", "", {"pushNotificationConfig": {"url": "https://x.example"}}),
    ],
)
async def test_push_notifications_are_refused_and_not_forgotten(
    method: str, version: str, configuration: dict[str, Any]
) -> None:
    message = v10_message() if version else v03_message()
    async with serving() as door:
        error = await door.error(
            method, {"message": message, "configuration": configuration}, A2A_Version=version
        )

    assert error["code"] == -32003


async def test_a_client_that_takes_no_text_is_refused() -> None:
    params = {"message": v10_message(), "configuration": {"acceptedOutputModes": ["image/png"]}}
    async with serving() as door:
        error = await door.error("SendMessage", params, **V10)

    assert error["code"] == -32005


async def test_an_unknown_skill_is_refused() -> None:
    params = {"message": v10_message(), "metadata": {EXTENSION: {"skill": "unheard-of"}}}
    async with serving() as door:
        error = await door.error("SendMessage", params, **V10)

    assert error["code"] == -32602
    assert "smart-routing" in error["message"]


@pytest.mark.parametrize(
    ("method", "version", "code"),
    [
        ("SubscribeToTask", "1.0", -32001),
        ("CreateTaskPushNotificationConfig", "1.0", -32003),
        ("GetTaskPushNotificationConfig", "1.0", -32003),
        ("ListTaskPushNotificationConfigs", "1.0", -32003),
        ("DeleteTaskPushNotificationConfig", "1.0", -32003),
        ("GetExtendedAgentCard", "1.0", -32004),
        ("tasks/pushNotificationConfig/set", "", -32003),
        ("tasks/pushNotificationConfig/get", "0.3", -32003),
        ("tasks/pushNotificationConfig/list", "", -32003),
        ("tasks/pushNotificationConfig/delete", "", -32003),
        ("agent/getAuthenticatedExtendedCard", "", -32007),
        ("unheard/of", "", -32601),
        ("Unheard", "1.0", -32601),
        ("message/send", "1.0", -32601),
        ("SendMessage", "", -32009),
        ("SendMessage", "0.3", -32009),
        ("SendMessage", "2.0", -32009),
        ("SendMessage", "1.1", -32009),
        ("message/send", "2.0", -32009),
        ("message/send", "0.2", -32009),
        ("message/send", "one", -32009),
    ],
)
async def test_methods_and_versions_have_the_specified_code(
    method: str, version: str, code: int
) -> None:
    async with serving() as door:
        error = await door.error(method, {"id": "none"}, A2A_Version=version)

    assert error["code"] == code


@pytest.mark.parametrize("version", ["1.0", "1.0.1"])
async def test_a_version_may_come_as_a_query_and_with_a_patch_number(version: str) -> None:
    async with serving() as door:
        response = await door.client.post(
            f"/a2a?A2A-Version={version}", json=_call("SendMessage", {"message": v10_message()})
        )

    assert response.json()["result"]["task"]["status"]["state"] == "TASK_STATE_COMPLETED"


async def test_a_stream_of_1_0_begins_with_the_task_and_ends_with_its_state() -> None:
    async with serving() as door:
        response = await door.post(_call("SendStreamingMessage", {"message": v10_message()}), **V10)

    first, *artifacts, last = [one["result"] for one in _events(response.text)]
    assert first["task"]["status"]["state"] == "TASK_STATE_WORKING"
    assert [one["artifactUpdate"]["append"] for one in artifacts] == [False, True]
    assert [one["artifactUpdate"]["lastChunk"] for one in artifacts] == [False, True]
    told = [one["artifactUpdate"]["artifact"]["parts"][0]["text"] for one in artifacts]
    assert "".join(told) == "hello"
    assert last["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert last["statusUpdate"]["metadata"][EXTENSION]["costEnvelope"]["actual"] == 0.000014


async def test_a_stream_of_0_3_ends_with_a_final_event() -> None:
    async with serving() as door:
        response = await door.post(_call("message/stream", {"message": v03_message()}))

    events = _events(response.text)
    kinds = [one["result"]["kind"] for one in events]
    assert kinds == ["task", "artifact-update", "artifact-update", "status-update"]
    assert all(one["id"] == 1 for one in events)
    assert events[-1]["result"]["final"] is True


async def test_a_stream_that_cannot_begin_says_so_as_each_version_does() -> None:
    async with serving() as door:
        old = await door.post(_call("message/stream", {"message": v03_message(parts=[])}))
        new = await door.post(
            _call("SendStreamingMessage", {"message": v10_message(parts=[])}), **V10
        )

    assert old.headers["content-type"].startswith("text/event-stream")
    assert [one["error"]["code"] for one in _events(old.text)] == [-32602]
    assert new.headers["content-type"] == "application/json"
    assert new.json()["error"]["code"] == -32602


def _call(method: str, params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def _events(text: str) -> list[Any]:
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
