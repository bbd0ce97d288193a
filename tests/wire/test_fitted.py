"""What is changed for a provider with quirks, and what is not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.errors import Inexpressible
from omniroute.routing.wire.fitted import fitted
from omniroute.routing.wire.quirks import ONLY_THE_ROLE, Quirks

IDS = Quirks(tool_id_chars=9)
TURNS = Quirks(alternates=True)
TEXT = Quirks(text_only=True)
STRICT = Quirks(
    developer="system",
    alternates=True,
    text_only=True,
    refused=("user", "seed"),
    message_fields_refused=("name",),
    renamed=(("max_completion_tokens", "max_tokens"),),
    schema="json_object",
    tool_id_chars=9,
)


def body_of(*messages: dict[str, object], **fields: object) -> bytes:
    return json.dumps({"model": "m", "messages": messages, **fields}).encode()


def after(body: bytes, quirks: Quirks) -> tuple[dict[str, object], tuple[str, ...]]:
    text, dropped = fitted(body, quirks)
    return json.loads(text), dropped


def messages_after(quirks: Quirks, *messages: dict[str, object]) -> list[dict[str, object]]:
    found = after(body_of(*messages), quirks)[0]["messages"]
    assert isinstance(found, list)
    return found


def test_a_developers_message_becomes_the_systems() -> None:
    """DEFECT 6.3: every vendor of OpenAI's format got the role `developer`, also who refuses it."""
    (message,) = messages_after(ONLY_THE_ROLE, {"role": "developer", "content": "Be brief."})

    assert message == {"role": "system", "content": "Be brief."}


def test_a_call_and_its_result_keep_one_id_of_the_right_form() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}

    one, two = messages_after(
        IDS,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "r"},
    )

    made = two["tool_call_id"]
    assert isinstance(made, str)
    assert (len(made), made.isalnum()) == (9, True)
    assert one["tool_calls"] == [{**call, "id": made}]


@given(st.text(max_size=40), st.text(max_size=40))
def test_two_ids_stay_two(first: str, second: str) -> None:
    one, two = messages_after(
        IDS,
        {"role": "tool", "tool_call_id": first, "content": "r"},
        {"role": "tool", "tool_call_id": second, "content": "r"},
    )

    assert (one["tool_call_id"] == two["tool_call_id"]) == (first == second)


def test_neighbours_of_one_role_become_one_turn_and_lose_nothing() -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}

    found = messages_after(
        TURNS,
        {"role": "system", "content": "a"},
        {"role": "system", "content": "b"},
        {"role": "user", "content": "one"},
        {"role": "user", "content": "two"},
        {"role": "user", "content": [picture]},
        {"role": "assistant", "content": "three"},
        {"role": "user", "content": "four"},
    )

    assert [one["role"] for one in found] == ["system", "system", "user", "assistant", "user"]
    assert found[2]["content"] == [{"type": "text", "text": "one\n\ntwo"}, picture]


def test_a_turn_that_calls_tools_is_joined_with_none() -> None:
    calls: dict[str, object] = {"role": "assistant", "content": None, "tool_calls": []}

    assert messages_after(TURNS, calls, calls) == [calls, calls]


def test_parts_of_text_become_a_string_and_other_parts_stay() -> None:
    texts: list[object] = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    mixed: list[object] = [*texts, {"type": "image_url", "image_url": {"url": "u"}}]

    one, two = messages_after(
        TEXT, {"role": "user", "content": texts}, {"role": "user", "content": mixed}
    )

    assert one["content"] == "a\nb"
    assert two["content"] == mixed


def test_a_field_by_another_name_is_no_loss() -> None:
    found, dropped = after(body_of(max_completion_tokens=5), STRICT)

    assert found == {"model": "m", "messages": [], "max_tokens": 5}
    assert dropped == ()


def test_where_both_names_are_given_the_providers_own_counts() -> None:
    found, _ = after(body_of(max_completion_tokens=5, max_tokens=7), STRICT)

    assert found["max_tokens"] == 7


def test_a_field_that_is_null_is_left_out_without_a_word() -> None:
    found, dropped = after(body_of(user=None, seed=1), STRICT)

    assert found == {"model": "m", "messages": []}
    assert dropped == ("seed",)


def test_a_schema_that_is_a_wish_becomes_json() -> None:
    wish = {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}}

    found, dropped = after(body_of(response_format=wish), STRICT)

    assert found["response_format"] == {"type": "json_object"}
    assert dropped == ("response_format.json_schema",)


def test_a_schema_that_is_demanded_is_not_asked_for() -> None:
    demand = {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": {}}}

    with pytest.raises(Inexpressible, match="strict"):
        fitted(body_of(response_format=demand), STRICT)


@pytest.mark.parametrize(
    "messages",
    [7, None, "x", [1], [{"role": 1, "content": {"a": 1}, "tool_calls": 3, "tool_call_id": []}]],
)
def test_what_is_no_chat_is_left_to_the_provider(messages: object) -> None:
    body = json.dumps({"model": "m", "messages": messages}).encode()

    assert fitted(body, STRICT) == (body, ())


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "role": st.sampled_from(["system", "developer", "user", "assistant"]),
                "content": st.none() | st.text(max_size=5),
            },
            optional={"name": st.text(max_size=3), "tool_call_id": st.text(max_size=12)},
        ),
        max_size=6,
    )
)
def test_what_fits_stays_as_it_is(messages: list[dict[str, object]]) -> None:
    once, _ = fitted(body_of(*messages, user="u"), STRICT)

    assert fitted(once, STRICT) == (once, ())
