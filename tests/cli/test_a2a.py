"""`omniroute a2a`: the same with a gateway that runs and, on its data folder, without one."""

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.processes import OMNIROUTE, RunningGateway, gateway, run_command

QUICK, SLOW = "sim/fast@latency=0,pace=0", "sim/fast@latency=60"
PACED = "sim/fast@latency=0,pace=0.5,chunk=1"
"""Writes for most of a minute: what looks on has time, on a busy machine too."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with gateway(tmp_path_factory.mktemp("a2a")) as started:
        yield started


def told(running: RunningGateway, *words: str, status: int = 0) -> str:
    done = running.command("a2a", *words)
    assert done.returncode == status, done.stderr
    return done.stdout


@contextmanager
def started(running: RunningGateway, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a command beside the test, for a minute at most."""
    process = subprocess.Popen(
        [*OMNIROUTE, "a2a", *words],
        env=running.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    limit = threading.Timer(60, process.kill)
    limit.start()
    with process:
        yield process
    limit.cancel()


def test_the_card_is_shown_in_words_and_in_each_form(running: RunningGateway) -> None:
    words = told(running, "card")
    pure = json.loads(told(running, "card", "--form", "1.0", "--json"))
    older = json.loads(told(running, "card", "--form", "0.3", "--json"))
    wrong = running.command("a2a", "card", "--form", "2.0")

    assert re.search(r"^protocol +1\.0, 0\.3$", words, re.MULTILINE)
    assert re.search(r"^needs a key +no$", words, re.MULTILINE)
    assert "smart-routing" in words
    assert f"{running.url}/a2a" in words
    assert "protocolVersion" not in pure
    assert "supportedInterfaces" not in older
    assert wrong.returncode == 2
    assert "one of union, 1.0, 0.3" in wrong.stderr


def test_an_answer_is_printed_and_what_became_of_the_task_beside(running: RunningGateway) -> None:
    done = running.command("a2a", "send", "--model", QUICK, "say", "hello")

    assert done.returncode == 0, done.stderr
    assert "say hello" in done.stdout
    assert "[task" not in done.stdout
    found = re.search(
        r"\[task (\S+) is completed; cost \$\S+; why: omniroute explain (\S+); "
        r"go on with: --context (\S+)\]",
        done.stderr,
    )
    assert found is not None, done.stderr
    page = told(running, "tasks", found[1])
    assert f"context     {found[3]}" in page
    assert f"omniroute explain {found[2]}" in page
    assert "user: say hello" in page
    assert running.command("explain", found[2]).returncode == 0


def test_the_message_may_come_by_standard_input(running: RunningGateway) -> None:
    done = running.command("a2a", "send", "--model", QUICK, stdin="from a pipe")
    empty = running.command("a2a", "send", stdin="  ")

    assert "from a pipe" in done.stdout
    assert empty.returncode == 2
    assert "omniroute a2a send" in empty.stderr


def test_a_whole_task_is_printed_as_json(running: RunningGateway) -> None:
    sent = json.loads(told(running, "send", "--json", "--model", QUICK, "say hello"))
    shown = json.loads(told(running, "tasks", sent["id"], "--json"))

    assert sent == shown
    assert sent["state"] == "completed"
    assert "say hello" in sent["artifacts"][0]["content"]


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        (("--model", "no-such-model"), 1, "no-such-model"),
        (("--skill", "no-such-skill"), 1, "known are"),
        (("--budget-usd", "five"), 2, "amount of US dollars"),
        (("--task", "no-such-task"), 1, "no task with that id"),
    ],
)
def test_a_refusal_is_told_with_its_status(
    running: RunningGateway, words: tuple[str, ...], status: int, reason: str
) -> None:
    done = running.command("a2a", "send", *words, "hello")

    assert done.returncode == status
    assert reason in done.stderr
    assert done.stdout == ""


def test_a_task_works_on_alone_until_it_is_canceled(running: RunningGateway) -> None:
    task_id = told(running, "send", "--no-wait", "--model", SLOW, "never answered").strip()

    listed = told(running, "tasks", "--state", "working")
    canceled = told(running, "cancel", task_id)
    again = running.command("a2a", "cancel", task_id)
    watched = running.command("a2a", "watch", task_id)

    assert task_id in listed
    assert canceled == f"Task {task_id} is cancelled.\n"
    assert again.returncode == 1
    assert "ended already" in again.stderr
    assert watched.returncode == 1
    assert f"[task {task_id} is cancelled]" in watched.stderr


def test_a_task_that_asks_back_is_answered_by_its_id(running: RunningGateway) -> None:
    asked = running.command("a2a", "send", "--skill", "cost-analysis", "spent since Tuesday?")
    found = re.search(r"omniroute a2a send --task (\S+)\]", asked.stderr)
    assert found is not None, asked.stderr
    watched = running.command("a2a", "watch", found[1])
    answered = running.command("a2a", "send", "--task", found[1], "in the last week")

    assert asked.returncode == 0
    assert f"[task {found[1]} is working (input-required)]" in watched.stderr
    assert answered.returncode == 0, answered.stderr
    assert answered.stdout.strip()
    assert f"[task {found[1]} is completed" in answered.stderr


def test_what_a_task_writes_is_watched_while_it_writes(running: RunningGateway) -> None:
    text = "words that take a while to be written one after another"
    with started(running, "send", "--model", PACED, text) as sending:
        assert sending.stdout is not None
        assert sending.stdout.read(1)
        [task] = json.loads(told(running, "tasks", "--state", "working", "--json"))["tasks"]
        with started(running, "watch", task["id"]) as watching:
            assert watching.stdout is not None
            assert watching.stderr is not None
            first = watching.stdout.read(1)
            early = json.loads(told(running, "tasks", task["id"], "--json"))
            told(running, "cancel", task["id"])
            rest, ended = watching.stdout.read(), watching.stderr.read()

    whole = json.loads(told(running, "tasks", task["id"], "--json"))["artifacts"][0]["content"]
    assert early["state"] == "working"
    assert early["artifacts"][0]["content"]
    assert whole.startswith(early["artifacts"][0]["content"])
    assert first + rest == whole + "\n"
    assert f"[task {task['id']} is cancelled]" in ended
    assert (sending.returncode, watching.returncode) == (1, 1)


def test_tasks_of_every_key_are_listed_page_by_page(tmp_path: Path) -> None:
    with gateway(tmp_path) as running:
        nothing = told(running, "tasks")
        first = json.loads(told(running, "send", "--json", "--model", QUICK, "first " * 20))
        key = running.new_key("--name", "agent")
        body = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "message/send",
            "params": {
                "messages": [{"role": "user", "content": "second"}],
                "metadata": {"model": QUICK},
            },
        }
        second = running.call("POST", "/a2a", body, key=key).json()["result"]["task"]
        page = told(running, "tasks", "--limit", "1")
        all_of_them = json.loads(told(running, "tasks", "--json"))
        missing = running.command("a2a", "tasks", "no-such-task")
        wrong = running.command("a2a", "tasks", "--state", "done")

    def alone(*words: str) -> "subprocess.CompletedProcess[str]":
        return run_command("a2a", *words, environment=running.environment)

    assert nothing == "There is no task, or none that is like this.\n"
    assert second["id"] in page
    assert "1 older ones: --offset 1" in page
    assert [one["id"] for one in all_of_them["tasks"]] == [second["id"], first["id"]]
    assert missing.returncode == 1
    assert "no task with that id" in missing.stderr
    assert wrong.returncode == 1
    assert "state is one of submitted" in wrong.stderr
    assert json.loads(alone("tasks", "--json").stdout) == all_of_them
    assert alone("watch", first["id"]).stdout.strip() == first["artifacts"][0]["content"].strip()
    assert "first first" in alone("send", "--model", QUICK, "first first").stdout
    left = alone("send", "--no-wait", "hello")
    assert left.returncode == 69
    assert "no gateway runs" in left.stderr
