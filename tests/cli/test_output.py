"""What commands print: columns, amounts, and nothing that drives a terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.server.cli.output import (
    dollars,
    duration,
    fields,
    one_line,
    safe_text,
    size,
    table,
)


def test_columns_are_aligned_and_lines_end_with_text() -> None:
    rows = [("a", "1", "x"), ("longer", "200", "")]

    shown = table(("NAME", "COUNT", "WHY"), rows, right=("COUNT",))

    assert shown.splitlines() == [
        "NAME    COUNT  WHY",
        "a           1  x",
        "longer    200",
    ]


def test_values_of_fields_stand_in_one_column() -> None:
    assert fields((("a", "1"), ("longer", "2")), indent=2) == "  a       1\n  longer  2"


@pytest.mark.parametrize(
    ("usd", "words"),
    [
        (None, "unknown"),
        (0.0, "$0.00"),
        (0.000104, "$0.000104"),
        (0.5, "$0.5000"),
        (12.345, "$12.35"),
        (0.000000001, "$0.000000001"),
    ],
)
def test_money_shows_the_digits_it_has_and_unknown_is_not_free(
    usd: float | None, words: str
) -> None:
    assert dollars(usd) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0004, "0 ms"),
        (0.42, "420 ms"),
        (0.9996, "1.0 s"),
        (89.0, "89.0 s"),
        (90.0, "1.5 min"),
        (7200.0, "2 h"),
        (172_800.0, "2 d"),
    ],
)
def test_a_length_of_time_is_in_the_unit_that_suits_it(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 B"), (1536, "1.5 KiB"), (3 * 2**40, "3072.0 GiB")]
)
def test_a_size_is_in_the_unit_that_suits_it(count: int, words: str) -> None:
    assert size(count) == words


@given(text=st.text(max_size=50))
def test_no_text_can_drive_a_terminal(text: str) -> None:
    safe, line = safe_text(text), one_line(text)

    assert not [one for one in safe if one < " " and one not in "\n\t"]
    assert not [one for one in line if one < " "]
    assert "\x1b" not in safe
    assert len(safe) == len(text)
