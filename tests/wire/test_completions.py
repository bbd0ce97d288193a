"""text_completion: what a body asks for, and a stream that folds to the whole answer."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.conversation import (
    Chat,
    Delta,
    Finish,
    Message,
    Text,
    TokenLogprob,
    Usage,
)
from omniroute.routing.errors import BadRequest
from omniroute.routing.wire.codec import Head
from omniroute.routing.wire.completions import (
    CompletionStream,
    parse_completion,
    render_completion,
)
from omniroute.routing.wire.operations import operation_of_chat
from omniroute.routing.wire.table import codec
from tests.wire.answers import FINISHES, events

HEAD = Head("answer-1", "a-model", 1_700_000_000)
ODDS = (
    TokenLogprob("Hi", -0.25, (("Hi", -0.25), ("Yo", -1.5))),
    TokenLogprob(" you", -0.5, ((" you", -0.5),)),
)


def body(**fields: object) -> bytes:
    return json.dumps({"model": "m", "prompt": "Say", **fields}).encode()


def folded(stream: bytes) -> Any:
    """Add up the chunks of each choice, as a client would."""
    whole: Any = {"choices": {}}
    for _, chunk in events(stream):
        if chunk == "[DONE]":
            break
        for choice in chunk.pop("choices"):
            place = whole["choices"].setdefault(choice["index"], choice)
            if place is choice:
                continue
            place["text"] += choice["text"]
            place["finish_reason"] = choice["finish_reason"] or place["finish_reason"]
            for name, told in (choice["logprobs"] or {}).items():
                place["logprobs"] = place["logprobs"] or {}
                place["logprobs"][name] = [*place["logprobs"].get(name, []), *told]
        usage = chunk.pop("usage", None)
        whole = {**chunk, "choices": whole["choices"], **({"usage": usage} if usage else {})}
    return {**whole, "choices": [whole["choices"][one] for one in sorted(whole["choices"])]}


answers = st.tuples(
    st.lists(st.text(max_size=5), max_size=4),
    st.sampled_from(FINISHES),
    st.integers(0, 50),
).map(
    lambda made: [
        *(Delta(text=text) for text in made[0]),
        Delta(finish=made[1]),
        Delta(usage=Usage(3, made[2]), ended=True),
    ]
)


@given(told=st.lists(answers, min_size=1, max_size=3), echo=st.booleans())
def test_a_stream_folds_to_the_whole_answer(told: list[list[Delta]], echo: bool) -> None:
    options = {"include_usage": True}
    asked = parse_completion(body(n=len(told), echo=echo, stream_options=options))
    stream = CompletionStream(asked, HEAD)

    written = b""
    for number, deltas in enumerate(told):
        writer = stream.writer(number, "a-model")
        written += b"".join([*(writer.write(delta) for delta in deltas), writer.end()])

    assert folded(written) == json.loads(render_completion(asked, told, HEAD))
    assert written.count(b"[DONE]") == 1


def test_odds_are_told_in_the_older_form_and_offsets_follow_what_is_echoed() -> None:
    asked = parse_completion(body(logprobs=2))
    told = [Delta(text="Hi you", logprobs=ODDS), Delta(finish="length", ended=True)]

    choice = json.loads(render_completion(asked, [told], HEAD))["choices"][0]

    assert choice["logprobs"] == {
        "tokens": ["Hi", " you"],
        "token_logprobs": [-0.25, -0.5],
        "top_logprobs": [{"Hi": -0.25, "Yo": -1.5}, {" you": -0.5}],
        "text_offset": [0, 2],
    }
    assert asked.chat.logprobs == 2


@pytest.mark.parametrize(
    ("finish", "word"),
    [
        ("stop", "stop"),
        ("stop_sequence", "stop"),
        ("tool_calls", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
    ],
)
def test_a_finish_has_one_of_three_words(finish: Finish, word: str) -> None:
    asked = parse_completion(body())

    whole = json.loads(render_completion(asked, [[Delta(text="x"), Delta(finish=finish)]], HEAD))

    assert whole["choices"][0]["finish_reason"] == word


def test_each_prompt_is_a_chat_as_often_as_n_says_and_numbers_go_by_prompt() -> None:
    asked = parse_completion(body(prompt=["a", "b"], n=2, echo=True))

    said = [chat.messages[0].parts[0] for chat in asked.chats()]

    assert [getattr(part, "text", None) for part in said] == ["a", "a", "b", "b"]
    assert [asked.echoed(number) for number in range(4)] == ["a", "a", "b", "b"]


def test_fields_that_nobody_reads_go_on_to_providers_of_the_dialect() -> None:
    asked = parse_completion(body(logit_bias={"50256": -100}, seed=7, presence_penalty=0.5))

    assert asked.chat.rest == {"openai_chat": {"logit_bias": {"50256": -100}}}
    assert (asked.chat.seed, asked.chat.presence_penalty) == (7, 0.5)


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"prompt": [1, 2]}, "prompt", "token ids"),
        ({"prompt": [[1], [2]]}, "prompt", "token ids"),
        ({"prompt": None}, "prompt", "missing"),
        ({"prompt": []}, "prompt", "a list of strings"),
        ({"prompt": ["a", 1]}, "prompt", "a list of strings"),
        ({"model": None}, "model", "missing"),
        ({"best_of": 3}, "best_of", "compared"),
        ({"logprobs": 6}, "logprobs", "0 to 5"),
        ({"logprobs": 1, "echo": True}, "echo", "echoed"),
        ({"n": 129}, "n", "at most 128"),
        ({"n": 65, "prompt": ["a", "b"]}, "n", "at most 128"),
        ({"seed": 1.5}, "seed", "an integer"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    fields: dict[str, object], field: str, words: str
) -> None:
    with pytest.raises(BadRequest, match=words) as refused:
        parse_completion(body(**fields))

    assert refused.value.field == field


def test_an_effort_is_told_whatever_name_the_model_goes_by() -> None:
    chat = Chat((Message("user", (Text("x"),)),), reasoning_effort="low")

    for target in ("auto", "anthropic/claude-opus-5-5", "openai/gpt-5.5"):
        operation = operation_of_chat(chat, target=target)
        assert codec("openai_chat").parse_request(operation.body).reasoning_effort == "low"
