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
from tests.a2a_door.door import BASE, HeldUpstream, Served, serving

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
