"""How use is spread over days, as a pure matter."""

from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.usage import SECONDS_A_DAY
from omniroute.server.usage_activity import activity_map, percent, streak, weekly_pattern

DAYS = st.dictionaries(
    st.integers(0, 30_000).map(lambda day: day * SECONDS_A_DAY), st.integers(0, 10**9), max_size=60
)
TODAY = 20_000 * SECONDS_A_DAY


def test_a_streak_counts_back_from_today_or_from_yesterday() -> None:
    days = {TODAY - ago * SECONDS_A_DAY: 1 for ago in (1, 2, 3, 5)}

    assert streak(days, TODAY + 7.0) == 3
    assert streak({**days, TODAY: 1}, TODAY + 7.0) == 4
    assert streak(days, TODAY + SECONDS_A_DAY) == 0
    assert streak({}, TODAY) == 0


def test_days_have_their_dates_and_weekdays() -> None:
    days = {0: 5, 3 * SECONDS_A_DAY: 7}

    assert activity_map(days) == {"1970-01-01": 5, "1970-01-04": 7}
    assert [(one.day, one.total_tokens) for one in weekly_pattern(days) if one.total_tokens] == [
        ("Sun", 7),
        ("Thu", 5),
    ]


def test_a_share_of_nothing_is_unknown() -> None:
    assert (percent(1, 3), percent(0, 5), percent(0, 0)) == (33.33, 0.0, None)


@given(days=DAYS)
def test_the_weekdays_sum_to_all_days(days: dict[int, int]) -> None:
    pattern = weekly_pattern(days)

    assert sum(one.total_tokens for one in pattern) == sum(days.values())
    assert sum(activity_map(days).values()) == sum(days.values())
    assert [one.day for one in pattern] == ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
