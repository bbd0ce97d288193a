"""Edits become the fewest changes, and what was changed is taken back as far as it is ours."""

from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from omniroute.server.clients.changes import WrongShape, edited_data, taken_back, value_at
from omniroute.server.clients.client import Edit, Json, Where

NAMES = st.sampled_from(["a", "b", "c"])
LEAVES: st.SearchStrategy[Any] = st.one_of(st.none(), st.booleans(), st.integers(0, 3), st.just(""))
VALUES = st.recursive(
    LEAVES, lambda inner: st.dictionaries(NAMES, inner, max_size=3) | st.lists(inner, max_size=2)
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=3)
ROWS = st.lists(st.fixed_dictionaries({"id": st.sampled_from(["x", "y"])}), max_size=3)
STEPS = NAMES | st.builds(Where, st.just("id"), st.sampled_from(["x", "y"]))


@st.composite
def edits_of(draw: st.DrawFn) -> Edit:
    path = tuple(draw(st.lists(STEPS, min_size=1, max_size=3)))
    # What is found by a field is an object, and no list.
    assume(
        not any(isinstance(one, Where) and isinstance(two, Where) for one, two in pairwise(path))
    )
    return Edit(
        path,
        # Only an object has the field by which a list's element is found.
        draw(OBJECTS if isinstance(path[-1], Where) else VALUES),
        instead_of=tuple(draw(st.lists(NAMES, max_size=2))),
        default=draw(st.booleans()),
    )


EDITS = st.lists(edits_of(), max_size=3)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=OBJECTS | ROWS, edits=EDITS)
def test_edits_that_were_made_ask_for_no_change_and_can_be_taken_back(
    data: Any, edits: list[Edit]
) -> None:
    try:
        changed = edited_data(data, edits[:1])
    except WrongShape:
        return

    again = edited_data(changed.data, edits[:1])
    back = taken_back(changed.data, changed.records)

    assert again.changes == ()
    assert back.left == ()
    assert back.data == data


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=OBJECTS, edits=EDITS)
def test_all_edits_together_can_be_taken_back(data: Any, edits: list[Edit]) -> None:
    try:
        changed = edited_data(data, edits)
    except WrongShape:
        return

    assert taken_back(changed.data, changed.records).data == data


@given(data=OBJECTS, since=st.dictionaries(st.sampled_from(["d", "e"]), VALUES))
def test_what_others_added_since_stays(data: dict[str, Any], since: dict[str, Any]) -> None:
    changed = edited_data(data, [Edit(("ours", "omniroute"), {"command": "omniroute"})])
    assert isinstance(changed.data, dict)

    back = taken_back({**changed.data, **since}, changed.records)

    assert back.data == {**data, **since}


def test_an_object_that_was_made_stays_when_others_put_something_into_it() -> None:
    changed = edited_data({}, [Edit(("mcpServers", "omniroute"), {"command": "omniroute"})])

    back = taken_back(
        {"mcpServers": {"omniroute": {"command": "omniroute"}, "other": 1}}, changed.records
    )

    assert changed.data == {"mcpServers": {"omniroute": {"command": "omniroute"}}}
    assert back.data == {"mcpServers": {"other": 1}}


def test_what_belongs_to_the_other_way_is_taken_out_and_what_is_the_users_stays() -> None:
    before: Json = {"s": {"o": {"url": "u", "headers": {"a": "b"}, "timeout": 5}}}

    changed = edited_data(
        before, [Edit(("s", "o"), {"command": "c"}, instead_of=("url", "headers"))]
    )

    assert value_at(changed.data, ("s", "o")) == {"timeout": 5, "command": "c"}
