"""Conversations: a message of a known context goes on with what was said there."""

import json
from dataclasses import replace
from typing import Any

import anyio
import pytest

from omniroute.a2a.contexts import CHARS_MAX, TASKS_MAX
from omniroute.routing.errors import UpstreamFailure
from tests.a2a_door.door import MemoryTasks, Served, serving, v03_message, v10_message
from tests.fakes import failing, world

pytestmark = pytest.mark.anyio

A = {"authorization": "Bearer sk-fake-a"}
B = {"authorization": "Bearer sk-fake-b"}
NO_LOG = {"authorization": "Bearer sk-fake-no-log"}


async def said(door: Served, text: str, context: str | None, **headers: str) -> Any:
    """Give the task of a message, and let a second pass."""
    named = {} if context is None else {"contextId": context}
    task = await door.result("message/send", {"message": v03_message(text, **named)}, **headers)
    door.world.clock.advance(1.0)
    return task


def last_asked(door: Served) -> list[tuple[str, str]]:
    """Give the conversation that the provider got last."""
    messages = json.loads(door.world.upstream.calls[-1].operation.body)["messages"]
    return [(one["role"], one["content"]) for one in messages]


async def test_a_message_of_a_known_context_goes_on_with_its_conversation() -> None:
    async with serving() as door:
        first = await said(door, "my name is Ada", None)
        await said(door, "and I count", first["contextId"])
        await said(door, "what is my name?", first["contextId"])

        asked = last_asked(door)

    assert asked == [
        ("user", "my name is Ada"),
        ("assistant", "hello"),
        ("user", "and I count"),
        ("assistant", "hello"),
        ("user", "what is my name?"),
    ]


async def test_a_message_without_a_context_begins_anew() -> None:
    async with serving() as door:
        await said(door, "my name is Ada", None)
        await said(door, "what is my name?", None)

        asked = last_asked(door)

    assert asked == [("user", "what is my name?")]


async def test_a_context_is_the_same_in_every_dialect() -> None:
    async with serving() as door:
        native = {"messages": [{"content": "my name is Ada"}], "contextId": "ctx-1"}
        await door.result("message/send", native)
        door.world.clock.advance(1.0)
        await said(door, "and I count", "ctx-1")
        params = {"message": v10_message("what is my name?", contextId="ctx-1")}
        await door.result("SendMessage", params, A2A_Version="1.0")

        asked = [text for role, text in last_asked(door) if role == "user"]

    assert asked == ["my name is Ada", "and I count", "what is my name?"]


async def test_a_conversation_that_comes_whole_is_taken_as_it_comes() -> None:
    whole = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "my name is Grace"},
    ]
    async with serving() as door:
        await said(door, "my name is Ada", "ctx-1")
        await door.result("message/send", {"messages": whole, "contextId": "ctx-1"})
        door.world.clock.advance(1.0)
        at_once = last_asked(door)
        await said(door, "what is my name?", "ctx-1")
        later = last_asked(door)

    assert at_once == [("system", "be brief"), ("user", "my name is Grace")]
    assert later == [*at_once, ("assistant", "hello"), ("user", "what is my name?")]


async def test_another_key_s_context_of_that_name_is_another_context() -> None:
    async with serving() as door:
        await said(door, "a canary", "ctx-1", **A)
        await said(door, "what was said?", "ctx-1", **B)

        asked = last_asked(door)

    assert asked == [("user", "what was said?")]


async def test_a_key_that_keeps_no_content_has_no_conversation() -> None:
    async with serving() as door:
        await said(door, "a canary", "ctx-1", **NO_LOG)
        await said(door, "what was said?", "ctx-1", **NO_LOG)

        asked = last_asked(door)

    assert asked == [("user", "what was said?")]


async def test_a_question_that_was_not_answered_is_no_part_of_the_conversation() -> None:
    down = failing(UpstreamFailure("down for a test", kind="bad_request"))
    async with serving(world(scripts={"one/m": down})) as door:
        failed = {"message": v03_message("a canary", contextId="ctx-1")}
        await door.result("message/send", {**failed, "metadata": {"model": "one/m"}})
        door.world.clock.advance(1.0)
        params = {"message": v03_message("what was said?", contextId="ctx-1")}
        await door.result("message/send", {**params, "metadata": {"model": "two/m"}})

        asked = last_asked(door)

    assert asked == [("user", "what was said?")]


async def test_a_conversation_is_bounded_by_its_tasks() -> None:
    async with serving() as door:
        for number in range(TASKS_MAX + 2):
            await said(door, f"question {number}", "ctx-1")

        asked = [text for role, text in last_asked(door) if role == "user"]

    assert asked == [f"question {number}" for number in range(1, TASKS_MAX + 2)]


async def test_a_conversation_is_bounded_by_its_length() -> None:
    async with serving() as door:
        await said(door, "x" * (CHARS_MAX // 2), "ctx-1")
        await said(door, "y" * (CHARS_MAX // 2), "ctx-1")
        await said(door, "what was said?", "ctx-1")

        asked = [text[:1] for role, text in last_asked(door) if role == "user"]

    assert asked == ["y", "w"]


async def test_a_task_that_is_done_again_goes_on_with_what_was_said_before_it() -> None:
    async with serving() as door:
        await said(door, "my name is Ada", "ctx-1")
        params = {
            "message": v03_message("what is my name?", contextId="ctx-1"),
            "metadata": {"replay": True},
        }
        task = await door.result("message/send", params)
        mine = door.store
        mine.rows[task["id"]] = replace(mine.rows[task["id"]], state="working")
        mine.works[task["id"]] = mine.boot_id
        door.world.clock.advance(1.0)
        await said(door, "and this is later", "ctx-1")
        other_store = MemoryTasks(
            mine.rows, mine.logs, mine.works, dead={mine.boot_id}, boot_id="boot-2"
        )
        async with serving(store=other_store) as other:
            await other.door.recover()
            while other.store.rows[task["id"]].state == "working":
                await anyio.sleep(0)
            asked = last_asked(other)

    assert asked == [
        ("user", "my name is Ada"),
        ("assistant", "hello"),
        ("user", "what is my name?"),
    ]
