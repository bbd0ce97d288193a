"""When a provider says that asking again makes sense."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.upstream.hints import HINT_S_MAX, HINT_S_MIN, duration_s, retry_hint_s

NOW = 1_700_000_000.0  # 2023-11-14 22:13:20 UTC


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({b"retry-after": b"12"}, 12.0),
        ({b"retry-after": b"1.5"}, 1.5),
        ({b"retry-after": b"0"}, 1.0),
        ({b"retry-after": b"90000"}, 3600.0),
        ({b"retry-after": b"Tue, 14 Nov 2023 22:13:50 GMT"}, 30.0),
        ({b"retry-after": b"Tue, 14 Nov 2023 22:00:00 GMT"}, 1.0),
        ({b"retry-after": b"1700000040"}, 40.0),
        ({b"retry-after": b"1m30s"}, 90.0),
        ({b"retry-after": b"soon"}, None),
        ({b"retry-after": b"-5"}, None),
        ({b"retry-after": b"\xff\xfe"}, None),
        ({b"retry-after-ms": b"2500", b"retry-after": b"60"}, 2.5),
        ({b"x-ratelimit-reset-requests": b"6m0s", b"x-ratelimit-reset-tokens": b"20ms"}, 1.0),
        (
            {
                b"x-ratelimit-remaining-requests": b"0",
                b"x-ratelimit-reset-requests": b"6m0s",
                b"x-ratelimit-remaining-tokens": b"100",
                b"x-ratelimit-reset-tokens": b"20ms",
            },
            360.0,
        ),
        ({b"x-ratelimit-remaining": b"0", b"x-ratelimit-reset": b"1700000012000"}, 12.0),
        (
            {
                b"anthropic-ratelimit-requests-remaining": b"0",
                b"anthropic-ratelimit-requests-reset": b"2023-11-14T22:13:45Z",
            },
            25.0,
        ),
        ({b"ratelimit-reset": b"7"}, 7.0),
        ({b"content-type": b"application/json"}, None),
    ],
)
def test_headers_say_when(headers: dict[bytes, bytes], seconds: float | None) -> None:
    assert retry_hint_s(headers, (), "", now_unix_s=NOW) == seconds


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Rate limit reached. Please try again in 1.5s. Visit our page.", 1.5),
        ("Please try again in 6m0s.", 360.0),
        ("Please try again in 250ms.", 1.0),
        ("retry after 30 seconds", 30.0),
        ("Please retry in 34.074824224s.", 34.074824224),
        ("Try again in 2 minutes and then", 120.0),
        ("Please wait 20 seconds before the next request", 20.0),
        ("Please wait for 1 hour", 3600.0),
        ("limit resets in 45s", 45.0),
        ("retry after 17", 17.0),
        ("please try again later", None),
        ("try again after 3 lunches", None),
        ("20 s of audio were sent", None),
    ],
)
def test_messages_say_when(message: str, seconds: float | None) -> None:
    assert retry_hint_s({}, (), message, now_unix_s=NOW) == seconds


def test_a_structured_detail_counts_more_than_the_message() -> None:
    details = ({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12s"},)

    assert retry_hint_s({}, details, "try again in 99s", now_unix_s=NOW) == 12.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1h2m3s4ms", 3723.004),
        ("7.66s", 7.66),
        ("2 hours, 5 minutes", 7500.0),
        ("", None),
        ("s", None),
        ("5", None),
        ("5 furlongs", None),
    ],
)
def test_durations_are_read_in_any_unit(text: str, seconds: float | None) -> None:
    assert duration_s(text) == (None if seconds is None else pytest.approx(seconds))


@given(
    headers=st.dictionaries(
        st.sampled_from([b"retry-after", b"retry-after-ms", b"x-ratelimit-reset", b"x-other"]),
        st.binary(max_size=80),
    ),
    message=st.text(max_size=600),
    delay=st.one_of(st.text(max_size=80), st.integers(), st.none()),
)
def test_whatever_is_said_the_hint_is_bounded(
    headers: dict[bytes, bytes], message: str, delay: object
) -> None:
    hint = retry_hint_s(headers, ({"retryDelay": delay},), message, now_unix_s=NOW)

    assert hint is None or HINT_S_MIN <= hint <= HINT_S_MAX
