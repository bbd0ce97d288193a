"""`/api/a2a/*` of a whole gateway: its tasks, how they stand, and their end."""

import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import anyio
import httpx
import msgspec
import pytest

from omniroute.server.a2a_json import A2aStatusJson, OneTaskJson, TasksJson
from omniroute.server.compose import Composed, compose
from omniroute.server.settings import load_settings
from omniroute.server.store.key_terms import KeyTerms

pytestmark = pytest.mark.anyio

HOST = "http://127.0.0.1:20128"
WAIT_S_MAX = 20.0
QUICK, SLOW = "sim/fast@latency=0,pace=0", "sim/fast@latency=60"
NOWHERE = "00000000-0000-4000-8000-000000000000"


class Management:
    """A gateway, called as one key or another; without one, as its administrator."""

    def __init__(self, gateway: Composed) -> None:
        self.gateway = gateway

    async def call(
        self, method: str, path: str, body: object = None, *, key: str | None = None, **more: str
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {key or self.gateway.token}", **more}
        transport = httpx.ASGITransport(app=self.gateway.app)
        async with httpx.AsyncClient(transport=transport, base_url=HOST, headers=headers) as one:
            return await one.request(method, path, json=body)

    async def get(self, path: str, *, key: str | None = None) -> Any:
        answer = await self.call("GET", path, key=key)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def send(
        self,
        text: str,
        *,
        model: str = QUICK,
        skill: str = "smart-routing",
        key: str | None = None,
    ) -> Any:
        """Send a message in the native dialect and give its result."""
        params = {
            "skill": skill,
            "messages": [{"role": "user", "content": text}],
            "metadata": {"model": model},
        }
        body = {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": params}
        answer = await self.call("POST", "/a2a", body, key=key)
        assert "result" in answer.json(), answer.text
        return answer.json()["result"]

    async def start(self, text: str, *, key: str | None = None) -> str:
        """Send a message that is answered late and give its task's id."""
        message = {"messageId": "m1", "role": "ROLE_USER", "parts": [{"text": text}]}
        params = {
            "message": message,
            "metadata": {"model": SLOW},
            "configuration": {"returnImmediately": True},
        }
        body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params}
        answer = await self.call("POST", "/a2a", body, key=key, **{"a2a-version": "1.0"})
        task_id: str = answer.json()["result"]["task"]["id"]
        return task_id

    async def new_key(self, name: str, *scopes: str) -> tuple[str, str]:
        """Make a key and give its id and what a client presents."""
        keys = self.gateway.parts.storage.keys
        made = await keys.create(KeyTerms(name, scopes), actor="test")
        return made.stored.key_id, made.text


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Management]:
    environment = {"HOME": str(tmp_path), "OMNIROUTE_DATA_DIR": str(tmp_path)}
    settings, sources = load_settings({}, environment, tmp_path)
    with anyio.fail_after(WAIT_S_MAX):
        async with compose(settings, sources) as gateway:
            yield Management(gateway)


def ids(tasks: Iterable[Any]) -> list[str]:
    return [one["id"] for one in tasks]


async def test_an_unused_agent_has_no_tasks_and_says_what_it_can_do(api: Management) -> None:
    card = await api.get("/.well-known/agent.json")

    status = await api.get("/api/a2a/status")

    assert set(status) == {"status", "tasks", "agent", "capabilities", "skills"}
    assert status["tasks"] == {
        "counts": {"submitted": 0, "working": 0, "completed": 0, "failed": 0, "cancelled": 0},
        "total": 0,
        "activeStreams": 0,
        "lastTaskAt": None,
    }
    assert status["agent"] == {
        name: card[name] for name in ("name", "description", "version", "url")
    }
    assert (status["capabilities"], status["skills"]) == (card["capabilities"], card["skills"])


async def test_tasks_are_counted_by_the_documented_states(api: Management) -> None:
    for text in ("one", "two"):
        await api.send(text)
    await api.send("three", model="no-such-model")
    canceled = await api.start("four")
    await api.call("POST", f"/api/a2a/tasks/{canceled}/cancel")
    running = await api.start("five")

    status = await api.get("/api/a2a/status")
    newest = await api.get(f"/api/a2a/tasks/{running}")

    assert status["tasks"]["counts"] == {
        "submitted": 0,
        "working": 1,
        "completed": 2,
        "failed": 1,
        "cancelled": 1,
    }
    assert status["tasks"]["total"] == 5
    assert status["tasks"]["lastTaskAt"] == newest["task"]["createdAt"]
    msgspec.convert(status, A2aStatusJson)


async def test_a_task_is_shown_in_the_documented_shape_and_with_its_key(api: Management) -> None:
    key_id, key = await api.new_key("agent", "write:route", "read:usage")
    sent = await api.send("say hello", key=key)

    found = await api.get(f"/api/a2a/tasks/{sent['task']['id']}")

    task = found["task"]
    assert set(task) - {"contextId", "apiKeyId", "attempt", "a2aState"} == {
        *("id", "skill", "state", "input", "artifacts", "events", "metadata"),
        *("createdAt", "updatedAt", "expiresAt"),
    }
    assert (task["apiKeyId"], task["attempt"], task["state"]) == (key_id, 1, "completed")
    assert task["input"]["messages"] == [{"role": "user", "content": "say hello"}]
    assert task["artifacts"] == sent["artifacts"]
    assert task["metadata"] == sent["metadata"]
    assert [one["state"] for one in task["events"]] == ["working", "completed"]
    assert msgspec.convert(found, OneTaskJson).task.artifacts[0].type == "text"


async def test_pages_go_through_all_tasks_newest_first(api: Management) -> None:
    made = [(await api.send(text))["task"]["id"] for text in ("one", "two", "three")]

    first = await api.get("/api/a2a/tasks?limit=2")
    second = await api.get("/api/a2a/tasks?limit=2&offset=2")

    assert (first["total"], first["limit"], first["offset"]) == (3, 2, 0)
    assert ids(first["tasks"]) + ids(second["tasks"]) == made[::-1]
    assert (second["total"], second["limit"], second["offset"]) == (3, 2, 2)
    assert msgspec.convert(first, TasksJson).tasks[0].artifacts == ()


async def test_a_list_is_of_a_state_a_skill_or_a_context(api: Management) -> None:
    done = await api.send("one")
    refused = await api.send("two", model="no-such-model")
    context = (await api.get(f"/api/a2a/tasks/{done['task']['id']}"))["task"]["contextId"]

    async def listed(query: str) -> list[str]:
        return ids((await api.get(f"/api/a2a/tasks?{query}"))["tasks"])

    assert await listed("state=completed") == [done["task"]["id"]]
    # A rejected task is a failed one in the documented words.
    assert await listed("state=failed") == [refused["task"]["id"]]
    assert await listed("state=working") == []
    assert len(await listed("skill=smart-routing")) == 2
    assert await listed("skill=other") == []
    assert await listed(f"contextId={context}") == [done["task"]["id"]]


async def test_a_list_has_what_tasks_wrote_when_it_is_asked_for(api: Management) -> None:
    sent = await api.send("say hello")

    [plain] = (await api.get("/api/a2a/tasks"))["tasks"]
    [whole] = (await api.get("/api/a2a/tasks?includeArtifacts=true"))["tasks"]

    assert "artifacts" not in plain
    assert whole["artifacts"] == sent["artifacts"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=done", "state"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("offset=-1", "offset"),
        ("includeArtifacts=perhaps", "includeArtifacts"),
    ],
)
async def test_a_wrong_question_is_told_by_its_field(
    api: Management, query: str, field: str
) -> None:
    answer = await api.call("GET", f"/api/a2a/tasks?{query}")

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == field


async def test_a_running_task_is_canceled_once(api: Management) -> None:
    task_id = await api.start("never answered")

    first = await api.call("POST", f"/api/a2a/tasks/{task_id}/cancel")
    second = await api.call("POST", f"/api/a2a/tasks/{task_id}/cancel")
    stands = await api.get(f"/api/a2a/tasks/{task_id}")

    assert first.status_code == 200
    assert first.json() == {"task": {"id": task_id, "state": "cancelled"}}
    assert second.status_code == 400
    assert "ended already" in second.json()["error"]["message"]
    assert stands["task"]["state"] == "cancelled"


async def test_another_key_s_task_is_answered_like_a_missing_one(api: Management) -> None:
    _, mine = await api.new_key("mine", "write:route", "read:usage", "read:health")
    _, other = await api.new_key("other", "write:route", "read:usage", "read:health")
    task_id = await api.start("mine alone", key=mine)

    for method, rest in (("GET", ""), ("GET", "/events"), ("POST", "/cancel")):
        told, missing = [
            await api.call(method, f"/api/a2a/tasks/{one}{rest}", key=other)
            for one in (task_id, NOWHERE)
        ]
        assert (told.status_code, told.content) == (404, missing.content)
    listed = await api.get("/api/a2a/tasks", key=other)
    counted = await api.get("/api/a2a/status", key=other)

    assert (listed["tasks"], listed["total"]) == ([], 0)
    assert (counted["tasks"]["total"], counted["tasks"]["lastTaskAt"]) == (0, None)
    assert ids((await api.get("/api/a2a/tasks", key=mine))["tasks"]) == [task_id]
    assert (await api.get("/api/a2a/status"))["tasks"]["total"] == 1


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/api/a2a/status", "read:health"),
        ("GET", "/api/a2a/tasks", "read:usage"),
        ("GET", f"/api/a2a/tasks/{NOWHERE}", "read:usage"),
        ("GET", f"/api/a2a/tasks/{NOWHERE}/events", "read:usage"),
        ("POST", f"/api/a2a/tasks/{NOWHERE}/cancel", "write:route"),
    ],
)
async def test_each_route_needs_its_scope(
    api: Management, method: str, path: str, scope: str
) -> None:
    _, key = await api.new_key("models", "read:models")

    answer = await api.call(method, path, key=key)

    assert answer.status_code == 403
    assert scope in answer.json()["error"]["message"]


async def test_an_administrator_follows_and_ends_the_task_of_any_key(api: Management) -> None:
    key_id, key = await api.new_key("agent", "write:route", "read:usage")
    task_id = await api.start("never answered", key=key)
    told: list[Any] = []

    async def follow() -> None:
        told.extend(_notes(await api.call("GET", f"/api/a2a/tasks/{task_id}/events")))

    async with anyio.create_task_group() as group:
        group.start_soon(follow)
        ended = await api.call("POST", f"/api/a2a/tasks/{task_id}/cancel")
    stands = await api.get(f"/api/a2a/tasks/{task_id}", key=key)

    assert ended.json()["task"]["state"] == "cancelled"
    assert told[-1]["params"]["task"] == {"id": task_id, "state": "cancelled"}
    assert (stands["task"]["state"], stands["task"]["apiKeyId"]) == ("cancelled", key_id)


async def test_a_task_that_waits_says_so_beside_the_documented_state(api: Management) -> None:
    task_id = (await api.send("what did I spend since Tuesday", skill="cost-analysis"))["task"][
        "id"
    ]

    shown = (await api.get(f"/api/a2a/tasks/{task_id}"))["task"]
    counts = (await api.get("/api/a2a/status"))["tasks"]["counts"]

    assert (shown["state"], shown["a2aState"]) == ("working", "input-required")
    assert counts["working"] == 1


async def test_every_route_is_in_the_openapi_document(api: Management) -> None:
    paths = (await api.get("/openapi.json"))["paths"]

    found = {
        (path, method): operation["x-omniroute-scope"]
        for path, operations in paths.items()
        for method, operation in operations.items()
        if path.startswith("/api/a2a/")
    }

    assert found == {
        ("/api/a2a/status", "get"): "read:health",
        ("/api/a2a/tasks", "get"): "read:usage",
        ("/api/a2a/tasks/{id}", "get"): "read:usage",
        ("/api/a2a/tasks/{id}/events", "get"): "read:usage",
        ("/api/a2a/tasks/{id}/cancel", "post"): "write:route",
    }


async def test_what_a_task_writes_is_followed_from_any_of_its_characters(api: Management) -> None:
    sent = await api.send("say hello")
    path, [artifact] = f"/api/a2a/tasks/{sent['task']['id']}/events", sent["artifacts"]

    whole = await api.call("GET", path)
    rest = await api.call("GET", path, **{"last-event-id": "5"})

    [first, *_, last] = _notes(whole)
    assert whole.headers["content-type"].startswith("text/event-stream")
    assert first["params"]["chunk"]["content"] == artifact["content"]
    assert last["params"] == {"task": sent["task"], "metadata": sent["metadata"]}
    assert _notes(rest)[0]["params"]["chunk"]["content"] == artifact["content"][5:]


async def test_open_streams_are_counted_while_they_are_open(api: Management) -> None:
    task_id = await api.start("never answered")

    async def open_streams() -> int:
        streams: int = (await api.get("/api/a2a/status"))["tasks"]["activeStreams"]
        return streams

    async with anyio.create_task_group() as group:
        group.start_soon(api.call, "GET", f"/api/a2a/tasks/{task_id}/events")
        while await open_streams() != 1:
            await anyio.sleep(0.01)
        await api.call("POST", f"/api/a2a/tasks/{task_id}/cancel")

    assert await open_streams() == 0


def _notes(answer: httpx.Response) -> list[Any]:
    return [
        json.loads(line.removeprefix("data: "))
        for line in answer.text.splitlines()
        if line.startswith("data: ")
    ]
