"""Tools that are no plain functions, on their way to models that know nothing else and back.

Codex's requests are as Codex 0.169 sends them: no `instructions`, tools of several kinds in
`tools` or among the input, calls with a namespace in the history.
"""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.conversation import Delta, Tool, ToolCallDelta
from omniroute.routing.errors import BadRequest
from omniroute.routing.model import Dialect
from omniroute.routing.wire.codec import Head
from omniroute.routing.wire.openai_responses.tools import asked_tools, call_item
from omniroute.routing.wire.plain import (
    NAME_CHARS_MAX,
    by_flat_name,
    flat_name,
    flat_names,
    free_text,
    wrapped,
)
from omniroute.routing.wire.table import codec

from .answers import events, golden, streamed

OTHERS: tuple[Dialect, ...] = ("openai_chat", "anthropic", "gemini")
PATCH = "*** Begin Patch\n*** End Patch"


def _translated(target: Dialect, body: dict[str, Any] | bytes) -> Any:
    asked = body if isinstance(body, bytes) else json.dumps(body).encode()
    chat = codec("openai_responses").parse_request(asked)
    return json.loads(codec(target).render_request(chat, model="m").body)


def _dropped(target: Dialect, body: dict[str, Any]) -> tuple[str, ...]:
    chat = codec("openai_responses").parse_request(json.dumps(body).encode())
    return codec(target).render_request(chat, model="m").dropped


def _asking(*items: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": "m", "input": [{"role": "user", "content": "go"}, *items], **fields}


def _function(name: str, **fields: Any) -> dict[str, Any]:
    return {"type": "function", "name": name, "parameters": {"type": "object"}, **fields}


def _names(dialect: Dialect, body: Any) -> list[str]:
    if dialect == "gemini":
        return [one["name"] for tool in body["tools"] for one in tool["functionDeclarations"]]
    if dialect == "anthropic":
        return [tool["name"] for tool in body["tools"]]
    return [tool["function"]["name"] for tool in body["tools"]]


@pytest.mark.parametrize("target", OTHERS)
@pytest.mark.parametrize("case", ["codex.request", "codex_namespaces.request"])
def test_codexs_tools_are_functions_for_models_of_other_dialects(
    target: Dialect, case: str
) -> None:
    body = _translated(target, golden("openai_responses", case))

    names = _names(target, body)
    assert "functions__exec_command" in names or "exec_command" in names
    assert "functions__apply_patch" in names or "apply_patch" in names
    assert "mcp__omni__get_health" in names
    assert len(set(names)) == len(names)


def test_codexs_turns_are_read_for_a_chat_completion() -> None:
    body = _translated("openai_chat", golden("openai_responses", "codex_namespaces.request"))

    assert [message["role"] for message in body["messages"]] == [
        "developer",
        "user",
        "assistant",
        "tool",
        "tool",
        "user",
    ]
    calls = body["messages"][2]["tool_calls"]
    assert [call["function"] for call in calls] == [
        {"name": "functions__exec_command", "arguments": '{"cmd":"ls"}'},
        {
            "name": "functions__apply_patch",
            "arguments": json.dumps({"input": PATCH}, separators=(",", ":")),
        },
    ]
    assert [call["id"] for call in calls] == ["call_ls", "call_patch"]
    assert body["messages"][3]["content"] == "README.md"
    assert body["messages"][4]["content"] == "Done!"


def test_a_grammar_is_told_to_a_model_that_cannot_be_bound_to_it() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: begin_patch"}
    tool = {"type": "custom", "name": "apply_patch", "description": "Edits.", "format": grammar}

    function = _translated("openai_chat", _asking(tools=[tool]))["tools"][0]["function"]

    assert function["description"].startswith("Edits.")
    assert "lark" in function["description"]
    assert "start: begin_patch" in function["description"]
    assert function["parameters"]["required"] == ["input"]
    assert function["parameters"]["properties"]["input"]["type"] == "string"


def test_what_a_namespace_is_for_is_said_once() -> None:
    tools = [_function("a", description="One."), _function("b", description="Two.")]
    group = {"type": "namespace", "name": "crm", "description": "About customers.", "tools": tools}

    functions = _translated("openai_chat", _asking(tools=[group]))["tools"]

    assert "About customers." in functions[0]["function"]["description"]
    assert functions[1]["function"]["description"] == "Two."


def test_a_namespace_and_a_custom_tool_come_back_as_they_were() -> None:
    """A provider of the same dialect whose body is written anew."""
    grammar = {"type": "grammar", "syntax": "regex", "definition": "a+"}
    custom = {"type": "custom", "name": "say", "description": "Says.", "format": grammar}
    inside = _function("look", description="Looks.", strict=True)
    group = {"type": "namespace", "name": "eyes", "description": "To see.", "tools": [inside]}
    calls = [
        {
            "type": "function_call",
            "call_id": "1",
            "name": "look",
            "namespace": "eyes",
            "arguments": "{}",
        },
        {"type": "function_call_output", "call_id": "1", "output": "seen"},
        {"type": "custom_tool_call", "call_id": "2", "name": "say", "input": "aa"},
        {"type": "custom_tool_call_output", "call_id": "2", "output": "said"},
    ]

    body = _translated("openai_responses", _asking(*calls, tools=[custom, group]))

    assert body["tools"] == [custom, group]
    assert body["input"][1:] == calls


def test_names_of_a_namespace_are_unique_and_short() -> None:
    long = "n" * 60
    tools = [
        _function("a__b"),
        {"type": "namespace", "name": "a", "tools": [_function("b"), _function(long)]},
        {"type": "namespace", "name": "a__", "tools": [_function("b")]},
        {"type": "namespace", "name": "weird name!", "tools": [_function("b")]},
    ]

    body = _asking(tools=tools)
    names = _names("openai_chat", _translated("openai_chat", body))

    assert names[0] == "a__b"
    assert len(set(names)) == 5
    assert all(len(name) <= NAME_CHARS_MAX for name in names)
    assert all(name.replace("_", "").isalnum() for name in names)
    assert names == _names("openai_chat", _translated("openai_chat", body))


_named = st.text("ab_", min_size=1, max_size=3) | st.text(min_size=1, max_size=70)


@given(
    st.lists(
        st.tuples(st.none() | _named, st.text("ab_", min_size=1, max_size=4)),
        max_size=8,
        unique=True,
    )
)
def test_every_tool_is_found_again_by_the_name_of_its_function(
    keys: list[tuple[str | None, str]],
) -> None:
    tools = [Tool(name, namespace=namespace) for namespace, name in keys]

    names = flat_names(tools)

    found = by_flat_name(tools)
    assert [found[names[tool.namespace, tool.name]] for tool in tools] == tools
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in names.values())


def test_a_called_function_is_found_among_the_clients_tools() -> None:
    asked = golden("openai_responses", "codex_namespaces.request")

    tools = asked_tools(asked)

    exec_command = call_item(
        tools.get("functions__exec_command"),
        name="functions__exec_command",
        call_id="c1",
        arguments='{"cmd":"ls"}',
    )
    patch = call_item(
        tools.get("functions__apply_patch"),
        name="functions__apply_patch",
        call_id="c2",
        arguments=wrapped(PATCH),
    )
    assert exec_command == {
        "type": "function_call",
        "call_id": "c1",
        "name": "exec_command",
        "namespace": "functions",
        "arguments": '{"cmd":"ls"}',
    }
    assert patch == {
        "type": "custom_tool_call",
        "call_id": "c2",
        "name": "apply_patch",
        "namespace": "functions",
        "input": PATCH,
    }


def test_a_model_that_forgets_the_group_is_understood() -> None:
    tools = asked_tools(golden("openai_responses", "codex_namespaces.request"))

    item = call_item(tools.get("exec_command"), name="exec_command", call_id="c", arguments="{}")

    assert (item["name"], item["namespace"]) == ("exec_command", "functions")


def test_a_function_that_nobody_offered_stays_what_it_was() -> None:
    item = call_item(asked_tools(b"{}").get("f"), name="f", call_id="c", arguments='{"x":1}')

    assert item == {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"x":1}'}


@pytest.mark.parametrize("body", [b"", b"[]", b'{"input":3,"tools":[{}]}', b'{"input":[3]}'])
def test_a_body_that_cannot_be_read_has_no_tools(body: bytes) -> None:
    assert asked_tools(body) == {}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [('{"input":"a\\nb"}', "a\nb"), ('"a"', "a"), ("plain", "plain"), ('{"x":1}', '{"x":1}')],
)
def test_a_custom_tools_text_is_taken_out_of_its_arguments(arguments: str, text: str) -> None:
    assert free_text(arguments) == text


@pytest.mark.parametrize("target", OTHERS)
def test_tools_that_a_search_has_found_can_be_called(target: Dialect) -> None:
    found = {"type": "namespace", "name": "mcp__crm", "tools": [_function("list_orders")]}
    search = {"type": "tool_search", "execution": "client", "description": "Finds tools."}
    history: list[dict[str, Any]] = [
        {
            "type": "tool_search_call",
            "call_id": "s1",
            "execution": "client",
            "arguments": {"query": "orders"},
        },
        {"type": "tool_search_output", "call_id": "s1", "execution": "client", "tools": [found]},
    ]

    body = _translated(target, _asking(*history, tools=[search]))

    assert _names(target, body) == ["tool_search", "mcp__crm__list_orders"]
    assert "orders" in json.dumps(body)
    assert "Found: mcp__crm__list_orders." in json.dumps(body)


CLIENT_CALLS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    (
        {"type": "tool_search", "execution": "client"},
        {"type": "tool_search_call", "execution": "client", "arguments": {"query": "x"}},
        {"type": "tool_search_output", "execution": "client", "tools": []},
    ),
    (
        {"type": "local_shell"},
        {
            "type": "local_shell_call",
            "action": {"type": "exec", "env": {}, "command": ["ls", "-l"]},
        },
        {"type": "local_shell_call_output", "output": "README.md"},
    ),
    (
        {"type": "shell", "environment": {"type": "local"}},
        {"type": "shell_call", "action": {"commands": ["ls"], "timeout_ms": 100}},
        {"type": "shell_call_output", "output": [{"stdout": "README.md", "stderr": ""}]},
    ),
    (
        {"type": "apply_patch"},
        {"type": "apply_patch_call", "operation": {"type": "delete_file", "path": "a"}},
        {"type": "apply_patch_call_output", "status": "completed", "output": "gone"},
    ),
]


@pytest.mark.parametrize(("tool", "call", "output"), CLIENT_CALLS)
def test_a_tool_that_the_client_runs_is_a_function_elsewhere_and_itself_at_home(
    tool: dict[str, Any], call: dict[str, Any], output: dict[str, Any]
) -> None:
    call, output = {**call, "call_id": "c1"}, {**output, "call_id": "c1"}
    asked = _asking(call, output, tools=[tool])

    chat = _translated("openai_chat", asked)
    home = _translated("openai_responses", asked)
    called = chat["messages"][1]["tool_calls"][0]
    back = call_item(
        asked_tools(json.dumps(asked).encode()).get(tool["type"]),
        name=called["function"]["name"],
        call_id=called["id"],
        arguments=called["function"]["arguments"],
    )

    assert chat["tools"][0]["function"]["name"] == tool["type"]
    assert chat["messages"][2]["tool_call_id"] == "c1"
    assert back == call
    assert home["tools"] == [tool]
    assert home["input"][1:] == [call, output]


@pytest.mark.parametrize("target", OTHERS)
@pytest.mark.parametrize("kind", ["file_search", "code_interpreter", "image_generation", "mcp"])
def test_a_vendors_own_tool_is_refused_elsewhere(target: Dialect, kind: str) -> None:
    """DEFECT 6.4 done right: refused by name, before anything is sent."""
    with pytest.raises(BadRequest, match=f"'{kind}'") as refused:
        _translated(target, _asking(tools=[_function("f"), {"type": kind}]))

    assert refused.value.field == "tools"


@pytest.mark.parametrize("target", OTHERS)
def test_a_web_search_that_is_one_offer_of_many_is_left_out_and_said(target: Dialect) -> None:
    asked = _asking(tools=[_function("f"), {"type": "web_search", "external_web_access": False}])

    assert _names(target, _translated(target, asked)) == ["f"]
    assert "tools.web_search" in _dropped(target, asked)


@pytest.mark.parametrize("target", OTHERS)
@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "web_search"}]},
        {
            "tools": [_function("f"), {"type": "web_search"}],
            "tool_choice": {"type": "web_search"},
        },
    ],
)
def test_a_request_for_a_web_search_is_refused_elsewhere(
    target: Dialect, fields: dict[str, Any]
) -> None:
    with pytest.raises(BadRequest, match="'web_search'"):
        _translated(target, _asking(**fields))


@pytest.mark.parametrize("target", OTHERS)
def test_a_past_web_search_is_left_out_and_said(target: Dialect) -> None:
    past = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {}}
    asked = _asking(past, {"role": "user", "content": "and?"})

    assert "web_search" not in json.dumps(_translated(target, asked))
    assert "input.web_search_call" in _dropped(target, asked)


@pytest.mark.parametrize("target", OTHERS)
@pytest.mark.parametrize(
    "item",
    [
        {"type": "item_reference", "id": "msg_1"},
        {"id": "msg_1"},
        {"type": "compaction", "encrypted_content": "gAAA"},
        {"type": "compaction_trigger"},
        {"type": "computer_call", "call_id": "c", "id": "cu_1"},
        {"type": "mcp_approval_request", "id": "a", "name": "n"},
    ],
)
def test_an_item_that_only_openai_can_read_is_refused_by_its_type(
    target: Dialect, item: dict[str, Any]
) -> None:
    kind = item.get("type", "item_reference")

    with pytest.raises(BadRequest, match=f"'{kind}' of openai_responses cannot be expressed"):
        _translated(target, _asking(item))

    assert _translated("openai_responses", _asking(item))["input"][1] == item


@pytest.mark.parametrize(
    ("choice", "chat"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "name": "f"}, {"type": "function", "function": {"name": "f"}}),
        ({"type": "custom", "name": "g"}, {"type": "function", "function": {"name": "g"}}),
        ({"type": "function", "name": "h"}, {"type": "function", "function": {"name": "n__h"}}),
    ],
)
def test_a_choice_of_tools_reaches_a_chat_completion(choice: Any, chat: Any) -> None:
    tools = [
        _function("f"),
        {"type": "custom", "name": "g"},
        {"type": "namespace", "name": "n", "tools": [_function("h")]},
    ]
    asked = _asking(tools=tools, tool_choice=choice, parallel_tool_calls=False)

    body = _translated("openai_chat", asked)

    assert body["tool_choice"] == chat
    assert body["parallel_tool_calls"] is False
    if choice != {"type": "function", "name": "h"}:
        assert _translated("openai_responses", asked)["tool_choice"] == choice


def test_allowed_tools_are_those_that_are_left() -> None:
    tools = [
        _function("f"),
        {"type": "custom", "name": "g"},
        {"type": "namespace", "name": "n", "tools": [_function("h")]},
        {"type": "web_search"},
    ]
    allowed = [{"type": "custom", "name": "g"}, {"type": "namespace", "name": "n"}]
    choice = {"type": "allowed_tools", "mode": "required", "tools": allowed}

    body = _translated("openai_chat", _asking(tools=tools, tool_choice=choice))

    assert _names("openai_chat", body) == ["g", "n__h"]
    assert body["tool_choice"] == "required"


def test_allowed_tools_that_nobody_offered_are_a_mistake() -> None:
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "x"}]}

    with pytest.raises(BadRequest) as refused:
        _translated("openai_chat", _asking(tools=[_function("f")], tool_choice=choice))

    assert refused.value.field == "tool_choice.tools"


def test_a_chats_custom_tool_is_a_custom_tool_for_responses_and_a_function_for_others() -> None:
    grammar = {"syntax": "lark", "definition": "start: x"}
    body = {
        "model": "m",
        "messages": [
            {"role": "user", "content": "go"},
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "c1", "type": "custom", "custom": {"name": "say", "input": "hi"}}
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "said"},
        ],
        "tools": [
            {
                "type": "custom",
                "custom": {"name": "say", "format": {"type": "grammar", "grammar": grammar}},
            }
        ],
        "tool_choice": {"type": "custom", "custom": {"name": "say"}},
    }
    chat = codec("openai_chat").parse_request(json.dumps(body).encode())

    home = json.loads(codec("openai_chat").render_request(chat, model="m").body)
    responses = json.loads(codec("openai_responses").render_request(chat, model="m").body)
    anthropic = json.loads(codec("anthropic").render_request(chat, model="m").body)

    assert home["tools"] == body["tools"]
    assert home["tool_choice"] == body["tool_choice"]
    assert home["messages"][1]["tool_calls"] == body["messages"][1]["tool_calls"]  # type: ignore[index]
    assert responses["tools"] == [
        {"type": "custom", "name": "say", "format": {"type": "grammar", **grammar}}
    ]
    assert responses["tool_choice"] == {"type": "custom", "name": "say"}
    assert responses["input"][1]["type"] == "custom_tool_call"
    assert responses["input"][2]["type"] == "custom_tool_call_output"
    assert anthropic["messages"][1]["content"][0]["input"] == {"input": "hi"}


def test_a_namespace_without_a_name_is_a_mistake() -> None:
    group = {"type": "namespace", "name": "", "tools": [_function("f")]}

    with pytest.raises(BadRequest) as refused:
        _translated("openai_chat", _asking(tools=[group]))

    assert refused.value.field == "tools[0].name"


def test_a_flat_name_does_not_double_what_stands_between() -> None:
    assert flat_name("mcp__srv", "tool") == flat_name("mcp__srv__", "tool") == "mcp__srv__tool"


def test_tools_among_the_input_are_seen_by_a_decision() -> None:
    _, features = codec("openai_responses").read_features(
        golden("openai_responses", "codex_namespaces.request")
    )

    assert features.tools


CUSTOM = {"type": "custom", "custom": {"name": "say"}}
FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
OFFERED = Head("a-1", "m", 1_790_000_000, asked=json.dumps({"tools": [CUSTOM, FUNCTION]}).encode())
CALLED = [
    Delta(text="I say it."),
    Delta(tool_call=ToolCallDelta(0, "call_say", "say")),
    Delta(tool_call=ToolCallDelta(0, arguments='{"input":"he')),
    Delta(tool_call=ToolCallDelta(0, arguments='llo"}')),
    Delta(tool_call=ToolCallDelta(1, "call_f", "f", '{"x":1}')),
    Delta(finish="tool_calls", ended=True),
]
ANSWERED = [
    {"id": "call_say", "type": "custom", "custom": {"name": "say", "input": "hello"}},
    {"id": "call_f", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}},
]


def test_a_chats_client_gets_its_custom_tools_call_back_from_a_model_of_functions() -> None:
    whole = json.loads(codec("openai_chat").render_answer(CALLED, OFFERED))
    stream = events(streamed("openai_chat", CALLED, OFFERED))

    assert whole["choices"][0]["message"]["tool_calls"] == ANSWERED
    pieces = [
        call
        for _, chunk in stream[:-1]
        for choice in chunk["choices"]
        for call in choice["delta"].get("tool_calls", ())
        if call["index"] == 0
    ]
    assert pieces[0]["custom"]["name"] == "say"
    assert "".join(piece["custom"]["input"] for piece in pieces) == "hello"
    assert stream[-2][1]["choices"][0]["finish_reason"] == "tool_calls"


def test_a_custom_call_that_the_stream_cuts_off_is_told_as_far_as_it_came() -> None:
    stream = streamed("openai_chat", CALLED[:3], OFFERED)

    assert b'{\\"input\\":\\"he' in stream
    assert stream.endswith(b"data: [DONE]\n\n")


def test_a_call_and_the_end_in_one_step_are_told_in_order() -> None:
    call = ToolCallDelta(0, "call_say", "say", '{"input":"hello"}')
    step = Delta(text="I say it.", tool_call=call, finish="tool_calls", ended=True)

    whole = json.loads(codec("openai_chat").render_answer([step], OFFERED))

    assert whole["choices"][0]["message"]["tool_calls"] == ANSWERED[:1]
    assert whole["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("asked", [b'"custom"', b'{"tools":"custom"}', b'{"a":"\\"custom\\""}'])
def test_a_body_that_offers_no_custom_tool_changes_no_call(asked: bytes) -> None:
    head = Head("a-1", "m", 1_790_000_000, asked=asked)

    whole = json.loads(codec("openai_chat").render_answer(CALLED, head))

    assert whole["choices"][0]["message"]["tool_calls"][0]["type"] == "function"
