"""Following a task again, listing tasks: in every dialect, from any place, in any process."""

import json
from typing import Any

import anyio
import pytest

from omniroute.a2a.dialects.listing import PAGE_MAX
from tests.a2a_door.door import (
    HeldUpstream,
    MemoryTasks,
    Served,
    serving,
    v03_message,
    v10_message,
)

pytestmark = pytest.mark.anyio

A = {"authorization": "Bearer sk-fake-a"}
B = {"authorization": "Bearer sk-fake-b"}
V10 = {"A2A_Version": "1.0"}
LATER = {"message": v10_message(), "configuration": {"returnImmediately": True}}
WAYS = [
    ("SubscribeToTask", "id", V10),
    ("tasks/resubscribe", "id", {}),
    ("tasks/resubscribe", "taskId", {}),
]


def called(method: str, params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


def events_of(text: str) -> list[tuple[int | None, Any]]:
    """Give each event's id and message."""
    found = []
    for event in text.replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in event.splitlines() if line[:1] != ":")
        if "data" in fields:
            place = int(fields["id"]) if "id" in fields else None
            found.append((place, json.loads(fields["data"])))
    return found


def texts(events: list[tuple[int | None, Any]]) -> str:
    """Give what the events add to the answer, in whichever dialect."""
    told = ""
    for _, message in events:
        body = message.get("result") or message["params"]
        update = body.get("artifactUpdate", body)
        parts = update.get("artifact", {}).get("parts", [])
        told += "".join(part["text"] for part in parts) + body.get("chunk", {}).get("content", "")
    return told


async def begun(door: Served, held: HeldUpstream) -> str:
    """Give the id of a task that has written "hel" and waits."""
    task = (await door.result("SendMessage", LATER, **V10, **A))["task"]
    await held.opened.wait()
    while not any(len(log) > 1 for log in door.store.logs.values()):
        await anyio.sleep(0.01)
    task_id: str = task["id"]
    return task_id


def elsewhere(door: Served) -> MemoryTasks:
    mine = door.store
    return MemoryTasks(mine.rows, mine.logs, mine.works, boot_id="boot-2")


@pytest.mark.parametrize("place", ["here", "in another process"])
@pytest.mark.parametrize(("method", "name", "version"), WAYS)
@pytest.mark.parametrize("chars", range(6))
async def test_a_task_is_followed_from_any_character(
    method: str, name: str, version: dict[str, str], chars: int, place: str
) -> None:
    held = HeldUpstream()
    async with serving(upstream=held) as door, serving(store=elsewhere(door)) as other:
        task_id = await begun(door, held)
        asked = other if place == "in another process" else door
        answers: list[str] = []

        async def follow() -> None:
            answer = await asked.post(
                called(method, {name: task_id}), **version, **A, Last_Event_ID=str(chars)
            )
            answers.append(answer.text)

        async with anyio.create_task_group() as group:
            group.start_soon(follow)
            await anyio.sleep(0.02)
            held.go.set()

    events = events_of(answers[0])
    assert "hello"[:chars] + texts(events) == "hello"
    places = [place for place, _ in events if place is not None]
    assert places == sorted(places)
    assert places[-1:] == ([5] if texts(events) else places)


@pytest.mark.parametrize("place", ["here", "in another process"])
async def test_who_comes_without_a_place_gets_the_answer_so_far_with_the_task(place: str) -> None:
    held = HeldUpstream()
    async with serving(upstream=held) as door, serving(store=elsewhere(door)) as other:
        task_id = await begun(door, held)
        asked = other if place == "in another process" else door
        answers: list[str] = []

        async def follow() -> None:
            answer = await asked.post(called("SubscribeToTask", {"id": task_id}), **V10, **A)
            answers.append(answer.text)

        async with anyio.create_task_group() as group:
            group.start_soon(follow)
            await anyio.sleep(0.02)
            held.go.set()

    (_, first), *others = events_of(answers[0])
    task = first["result"]["task"]
    assert first["id"] == 7
    assert task["artifacts"][0]["parts"][0]["text"] == "hel"
    assert texts(others) == "lo"
    updates = [one["result"] for _, one in others if "artifactUpdate" in one["result"]]
    assert all(one["artifactUpdate"]["append"] for one in updates)
    assert updates[-1]["artifactUpdate"]["lastChunk"]
    assert others[-1][1]["result"]["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"


async def test_a_task_that_has_ended_is_followed_only_by_who_has_some_of_it() -> None:
    async with serving() as door:
        task = (await door.result("SendMessage", {"message": v10_message()}, **V10))["task"]
        refused = await door.error("SubscribeToTask", {"id": task["id"]}, **V10)
        rest = await door.post(
            called("SubscribeToTask", {"id": task["id"]}), **V10, Last_Event_ID="3"
        )

    assert refused["code"] == -32004
    assert texts(events_of(rest.text)) == "lo"


async def test_another_s_task_is_followed_like_one_that_never_was() -> None:
    held = HeldUpstream()
    async with serving(upstream=held) as door:
        task_id = await begun(door, held)
        foreign = await door.error("SubscribeToTask", {"id": task_id}, **V10, **B)
        missing = await door.error("SubscribeToTask", {"id": "none"}, **V10, **B)
        old = await door.post(called("tasks/resubscribe", {"id": task_id}), **B)
        held.go.set()

    assert foreign == missing
    assert events_of(old.text)[0][1]["error"]["code"] == -32001


async def test_a_follower_that_leaves_ends_nothing() -> None:
    held = HeldUpstream()
    async with serving(upstream=held) as door:
        task_id = await begun(door, held)
        with anyio.move_on_after(0.05):
            await door.post(called("SubscribeToTask", {"id": task_id}), **V10, **A)
        closed = held.closed.is_set()
        held.go.set()
        await held.closed.wait()
        await anyio.wait_all_tasks_blocked()
        got = await door.result("GetTask", {"id": task_id}, **V10, **A)

    assert not closed
    assert got["status"]["state"] == "TASK_STATE_COMPLETED"


async def made(door: Served, count: int) -> list[str]:
    """Give the ids of ended tasks, oldest first."""
    found = []
    for number in range(count):
        message = v10_message(contextId=f"c-{number % 2}")
        task = (await door.result("SendMessage", {"message": message}, **V10, **A))["task"]
        door.world.clock.advance(1.0)
        found.append(task["id"])
    return found


async def test_tasks_are_listed_page_by_page_newest_first() -> None:
    async with serving() as door:
        ids = await made(door, 5)
        pages, token = [], ""
        while True:
            page = await door.result("ListTasks", {"pageSize": 2, "pageToken": token}, **V10, **A)
            pages.append(page)
            token = page["nextPageToken"]
            if not token:
                break

    assert [one["id"] for page in pages for one in page["tasks"]] == ids[::-1]
    assert {(page["totalSize"], page["pageSize"]) for page in pages} == {(5, 2)}
    assert all("artifacts" not in one for page in pages for one in page["tasks"])


async def test_a_list_is_narrowed_by_context_state_and_time() -> None:
    async with serving() as door:
        ids = await made(door, 4)
        context = await door.result("ListTasks", {"contextId": "c-1"}, **V10, **A)
        state = await door.result("ListTasks", {"status": "TASK_STATE_FAILED"}, **V10, **A)
        third = (await door.result("GetTask", {"id": ids[2]}, **V10, **A))["status"]["timestamp"]
        late = await door.result("ListTasks", {"statusTimestampAfter": third}, **V10, **A)
        whole = await door.result(
            "ListTasks", {"include_artifacts": True, "historyLength": 0}, **V10, **A
        )

    assert [one["id"] for one in context["tasks"]] == [ids[3], ids[1]]
    assert state["tasks"] == []
    assert (state["nextPageToken"], state["totalSize"]) == ("", 0)
    assert [one["id"] for one in late["tasks"]] == [ids[3], ids[2]]
    assert all(one["artifacts"] and "history" not in one for one in whole["tasks"])


async def test_nobody_lists_another_s_tasks() -> None:
    async with serving() as door:
        await made(door, 1)
        mine = await door.result("ListTasks", {}, **V10, **B)

    assert mine == {"tasks": [], "nextPageToken": "", "pageSize": 50, "totalSize": 0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"pageSize": 0},
        {"pageSize": PAGE_MAX + 1},
        {"pageToken": "?"},
        {"pageToken": "e30"},
        {"status": "done"},
        {"statusTimestampAfter": "yesterday"},
        {"historyLength": -1},
    ],
)
async def test_a_wrong_question_is_told_by_its_field(wrong: dict[str, object]) -> None:
    async with serving() as door:
        error = await door.error("ListTasks", wrong, **V10)

    assert error["code"] == -32602
    assert error["data"][0]["fieldViolations"][0]["field"].endswith(next(iter(wrong)))


async def test_the_native_list_has_whole_tasks_of_a_state_and_skill() -> None:
    async with serving() as door:
        native = {"skill": "smart-routing", "messages": [{"role": "user", "content": "hi"}]}
        await door.result("message/send", native, **A)
        await door.result("message/send", {"message": v03_message()}, **A)
        found = await door.result("tasks/list", {"state": "completed", "pageSize": 1}, **A)
        none = await door.result("tasks/list", {"skill": "other"}, **A)

    assert found["totalSize"] == 2
    assert found["tasks"][0]["state"] == "completed"
    assert found["tasks"][0]["skill"] == "smart-routing"
    assert none["tasks"] == []


async def test_the_native_list_counts_a_rejected_task_as_failed() -> None:
    async with serving() as door:
        refused = {"messages": [{"role": "user", "content": "hi"}], "metadata": {"model": "none"}}
        sent = await door.result("message/send", {"skill": "smart-routing", **refused}, **A)
        found = await door.result("tasks/list", {"state": "failed"}, **A)

    assert [one["id"] for one in found["tasks"]] == [sent["task"]["id"]]
