"""Lock-outs: for how long a model that its provider does not serve is left alone.

A provider that says a model does not exist, is retired or is closed to this account says so
for longer than a rate limit lasts, and only of that model: the account's others go on. So the
model at that account is locked out for LOCKOUT_S, and each further time in a row for twice as
long, up to LOCKOUT_S_MAX. Calls that were under way when a lock-out began are refused like the
first, and lengthen nothing.

It ends by time, by a good answer of that model (of a call that was under way, or of one that
somebody made by hand), or by a reset. Nothing probes it early: the same words would come back.
It is kept in memory; after a restart the first request finds it again. It reads no clock.

The times are of fault 7 of the fault catalogue (10 min) and of the documented lock-out's
longest (OmniRoute 3.x: 30 min).
"""

from dataclasses import dataclass

LOCKOUT_S = 600.0
LOCKOUT_S_MAX = 1800.0


@dataclass(slots=True)
class Lockout:
    """The lock-out of one model at one account.

    Attributes:
        until_s: when it ends, 0 before the first.
        times: how often in a row the provider has said so.
    """

    until_s: float = 0.0
    times: int = 0

    @property
    def blocks(self) -> bool:
        """Whether it keeps calls back, or did so until a good answer."""
        return self.until_s > 0.0

    @property
    def reason(self) -> str:
        """Why it is locked out, in words."""
        often = "" if self.times < 2 else f", said {self.times} times in a row"
        return f"the provider does not serve this model{often}"

    def refused(self, now_s: float) -> bool:
        """Take the provider's word. Gives whether that began a lock-out."""
        if now_s < self.until_s:
            return False
        self.until_s = now_s + min(LOCKOUT_S * 2.0 ** min(self.times, 16), LOCKOUT_S_MAX)
        self.times += 1
        return True

    def answered(self) -> bool:
        """Forget it all. Gives whether there was anything to forget."""
        changed = self.times > 0
        self.until_s, self.times = 0.0, 0
        return changed
