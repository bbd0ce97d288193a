"""Requests from one dialect to another and back."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from omniroute.routing.conversation import (
    Chat,
    Image,
    Message,
    Part,
    Reasoning,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from omniroute.routing.errors import BadRequest
from omniroute.routing.model import Dialect
from omniroute.routing.wire.anthropic.render import MAX_TOKENS_DEFAULT
from omniroute.routing.wire.table import codec

from .answers import DIALECTS, golden

CALLS = (ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", "{}"))
SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}}


def _rendered(dialect: Dialect, chat: Chat, model: str = "m") -> Any:
    return json.loads(codec(dialect).render_request(chat, model=model).body)


def _translated(source: Dialect, target: Dialect, body: dict[str, Any]) -> Any:
    return _rendered(target, codec(source).parse_request(json.dumps(body).encode()))


def _openai(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": list(messages), **fields}


HELLO = {"role": "user", "content": "hello"}


def test_openai_chat_to_anthropic() -> None:
    chat = codec("openai_chat").parse_request(golden("openai_chat", "tools.request"))

    assert _rendered("anthropic", chat, "claude") == {
        "model": "claude",
        "max_tokens": MAX_TOKENS_DEFAULT,
        "system": [{"type": "text", "text": "Use the tools."}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Weather in Oslo and Rome?"}]},
            {
                "role": "assistant",
                "content": [
                    {
                        "type": "tool_use",
                        "id": "call_oslo",
                        "name": "get_weather",
                        "input": {"city": "Oslo"},
                    },
                    {
                        "type": "tool_use",
                        "id": "call_rome",
                        "name": "get_weather",
                        "input": {"city": "Rome"},
                    },
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "call_oslo",
                        "content": [{"type": "text", "text": "4 degrees"}],
                    },
                    {
                        "type": "tool_result",
                        "tool_use_id": "call_rome",
                        "content": [{"type": "text", "text": "19 degrees"}],
                    },
                    {"type": "text", "text": "Which is warmer?"},
                ],
            },
        ],
        "tools": [
            {
                "name": "get_weather",
                "description": "Current weather of a city",
                "input_schema": {
                    "type": "object",
                    "properties": {"city": {"type": "string"}},
                    "required": ["city"],
                    "additionalProperties": False,
                },
            }
        ],
        "tool_choice": {
            "type": "tool",
            "name": "get_weather",
            "disable_parallel_tool_use": True,
        },
    }


def test_anthropic_to_openai_chat() -> None:
    chat = codec("anthropic").parse_request(golden("anthropic", "tools.request"))

    body = _rendered("openai_chat", chat, "deepseek-chat")

    assert [message["role"] for message in body["messages"]] == [
        "user",
        "assistant",
        "tool",
        "tool",
        "user",
    ]
    assert body["messages"][1] == {
        "role": "assistant",
        "content": "I will look.",
        "reasoning_content": "Two cities, two calls.",
        "tool_calls": [
            {
                "id": "toolu_oslo",
                "type": "function",
                "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'},
            },
            {
                "id": "toolu_rome",
                "type": "function",
                "function": {"name": "get_weather", "arguments": '{"city":"Rome"}'},
            },
        ],
    }
    assert body["messages"][3] == {
        "role": "tool",
        "tool_call_id": "toolu_rome",
        "content": "no such city",
    }
    assert body["tool_choice"] == "required"
    assert body["parallel_tool_calls"] is False
    assert body["max_tokens"] == 1024


@pytest.mark.parametrize("there", DIALECTS)
def test_a_conversation_comes_back_from_every_dialect(there: Dialect) -> None:
    chat = Chat(
        messages=(
            Message("system", (Text("Be short."),)),
            Message("user", (Text("Look."), Image(media_type="image/png", data="iVBORw0KGgo="))),
            Message("assistant", (Text("I look."), *CALLS)),
            Message("user", (ToolResult("a", (Text("one"),)), ToolResult("b", (Text("two"),)))),
            Message("assistant", (Text("Done."),)),
            Message("user", (Text("Thanks."),)),
        ),
        tools=(Tool("f", "does f", SCHEMA), Tool("g", "does g", SCHEMA)),
        tool_choice=ToolChoice("required"),
        output_tokens_max=100,
        temperature=0.5,
        top_p=0.5,
    )

    back = codec(there).parse_request(codec(there).render_request(chat, model="m").body)

    assert _rendered("openai_chat", back) == _rendered("openai_chat", chat)
    assert _rendered("anthropic", back) == _rendered("anthropic", chat)


@pytest.mark.parametrize(
    ("dialect", "case"),
    [
        ("openai_chat", "text.request"),
        ("openai_chat", "tools.request"),
        ("openai_chat", "image.request"),
        ("anthropic", "text.request"),
        ("anthropic", "tools.request"),
        ("anthropic", "image.request"),
        ("openai_responses", "tools.request"),
        ("gemini", "tools.request"),
    ],
)
def test_a_dialect_gets_its_own_fields_back(dialect: Dialect, case: str) -> None:
    theirs = codec(dialect)
    chat = theirs.parse_request(golden(dialect, case))

    again = theirs.parse_request(theirs.render_request(chat, model="m").body)

    # Which turn holds a result is the one thing that the normal form changes.
    assert structs.replace(again, messages=()) == structs.replace(chat, messages=())


def test_other_dialects_do_not_get_fields_that_are_not_theirs() -> None:
    chat = codec("anthropic").parse_request(golden("anthropic", "text.request"))

    assert _rendered("openai_chat", chat) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Answer in one word."},
            {"role": "user", "content": "Which city is the capital of Norway?"},
        ],
        "max_tokens": 1024,
        "temperature": 0.2,
        "top_p": 0.9,
        "stop": ["\n\nHuman:"],
        "stream": True,
        "user": "someone",
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize(
    ("openai", "anthropic"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ({"type": "function", "function": {"name": "f"}}, {"type": "tool", "name": "f"}),
    ],
)
def test_tool_choice_both_ways(openai: Any, anthropic: Any) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}]
    asked = _openai(HELLO, tools=tools, tool_choice=openai)

    there = _translated("openai_chat", "anthropic", asked)
    back = _translated("anthropic", "openai_chat", there)

    assert there["tool_choice"] == anthropic
    assert back["tool_choice"] == openai


@pytest.mark.parametrize("parallel", [True, False])
def test_parallel_calls_both_ways(*, parallel: bool) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}]
    asked = _openai(HELLO, tools=tools, parallel_tool_calls=parallel)

    there = _translated("openai_chat", "anthropic", asked)
    back = _translated("anthropic", "openai_chat", there)

    assert there["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": not parallel}
    assert back["parallel_tool_calls"] is parallel


def test_a_choice_among_some_tools_leaves_only_those() -> None:
    tools = [{"type": "function", "function": {"name": name}} for name in "fgh"]
    allowed = [{"type": "function", "function": {"name": name}} for name in "fh"]
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": allowed}}

    there = _translated("openai_chat", "anthropic", _openai(HELLO, tools=tools, tool_choice=choice))

    assert [tool["name"] for tool in there["tools"]] == ["f", "h"]
    assert there["tool_choice"] == {"type": "any"}


def test_a_choice_without_tools_is_left_out() -> None:
    there = _translated("openai_chat", "anthropic", _openai(HELLO, tool_choice="auto", tools=[]))

    assert "tool_choice" not in there
    assert "tools" not in there


def test_results_stand_right_after_their_calls() -> None:
    chat = Chat(
        messages=(
            Message("user", (Text("go"),)),
            Message("assistant", CALLS),
            Message("tool", (ToolResult("b", (Text("two"),)),)),
            Message("user", (Text("still there?"),)),
            Message("tool", (ToolResult("a", (Text("one"),)),)),
        )
    )

    anthropic = _rendered("anthropic", chat)["messages"]
    openai = _rendered("openai_chat", chat)["messages"]

    assert [message["role"] for message in anthropic] == ["user", "assistant", "user"]
    assert [block.get("tool_use_id") for block in anthropic[2]["content"]] == ["a", "b", None]
    assert [message["role"] for message in openai] == [
        "user",
        "assistant",
        "tool",
        "tool",
        "user",
    ]
    assert [message.get("tool_call_id") for message in openai[2:4]] == ["a", "b"]


def test_ids_that_come_again_in_a_later_turn_keep_their_own_results() -> None:
    turns = [
        (Message("assistant", (CALLS[0],)), Message("tool", (ToolResult("a", (Text(text),)),)))
        for text in ("first", "second")
    ]
    chat = Chat(messages=tuple(message for turn in turns for message in turn))

    messages = _rendered("openai_chat", chat)["messages"]

    assert [message["content"] for message in messages] == [None, "first", None, "second"]


def test_no_result_is_invented_for_a_call() -> None:
    chat = Chat(messages=(Message("assistant", CALLS), Message("user", (Text("never mind"),))))

    messages = _rendered("anthropic", chat)["messages"]

    assert [block["type"] for block in messages[1]["content"]] == ["text"]


def test_an_id_that_anthropic_refuses_is_changed_alike_in_call_and_result() -> None:
    chat = Chat(
        messages=(
            Message("assistant", (ToolCall("functions.f:0", "f", "{}"),)),
            Message("tool", (ToolResult("functions.f:0", (Text("one"),)),)),
        )
    )

    call, result = _rendered("anthropic", chat)["messages"]

    assert call["content"][0]["id"] == result["content"][0]["tool_use_id"]
    assert call["content"][0]["id"].replace("_", "").isalnum()


def test_neighbours_of_one_side_are_one_turn_for_anthropic() -> None:
    messages = [
        HELLO,
        {"role": "assistant", "content": ""},
        HELLO,
        {"role": "system", "content": "x"},
    ]

    there = _translated("openai_chat", "anthropic", _openai(*messages))

    assert there["system"] == [{"type": "text", "text": "x"}]
    assert there["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "hello"}] * 2}
    ]


@pytest.mark.parametrize("dialect", ["anthropic", "gemini"])
def test_a_chat_of_nothing_but_instructions_is_the_users(dialect: Dialect) -> None:
    chat = Chat(messages=(Message("system", (Text("Say hello."),)),))

    body = _rendered(dialect, chat)

    turns = body.get("messages") or body["contents"]
    assert [turn["role"] for turn in turns] == ["user"]
    assert "system" not in body


def test_images_both_ways() -> None:
    chat = codec("openai_chat").parse_request(golden("openai_chat", "image.request"))

    there = _rendered("anthropic", chat)
    back = _translated("anthropic", "openai_chat", there)

    assert there["messages"][0]["content"][1:] == [
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
        },
        {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.jpg"}},
    ]
    assert [part["image_url"]["url"] for part in back["messages"][0]["content"][1:]] == [
        "data:image/png;base64,iVBORw0KGgo=",
        "https://example.com/cat.jpg",
    ]
    assert there["output_config"]["format"]["type"] == "json_schema"
    assert back["response_format"]["json_schema"]["schema"]["required"] == ["names"]


def test_an_image_in_a_result_reaches_a_model_that_takes_only_text_there() -> None:
    picture = Image(media_type="image/png", data="iVBORw0KGgo=")
    chat = Chat(
        messages=(
            Message("assistant", CALLS),
            Message("tool", (ToolResult("a", (Text("see"), picture)), ToolResult("b", ()))),
        )
    )

    messages = _rendered("openai_chat", chat)["messages"]

    assert [message["role"] for message in messages] == ["assistant", "tool", "tool", "user"]
    assert messages[3]["content"][1]["type"] == "image_url"


def test_only_anthropics_own_signatures_go_to_anthropic() -> None:
    thoughts: tuple[Part, ...] = (
        Reasoning("unsigned"),
        Reasoning("theirs", signature="gemini#c2ln"),
        Reasoning(encrypted="openai_responses#gAAA"),
        Reasoning("own", signature="c2ln"),
        Reasoning(encrypted="cmVk"),
        Text("said"),
    )

    message = _rendered("anthropic", Chat(messages=(Message("assistant", thoughts),)))

    assert message["messages"][0]["content"] == [
        {"type": "thinking", "thinking": "own", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "cmVk"},
        {"type": "text", "text": "said"},
    ]


def test_a_gemini_signature_comes_back_to_gemini_through_an_anthropic_client() -> None:
    whole = codec("gemini").parse_answer(golden("gemini", "tools.response"))
    signature = next(delta for delta in whole if delta.reasoning_signature).reasoning_signature
    history = {
        "model": "m",
        "messages": [
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "", "signature": signature},
                    {"type": "tool_use", "id": "a", "name": "get_weather", "input": {}},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]},
        ],
    }

    body = _translated("anthropic", "gemini", history)

    assert body["contents"][0]["parts"] == [
        {
            "functionCall": {"id": "a", "name": "get_weather", "args": {}},
            "thoughtSignature": "CiQBjz1rX-fake",
        }
    ]


def test_cache_markers_come_from_either_dialect() -> None:
    marker = {"type": "ephemeral"}
    parts = [{"type": "text", "text": "hello", "cache_control": marker}]

    there = _translated("openai_chat", "anthropic", _openai({"role": "user", "content": parts}))

    assert there["messages"][0]["content"][0]["cache_control"] == marker


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"tools": [{"type": "code", "code": {"name": "x"}}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
    ],
)
def test_what_anthropic_cannot_say_is_refused_by_name(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequest, match="cannot be expressed in the anthropic dialect") as refused:
        _translated("openai_chat", "anthropic", _openai(HELLO, **fields))

    assert refused.value.field == field
    assert _translated("openai_chat", "openai_chat", _openai(HELLO, **fields))


def test_what_is_neutral_is_not_refused() -> None:
    asked = _openai(HELLO, n=1, logprobs=False, modalities=["text"], seed=3, logit_bias={})

    assert _translated("openai_chat", "anthropic", asked)["messages"]


def test_a_part_without_a_value_is_refused_elsewhere_and_kept_at_home() -> None:
    file = {"type": "file", "file": {"file_id": "file-1"}}
    asked = _openai({"role": "user", "content": [file]})

    assert _translated("openai_chat", "openai_chat", asked)["messages"][0]["content"] == [file]
    with pytest.raises(BadRequest, match="'file'"):
        _translated("openai_chat", "gemini", asked)


def test_a_text_document_and_a_tool_reference_go_elsewhere_as_text() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "the text"}
    blocks = [
        {"type": "document", "source": source},
        {"type": "tool_reference", "tool_name": "ExitWorktree"},
    ]
    asked = {"model": "m", "messages": [{"role": "user", "content": blocks}]}

    there = _translated("anthropic", "openai_chat", asked)
    home = _translated("anthropic", "anthropic", asked)

    assert [part["text"] for part in there["messages"][0]["content"]] == [
        "the text",
        "tool ExitWorktree",
    ]
    assert home["messages"][0]["content"] == blocks


def test_bounds_of_sampling_fit_anthropic() -> None:
    there = _translated("openai_chat", "anthropic", _openai(HELLO, temperature=1.7, top_p=1))

    assert there["temperature"] == 1.0
    assert "top_p" not in there


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4o", "max_tokens"),
        ("llama-3.3-70b", "max_tokens"),
        ("o3-mini", "max_completion_tokens"),
        ("gpt-5", "max_completion_tokens"),
        ("openai/gpt-5.5", "max_completion_tokens"),
    ],
)
def test_the_bound_has_the_name_that_the_model_takes(model: str, name: str) -> None:
    body = _rendered("openai_chat", Chat(messages=(), output_tokens_max=5), model)

    assert body[name] == 5


@pytest.mark.parametrize("arguments", ["", " ", "null", "{}"])
def test_no_arguments_are_an_empty_object(arguments: str) -> None:
    chat = Chat(messages=(Message("assistant", (ToolCall("a", "f", arguments),)),))

    assert _rendered("anthropic", chat)["messages"][0]["content"][0]["input"] == {}


@pytest.mark.parametrize("arguments", ['{"x": ', "[1]", "3", "not json"])
def test_invalid_arguments_are_wrapped_and_not_repaired(arguments: str) -> None:
    chat = Chat(messages=(Message("assistant", (ToolCall("a", "f", arguments),)),))

    block = _rendered("anthropic", chat)["messages"][0]["content"][0]

    assert block["input"] == {"INVALID_JSON": arguments}


@pytest.mark.parametrize(
    ("dialect", "stream", "path"),
    [
        ("openai_chat", True, "/chat/completions"),
        ("openai_responses", True, "/responses"),
        ("anthropic", False, "/messages"),
        ("gemini", False, "/models/gemini-2.5-flash:generateContent"),
        ("gemini", True, "/models/gemini-2.5-flash:streamGenerateContent?alt=sse"),
    ],
)
def test_paths(dialect: Dialect, *, stream: bool, path: str) -> None:
    assert codec(dialect).path(model="gemini-2.5-flash", stream=stream) == path


def test_a_models_name_cannot_leave_its_place_in_the_path() -> None:
    path = codec("gemini").path(model="../x?y#z", stream=False)

    assert path == "/models/..%2Fx%3Fy%23z:generateContent"


_texts = st.builds(Text, st.text(max_size=5))
_parts = st.one_of(
    _texts,
    st.builds(Image, url=st.just("https://example.com/a.png")),
    st.builds(Reasoning, st.text(max_size=5), st.none() | st.text(max_size=5)),
    st.builds(ToolCall, st.sampled_from("abc"), st.just("f"), st.text(max_size=5)),
    st.builds(ToolResult, st.sampled_from("abc"), st.lists(_texts, max_size=2).map(tuple)),
)
_messages = st.builds(
    Message,
    st.sampled_from(["system", "developer", "user", "assistant", "tool"]),
    st.lists(_parts, max_size=4).map(tuple),
)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(messages=st.lists(_messages, max_size=6))
def test_any_conversation_is_rendered_as_one_that_can_be_read(
    dialect: Dialect, messages: list[Message]
) -> None:
    theirs = codec(dialect)

    body = theirs.render_request(Chat(messages=tuple(messages)), model="m").body

    with suppress(BadRequest):  # a call or a result where a role cannot have one
        theirs.parse_request(body)
    assert json.loads(body)
