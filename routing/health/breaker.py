"""A circuit breaker: closed, open, half open.

It opens after FAILURES_MAX failures in a row and refuses for OPEN_S. After that one probe
may go: its success closes the circuit, its failure opens it again for twice as long, up to
OPEN_S_MAX. A success at any time forgets the failures. It reads no clock; times are passed.
"""

from dataclasses import dataclass

FAILURES_MAX = 5
OPEN_S = 30.0
OPEN_S_MAX = 300.0


@dataclass(slots=True)
class Breaker:
    """The state of one circuit. `open_until_s` is 0 while it is closed."""

    failures: int = 0
    open_until_s: float = 0.0
    open_s: float = OPEN_S
    probing: bool = False
    last_failure_s: float | None = None

    def begin(self, now_s: float) -> bool:
        """Whether a call may go out now; claims the probe when the circuit is half open."""
        if not self.open_until_s:
            return True
        if now_s < self.open_until_s or self.probing:
            return False
        self.probing = True
        return True

    def succeeded(self) -> bool:
        """Close. Gives whether that changed the state."""
        changed = bool(self.open_until_s)
        self.failures, self.open_until_s, self.open_s, self.probing = 0, 0.0, OPEN_S, False
        return changed

    def failed(self, now_s: float) -> bool:
        """Count a failure. Gives whether that changed the state."""
        self.failures += 1
        self.last_failure_s = now_s
        if self.probing:
            self.open_s = min(self.open_s * 2, OPEN_S_MAX)
        elif self.open_until_s or self.failures < FAILURES_MAX:
            return False
        self.probing = False
        self.open_until_s = now_s + self.open_s
        return True

    def released(self) -> bool:
        """Give back a probe that ended without a verdict. Gives whether there was one."""
        was, self.probing = self.probing, False
        return was

    def state(self, now_s: float) -> str:
        """Give CLOSED, OPEN or HALF_OPEN."""
        if not self.open_until_s:
            return "CLOSED"
        return "OPEN" if now_s < self.open_until_s and not self.probing else "HALF_OPEN"
