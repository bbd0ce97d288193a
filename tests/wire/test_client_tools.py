"""Calls of a model that knows functions alone, given back to a Responses client as its own tools.

What Codex sends: namespaces of functions, custom tools with a grammar, tools that OpenAI defines
and the client runs (clients.md, 3.3).
"""

import json
from typing import Any

import pytest

from omniroute.routing.conversation import Delta, ToolCallDelta
from omniroute.routing.wire.codec import Head
from omniroute.routing.wire.table import codec

from .answers import events, folded, streamed

PATCH = "*** Begin Patch\n*** End Patch"
GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}
FUNCTION = {"type": "function", "name": "exec", "parameters": {"type": "object"}}
ASKED = {
    "model": "m",
    "input": [
        {
            "type": "additional_tools",
            "role": "developer",
            "tools": [{"type": "namespace", "name": "shell", "tools": [FUNCTION]}],
        }
    ],
    "tools": [
        FUNCTION,
        {"type": "custom", "name": "apply_patch", "format": GRAMMAR},
        {"type": "local_shell"},
    ],
    "instructions": "be brief",
    "temperature": 0.5,
    "metadata": {"kept": "yes"},
}
HEAD = Head("resp_1", "m", 1_790_000_000, asked=json.dumps(ASKED).encode())


def _call(name: str, *pieces: str) -> list[Delta]:
    begun = Delta(tool_call=ToolCallDelta(0, "call_1", name))
    rest = [Delta(tool_call=ToolCallDelta(0, arguments=piece)) for piece in pieces]
    return [begun, *rest, Delta(finish="tool_calls", ended=True)]


def _item(deltas: list[Delta]) -> Any:
    """Give the one item of an answer, which is the same streamed and whole."""
    whole = json.loads(codec("openai_responses").render_answer(deltas, HEAD))
    stream = streamed("openai_responses", deltas, HEAD)
    assert events(stream)[-1][1]["response"] == whole
    (item,) = whole["output"]
    return {name: value for name, value in item.items() if name not in ("id", "status")}


def test_a_function_of_a_namespace_is_called_with_its_namespace() -> None:
    item = _item(_call("shell__exec", '{"cmd":', '"ls"}'))

    assert item == {
        "type": "function_call",
        "call_id": "call_1",
        "name": "exec",
        "namespace": "shell",
        "arguments": '{"cmd":"ls"}',
    }


def test_a_function_of_the_same_name_outside_stays_outside() -> None:
    item = _item(_call("exec", "{}"))

    assert (item["name"], "namespace" in item) == ("exec", False)


def test_a_custom_tool_is_called_with_its_text() -> None:
    arguments = json.dumps({"input": PATCH})
    deltas = _call("apply_patch", arguments[:20], arguments[20:])

    steps = [step for name, step in events(streamed("openai_responses", deltas, HEAD))]

    assert _item(deltas) == {
        "type": "custom_tool_call",
        "call_id": "call_1",
        "name": "apply_patch",
        "input": PATCH,
    }
    told = [step["delta"] for step in steps if step["type"].endswith("_input.delta")]
    assert "".join(told) == PATCH
    assert not [step for step in steps if "function_call_arguments" in step["type"]]


def test_a_tool_that_the_client_runs_is_called_as_it_knows_it() -> None:
    item = _item(_call("local_shell", '{"command":["ls"]}'))

    assert item["type"] == "local_shell_call"
    assert item["action"]["command"] == ["ls"]


def test_a_custom_call_of_a_chat_provider_stays_one() -> None:
    call = {"id": "call_1", "type": "custom", "custom": {"name": "apply_patch", "input": PATCH}}
    body = {"choices": [{"message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}

    item = _item(list(codec("openai_chat").parse_answer(json.dumps(body).encode())))

    assert (item["type"], item["input"]) == ("custom_tool_call", PATCH)


def test_a_response_repeats_its_request() -> None:
    deltas = [Delta(text="x"), Delta(finish="stop", ended=True)]

    steps = events(streamed("openai_responses", deltas, HEAD))

    for name, step in (steps[0], steps[-1]):
        response = step["response"]
        assert response["tools"] == ASKED["tools"], name
        assert (response["instructions"], response["temperature"]) == ("be brief", 0.5)
        assert response["metadata"] == {"kept": "yes"}
        assert response["parallel_tool_calls"] is True


@pytest.mark.parametrize("dialect", ["anthropic", "gemini"])
def test_where_tools_take_objects_a_free_text_is_one(dialect: Any) -> None:
    deltas = [
        Delta(tool_call=ToolCallDelta(0, "call_1", "apply_patch", PATCH, kind="custom")),
        Delta(finish="tool_calls", ended=True),
    ]

    whole = folded(dialect, streamed(dialect, deltas))

    assert json.dumps({"input": PATCH}) in json.dumps(whole)
