"""Alerts: what happened to providers and money that somebody may want to know.

An alert is an event with a name that does not change, so that a program can wait for it. The
newest ALERTS_MAX are kept in memory, for people who look; each is told to one listener as it
comes, which writes the log. The same thing at the same place within REPEAT_S is one alert that
counts, so that a provider which swaps a model in every answer fills neither the list nor the
log. Nothing is decided by an alert. It reads no clock.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from ..model import Candidate

ALERTS_MAX = 256
REPEAT_S = 300.0

AlertName = Literal[
    "circuit_opened",
    "circuit_closed",
    "account_refused",  # its credential, or its credit
    "model_locked_out",
    "model_swapped",
    "limit_learned",  # for the first time, or another number than before
    "limit_spent",
    "usage_suspect",  # an answer that is said to have cost more than it could
    "budget_warning",
]


@dataclass(slots=True)
class Alert:
    """One thing that happened.

    Attributes:
        at_s: when first; `last_s` when last, `times` how often until then.
        model: "" for what concerns a whole account, as with `account_id` for a budget.
        detail: in words, without secrets and without anything of a prompt.
    """

    name: AlertName
    at_s: float
    last_s: float
    provider: str = ""
    account_id: str = ""
    model: str = ""
    detail: str = ""
    times: int = 1


@dataclass(slots=True)
class Alerts:
    """The newest alerts of this process.

    Attributes:
        listener: is told each new one, once.
    """

    listener: Callable[[Alert], None] = lambda alert: None
    _kept: deque[Alert] = field(default_factory=lambda: deque[Alert](maxlen=ALERTS_MAX))

    def note(
        self,
        name: AlertName,
        now_s: float,
        *,
        about: Candidate | None = None,
        whole_account: bool = False,
        detail: str = "",
    ) -> None:
        """Note what happened now, to a candidate or, without one, to the gateway."""
        where = ("", "", "")
        if about is not None:
            where = (about.provider, about.account_id, "" if whole_account else about.model)
        alert = Alert(name, now_s, now_s, *where, detail)
        for known in self._kept:
            if _same(known, alert) and now_s - known.at_s < REPEAT_S:
                known.last_s, known.times = now_s, known.times + 1
                return
        self._kept.append(alert)
        self.listener(alert)

    def restore(self, alerts: Iterable[Alert]) -> None:
        """Take alerts that were noted before, the oldest first; nobody is told."""
        self._kept.extend(alerts)

    def newest(self) -> tuple[Alert, ...]:
        """Give what is kept, the newest first."""
        return tuple(reversed(self._kept))


def _same(one: Alert, other: Alert) -> bool:
    return (one.name, one.account_id, one.model, one.detail) == (
        *(other.name, other.account_id, other.model),
        other.detail,
    )
