"""A2A: the card, tasks with what narrows them, one followed and ended, a message sent."""

from html import unescape
from pathlib import Path
from re import findall

import anyio
import pytest

from omniroute.server.store.key_terms import KeyTerms
from tests.dashboard.visiting import Visitor, words_of
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

PAGE = "/dashboard/a2a"
S_MAX = 120.0
ASKED = {"send_skill": "smart-routing", "model": "sim/fast", "text": "say <b>hello</b>"}
SLOW = {**ASKED, "model": "sim/fast@latency=60"}
REPORT = {"send_skill": "list-capabilities", "text": "What can you do?"}


async def test_a_message_is_sent_and_its_task_tells_what_came_of_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        empty = await visitor.open(PAGE)
        path = await _sent(visitor, **ASKED)
        task = await _when(visitor, path, "completed")
        listed = await visitor.open(PAGE)
        other = await visitor.open(f"{PAGE}?skill=cost-analysis")
        await gateway.parts.storage.ledger.flush()
        decision = await visitor.open(findall(r'href="(/dashboard/requests/[^"]+)"', task)[0])

    assert "There is no task yet" in words_of(empty)
    assert "http://127.0.0.1:20128/a2a" in words_of(empty)
    assert "Quota management" in words_of(empty)
    assert "say <b>hello</b>" in words_of(listed)
    assert "<b>hello" not in task + listed
    assert "[simulated by sim/fast]" in words_of(task).partition("What it wrote")[2]
    assert "sim/fast" in words_of(decision)
    assert "1 tasks in all" in words_of(listed)
    assert "No task is like this." in words_of(other)


async def test_a_task_that_works_is_followed_and_cancelled(tmp_path: Path) -> None:
    heard: list[str] = []
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        path = await _sent(visitor, **SLOW)
        page = await visitor.open(path)

        async def follow() -> None:
            heard.append(await visitor.open(f"{path}/events"))

        with anyio.fail_after(S_MAX):
            async with anyio.create_task_group() as group:
                group.start_soon(follow)
                done = await visitor.done(f"{path}/cancel", page)
        again = await visitor.send(f"{path}/cancel", page)

    assert f'data-events="{path}/events"' in page
    assert "The task was cancelled." in words_of(done)
    assert "data-events" not in done
    assert '"state":"cancelled"' in heard[0]
    assert again.status_code == 400


async def test_the_stream_of_a_task_tells_it_whole_under_the_policy_of_pages(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        path = await _sent(visitor, **ASKED)
        headers = {"authorization": f"Bearer {gateway.token}"}
        told = await http.get(f"{path}/events", headers=headers)
        last = findall(r"^id: (\d+)$", told.text, 8)[-1]
        later = await http.get(f"{path}/events", headers={**headers, "last-event-id": last})

    assert told.headers["content-type"].startswith("text/event-stream")
    assert "default-src 'none'" in told.headers["content-security-policy"]
    assert '"type":"text"' in told.text
    assert '"state":"completed"' in told.text
    assert '"type":"text"' not in later.text


async def test_a_message_that_the_agent_refuses_stays_with_the_reason(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        silent = await visitor.send(PAGE, "", **{**ASKED, "text": ""})
        unknown = await visitor.send(PAGE, "", **{**ASKED, "send_skill": "<i>none"})
        told = await visitor.api("/api/a2a/tasks")

    assert (silent.status_code, unknown.status_code) == (400, 400)
    assert "write what is asked" in words_of(silent.text)
    assert "no skill" in words_of(unknown.text)
    assert "say <b>hello</b>" in unescape(unknown.text)
    assert "<i>none" not in unknown.text
    assert told["total"] == 0


async def test_a_key_sees_its_own_tasks_and_may_what_its_scopes_allow(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        keys = gateway.parts.storage.keys
        eyes = await keys.create(KeyTerms(name="eyes", scopes=("readonly",)), actor="test")
        health = await keys.create(KeyTerms(name="health", scopes=("read:health",)), actor="test")
        hands = await keys.create(KeyTerms(name="hands", scopes=("agent",)), actor="test")
        visitor = Visitor(http, hands.text)
        path = await _sent(visitor, **REPORT)
        await _when(visitor, path, "completed")
        own, every = await visitor.open(PAGE), await Visitor(http, gateway.token).open(PAGE)
        others = await Visitor(http, eyes.text).open(PAGE)
        hidden = await Visitor(http, health.text).open(PAGE)
        headers = {"authorization": f"Bearer {eyes.text}"}
        answers = [await http.get(one, headers=headers) for one in (path, f"{path}/events")]
        cancel = await Visitor(http, eyes.text).send(f"{path}/cancel")
        asked = await Visitor(http, eyes.text).send(PAGE, "", **ASKED)

    assert "What can you do?" in words_of(own)
    assert "What can you do?" in words_of(every)
    assert "hands" in words_of(every)
    assert "There is no task yet" in words_of(others)
    assert "scope read:usage" in words_of(hidden)
    assert [one.status_code for one in answers] == [404, 404]
    assert cancel.status_code == 403
    assert asked.status_code == 400
    assert "write:route" in words_of(asked.text)


async def test_tasks_are_walked_page_by_page_and_narrowed(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        for _ in range(27):
            path = await _sent(visitor, **REPORT)
            await _when(visitor, path, "completed")
        first = await visitor.open(PAGE)
        older = unescape(findall(r'rel="next" href="(\?[^"]+)"', first)[0])
        second = await visitor.open(PAGE + older)
        ended = await visitor.open(f"{PAGE}?state=failed")

    assert [_rows(one) for one in (first, second, ended)] == [25, 2, 0]


async def _sent(visitor: Visitor, **fields: str) -> str:
    """Send a message, and give the page of its task."""
    answer = await visitor.send(PAGE, "", **fields)
    assert answer.status_code == 303, words_of(answer.text)[:2000]
    return answer.headers["location"].partition("?")[0]


async def _when(visitor: Visitor, path: str, state: str) -> str:
    """Give the page of a task when it has a state."""
    with anyio.fail_after(S_MAX):
        while True:
            page = await visitor.open(path)
            if f">{state}</span>" in page:
                return page
            await anyio.sleep(0.02)


def _rows(page: str) -> int:
    return page.partition('id="tasks"')[2].count("<tr><td>")
