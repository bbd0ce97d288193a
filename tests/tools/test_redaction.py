"""What a redacted value tells, at the bounds of each rule."""

from typing import Any

import pytest

from omniroute.tools.redaction import DEPTH_MAX, ITEMS_MAX, MORE, cut, name_only, redacted, shown


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, None),
        (True, True),
        (False, False),
        (0.5, 0.5),
        (0, 0),
        (2**63 - 1, 2**63 - 1),
        (1 - 2**63, 1 - 2**63),
        (2**63, "[a number]"),
        (-(2**63), "[a number]"),
        (2**62, 2**62),
        ("gpt-4o", "[6 characters]"),
        ("", "[0 characters]"),
        (b"bytes", "[bytes]"),
        ([], []),
        ({}, {}),
    ],
)
def test_figures_are_told_and_of_a_text_its_length(value: object, told: object) -> None:
    assert redacted(value) == told
    assert redacted({"x": value}) == {"x": told}
    assert redacted([value]) == [told]


@pytest.mark.parametrize(
    ("text", "is_told"),
    [
        ("gpt-4o", True),
        ("a", True),
        ("one/m:free@2026+x*", True),
        ("a" * 100, True),
        ("a" * 101, False),
        ("-a", False),
        ("a b", False),
        ("", False),
        ("sk-omni-fake", False),
        ("SK_fake", False),
        ("gsk-fake", False),
        ("AKIAFAKE", False),
        ("AIzaFake", False),
        ("github_pat_fake", False),
        ("skill", True),
    ],
)
def test_a_name_is_told_where_it_looks_like_one_and_like_no_key(text: str, is_told: bool) -> None:
    told = text if is_told else f"[{len(text)} characters]"

    assert name_only(text) == told
    assert redacted({"model": text, "content": text}) == {
        "model": told,
        "content": f"[{len(text)} characters]",
    }


def test_the_members_of_a_list_are_told_by_the_field_of_the_list() -> None:
    value = {"model": ["m", ("n",), "a b"], "content": ["m"], "combo": {"content": "x", "id": "y"}}

    assert redacted(value) == {
        "model": ["m", ["n"], "[3 characters]"],
        "content": ["[1 characters]"],
        "combo": {"content": "[1 characters]", "id": "y"},
    }


@pytest.mark.parametrize(
    ("given", "more"), [(ITEMS_MAX - 1, 0), (ITEMS_MAX, 0), (ITEMS_MAX + 1, 1), (ITEMS_MAX + 5, 5)]
)
def test_so_many_members_are_told_and_the_rest_is_counted(given: int, more: int) -> None:
    numbers = list(range(given))

    told = list(range(min(given, ITEMS_MAX)))

    assert redacted(numbers) == [*told, *([f"[{more} more]"] if more else [])]
    assert redacted({f"n{one}": one for one in numbers}) == {
        **{f"n{one}": one for one in told},
        **({MORE: more} if more else {}),
    }
    assert ITEMS_MAX == 20


def test_how_many_members_are_told_can_be_said() -> None:
    value = {"a": [1, 2, 3], "b": 2, "c": 3}

    assert redacted(value, items_max=2) == {"a": [1, 2, "[1 more]"], "b": 2, MORE: 1}
    assert shown(value, chars_max=99, items_max=2) == '{"a":[1,2,"[1 more]"],"b":2,"...":1}'


def nested(levels: int, kind: type) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"x": value} if kind is dict else [value]
    return value


@pytest.mark.parametrize("kind", [dict, list])
def test_so_deep_values_are_told(kind: type) -> None:
    deepest, deeper = nested(DEPTH_MAX, kind), nested(DEPTH_MAX + 1, kind)

    told = redacted(deeper)
    for _ in range(DEPTH_MAX):
        (told,) = told.values() if kind is dict else told

    assert redacted(deepest) == deepest
    assert told == f"[{kind.__name__}]"
    assert DEPTH_MAX == 8


def test_a_field_is_named_where_its_name_is_one() -> None:
    value = {"a_b-1": 1, "x y": 2, "1a": 3, "n" * 64: 4, "n" * 65: 5, "_": 6}

    assert redacted(value) == {
        "a_b-1": 1,
        "[name 1]": 2,
        "[name 2]": 3,
        "n" * 64: 4,
        "[name 4]": 5,
        "_": 6,
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ""),
        ("123456789", "123456789"),
        ("1234567890", "1234567890"),
        ("12345678901", "1234567..."),
        ("12345678901234", "1234567..."),
        ("a\0b", "a?b"),
        ("a\ud800b", "a?b"),
    ],
)
def test_a_text_is_cut_at_its_bound_as_a_database_can_keep_it(text: str, told: str) -> None:
    assert cut(text, 10) == told


def test_what_is_shown_is_cut_as_well() -> None:
    assert shown({"n": 123456}, chars_max=12) == '{"n":123456}'
    assert shown({"n": 1234567}, chars_max=12) == '{"n":1234...'
