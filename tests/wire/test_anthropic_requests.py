"""What an Anthropic client asks for, read; and what a provider of Anthropic's dialect is asked.

The golden bodies are written after Anthropic's references, read 2026-11; `claude_code` has the
shape of what Claude Code 2.1 sends, seen 2026-11, with other words.
"""

import json
from typing import Any

import pytest
from msgspec import structs

from omniroute.routing.conversation import (
    Audio,
    Chat,
    Document,
    Image,
    Message,
    Reasoning,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from omniroute.routing.errors import BadRequest
from omniroute.routing.wire.anthropic.render import MAX_TOKENS_DEFAULT
from omniroute.routing.wire.codec import Rendered
from omniroute.routing.wire.dropped import spelled
from omniroute.routing.wire.table import codec

from .answers import golden
from .vendor_rules import anthropic_faults, gemini_faults

BUDGETED = "claude-haiku-4-5"
ADAPTIVE = "claude-opus-5"
BOTH = "claude-opus-4-6"
HELLO = Message("user", (Text("hello"),))
TOOL = Tool("f", "does f", {"type": "object", "properties": {}})
SIGNATURE = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pk="
PDF = Document("application/pdf", data="JVBERi0xLjQ=")


def parsed(body: dict[str, Any]) -> Chat:
    whole = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    return codec("anthropic").parse_request(json.dumps({**whole, **body}).encode())


def rendered(chat: Chat, model: str = BOTH) -> tuple[Any, Rendered]:
    written = codec("anthropic").render_request(chat, model=model)
    body = json.loads(written.body)
    assert anthropic_faults(body) == []
    return body, written


def asked(model: str = BOTH, **fields: Any) -> tuple[Any, tuple[str, ...]]:
    body, written = rendered(Chat(messages=(HELLO,), **fields), model)
    return body, spelled(written.dropped, "openai_chat")


@pytest.mark.parametrize("case", ["text", "tools", "image", "claude_code", "documents"])
def test_what_anthropic_sends_comes_back_to_anthropic_as_it_was(case: str) -> None:
    theirs = json.loads(golden("anthropic", f"{case}.request"))
    chat = codec("anthropic").parse_request(golden("anthropic", f"{case}.request"))

    body, written = rendered(chat, theirs["model"] if case != "text" else "m")

    assert _plain(body) == _plain({**theirs, "model": body["model"]})
    assert written.dropped == ()


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    """Give a body with a list of blocks wherever a string may stand for one."""
    messages = [{**one, "content": _listed(one["content"])} for one in body["messages"]]
    for message in messages:
        for block in message["content"]:
            if "content" in block:
                block["content"] = _listed(block["content"])
    return {**body, "messages": messages}


def _listed(content: Any) -> Any:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


@pytest.mark.parametrize("case", ["claude_code", "documents"])
def test_what_gemini_is_asked_for_an_anthropic_client_is_pinned(case: str) -> None:
    chat = codec("anthropic").parse_request(golden("anthropic", f"{case}.request"))

    written = codec("gemini").render_request(chat, model="gemini-3-flash-preview")

    assert json.loads(written.body) == json.loads(golden("gemini", f"from_{case}.request"))
    assert gemini_faults(json.loads(written.body)) == []


def test_what_claude_code_says_to_nobody_but_anthropic_is_named() -> None:
    chat = codec("anthropic").parse_request(golden("anthropic", "claude_code.request"))

    written = codec("gemini").render_request(chat, model="gemini-3-flash-preview")

    assert spelled(written.dropped, "anthropic") == (
        *("context_management", "tools.defer_loading", "messages.content.cache_control"),
        *("messages.content.thinking", "metadata.user_id"),
    )


def test_what_of_a_file_and_a_redacted_thought_gemini_is_not_told_is_named() -> None:
    chat = codec("anthropic").parse_request(golden("anthropic", "documents.request"))

    written = codec("gemini").render_request(chat, model="gemini-2.5-flash")

    said = ("context", "citations", "title", "cache_control", "thinking")
    assert spelled(written.dropped, "anthropic") == tuple(
        f"messages.content.{name}" for name in said
    )


def test_claude_codes_turns_are_read_in_their_order() -> None:
    chat = codec("anthropic").parse_request(golden("anthropic", "claude_code.request"))

    assert [message.role for message in chat.messages] == [
        *("system", "user", "system", "assistant", "user", "system")
    ]
    assert (chat.reasoning_effort, chat.user) == ("high", '{"device_id":"fake"}')


def test_tools_that_are_not_offered_yet_go_to_no_other_provider() -> None:
    chat = codec("anthropic").parse_request(golden("anthropic", "claude_code.request"))

    written = codec("openai_chat").render_request(chat, model="gpt-4o")

    body = json.loads(written.body)
    names = [tool["function"]["name"] for tool in body["tools"]]
    assert names == ["ToolSearch", "Read", "ExitWorktree"]
    assert body["messages"][4]["content"] == "tool ExitWorktree"
    assert "tools.defer_loading" in written.dropped
    assert "context_management" in written.dropped


def test_all_tools_are_offered_where_anthropic_would_search() -> None:
    schema = {"type": "object"}
    tools = [
        {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"},
        {"name": "f", "input_schema": schema, "defer_loading": True},
    ]
    chat = parsed({"tools": tools})

    foreign = json.loads(codec("openai_chat").render_request(chat, model="gpt-4o").body)
    home, _ = rendered(chat)

    assert [tool["function"]["name"] for tool in foreign["tools"]] == ["f"]
    assert home["tools"] == tools


def test_a_tool_that_is_defined_in_mid_conversation_is_offered_everywhere() -> None:
    tool = {"name": "f", "description": "does f", "input_schema": {"type": "object"}}
    added = {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": tool}}
    turns = [{"role": "user", "content": "hi"}, {"role": "system", "content": [added]}]
    chat = parsed({"messages": turns})

    foreign = json.loads(codec("openai_chat").render_request(chat, model="gpt-4o").body)
    home, _ = rendered(chat, ADAPTIVE)

    assert [tool["function"]["name"] for tool in foreign["tools"]] == ["f"]
    assert "tools" not in home
    assert home["messages"][1]["content"] == [added]


def test_a_search_of_anthropics_own_brings_its_tools() -> None:
    reference = {"type": "tool_reference", "tool_name": "f"}
    found = {"type": "tool_search_tool_search_result", "tool_references": [reference]}
    use = {"type": "server_tool_use", "id": "s", "name": "tool_search_tool_bm25", "input": {}}
    result = {"type": "tool_search_tool_result", "tool_use_id": "s", "content": found}
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [use, result]},
        {"role": "user", "content": "go on"},
    ]
    tool = {"name": "f", "input_schema": {"type": "object"}, "defer_loading": True}
    chat = parsed({"messages": turns, "tools": [tool]})

    body = json.loads(codec("openai_chat").render_request(chat, model="gpt-4o").body)

    assert [tool["function"]["name"] for tool in body["tools"]] == ["f"]
    assert "tool f" in json.dumps(body["messages"][1])


def test_a_system_turn_stays_where_the_model_takes_it() -> None:
    turns = [
        {"role": "user", "content": "one"},
        {"role": "system", "content": "In French."},
        {"role": "assistant", "content": "un"},
        {"role": "user", "content": "two"},
    ]
    chat = parsed({"messages": turns, "system": "Count."})

    new, _ = rendered(chat, ADAPTIVE)
    old, _ = rendered(chat, BUDGETED)

    assert [turn["role"] for turn in new["messages"]] == ["user", "system", "assistant", "user"]
    assert [block["text"] for block in new["system"]] == ["Count."]
    assert [turn["role"] for turn in old["messages"]] == ["user", "assistant", "user"]
    assert [block["text"] for block in old["system"]] == ["Count.", "In French."]


def test_a_system_turn_between_turns_of_the_user_goes_to_the_top() -> None:
    turns = (HELLO, Message("developer", (Text("Be kind."),)), HELLO)

    body, _ = rendered(Chat(messages=turns), ADAPTIVE)

    assert [turn["role"] for turn in body["messages"]] == ["user"]
    assert body["system"] == [{"type": "text", "text": "Be kind."}]


def test_defect_6_7_several_system_turns_keep_their_order_and_none_is_lost() -> None:
    said = ("first", "second", "third")
    turns = tuple(Message("system", (Text(text),)) for text in said)

    body, _ = rendered(Chat(messages=(*turns, HELLO)))

    assert [block["text"] for block in body["system"]] == list(said)


def test_a_system_turn_that_was_for_one_turn_is_not_shown_again() -> None:
    note = {"role": "system", "content": "Ten minutes left.", "clear_at": "next_user_message"}
    turns = [
        {"role": "user", "content": "one"},
        note,
        {"role": "assistant", "content": "un"},
        {"role": "user", "content": "two"},
        {**note, "content": "Five minutes left."},
    ]

    chat = parsed({"messages": turns})
    body, _ = rendered(chat, ADAPTIVE)

    assert [message.role for message in chat.messages] == ["user", "assistant", "user", "system"]
    assert body["messages"][3]["clear_at"] == "next_user_message"


def test_the_effort_of_a_turn_counts_for_the_answer_after_it() -> None:
    config = {"effort": "low"}
    turns = [
        {"role": "user", "content": "one"},
        {"role": "system", "output_config": config, "content": "Quick."},
    ]

    chat = parsed({"messages": turns, "output_config": {"effort": "max"}})
    body, _ = rendered(chat, ADAPTIVE)

    assert chat.reasoning_effort == "low"
    assert body["messages"][1]["output_config"] == config
    assert body["output_config"] == {"effort": "max"}


THINKING: list[dict[str, Any]] = [
    {"thinking": {"type": "enabled", "budget_tokens": 2000}},
    {"thinking": {"type": "enabled", "budget_tokens": 2000}, "output_config": {"effort": "low"}},
    {"thinking": {"type": "adaptive"}},
    {"thinking": {"type": "adaptive", "display": "summarized"}},
    {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}},
    {"thinking": {"type": "adaptive", "display": "omitted"}, "output_config": {"effort": "low"}},
    {"thinking": {"type": "adaptive", "display": "updates"}},
    {"thinking": {"type": "adaptive", "block_binding": {}}, "output_config": {"effort": "low"}},
    {"thinking": {"type": "disabled"}},
    {"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}},
    {"thinking": {"type": "between_tools"}, "output_config": {"effort": "low"}},
    {"output_config": {"effort": "medium"}},
    {"output_config": {"effort": "medium", "task_budget": {"type": "tokens", "total": 9}}},
]


@pytest.mark.parametrize("fields", THINKING)
def test_every_way_of_asking_for_thought_comes_back(fields: dict[str, Any]) -> None:
    body, written = rendered(parsed({"max_tokens": 9000, **fields}))

    assert {name: body[name] for name in ("thinking", "output_config") if name in body} == fields
    assert written.dropped == ()


@pytest.mark.parametrize(
    ("fields", "effort", "tokens", "shown"),
    [
        (THINKING[0], None, 2000, None),
        (THINKING[3], None, None, True),
        (THINKING[4], "max", None, None),
        (THINKING[5], "low", None, False),
        (THINKING[8], None, 0, None),
        (THINKING[11], "medium", None, None),
    ],
)
def test_how_much_is_to_be_thought_is_read(
    fields: dict[str, Any], effort: str | None, tokens: int | None, *, shown: bool | None
) -> None:
    chat = parsed(fields)

    assert (chat.reasoning_effort, chat.reasoning_tokens_max) == (effort, tokens)
    assert chat.reasoning_shown is shown


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "config"),
    [
        (BUDGETED, "low", {"type": "enabled", "budget_tokens": 1024}, None),
        (BUDGETED, "medium", {"type": "enabled", "budget_tokens": 8192}, None),
        ("claude-3-7-sonnet-20250219", "xhigh", {"type": "enabled", "budget_tokens": 24576}, None),
        ("claude-opus-4-20250514", "minimal", {"type": "enabled", "budget_tokens": 1024}, None),
        (BOTH, "xhigh", {"type": "adaptive"}, "high"),
        (ADAPTIVE, "minimal", {"type": "adaptive"}, "low"),
        ("anthropic.claude-opus-4-7-v1:0", "xhigh", {"type": "adaptive"}, "xhigh"),
        (ADAPTIVE, "none", {"type": "disabled"}, None),
        ("glm-4.7", "high", {"type": "enabled", "budget_tokens": 24576}, None),
    ],
)
def test_an_effort_is_asked_for_as_the_model_takes_it(
    model: str, effort: str, thinking: dict[str, Any], config: str | None
) -> None:
    body, dropped = asked(model, reasoning_effort=effort)

    assert body["thinking"] == thinking
    assert body.get("output_config", {}).get("effort") == config
    assert body["max_tokens"] == MAX_TOKENS_DEFAULT + thinking.get("budget_tokens", 0)
    assert dropped == ()


@pytest.mark.parametrize(
    ("model", "tokens", "thinking", "config"),
    [
        (BUDGETED, 500, {"type": "enabled", "budget_tokens": 1024}, None),
        (BOTH, 5000, {"type": "enabled", "budget_tokens": 5000}, None),
        (BOTH, 0, {"type": "disabled"}, None),
        (ADAPTIVE, 1024, {"type": "adaptive"}, "low"),
        (ADAPTIVE, 8000, {"type": "adaptive"}, "medium"),
        (ADAPTIVE, 31999, {"type": "adaptive"}, "high"),
    ],
)
def test_a_budget_of_thought_is_asked_for_as_the_model_takes_it(
    model: str, tokens: int, thinking: dict[str, Any], config: str | None
) -> None:
    body, dropped = asked(model, reasoning_tokens_max=tokens)

    assert body["thinking"] == thinking
    assert body.get("output_config", {}).get("effort") == config
    assert dropped == (("reasoning.max_tokens",) if config else ())


@pytest.mark.parametrize("model", ["claude-3-5-sonnet-20241022", "claude-mythos-preview"])
def test_a_model_that_cannot_be_asked_to_think_is_not_and_it_is_said(model: str) -> None:
    body, dropped = asked(model, reasoning_effort="high")

    assert "thinking" not in body
    assert dropped == ("reasoning_effort",)


def test_a_model_that_always_thinks_is_not_asked_to_stop() -> None:
    body, dropped = asked("claude-fable-5", reasoning_effort="none")

    assert "thinking" not in body
    assert dropped == ("reasoning_effort",)


def test_a_thought_leaves_room_for_the_answer() -> None:
    body, _ = asked(BUDGETED, reasoning_effort="high", output_tokens_max=4000)

    assert body["thinking"] == {"type": "enabled", "budget_tokens": 4000 - 256}
    assert body["max_tokens"] == 4000


REFUSED_BESIDE_THOUGHT: list[tuple[dict[str, Any], str]] = [
    ({"output_tokens_max": 1000}, "too little room"),
    ({"tools": (TOOL,), "tool_choice": ToolChoice("required")}, "a tool that must be called"),
    ({"tools": (TOOL,), "tool_choice": ToolChoice("named", "f")}, "a tool that must be called"),
    ({"messages": (HELLO, Message("assistant", (Text("I"),)))}, "a prefilled answer"),
    (
        {
            "messages": (
                HELLO,
                Message("assistant", (Reasoning("unsigned"), ToolCall("a", "f", "{}"))),
                Message("tool", (ToolResult("a", (Text("one"),)),)),
            )
        },
        "a loop of calls that another model began",
    ),
]


@pytest.mark.parametrize(("fields", "why"), REFUSED_BESIDE_THOUGHT)
def test_thinking_gives_way_to_what_anthropic_refuses_beside_it(
    fields: dict[str, Any], why: str
) -> None:
    chat = structs.replace(Chat(messages=(HELLO,), reasoning_effort="high"), **fields)

    body, written = rendered(chat, BUDGETED)

    assert "thinking" not in body, why
    assert "reasoning_effort" in written.dropped


def test_a_loop_of_calls_that_anthropic_began_goes_on_thinking() -> None:
    thought = Reasoning("hm", signature=SIGNATURE)
    turns = (
        HELLO,
        Message("assistant", (thought, ToolCall("a", "f", "{}"))),
        Message("tool", (ToolResult("a", (Text("one"),)),)),
    )

    body, _ = rendered(Chat(messages=turns, reasoning_effort="low"), BUDGETED)

    assert body["thinking"]["type"] == "enabled"


def test_sampling_gives_way_to_thinking_and_it_is_said() -> None:
    body, dropped = asked(BUDGETED, reasoning_effort="low", temperature=0.3, top_k=5, top_p=0.5)

    assert body.keys().isdisjoint({"temperature", "top_k", "top_p"})
    assert dropped == ("temperature", "top_k", "top_p")


@pytest.mark.parametrize(
    ("model", "sent", "dropped"),
    [
        ("claude-sonnet-4-20250514", {"temperature", "top_p", "top_k"}, ()),
        (BUDGETED, {"temperature", "top_k"}, ("top_p",)),
        (ADAPTIVE, set(), ("temperature", "top_k", "top_p")),
        ("minimax-m2", {"temperature", "top_p", "top_k"}, ()),
    ],
)
def test_sampling_goes_only_to_models_that_take_it(
    model: str, sent: set[str], dropped: tuple[str, ...]
) -> None:
    body, left_out = asked(model, temperature=0.3, top_p=0.5, top_k=5)

    assert body.keys() & {"temperature", "top_p", "top_k"} == sent
    assert left_out == dropped


def test_a_temperature_that_is_the_default_is_nothing_to_leave_out() -> None:
    _, dropped = asked(ADAPTIVE, temperature=1, top_p=1)

    assert dropped == ()


def test_defect_6_5_sampling_stops_users_and_schemas_reach_anthropic_or_are_named() -> None:
    body, dropped = asked(
        top_p=0.9,
        top_k=7,
        stop=("END",),
        user="someone",
        seed=3,
        frequency_penalty=0.5,
        presence_penalty=0.0,
        json_schema={"schema": {"type": "object"}},
    )

    assert (body["top_p"], body["top_k"], body["stop_sequences"]) == (0.9, 7, ["END"])
    assert body["metadata"] == {"user_id": "someone"}
    assert body["output_config"]["format"]["schema"] == {
        "type": "object",
        "additionalProperties": False,
    }
    assert dropped == ("seed", "frequency_penalty")


def test_defect_6_5_no_tool_is_to_be_called_stays_so() -> None:
    body, _ = asked(tools=(TOOL,), tool_choice=ToolChoice("none"))

    assert body["tool_choice"] == {"type": "none"}


def test_defect_6_5_a_named_tool_is_named_and_one_at_a_time_stays_so() -> None:
    body, _ = asked(tools=(TOOL,), tool_choice=ToolChoice("named", "f", parallel=False))

    assert body["tool_choice"] == {"type": "tool", "name": "f", "disable_parallel_tool_use": True}


def test_defect_6_5_an_image_with_a_url_is_sent_by_its_url() -> None:
    image = Image(url="https://example.com/cat.jpg")

    body, _ = rendered(Chat(messages=(Message("user", (image,)),)))

    assert body["messages"][0]["content"][0]["source"] == {
        "type": "url",
        "url": "https://example.com/cat.jpg",
    }


def test_defect_6_5_signatures_are_kept_and_none_is_made() -> None:
    thoughts = (Reasoning("mine", signature=SIGNATURE), Reasoning("unsigned"), Text("so"))
    chat = Chat(messages=(HELLO, Message("assistant", thoughts), HELLO))

    body, written = rendered(chat)

    assert [block["type"] for block in body["messages"][1]["content"]] == ["thinking", "text"]
    assert body["messages"][1]["content"][0]["signature"] == SIGNATURE
    assert spelled(written.dropped, "openai_chat") == ("messages.reasoning_content",)


def test_defect_6_5_the_clients_cache_markers_are_kept_and_none_is_made() -> None:
    marker = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    block = {"type": "text", "text": "hi", **marker}
    asked_for = {
        **marker,
        "system": [{**block, "text": "be kind"}],
        "messages": [{"role": "user", "content": [block, {"type": "text", "text": "there"}]}],
        "tools": [{"name": "f", "input_schema": {"type": "object"}, **marker}],
    }

    body, _ = rendered(parsed(asked_for))
    bare, _ = asked(tools=(TOOL,))

    assert {name: body[name] for name in asked_for} == asked_for
    assert "cache_control" not in json.dumps(bare)


def test_defect_6_4_what_anthropic_clients_say_of_sampling_and_stops_goes_elsewhere() -> None:
    chat = parsed({"top_p": 0.9, "stop_sequences": ["END"], "metadata": {"user_id": "someone"}})

    body = json.loads(codec("openai_chat").render_request(chat, model="gpt-4o").body)

    assert (body["top_p"], body["stop"]) == (0.9, ["END"])
    assert chat.user == "someone"


def test_defect_6_4_an_image_with_a_url_goes_elsewhere() -> None:
    source = {"type": "url", "url": "https://example.com/cat.jpg"}
    chat = parsed(
        {"messages": [{"role": "user", "content": [{"type": "image", "source": source}]}]}
    )

    body = json.loads(codec("openai_chat").render_request(chat, model="gpt-4o").body)

    assert body["messages"][0]["content"][0]["image_url"]["url"] == source["url"]


def test_documents_are_read() -> None:
    chat = codec("anthropic").parse_request(golden("anthropic", "documents.request"))

    report, page, notes = chat.messages[0].parts[:3]
    said = {"context": "From last year", "citations": {"enabled": True}}
    assert report == structs.replace(PDF, title="A report", rest={"anthropic": said})
    assert page == Document("application/pdf", url="https://example.com/a.pdf")
    assert notes == Document("text/plain", text="plain words", title="Notes")
    result = chat.messages[2].parts[0]
    assert isinstance(result, ToolResult)
    assert result.is_error
    assert result.parts == (
        Text("half drawn"),
        Image(media_type="image/png", data="iVBORw0KGgo="),
        PDF,
    )


def test_a_file_of_text_reaches_anthropic_as_its_text() -> None:
    file = Document("text/csv", data="YSxi", title="table.csv")

    body, _ = rendered(Chat(messages=(Message("user", (file,)),)))

    assert body["messages"][0]["content"] == [
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "a,b"},
            "title": "table.csv",
        }
    ]


@pytest.mark.parametrize(
    "part",
    [
        Audio(media_type="audio/wav", data="UklGRg=="),
        Document("application/zip", data="UEsDBA=="),
        Document("text/plain", url="https://example.com/a.txt"),
        Document("text/plain", data="//8="),
    ],
)
def test_a_file_that_anthropic_does_not_read_is_refused(part: Audio | Document) -> None:
    with pytest.raises(BadRequest, match="cannot be expressed in the anthropic dialect"):
        rendered(Chat(messages=(Message("user", (part,)),)))


def test_what_only_anthropic_keeps_is_refused_elsewhere() -> None:
    for source in ({"type": "file", "file_id": "file_1"}, {"type": "url", "url": "u"}):
        block = {"type": "container_upload", "file_id": "file_1", "source": source}
        chat = parsed({"messages": [{"role": "user", "content": [block]}]})

        with pytest.raises(BadRequest, match="container_upload"):
            codec("gemini").render_request(chat, model="gemini-2.5-flash")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"mcp_servers": [{"type": "url", "url": "https://example.com", "name": "x"}]}, None),
        ({"container": "container_1"}, "container"),
        ({"thread": {"type": "create"}}, "thread"),
        ({"compaction": {"type": "enabled"}}, "compaction"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools"),
    ],
)
def test_what_only_anthropic_does_is_refused_elsewhere(
    fields: dict[str, Any], field: str | None
) -> None:
    chat = parsed(fields)

    for dialect in ("openai_chat", "openai_responses", "gemini"):
        with pytest.raises(BadRequest, match="cannot be expressed") as refused:
            codec(dialect).render_request(chat, model="m")
        assert refused.value.field == (field or next(iter(fields)))
    assert rendered(chat)[0].items() >= fields.items()


def test_what_anthropics_own_tools_found_goes_elsewhere_in_words() -> None:
    page = {"type": "web_search_result", "title": "A page", "url": "https://example.com"}
    blocks = [
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": [page]},
        {"type": "text", "text": "Found."},
    ]
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": blocks},
        {"role": "user", "content": "thanks"},
    ]

    chat = parsed({"messages": turns})
    body = json.loads(codec("openai_chat").render_request(chat, model="gpt-4o").body)

    words = [part["text"] for part in body["messages"][1]["content"]]
    assert words == ['web_search {"query":"x"}', "A page\nhttps://example.com", "Found."]


@pytest.mark.parametrize("model", [BUDGETED, "claude-3-7-sonnet-20250219", "glm-4.7"])
def test_a_prefilled_answer_is_gone_on_from_without_the_space_at_its_end(model: str) -> None:
    chat = Chat(messages=(HELLO, Message("assistant", (Text("The answer is  "),))))

    body, _ = rendered(chat, model)

    assert body["messages"][1]["content"] == [{"type": "text", "text": "The answer is"}]


@pytest.mark.parametrize("model", [BOTH, ADAPTIVE, "claude-sonnet-4-6"])
def test_a_prefilled_answer_is_refused_by_name_where_the_model_takes_none(model: str) -> None:
    chat = Chat(messages=(HELLO, Message("assistant", (Text("The answer is"),))))

    with pytest.raises(BadRequest, match="ask for another model") as refused:
        codec("anthropic").render_request(chat, model=model)

    assert refused.value.field == "messages"


def test_what_the_client_wrote_is_named_in_its_own_spelling() -> None:
    values = ("user", "reasoning_effort", "top_k", "safetySettings")

    assert spelled(values, "anthropic") == (
        *("metadata.user_id", "output_config.effort", "top_k", "safetySettings"),
    )
    assert spelled(values, "gemini") == (
        *("user", "generationConfig.thinkingConfig.thinkingLevel"),
        *("generationConfig.topK", "safetySettings"),
    )


CLIENT_TOOLS = [
    {"type": "bash_20250124", "name": "bash"},
    {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"},
    {"type": "memory_20250818", "name": "memory"},
]


def test_tools_that_the_client_runs_are_functions_elsewhere() -> None:
    chat = parsed({"tools": CLIENT_TOOLS})

    foreign = json.loads(codec("openai_chat").render_request(chat, model="gpt-4o").body)
    home, _ = rendered(chat)

    functions = [tool["function"] for tool in foreign["tools"]]
    assert [one["name"] for one in functions] == [tool["name"] for tool in CLIENT_TOOLS]
    assert all("command" in one["parameters"]["properties"] for one in functions)
    assert home["tools"] == CLIENT_TOOLS


def test_calls_of_tools_that_are_offered_no_more_stay_calls() -> None:
    turns = (
        HELLO,
        Message("assistant", (ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}"))),
        Message("tool", (ToolResult("a", (Text("1"),)), ToolResult("b", (Text("2"),)))),
    )

    body, _ = rendered(Chat(messages=turns))

    assert [tool["name"] for tool in body["tools"]] == ["f", "g"]
    assert body["tool_choice"] == {"type": "none"}


def test_white_space_alone_is_not_sent() -> None:
    turns = (
        Message("user", (Text("\n "), Text("hello"))),
        Message("assistant", (Text(" "),)),
        Message("user", (Text("there"),)),
    )

    body, written = rendered(Chat(messages=turns, stop=("\n", "END")))

    assert [block["text"] for block in body["messages"][0]["content"]] == ["hello", "there"]
    assert body["stop_sequences"] == ["END"]
    assert spelled(written.dropped, "openai_chat") == ("stop",)


@pytest.mark.parametrize("kind", ["web_search_20250305", "web_fetch_20250910"])
def test_a_search_beside_tools_is_left_out_elsewhere_and_named(kind: str) -> None:
    own = {"type": kind, "name": "search"}
    chat = parsed({"tools": [own, {"name": "f", "input_schema": {"type": "object"}}]})

    written = codec("gemini").render_request(chat, model="gemini-2.5-flash")

    assert [tool["name"] for tool in json.loads(written.body)["tools"][0]["functionDeclarations"]]
    assert written.dropped == ("tools.search",)


def test_what_is_the_default_is_not_named_as_left_out() -> None:
    hello = [{"role": "user", "content": "hi"}]
    asked_for = {
        "model": "m",
        "messages": hello,
        "n": 1,
        "stream_options": {"include_usage": True},
        "service_tier": "auto",
        "store": False,
        "logit_bias": {},
        "verbosity": "low",
    }
    chat = codec("openai_chat").parse_request(json.dumps(asked_for).encode())

    written = codec("anthropic").render_request(chat, model=BOTH)

    assert written.dropped == ("verbosity",)


def test_a_schema_of_the_answer_is_said_as_anthropic_takes_it() -> None:
    schema = {
        "type": "object",
        "properties": {
            "count": {"type": "integer", "minimum": 1, "description": "How many"},
            "kind": {"oneOf": [{"const": "a"}, {"type": "string", "maxLength": 3}]},
            "title": {"type": "string", "format": "date"},
            "one": {"$ref": "#/$defs/one"},
        },
        "required": ["count"],
        "$defs": {"one": {"type": "object", "properties": {}}},
    }

    short = {"type": "string", "description": '{"maxLength":3}'}

    body, dropped = asked(json_schema={"name": "x", "strict": True, "schema": schema})

    assert body["output_config"]["format"]["schema"] == {
        "type": "object",
        "properties": {
            "count": {"type": "integer", "description": 'How many\n\n{"minimum":1}'},
            "kind": {"anyOf": [{"const": "a"}, short]},
            "title": {"type": "string", "format": "date"},
            "one": {"$ref": "#/$defs/one"},
        },
        "required": ["count"],
        "$defs": {"one": {"type": "object", "properties": {}, "additionalProperties": False}},
        "additionalProperties": False,
    }
    assert dropped == ()


def test_an_object_of_any_names_cannot_be_had_and_it_is_said() -> None:
    schema = {"type": "object", "additionalProperties": {"type": "integer"}}

    _, dropped = asked(json_schema={"schema": schema})

    assert dropped == ("response_format",)


def test_a_schema_is_refused_where_the_model_follows_none() -> None:
    with pytest.raises(BadRequest, match="follows no schema") as refused:
        asked("claude-sonnet-4-20250514", json_schema={"schema": {"type": "object"}})

    assert refused.value.field == "response_format"


def test_an_answer_to_go_on_from_is_refused_where_only_anthropic_would_go_on() -> None:
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "{"}]
    chat = parsed({"messages": turns})

    for dialect in ("openai_chat", "openai_responses", "gemini"):
        with pytest.raises(BadRequest, match="an answer to go on from") as refused:
            codec(dialect).render_request(chat, model="m")
        assert refused.value.field == "messages"
    assert rendered(chat, BUDGETED)[0]["messages"][1]["content"][0]["text"] == "{"
