"""What is kept of bodies: bounded, without credentials, and never more than was said."""

import json

from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.ports import Exchanged
from omniroute.server.redacting import REDACTED
from omniroute.server.wording import KEPT_BYTES_MAX, Words, bounded, words_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text("abc ,.", max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("xyz"), inner, max_size=4),
    max_leaves=20,
)


def kept(asked: bytes, answered: bytes = b"") -> Words:
    return words_of(Exchanged("req_1", "key", 1.0, "openai_chat", bounded(asked), answered))


@given(value=JSON)
def test_json_without_secrets_is_kept_as_it_is(value: object) -> None:
    body = json.dumps(value).encode()

    assert kept(body, body or b"null") == Words(value, value)


@given(data=st.binary(max_size=3 * KEPT_BYTES_MAX))
def test_any_bytes_give_words_of_bounded_length(data: bytes) -> None:
    words = kept(data, data)

    assert all(len(json.dumps(one)) < 8 * KEPT_BYTES_MAX for one in (words.asked, words.answered))


def test_bytes_that_are_no_text_are_told_by_their_length() -> None:
    assert kept(b"\xff\xfe\x00audio").asked == "[8 bytes]"


def test_a_field_that_is_named_for_a_secret_is_unreadable_and_others_stay() -> None:
    body = {"password": "a b c", "api_key": "x", "max_tokens": 5, "token": "y", "tokens": "z"}

    words = kept(json.dumps(body).encode())

    hidden = dict.fromkeys(("password", "api_key", "token"), REDACTED)
    assert words.asked == {**body, **hidden}


def test_no_part_of_a_credential_is_left_where_a_long_text_was_cut() -> None:
    half = KEPT_BYTES_MAX // 2
    key = "sk-fake-" + "k" * 60
    head = b"a " * (half // 2 - 10)
    body = head + f"{key} ".encode() + b"b " * half + f" {key}".encode() + b" c" * (half // 2 - 20)

    text = kept(body).asked

    assert "kkk" not in text
    assert text.startswith("a a a")
    assert text.endswith("c c")


def test_a_stream_that_nobody_can_read_is_kept_as_text() -> None:
    assert kept(b"{}", b"data: {not json}\n\n").answered == "data: {not json}\n\n"


def test_what_is_nested_too_deep_is_cut_there() -> None:
    deep = "[" * 200 + "]" * 200

    assert "too deep" in json.dumps(kept(deep.encode()).asked)
