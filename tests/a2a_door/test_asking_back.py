"""Skills that ask their client something, and what its answer does."""

import json
from dataclasses import replace
from typing import Any

import anyio
import pytest

from omniroute.a2a.methods import MESSAGES_MAX
from omniroute.routing.model import Caller
from tests.a2a_door import door as doors
from tests.a2a_door.door import MemoryTasks, Served, serving, v03_message, v10_message

pytestmark = pytest.mark.anyio

A = {"authorization": "Bearer sk-fake-asks"}
B = {"authorization": "Bearer sk-fake-b"}
NO_LOG = {"authorization": "Bearer sk-fake-asks-no-log"}
V10 = {"A2A_Version": "1.0"}
VAGUE = "what did I spend since Tuesday, by model?"
SKILL = {"skill": "cost-analysis"}


@pytest.fixture(autouse=True)
def asker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that may read what was used."""
    scopes = frozenset({"read:usage", "write:route"})
    for name, keeps in (("sk-fake-asks", True), ("sk-fake-asks-no-log", False)):
        monkeypatch.setitem(doors.CALLERS, name, Caller(name, scopes, keep_content=keeps))


async def asking(door: Served, **headers: str) -> Any:
    """Give a task that waits for its client."""
    params = {"message": v03_message(VAGUE), "metadata": SKILL}
    return await door.result("message/send", params, **(headers or A))


def answer(task: Any, text: str = "the last 7 days", **more: object) -> dict[str, object]:
    return v03_message(text, taskId=task["id"], **more)


async def test_a_task_that_needs_to_know_more_waits_and_its_answer_ends_it() -> None:
    async with serving() as door:
        waiting = await asking(door)
        got = await door.result("tasks/get", {"id": waiting["id"]}, **A)
        row = door.store.rows[waiting["id"]]
        works = dict(door.store.works)
        door.world.clock.advance(1.0)
        ended = await door.result("message/send", {"message": answer(waiting)}, **A)

    said = waiting["status"]["message"]
    assert waiting["status"]["state"] == "input-required"
    assert (said["role"], said["kind"]) == ("agent", "message")
    assert "Which time do you mean?" in said["parts"][0]["text"]
    assert "artifacts" not in waiting
    assert got == waiting
    assert (row.state, works) == ("input-required", {})
    assert (ended["id"], ended["contextId"]) == (waiting["id"], waiting["contextId"])
    assert ended["status"]["state"] == "completed"
    assert "the last 7 days" in ended["artifacts"][0]["parts"][0]["text"]
    assert [group["by"] for group in ended["artifacts"][0]["parts"][1]["data"]["groups"]] == [
        "provider",
        "model",
    ]
    assert [one["role"] for one in ended["history"]] == ["user", "agent", "user"]
    assert ended["history"][1] == said


async def test_what_was_said_first_counts_with_the_answer() -> None:
    async with serving() as door:
        params = {"message": v03_message("costs by day since Tuesday"), "metadata": SKILL}
        waiting = await door.result("message/send", params, **A)
        ended = await door.result("message/send", {"message": answer(waiting)}, **A)

    groups = ended["artifacts"][0]["parts"][1]["data"]["groups"]
    assert [group["by"] for group in groups] == ["provider", "model", "day"]


async def test_an_answer_that_says_no_more_is_asked_again_with_a_message_of_its_own() -> None:
    async with serving() as door:
        first = await asking(door)
        again = await door.result("message/send", {"message": answer(first, "since May")}, **A)
        ended = await door.result("message/send", {"message": answer(first, "a week")}, **A)

    assert again["status"]["state"] == "input-required"
    ids = [one["messageId"] for one in ended["history"] if one["role"] == "agent"]
    assert ids == [first["status"]["message"]["messageId"], again["status"]["message"]["messageId"]]
    assert len(set(ids)) == 2
    assert ended["status"]["state"] == "completed"


async def test_1_0_says_it_in_its_words() -> None:
    async with serving() as door:
        params = {"message": v10_message(VAGUE), "metadata": SKILL}
        waiting = (await door.result("SendMessage", params, **V10, **A))["task"]
        said = v10_message("today", taskId=waiting["id"], contextId=waiting["contextId"])
        ended = (await door.result("SendMessage", {"message": said}, **V10, **A))["task"]

    assert waiting["status"]["state"] == "TASK_STATE_INPUT_REQUIRED"
    assert ended["status"]["state"] == "TASK_STATE_COMPLETED"


async def test_the_native_form_shows_the_question_and_takes_its_answer() -> None:
    async with serving() as door:
        params = {**SKILL, "messages": [{"content": VAGUE}]}
        waiting = await door.result("message/send", params, **A)
        task_id = waiting["task"]["id"]
        said = {"messages": [{"content": "today"}], "taskId": task_id}
        ended = await door.result("message/send", said, **A)

    assert waiting["task"]["state"] == "working"
    assert "Which time" in waiting["artifacts"][0]["content"]
    assert waiting["metadata"]["input_required"] == waiting["artifacts"][0]["content"]
    assert ended["task"] == {"id": task_id, "state": "completed"}
    assert ended["metadata"]["queryType"] == "cost"
    assert "input_required" not in ended["metadata"]


@pytest.mark.parametrize(
    ("method", "message", "version"),
    [("message/stream", v03_message, ""), ("SendStreamingMessage", v10_message, "1.0")],
)
async def test_a_stream_ends_with_the_question_and_another_with_the_answer(
    method: str, message: Any, version: str
) -> None:
    async with serving() as door:

        async def streamed(text: str, **more: object) -> list[Any]:
            params = {"message": message(text, **more), "metadata": SKILL}
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            response = await door.post(body, a2a_version=version, **A)
            lines = [one[6:] for one in response.text.splitlines() if one[:6] == "data: "]
            return [json.loads(one)["result"] for one in lines]

        asked = await streamed(VAGUE)
        [task_id] = door.store.rows
        answered = await streamed("today", taskId=task_id)

    states = [
        one.get("statusUpdate", one)["status"]["state"].lower() for one in (asked[-1], answered[-1])
    ]
    assert states[0].endswith(("input-required", "input_required"))
    assert states[1].endswith("completed")
    if not version:
        assert (asked[-1]["final"], answered[-1]["final"]) == (True, True)


async def test_a_reader_of_a_task_that_waits_is_told_so_and_let_go() -> None:
    async with serving() as door:
        task = await asking(door)
        body = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tasks/resubscribe",
            "params": {"id": task["id"]},
        }
        response = await door.post(body, **A)

    lines = [one[6:] for one in response.text.splitlines() if one[:6] == "data: "]
    first, last = [json.loads(one)["result"] for one in lines]
    assert (first["kind"], first["status"]["state"]) == ("task", "input-required")
    assert (last["kind"], last["final"]) == ("status-update", True)


async def test_a_task_that_waits_can_be_canceled_and_takes_no_answer_then() -> None:
    async with serving() as door:
        task = await asking(door)
        canceled = await door.result("tasks/cancel", {"id": task["id"]}, **A)
        late = await door.error("message/send", {"message": answer(task)}, **A)

    assert canceled["status"]["state"] == "canceled"
    assert late["code"] == -32004


async def test_of_two_answers_at_once_one_is_taken() -> None:
    class Slow(MemoryTasks):
        async def wake(self, task: Any, event: str) -> bool:
            await anyio.sleep(0.01)
            return await super().wake(task, event)

    answers: list[Any] = []
    async with serving(store=Slow()) as door:
        task = await asking(door)
        mine = door.store
        other_store = Slow(mine.rows, mine.logs, mine.works, boot_id="boot-2")

        async def say(served: Served, text: str) -> None:
            answers.append(await served.call("message/send", {"message": answer(task, text)}, **A))

        async with serving(store=other_store) as other, anyio.create_task_group() as group:
            group.start_soon(say, door, "a week")
            group.start_soon(say, door, "a day")
            group.start_soon(say, other, "an hour")
        got = await door.result("tasks/get", {"id": task["id"]}, **A)

    assert sorted("result" in one for one in answers) == [False, False, True]
    assert {one["error"]["code"] for one in answers if "error" in one} == {-32004}
    assert [one["result"] for one in answers if "result" in one] == [got]
    assert len([one for one in got["history"] if one["role"] == "user"]) == 2


async def test_another_caller_cannot_answer() -> None:
    async with serving() as door:
        task = await asking(door)
        foreign = await door.error("message/send", {"message": answer(task)}, **B)
        missing = await door.error("message/send", {"message": answer({"id": "none"})}, **B)
        got = await door.result("tasks/get", {"id": task["id"]}, **A)

    assert foreign == missing
    assert got["status"]["state"] == "input-required"


async def test_an_answer_of_another_context_is_refused() -> None:
    async with serving() as door:
        task = await asking(door)
        wrong = await door.error(
            "message/send", {"message": answer(task, contextId="another")}, **A
        )
        right = await door.result(
            "message/send", {"message": answer(task, contextId=task["contextId"])}, **A
        )

    assert wrong["code"] == -32602
    assert right["status"]["state"] == "completed"


async def test_questions_and_answers_of_a_task_have_an_end() -> None:
    async with serving() as door:
        task = await asking(door)
        codes = []
        for _ in range(MESSAGES_MAX):
            told = await door.call("message/send", {"message": answer(task, "since May")}, **A)
            codes.append(told.get("error", {}).get("code"))
        got = await door.result("tasks/get", {"id": task["id"]}, **A)

    assert (codes[0], codes[-1]) == (None, -32004)
    assert len(got["history"]) <= MESSAGES_MAX


async def test_an_answer_is_not_lost_with_the_process_that_took_it() -> None:
    async with serving() as door:
        task = await asking(door)
        await door.result("message/send", {"message": answer(task)}, **A)
        mine = door.store
        working = replace(mine.rows[task["id"]], state="working")
        mine.rows[task["id"]] = working
        mine.works[task["id"]] = mine.boot_id
        other_store = MemoryTasks(
            mine.rows, mine.logs, mine.works, dead={mine.boot_id}, boot_id="boot-2"
        )
        async with serving(store=other_store) as other:
            await other.door.recover()
            while other.store.rows[task["id"]].state == "working":
                await anyio.sleep(0)
            got = await other.result("tasks/get", {"id": task["id"]}, **A)

    assert (working.attempt, other.store.rows[task["id"]].attempt) == (2, 3)
    assert got["status"]["state"] == "completed"
    assert "the last 7 days" in got["artifacts"][0]["parts"][0]["text"]


async def test_a_key_that_keeps_no_content_can_answer_and_leaves_nothing() -> None:
    async with serving() as door:
        task = await asking(door, **NO_LOG)
        ended = await door.result("message/send", {"message": answer(task)}, **NO_LOG)
        [row] = door.store.rows.values()

    assert ended["status"]["state"] == "completed"
    assert "Tuesday" not in row.payload
    assert "7 days" not in row.payload


async def test_discovery_asks_which_model_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Caller("reader", frozenset({"read:models"}))
    monkeypatch.setitem(doors.CALLERS, "sk-fake-asks", reader)
    params = {"message": v03_message("who serves this model?")}
    async with serving() as door:
        task = await door.result(
            "message/send", {**params, "metadata": {"skill": "provider-discovery"}}, **A
        )
        found = await door.result("message/send", {"message": answer(task, "two/m")}, **A)
        again = await door.result(
            "message/send", {**params, "metadata": {"skill": "provider-discovery"}}, **A
        )
        none = await door.result("message/send", {"message": answer(again, "zeppelin")}, **A)

    assert task["status"]["state"] == "input-required"
    assert [one["id"] for one in found["artifacts"][0]["parts"][1]["data"]["models"]] == ["two/m"]
    assert none["artifacts"][0]["parts"][1]["data"]["unknown"] == ["zeppelin"]
