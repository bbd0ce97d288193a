"""The pure parts: the state machine, the stored form, and readers that never break."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniroute.a2a.dialects.detect import codec_of, major_minor, operation_of
from omniroute.a2a.faults import Fault
from omniroute.a2a.record import event_of, read_event, row_of, task_of
from omniroute.a2a.rpc import read_call, read_id, read_json
from omniroute.a2a.task import TERMINAL, Message, Options, Part, State, Task, Turn, moved, recent

T = TypeVar("T")
STATES: tuple[State, ...] = get_args(State)
TASK = Task("t", "c", "key-a", "smart-routing", "working", 1.0, 1.0, Options())

names = st.sampled_from(
    [
        "message", "messages", "skill", "metadata", "configuration", "id", "taskId", "messageId",
        "role", "parts", "kind", "text", "content", "file", "data", "raw", "url", "budget",
        "historyLength", "blocking", "returnImmediately", "contextId", "user", "ROLE_USER",
    ]
)  # fmt: skip
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | names
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
    max_leaves=20,
)
params = st.dictionaries(names, anything, max_size=6)
methods = st.sampled_from(["SendMessage", "GetTask", "message/send", "tasks/get", "tasks/cancel"])


def fault_of(read: Callable[[T], object], value: T) -> Fault | None:
    """Give the fault that reading a value raises, None when it raises none."""
    try:
        read(value)
    except Fault as fault:
        return fault
    return None


@pytest.mark.parametrize("before", sorted(TERMINAL))
@pytest.mark.parametrize("after", STATES)
def test_a_task_that_has_ended_never_changes_again(before: State, after: State) -> None:
    with pytest.raises(ValueError, match="cannot become"):
        moved(replace(TASK, state=before), after, at_unix_s=2.0)


@pytest.mark.parametrize("after", sorted(TERMINAL))
def test_a_working_task_can_end_in_every_way(after: State) -> None:
    ended = moved(TASK, after, at_unix_s=2.0, said="words")

    assert (ended.state, ended.at_unix_s, ended.said, ended.ended) == (after, 2.0, "words", True)


@pytest.mark.parametrize(("kept_s", "until"), [(None, math.inf), (60.0, 61.0)])
def test_a_task_is_kept_from_its_last_change_on(kept_s: float | None, until: float) -> None:
    task = replace(TASK, kept_s=kept_s)

    row = row_of(task, keep_content=True)

    assert row.expires_unix_s == until
    assert task_of(row) == task


@settings(deadline=None)
@given(length=st.none() | st.integers(0, 10), count=st.integers(0, 10))
def test_recent_gives_the_newest_messages(length: int | None, count: int) -> None:
    history = tuple(Message(str(number), "user", ()) for number in range(count))

    shown = recent(history, length)

    assert history[count - len(shown) :] == shown
    assert len(shown) == (count if length is None else min(length, count))


@settings(deadline=None)
@given(text=st.text(), metadata=st.dictionaries(st.text(), scalars), state=st.sampled_from(STATES))
def test_a_task_comes_back_from_its_row_as_it_was(
    text: str, metadata: dict[str, object], state: State
) -> None:
    message = Message("m", "user", (Part("text", text),), metadata=metadata)
    options = Options(turns=(Turn("user", text),), budget_usd_nanos=10**15)
    task = replace(TASK, state=state, history=(message,), options=options, said=text)

    assert task_of(row_of(task, keep_content=True)) == task
    assert read_event(event_of(task)).state == state


@settings(deadline=None)
@given(method=methods, asked=params, version=st.sampled_from(["", "0.3", "1.0"]))
def test_no_params_break_a_reader(method: str, asked: dict[str, object], version: str) -> None:
    codec = codec_of(method, asked, version)
    readers = (codec.read_send, codec.read_query, codec.read_task_id)

    faults = [fault for read in readers if (fault := fault_of(read, asked)) is not None]

    assert {codec.render_fault(fault)["code"] for fault in faults} <= {-32602, -32003, -32005}


@settings(deadline=None)
@given(value=anything)
def test_no_value_breaks_the_envelope(value: object) -> None:
    fault = fault_of(read_call, value)

    assert fault is None or fault.kind in ("invalid_request", "invalid_params")
    assert read_id(value) is None or isinstance(value, dict)


@settings(deadline=None)
@given(body=st.binary(max_size=64))
def test_no_bytes_break_the_parser(body: bytes) -> None:
    fault = fault_of(read_json, body)

    assert fault is None or fault.kind == "parse"


@settings(deadline=None)
@given(version=st.text(max_size=12))
def test_a_version_is_two_numbers_or_nothing(version: str) -> None:
    known = major_minor(version)

    assert known is None or re.fullmatch(r"\d+\.\d+", known)


@settings(deadline=None)
@given(method=st.text(max_size=20), version=st.text(max_size=8))
def test_an_unknown_method_is_always_refused(method: str, version: str) -> None:
    with pytest.raises(Fault):
        operation_of(f"{method}?", version)
