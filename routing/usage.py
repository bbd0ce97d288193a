"""What stored requests add up to, as values.

Two things are counted. A *request* is what a client asked for, whoever was called for it: its
cost, its tokens and how long the client waited. A *call* is one attempt at one provider: it
tells how well a provider does, also where another one answered in its place.

A rate or a mean of nothing is None. So is a percentile: it is the time that so many percent of
the answered ones did not take longer than, exactly, and always one that was measured.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal

Dimension = Literal["provider", "account", "model", "combo", "key", "day", "hour"]
"""What requests are put together by.

A model's name is `provider/model`; that of a day or an hour, in UTC, is the second since 1970 at
which it begins.
"""
Grouping = Dimension | Literal["model_day", "error", "minute"]
"""The same, and what only reports ask for: a day and a model, `86400 provider/model`; a minute."""
CallDimension = Literal["provider", "model"]
Period = Literal["session", "day", "week", "month"]

SECONDS_A_DAY = 86_400
SECONDS_AN_HOUR = 3_600
SECONDS_A_MINUTE = 60
PERIOD_S: Mapping[Period, int] = {
    "day": SECONDS_A_DAY,
    "week": 7 * SECONDS_A_DAY,
    "month": 30 * SECONDS_A_DAY,
}
"""How far back a period reaches; a session has its own beginning."""
PERCENTS = (50, 95, 99)
UNFINISHED = ("client_gone", "outrun")
"""Failures of calls that say nothing of their provider: we cut them."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which requests, or which calls; None is any.

    Attributes:
        provider, model: of requests, who answered; of calls, who was called.
    """

    since_unix_s: float
    until_unix_s: float = math.inf
    key_id: str | None = None
    provider: str | None = None
    model: str | None = None
    combo: str | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """The times that 50, 95 and 99 percent did not take longer than."""

    p50_s: float
    p95_s: float
    p99_s: float


@dataclass(frozen=True, slots=True)
class UsageTotal:
    """Sums over requests.

    Attributes:
        failed: somebody was called, and nobody answered.
        refused: nobody was called.
        fallbacks: calls after the first of each request, repeated and hedged ones included.
        fell_back: requests that needed more than one call.
        cost_usd_nanos: adds up the known costs; `unpriced` counts the requests without one.
        simulated_usd_nanos: what of it the simulator asked for, which nobody is charged.
        repriced: those that were priced anew; `repriced_more_usd_nanos` is by how much the new
            figures are more than the old ones, which may be less than nothing.
        cached: those of whose input the provider had a part in its cache.
        answered_s: how long the answered ones took in all.
    """

    requests: int = 0
    answered: int = 0
    failed: int = 0
    refused: int = 0
    client_gone: int = 0
    fallbacks: int = 0
    fell_back: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd_nanos: int = 0
    unpriced: int = 0
    simulated: int = 0
    simulated_usd_nanos: int = 0
    repriced: int = 0
    repriced_more_usd_nanos: int = 0
    cached: int = 0
    answered_s: float = 0.0

    def __add__(self, other: "UsageTotal") -> "UsageTotal":
        return UsageTotal(
            *(getattr(self, one.name) + getattr(other, one.name) for one in fields(self))
        )

    @property
    def success(self) -> float | None:
        """The share that was answered; a client that left counts neither way."""
        return _share(self.answered, self.requests - self.client_gone)

    @property
    def mean_s(self) -> float | None:
        """How long an answered one took."""
        return self.answered_s / self.answered if self.answered else None


@dataclass(frozen=True, slots=True)
class UsageRow:
    """The requests that have something in common; a name of None is those without."""

    name: str | None = None
    total: UsageTotal = UsageTotal()
    times: Spread | None = None
    first_content: Spread | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Requests in all and by what was asked for. The rows of a dimension sum to the whole."""

    whole: UsageRow = UsageRow()
    by: Mapping[Grouping, tuple[UsageRow, ...]] = field(
        default_factory=dict[Grouping, tuple[UsageRow, ...]]
    )


@dataclass(frozen=True, slots=True)
class LastFailure:
    """The newest call that failed."""

    request_id: str
    at_unix_s: float
    kind: str
    detail: str
    provider_status: int | None = None


@dataclass(frozen=True, slots=True)
class CallRow:
    """The calls of one provider or model.

    Attributes:
        calls: the cut ones included, which neither answered nor failed.
        answered_s: how long the answered ones took in all.
    """

    name: str
    calls: int = 0
    answered: int = 0
    failed: int = 0
    answered_s: float = 0.0
    times: Spread | None = None
    first_byte: Spread | None = None
    last_failure: LastFailure | None = None

    @property
    def success(self) -> float | None:
        """The share that answered, of those that ended by themselves."""
        return _share(self.answered, self.answered + self.failed)

    @property
    def mean_s(self) -> float | None:
        """How long an answered one took."""
        return self.answered_s / self.answered if self.answered else None


def place_of(percent: int, number: int) -> int:
    """Give the place, from 1, of a percentile among so many in order: the nearest rank."""
    return (number * percent + 99) // 100


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
