"""A circuit breaker: closed, open, half open.

It opens after the profile's number of failures in a row and refuses for the profile's time.
A failure may count for less than one (an overload is a half), or open the circuit by itself
(a certificate that is not valid); policy.py says which.
After that one probe may go: its success closes the circuit, its failure opens it again for
twice as long, up to OPEN_S_MAX. A success at any time forgets the failures.

While every way to an answer is closed, waiting longer helps no one: a provider that is back
would be asked minutes later. So an open circuit also lets a probe through every EARLY_PROBE_S,
but only when the decision has nothing else that could answer (see choose/filters.py). The
failure of an early probe leaves the circuit as it was.

It reads no clock; times and the profile in force are passed.
"""

from dataclasses import dataclass

from .profiles import BALANCED, Profile

OPEN_S_MAX = 300.0
EARLY_PROBE_S = 5.0


@dataclass(slots=True)
class Breaker:
    """The state of one circuit.

    Attributes:
        open_until_s: 0 while it is closed.
        probe_from_s: when a probe may go at the earliest, if nothing else can answer.
        reopened: how many due probes have failed in a row.
    """

    failures: float = 0.0
    open_until_s: float = 0.0
    probe_from_s: float = 0.0
    probing: bool = False
    last_failure_s: float | None = None
    reopened: int = 0
    _opened_s: float = 0.0
    _probe_is_due: bool = False

    @property
    def blocks(self) -> bool:
        """Whether it keeps calls back, or did so until it is asked again."""
        return self.open_until_s > 0.0

    def begin(self, now_s: float) -> bool:
        """Claim the probe when the circuit is not closed. Gives whether a call may go out."""
        if not self.may_begin(now_s):
            return False
        if self.open_until_s:
            self.probing, self._probe_is_due = True, now_s >= self.open_until_s
        return True

    def may_begin(self, now_s: float) -> bool:
        """Whether a call may go out now; who asks has seen to it that an early probe is due."""
        if not self.open_until_s:
            return True
        return not self.probing and now_s >= min(self.probe_from_s, self.open_until_s)

    def succeeded(self) -> bool:
        """Close. Gives whether that changed the state."""
        changed = bool(self.open_until_s)
        self.failures, self.reopened, self.probing = 0.0, 0, False
        self.open_until_s, self.probe_from_s = 0.0, 0.0
        return changed

    def failed(
        self,
        now_s: float,
        profile: Profile = BALANCED,
        *,
        weight: float = 1.0,
        at_once: bool = False,
    ) -> bool:
        """Count a failure. Gives whether that changed the state.

        `weight` is what it counts, in halves; `at_once` opens the circuit whatever came before.
        """
        self.failures += weight
        self.last_failure_s = now_s
        if self.probing:
            self.probing, self.probe_from_s = False, now_s + EARLY_PROBE_S
            if self._probe_is_due:
                self.reopened += 1
                self._open(now_s, profile)
            return True
        if self.open_until_s or (self.failures < profile.failures_max and not at_once):
            return False
        self._open(now_s, profile)
        return True

    def released(self) -> bool:
        """Give back a probe that ended without a verdict. Gives whether there was one."""
        was, self.probing = self.probing, False
        return was

    def use(self, profile: Profile) -> bool:
        """Hold an open circuit to another profile. Gives whether that changed the state."""
        if not self.open_until_s:
            return False
        before, self.open_until_s = self.open_until_s, self._opened_s + self._open_s(profile)
        return before != self.open_until_s

    def state(self, now_s: float) -> str:
        """Give CLOSED, OPEN or HALF_OPEN."""
        if not self.open_until_s:
            return "CLOSED"
        return "OPEN" if now_s < self.open_until_s and not self.probing else "HALF_OPEN"

    def _open(self, now_s: float, profile: Profile) -> None:
        self._opened_s = now_s
        self.open_until_s = now_s + self._open_s(profile)
        self.probe_from_s = now_s + EARLY_PROBE_S

    def _open_s(self, profile: Profile) -> float:
        # No profile reaches the bound later than after a few doublings.
        return min(profile.open_s * 2.0 ** min(self.reopened, 16), OPEN_S_MAX)
