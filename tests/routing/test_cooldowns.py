"""Cooldowns: doubled bounds, full jitter from a passed draw, and a burst that counts once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.errors import FailureKind
from omniroute.routing.health.book import HealthBook
from omniroute.routing.health.cooldown import COOLDOWN_S_MAX, COOLDOWN_S_MIN, Cooldown
from omniroute.routing.health.profiles import PROFILES, Profile, profile_named
from omniroute.routing.model import Candidate
from omniroute.routing.policy import BACKOFF_S_MAX

CONSERVATIVE = profile_named("conservative")
HERE = Candidate("acc-one", "one", "m", "openai_chat")


def rests_in_a_row(profile: Profile, times: int) -> list[float]:
    """Refuse each time a rest is over, and give how long each was."""
    cooldown, now, waits = Cooldown(), 0.0, list[float]()
    for _ in range(times):
        cooldown.refused("rate_limited", hint_s=None, now_s=now, profile=profile)
        waits.append(cooldown.until_s - now)
        now = cooldown.until_s
    return waits


@pytest.mark.parametrize(
    ("profile", "waits"),
    [
        ("conservative", [30, 60, 120, 120, 120, 120, 120]),
        ("balanced", [1, 2, 4, 8, 16, 32, 32]),
        ("aggressive", [1, 2, 4, 8, 8, 8, 8]),
    ],
)
def test_the_bound_doubles_for_each_in_a_row_up_to_the_profiles_level(
    profile: str, waits: list[float]
) -> None:
    assert rests_in_a_row(profile_named(profile), 7) == waits


def test_the_wait_is_the_drawn_share_of_the_bound() -> None:
    book = HealthBook(profile=CONSERVATIVE, draw=iter([0.5, 0.25]).__next__)

    book.failed(HERE, "rate_limited", hint_s=None, now_s=0.0)
    first = book.state(HERE).cooldown_until_s
    book.failed(HERE, "rate_limited", hint_s=None, now_s=15.0)

    assert (first, book.state(HERE).cooldown_until_s) == (15.0, 30.0)


def test_a_hint_is_obeyed_to_the_second_and_takes_no_draw() -> None:
    book = HealthBook(draw=iter(()).__next__)

    book.failed(HERE, "rate_limited", hint_s=17.0, now_s=100.0)

    assert book.state(HERE).cooldown_until_s == 117.0


def test_a_burst_of_refusals_raises_the_level_once() -> None:
    cooldown = Cooldown()

    for _ in range(50):
        cooldown.refused("rate_limited", hint_s=None, now_s=10.0)

    assert (cooldown.level, cooldown.until_s) == (1, 11.0)


def test_a_hint_within_a_burst_lengthens_the_rest_without_raising_the_level() -> None:
    cooldown = Cooldown()

    cooldown.refused("rate_limited", hint_s=None, now_s=10.0)
    cooldown.refused("rate_limited", hint_s=40.0, now_s=10.5)
    cooldown.refused("rate_limited", hint_s=5.0, now_s=10.6)

    assert (cooldown.level, cooldown.until_s) == (1, 50.5)


def test_a_success_starts_the_back_off_anew() -> None:
    cooldown = Cooldown()
    for now in (0.0, 10.0, 20.0):
        cooldown.refused("overloaded", hint_s=None, now_s=now)

    changed = cooldown.answered()
    cooldown.refused("overloaded", hint_s=None, now_s=100.0)

    assert (changed, cooldown.level, cooldown.until_s) == (True, 1, 103.0)


@pytest.mark.parametrize("kind", ["server_error", "bad_request", "content_policy", "busy"])
def test_other_failures_rest_nothing(kind: FailureKind) -> None:
    cooldown = Cooldown()

    assert not cooldown.refused(kind, hint_s=17.0, now_s=0.0)
    assert cooldown == Cooldown()


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["rate_limited", "overloaded", "auth"]),
            st.floats(0, 200),
            st.floats(0, 1),
            st.none() | st.floats(0, 1e6),
        ),
        max_size=30,
    ),
    profile=st.sampled_from(PROFILES),
)
def test_a_rest_stays_between_its_bounds_and_never_gets_shorter(
    steps: list[tuple[FailureKind, float, float, float | None]], profile: Profile
) -> None:
    cooldown, now = Cooldown(), 0.0
    for kind, passed, draw, hint in steps:
        now, before = now + passed, cooldown.until_s
        changed = cooldown.refused(
            kind,
            hint_s=hint,
            now_s=now,
            profile=profile,
            draw=draw,
        )
        longest = COOLDOWN_S_MAX if hint is not None else max(BACKOFF_S_MAX, 600.0)
        assert changed == (cooldown.until_s > before)
        assert cooldown.until_s >= before
        if changed:
            assert COOLDOWN_S_MIN <= cooldown.until_s - now + 1e-6 <= longest + 1e-3
        assert cooldown.level <= profile.level_max
