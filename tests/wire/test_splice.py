"""The model's name replaced in the client's own bytes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.errors import BadRequest
from omniroute.routing.model import Operation
from omniroute.routing.wire.operations import operation_of_body
from omniroute.routing.wire.splice import fields_of, place_of, splice_model

_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.just("old"),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.text() | st.just("model"), below, max_size=3)
    ),
    max_leaves=8,
)
_fields = st.dictionaries(st.text() | st.sampled_from(["messages", "tools"]), _json, max_size=4)


@given(before=_fields, after=_fields, old=st.text(), new=st.text(), indent=st.none() | st.just(2))
def test_only_the_top_level_name_changes(
    before: dict[str, Any], after: dict[str, Any], old: str, new: str, indent: int | None
) -> None:
    asked = {**before, "model": old, **{k: v for k, v in after.items() if k != "model"}}

    spliced = splice_model(json.dumps(asked, indent=indent).encode(), old=old, new=new)

    assert json.loads(spliced) == {**asked, "model": new}


@pytest.mark.parametrize(
    "body",
    [
        '{"model":"old","messages":[{"role":"user","content":"\\"model\\":\\"old\\""}]}',
        '{"messages":[{"model":"old"}],"metadata":{"model":"old"},"model":"old"}',
        '{ "messages" : [] ,\n\t"model"\r\n:  "old" }',
        '{"tools":[{"function":{"parameters":{"properties":{"model":{}}}}}],"model":"old"}',
        '{"mod\\u0065l":"\\u006fld"}',
    ],
)
def test_the_name_elsewhere_stays(body: str) -> None:
    spliced = splice_model(body.encode(), old="old", new="new/er")

    assert json.loads(spliced) == {**json.loads(body), "model": "new/er"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"old","messages":[ {"n": 1.0, "s":"\\u00e5\\/",  "big":1e30} ]}',
        b'\n{ "a" : 12 ,\r\n\t"model" : "old" , "b" : [ { "model" : 1 } ] }\n ',
        b'{"a\\"}":{"x":"}"},"model":"old"}',
        b'{"mo\\u0064el":"old","x":"\\"model\\""}',
    ],
)
def test_all_but_the_name_keeps_its_bytes(body: bytes) -> None:
    spliced = splice_model(body, old="old", new="new")

    assert spliced == _where_it_was_read(body) == body.replace(b'"old"', b'"new"')


def _where_it_was_read(body: bytes) -> bytes:
    """The same with the place of the name that reading the body gives."""
    place = place_of(body, fields_of(body), "model")
    return splice_model(body, old="old", new="new", at=None if place is None else place[0])


_pairs = st.lists(
    st.tuples(
        st.sampled_from(['"model"', '"m"', '"mod\\u0065l"', '"n"', '"\\u006d"']),
        st.sampled_from(['"old"', "1", "11", '{"model":"old"}', '[{"m":1},"n"]', '"x,"']),
    ),
    max_size=5,
)


@given(pairs=_pairs, space=st.sampled_from(["", " ", "\n\t"]))
def test_a_body_with_any_keys_twice_has_each_once(pairs: list[tuple[str, str]], space: str) -> None:
    fields = [f"{space}{key}{space}:{space}{value}{space}" for key, value in pairs]
    body = "{" + ",".join([*fields, '"model":"old"']) + "}"

    spliced = splice_model(body.encode(), old="old", new="new")

    assert spliced == _where_it_was_read(body.encode())
    assert json.loads(spliced) == {**json.loads(body), "model": "new"}
    names = [name for name, _ in json.loads(spliced, object_pairs_hook=list)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"other","stream":true,"model":"old"}',
        b'{"mod\\u0065l":"other","stream":true,"model":"old"}',
        b'{"model":"other","stream":true,"mod\\u0065l":"old"}',
    ],
)
def test_no_second_name_is_left_for_a_provider_to_read(body: bytes) -> None:
    spliced = splice_model(body, old="old", new="new")

    pairs = json.loads(spliced, object_pairs_hook=list)
    assert sorted(pairs) == [("model", "new"), ("stream", True)]


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{", b'{"messages":[]}', b'{"model":3}', b'{"model":"other"}', b'{"a\xff":1}'],
)
def test_a_body_that_names_no_or_another_model_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        splice_model(body, old="old", new="new")


LONG = 'A line with "model": "old" in it, and \u00e9.\n' * 9000


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_a_long_body_goes_on_whole_with_its_place_known(separators: tuple[str, str]) -> None:
    asked = {"messages": [{"role": "user", "content": LONG}], "model": "old", "n": 1}
    body = json.dumps(asked, separators=separators, ensure_ascii=False).encode()

    _, operation, _ = operation_of_body("openai_chat", body)

    assert operation.model_at == body.rindex(b'"old"')
    assert _spliced(operation) == body[::-1].replace(b'"dlo"', b'"wen"', 1)[::-1]


def _spliced(operation: Operation) -> bytes:
    return splice_model(
        operation.body, old=operation.model_in_body, new="new", at=operation.model_at
    )


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"old","messages":[],"model":"old"}',
        b'{"model":"first","messages":[],"mod\\u0065l":"old"}',
        b'{"messages":[],"n":1,"model":"old","n":1}',
    ],
)
def test_a_key_that_stands_twice_leaves_no_place(body: bytes) -> None:
    _, operation, _ = operation_of_body("openai_chat", body)

    assert operation.model_at is None
    assert _spliced(operation).count(b'"new"') == 1
    assert b"old" not in _spliced(operation)


def test_a_place_of_another_body_is_not_trusted() -> None:
    body = b'{"max_tokens":100,"model":"old"}'

    for at in range(len(body) + 5):
        assert (
            splice_model(body, old="old", new="new", at=at) == b'{"max_tokens":100,"model":"new"}'
        )
