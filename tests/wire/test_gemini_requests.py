"""What a Gemini client asks for, read; and what a provider of Gemini's dialect is asked.

The golden bodies are written after Google's references, read 2026-11; `gemini_cli` has the shape
of what Gemini CLI 0.61 sends, seen 2026-11, with other words.
"""

import json
from typing import Any

import pytest

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
from omniroute.routing.wire.codec import Rendered
from omniroute.routing.wire.dropped import spelled
from omniroute.routing.wire.table import codec

from .answers import golden
from .vendor_rules import anthropic_faults, gemini_faults

FLASH = "gemini-2.5-flash"
NEW = "gemini-3-flash-preview"
HELLO = Message("user", (Text("hello"),))
TOOL = Tool("f", "does f", {"type": "object", "properties": {}})
CALL = ToolCall("a", "f", "{}")
PNG = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}
NO_SIGNATURE = "skip_thought_signature_validator"


def parsed(body: dict[str, Any]) -> Chat:
    whole = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}], **body}
    return codec("gemini").parse_request(json.dumps(whole).encode())


def rendered(chat: Chat, model: str = NEW) -> tuple[Any, Rendered]:
    written = codec("gemini").render_request(chat, model=model)
    body = json.loads(written.body)
    assert gemini_faults(body) == []
    return body, written


def asked(model: str = NEW, **fields: Any) -> tuple[Any, tuple[str, ...]]:
    body, written = rendered(Chat(messages=(HELLO,), **fields), model)
    return body, spelled(written.dropped, "anthropic")


def spoken(*parts: Any, role: str = "user") -> Chat:
    return parsed({"contents": [{"role": role, "parts": list(parts)}]})


def test_what_gemini_cli_sends_is_read() -> None:
    chat = codec("gemini").parse_request(golden("gemini", "gemini_cli.request"))

    assert chat.messages == (
        Message("system", (Text("You are an agent."),)),
        Message("user", (Text("Read the two files."),)),
        Message(
            "assistant",
            (
                Reasoning("I have to read both."),
                Reasoning(signature="gemini#CiQBjz1rX-fake"),
                ToolCall("call_1", "read_file", '{"path":"a"}'),
                ToolCall("call_2", "read_file", '{"path":"b"}'),
            ),
        ),
        Message(
            "user",
            (
                ToolResult("call_1", (Text("one"),)),
                ToolResult("call_2", (Text("no such file"),), is_error=True),
            ),
        ),
    )
    assert (chat.reasoning_effort, chat.reasoning_shown, chat.top_k) == ("high", True, 64)


def test_media_and_everything_else_come_back_to_gemini_as_they_were() -> None:
    theirs = json.loads(golden("gemini", "media.request"))

    body, written = rendered(codec("gemini").parse_request(golden("gemini", "media.request")))

    assert body == theirs
    assert written.dropped == ()


def test_media_are_read() -> None:
    chat = codec("gemini").parse_request(golden("gemini", "media.request"))

    low = {"mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}}
    assert chat.messages[0].parts[:6] == (
        Image(media_type="image/png", data="iVBORw0KGgo=", rest={"gemini": low}),
        Audio(media_type="audio/wav", data="UklGRg=="),
        Document(
            "application/pdf", data="JVBERi0xLjQ=", rest={"gemini": {"displayName": "report.pdf"}}
        ),
        Image("https://example.com/cat.jpg", "image/jpeg"),
        Document("application/pdf", url="https://example.com/a.pdf"),
        Audio("https://example.com/a.mp3", "audio/mpeg"),
    )
    assert chat.messages[2].parts == (
        ToolResult("c", (Text("drawn"), Image(media_type="image/png", data="iVBORw0KGgo="))),
    )
    assert (chat.seed, chat.frequency_penalty, chat.presence_penalty) == (7, 0.5, -0.5)
    assert (chat.logprobs, chat.tool_choice) == (3, ToolChoice("auto"))


@pytest.mark.parametrize(
    "part",
    [
        {"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}},
        {"fileData": {"fileUri": "gs://bucket/a.pdf", "mimeType": "application/pdf"}},
        {"fileData": {"fileUri": "https://youtu.be/fake"}},
        {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc"}},
    ],
)
def test_what_only_google_can_fetch_is_refused_elsewhere(part: dict[str, Any]) -> None:
    chat = spoken(part)

    with pytest.raises(BadRequest, match="cannot be expressed in the anthropic dialect"):
        codec("anthropic").render_request(chat, model="m")
    assert rendered(chat)[0]["contents"][0]["parts"] == [part]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"cachedContent": "cachedContents/abc"}, "cachedContent"),
        ({"tools": [{"googleSearch": {}}]}, "tools"),
        ({"tools": [{"codeExecution": {}}]}, "tools"),
        (
            {"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}},
            "generationConfig.responseModalities",
        ),
        (
            {"generationConfig": {"responseMimeType": "text/x.enum"}},
            "generationConfig.responseMimeType",
        ),
        ({"generationConfig": {"candidateCount": 2}}, "generationConfig.candidateCount"),
    ],
)
def test_what_only_google_does_is_refused_elsewhere(fields: dict[str, Any], field: str) -> None:
    chat = parsed(fields)

    for dialect in ("anthropic", "openai_chat", "openai_responses"):
        with pytest.raises(BadRequest, match="cannot be expressed") as refused:
            codec(dialect).render_request(chat, model="m")
        assert refused.value.field == field
    assert rendered(chat)[0].items() >= fields.items()


def test_what_google_has_run_goes_elsewhere_in_words() -> None:
    code = {"executableCode": {"language": "PYTHON", "code": "print(1)"}}
    result = {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}
    chat = spoken(code, result, {"text": "One."}, role="model")

    body = json.loads(codec("openai_chat").render_request(chat, model="m").body)

    assert [part["text"] for part in body["messages"][0]["content"]] == ["print(1)", "1", "One."]
    assert rendered(chat)[0]["contents"][0]["parts"] == [code, result, {"text": "One."}]


def test_one_part_may_stand_without_its_list() -> None:
    chat = parsed(
        {
            "contents": [{"parts": {"text": "hi"}}],
            "system_instruction": {"parts": {"text": "be kind"}},
        }
    )

    assert [message.parts for message in chat.messages] == [(Text("be kind"),), (Text("hi"),)]


CALLING: list[tuple[dict[str, Any], ToolChoice, list[str]]] = [
    ({"mode": "AUTO"}, ToolChoice("auto"), ["f", "g", "h"]),
    ({"mode": "NONE"}, ToolChoice("none"), ["f", "g", "h"]),
    ({"mode": "ANY"}, ToolChoice("required"), ["f", "g", "h"]),
    ({"mode": "any", "allowedFunctionNames": ["g"]}, ToolChoice("named", "g"), ["f", "g", "h"]),
    ({"mode": "ANY", "allowedFunctionNames": ["f", "h"]}, ToolChoice("required"), ["f", "h"]),
    ({"mode": "VALIDATED"}, ToolChoice("auto"), ["f", "g", "h"]),
    ({"mode": "VALIDATED", "allowed_function_names": ["f"]}, ToolChoice("auto"), ["f"]),
    ({"mode": "MODE_UNSPECIFIED"}, ToolChoice("auto"), ["f", "g", "h"]),
]


@pytest.mark.parametrize(("calling", "choice", "names"), CALLING)
def test_every_choice_of_tools_is_read(
    calling: dict[str, Any], choice: ToolChoice, names: list[str]
) -> None:
    tools = [{"functionDeclarations": [{"name": name} for name in "fgh"]}]

    chat = parsed({"tools": tools, "toolConfig": {"functionCallingConfig": calling}})

    assert chat.tool_choice == choice
    assert [tool.name for tool in chat.tools] == names


def test_an_unknown_choice_is_refused_by_name() -> None:
    with pytest.raises(BadRequest, match=r"toolConfig\.functionCallingConfig\.mode"):
        parsed({"toolConfig": {"functionCallingConfig": {"mode": "SOMETIMES"}}})


@pytest.mark.parametrize(
    ("choice", "calling"),
    [
        (ToolChoice("auto"), {"mode": "AUTO"}),
        (ToolChoice("none"), {"mode": "NONE"}),
        (ToolChoice("required"), {"mode": "ANY"}),
        (ToolChoice("named", "f"), {"mode": "ANY", "allowedFunctionNames": ["f"]}),
    ],
)
def test_defect_6_6_every_choice_of_tools_is_written(
    choice: ToolChoice, calling: dict[str, Any]
) -> None:
    body, dropped = asked(tools=(TOOL,), tool_choice=choice)

    assert body["toolConfig"] == {"functionCallingConfig": calling}
    assert dropped == ()


def test_that_calls_must_not_be_parallel_is_named() -> None:
    _, dropped = asked(tools=(TOOL,), tool_choice=ToolChoice("auto", parallel=False))

    assert dropped == ("tool_choice.disable_parallel_tool_use",)


def test_defect_6_6_stops_seeds_and_penalties_are_written() -> None:
    body, dropped = asked(
        stop=("END",), seed=7, frequency_penalty=0.5, presence_penalty=-0.5, logprobs=2, top_k=9
    )

    assert body["generationConfig"] == {
        "stopSequences": ["END"],
        "seed": 7,
        "frequencyPenalty": 0.5,
        "presencePenalty": -0.5,
        "responseLogprobs": True,
        "logprobs": 2,
        "topK": 9,
    }
    assert dropped == ()


def test_what_gemini_has_no_place_for_is_named() -> None:
    body, dropped = asked(user="someone", seed=2**40, stop=tuple("abcdef"))

    assert body["generationConfig"] == {"stopSequences": list("abcde")}
    assert dropped == ("stop_sequences", "seed", "metadata.user_id")


def test_defect_6_6_several_system_turns_keep_their_order_and_stay_the_systems() -> None:
    turns = (
        Message("system", (Text("first"),)),
        HELLO,
        Message("developer", (Text("second"),)),
    )

    body, _ = rendered(Chat(messages=turns))

    assert body["systemInstruction"]["parts"] == [{"text": "first"}, {"text": "second"}]
    assert body["contents"] == [{"role": "user", "parts": [{"text": "hello"}]}]


def test_defect_6_6_an_image_with_a_url_is_sent_by_its_url() -> None:
    image = Image(url="https://example.com/cat.jpg")

    body, _ = rendered(Chat(messages=(Message("user", (image,)),)))

    assert body["contents"][0]["parts"] == [{"fileData": {"fileUri": image.url}}]


KEYWORDS = {
    name: {"type": "string"}
    for name in ("title", "format", "default", "const", "type", "items", "properties", "nullable")
}


def test_defect_6_6_properties_named_like_keywords_survive() -> None:
    schema = {"type": "object", "properties": KEYWORDS, "required": list(KEYWORDS)}
    googles = json.loads(json.dumps(schema).replace('"string"', '"STRING"'))
    declared = {"name": "f", "parameters": {**googles, "type": "OBJECT"}}

    body, _ = asked(tools=(Tool("f", "", schema),), json_schema={"schema": schema})
    chat = parsed({"tools": [{"functionDeclarations": [declared]}]})

    function = body["tools"][0]["functionDeclarations"][0]
    assert function["parametersJsonSchema"] == schema
    assert body["generationConfig"]["responseJsonSchema"] == schema
    assert chat.tools[0].parameters == schema


def test_defect_6_6_schemas_are_sent_whole() -> None:
    schema = {
        "type": "object",
        "properties": {
            "one": {"$ref": "#/$defs/one"},
            "two": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
            "three": {"type": ["string", "null"], "pattern": "^a"},
            "four": {"allOf": [{"const": 4}]},
        },
        "$defs": {"one": {"type": "string", "format": "date"}},
        "additionalProperties": False,
    }

    body, _ = asked(tools=(Tool("f", "", schema),), json_schema={"schema": schema})

    assert body["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"] == schema
    assert body["generationConfig"]["responseJsonSchema"] == schema


def test_googles_own_schemas_become_json_schemas() -> None:
    chat = parsed(
        {
            "generationConfig": {
                "responseMimeType": "application/json",
                "response_schema": {
                    "type": "OBJECT",
                    "properties": {
                        "names": {"type": "ARRAY", "items": {"type": "STRING"}, "minItems": "1"},
                        "kind": {"type": "STRING", "enum": ["a"], "nullable": True},
                        "any": {"any_of": [{"type": "NUMBER"}, {"type": "BOOLEAN"}]},
                    },
                    "propertyOrdering": ["names", "kind"],
                },
            }
        }
    )

    assert chat.json_schema == {
        "schema": {
            "type": "object",
            "properties": {
                "names": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                "kind": {"type": ["string", "null"], "enum": ["a", None]},
                "any": {"anyOf": [{"type": "number"}, {"type": "boolean"}]},
            },
            "propertyOrdering": ["names", "kind"],
        }
    }


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "dropped"),
    [
        (FLASH, "low", {"thinkingBudget": 1024}, ()),
        (FLASH, "medium", {"thinkingBudget": 8192}, ()),
        (FLASH, "max", {"thinkingBudget": 24576}, ()),
        ("gemini-2.5-pro", "high", {"thinkingBudget": 24576}, ()),
        (NEW, "minimal", {"thinkingLevel": "MINIMAL"}, ()),
        (NEW, "xhigh", {"thinkingLevel": "HIGH"}, ()),
        ("gemini-3-pro-preview", "medium", {"thinkingLevel": "LOW"}, ()),
        ("gemini-3.1-pro-preview", "minimal", {"thinkingLevel": "LOW"}, ()),
        ("gemini-flash-latest", "medium", {"thinkingLevel": "MEDIUM"}, ()),
        ("gemini-2.0-flash", "low", None, ("output_config.effort",)),
        ("gemma-3-27b-it", "low", None, ("output_config.effort",)),
        (NEW, "utmost", None, ("output_config.effort",)),
    ],
)
def test_defect_6_6_an_effort_is_asked_for_as_the_model_takes_it(
    model: str, effort: str, thinking: dict[str, Any] | None, dropped: tuple[str, ...]
) -> None:
    body, left_out = asked(model, reasoning_effort=effort)

    written = body.get("generationConfig", {}).get("thinkingConfig", {})
    shown = written.pop("includeThoughts", None)
    assert written == (thinking or {})
    assert left_out == dropped
    assert shown is True or thinking is None


@pytest.mark.parametrize(
    ("model", "tokens", "thinking", "dropped"),
    [
        (FLASH, 5000, {"thinkingBudget": 5000, "includeThoughts": True}, ()),
        (FLASH, 31999, {"thinkingBudget": 24576, "includeThoughts": True}, ()),
        (FLASH, 0, {"thinkingBudget": 0}, ()),
        ("gemini-2.5-pro", 31999, {"thinkingBudget": 31999, "includeThoughts": True}, ()),
        ("gemini-2.5-pro", 0, {"thinkingBudget": 128}, ("thinking.budget_tokens",)),
        (
            "gemini-2.5-flash-lite",
            100,
            {"thinkingBudget": 512, "includeThoughts": True},
            (),
        ),
        (
            NEW,
            8000,
            {"thinkingLevel": "MEDIUM", "includeThoughts": True},
            ("thinking.budget_tokens",),
        ),
        (NEW, 0, {"thinkingLevel": "MINIMAL"}, ("thinking.budget_tokens",)),
        ("gemini-2.0-flash", 0, None, ()),
    ],
)
def test_a_budget_of_thought_is_asked_for_as_the_model_takes_it(
    model: str, tokens: int, thinking: dict[str, Any] | None, dropped: tuple[str, ...]
) -> None:
    body, left_out = asked(model, reasoning_tokens_max=tokens)

    assert body.get("generationConfig", {}).get("thinkingConfig") == thinking
    assert left_out == dropped


@pytest.mark.parametrize(
    ("config", "effort", "tokens", "shown"),
    [
        ({"includeThoughts": True, "thinkingBudget": 8192}, None, 8192, True),
        ({"include_thoughts": True, "thinking_level": "LOW"}, "low", None, True),
        ({"thinkingBudget": 0}, None, 0, False),
        ({"thinkingBudget": -1}, None, None, False),
        ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}, None, None, False),
        ({}, None, None, None),
    ],
)
def test_how_much_is_to_be_thought_is_read(
    config: dict[str, Any], effort: str | None, tokens: int | None, *, shown: bool | None
) -> None:
    chat = parsed({"generation_config": {"thinking_config": config}})

    assert (chat.reasoning_effort, chat.reasoning_tokens_max) == (effort, tokens)
    assert chat.reasoning_shown is shown


def test_a_budget_below_nothing_is_refused_by_name() -> None:
    with pytest.raises(BadRequest, match=r"generationConfig\.thinkingConfig\.thinkingBudget"):
        parsed({"generationConfig": {"thinkingConfig": {"thinkingBudget": -2}}})


def test_gemini_clis_loop_goes_on_at_anthropic() -> None:
    chat = codec("gemini").parse_request(golden("gemini", "gemini_cli.request"))

    written = codec("anthropic").render_request(chat, model="claude-haiku-4-5")

    body = json.loads(written.body)
    assert anthropic_faults(body) == []
    assert [block["type"] for block in body["messages"][1]["content"]] == ["tool_use", "tool_use"]
    assert [block["tool_use_id"] for block in body["messages"][2]["content"]] == [
        *("call_1", "call_2"),
    ]
    assert body["messages"][2]["content"][1]["is_error"] is True
    assert NO_SIGNATURE not in json.dumps(body)
    assert spelled(written.dropped, "gemini") == (
        "generationConfig.thinkingConfig.thinkingLevel",
        "contents.parts.thought",
        "generationConfig.topP",
    )


def test_what_anthropic_is_asked_for_gemini_cli_is_pinned() -> None:
    chat = codec("gemini").parse_request(golden("gemini", "gemini_cli.request"))

    written = codec("anthropic").render_request(chat, model="claude-opus-5")

    assert json.loads(written.body) == json.loads(golden("anthropic", "from_gemini_cli.request"))
    assert anthropic_faults(json.loads(written.body)) == []


def test_defect_6_6_no_safety_settings_are_made() -> None:
    body, _ = asked(tools=(TOOL,))

    assert body.keys() == {"contents", "tools"}


def _parts(body: Any, place: int) -> Any:
    return body["contents"][place]["parts"]


def test_defect_6_6_the_real_signature_goes_back_on_its_own_part() -> None:
    turns = (
        HELLO,
        Message("assistant", (Reasoning(signature="gemini#c2ln"), CALL)),
        Message("tool", (ToolResult("a", (Text("one"),)),)),
    )

    body, _ = rendered(Chat(messages=turns))

    assert _parts(body, 1) == [
        {"functionCall": {"id": "a", "name": "f", "args": {}}, "thoughtSignature": "c2ln"}
    ]


def test_a_call_of_the_running_turn_without_a_signature_says_so_to_gemini_3() -> None:
    loop = (
        Message("assistant", (Reasoning("hm", signature="c2ln"), CALL, ToolCall("b", "f", "{}"))),
        Message("tool", (ToolResult("a", (Text("one"),)), ToolResult("b", (Text("two"),)))),
    )
    chat = Chat(messages=(HELLO, *loop, HELLO, *loop))

    new, _ = rendered(chat)
    old, _ = rendered(chat, FLASH)

    signatures = [[part.get("thoughtSignature") for part in _parts(new, at)] for at in (1, 3)]
    assert signatures == [[None, None], [NO_SIGNATURE, None]]
    assert "c2ln" not in json.dumps(new)
    assert "thoughtSignature" not in json.dumps(old)


@pytest.mark.parametrize("none", [NO_SIGNATURE, "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="])
def test_a_value_that_says_there_is_no_signature_is_none(none: str) -> None:
    chat = spoken({"text": "hi", "thoughtSignature": none}, role="model")

    assert chat.messages[0].parts == (Text("hi"),)


def test_images_that_a_function_answered_stand_where_the_model_takes_them() -> None:
    picture = Image(media_type="image/png", data="iVBORw0KGgo=")
    notes = Document("text/plain", text="words", title="Notes")
    turns = (
        HELLO,
        Message("assistant", (CALL,)),
        Message("tool", (ToolResult("a", (Text("see"), picture, notes)),)),
    )

    new, _ = rendered(Chat(messages=turns))
    old, _ = rendered(Chat(messages=turns), FLASH)

    answer = {"id": "a", "name": "f", "response": {"output": "see\nNotes\n\nwords"}}
    assert _parts(new, 2) == [{"functionResponse": {**answer, "parts": [PNG]}}]
    assert _parts(old, 2) == [{"functionResponse": answer}, PNG]


def test_defect_6_4_calls_without_ids_and_their_results_keep_together() -> None:
    call = {"functionCall": {"name": "f", "args": {}}}
    answers = [
        {"functionResponse": {"name": "f", "response": {"output": text}}} for text in ("1", "2")
    ]
    chat = parsed(
        {
            "contents": [
                {"role": "user", "parts": [{"text": "go"}]},
                {"role": "model", "parts": [call, call]},
                {"role": "user", "parts": answers},
            ]
        }
    )

    body = json.loads(codec("openai_chat").render_request(chat, model="gpt-4o").body)

    ids = [one["id"] for one in body["messages"][1]["tool_calls"]]
    assert len(set(ids)) == 2
    assert [(one["tool_call_id"], one["content"]) for one in body["messages"][2:]] == [
        *zip(ids, ("1", "2"), strict=True)
    ]


def test_defect_6_4_what_gemini_clients_say_goes_elsewhere() -> None:
    config = {
        "maxOutputTokens": 9,
        "stopSequences": ["END"],
        "responseMimeType": "application/json",
        "responseSchema": {"type": "OBJECT"},
    }
    calling = {"functionCallingConfig": {"mode": "ANY"}}
    tools = [{"functionDeclarations": [{"name": "f"}]}]
    chat = parsed({"tools": tools, "toolConfig": calling, "generationConfig": config})

    body = json.loads(codec("openai_chat").render_request(chat, model="gpt-4o").body)

    assert (body["tool_choice"], body["stop"], body["max_tokens"]) == ("required", ["END"], 9)
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}


def test_defect_6_11_images_tools_and_settings_of_v1beta_survive() -> None:
    chat = parsed(
        {
            "contents": [{"parts": [{"text": "what is it?"}, PNG]}],
            "tools": [{"functionDeclarations": [{"name": "f", "description": "does f"}]}],
            "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
        }
    )

    written = codec("anthropic").render_request(chat, model="claude-haiku-4-5")

    body = json.loads(written.body)
    assert anthropic_faults(body) == []
    assert [block["type"] for block in body["messages"][0]["content"]] == ["text", "image"]
    assert [tool["name"] for tool in body["tools"]] == ["f"]
    assert written.dropped == ("safetySettings",)
