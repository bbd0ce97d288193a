"""What is played for a request: pure rules, the same every time."""

from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.catalog.simulated import SIMULATED_ACCOUNT, SIMULATED_MODELS
from omniroute.routing.errors import BadRequest
from omniroute.routing.simulator.directives import Directives, read_directives, split_name
from omniroute.routing.simulator.director import script_for
from omniroute.routing.simulator.example import example_of
from omniroute.routing.simulator.models import MODELS, find_model
from omniroute.routing.simulator.performance import Cut, Frame, Wait, rechunk
from omniroute.routing.simulator.script import Asked, OfferedTool, Speech, ToolUse

from .raw import parse

HELLO = Asked(model="fast", said="hello there", input_bytes=11)
READ = OfferedTool("read_file", {"type": "object"})
WRITE = OfferedTool("write_file", {"type": "object"})


def called(asked: Asked) -> list[str]:
    return [step.name for step in script_for(asked).steps if isinstance(step, ToolUse)]


def test_an_answer_echoes_and_says_who_says_it() -> None:
    assert script_for(HELLO).text == "[simulated by sim/fast] You said: hello there"


def test_a_provider_in_the_name_changes_nothing() -> None:
    assert script_for(replace(HELLO, model="sim/fast")).text == script_for(HELLO).text


def test_another_providers_model_is_played_under_its_own_name() -> None:
    script = script_for(replace(HELLO, model="gpt-9"))

    assert script.text == "[simulated by sim/gpt-9] You said: hello there"
    assert script.model == "gpt-9"


def test_an_echo_is_cut_at_its_limit() -> None:
    script = script_for(replace(HELLO, said="x" * 5_000))

    assert script.text.endswith("You said: " + "x" * 2_000)


def test_the_smart_model_says_more_than_an_echo() -> None:
    smart = script_for(replace(HELLO, model="smart"))

    assert len(smart.text) > 2 * len(script_for(HELLO).text)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("hello", []),
        ("please read_file now", ["read_file"]),
        ("write_file, then read_file", ["read_file", "write_file"]),
        ("use a tool", ["read_file"]),
        ("read_files is another", []),
        ("toolbox", []),
    ],
)
def test_tools_are_called_by_name_or_by_the_word(said: str, expected: list[str]) -> None:
    assert called(replace(HELLO, said=said, tools=(READ, WRITE))) == expected


def test_a_tool_choice_is_obeyed() -> None:
    offered = replace(HELLO, tools=(READ, WRITE))

    assert called(replace(offered, tool_choice="required")) == ["read_file"]
    assert called(replace(offered, tool_choice="required", named="write_file")) == ["write_file"]
    assert called(replace(offered, said="read_file", tool_choice="none")) == []
    assert called(replace(offered, said="read_file write_file", parallel=False)) == ["read_file"]


def test_results_are_quoted_instead_of_calling_again() -> None:
    asked = replace(HELLO, said="use a tool", tools=(READ,), results=("done", "and done"))

    assert script_for(asked).text == "[simulated by sim/fast] The tool answered: done and done"


def test_usage_is_a_token_for_four_bytes_and_never_nothing() -> None:
    counted = script_for(HELLO).usage
    empty = script_for(Asked(model="fast@words=0", said="", input_bytes=0)).usage

    assert counted is not None
    assert (counted.input_tokens, counted.output_tokens) == (3, 12)
    assert empty is not None
    assert empty.input_tokens == 1


def test_usage_can_be_set_exactly() -> None:
    script = script_for(
        replace(HELLO, model="fast@input_tokens=1000,output_tokens=500,cached_tokens=200")
    )

    assert script.usage is not None
    assert script.usage.input_tokens == 1000
    assert script.usage.output_tokens == 500
    assert script.usage.cached_input_tokens == 200


@given(
    limit=st.integers(1, 40), said=st.text(max_size=60), model=st.sampled_from(["fast", "smart"])
)
def test_an_answer_keeps_to_its_limit_of_tokens(limit: int, said: str, model: str) -> None:
    asked = Asked(model=model, said=said, input_bytes=9, output_tokens_max=limit, thinking="shown")

    script, unlimited = script_for(asked), script_for(replace(asked, output_tokens_max=None))

    assert script.usage is not None
    assert unlimited.usage is not None
    assert script.usage.output_tokens <= limit
    assert (script.finish == "length") == (unlimited.usage.output_tokens > limit)
    assert unlimited.text.startswith(script.text)


def test_a_limit_cuts_tool_arguments_too() -> None:
    tool = OfferedTool("t", {"type": "object", "properties": {"a": {}}, "required": ["a"]})
    script = script_for(replace(HELLO, said="t", tools=(tool,), output_tokens_max=2))

    assert script.finish == "length"
    assert script.steps == (ToolUse("t", ('{"a":"si',)),)


def test_a_stop_sequence_ends_the_answer_before_itself() -> None:
    script = script_for(replace(HELLO, stop=("there", "said")))

    assert script.text == "[simulated by sim/fast] You "
    assert (script.finish, script.stop_sequence) == ("stop_sequence", "said")


def test_words_make_an_answer_of_that_length() -> None:
    script = script_for(replace(HELLO, model="cheap@words=200"))

    assert len(script.text.split()) == 203
    assert isinstance(script.steps[0], Speech)
    assert len(script.steps[0].pieces) == 203


def test_the_name_wins_over_the_control() -> None:
    control = Directives(latency=9.0, pace=1.0, fault="stall")

    script = script_for(replace(HELLO, model="fast@latency=0.5"), control)

    assert (script.timing.first_byte_s, script.timing.piece_s) == (0.5, 1.0)
    assert script.disturbance is not None
    assert script.disturbance.effect == "stall"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("fast@", "not of the form"),
        ("fast@fault", "not of the form"),
        ("fast@fault=", "not of the form"),
        ("fast@speed=3", "speed"),
        ("fast@after=-1", "after"),
        ("fast@after=two", "after"),
        ("fast@after=1,after=2", "given twice"),
        ("fast@chunk=0", "chunk"),
        ("fast@latency=nan", "latency"),
        ("fast@latency=1e9", "latency"),
        ("fast@fault=fire", "no fault is named 'fire'"),
    ],
)
def test_wrong_directives_are_refused_with_those_that_are_known(name: str, why: str) -> None:
    with pytest.raises(BadRequest, match=why) as refused:
        split_name(name)

    assert "known are fault, after, seconds" in str(refused.value)


def test_directives_are_read_from_json_values_too() -> None:
    assert read_directives({"after": 3, "latency": 0.5}) == Directives(after=3, latency=0.5)


SCHEMAS: list[dict[str, Any]] = [
    {},
    {"type": "string", "minLength": 20},
    {"type": "string", "maxLength": 3},
    {"type": "string", "format": "date-time"},
    {"type": "integer", "minimum": 5, "maximum": 9},
    {"type": "number", "exclusiveMinimum": 3},
    {"type": "integer", "maximum": -4},
    {"type": ["null", "boolean"]},
    {"type": "array", "items": {"type": "integer"}, "minItems": 3},
    {"type": "array", "maxItems": 0},
    {"enum": ["b", "a"]},
    {"const": {"x": 1}},
    {"anyOf": [{"type": "integer"}, {"type": "string"}]},
    {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/word"}, "b": {"type": "object"}},
        "required": ["a", "b"],
        "$defs": {"word": {"type": "string", "minLength": 12}},
        "additionalProperties": False,
    },
    {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "null"}}, "required": ["a"]},
            {"properties": {"b": {"type": "boolean"}}, "required": ["b"]},
        ]
    },
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_an_example_fits_its_schema(schema: dict[str, Any]) -> None:
    example: Any = example_of(schema)

    assert jsonschema.validators.validator_for(schema)(schema).is_valid(example)


def test_geminis_capital_types_are_understood() -> None:
    schema = {"type": "OBJECT", "properties": {"n": {"type": "INTEGER"}}, "required": ["n"]}

    assert example_of(schema) == {"n": 1}


def test_a_schema_that_requires_itself_ends() -> None:
    names = [f"p{number}" for number in range(50)]
    schema = {
        "type": "object",
        "properties": {name: {"$ref": "#"} for name in names},
        "required": names,
    }
    loop = {"allOf": [{"$ref": "#"}]}

    assert isinstance(example_of(schema), dict)
    example_of(loop)


def test_arguments_are_made_of_the_required_properties() -> None:
    schema = {
        "type": "object",
        "properties": {"path": {"type": "string"}, "mode": {"enum": ["r", "w"]}, "n": {}},
        "required": ["path", "mode"],
    }
    script = script_for(replace(HELLO, said="open", tools=(OfferedTool("open", schema),)))

    step = script.steps[0]
    assert isinstance(step, ToolUse)
    assert len(step.pieces) > 1
    assert parse("".join(step.pieces)) == {"path": "simulated", "mode": "r"}


FRAMES = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=40),
        st.builds(Wait, st.just(0.1), st.booleans()),
        st.just(Cut(reset=True)),
    ),
    max_size=30,
)


@given(frames=FRAMES, size=st.integers(1, 64))
def test_chunking_changes_no_byte(frames: list[Frame], size: int) -> None:
    chunked = list(rechunk(frames, size))

    sent = [frame for frame in chunked if isinstance(frame, bytes)]
    assert b"".join(sent) == b"".join(frame for frame in frames if isinstance(frame, bytes))
    assert all(len(one) <= size for one in sent)


@given(frames=FRAMES, size=st.integers(1, 64))
def test_chunking_sends_all_before_a_stall_or_a_cut(frames: list[Frame], size: int) -> None:
    def before_each(frames: list[Frame]) -> list[int]:
        sizes, sent = [], 0
        for frame in frames:
            if isinstance(frame, bytes):
                sent += len(frame)
            elif isinstance(frame, Cut) or frame.stall:
                sizes.append(sent)
        return sizes

    assert before_each(list(rechunk(frames, size))) == before_each(frames)


def test_the_simulators_models_are_those_of_the_catalogue() -> None:
    assert SIMULATED_ACCOUNT.models == tuple(model.name for model in MODELS)
    assert find_model("gpt-9") is None
    found = find_model("sim/smart@latency=0")
    assert found is not None
    assert found.facts is SIMULATED_MODELS["smart"]
