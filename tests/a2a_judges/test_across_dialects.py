"""A task that was made in one dialect is the same task in the others, over a whole gateway."""

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import httpx
import pytest

from .conftest import Agent
from .dialects import DIALECTS, Dialect
from .journey import ANSWER, CALL_S_MAX, QUICK, STUCK, TEXT

JSON = {"content-type": "application/json"}
BROKEN = "sim/fast@latency=0,fault=server_error"
NATIVE_NAMES = {"rejected": "failed"}
"""States of the standards that the native dialect has another name for."""

made_in_each = pytest.mark.parametrize("made_in", DIALECTS, ids=[one.name for one in DIALECTS])


@pytest.fixture
def http(unlocked: Agent) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=unlocked.gateway.url, timeout=CALL_S_MAX) as opened:
        yield opened


def result(http: httpx.Client, dialect: Dialect, body: bytes) -> Any:
    """Give the task that a request is answered with."""
    answered = http.post("/a2a", content=body, headers={**JSON, **dialect.headers}).json()
    assert "error" not in answered, answered
    return dialect.task(answered["result"])


def read_in_each(http: httpx.Client, task_id: str) -> dict[str, Any]:
    """Give the task as each dialect tells it."""
    return {one.name: result(http, one, one.on("get", task_id)) for one in DIALECTS}


def asked_in(task: Any) -> str:
    """Give what a task was asked, however it tells it."""
    if "input" in task:
        return str(task["input"]["messages"][0]["content"])
    return str(task["history"][0]["parts"][0]["text"])


@made_in_each
def test_an_answered_task_reads_the_same_in_every_dialect(
    http: httpx.Client, made_in: Dialect
) -> None:
    task_id = result(http, made_in, made_in.message("send", TEXT, QUICK))["id"]

    read = read_in_each(http, task_id)

    told = {
        (task["id"], one.state(task), one.answer(task), asked_in(task))
        for one in DIALECTS
        for task in [read[one.name]]
    }
    assert told == {(task_id, "completed", ANSWER, TEXT)}


@made_in_each
@pytest.mark.parametrize(
    ("model", "state", "why"),
    [(BROKEN, "failed", "attempts failed"), ("nobody/has-it", "rejected", "nobody/has-it")],
)
def test_a_task_without_an_answer_says_why_in_every_dialect(
    http: httpx.Client, made_in: Dialect, model: str, state: str, why: str
) -> None:
    task_id = result(http, made_in, made_in.message("send", TEXT, model))["id"]

    read = read_in_each(http, task_id)

    assert {name: one.state(read[name]) for name, one in by_name().items()} == {
        "1.0": state,
        "0.3": state,
        "native": NATIVE_NAMES.get(state, state),
    }
    for name in ("1.0", "0.3"):
        assert why in read[name]["status"]["message"]["parts"][0]["text"]
    assert [one["type"] for one in read["native"]["artifacts"]] == ["error"]
    assert why in read["native"]["artifacts"][0]["content"]


@pytest.mark.parametrize(
    ("made_in", "followed_in", "canceled_in"),
    [
        (DIALECTS[made], DIALECTS[followed], DIALECTS[canceled])
        for made, followed, canceled in product((0, 1), range(3), range(3))
    ],
    ids=lambda one: one.name,
)
def test_a_running_task_is_followed_and_canceled_in_any_dialect(
    http: httpx.Client, made_in: Dialect, followed_in: Dialect, canceled_in: Dialect
) -> None:
    begun = result(http, made_in, made_in.message("send", TEXT, STUCK, wait=False))

    body, headers = followed_in.on("follow", begun["id"]), {**JSON, **followed_in.headers}
    with http.stream("POST", "/a2a", content=body, headers=headers) as following:
        canceled = result(http, canceled_in, canceled_in.on("cancel", begun["id"]))
        lines = [line[6:] for line in following.iter_lines() if line.startswith("data: ")]
    read = read_in_each(http, begun["id"])

    assert made_in.state(begun) == "working"
    assert canceled_in.state(canceled) == "canceled"
    assert ended_in(json.loads(lines[-1])) in ("TASK_STATE_CANCELED", "canceled", "cancelled")
    assert {one.state(read[one.name]) for one in DIALECTS} == {"canceled"}


def by_name() -> dict[str, Dialect]:
    return {one.name: one for one in DIALECTS}


def ended_in(event: Any) -> str:
    """Give the state in the last event of a stream."""
    if "params" in event:
        return str(event["params"]["task"]["state"])
    told = event["result"]
    return str(told.get("statusUpdate", told)["status"]["state"])
