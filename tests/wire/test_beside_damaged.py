"""Bodies of the endpoints beside chats, damaged in every way: a 400 of ours and nothing else."""

import json
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.errors import BadRequest
from omniroute.routing.wire.completions import parse_completion
from omniroute.routing.wire.ollama import parse_chat, parse_generate
from omniroute.routing.wire.openai_responses.compaction import (
    compaction_of,
    request_of,
    restored,
)
from omniroute.routing.wire.openai_responses.history import (
    asked_of,
    identified,
    items_of,
    joined,
    replayed,
)
from omniroute.routing.wire.operations import operation_of_chat

Use = Callable[[bytes], object]
DEEP = b'{"a":' * 5000
HALF = '"\\ud800"'


def use_completion(body: bytes) -> object:
    asked = parse_completion(body)
    return [operation_of_chat(chat, target=asked.model) for chat in asked.chats()]


def use_chat(body: bytes) -> object:
    wish = parse_chat(body)
    return operation_of_chat(wish.chat, target=wish.model)


def use_generate(body: bytes) -> object:
    wish = parse_generate(body)
    return operation_of_chat(wish.chat, target=wish.model)


def use_items(body: bytes) -> object:
    items = items_of(asked_of(body))
    return joined(body, restored(replayed(identified(items, "resp_1")))), request_of(body, items)


COMPLETION = {
    "model": "m",
    "prompt": ["a", "b"],
    "n": 2,
    "echo": True,
    "suffix": "x",
    "stop": ["a"],
    "max_tokens": 5,
    "temperature": 1,
    "stream": True,
    "stream_options": {},
    "seed": 1,
    "logit_bias": {"1": 2},
    "user": "u",
}
CHAT = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "u", "images": ["iVBORw0KGgo="]},
        {
            "role": "assistant",
            "thinking": "t",
            "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}],
        },
        {"role": "tool", "tool_name": "f", "content": "1"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
    "options": {"num_predict": 5, "stop": ["a"], "seed": 1},
    "format": {"type": "object"},
    "think": "low",
    "stream": False,
}
GENERATE = {"model": "m", "prompt": "p", "system": "s", "suffix": "x", "images": [], "options": {}}
ITEMS = {
    "model": "m",
    "input": [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "1"},
        compaction_of("what was said", "resp_1"),
    ],
    "tools": [{"type": "function", "name": "f"}],
    "store": False,
    "previous_response_id": None,
}
CASES: list[tuple[Use, object]] = [
    (use_completion, COMPLETION),
    (use_chat, CHAT),
    (use_generate, GENERATE),
    (use_items, ITEMS),
]
odd = st.sampled_from(
    ["null", "true", "-1", "1e400", "0", "[]", "{}", '""', '"x"', HALF, "[[1]]", '[{"a":[]}]']
)


VERDICTS = ("whole", "refused")


def verdict(use: Use, body: bytes) -> str:
    """Use a body, and give what came of it; anything but our own refusal is a fault."""
    try:
        use(body)
    except BadRequest:
        return "refused"
    return "whole"


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Give the path of every value in a body."""
    below: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        below = list(value.items())
    elif isinstance(value, list):
        below = list(enumerate(value))
    return [path, *(one for key, child in below for one in places(child, (*path, key)))]


def replaced(value: object, path: tuple[str | int, ...], mark: str) -> object:
    if not path:
        return mark
    if isinstance(value, dict):
        return {k: replaced(v, path[1:], mark) if k == path[0] else v for k, v in value.items()}
    assert isinstance(value, list)
    return [replaced(v, path[1:], mark) if k == path[0] else v for k, v in enumerate(value)]


@pytest.mark.parametrize(("use", "body"), CASES)
def test_a_good_body_is_used(use: Use, body: object) -> None:
    assert verdict(use, json.dumps(body).encode()) == "whole"


@given(case=st.sampled_from(CASES), number=st.integers(0, 10_000), value=odd)
def test_any_value_in_any_place_is_read_or_refused(
    case: tuple[Use, object], number: int, value: str
) -> None:
    use, body = case
    found = places(body)
    changed = json.dumps(replaced(body, found[number % len(found)], "@@")).replace('"@@"', value)

    assert verdict(use, changed.encode()) in VERDICTS


@given(case=st.sampled_from(CASES), seed=st.integers(0, 2**32), size=st.integers(1, 4))
def test_damaged_bytes_are_read_or_refused(case: tuple[Use, object], seed: int, size: int) -> None:
    use, body = case
    chance, data = random.Random(seed), bytearray(json.dumps(body).encode())
    for _ in range(size):
        data[chance.randrange(len(data))] = chance.randrange(256)

    assert verdict(use, bytes(data)) in VERDICTS


@pytest.mark.parametrize(("use", "body"), CASES)
def test_what_is_nested_too_deeply_is_refused(use: Use, body: object) -> None:
    for place in places(body):
        changed = json.dumps(replaced(body, place, "@@")).encode()
        deep = changed.replace(b'"@@"', DEEP + b"1" + b"}" * 5000)

        assert verdict(use, deep) in VERDICTS
