"""What a failed call means for what happens next."""

from typing import get_args

import pytest

from omniroute.routing.errors import FailureKind
from omniroute.routing.policy import (
    BACKOFF_S_MAX,
    COUNTS_FOR_BREAKER,
    FALLS_BACK,
    cooldown_s,
    counts_for_breaker,
    may_fall_back,
)

KINDS = frozenset(get_args(FailureKind))


def test_every_kind_of_failure_has_a_row() -> None:
    assert FALLS_BACK.keys() == COUNTS_FOR_BREAKER.keys() == KINDS


def test_only_the_requests_own_faults_end_it() -> None:
    assert {kind for kind in KINDS if not may_fall_back(kind)} == {"bad_request", "content_policy"}


@pytest.mark.parametrize(
    "kind",
    [
        "rate_limited",
        "auth",
        "quota_exhausted",
        "model_gone",
        "bad_request",
        "context_too_long",
        "content_policy",
        "busy",
    ],
)
def test_a_refusal_with_a_reason_opens_no_circuit(kind: FailureKind) -> None:
    assert not counts_for_breaker(kind)


@pytest.mark.parametrize("kind", ["server_error", "connect", "tls", "truncated", "timeout_idle"])
def test_a_sign_that_a_provider_is_not_well_counts(kind: FailureKind) -> None:
    assert counts_for_breaker(kind)


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [
        ("auth", 120.0),
        ("quota_exhausted", 120.0),
        ("model_gone", 600.0),
        ("server_error", 0.0),
        ("bad_request", 0.0),
        ("content_policy", 0.0),
        ("context_too_long", 0.0),
    ],
)
def test_a_failure_rests_as_long_as_its_kind_says(kind: FailureKind, seconds: float) -> None:
    assert cooldown_s(kind) == seconds


def test_rate_limits_in_a_row_rest_twice_as_long_each_up_to_a_bound() -> None:
    waits = [cooldown_s("rate_limited", level=level) for level in range(9)]

    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, BACKOFF_S_MAX, BACKOFF_S_MAX]
    assert cooldown_s("rate_limited", level=10_000) == BACKOFF_S_MAX


def test_the_providers_own_hint_wins() -> None:
    assert cooldown_s("rate_limited", hint_s=17.0, level=5) == 17.0
    assert cooldown_s("bad_request", hint_s=17.0) == 0.0
