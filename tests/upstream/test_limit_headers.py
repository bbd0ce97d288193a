"""A provider's rate limits, read from the headers of its answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.health.quota import DIMENSIONS_MAX, Limit
from omniroute.routing.upstream.limits import RESET_S_MAX, limits_of

NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("headers", "limits"),
    [
        (
            {
                b"x-ratelimit-limit-requests": b"60",
                b"x-ratelimit-remaining-requests": b"59",
                b"x-ratelimit-reset-requests": b"1s",
                b"x-ratelimit-limit-tokens": b"150000",
                b"x-ratelimit-remaining-tokens": b"149984",
                b"x-ratelimit-reset-tokens": b"6m0s",
            },
            [Limit("requests", 60, 59, 1.0), Limit("tokens", 150_000, 149_984, 360.0)],
        ),
        (
            {
                b"anthropic-ratelimit-requests-limit": b"50",
                b"anthropic-ratelimit-requests-remaining": b"0",
                b"anthropic-ratelimit-requests-reset": b"2026-09-21T14:13:40Z",
                b"anthropic-ratelimit-input-tokens-limit": b"40000",
                b"anthropic-ratelimit-input-tokens-remaining": b"39000",
            },
            [
                Limit("requests-minute", 50, 0, 20.0),
                Limit("input-tokens-minute", 40_000, 39_000, None),
            ],
        ),
        (
            {
                b"x-ratelimit-limit-requests-day": b"14400",
                b"x-ratelimit-remaining-requests-day": b"14399",
                b"x-ratelimit-reset-requests-day": b"33011.382867",
            },
            [Limit("requests-day", 14_400, 14_399, 33011.382867)],
        ),
        (
            {b"x-ratelimit-limit": b"100", b"x-ratelimit-remaining": b"-3"},
            [Limit("requests", 100, 0, None)],
        ),
        (
            {b"ratelimit-remaining": b"7", b"ratelimit-reset": b"30"},
            [Limit("requests", None, 7, 30.0)],
        ),
        (
            {b"x-ratelimit-limit-requests": b"many", b"x-ratelimit-reset-requests": b"soon"},
            [Limit("requests")],
        ),
        ({b"x-ratelimit-reset-requests": b"99d"}, [Limit("requests", reset_s=RESET_S_MAX)]),
        ({b"x-ratelimit-over-limit": b"yes", b"x-request-id": b"1", b"content-type": b"x"}, []),
    ],
)
def test_every_familys_headers_are_read(headers: dict[bytes, bytes], limits: list[Limit]) -> None:
    """Source: the vendors' documentation of their rate limit headers (read 2026-11)."""
    assert list(limits_of(headers, now_unix_s=NOW)) == limits


@given(
    headers=st.dictionaries(
        st.from_regex(rb"(x-|anthropic-)?ratelimit-[a-z-]{1,30}", fullmatch=True)
        | st.sampled_from([b"x-ratelimit-remaining", b"x-ratelimit-limit", b"x-ratelimit-reset"]),
        st.binary(max_size=80) | st.integers().map(lambda one: str(one).encode()),
        max_size=40,
    )
)
def test_no_headers_break_the_reading(headers: dict[bytes, bytes]) -> None:
    limits = limits_of(headers, now_unix_s=NOW)

    assert len(limits) <= DIMENSIONS_MAX
    for limit in limits:
        assert limit.remaining is None or limit.remaining >= 0
        assert limit.reset_s is None or 0 <= limit.reset_s <= RESET_S_MAX
