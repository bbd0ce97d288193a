"""Answers as a guard leaves them, Delta by Delta: what goes on when, and in which order."""

import pytest

from omniroute.routing.content import Mode
from omniroute.routing.conversation import (
    AnswerError,
    Delta,
    Image,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from omniroute.routing.guarding.answers import AnswerGate
from omniroute.routing.guarding.pii import PiiGuard
from omniroute.routing.guarding.text import Watch

MAIL = "a@b.co"
SHOWN = "[EMAIL_REDACTED]"
PICTURE = Image(data="cG5n", media_type="image/png")
ENDS = (
    Delta(finish="stop", usage=Usage(3, 4), stop_sequence="END"),
    Delta(ended=True),
    Delta(error=AnswerError("overloaded", "try later")),
)
CALL = ToolCallDelta(0, "call-1", "send", '{"to":"a@')
REST_OF_CALL = ToolCallDelta(0, arguments='b.co"}')
WHOLE_CALL = ToolCallDelta(0, "call-1", "send", f'{{"to":"{SHOWN}"}}')


def gate(mode: Mode = "redact") -> tuple[AnswerGate, Watch]:
    watch = Watch(PiiGuard(), mode, ())
    return AnswerGate(watch), watch


def gated(*deltas: Delta, mode: Mode = "redact") -> list[list[Delta]]:
    one, _ = gate(mode)
    return [list(one.feed(delta)) for delta in deltas]


@pytest.mark.parametrize("name", ["text", "reasoning", "refusal"])
def test_each_voice_is_held_where_something_may_have_begun(name: str) -> None:
    one, _ = gate()
    piece, rest = Delta(**{name: "to a@"}), Delta(**{name: "b.co now"})  # type: ignore[arg-type]

    given = [list(one.feed(piece)), list(one.feed(rest)), list(one.end())]

    assert [[getattr(step, name) for step in some] for some in given] == [
        ["to "],
        [f"{SHOWN} "],
        ["now"],
    ]


@pytest.mark.parametrize("mode", ["redact", "block"])
def test_nothing_of_what_may_be_a_finding_goes_on_before_it_is_decided(mode: Mode) -> None:
    one, watch = gate(mode)

    shown = [
        delta.text
        for piece in ("pay ", "4111 ", "1111 ", "1111 ", "1111")
        for delta in one.feed(Delta(text=piece))
    ]
    found_before = dict(watch.found)
    one.feed(Delta(text=" today"))

    assert "".join(shown) == "pay"
    assert (found_before, dict(watch.found)) == ({}, {"card": 1})


def test_arguments_that_are_to_be_blocked_are_held_like_others() -> None:
    one, watch = gate("block")

    given = [*one.feed(Delta(tool_call=CALL)), *one.feed(Delta(tool_call=REST_OF_CALL))]
    held = list(one.end())

    assert given == [Delta(), Delta()]
    assert [step.tool_call and step.tool_call.arguments for step in held] == ['{"to":"a@b.co"}']
    assert dict(watch.found) == {"email": 1}


def test_what_is_found_while_nothing_is_changed_is_counted_in_every_voice() -> None:
    one, watch = gate("warn")
    deltas = [
        Delta(reasoning=MAIL, logprobs=(TokenLogprob("a", -0.1),)),
        Delta(text=MAIL),
        Delta(refusal=MAIL),
        Delta(tool_call=CALL),
        Delta(tool_call=REST_OF_CALL, finish="tool_calls"),
    ]

    given = [step for delta in deltas for step in one.feed(delta)]

    assert [*given, *one.end()] == deltas
    assert dict(watch.found) == {"email": 4}


@pytest.mark.parametrize(
    "turn",
    [
        Delta(text="so "),
        Delta(refusal="no "),
        Delta(reasoning_signature="signed"),
        Delta(reasoning_encrypted="sealed"),
        Delta(image=PICTURE),
    ],
)
def test_a_thought_has_ended_where_something_else_begins(turn: Delta) -> None:
    first, second = gated(Delta(reasoning=f"ask {MAIL}"), turn)

    assert first == [Delta(reasoning="ask ")]
    assert second[0] == Delta(reasoning=SHOWN)
    assert len(second) == 2
    assert second[1].reasoning == ""


def test_words_have_ended_where_a_thought_begins_anew() -> None:
    _, second, third = gated(
        Delta(text="see A"), Delta(reasoning="hm "), Delta(text="nd so on, ", refusal="no ")
    )

    assert second == [Delta(text=" A"), Delta(reasoning="hm")]
    assert third == [Delta(reasoning=" "), Delta(text="nd so on, ", refusal="no")]


def test_in_one_step_a_thought_comes_before_its_signature_and_all_before_a_picture() -> None:
    signed, pictured = gated(
        Delta(reasoning=f"ask {MAIL}", reasoning_signature="signed"),
        Delta(text=f"to {MAIL}", image=PICTURE),
    )

    assert signed == [Delta(reasoning=f"ask {SHOWN}", reasoning_signature="signed")]
    assert pictured == [Delta(text=f"to {SHOWN}", image=PICTURE)]


def test_a_step_without_content_ends_no_word() -> None:
    held, counted, gone = gated(Delta(text="a@"), Delta(usage=Usage(1, 2)), Delta(text="b.co "))

    assert held == [Delta()]
    assert counted == [Delta(usage=Usage(1, 2))]
    assert gone == [Delta(text=f"{SHOWN}")]


def test_what_an_answer_says_of_itself_goes_on_at_once() -> None:
    (given,) = gated(Delta(text="a", model="m", answer_id="id-1", usage=Usage(3, 0)))

    assert given == [Delta(model="m", answer_id="id-1", usage=Usage(3, 0))]


@pytest.mark.parametrize("end", ENDS)
def test_the_end_comes_behind_all_that_was_held(end: Delta) -> None:
    _, _, given = gated(Delta(text=f"to {MAIL}"), Delta(tool_call=CALL), end)

    assert [step for step in given if step.tool_call] == [
        Delta(tool_call=ToolCallDelta(0, "call-1", "send", '{"to":"a@'))
    ]
    last = given[-1]
    assert (last.finish, last.ended, last.error) == (end.finish, end.ended, end.error)
    assert last.usage == end.usage
    assert sum(step.finish is not None or step.ended for step in given[:-1]) == 0


@pytest.mark.parametrize("end", ENDS)
def test_words_in_the_last_step_come_before_the_end(end: Delta) -> None:
    one, _ = gate()
    facts = {name: getattr(end, name) for name in ("finish", "usage", "error", "ended")}

    given = list(one.feed(Delta(text=f"to {MAIL}", image=PICTURE, **facts)))

    assert given == [Delta(text=f"to {SHOWN}", image=PICTURE), Delta(**facts)]


def test_the_rest_of_a_call_may_come_with_the_end() -> None:
    _, given = gated(Delta(tool_call=CALL), Delta(tool_call=REST_OF_CALL, finish="tool_calls"))

    assert given == [Delta(tool_call=WHOLE_CALL), Delta(finish="tool_calls")]


def test_a_call_may_come_whole_with_the_end() -> None:
    whole = ToolCallDelta(0, "call-1", "send", f'{{"to":"{MAIL}"}}')

    (given,) = gated(Delta(text="so", tool_call=whole, finish="tool_calls"))

    assert given == [Delta(text="so"), Delta(tool_call=WHOLE_CALL), Delta(finish="tool_calls")]


def test_a_call_takes_its_name_and_id_from_the_first_step_that_tells_them() -> None:
    one, _ = gate()
    for step in (
        ToolCallDelta(1, name="wait"),
        ToolCallDelta(1, "call-2", "other", "{"),
        ToolCallDelta(1, "call-3", arguments="}"),
        ToolCallDelta(0, "call-1", "send", "{}"),
    ):
        one.feed(Delta(tool_call=step))

    given = [step.tool_call for step in one.end()]

    assert given == [
        ToolCallDelta(0, "call-1", "send", "{}"),
        ToolCallDelta(1, "call-2", "wait", "{}"),
    ]
    assert list(one.end()) == []


def test_words_before_a_call_go_on_at_the_call() -> None:
    _, given = gated(Delta(text=f"to {MAIL}"), Delta(tool_call=CALL))

    assert given == [Delta(text=SHOWN), Delta()]


def test_an_answer_that_stops_gives_what_was_held_of_each_voice() -> None:
    one, _ = gate()
    one.feed(Delta(reasoning="a", text="b", refusal="c"))

    assert list(one.end()) == [Delta(refusal="c")]
    assert list(one.end()) == []
