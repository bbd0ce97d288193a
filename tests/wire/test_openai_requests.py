"""What OpenAI's two dialects can ask for, on its way to the other one and to models of others.

The files of both dialects are written by us after OpenAI's API reference ("Create chat
completion", "Create a model response", "File inputs", "Images and vision", "Audio"), and after
OpenRouter's and DeepSeek's pages on reasoning, all read 2026-11. `from_*.request` hold our own
output. Sections of a DEFECT are those of the behaviour of the gateway that this one replaces.
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
from omniroute.routing.errors import Inexpressible
from omniroute.routing.model import Dialect
from omniroute.routing.wire.codec import Rendered
from omniroute.routing.wire.openai_models import efforts_of
from omniroute.routing.wire.table import codec

from .answers import golden

ASKED = Message("user", (Text("Which city?"),))
PICTURE = Image(media_type="image/png", data="iVBORw0KGgo=")


def _rendered(dialect: Dialect, chat: Chat, model: str = "m") -> Any:
    return json.loads(codec(dialect).render_request(chat, model=model).body)


def _told(dialect: Dialect, chat: Chat, model: str = "m") -> Rendered:
    return codec(dialect).render_request(chat, model=model)


def _parsed(dialect: Dialect, **fields: Any) -> Chat:
    return codec(dialect).parse_request(json.dumps({"model": "m", **fields}).encode())


def _chatted(*messages: dict[str, Any], **fields: Any) -> Chat:
    asked = list(messages) or [{"role": "user", "content": "Which city?"}]
    return _parsed("openai_chat", messages=asked, **fields)


CROSSINGS: list[tuple[Dialect, str, Dialect, str]] = [
    ("openai_chat", "full", "openai_responses", "gpt-5.5"),
    ("openai_chat", "parts", "openai_responses", "gpt-4o"),
    ("openai_responses", "full", "openai_chat", "gpt-5.5"),
    ("openai_responses", "parts", "openai_chat", "gpt-4o"),
    ("openai_responses", "codex", "openai_chat", "qwen3-coder"),
    ("openai_responses", "codex_namespaces", "openai_chat", "qwen3-coder"),
]


@pytest.mark.parametrize(("source", "case", "target", "model"), CROSSINGS)
def test_what_one_of_openais_dialects_makes_of_the_other_is_pinned(
    source: Dialect, case: str, target: Dialect, model: str
) -> None:
    chat = codec(source).parse_request(golden(source, f"{case}.request"))

    assert _rendered(target, chat, model) == json.loads(
        golden(target, f"from_{source}_{case}.request")
    )


def test_a_whole_chat_completion_request_is_read() -> None:
    chat = codec("openai_chat").parse_request(golden("openai_chat", "full.request"))

    assert [message.role for message in chat.messages] == [
        "developer",
        "user",
        "assistant",
        "system",
        "user",
    ]
    assert chat.messages[1].name == "ann"
    assert (chat.stop, chat.seed, chat.user) == (("\n", "END"), 7, "user-1")
    assert (chat.output_tokens_max, chat.reasoning_effort) == (256, "low")
    assert chat.json_schema is not None
    assert chat.json_schema["description"] == "A city."


def test_a_whole_responses_request_is_read() -> None:
    chat = codec("openai_responses").parse_request(golden("openai_responses", "full.request"))

    assert [message.role for message in chat.messages] == [
        "system",
        "developer",
        "user",
        "assistant",
        "user",
    ]
    assert chat.messages[3].parts == (
        Reasoning("One city.", encrypted="openai_responses#gAAAAABo-fake"),
        Text("Oslo."),
    )
    assert (chat.output_tokens_max, chat.reasoning_effort, chat.logprobs) == (256, "low", 2)
    assert (chat.user, chat.reasoning_shown) == ("safe-1", True)


def test_files_and_sounds_are_read() -> None:
    parts = codec("openai_chat").parse_request(golden("openai_chat", "parts.request"))
    sound = codec("openai_chat").parse_request(golden("openai_chat", "sound.request"))

    report = Document(media_type="application/pdf", data="JVBERi0=", title="report.pdf")
    assert parts.messages[0].parts[3] == report
    assert sound.messages[0].parts[1:] == (
        Audio(media_type="audio/wav", data="UklGRg=="),
        Audio(media_type="audio/mpeg", data="SUQz"),
    )
    assert (parts.logprobs, parts.frequency_penalty, parts.presence_penalty) == (3, 0.1, -0.2)


def test_thoughts_are_read_in_every_field_that_servers_know() -> None:
    chat = codec("openai_chat").parse_request(golden("openai_chat", "thoughts.request"))

    thoughts = [
        part for turn in chat.messages for part in turn.parts if isinstance(part, Reasoning)
    ]
    assert [part.text for part in thoughts] == [
        "Nine is not even.",
        "Ten is even.",
        "Eleven is odd.",
        "",
    ]
    assert thoughts[2].signature is not None
    assert thoughts[3].encrypted is not None


@pytest.mark.parametrize("thought", ["Nine.", [{"type": "text", "text": "Nine."}]])
def test_a_thought_among_the_content_is_a_thought(thought: object) -> None:
    content = [{"type": "thinking", "thinking": thought}, {"type": "text", "text": "Odd."}]

    chat = _chatted({"role": "user", "content": "?"}, {"role": "assistant", "content": content})

    assert chat.messages[1].parts == (Reasoning("Nine."), Text("Odd."))


def test_an_image_may_be_written_as_its_url_alone() -> None:
    part = {"type": "image_url", "image_url": "https://example.com/cat.jpg"}

    chat = _chatted({"role": "user", "content": [part]})

    assert chat.messages[0].parts == (Image(url="https://example.com/cat.jpg"),)


def test_details_of_thoughts_come_back_as_they_were_to_their_own_dialect_alone() -> None:
    asked = golden("openai_chat", "thoughts.request")
    chat = codec("openai_chat").parse_request(asked)

    home = _rendered("openai_chat", chat, "deepseek/deepseek-v3.2")
    others = [_rendered(dialect, chat) for dialect in ("anthropic", "gemini", "openai_responses")]

    assert (
        home["messages"][5]["reasoning_details"]
        == json.loads(asked)["messages"][5]["reasoning_details"]
    )
    assert home["messages"][1]["reasoning_content"] == "Nine is not even."
    for other in others:
        assert "c2lnbmVk" not in json.dumps(other)
        assert "c2VjcmV0" not in json.dumps(other)


def test_openais_own_models_are_sent_no_thoughts_in_a_chat() -> None:
    chat = Chat((ASKED, Message("assistant", (Reasoning("One."), Text("Oslo."))), ASKED))

    rendered = _told("openai_chat", chat, "gpt-5.5")

    assert b"One." not in rendered.body
    assert "thoughts" in rendered.dropped


def test_only_what_openai_encrypted_itself_goes_back_to_responses() -> None:
    thoughts = (
        Reasoning("unsigned"),
        Reasoning("theirs", signature="c2ln"),
        Reasoning(encrypted="cmVk"),
        Reasoning("own", encrypted="openai_responses#gAAA"),
    )
    chat = Chat((ASKED, Message("assistant", (*thoughts, Text("Oslo.")))))

    rendered = _told("openai_responses", chat)

    assert json.loads(rendered.body)["input"][1:] == [
        {
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "own"}],
            "encrypted_content": "gAAA",
        },
        {"type": "message", "role": "assistant", "content": "Oslo."},
    ]
    assert "thoughts" in rendered.dropped


def test_a_gemini_signature_beside_a_call_goes_to_gemini() -> None:
    """As Google's own compatible endpoint has it, and as our answers give it."""
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "f", "arguments": "{}"},
        "extra_content": {"google": {"thought_signature": "c2ln"}},
    }
    chat = _chatted(
        {"role": "user", "content": "go"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "done"},
    )

    gemini = _rendered("gemini", chat)
    compatible = _rendered("openai_chat", chat, "gemini-3-pro")
    other = _rendered("openai_chat", chat, "gpt-4o")

    assert gemini["contents"][1]["parts"][0]["thoughtSignature"] == "c2ln"
    assert compatible["messages"][1]["tool_calls"] == [call]
    assert "extra_content" not in other["messages"][1]["tool_calls"][0]


@pytest.mark.parametrize("target", ["openai_chat", "openai_responses"])
def test_images_by_url_reach_openai(target: Dialect) -> None:
    """DEFECT 6.4: images by URL of an Anthropic client were dropped."""
    chat = _parsed(
        "anthropic",
        max_tokens=9,
        messages=[
            {
                "role": "user",
                "content": [
                    {
                        "type": "image",
                        "source": {"type": "url", "url": "https://example.com/cat.jpg"},
                    }
                ],
            }
        ],
    )

    assert "https://example.com/cat.jpg" in json.dumps(_rendered(target, chat))


@pytest.mark.parametrize("target", ["openai_chat", "anthropic", "gemini"])
def test_an_input_image_is_an_image_elsewhere(target: Dialect) -> None:
    """DEFECT 6.4: an `input_image` was left as it is in a chat completion."""
    part = {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="}
    chat = _parsed("openai_responses", input=[{"role": "user", "content": [part]}])

    body = json.dumps(_rendered(target, chat))

    assert "iVBORw0KGgo=" in body
    assert "input_image" not in body


def test_the_sampling_of_an_anthropic_client_reaches_openai() -> None:
    """DEFECT 6.4: all but max_tokens, temperature and tools were lost."""
    chat = _parsed(
        "anthropic",
        max_tokens=9,
        messages=[{"role": "user", "content": "hi"}],
        top_p=0.5,
        stop_sequences=["END"],
        temperature=0.5,
    )

    body = _rendered("openai_chat", chat)

    assert (body["top_p"], body["stop"], body["temperature"]) == (0.5, ["END"], 0.5)
    assert body["max_tokens"] == 9


def test_effort_and_bound_of_a_responses_client_reach_a_chat_completion() -> None:
    """DEFECT 6.4: reasoning was removed, and max_output_tokens not renamed."""
    chat = _parsed(
        "openai_responses", input="hi", reasoning={"effort": "high"}, max_output_tokens=9
    )

    body = _rendered("openai_chat", chat, "gpt-5.5")

    assert (body["reasoning_effort"], body["max_completion_tokens"]) == ("high", 9)
    assert "max_output_tokens" not in body
    assert "reasoning" not in body


def test_every_system_turn_reaches_responses_in_its_place() -> None:
    """DEFECT 6.7: the first became `instructions`, all others were lost."""
    chat = _chatted(
        {"role": "system", "content": "one"},
        {"role": "developer", "content": "two"},
        {"role": "user", "content": "hi"},
        {"role": "system", "content": "three"},
        {"role": "user", "content": "ho"},
    )

    body = _rendered("openai_responses", chat)

    assert [item["role"] for item in body["input"]] == [
        "system",
        "developer",
        "user",
        "system",
        "user",
    ]
    assert "instructions" not in body


def test_the_bound_has_its_own_name_in_responses() -> None:
    """DEFECT 6.7: max_tokens was passed under that name."""
    body = _rendered("openai_responses", _chatted(max_tokens=9))

    assert body["max_output_tokens"] == 9
    assert "max_tokens" not in body


def test_format_choice_effort_and_parallel_calls_reach_responses() -> None:
    """DEFECT 6.7: all four were lost."""
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    schema = {"type": "object", "properties": {}}
    chat = _chatted(
        tools=tools,
        tool_choice={"type": "function", "function": {"name": "f"}},
        parallel_tool_calls=False,
        reasoning_effort="high",
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
    )

    body = _rendered("openai_responses", chat)

    assert body["tool_choice"] == {"type": "function", "name": "f"}
    assert body["parallel_tool_calls"] is False
    assert body["reasoning"] == {"effort": "high"}
    assert body["text"]["format"] == {"type": "json_schema", "name": "n", "schema": schema}


def test_strict_tools_stay_strict_between_openais_dialects() -> None:
    tools = [
        {"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}},
        {"type": "function", "function": {"name": "g", "parameters": {}}},
    ]

    there = _rendered("openai_responses", _chatted(tools=tools))
    back = _rendered("openai_chat", _parsed("openai_responses", input="hi", tools=there["tools"]))

    assert [tool["strict"] for tool in there["tools"]] == [True, False]
    assert [tool["function"].get("strict") for tool in back["tools"]] == [True, None]


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, {}),
        ({"type": "json_object", "schema": {"type": "object"}}, {"schema": {"type": "object"}}),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
            {"name": "n", "schema": {}},
        ),
    ],
)
def test_every_form_of_a_response_format_is_read(given: Any, read: Any) -> None:
    assert _chatted(response_format=given).json_schema == read


@pytest.mark.parametrize("model", ["gpt-5", "o3-mini", "openai/gpt-5.5", "gpt-5.1-codex"])
def test_a_model_that_thinks_is_not_sent_the_sampling_that_it_refuses(model: str) -> None:
    chat = Chat((ASKED,), temperature=0.2, top_p=0.9, frequency_penalty=1.0, logprobs=2)

    rendered = _told("openai_chat", chat, model)

    body = json.loads(rendered.body)
    assert body.keys() == {"model", "messages"}
    assert rendered.dropped == ("temperature", "top_p", "frequency_penalty", "logprobs")


@pytest.mark.parametrize("target", ["openai_chat", "openai_responses"])
def test_a_model_that_is_asked_not_to_think_is_sent_the_sampling(target: Dialect) -> None:
    chat = Chat((ASKED,), temperature=0.2, reasoning_tokens_max=0)

    rendered = _told(target, chat, "gpt-5.4")

    assert json.loads(rendered.body)["temperature"] == 0.2
    assert rendered.dropped == ()


def test_the_default_of_sampling_is_nothing_to_tell_of() -> None:
    chat = Chat((ASKED,), temperature=1, top_p=1)

    assert _told("openai_responses", chat, "gpt-5").dropped == ()


@pytest.mark.parametrize(
    ("model", "effort"),
    [("gpt-5", "low"), ("gpt-oss-20b", "low"), ("deepseek-v3.2", "low"), ("llama-3.3-70b", None)],
)
def test_only_models_that_think_are_told_how_hard(model: str, effort: str | None) -> None:
    rendered = _told("openai_chat", Chat((ASKED,), reasoning_effort="low"), model)

    assert json.loads(rendered.body).get("reasoning_effort") == effort
    assert ("reasoning_effort" in rendered.dropped) is (effort is None)


@pytest.mark.parametrize(
    ("fields", "effort", "tokens", "shown"),
    [
        ({"reasoning_effort": "low"}, "low", None, None),
        ({"reasoning": {"effort": "high", "exclude": True}}, "high", None, False),
        ({"reasoning": {"max_tokens": 2000, "enabled": True}}, None, 2000, None),
        ({"reasoning": {"enabled": True}}, "medium", None, None),
        ({"reasoning": {"enabled": False}}, "none", None, None),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, None, 2000, None),
        ({"thinking": {"type": "disabled"}}, None, 0, None),
    ],
)
def test_how_hard_to_think_is_read_in_every_field_that_servers_know(
    fields: dict[str, Any], effort: str | None, tokens: int | None, shown: bool | None
) -> None:
    chat = _chatted(**fields)

    assert (chat.reasoning_effort, chat.reasoning_tokens_max) == (effort, tokens)
    assert chat.reasoning_shown is shown


def test_a_budget_that_a_chats_client_sets_reaches_claude() -> None:
    chat = _chatted(reasoning={"max_tokens": 2000}, max_tokens=8000)

    body = _rendered("anthropic", chat, "claude-sonnet-4-5")

    assert body["thinking"] == {"type": "enabled", "budget_tokens": 2000}


@pytest.mark.parametrize(
    ("tokens", "model", "effort"),
    [
        (0, "gpt-5.1", "none"),
        (0, "gpt-5-mini", "minimal"),
        (0, "o3", "low"),
        (0, "gpt-5.3-codex", "low"),
        (1024, "gpt-5.5", "low"),
        (8192, "gpt-5.5", "medium"),
        (32_000, "gpt-5.5", "high"),
    ],
)
def test_a_budget_of_thought_is_an_effort(tokens: int, model: str, effort: str) -> None:
    chat = Chat((ASKED,), reasoning_tokens_max=tokens)

    assert effort in efforts_of(model)
    assert _rendered("openai_chat", chat, model)["reasoning_effort"] == effort
    assert _rendered("openai_responses", chat, model)["reasoning"]["effort"] == effort


@pytest.mark.parametrize(
    ("model", "asked", "told"),
    [
        ("gpt-5.6", "max", "max"),
        ("gpt-5.5", "max", "xhigh"),
        ("gpt-5.1", "max", "high"),
        ("o3", "minimal", "low"),
        ("gpt-5-pro", "low", "high"),
        ("gpt-5.1-codex-max", "max", "xhigh"),
        ("deepseek-v3.2", "xhigh", "high"),
        ("gpt-5.5", "unheard-of", "unheard-of"),
    ],
)
def test_a_word_for_effort_that_a_model_does_not_know_is_the_nearest_one(
    model: str, asked: str, told: str
) -> None:
    chat = Chat((ASKED,), reasoning_effort=asked)

    assert _rendered("openai_chat", chat, model)["reasoning_effort"] == told


def test_marks_for_the_cache_reach_claude_through_a_reseller_and_are_named_elsewhere() -> None:
    marker = {"cache_control": {"type": "ephemeral"}}
    chat = Chat((Message("user", (Text("hi", {"anthropic": marker}),)),))

    reseller = _told("openai_chat", chat, "anthropic/claude-sonnet-4.5")
    other = _told("openai_chat", chat, "gpt-4o")

    assert json.loads(reseller.body)["messages"][0]["content"] == [
        {"type": "text", "text": "hi", **marker}
    ]
    assert reseller.dropped == ()
    assert other.dropped == ("messages.content.cache_control",)


def test_a_model_that_thinks_for_another_dialect_gives_its_thoughts_to_carry() -> None:
    chat = Chat((ASKED,), reasoning_shown=True)

    thinking = _rendered("openai_responses", chat, "gpt-5.5")
    other = _told("openai_responses", chat, "gpt-4o")

    assert thinking["include"] == ["reasoning.encrypted_content"]
    assert thinking["reasoning"] == {"summary": "auto"}
    assert "include" not in json.loads(other.body)
    assert other.dropped == ("reasoning_shown",)


def test_hints_go_between_openais_dialects_to_openais_models_alone() -> None:
    asked = golden("openai_responses", "full.request")
    chat = codec("openai_responses").parse_request(asked)

    openais = _rendered("openai_chat", chat, "gpt-5.5")
    other = _told("openai_chat", chat, "llama-3.3-70b")

    assert (openais["prompt_cache_key"], openais["verbosity"]) == ("cache-1", "low")
    assert openais["service_tier"] == "flex"
    assert {"prompt_cache_key", "service_tier"} <= set(other.dropped)
    for name in ("prompt_cache_key", "service_tier", "verbosity", "metadata", "store", "include"):
        assert name not in json.loads(other.body)


def test_a_long_name_of_who_asks_is_sent_as_its_digest() -> None:
    name = json.dumps({"device_id": "d" * 64, "session_id": "s" * 36})

    chat = _rendered("openai_chat", Chat((ASKED,), user=name))
    responses = _rendered("openai_responses", Chat((ASKED,), user=name))

    assert len(chat["user"]) == 64
    assert chat["user"] == responses["user"]
    assert chat["user"] != _rendered("openai_chat", Chat((ASKED,), user=name + "2"))["user"]


def test_what_responses_has_no_place_for_is_named() -> None:
    chat = Chat(
        (structs.replace(ASKED, name="ann"),),
        stop=("END",),
        seed=1,
        top_k=3,
        frequency_penalty=0.5,
        presence_penalty=0.5,
    )

    dropped = _told("openai_responses", chat).dropped

    assert set(dropped) == {
        "messages.name",
        "stop",
        "seed",
        "top_k",
        "frequency_penalty",
        "presence_penalty",
    }


def test_that_a_result_is_an_error_is_named_where_it_cannot_be_said() -> None:
    call = Message("assistant", (ToolCall("c1", "f", "{}"),))
    result = Message("tool", (ToolResult("c1", (Text("no such city"),), is_error=True),))
    chat = Chat((ASKED, call, result))

    assert _told("openai_chat", chat).dropped == ("is_error",)
    assert _told("openai_responses", chat).dropped == ("is_error",)


@pytest.mark.parametrize("target", ["openai_chat", "openai_responses"])
def test_a_document_of_text_is_text(target: Dialect) -> None:
    document = Document(text="the text", title="Notes")

    body = _rendered(target, Chat((Message("user", (document,)),)))

    assert "Notes\\n\\nthe text" in json.dumps(body)


def test_a_document_by_url_goes_to_responses_and_is_refused_by_a_chat_completion() -> None:
    chat = Chat((Message("user", (Document(url="https://example.com/a.pdf"),)),))

    body = _rendered("openai_responses", chat)

    assert body["input"][0]["content"] == [
        {"type": "input_file", "file_url": "https://example.com/a.pdf"}
    ]
    with pytest.raises(Inexpressible, match="a document by URL"):
        _rendered("openai_chat", chat)


@pytest.mark.parametrize(
    "file",
    [
        {"file_url": "https://example.com/a.pdf"},
        {"filename": "a.pdf", "file_data": "https://example.com/a.pdf"},
    ],
)
def test_a_url_that_a_compatible_server_takes_stays_where_the_client_put_it(
    file: dict[str, str],
) -> None:
    chat = _chatted({"role": "user", "content": [{"type": "file", "file": file}]})

    assert _rendered("openai_chat", chat)["messages"][0]["content"][0]["file"] == file
    assert (
        _rendered("openai_responses", chat)["input"][0]["content"][0]["file_url"]
        == "https://example.com/a.pdf"
    )


def test_a_file_without_a_name_gets_one() -> None:
    document = Document(media_type="application/pdf", data="JVBERi0=")
    chat = Chat((Message("user", (document,)),))

    file = _rendered("openai_chat", chat)["messages"][0]["content"][0]["file"]
    part = _rendered("openai_responses", chat)["input"][0]["content"][0]

    assert (
        file
        == {"filename": part["filename"], "file_data": part["file_data"]}
        == {
            "filename": "document.pdf",
            "file_data": "data:application/pdf;base64,JVBERi0=",
        }
    )


@pytest.mark.parametrize(
    ("data", "name", "media_type"),
    [
        ("JVBERi0=", None, "application/pdf"),
        ("eA==", "a.CSV", "text/csv"),
        ("data:text/plain;base64,eA==", "a.pdf", "text/plain"),
        ("data:;base64,eA==", "a.md", "text/markdown"),
    ],
)
def test_a_files_media_type_is_found(data: str, name: str | None, media_type: str) -> None:
    file = {"filename": name, "file_data": data}

    chat = _chatted({"role": "user", "content": [{"type": "file", "file": file}]})

    document = chat.messages[0].parts[0]
    assert isinstance(document, Document)
    assert document.media_type == media_type
    assert document.data is not None
    assert document.data.endswith("=")


def test_a_sound_is_refused_where_there_is_no_word_for_it() -> None:
    sound = codec("openai_chat").parse_request(golden("openai_chat", "sound.request"))
    by_url = Chat((Message("user", (Audio(url="https://example.com/a.wav"),)),))

    with pytest.raises(Inexpressible, match="a sound"):
        _rendered("openai_responses", sound)
    with pytest.raises(Inexpressible, match="a sound by URL"):
        _rendered("openai_chat", by_url)


@pytest.mark.parametrize("target", ["openai_chat", "openai_responses"])
def test_what_the_assistant_showed_is_shown_by_the_user_after_the_results(
    target: Dialect,
) -> None:
    """Neither dialect takes an image from the assistant; dropping it would lose it silently."""
    call = ToolCall("c1", "f", "{}")
    chat = Chat(
        (
            ASKED,
            Message("assistant", (Text("Here."), PICTURE, call)),
            Message("tool", (ToolResult("c1", (Text("done"),)),)),
            ASKED,
        )
    )

    body = _rendered(target, chat)

    if target == "openai_chat":
        assert [one["role"] for one in body["messages"]] == [
            "user",
            "assistant",
            "tool",
            "user",
            "user",
        ]
        shown = body["messages"][3]["content"]
    else:
        assert [one.get("role") for one in body["input"]] == [
            "user",
            "assistant",
            None,
            None,
            "user",
            "user",
        ]
        shown = body["input"][4]["content"]
    assert "iVBORw0KGgo=" in json.dumps(shown)


def test_images_that_a_model_made_are_read_from_the_clients_history() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}

    chat = _chatted(
        {"role": "user", "content": "draw"},
        {"role": "assistant", "content": "", "images": [image]},
        {"role": "user", "content": "bluer"},
    )

    assert chat.messages[1].parts == (Text(""), PICTURE)


def test_a_mark_for_the_cache_goes_from_a_chat_to_responses() -> None:
    mark = {"mode": "explicit"}
    part = {"type": "text", "text": "hi", "prompt_cache_breakpoint": mark}

    body = _rendered("openai_responses", _chatted({"role": "user", "content": [part]}))

    assert body["input"][0]["content"] == [
        {"type": "input_text", "text": "hi", "prompt_cache_breakpoint": mark}
    ]


@pytest.mark.parametrize("target", ["openai_responses", "anthropic", "gemini"])
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"n": 2}, "n"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"web_search_options": {"search_context_size": "low"}}, "web_search_options"),
        ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
    ],
)
def test_what_only_a_chat_completion_can_ask_for_is_refused_elsewhere(
    target: Dialect, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(Inexpressible) as refused:
        _rendered(target, _chatted(**fields))

    assert refused.value.field == field
    assert refused.value.code == "unsupported_feature"


@pytest.mark.parametrize("target", ["openai_chat", "anthropic", "gemini"])
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"background": True}, "background"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
    ],
)
def test_what_only_responses_can_ask_for_is_refused_elsewhere(
    target: Dialect, fields: dict[str, Any], field: str
) -> None:
    """DEFECT 6.4 done right: `background: true` and what OpenAI keeps are refused by name."""
    with pytest.raises(Inexpressible) as refused:
        _rendered(target, _parsed("openai_responses", input="hi", **fields))

    assert refused.value.field == field
    assert refused.value.code == "unsupported_feature"


def test_ids_of_parallel_calls_come_back_from_both_dialects() -> None:
    calls = (ToolCall("toolu_a", "f", '{"x":1}'), ToolCall("call_b", "g", "{}"))
    results = [Message("tool", (ToolResult(call.call_id, (Text("done"),)),)) for call in calls]
    tools = (Tool("f", "", {"type": "object"}), Tool("g", "", {"type": "object"}))
    chat = Chat(
        (ASKED, Message("assistant", calls), *results, ASKED),
        tools=tools,
        tool_choice=ToolChoice("auto", parallel=True),
    )

    for dialect in ("openai_chat", "openai_responses"):
        theirs = codec(dialect)
        back = theirs.parse_request(theirs.render_request(chat, model="m").body)
        assert back.messages == chat.messages
