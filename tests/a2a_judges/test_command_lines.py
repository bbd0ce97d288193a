"""Command lines that others wrote for agents: a2a-handler, a2a-lint and a2a-proof."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omniroute.a2a.dialects.codec import EXTENSION
from tests import foreign

from .conftest import Agent
from .hooks import Hooks
from .journey import JUDGE_S_MAX

PAGE = 2
SCENARIOS: Mapping[str, Sequence[Any]] = {
    "answers": (
        {
            "name": "answers are the same each time",
            "message": "say hello",
            "trials": 3,
            "expect": {
                "state": "completed",
                "states": {"contains_in_order": ["working", "completed"]},
                "text": {"contains": ["You said: say hello"]},
            },
        },
        {
            "name": "a task is followed to its end",
            "turns": [
                {
                    "message": "b " * 500,
                    "return_immediately": True,
                    "expect": {"state": "working"},
                },
                {
                    "action": "subscribe",
                    "expect": {"state": "completed", "text": {"contains": ["said: b b"]}},
                },
                {"action": "get_task", "expect": {"state": "completed"}},
            ],
        },
        {
            "name": "a notification tells the end of a task",
            "turns": [
                {
                    "message": "b " * 500,
                    "return_immediately": True,
                    "push_notification": True,
                    "expect": {"state": "working"},
                },
                {
                    "action": "await_push",
                    "timeout_seconds": 20,
                    "expect": {"state": "completed", "text": {"contains": ["said: b b"]}},
                },
            ],
        },
    ),
    "cancels": (
        {
            "name": "a task that was canceled stays so",
            "turns": [
                {
                    "message": "say hello",
                    "return_immediately": True,
                    "expect": {"state": "working"},
                },
                {"action": "get_task", "expect": {"state": "working"}},
                {"action": "cancel", "expect": {"state": "canceled"}},
                {"action": "get_task", "expect": {"state": "canceled"}},
            ],
        },
    ),
}
"""What a2a-proof is to prove of an agent."""


def program(name: str, command: str) -> str:
    """Give the path of a program of an environment, made now if it is missing."""
    return str(foreign.python_of(name).with_name(command))


class Handler:
    """a2a-handler with an agent's address and key."""

    def __init__(self, agent: Agent, home: Path) -> None:
        self._program = program("a2a-handler", "handler")
        self._where = ["--url", agent.gateway.url]
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
        if agent.key is not None:
            self._where += ["--bearer-env", "JUDGE_KEY"]
            self._environment["JUDGE_KEY"] = agent.key

    def words(self, *words: str, form: str) -> list[str]:
        return [self._program, "--output", form, *words, *self._where]

    def run(self, *words: str, form: str = "json") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.words(*words, form=form),
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=JUDGE_S_MAX,
            check=False,
        )

    def told(self, *words: str) -> Any:
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def error(self, *words: str) -> Any:
        done = self.run(*words)
        assert done.returncode == 1, done.stdout
        return json.loads(done.stderr[done.stderr.index("{") : done.stderr.rindex("}") + 1])

    def lines(self, *words: str) -> list[Any]:
        done = self.run(*words, form="ndjson")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    @contextmanager
    def following(self, task_id: str) -> "Iterator[subprocess.Popen[str]]":
        """Run it while it follows a task; it prints what the task is at the end."""
        words = ("--debug", "task", "resubscribe", task_id)
        with subprocess.Popen(
            self.words(*words, form="json"),
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                # It says nothing once it follows, but this before it sends its request. Who is
                # started now needs most of a second before it sends anything.
                assert process.stderr is not None
                for line in process.stderr:
                    if f"Resubscribing to task: {task_id}" in line:
                        break
                yield process
            finally:
                process.kill()


def state(task: Any) -> str:
    found: str = task["status"]["state"]
    return found


def test_handler_reads_the_card_sends_and_streams(agent: Agent, tmp_path: Path) -> None:
    handler = Handler(agent, tmp_path)

    card = handler.told("card", "get")
    valid = handler.told("card", "validate")
    sent = handler.told("message", "send", "--text", "hi there")
    streamed = handler.lines("message", "stream", "--text", "hi there")
    got = handler.told("task", "get", sent["id"])
    listed = handler.told("task", "list", "--page-size", str(PAGE))
    of_one = handler.told("task", "list", "--context-id", sent["contextId"])

    text = "".join(one.get("text") or "" for one in streamed if one["type"] == "artifact")
    assert (card["name"], valid["valid"]) == ("OmniRoute", True)
    assert state(sent) == "TASK_STATE_COMPLETED"
    assert sent["artifacts"][0]["parts"][0]["text"].endswith("You said: hi there")
    assert EXTENSION in sent["metadata"]
    assert text.endswith("You said: hi there")
    assert streamed[-1]["state"] == "completed"
    assert got == sent
    assert {sent["id"], streamed[0]["taskId"]} <= {one["id"] for one in listed["tasks"]}
    assert [one["id"] for one in of_one["tasks"]] == [sent["id"]]


def test_handler_follows_and_cancels_a_task(stuck: Agent, tmp_path: Path) -> None:
    handler = Handler(stuck, tmp_path)

    task = handler.told("message", "send", "--no-wait", "--text", "hi there")
    with handler.following(task["id"]) as following:
        canceled = handler.told("task", "cancel", task["id"])
        followed, _ = following.communicate(timeout=JUDGE_S_MAX)
    again = handler.error("task", "cancel", task["id"])
    missing = handler.error("task", "get", "no-such-task")

    assert state(task) == "TASK_STATE_WORKING"
    assert state(canceled) == "TASK_STATE_CANCELED"
    assert state(json.loads(followed)) == "TASK_STATE_CANCELED"
    assert again["details"]["error"] == "TaskNotCancelableError"
    assert missing["details"]["error"] == "TaskNotFoundError"


def test_handler_is_notified_of_a_task(stuck: Agent, hooks: Hooks, tmp_path: Path) -> None:
    handler = Handler(stuck, tmp_path)
    about = ("task", "notification")

    sending = ("--no-wait", "--push-url", f"{hooks.url}/sent", "--push-token", "token-1")
    task_id = handler.told("message", "send", "--text", "hi there", *sending)["id"]
    later = ("--webhook-url", f"{hooks.url}/later", "--token", "token-2")
    made = handler.told(*about, "set", task_id, *later)
    got = handler.told(*about, "get", task_id, "--config-id", made["id"])
    listed = handler.told(*about, "list", task_id)
    handler.told(*about, "remove", task_id, "--config-id", made["id"])
    left = handler.told(*about, "list", task_id)
    handler.told("task", "cancel", task_id)
    arrived = hooks.of(task_id, {"/sent"})

    assert got["url"] == f"{hooks.url}/later"
    assert len(listed["configs"]) == len(left["configs"]) + 1 == 2
    assert set(arrived) == {"/sent"}
    assert arrived["/sent"].headers["x-a2a-notification-token"] == "token-1"


def test_handler_without_a_key_is_refused_where_one_is_needed(
    locked: Agent, tmp_path: Path
) -> None:
    keyless = Handler(Agent(locked.gateway, None), tmp_path)

    refused = keyless.error("message", "send", "--text", "hi there")

    assert "401" in refused["message"]


def test_lint_gives_the_best_grade_and_has_nothing_to_warn_of(agent: Agent) -> None:
    # It knows no keys: where one is needed, the card is all that it can look at.
    live = ["--live"] if agent.key is None else []

    done = subprocess.run(
        [program("a2a-lint", "a2a-lint"), agent.gateway.url, *live, "--strict", "--json"],
        capture_output=True,
        text=True,
        timeout=JUDGE_S_MAX,
        check=False,
    )

    told = json.loads(done.stdout)
    assert done.returncode == 0, told
    assert told["summary"] == {"errors": 0, "warnings": 0, "grade": "A"}
    if live:
        assert told["streamEvents"] > 2
        assert told["liveRoundTripMs"] > 0


def test_proof_finds_the_contract_kept(agent: Agent, tmp_path: Path) -> None:
    told = proven(agent, "answers", tmp_path)

    assert told["card"] == {"passed": True, "failures": []}
    assert [one["passed"] for one in told["scenarios"]] == [True, True, True]
    assert told["scenarios"][0]["passed_trials"] == 3


def test_proof_finds_that_a_canceled_task_stays_so(stuck: Agent, tmp_path: Path) -> None:
    told = proven(stuck, "cancels", tmp_path)

    assert [one["passed"] for one in told["scenarios"]] == [True]


def proven(agent: Agent, scenarios: str, home: Path) -> Any:
    """Let a2a-proof look at an agent and give its report."""
    headers = {} if agent.key is None else {"authorization": "Bearer ${JUDGE_KEY}"}
    contract = home / "contract.yaml"
    # JSON is YAML.
    contract.write_text(
        json.dumps(
            {
                "version": 1,
                "agent": {
                    "url": agent.gateway.url,
                    "transport": "JSONRPC",
                    "timeout": 20,
                    "headers": headers,
                    "extensions": [EXTENSION],
                },
                "card": {
                    "skills": {"contains": ["smart-routing"]},
                    "capabilities": {"streaming": True, "push_notifications": True},
                    "input_modes": {"contains": ["text/plain"]},
                },
                "push_notifications": {"listen_host": "127.0.0.1"},
                "scenarios": SCENARIOS[scenarios],
            }
        )
    )
    done = subprocess.run(
        [program("a2a-proof", "a2a-proof"), "run", "--format", "json", str(contract)],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "JUDGE_KEY": agent.key or ""},
        capture_output=True,
        text=True,
        timeout=JUDGE_S_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)
