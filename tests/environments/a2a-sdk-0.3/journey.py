"""Drives an agent with the official A2A SDK of version 0.3; see tests/a2a_judges/journey.py."""

import asyncio
import json
import sys
import uuid

import httpx
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.client.errors import A2AClientJSONRPCError
from a2a.types import (
    GetTaskPushNotificationConfigParams,
    Message,
    Part,
    PushNotificationConfig,
    Role,
    TaskArtifactUpdateEvent,
    TaskIdParams,
    TaskPushNotificationConfig,
    TaskQueryParams,
    TextPart,
)
from a2a.utils.signing import create_signature_verifier
from jwt import PyJWK


def text_of(parts):
    return "".join(part.root.text for part in parts if part.root.kind == "text")


def answer_of(task):
    return "".join(text_of(one.parts) for one in task.artifacts or [])


def event(told):
    task, update = told
    if update is None:
        return {"task": task.id, "state": task.status.state.value, "text": answer_of(task)}
    if isinstance(update, TaskArtifactUpdateEvent):
        text = text_of(update.artifact.parts)
        return {"task": update.task_id, "text": text, "last": bool(update.last_chunk)}
    return {"task": update.task_id, "state": update.status.state.value}


async def told(events):
    return [event(one) async for one in events]


async def error_of(asked):
    """Give the code or the name of the error that a call ends with."""
    try:
        await asked
    except A2AClientJSONRPCError as error:
        return str(error.error.code)
    except Exception as error:
        return type(error).__name__
    return None


class Journey:
    """The journey with three clients: one streams, one waits, one asks again."""

    def __init__(self, plan, card, http):
        self.plan = plan

        def client(**config):
            return ClientFactory(ClientConfig(httpx_client=http, **config)).create(card)

        self.client = client
        self.streaming = client(streaming=True)
        self.plain = client(streaming=False)
        self.polling = client(streaming=False, polling=True)

    def message(self, model):
        return self.saying(self.plan["text"], {"model": self.plan[model]})

    def saying(self, text, options, **more):
        return Message(
            role=Role.user,
            parts=[Part(root=TextPart(text=text))],
            message_id=uuid.uuid4().hex,
            metadata={self.plan["extension"]: options},
            **more,
        )

    async def sent(self):
        [answer] = await told(self.plain.send_message(self.message("quick")))
        return answer

    async def streamed(self):
        return await told(self.streaming.send_message(self.message("paced")))

    async def resumed(self):
        """Leave a stream at its first text and follow its task again."""
        before = []
        events = self.streaming.send_message(self.message("paced"))
        async for one in events:
            before.append(event(one))
            if before[-1].get("text"):
                break
        await events.aclose()
        again = TaskIdParams(id=before[0]["task"])
        return {"before": before, "after": await told(self.streaming.resubscribe(again))}

    async def canceled(self):
        """Cancel a task that is followed meanwhile, twice."""
        [accepted] = await told(self.polling.send_message(self.message("stuck")))
        asked = TaskIdParams(id=accepted["task"])
        following = self.streaming.resubscribe(asked)
        first = event(await anext(following))
        got = await self.plain.get_task(TaskQueryParams(id=accepted["task"]))
        ended = await self.plain.cancel_task(asked)
        again = await error_of(self.plain.cancel_task(asked))
        return {
            "accepted": accepted["state"],
            "got": got.status.state.value,
            "ended": ended.status.state.value,
            "again": again,
            "followed": [first, *await told(following)],
        }

    async def got(self, task_id):
        task = await self.plain.get_task(TaskQueryParams(id=task_id))
        missing = await error_of(self.plain.get_task(TaskQueryParams(id="no-such-task")))
        return {"state": task.status.state.value, "text": answer_of(task), "missing": missing}

    async def asked(self):
        """Ask a skill what it cannot answer yet, and answer what it asks back."""
        skill = {"skill": self.plan["skill"]}
        vague = self.saying(self.plan["vague"], skill)
        [(task, _)] = [one async for one in self.plain.send_message(vague)]
        names = {"task_id": task.id, "context_id": task.context_id}
        clear = self.saying(self.plan["clear"], skill, **names)
        [(last, _)] = [one async for one in self.plain.send_message(clear)]
        parts = [part.root for one in last.artifacts for part in one.parts]
        return {
            "waits": task.status.state.value,
            "question": text_of(task.status.message.parts),
            "same": (last.id, last.context_id) == (task.id, task.context_id),
            "ended": last.status.state.value,
            "text": answer_of(last),
            "data": [part.data for part in parts if part.kind == "data"],
        }

    async def pushed(self):
        """Configure notifications with and after a send; this client cannot list or delete."""
        hook = self.plan["hook"]
        with_it = PushNotificationConfig(id="with", url=f"{hook}/with", token="token-1")
        sending = self.client(streaming=False, polling=True, push_notification_configs=[with_it])
        [accepted] = await told(sending.send_message(self.message("stuck")))
        task_id = accepted["task"]
        after = PushNotificationConfig(id="after", url=f"{hook}/after", token="token-2")
        await self.plain.set_task_callback(
            TaskPushNotificationConfig(task_id=task_id, push_notification_config=after)
        )
        asked = GetTaskPushNotificationConfigParams(id=task_id, push_notification_config_id="after")
        got = (await self.plain.get_task_callback(asked)).push_notification_config
        await self.plain.cancel_task(TaskIdParams(id=task_id))
        return {"task": task_id, "got": {"id": got.id, "url": got.url}, "left": None}

    async def extended(self, verifier):
        """Give the scopes that the key's own card tells."""
        card = await self.plain.get_card(signature_verifier=verifier)
        [own] = [one for one in card.capabilities.extensions if one.uri == self.plan["extension"]]
        return own.params["scopes"]


async def verifier_of(plan, http):
    """Give what verifies a card with the keys that the agent tells; None where it signs none."""
    if not plan["signed"]:
        return None
    told = (await http.get(f"{plan['url']}/.well-known/jwks.json")).json()
    keys = {key["kid"]: PyJWK(key) for key in told["keys"]}
    return create_signature_verifier(lambda kid, jku: keys[kid], ["ES256"])


async def main():
    plan = json.load(sys.stdin)
    async with httpx.AsyncClient(headers=plan["headers"], timeout=plan["seconds_max"]) as http:
        verifier = await verifier_of(plan, http)
        resolver = A2ACardResolver(http, plan["url"])
        card = await resolver.get_agent_card(signature_verifier=verifier)
        journey = Journey(plan, card, http)
        if plan["refused"]:
            print(json.dumps({"refused": await error_of(journey.sent())}))
            return
        sent = await journey.sent()
        found = {
            "verified": verifier is not None,
            "version": card.protocol_version,
            "card": {"name": card.name, "skills": [one.id for one in card.skills]},
            "sent": sent,
            "streamed": await journey.streamed(),
            "resumed": await journey.resumed(),
            "canceled": await journey.canceled(),
            "got": await journey.got(sent["task"]),
            "asked": await journey.asked(),
            "listed": None,
            "pushed": await journey.pushed() if plan["hook"] else None,
            "extended": await journey.extended(verifier) if plan["extended"] else None,
        }
    print(json.dumps(found))


asyncio.run(main())
