"""Questions as they are read: times, groups and names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.a2a.reports.words import Span, grouped_by, money, providers_in, span_of

NOON = 1_700_049_600.0
"""2023-11-15, 12:00 UTC."""
HOUR, DAY = 3_600.0, 86_400.0


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("What did I spend in the last 24 hours?", DAY, None),
        ("costs of the past 3 days", 3 * DAY, None),
        ("the last 90 minutes", 90 * 60.0, None),
        ("this week", 7 * DAY, None),
        ("weekly report", 7 * DAY, None),
        ("in a month", 30 * DAY, None),
        ("since last week", 7 * DAY, None),
        ("today", DAY / 2, None),
        ("what was it yesterday?", DAY * 1.5, DAY / 2),
        ("in 24h", DAY, None),
        ("costs per day in the last week", 7 * DAY, None),
        ("the last hour", HOUR, None),
    ],
)
def test_times_are_understood(text: str, since: float, until: float | None) -> None:
    span = span_of(text, NOON)

    assert isinstance(span, Span)
    assert span.since_unix_s == NOON - since
    assert span.until_unix_s == (None if until is None else NOON - until)


@pytest.mark.parametrize("text", ["since the start", "this session", "so far", "uptime"])
def test_a_session_has_its_own_beginning(text: str) -> None:
    span = span_of(text, NOON)

    assert isinstance(span, Span)
    assert span.session


@pytest.mark.parametrize(
    "text",
    [
        "since Tuesday",
        "in the last quarter",
        "this year",
        "between Monday and today",
        "in May",
        "during december 2025",
        "until I changed the key",
        "two weekends ago",
    ],
)
def test_a_time_that_is_not_understood_is_said_so(text: str) -> None:
    assert span_of(text, NOON) == "unknown"


@pytest.mark.parametrize("text", ["what did I spend?", "may I see the costs by day?", "by model"])
def test_no_time_is_no_time(text: str) -> None:
    assert span_of(text, NOON) is None


@given(st.text(max_size=200))
def test_any_text_can_be_asked(text: str) -> None:
    found = span_of(text, NOON)

    assert found in (None, "unknown") or isinstance(found, Span)
    assert (grouped_by(text) or "") in text.lower()


def test_providers_are_found_by_name_and_by_alias_and_not_within_words() -> None:
    known = ["gemini", "groq", "one"]

    assert providers_in("How is Google doing, and groq?", known) == ("gemini", "groq")
    assert providers_in("everyone is well", known) == ()


@pytest.mark.parametrize(
    ("dollars", "words"),
    [
        (0.0, "$0.00"),
        (0.000014, "$0.000014"),
        (1234.5, "$1,234.50"),
        (0.1, "$0.10"),
        (0.125, "$0.125"),
        (None, "an unknown amount"),
    ],
)
def test_money_is_told_so_that_a_little_is_not_nothing(dollars: float | None, words: str) -> None:
    assert money(dollars) == words
