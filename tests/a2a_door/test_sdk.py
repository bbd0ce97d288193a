"""The official A2A SDK as an independent judge: its client of 1.0 and its client of 0.3."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from a2a.client.card_resolver import A2ACardResolver
from a2a.client.client import Client, ClientConfig
from a2a.client.client_factory import ClientFactory
from a2a.types.a2a_pb2 import (
    AgentCard,
    CancelTaskRequest,
    GetTaskRequest,
    Message,
    Part,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    StreamResponse,
    Task,
    TaskState,
)
from a2a.utils.errors import (
    A2AError,
    ContentTypeNotSupportedError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from google.protobuf.json_format import MessageToDict

from omniroute.a2a.dialects.codec import EXTENSION
from omniroute.routing.model import Caller
from tests.a2a_door.door import BASE, CALLERS, HeldUpstream, Served, serving

pytestmark = pytest.mark.anyio

VERSIONS = ["1.0", "0.3"]
HELLO = Message(message_id="m-1", role=Role.ROLE_USER, parts=[Part(text="say hello")])


@asynccontextmanager
async def talking(
    version: str, *, streaming: bool = False, upstream: HeldUpstream | None = None
) -> AsyncGenerator[tuple[Client, Served]]:
    """Give an SDK client of that version, made from the card that it fetched itself."""
    async with serving(keys_required=True, upstream=upstream) as door:
        door.client.headers["authorization"] = "Bearer sk-fake-a"
        card = await A2ACardResolver(door.client, BASE).get_agent_card()
        only = [one for one in card.supported_interfaces if one.protocol_version == version]
        assert len(only) == 1
        narrowed = AgentCard()
        narrowed.CopyFrom(card)
        del narrowed.supported_interfaces[:]
        narrowed.supported_interfaces.extend(only)
        config = ClientConfig(httpx_client=door.client, streaming=streaming)
        yield ClientFactory(config).create(narrowed), door


async def told(client: Client, request: SendMessageRequest) -> list[StreamResponse]:
    return [event async for event in client.send_message(request)]


def state(task: Task) -> str:
    return TaskState.Name(task.status.state)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_message_is_answered_with_its_task(version: str) -> None:
    async with talking(version) as (client, door):
        [event] = await told(client, SendMessageRequest(message=HELLO))
        got = await client.get_task(GetTaskRequest(id=event.task.id))

        [row] = door.store.rows.values()

    assert state(event.task) == "TASK_STATE_COMPLETED"
    assert event.task.artifacts[0].parts[0].text == "hello"
    routing = MessageToDict(event.task.metadata)[EXTENSION]
    assert routing["costEnvelope"]["actual"] == pytest.approx(0.000014)
    assert got == event.task
    assert row.owner == "key-a"


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_stream_builds_up_the_answer(version: str) -> None:
    async with talking(version, streaming=True) as (client, _):
        events = await told(client, SendMessageRequest(message=HELLO))

    first, *_, last = events
    texts = [
        part.text
        for event in events
        if event.HasField("artifact_update")
        for part in event.artifact_update.artifact.parts
    ]
    assert first.HasField("task")
    assert "".join(texts) == "hello"
    assert TaskState.Name(last.status_update.status.state) == "TASK_STATE_COMPLETED"


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_client_that_does_not_wait_polls_and_cancels(version: str) -> None:
    held = HeldUpstream()
    at_once = SendMessageConfiguration(return_immediately=True)
    async with talking(version, upstream=held) as (client, _):
        [event] = await told(client, SendMessageRequest(message=HELLO, configuration=at_once))
        await held.opened.wait()
        before = await client.get_task(GetTaskRequest(id=event.task.id))
        canceled = await client.cancel_task(CancelTaskRequest(id=event.task.id))
        with pytest.raises(TaskNotCancelableError):
            await client.cancel_task(CancelTaskRequest(id=event.task.id))

        closed = held.closed.is_set()

    assert state(before) == "TASK_STATE_WORKING"
    assert state(canceled) == "TASK_STATE_CANCELED"
    assert closed


@pytest.mark.parametrize("version", VERSIONS)
async def test_errors_arrive_as_the_sdk_s_own(version: str) -> None:
    data = Part(data={"struct_value": {"fields": {}}})
    with_data = Message(message_id="m-2", role=Role.ROLE_USER, parts=[data])
    async with talking(version) as (client, _):
        with pytest.raises(TaskNotFoundError):
            await client.get_task(GetTaskRequest(id="none"))
        with pytest.raises(TaskNotFoundError):
            await client.cancel_task(CancelTaskRequest(id="none"))
        with pytest.raises(ContentTypeNotSupportedError):
            await told(client, SendMessageRequest(message=with_data))
        [event] = await told(client, SendMessageRequest(message=HELLO))
        again = Message(message_id="m-3", role=Role.ROLE_USER, task_id=event.task.id)
        again.parts.append(Part(text="more"))
        with pytest.raises(UnsupportedOperationError):
            await told(client, SendMessageRequest(message=again))


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_stream_s_error_arrives_as_the_sdk_s_own(version: str) -> None:
    empty = Message(message_id="m-2", role=Role.ROLE_USER, parts=[Part(text="  ")])
    async with talking(version, streaming=True) as (client, _):
        with pytest.raises(A2AError, match="empty"):
            await told(client, SendMessageRequest(message=empty))


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("version", VERSIONS)
async def test_a_report_arrives_as_text_and_as_data(version: str, streaming: bool) -> None:
    asked = Message(message_id="m-4", role=Role.ROLE_USER, parts=[Part(text="what can you do?")])
    request = SendMessageRequest(message=asked)
    request.metadata.update({"skill": "list-capabilities"})
    async with talking(version, streaming=streaming) as (client, _):
        events = await told(client, request)

    parts = [
        part
        for event in events
        for artifact in (*event.task.artifacts, event.artifact_update.artifact)
        for part in artifact.parts
    ]
    [data] = [MessageToDict(part.data) for part in parts if part.HasField("data")]
    assert any("cost-analysis" in part.text for part in parts)
    assert data["queryType"] == "capabilities"
    assert {one["id"] for one in data["skills"]} >= {"smart-routing", "list-capabilities"}


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("version", VERSIONS)
async def test_a_question_back_is_answered_in_the_same_task(
    version: str, streaming: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Caller("key-a", frozenset({"read:usage"}))
    monkeypatch.setitem(CALLERS, "sk-fake-a", reader)
    vague = Message(message_id="m-5", role=Role.ROLE_USER, parts=[Part(text="cost since May?")])
    request = SendMessageRequest(message=vague)
    request.metadata.update({"skill": "cost-analysis"})
    async with talking(version, streaming=streaming) as (client, door):
        *_, asked = await told(client, request)
        [task_id] = door.store.rows
        answer = Message(message_id="m-6", role=Role.ROLE_USER, task_id=task_id)
        answer.parts.append(Part(text="the last week"))
        *_, ended = await told(client, SendMessageRequest(message=answer))
        got = await client.get_task(GetTaskRequest(id=task_id))

    status = asked.status_update.status if streaming else asked.task.status
    assert TaskState.Name(status.state) == "TASK_STATE_INPUT_REQUIRED"
    assert "Which time" in status.message.parts[0].text
    last = ended.status_update.status if streaming else ended.task.status
    assert TaskState.Name(last.state) == state(got) == "TASK_STATE_COMPLETED"
    assert [Role.Name(one.role) for one in got.history] == [
        "ROLE_USER",
        "ROLE_AGENT",
        "ROLE_USER",
    ]


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_card_s_skills_name_their_scopes(version: str) -> None:
    async with talking(version) as (_, door):
        card = await A2ACardResolver(door.client, BASE).get_agent_card()

    [quota] = [one for one in card.skills if one.id == "quota-management"]
    [needed] = quota.security_requirements
    assert list(needed.schemes["bearer"].list) == ["read:quota"]
