"""Conversations and questions back on whole gateways: they outlive the process that held them."""

from pathlib import Path
from typing import Any

import pytest

from tests import processes
from tests.a2a_door.door import v03_message
from tests.processes import RunningGateway

WAIT_S_MAX = 10.0
SKILL = {"skill": "cost-analysis"}


def sent(running: RunningGateway, text: str, key: str, **more: object) -> Any:
    """Give the task of a message in 0.3."""
    params = {"message": v03_message(text, **more), "metadata": SKILL}
    body = {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": params}
    answered = running.call("POST", "/a2a", body, key=key).json()
    assert "error" not in answered, answered
    return answered["result"]


@pytest.mark.xdist_group("a2a-conversations")
def test_a_question_outlives_a_crash_and_its_answer_reads_what_was_spent(tmp_path: Path) -> None:
    with processes.gateway(tmp_path) as first:
        key = first.new_key("--scope", "read:usage", "--scope", "write:route")
        spent = {"model": "sim/fast", "messages": [{"role": "user", "content": "hi"}]}
        first.call("POST", "/v1/chat/completions", spent, key=key)
        # What is told is stored.
        told = sent(first, "what did I spend today?", key)
        asked = sent(first, "what did I spend since Tuesday?", key)
        first.process.kill()
        first.process.wait(WAIT_S_MAX)

    with processes.gateway(tmp_path) as second:
        got = second.call(
            "POST",
            "/a2a",
            {"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": {"id": asked["id"]}},
            key=key,
        ).json()["result"]
        ended = sent(second, "the last 7 days", key, taskId=asked["id"])

    assert asked["status"]["state"] == "input-required"
    assert got == asked
    assert ended["status"]["state"] == "completed"
    before, after = (one["artifacts"][0]["parts"][1]["data"] for one in (told, ended))
    assert after["requestCount"] == before["requestCount"] == 1
    assert after["simulatedCost"] == after["totalCost"] == before["totalCost"] > 0
