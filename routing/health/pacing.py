"""Pacing: how many requests and tokens an account may get, and how close together.

A limit is the provider's to know, so it is learned before it is guessed.

- What a provider tells with its answers is kept as a token bucket for each thing it counts
  (see quota.py): a request takes one, and the tokens that it will probably use; what flows
  back is the rate that the answer's own reset speaks of. Each answer corrects the bucket.
- A provider that refuses for the rate of requests without ever having told a limit is held to
  the numbers of the resilience profile for PACED_S from its last such refusal on: so many
  requests a minute beginning with none, so far apart, so many at once. It is the account that
  is held, as all of its models were part of the rate. A told limit of requests, once there is
  one, takes the place of all of that.
- An account that does neither is not held back: a guess must not refuse what would be answered.

To be held is no failure. A candidate whose turn is near (PATIENT_S) is waited for, else the
next one is tried; the last one that is left is waited for as long as its combo's queue time
allows. Who leaves while waiting has used its turn. The profile is passed at every step, so a
change of it holds for whoever comes next. It reads no clock.
"""

from dataclasses import dataclass

from .bucket import Bucket
from .profiles import Profile
from .quota import Need, Quota

PACED_S = 60.0
"""How long an account is held after a refusal: the minute that the numbers speak of."""
PATIENT_S = 1.0
"""The longest wait for a turn while another candidate could answer."""
MINUTE_S = 60.0


@dataclass(slots=True)
class Pace:
    """How one account is held to its profile.

    Attributes:
        until_s: how long it is held; 0 before the first refusal.
        refused_s: when it was last refused.
    """

    until_s: float = 0.0
    refused_s: float = 0.0
    _bucket: Bucket | None = None
    _turn_s: float | None = None

    @property
    def blocks(self) -> bool:
        """Never for good: it only slows down."""
        return False

    def refused(self, now_s: float) -> None:
        """Hold it from now on: what the minute had to give is used up."""
        held = now_s < self.until_s
        left = min(self._bucket.level, 0.0) if held and self._bucket is not None else 0.0
        self._bucket = Bucket(capacity=0.0, per_s=0.0, level=left, at_s=now_s)
        self.until_s, self.refused_s = now_s + PACED_S, now_s

    def wait_s(self, profile: Profile, now_s: float) -> float:
        """Give the seconds until the next request's turn."""
        gap_s = 0.0
        if self._turn_s is not None:
            gap_s = self._turn_s + profile.gap_s_min - now_s
        return max(self._filled(profile).wait_s(1.0, now_s), gap_s, 0.0)

    def take(self, profile: Profile, now_s: float) -> None:
        """Give a request the next turn."""
        turn_s = now_s + self.wait_s(profile, now_s)
        self._filled(profile).take(1.0, now_s)
        self._turn_s = turn_s

    def left(self, profile: Profile, now_s: float) -> float:
        """Give how many requests of the minute are left; below nought some wait."""
        return self._filled(profile).level_at(now_s)

    def _filled(self, profile: Profile) -> Bucket:
        """Give the bucket, as the profile in force fills it."""
        if self._bucket is None:
            self._bucket = Bucket(0.0, 0.0, 0.0, self.refused_s)
        self._bucket.capacity = float(profile.requests_per_minute_max)
        self._bucket.per_s = profile.requests_per_minute_max / MINUTE_S
        return self._bucket


@dataclass(slots=True)
class Gait:
    """What holds one candidate back now: its own limits as told, or its account's pace."""

    quota: Quota | None
    pace: Pace | None
    profile: Profile

    @property
    def places(self) -> int | None:
        """How many calls may be under way at its account; None without a bound."""
        return None if self.pace is None else self.profile.concurrency_max

    def wait_s(self, need: Need, now_s: float) -> float:
        """Give the seconds until a request may go out."""
        told_s = 0.0 if self.quota is None else self.quota.wait_s(need, now_s)
        return told_s if self.pace is None else max(self.pace.wait_s(self.profile, now_s), told_s)

    def headroom(self, now_s: float) -> float | None:
        """Give the smallest share that is left of anything, from 0 to 1; None when unknown."""
        told = None if self.quota is None else self.quota.headroom(now_s)
        if self.pace is None:
            return told
        left = self.pace.left(self.profile, now_s) / self.profile.requests_per_minute_max
        return max(left, 0.0) if told is None else min(told, max(left, 0.0))

    def changes(self, now_s: float) -> bool:
        """Whether its headroom changes by time alone."""
        return self.pace is not None or (self.quota is not None and bool(self.quota.fresh(now_s)))

    def take(self, need: Need, now_s: float) -> None:
        """Give a request its turn."""
        if self.quota is not None:
            self.quota.take(need, now_s)
        if self.pace is not None:
            self.pace.take(self.profile, now_s)


def gait(quota: Quota | None, pace: Pace | None, profile: Profile, now_s: float) -> Gait | None:
    """Give what holds a candidate back, None when nothing does.

    A told limit of requests comes before the profile's numbers.
    """
    if pace is not None and (
        now_s >= pace.until_s or (quota is not None and quota.tells_requests(now_s))
    ):
        pace = None
    return None if quota is None and pace is None else Gait(quota, pace, profile)
