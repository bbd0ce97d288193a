"""What a decision reads of a body, and bodies that cannot be read."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.errors import BadRequest
from omniroute.routing.model import Dialect
from omniroute.routing.wire.features import CHECKED_BYTES
from omniroute.routing.wire.table import codec

from .answers import DIALECTS, golden

MINIMAL: dict[Dialect, dict[str, Any]] = {
    "openai_chat": {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
    "anthropic": {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hi"}],
    },
    "openai_responses": {"model": "m", "input": "hi"},
    "gemini": {"contents": [{"parts": [{"text": "hi"}]}]},
}
LIMITS: dict[Dialect, str] = {
    "openai_chat": "max_tokens",
    "anthropic": "max_tokens",
    "openai_responses": "max_output_tokens",
}
DEEP = b"[" * 100_000 + b"]" * 100_000


def _body(dialect: Dialect, **fields: object) -> bytes:
    return json.dumps({**MINIMAL[dialect], **fields}).encode()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_sizes_are_an_estimate_and_a_bound(dialect: Dialect) -> None:
    body = _body(dialect)

    _, features = codec(dialect).read_features(body)

    assert features.input_tokens == len(body) // 4
    assert features.input_tokens_max == len(body) + 64
    assert (features.stream, features.tools, features.images) == (False, False, False)


@pytest.mark.parametrize(
    ("dialect", "case", "model"),
    [
        ("openai_chat", "image.request", "gpt-4o"),
        ("anthropic", "image.request", "claude-sonnet-4-5"),
        ("openai_responses", "tools.request", "gpt-5"),
        ("gemini", "tools.request", ""),
    ],
)
def test_images_and_schemas_are_seen(dialect: Dialect, case: str, model: str) -> None:
    asked, features = codec(dialect).read_features(golden(dialect, case))

    assert asked == model
    assert features.images
    assert features.json_schema


@pytest.mark.parametrize("dialect", DIALECTS)
def test_tools_are_seen_and_an_empty_list_is_none(dialect: Dialect) -> None:
    with_tools = codec(dialect).read_features(golden(dialect, "tools.request"))[1]
    without = codec(dialect).read_features(_body(dialect, tools=[]))[1]
    null = codec(dialect).read_features(_body(dialect, tools=None))[1]

    assert with_tools.tools
    assert not without.tools
    assert not null.tools


def test_talk_of_images_is_no_image() -> None:
    said = 'write {"type": "image_url"} please'

    _, features = codec("openai_chat").read_features(
        _body("openai_chat", messages=[{"role": "user", "content": said}])
    )

    assert not features.images


@pytest.mark.parametrize("dialect", ["openai_chat", "anthropic"])
def test_an_image_is_seen_among_turns_of_text_and_inside_what_a_tool_gave(dialect: Dialect) -> None:
    image = {"type": "image", "source": {}}
    given = {"type": "tool_result", "tool_use_id": "t", "content": [image]}
    text: dict[str, object] = {"role": "user", "content": 'say {"type":"image"}'}

    turns = [text, {"role": "user", "content": [given]}, text]
    with_image = codec(dialect).read_features(_body(dialect, messages=turns))[1]
    without = codec(dialect).read_features(_body(dialect, messages=[text, {"role": "assistant"}]))

    assert with_image.images
    assert not without[1].images


@pytest.mark.parametrize(
    ("dialect", "turns"),
    [("openai_chat", "messages"), ("anthropic", "messages"), ("gemini", "contents")],
)
@pytest.mark.parametrize(("turn", "field"), [(3, "[1]"), ({"role": 3}, "[1].role")])
def test_a_turn_that_is_none_is_named(
    dialect: Dialect, turns: str, turn: object, field: str
) -> None:
    body = _body(dialect, **{turns: [{"role": "user"}, turn]})

    with pytest.raises(BadRequest) as refused:
        codec(dialect).read_features(body)

    assert refused.value.field == turns + field


@pytest.mark.parametrize("cut", range(-4, 4))
@pytest.mark.parametrize("bad", [b"\xff", b"\xc3", b"\xf0\x9f\x98", b"\xed\xa0\x80"])
def test_what_is_no_utf_8_is_refused_wherever_a_long_body_has_it(cut: int, bad: bytes) -> None:
    text = ("é" * CHECKED_BYTES).encode()
    at = CHECKED_BYTES + cut
    good = _body("openai_chat", messages=[{"content": "HERE"}]).replace(b"HERE", b"a" * at + text)

    assert codec("openai_chat").read_features(good)[0] == "m"
    with pytest.raises(BadRequest, match="UTF-8"):
        codec("openai_chat").read_features(good.replace(b"aa\xc3", b"aa" + bad + b"\xc3"))


@pytest.mark.parametrize(
    ("dialect", "fields", "bound"),
    [
        ("openai_chat", {"max_tokens": 7}, 7),
        ("openai_chat", {"max_completion_tokens": 8, "max_tokens": 7}, 8),
        ("openai_chat", {"max_tokens": 7, "n": 3}, 21),
        ("openai_chat", {"max_tokens": None}, None),
        ("anthropic", {"max_tokens": 9}, 9),
        ("openai_responses", {"max_output_tokens": 10}, 10),
        ("gemini", {"generationConfig": {"maxOutputTokens": 11}}, 11),
        ("gemini", {"generation_config": {"max_output_tokens": 12, "candidate_count": 2}}, 24),
    ],
)
def test_the_bound_on_the_answer_is_the_clients(
    dialect: Dialect, fields: dict[str, object], bound: int | None
) -> None:
    _, features = codec(dialect).read_features(_body(dialect, **fields))

    assert features.output_tokens_max == bound


@pytest.mark.parametrize("dialect", ["openai_chat", "anthropic", "openai_responses"])
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"model": None}, "model"),
        ({"model": 3}, "model"),
        ({"model": ""}, "model"),
        ({"stream": "yes"}, "stream"),
        ({"stream": 1}, "stream"),
    ],
)
def test_a_wrong_field_is_named(dialect: Dialect, fields: dict[str, object], field: str) -> None:
    with pytest.raises(BadRequest) as refused:
        codec(dialect).read_features(_body(dialect, **fields))

    assert refused.value.field == field


@pytest.mark.parametrize("dialect", ["openai_chat", "anthropic"])
@pytest.mark.parametrize("messages", [None, "hi", {}, 3])
def test_messages_must_be_a_list(dialect: Dialect, messages: object) -> None:
    with pytest.raises(BadRequest) as refused:
        codec(dialect).read_features(_body(dialect, messages=messages))

    assert refused.value.field == "messages"


@pytest.mark.parametrize("dialect", LIMITS)
@pytest.mark.parametrize("limit", [-1, "9", 1.5, True, 10**30, 10**10])
def test_an_absurd_bound_is_refused(dialect: Dialect, limit: object) -> None:
    with pytest.raises(BadRequest) as refused:
        codec(dialect).read_features(_body(dialect, **{LIMITS[dialect]: limit}))

    assert refused.value.field in (LIMITS[dialect], None)


@pytest.mark.parametrize("asked", [3, {}, None])
def test_input_must_be_there_unless_the_provider_keeps_it(asked: object) -> None:
    responses = codec("openai_responses")

    with pytest.raises(BadRequest) as refused:
        responses.read_features(_body("openai_responses", input=asked))

    assert refused.value.field == "input"
    assert responses.read_features(b'{"model":"m","previous_response_id":"r"}')[0] == "m"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"a":1} trailing',
        b'{"model":"m","messages":[NaN],"contents":[NaN],"input":[NaN]}',
        b'{"model":"m","messages":["\xff"],"contents":["\xff"],"input":["\xff"]}',
        b'{"model":"\\ud800","messages":[],"contents":[],"input":[],"x":"\\ud800"',
        b'{"model":"m","messages":%b,"contents":%b,"input":%b}' % (DEEP, DEEP, DEEP),
        b'{"model":"m","messages":[],"contents":[],"input":[],"x":%b}' % DEEP,
    ],
)
def test_what_is_no_json_object_is_a_bad_request(dialect: Dialect, body: bytes) -> None:
    with pytest.raises(BadRequest):
        codec(dialect).read_features(body)
    with pytest.raises(BadRequest):
        codec(dialect).parse_request(body)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3),
    max_leaves=8,
)
_names = st.sampled_from(
    (
        "model", "messages", "role", "content", "type", "text", "tools", "function", "name",
        "input", "contents", "parts", "generationConfig", "tool_choice", "image_url", "stream",
        "system", "source", "tool_calls", "tool_call_id", "stop", "response_format",
    )
)  # fmt: skip
_nearly = st.recursive(
    _json | st.sampled_from(["user", "assistant", "tool", "text", "image", "tool_use"]),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(_names, below, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(fields=st.dictionaries(_names, _nearly, max_size=6))
def test_any_json_is_read_or_is_a_bad_request(dialect: Dialect, fields: dict[str, Any]) -> None:
    theirs = codec(dialect)
    body = json.dumps({**MINIMAL[dialect], **fields}).encode()

    for reading in (theirs.read_features, theirs.parse_request):
        try:
            result: object = reading(body)
        except BadRequest as refusal:
            result = str(refusal)
        assert result


DEEP_TOOLS: dict[Dialect, tuple[str, str]] = {
    "openai_chat": ('[{"type":"function","function":{"name":"f","parameters":{"items":', "}}}]"),
    "openai_responses": ('[{"type":"function","name":"f","parameters":{"items":', "}}]"),
    "anthropic": ('[{"name":"f","input_schema":{"items":', "}}]"),
    "gemini": ('[{"functionDeclarations":[{"name":"f","parameters":{"items":', "}}]}]"),
}


def _deep(dialect: Dialect, depth: int) -> bytes:
    opening, closing = DEEP_TOOLS[dialect]
    tools = opening + '{"items":' * depth + "1" + "}" * depth + closing
    return _body(dialect, tools="HERE").replace(b'"HERE"', tools.encode())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_deep_schema_is_rendered(dialect: Dialect) -> None:
    chat = codec(dialect).parse_request(_deep(dialect, 100))

    for target in DIALECTS:
        assert codec(target).render_request(chat, model="m").body.count(b'"items"') == 101


@pytest.mark.parametrize("depth", [300, 490, 900, 960, 990])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_any_depth_is_rendered_or_is_a_bad_request(dialect: Dialect, depth: int) -> None:
    body = _deep(dialect, depth)

    with suppress(BadRequest):
        chat = codec(dialect).parse_request(body)
        for target in DIALECTS:
            with suppress(BadRequest):
                assert codec(target).render_request(chat, model="m").body


def test_documents_inside_documents_are_read_or_are_a_bad_request() -> None:
    block = '{"type":"document","source":{"type":"content","content":['
    body = _body("anthropic", messages=[{"role": "user", "content": ["HERE"]}])
    nested = block * 400 + '{"type":"text","text":"x"}' + "]}}" * 400

    with pytest.raises(BadRequest, match="nested too deeply"):
        codec("anthropic").parse_request(body.replace(b'"HERE"', nested.encode()))
