"""Every documented native example is answered in the documented shape, by a whole gateway.

The examples and shapes are those of the documented A2A server, sections 2.2 to 2.9. What was
wrong there is right here, and the tests that say DEFECT name it.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from .conftest import Agent
from .dialects import DIALECTS, NATIVE, Dialect
from .journey import ANSWER, PACED, QUICK, STUCK, TEXT

SAID = [{"role": "user", "content": TEXT}]
ASKED = {"skill": "smart-routing", "messages": SAID}

Schema = Mapping[str, Any]


def shape(**fields: Any) -> Schema:
    """Give the schema of an object with these fields, all of them and no other."""
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


def list_of(one: Schema) -> Schema:
    return {"type": "array", "items": one}


STRING: Schema = {"type": "string", "minLength": 1}
TIME: Schema = {"type": "string", "format": "date-time", "pattern": r"T.*\.\d{3}Z$"}
AMOUNT: Schema = {"type": ["number", "null"], "minimum": 0}
STATE: Schema = {"enum": ["submitted", "working", "completed", "failed", "cancelled"]}
TASK = shape(id={"type": "string", "format": "uuid"}, state=STATE)
ARTIFACTS = list_of(shape(type={"enum": ["text", "json", "error"]}, content={"type": "string"}))
STEP = shape(
    event={"enum": ["primary_selected", "fallback_needed"]},
    provider=STRING,
    model=STRING,
    timestamp=TIME,
)
METADATA = shape(
    routing_explanation=STRING,
    cost_envelope=shape(estimated=AMOUNT, actual=AMOUNT, currency={"const": "USD"}),
    resilience_trace=list_of(STEP),
    policy_verdict=shape(allowed={"type": "boolean"}, reason=STRING),
    request_id=STRING,
)
SENT = shape(task=TASK, artifacts=ARTIFACTS, metadata=METADATA)
MESSAGE = shape(role={"enum": ["user", "assistant", "system"]}, content=STRING)
ASKED_METADATA = shape(
    model=STRING,
    combo={"type": ["string", "null"]},
    budget=AMOUNT,
    role={"type": ["string", "null"]},
)
FULL = shape(
    id={"type": "string", "format": "uuid"},
    skill=STRING,
    state=STATE,
    input=shape(skill=STRING, messages=list_of(MESSAGE), metadata=ASKED_METADATA),
    artifacts=ARTIFACTS,
    events=list_of(shape(timestamp=TIME, state=STATE)),
    metadata=METADATA,
    contextId=STRING,
    createdAt=TIME,
    updatedAt=TIME,
    expiresAt=TIME,
)
WORKING = shape(id=STRING, state={"const": "working"})
CHUNK = shape(task=WORKING, chunk=shape(type={"const": "text"}, content=STRING))
END = shape(task=TASK, metadata=METADATA)


def check(schema: Schema, value: Any) -> None:
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(value)


def called(agent: Agent, body: bytes, dialect: Dialect = NATIVE) -> Any:
    """Give the whole JSON-RPC answer to a body."""
    headers = {**dialect.headers, "content-type": "application/json"}
    return agent.gateway.call("POST", "/a2a", body, key=agent.key, headers=headers).json()


def result(agent: Agent, method: str, params: Any) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    answered = called(agent, body)
    assert "error" not in answered, answered
    check(shape(jsonrpc={"const": "2.0"}, id={"const": 1}, result={}), answered)
    return answered["result"]


@pytest.mark.parametrize(
    "params",
    [
        ASKED,
        {"messages": SAID},
        {"messages": [{"content": TEXT}]},
        {"message": {"role": "user", "content": TEXT}},
        {"message": {"parts": [{"text": TEXT}]}},
        {"message": {"parts": [{"content": TEXT}]}},
    ],
)
def test_every_form_of_a_send_is_answered(agent: Agent, params: dict[str, Any]) -> None:
    sent = result(agent, "message/send", {**params, "metadata": {"model": QUICK}})

    check(SENT, sent)
    assert sent["task"]["state"] == "completed"
    assert sent["artifacts"] == [{"type": "text", "content": ANSWER}]


def test_all_documented_metadata_of_a_send_is_kept_to(agent: Agent) -> None:
    asked = {"model": QUICK, "budget": 0.5, "role": "coding"}

    sent = result(agent, "message/send", {**ASKED, "metadata": asked})
    got = result(agent, "tasks/get", {"taskId": sent["task"]["id"]})

    check(SENT, sent)
    check(shape(task=FULL), got)
    assert "$0.500000000" in sent["metadata"]["policy_verdict"]["reason"]
    assert got["task"]["input"]["metadata"] == {**asked, "combo": None}
    assert got["task"]["input"]["messages"] == SAID
    assert got["task"]["metadata"] == sent["metadata"]
    assert [one["state"] for one in got["task"]["events"]] == ["working", "completed"]


def test_a_running_task_is_canceled_and_says_so(agent: Agent) -> None:
    begun = called(agent, DIALECTS[1].message("send", TEXT, STUCK, wait=False))
    task_id = begun["result"]["id"]

    canceled = result(agent, "tasks/cancel", {"taskId": task_id})
    got = result(agent, "tasks/get", {"taskId": task_id})

    check(shape(task=TASK), canceled)
    assert canceled["task"] == {"id": task_id, "state": "cancelled"}
    assert got["task"]["state"] == "cancelled"


def test_a_stream_is_of_the_model_s_own_words(agent: Agent) -> None:
    """DEFECT of the ancestor: its skill ran to the end, and one chunk was sent of each artifact."""
    params = {**ASKED, "metadata": {"model": PACED}}
    body = NATIVE.body("stream", params)
    headers = {"content-type": "application/json"}

    answered = agent.gateway.call("POST", "/a2a", body, key=agent.key, headers=headers)

    lines = answered.body.decode().splitlines()
    events = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
    for one in events:
        check(shape(jsonrpc={}, method={"const": "message/stream"}, params={}), one)
    *chunks, end = [one["params"] for one in events]
    for chunk in chunks:
        check(CHUNK, chunk)
    check(END, end)
    assert len(chunks) > 2
    assert "".join(one["chunk"]["content"] for one in chunks) == ANSWER
    assert end["task"]["state"] == "completed"


def test_what_a_task_was_routed_by_is_stored_and_can_be_explained(agent: Agent) -> None:
    """DEFECT of the ancestor: its score was always 1, without factors, and kept nowhere."""
    sent = result(agent, "message/send", {**ASKED, "metadata": {"model": "auto"}})
    request_id = sent["metadata"]["request_id"]

    story = agent.gateway.call("GET", f"/api/explain/{request_id}", key=agent.key).json()

    [step] = sent["metadata"]["resilience_trace"]
    candidates = [one for one in story["candidates"] if one["kept"]]
    assert story["request"]["door"] == "a2a"
    assert story["request"]["served_by"] == f"{step['provider']}/{step['model']}"
    assert story["request"]["cost_usd_nanos"] / 1e9 == pytest.approx(
        sent["metadata"]["cost_envelope"]["actual"]
    )
    assert len({one["score"] for one in candidates}) > 1


def test_the_card_has_what_0_3_requires(agent: Agent) -> None:
    """DEFECT of the ancestor: its card lacked these fields, and one of the two paths."""
    cards = [
        agent.gateway.call("GET", f"/.well-known/{name}.json").json()
        for name in ("agent", "agent-card")
    ]

    assert cards[0] == cards[1]
    assert cards[0]["url"] == f"{agent.gateway.url}/a2a"
    assert cards[0].keys() >= {
        "protocolVersion",
        "preferredTransport",
        "defaultInputModes",
        "defaultOutputModes",
    }
    assert ("securitySchemes" in cards[0]) == (agent.key is not None)


def test_every_skill_on_the_card_works(agent: Agent) -> None:
    """DEFECT of the ancestor: two of the four skills that its card named were not there."""
    card = agent.gateway.call("GET", "/.well-known/agent.json").json()
    asked = [{"role": "user", "content": "which providers have the most quota left?"}]

    states = {
        skill["id"]: result(agent, "message/send", {"skill": skill["id"], "messages": asked})[
            "task"
        ]["state"]
        for skill in card["skills"]
    }

    assert states
    assert set(states.values()) == {"completed"}
