"""Tasks while they run: stored first, cancelled, timed out, lost, and never anyone else's."""

import json
from dataclasses import replace
from typing import Any

import anyio
import pytest

from omniroute.a2a.dialects.codec import EXTENSION
from omniroute.a2a.push import SubscriptionRow
from omniroute.a2a.record import task_of
from omniroute.a2a.task import KEPT_S
from omniroute.a2a.tasks import TaskRow
from tests.a2a_door.door import (
    WAIT_S_MAX,
    HeldUpstream,
    MemoryTasks,
    Served,
    serving,
    v03_message,
    v10_message,
)
from tests.fakes import world

pytestmark = pytest.mark.anyio

A = {"authorization": "Bearer sk-fake-a"}
B = {"authorization": "Bearer sk-fake-b"}
LATER = {"message": v03_message(), "configuration": {"blocking": False}}


async def begun(door: Served, held: HeldUpstream, **headers: str) -> Any:
    """Give a task whose upstream call is open and waits."""
    task = await door.result("message/send", LATER, **headers)
    await held.opened.wait()
    return task


def another_process(door: Served) -> MemoryTasks:
    """Give the same store as a process of its own sees it."""
    mine = door.store
    return MemoryTasks(mine.rows, mine.logs, mine.works, boot_id="boot-2")


async def saved(door: Served) -> None:
    """Wait until what was written is in the log."""
    while not any(one.payload for log in door.store.logs.values() for one in log[1:]):
        await anyio.sleep(0.01)


async def streamed(door: Served, method: str, params: object, **headers: str) -> list[Any]:
    """Give the results of a stream's events."""
    answer = await door.post(
        {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, **headers
    )
    lines = [one[6:] for one in answer.text.splitlines() if one.startswith("data: ")]
    return [json.loads(one)["result"] for one in lines]


async def test_a_task_is_stored_before_its_client_hears_of_it() -> None:
    held = HeldUpstream()
    async with serving(upstream=held) as door:
        task = await door.result("message/send", LATER, **A)

        row = door.store.rows[task["id"]]

        held.go.set()
    assert (row.owner, row.state, row.context_id) == ("key-a", "working", task["contextId"])


async def test_cancel_closes_the_upstream_and_records_what_it_cost() -> None:
    held = HeldUpstream()
    async with serving(upstream=held) as door:
        task = await begun(door, held)
        canceled = await door.result("tasks/cancel", {"id": task["id"]})

        closed = held.closed.is_set()
        outcomes = [one.outcome for one in door.world.ledger.records]
        got = await door.result("tasks/get", {"id": task["id"]})

    assert canceled["status"]["state"] == "canceled"
    assert canceled["artifacts"][0]["parts"][0]["text"] == "hel"
    assert closed
    assert [one.status for one in outcomes] == ["client_gone"]
    told = canceled["metadata"][EXTENSION]["costEnvelope"]["actual"]
    assert told == (outcomes[0].cost_usd_nanos or 0) / 1e9 > 0
    assert got == canceled


async def test_cancel_before_the_first_byte_ends_the_attempt() -> None:
    class Silent(HeldUpstream):
        async def open(self, call: object) -> Any:
            self.opened.set()
            try:
                await anyio.sleep(WAIT_S_MAX)
            finally:
                self.closed.set()

    silent = Silent()
    async with serving(upstream=silent) as door:
        task = await begun(door, silent)
        canceled = await door.result("tasks/cancel", {"id": task["id"]})

        closed = silent.closed.is_set()

    assert canceled["status"]["state"] == "canceled"
    assert "artifacts" not in canceled
    assert closed


async def test_cancel_in_each_dialect_speaks_it() -> None:
    held = HeldUpstream()
    async with serving(upstream=held) as door:
        task = await begun(door, held)
        result = await door.result("CancelTask", {"id": task["id"]}, A2A_Version="1.0")
        again = await door.error("CancelTask", {"id": task["id"]}, A2A_Version="1.0")
        old = await door.error("tasks/cancel", {"id": task["id"]})

    assert result["status"]["state"] == "TASK_STATE_CANCELED"
    assert again["code"] == old["code"] == -32002
    assert again["data"][0]["reason"] == "TASK_NOT_CANCELABLE"


async def test_a_waiting_client_hears_of_another_client_s_cancel() -> None:
    held = HeldUpstream()
    answers: list[Any] = []
    async with serving(upstream=held) as door:

        async def wait() -> None:
            answers.append(await door.result("message/send", {"message": v03_message()}))

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await held.opened.wait()
            [task_id] = door.store.rows
            await door.result("tasks/cancel", {"id": task_id})

    assert answers[0]["status"]["state"] == "canceled"


async def test_cancel_of_a_task_of_another_process_is_stored_and_wins() -> None:
    held = HeldUpstream()
    async with serving(upstream=held) as door:
        task = await begun(door, held)
        async with serving(store=another_process(door)) as other:
            canceled = await other.result("tasks/cancel", {"id": task["id"]})
        held.go.set()
        await held.closed.wait()
        got = await door.result("tasks/get", {"id": task["id"]})

    assert canceled["status"]["state"] == got["status"]["state"] == "canceled"
    assert len(door.store.logs[task["id"]]) == 2


@pytest.mark.parametrize("order", ["end first", "cancel first"])
async def test_a_cancel_that_races_the_end_leaves_exactly_one(order: str) -> None:
    for _ in range(25):
        held, answers = HeldUpstream(), list[Any]()
        async with serving(upstream=held) as door:
            task = await begun(door, held)

            async def cancel(door: Served, task_id: str, answers: list[Any]) -> None:
                answers.append(await door.call("tasks/cancel", {"id": task_id}))

            async with anyio.create_task_group() as group:
                if order == "end first":
                    held.go.set()
                group.start_soon(cancel, door, task["id"], answers)
                held.go.set()
            await held.closed.wait()
            got = await door.result("tasks/get", {"id": task["id"]})

            log = door.store.logs[task["id"]]

        won = "result" in answers[0]
        assert got["status"]["state"] == ("canceled" if won else "completed")
        assert won or answers[0]["error"]["code"] == -32002
        assert len(log) == 2


async def test_a_task_past_its_time_fails_with_words() -> None:
    held = HeldUpstream()
    async with serving(upstream=held, limits=(0.05, 10)) as door:
        task = await door.result("message/send", {"message": v03_message()})

    assert task["status"]["state"] == "failed"
    assert "0.05 s" in task["status"]["message"]["parts"][0]["text"]
    assert held.closed.is_set()


async def test_stopping_the_gateway_ends_its_tasks_and_says_so() -> None:
    held = HeldUpstream()
    async with serving(upstream=held) as door:
        task = await begun(door, held)

    row = door.store.rows[task["id"]]
    assert row.state == "failed"
    assert "the gateway stopped" in row.payload
    assert held.closed.is_set()


async def test_a_task_of_a_dead_process_ends_as_interrupted_with_what_was_written() -> None:
    held = HeldUpstream()
    async with serving(upstream=held) as door:
        task = await begun(door, held)
        async with serving(store=another_process(door)) as other:
            await saved(door)
            await other.door.recover()
            young = await other.result("tasks/get", {"id": task["id"]})
            other.store.dead.add(door.store.boot_id)
            await other.door.recover()
            old = await other.result("tasks/get", {"id": task["id"]})
        held.go.set()

    assert young["status"]["state"] == "working"
    assert old["status"]["state"] == "failed"
    assert "send it again" in old["status"]["message"]["parts"][0]["text"]
    for told in (young, old):
        assert told["artifacts"][0]["parts"][0]["text"] == "hel"


async def test_a_task_that_may_be_done_again_is_done_again() -> None:
    held = HeldUpstream()
    async with serving(upstream=held) as door:
        params = {**LATER, "metadata": {"replay": True}}
        task = await door.result("message/send", params)
        await held.opened.wait()
        other_store = another_process(door)
        other_store.dead.add(door.store.boot_id)
        async with serving(store=other_store) as other:
            await other.door.recover()
            steps = await streamed(
                other, "tasks/resubscribe", {"id": task["id"]}, Last_Event_ID="0"
            )
            got = await other.result("tasks/get", {"id": task["id"]})
        held.go.set()
        await held.closed.wait()
        still = await door.result("tasks/get", {"id": task["id"]})

    assert steps[-1]["status"]["state"] == "completed"
    assert got == still
    assert got["artifacts"][0]["parts"][0]["text"] == "hello"
    assert other.store.rows[task["id"]].attempt == 2
    [again] = [one.outcome.request.request_id for one in other.world.ledger.records]
    [first] = [one.outcome.request.request_id for one in door.world.ledger.records]
    stored = task_of(other.store.rows[task["id"]])
    assert again == stored.request_id
    assert first == replace(stored, attempt=1).request_id
    assert first != again


async def test_what_an_attempt_writes_that_was_thought_dead_changes_nothing() -> None:
    held, again = HeldUpstream(), HeldUpstream()
    async with serving(upstream=held) as door:
        task = await door.result("message/send", {**LATER, "metadata": {"replay": True}})
        await held.opened.wait()
        other_store = another_process(door)
        other_store.dead.add(door.store.boot_id)
        async with serving(store=other_store, upstream=again) as other:
            await other.door.recover()
            await again.opened.wait()
            held.go.set()
            await held.closed.wait()
            await anyio.wait_all_tasks_blocked()
            while_it_runs = other.store.rows[task["id"]].state
            again.go.set()
            await again.closed.wait()
            got = await other.result("tasks/get", {"id": task["id"]})

    assert while_it_runs == "working"
    assert got["status"]["state"] == "completed"
    assert len([one for one in door.store.logs[task["id"]] if "completed" in one.payload]) == 1


async def test_a_task_is_forgotten_after_its_time() -> None:
    async with serving() as door:
        task = await door.result("message/send", {"message": v03_message()})
        door.world.clock.advance(KEPT_S + 1)
        error = await door.error("tasks/get", {"id": task["id"]})

    assert error["code"] == -32001


@pytest.mark.parametrize(
    ("method", "name", "version"),
    [
        ("tasks/get", "id", ""),
        ("tasks/get", "taskId", ""),
        ("tasks/cancel", "id", ""),
        ("tasks/cancel", "taskId", ""),
        ("GetTask", "id", "1.0"),
        ("CancelTask", "id", "1.0"),
    ],
)
async def test_another_caller_s_task_is_the_same_bytes_as_none(
    method: str, name: str, version: str
) -> None:
    held = HeldUpstream()
    async with serving(upstream=held) as door:
        task = await begun(door, held, **A)
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {name: task["id"]}}
        foreign = await door.post(body, a2a_version=version, **B)
        held.go.set()
        await held.closed.wait()
        ended = await door.post(body, a2a_version=version, **B)
        door.store.rows.clear()
        missing = await door.post(body, a2a_version=version, **B)

    assert foreign.status_code == missing.status_code
    assert foreign.content == ended.content == missing.content
    assert foreign.headers == missing.headers


async def test_another_caller_s_task_cannot_be_continued() -> None:
    async with serving() as door:
        task = await door.result("message/send", {"message": v03_message()}, **A)
        foreign = await door.error("message/send", {"message": v03_message(taskId=task["id"])}, **B)
        missing = await door.error("message/send", {"message": v03_message(taskId="none")}, **B)

    assert foreign == missing


async def test_a_key_that_keeps_no_content_leaves_none_in_the_store() -> None:
    key = {"authorization": "Bearer sk-fake-no-log"}
    async with serving() as door:
        params = {"messages": [{"role": "user", "content": "a canary"}]}
        sent = await door.result("message/send", params, **key)
        got = await door.result("tasks/get", {"taskId": sent["task"]["id"]}, **key)

        [row] = door.store.rows.values()

    assert sent["artifacts"][0]["content"] == "hello"
    assert "canary" not in row.payload
    assert "hello" not in row.payload
    assert got["task"]["state"] == "completed"
    assert got["task"]["artifacts"] == got["task"]["input"]["messages"] == []
    assert got["task"]["metadata"] == sent["metadata"]


async def test_a_key_that_keeps_no_content_must_wait_for_its_answer() -> None:
    async with serving() as door:
        error = await door.error("message/send", LATER, authorization="Bearer sk-fake-no-log")

        rows = door.store.rows

    assert error["code"] == -32004
    assert rows == {}


async def test_an_end_that_cannot_be_stored_is_an_error_and_not_a_wrong_answer() -> None:
    held = HeldUpstream()
    answers: list[Any] = []
    async with serving(upstream=held) as door:

        async def wait() -> None:
            answers.append(await door.error("message/send", {"message": v03_message()}))

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await held.opened.wait()
            door.store.broken = True
            held.go.set()

    assert answers[0]["code"] == -32603
    assert "the database is gone" in answers[0]["message"]


async def test_a_bug_in_one_task_ends_that_task_alone(caplog: pytest.LogCaptureFixture) -> None:
    def broken(call: object) -> Any:
        raise ZeroDivisionError("a bug for a test")

    async with serving(world(scripts={"one/m": broken})) as door:
        params = {"message": v03_message(), "metadata": {"model": "one/m"}}
        failed = await door.result("message/send", params)
        params["metadata"] = {"model": "two/m"}
        answered = await door.result("message/send", params)

    assert failed["status"]["state"] == "failed"
    assert "bug" not in failed["status"]["message"]["parts"][0]["text"]
    assert answered["status"]["state"] == "completed"
    assert "a2a_task_broke" in caplog.text


async def test_too_many_running_tasks_are_refused() -> None:
    held = HeldUpstream()
    async with serving(upstream=held, limits=(60.0, 1)) as door:
        await begun(door, held)
        error = await door.error("message/send", LATER)

        rows = door.store.rows

    assert error["code"] == -32603
    assert "1 tasks run already" in error["message"]
    assert len(rows) == 1


async def test_a_stopping_gateway_accepts_no_task() -> None:
    async with serving() as door:
        pass

    reader = Reader("message/send", LATER, "")
    await door.app(reader.scope, reader.receive, reader.send)

    assert json.loads(reader.body)["error"]["code"] == -32603
    assert door.store.rows == {}


async def test_a_task_that_is_being_stored_when_the_gateway_stops_ends_as_interrupted() -> None:
    class Slow(MemoryTasks):
        asked, go = anyio.Event(), anyio.Event()

        async def create(
            self, task: TaskRow, event: str, *, push: SubscriptionRow | None = None
        ) -> None:
            self.asked.set()
            await self.go.wait()
            await super().create(task, event, push=push)

    slow = Slow()
    reader = Reader("message/send", {"message": v03_message()}, "")
    async with anyio.create_task_group() as group:
        async with serving(store=slow) as door:
            group.start_soon(door.app, reader.scope, reader.receive, reader.send)
            await slow.asked.wait()
        slow.go.set()

    assert json.loads(reader.body)["result"]["status"]["state"] == "failed"
    assert [row.state for row in slow.rows.values()] == ["failed"]
    assert door.world.upstream.calls == []


@pytest.mark.parametrize(
    ("method", "params", "version"),
    [
        ("SendStreamingMessage", {"message": v10_message()}, "1.0"),
        ("message/stream", {"message": v03_message()}, ""),
        ("message/stream", {"messages": [{"content": "say hello"}]}, ""),
    ],
)
async def test_a_stream_sends_the_first_words_while_the_provider_still_writes(
    method: str, params: dict[str, Any], version: str
) -> None:
    held = HeldUpstream()
    async with serving(upstream=held) as door:
        reader = Reader(method, params, version)
        async with anyio.create_task_group() as group:
            group.start_soon(door.app, reader.scope, reader.receive, reader.send)
            await reader.until('"hel"')
            held.go.set()
            await reader.until('"lo"')

    assert reader.body.index('"hel"') < reader.body.index('"lo"')


async def test_a_stream_s_reader_that_leaves_does_not_end_the_task() -> None:
    held = HeldUpstream()
    async with serving(upstream=held) as door:
        reader = Reader("message/stream", {"message": v03_message()}, "")
        async with anyio.create_task_group() as group:
            group.start_soon(door.app, reader.scope, reader.receive, reader.send)
            await reader.until('"hel"')
            reader.left.set()
        [task_id] = door.store.rows
        held.go.set()
        await held.closed.wait()
        task = await door.result("tasks/get", {"id": task_id}, **A)

    assert task["status"]["state"] == "completed"


async def test_a_stream_of_which_nothing_is_kept_ends_with_its_reader() -> None:
    held = HeldUpstream()
    async with serving(upstream=held) as door:
        reader = Reader("message/stream", {"message": v03_message()}, "", "sk-fake-no-log")
        async with anyio.create_task_group() as group:
            group.start_soon(door.app, reader.scope, reader.receive, reader.send)
            await reader.until('"hel"')
            reader.left.set()
        await held.closed.wait()
        [row] = door.store.rows.values()

    assert row.state == "canceled"


async def test_a_task_past_the_longest_answer_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omniroute.a2a.run.ANSWER_CHARS_MAX", 4)
    async with serving() as door:
        task = await door.result("message/send", {"message": v03_message()})

    assert task["status"]["state"] == "failed"
    assert "longer than 4 characters" in task["status"]["message"]["parts"][0]["text"]
    assert task["artifacts"][0]["parts"][0]["text"] == "hel"


class Reader:
    """An ASGI client that reads a response while it is written."""

    def __init__(self, method: str, params: object, version: str, key: str = "sk-fake-a") -> None:
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        self.scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "https",
            "path": "/a2a",
            "raw_path": b"/a2a",
            "root_path": "",
            "query_string": b"",
            "headers": [
                (b"content-type", b"application/json"),
                (b"authorization", f"Bearer {key}".encode()),
                (b"a2a-version", version.encode()),
            ],
        }
        self.body = ""
        self.left = anyio.Event()
        self._asked = json.dumps(call).encode()
        self._changed = anyio.Event()

    async def receive(self) -> dict[str, Any]:
        if self._asked:
            body, self._asked = self._asked, b""
            return {"type": "http.request", "body": body, "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.body += message.get("body", b"").decode()
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    async def until(self, text: str) -> None:
        while text not in self.body:
            await self._changed.wait()
