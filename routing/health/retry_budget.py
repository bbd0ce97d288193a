"""The retry budget of an account: how much extra load our retries may put on it.

A provider that fails is hurt most by those who ask again. So every request's first attempt at
an account pays SHARE of a token into the account's bucket, and every further attempt of the
same request there takes one out; time alone pays PER_S, so that a little traffic may always
be retried. When the bucket has no whole token the request goes on elsewhere, or ends. A first
attempt at another account is free: it is that account's request.

Over any time the attempts are then at most (1 + SHARE) times the requests, and PER_S for each
second. The bucket holds TOKENS_MAX at most, so that a quiet hour does not pay for a storm,
and starts with what one second pays. It reads no clock; times are passed.

Source: Finagle's RetryBudget (20 % of requests and 10 a second, for 10 s).
"""

from dataclasses import dataclass

SHARE = 0.2
PER_S = 10
TOKENS_MAX = 100

_TOKEN = 1_000_000
"""A token, counted in millionths, so that five shares are exactly one."""
_SHARE = round(SHARE * _TOKEN)


@dataclass(slots=True)
class RetryBudget:
    """One account's bucket."""

    _millionths: int = PER_S * _TOKEN
    _at_s: float | None = None

    def pay_in(self, now_s: float) -> None:
        """Note a request's first attempt."""
        self._refill(now_s)
        self._add(_SHARE)

    def take(self, now_s: float) -> bool:
        """Whether a further attempt may go out; takes its token."""
        self._refill(now_s)
        if self._millionths < _TOKEN:
            return False
        self._millionths -= _TOKEN
        return True

    def _refill(self, now_s: float) -> None:
        # A clock that steps back pays nothing; its next step forward is counted from there.
        passed_s = 0.0 if self._at_s is None else max(now_s - self._at_s, 0.0)
        self._add(int(min(passed_s, TOKENS_MAX) * PER_S * _TOKEN))
        self._at_s = now_s

    def _add(self, millionths: int) -> None:
        self._millionths = min(self._millionths + millionths, TOKENS_MAX * _TOKEN)
