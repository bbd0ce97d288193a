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
_FULL = TOKENS_MAX * _TOKEN
_TOKENS_PER_S = PER_S * _TOKEN


@dataclass(slots=True)
class RetryBudget:
    """One account's bucket."""

    _millionths: int = PER_S * _TOKEN
    _at_s: float | None = None

    def pay_in(self, now_s: float) -> None:
        """Note a request's first attempt."""
        self._refill(now_s, _SHARE)

    def take(self, now_s: float) -> bool:
        """Whether a further attempt may go out; takes its token."""
        self._refill(now_s, 0)
        if self._millionths < _TOKEN:
            return False
        self._millionths -= _TOKEN
        return True

    def _refill(self, now_s: float, share: int) -> None:
        """Pay in what the time that has passed pays, and a share."""
        # A clock that steps back pays nothing; its next step forward is counted from there.
        passed_s = 0.0 if self._at_s is None else now_s - self._at_s
        if passed_s > 0.0:
            paid = TOKENS_MAX if passed_s > TOKENS_MAX else passed_s
            share += int(paid * _TOKENS_PER_S)
        self._at_s = now_s
        full = self._millionths + share
        self._millionths = full if full < _FULL else _FULL
