"""Which providers policy `classic-6f` leaves alone for a while, and when they may return.

The idea is the documented one: a provider that scored too low, or whose circuit opened, is
excluded for longer than a breaker would, and comes back only when it is clearly better.

    well      -> excluded  when its score is below EXCLUDED_BELOW, or a circuit of it opens
    excluded  -> probed    while the time runs: a half-open circuit lets single probes through
    excluded  -> well      when the time is over and its score is READMITTED_FROM or more
    excluded  -> excluded  when a probe fails, or when the time is over and the score is still
                           too low: for twice as long, COOLDOWN_S_MAX at most

Between the two scores an exclusion whose time is over stays, until the score rises or falls.
A good answer after PROBES_ENOUGH probes ends the exclusion at once. An excluded provider is
never refused where nothing else is left. At the start nobody is excluded; when idle nothing
happens, for the time is passed in.

Source: OmniRoute's reference, section 3.13, "Self-healing state machine".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

EXCLUDED_BELOW, READMITTED_FROM = 0.2, 0.3
COOLDOWN_S, COOLDOWN_S_MAX = 300.0, 1800.0
PROBES_ENOUGH = 3
PROVIDERS_MAX = 1024
"""How many exclusions are remembered at most; the oldest goes."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """One provider's exclusion: until when, how long it was, and the probes since."""

    until_s: float
    cooldown_s: float = COOLDOWN_S
    probes: int = 0


def judged(
    known: Exclusion | None, *, score: float, circuit_open: bool, now_s: float
) -> Exclusion | None:
    """Give a provider's exclusion after its score was seen; None when it is well."""
    if known is not None and now_s < known.until_s:
        return known
    if circuit_open:
        return Exclusion(now_s + COOLDOWN_S)
    if score < EXCLUDED_BELOW:
        return Exclusion(now_s + COOLDOWN_S) if known is None else _longer(known, now_s)
    return None if score >= READMITTED_FROM else known


def let_through(known: Exclusion) -> Exclusion:
    """Give the exclusion after a probe went out."""
    return replace(known, probes=known.probes + 1)


def answered(known: Exclusion) -> Exclusion | None:
    """Give what a probe's good answer leaves of the exclusion."""
    return None if known.probes >= PROBES_ENOUGH else known


def opened(known: Exclusion | None, now_s: float, *, after_probe: bool) -> Exclusion:
    """Give the exclusion after a circuit opened.

    A failed probe makes it longer; another circuit of an excluded provider changes nothing.
    """
    if known is not None and after_probe:
        return _longer(known, now_s)
    if known is not None and now_s < known.until_s:
        return known
    return Exclusion(now_s + COOLDOWN_S)


def admits(excluded_until_s: float | None, *, score: float, half_open: bool, now_s: float) -> bool:
    """Whether a provider may be chosen now; `excluded_until_s` is None when it is well."""
    if excluded_until_s is None:
        return score >= EXCLUDED_BELOW
    if now_s < excluded_until_s:
        return half_open
    return score >= READMITTED_FROM


def _longer(known: Exclusion, now_s: float) -> Exclusion:
    cooldown_s = min(known.cooldown_s * 2, COOLDOWN_S_MAX)
    return Exclusion(now_s + cooldown_s, cooldown_s)


@dataclass(slots=True)
class Healing:
    """The exclusions in force, by provider. Holds no clock."""

    exclusions: dict[str, Exclusion] = field(default_factory=dict[str, Exclusion])

    def opened(self, provider: str, now_s: float, *, after_probe: bool) -> None:
        """Note that a circuit of the provider opened, `after_probe` when it was half open."""
        known = self.exclusions.get(provider)
        self._keep(provider, opened(known, now_s, after_probe=after_probe))

    def probed(self, provider: str) -> None:
        """Note that a half-open circuit let a call through."""
        known = self.exclusions.get(provider)
        if known is not None:
            self._keep(provider, let_through(known))

    def answered(self, provider: str) -> None:
        """Note that a circuit of the provider closed after a good answer."""
        known = self.exclusions.get(provider)
        if known is not None:
            self._keep(provider, answered(known))

    def judge(self, best: Mapping[str, float], now_s: float) -> bool:
        """See the scores of providers without an open circuit; say whether that changed any."""
        before = dict(self.exclusions)
        for provider, score in best.items():
            known = self.exclusions.get(provider)
            self._keep(provider, judged(known, score=score, circuit_open=False, now_s=now_s))
        return self.exclusions != before

    def until_s(self, provider: str) -> float | None:
        """Give when the provider's exclusion ends, None when there is none."""
        known = self.exclusions.get(provider)
        return None if known is None else known.until_s

    def _keep(self, provider: str, exclusion: Exclusion | None) -> None:
        if exclusion is None:
            self.exclusions.pop(provider, None)
            return
        if provider not in self.exclusions and len(self.exclusions) >= PROVIDERS_MAX:
            del self.exclusions[next(iter(self.exclusions))]
        self.exclusions[provider] = exclusion
