"""Content guards: what is found, however it is cut, written or nested; and nothing else changed."""

import json
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omniroute.routing.content import ContentRule, ContentRules, Span
from omniroute.routing.conversation import Delta, TokenLogprob, ToolCallDelta, Usage
from omniroute.routing.guarding.answers import AnswerGate
from omniroute.routing.guarding.body import json_text, looked_at
from omniroute.routing.guarding.pii import KINDS, LONGEST, PiiGuard
from omniroute.routing.guarding.text import Gate, Watch
from omniroute.routing.model import Features, Operation

GUARD = PiiGuard()
FOUND = {
    "email": (
        "a@b.co",
        "maria.lopez+news@mail.example.org",
        "jörg@exämple.de",
        "X_1@sub.domain.example.museum",
    ),
    "card": (
        "4111111111111111",
        "4111 1111 1111 1111",
        "5555-5555-5555-4444",
        "378282246310005",
        "2223003122003222",
        "\uff14" + "\uff11" * 15,
        "4222222222222",
        "30569300000005",
        "2200000000000004",
        "2799000000000001",
        "6304000000000000000",
    ),
    "iban": (
        "DE89370400440532013000",
        "DE89 3704 0044 0532 0130 00",
        "GB29 NWBK 6016 1331 9268 19",
        "NO9386011117947",
        "LC84HEMM000100010012001200023015A1",
        "KZ32ZZZ0000000000000",
    ),
    "phone": ("+49 170 1234567", "+1 (555) 010-4477", "(555) 010-4477", "555-010-4477"),
    "ssn": ("078-05-1120", "219-09-9999"),
    "api_key": (
        "sk-fake0123456789abcdef",
        "ghp_" + "a1B2" * 9,
        "AKIA" + "FAKE" * 4,
        "AIza" + "F" * 35,
        "xoxb-0000000000-fake",
    ),
}
NOT_FOUND = (
    "user@localhost",
    "@handle and me@",
    "4111 1111 1111 1112",
    "1700000000000",
    "1760000000001",
    "2199000000000007",
    "2800000000000008",
    "5100000000003",
    "NO698601111794",
    "LC15HEMM000100010012001200023015A1B",
    "5100 0000 0008 1",
    "DE89370400440532013001",
    "000-12-3456 and 666-12-3456 and 912-34-5678",
    "version 1.2.3.4, 2027-01-31, 12:30",
    "sk-short",
    "call 12 34 56",
    "req_01a206c386009f20e43dc099e164e09f",
)
PARTS = st.one_of(
    st.sampled_from([one for some in FOUND.values() for one in some]),
    st.sampled_from(NOT_FOUND),
    st.text(max_size=12),
    st.sampled_from(
        (" ", "\n", ", ", "-", "4", "+", "A", "sk-", "@", ".", "  ", "\u00a0", "x" * 400)
    ),
)
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no failure."""
TEXTS = st.lists(PARTS, max_size=12).map("".join)


def watch(mode: str = "redact", kinds: tuple[str, ...] = ()) -> Watch:
    return Watch(GUARD, mode, kinds)  # type: ignore[arg-type]


def redacted(text: str) -> str:
    return watch().text(text)


@pytest.mark.parametrize(("kind", "text"), [(k, one) for k, some in FOUND.items() for one in some])
def test_what_has_the_shape_is_replaced_by_its_kind(kind: str, text: str) -> None:
    assert redacted(text) == f"[{kind.upper()}_REDACTED]"
    assert redacted(f"it is {text}, really") == f"it is [{kind.upper()}_REDACTED], really"


@pytest.mark.parametrize("text", NOT_FOUND)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert redacted(text) == text


def test_a_card_is_found_among_other_digits() -> None:
    assert redacted("4111 1111 1111 1111 12/27 123") == "[CARD_REDACTED] 12/27 123"
    assert redacted("4111 1111 1111 1111 1") == "[CARD_REDACTED] 1"
    assert redacted("7 4111111111111111") == "7 [CARD_REDACTED]"
    assert redacted("IBAN BE68 5390 0754 7034 PAID") == "IBAN [IBAN_REDACTED] PAID"


def test_a_finding_is_told_by_its_place_from_the_beginning_or_from_anywhere() -> None:
    text = "a@b.co, a@b.co"

    assert list(GUARD.find(text, ())) == [Span(0, 6, "email"), Span(8, 14, "email")]
    assert list(GUARD.find(text, (), start=7)) == [Span(8, 14, "email")]


def test_only_the_kinds_that_are_asked_for_are_found() -> None:
    looked = watch(kinds=("card",))

    assert looked.text("a@b.co 4111111111111111") == "a@b.co [CARD_REDACTED]"
    assert dict(looked.found) == {"card": 1}
    assert looked.text("x4111111111111111@b.co") == "x[CARD_REDACTED]@b.co"
    assert set(FOUND) == set(KINDS)


@UNTIMED
@given(parts=st.lists(PARTS, max_size=12))
def test_what_was_replaced_holds_nothing_more(parts: list[str]) -> None:
    once = redacted("\n".join(parts))

    assert redacted(once) == once


@UNTIMED
@given(text=TEXTS, cuts=st.lists(st.integers(0, 500), max_size=12))
def test_pieces_say_together_what_the_whole_says_however_they_are_cut(
    text: str, cuts: list[int]
) -> None:
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    gate = Gate(watch())

    pieces = [gate.feed(text[a:b]) for a, b in pairwise(places)]

    assert "".join([*pieces, gate.end()]) == redacted(text)


@UNTIMED
@given(text=TEXTS)
def test_character_by_character_nothing_of_a_finding_gets_out(text: str) -> None:
    gate = Gate(watch())

    pieces = [gate.feed(char) for char in text]

    assert "".join([*pieces, gate.end()]) == redacted(text)


def test_plain_words_go_on_at_the_next_blank_and_nothing_is_held_for_long() -> None:
    gate = Gate(watch())

    assert gate.feed("Good morning, ") == "Good morning,"
    assert gate.feed("dear a@b.c") == " dear "
    assert gate.feed("o and all") == "[EMAIL_REDACTED] and "
    assert len(gate.feed("x" * 5000)) == len("all") + 5000 - LONGEST
    assert LONGEST == 360


def test_a_gate_that_has_ended_begins_anew() -> None:
    gate = Gate(watch())
    gate.feed("to a@b.c")

    rest = gate.end()

    assert rest == "a@b.c"
    assert gate.feed("x@y.org and ") == "[EMAIL_REDACTED] and"
    assert gate.feed("") == ""
    assert gate.end() == " "
    assert gate.end() == ""


def operation(body: bytes) -> Operation:
    return Operation("chat", "openai_chat", body, Features(input_tokens_max=100), model_at=3)


def test_a_body_in_which_nothing_is_found_is_the_same_object() -> None:
    asked = operation(b'{ "model":"m", "messages" : [{"role":"user","content":"h\\u00e9llo 1.0"}]}')

    assert looked_at(asked, watch()) is asked


def test_only_the_values_with_findings_are_written_anew() -> None:
    body = (
        b'{ "model":"gpt-4o",  "n":1.0, "messages":[{"role":"user","content":"mail a\\u0040b.co"},'
        b'{"role":"tool","tool_call_id":"4111111111111111","content":"h\\u00e9 \\/ 12"}],'
        b'"metadata":{"card":4111111111111111,"at":1700000000000}}'
    )

    changed = looked_at(operation(body), watch())

    assert changed.body == body.replace(b'"mail a\\u0040b.co"', b'"mail [EMAIL_REDACTED]"').replace(
        b'"card":4111111111111111', b'"card":"[CARD_REDACTED]"'
    )
    assert changed.model_at is None
    assert changed.features.input_tokens_max == 100 + len(changed.body) - len(body)


def test_arguments_of_tools_are_json_within_text() -> None:
    arguments = json.dumps({"to": {"mail": "a\u0040b.co", "card": 4111111111111111}}, indent=1)
    call = {"function": {"name": "send", "arguments": arguments.replace("@", "\\u0040")}}
    body = json.dumps({"messages": [{"role": "assistant", "tool_calls": [call]}]}).encode()

    changed = json.loads(looked_at(operation(body), watch()).body)

    inner = changed["messages"][0]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(inner) == {"to": {"mail": "[EMAIL_REDACTED]", "card": "[CARD_REDACTED]"}}
    assert inner.startswith('{\n "to"')


@UNTIMED
@given(
    value=st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXTS),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_whatever_json_comes_it_stays_json_of_the_same_shape(value: object) -> None:
    text = json.dumps({"content": value})

    found = json.loads(json_text(text, watch()))

    assert json.dumps(found).count(":") >= 1
    assert list(found) == ["content"]
    assert shape(found) == shape({"content": value})


def shape(value: object) -> object:
    """Give what a value is made of: a number may have become the text that stands for it."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    if isinstance(value, list):
        return [shape(one) for one in value]
    return "one value"


def test_values_without_a_name_and_with_bare_control_characters_are_looked_at() -> None:
    assert json_text('["a@b.co", ["x"]]', watch()) == '["[EMAIL_REDACTED]", ["x"]]'
    changed = looked_at(operation(b'{"content":"mail\na@b.co"}'), watch())
    assert changed.body == b'{"content":"mail\\n[EMAIL_REDACTED]"}'


@pytest.mark.parametrize(("wraps", "is_found"), [(0, True), (1, True), (2, True), (3, False)])
def test_json_within_json_is_looked_into_so_deep(wraps: int, is_found: bool) -> None:
    text = r'{"mail": "a\u0040b.co"}'
    for _ in range(wraps):
        text = json.dumps({"inside": text})

    assert ("[EMAIL_REDACTED]" in json_text(text, watch())) is is_found


@pytest.mark.parametrize("body", [b"", b"form\r\n4111111111111111", b'{"a": "\\x', b"[1]"])
def test_what_is_no_json_object_goes_on_as_it_came(body: bytes) -> None:
    asked = operation(body)

    assert looked_at(asked, watch()) is asked


def said(deltas: list[Delta]) -> str:
    return "".join(one.text for one in deltas)


def test_an_answer_in_pieces_is_gated_in_each_of_its_voices() -> None:
    gate = AnswerGate(watch())
    given: list[Delta] = []
    for delta in (
        Delta(reasoning="she is at a@", model="m"),
        Delta(reasoning="b.co now"),
        Delta(text="Write to a", logprobs=(TokenLogprob("a", -0.1),)),
        Delta(text="@b.co"),
        Delta(tool_call=ToolCallDelta(0, "call-1", "send", '{"to":"a\\u00')),
        Delta(tool_call=ToolCallDelta(0, arguments='40b.co"}')),
        Delta(tool_call=ToolCallDelta(1, "call-2", "wait", "{}")),
        Delta(finish="tool_calls", usage=Usage(3, 4)),
        Delta(ended=True),
    ):
        given += gate.feed(delta)
    given += gate.end()

    assert said(given) == "Write to [EMAIL_REDACTED]"
    assert "".join(one.reasoning for one in given) == "she is at [EMAIL_REDACTED] now"
    calls = [one.tool_call for one in given if one.tool_call is not None]
    assert [(one.index, one.name, one.arguments) for one in calls] == [
        (0, "send", '{"to":"[EMAIL_REDACTED]"}'),
        (1, "wait", "{}"),
    ]
    assert all(one.logprobs == () for one in given)
    assert (given[-2].finish, given[-2].usage, given[-1].ended) == ("tool_calls", Usage(3, 4), True)
    assert given[0].model == "m"


def test_an_answer_that_is_only_watched_goes_on_as_it_came() -> None:
    looked = watch("warn")
    gate = AnswerGate(looked)
    deltas = [
        Delta(text="to a@"),
        Delta(text="b.co", logprobs=(TokenLogprob("a", -0.1),)),
        Delta(ended=True),
    ]

    given = [one for delta in deltas for one in gate.feed(delta)]

    assert [*given, *gate.end()] == deltas
    assert dict(looked.found) == {"email": 1}


def test_an_answer_that_just_stops_gives_what_was_held_of_it() -> None:
    redacting, watching = AnswerGate(watch()), AnswerGate(watch("warn"))
    held = [*redacting.feed(Delta(text="a@b.co"))]
    shown = [*watching.feed(Delta(text="a@b.co"))]

    assert said([*held, *redacting.end()]) == "[EMAIL_REDACTED]"
    assert said(held) == ""
    assert (said(shown), list(watching.end())) == ("a@b.co", [])


def test_the_narrowest_rule_counts() -> None:
    everywhere, of_key, of_combo = (ContentRule(requests=mode) for mode in ("warn", "block", "off"))
    rules = ContentRules(everywhere, {"key-1": of_key}, {"duo": of_combo})

    assert rules.rule("key-1", "duo") == of_key
    assert rules.rule("key-2", "duo") == of_combo
    assert rules.rule("key-2", None) == everywhere
    assert rules.touches
    assert not ContentRules().touches
