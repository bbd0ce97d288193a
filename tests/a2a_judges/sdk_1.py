"""Drives an agent with the official A2A SDK of version 1; run as a script, see journey.py."""

import asyncio
import json
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
from a2a.client.card_resolver import A2ACardResolver
from a2a.client.client import Client, ClientConfig
from a2a.client.client_factory import ClientFactory
from a2a.client.errors import A2AClientError
from a2a.types.a2a_pb2 import (
    AgentCard,
    CancelTaskRequest,
    DeleteTaskPushNotificationConfigRequest,
    GetExtendedAgentCardRequest,
    GetTaskPushNotificationConfigRequest,
    GetTaskRequest,
    ListTaskPushNotificationConfigsRequest,
    ListTasksRequest,
    Message,
    Part,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    StreamResponse,
    SubscribeToTaskRequest,
    Task,
    TaskPushNotificationConfig,
    TaskState,
)
from a2a.utils.errors import A2AError
from a2a.utils.signing import create_signature_verifier
from google.protobuf.json_format import MessageToDict, ParseDict
from jwt import PyJWK

Json = dict[str, Any]
Verifier = Callable[[AgentCard], None]


def message(text: str, metadata: Json, *, task_id: str = "", context_id: str = "") -> Message:
    said = Message(
        message_id=uuid.uuid4().hex,
        role=Role.ROLE_USER,
        parts=[Part(text=text)],
        task_id=task_id,
        context_id=context_id,
    )
    ParseDict(metadata, said.metadata)
    return said


def state(number: int) -> str:
    return TaskState.Name(number).removeprefix("TASK_STATE_").lower()


def text_of(task: Task) -> str:
    return "".join(part.text for one in task.artifacts for part in one.parts)


def event(told: StreamResponse) -> Json:
    if told.HasField("task"):
        task = told.task
        return {"task": task.id, "state": state(task.status.state), "text": text_of(task)}
    if told.HasField("artifact_update"):
        update = told.artifact_update
        text = "".join(part.text for part in update.artifact.parts)
        return {"task": update.task_id, "text": text, "last": update.last_chunk}
    status = told.status_update
    return {"task": status.task_id, "state": state(status.status.state)}


async def told(events: AsyncIterator[StreamResponse]) -> list[Json]:
    return [event(one) async for one in events]


async def error_of(asked: Any) -> str | None:
    """Give the name of the error that a call ends with."""
    try:
        await asked
    except (A2AError, A2AClientError) as error:
        return type(error).__name__
    return None


class Journey:
    """The journey with two clients: one that streams, one that does not."""

    def __init__(self, plan: Json, card: AgentCard, http: httpx.AsyncClient) -> None:
        self.plan = plan
        self.streaming: Client = self._client(card, http, streaming=True)
        self.plain: Client = self._client(card, http, streaming=False)

    def _client(self, card: AgentCard, http: httpx.AsyncClient, *, streaming: bool) -> Client:
        return ClientFactory(ClientConfig(httpx_client=http, streaming=streaming)).create(card)

    def request(self, model: str, **configuration: Any) -> SendMessageRequest:
        return SendMessageRequest(
            message=message(
                self.plan["text"], {self.plan["extension"]: {"model": self.plan[model]}}
            ),
            configuration=SendMessageConfiguration(**configuration),
        )

    async def sent(self) -> Json:
        [answer] = await told(self.plain.send_message(self.request("quick")))
        return answer

    async def streamed(self) -> list[Json]:
        return await told(self.streaming.send_message(self.request("paced")))

    async def resumed(self) -> Json:
        """Leave a stream at its first text and follow its task again."""
        before: list[Json] = []
        events = self.streaming.send_message(self.request("paced"))
        async for one in events:
            before.append(event(one))
            if before[-1].get("text"):
                break
        await events.aclose()  # type: ignore[attr-defined]
        again = SubscribeToTaskRequest(id=before[0]["task"])
        return {"before": before, "after": await told(self.streaming.subscribe(again))}

    async def canceled(self) -> Json:
        """Cancel a task that is followed meanwhile, twice."""
        request = self.request("stuck", return_immediately=True)
        [accepted] = await told(self.plain.send_message(request))
        task_id = accepted["task"]
        following = self.streaming.subscribe(SubscribeToTaskRequest(id=task_id))
        first = event(await anext(following))
        got = await self.plain.get_task(GetTaskRequest(id=task_id))
        ended = await self.plain.cancel_task(CancelTaskRequest(id=task_id))
        again = await error_of(self.plain.cancel_task(CancelTaskRequest(id=task_id)))
        return {
            "accepted": accepted["state"],
            "got": state(got.status.state),
            "ended": state(ended.status.state),
            "again": again,
            "followed": [first, *await told(following)],
        }

    async def got(self, task_id: str) -> Json:
        task = await self.plain.get_task(GetTaskRequest(id=task_id))
        missing = await error_of(self.plain.get_task(GetTaskRequest(id="no-such-task")))
        return {"state": state(task.status.state), "text": text_of(task), "missing": missing}

    async def asked(self) -> Json:
        """Ask a skill what it cannot answer yet, and answer what it asks back."""
        skill = {self.plan["extension"]: {"skill": self.plan["skill"]}}
        vague = SendMessageRequest(message=message(self.plan["vague"], skill))
        [first] = [one async for one in self.plain.send_message(vague)]
        task = first.task
        clear = message(self.plan["clear"], skill, task_id=task.id, context_id=task.context_id)
        [last] = [one async for one in self.plain.send_message(SendMessageRequest(message=clear))]
        parts = [part for one in last.task.artifacts for part in one.parts]
        return {
            "waits": state(task.status.state),
            "question": "".join(part.text for part in task.status.message.parts),
            "same": (last.task.id, last.task.context_id) == (task.id, task.context_id),
            "ended": state(last.task.status.state),
            "text": text_of(last.task),
            "data": [MessageToDict(part.data) for part in parts if part.HasField("data")],
        }

    async def listed(self) -> list[str] | None:
        """Give the ids of all tasks, page by page; version 0.3 has no list."""
        if self.plan["version"] != "1.0":
            return None
        found: list[str] = []
        token = ""
        while True:
            page = await self.plain.list_tasks(ListTasksRequest(page_size=2, page_token=token))
            found += [task.id for task in page.tasks]
            token = page.next_page_token
            if not token:
                return found

    async def pushed(self) -> Json:
        """Configure notifications with and after a send, and take one back."""
        hook = self.plan["hook"]
        with_it = TaskPushNotificationConfig(id="with", url=f"{hook}/with", token="token-1")
        request = self.request(
            "stuck", return_immediately=True, task_push_notification_config=with_it
        )
        [accepted] = await told(self.plain.send_message(request))
        task_id = accepted["task"]
        for name in ("after", "gone"):
            made = TaskPushNotificationConfig(
                task_id=task_id, id=name, url=f"{hook}/{name}", token="token-2"
            )
            await self.plain.create_task_push_notification_config(made)
        asked = GetTaskPushNotificationConfigRequest(task_id=task_id, id="after")
        got = await self.plain.get_task_push_notification_config(asked)
        gone = DeleteTaskPushNotificationConfigRequest(task_id=task_id, id="gone")
        await self.plain.delete_task_push_notification_config(gone)
        every = ListTaskPushNotificationConfigsRequest(task_id=task_id)
        left = await self.plain.list_task_push_notification_configs(every)
        await self.plain.cancel_task(CancelTaskRequest(id=task_id))
        return {
            "task": task_id,
            "got": {"id": got.id, "url": got.url},
            "left": sorted(one.id for one in left.configs),
        }

    async def extended(self, verifier: Verifier | None) -> list[str]:
        """Give the scopes that the key's own card tells."""
        asked = GetExtendedAgentCardRequest()
        if self.plan["version"] != "1.0":
            # The layer for 0.3 makes another card of the one that was signed.
            verifier = None
        card = await self.plain.get_extended_agent_card(asked, signature_verifier=verifier)
        [own] = [one for one in card.capabilities.extensions if one.uri == self.plan["extension"]]
        return list(MessageToDict(own.params)["scopes"])


async def verifier_of(plan: Json, http: httpx.AsyncClient) -> Verifier | None:
    """Give what verifies a card with the keys that the agent tells; None where it signs none."""
    if not plan["signed"]:
        return None
    told = (await http.get(f"{plan['url']}/.well-known/jwks.json")).json()
    keys = {key["kid"]: PyJWK(key) for key in told["keys"]}
    return create_signature_verifier(lambda kid, jku: keys[kid or ""], ["ES256"])


async def main() -> None:
    plan: Json = json.load(sys.stdin)
    async with httpx.AsyncClient(headers=plan["headers"], timeout=plan["seconds_max"]) as http:
        verifier = await verifier_of(plan, http)
        resolver = A2ACardResolver(http, plan["url"])
        card = await resolver.get_agent_card(signature_verifier=verifier)
        found = {"skills": [one.id for one in card.skills], "name": card.name}
        only = [one for one in card.supported_interfaces if one.protocol_version == plan["version"]]
        del card.supported_interfaces[:]
        card.supported_interfaces.extend(only)
        journey = Journey(plan, card, http)
        if plan["refused"]:
            print(json.dumps({"refused": await error_of(journey.sent())}))
            return
        sent = await journey.sent()
        print(
            json.dumps(
                {
                    "verified": verifier is not None,
                    "version": card.supported_interfaces[0].protocol_version,
                    "card": found,
                    "sent": sent,
                    "streamed": await journey.streamed(),
                    "resumed": await journey.resumed(),
                    "canceled": await journey.canceled(),
                    "got": await journey.got(sent["task"]),
                    "asked": await journey.asked(),
                    "listed": await journey.listed(),
                    "pushed": await journey.pushed() if plan["hook"] else None,
                    "extended": await journey.extended(verifier) if plan["extended"] else None,
                }
            )
        )


asyncio.run(main())
