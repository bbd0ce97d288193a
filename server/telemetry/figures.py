"""What a process has counted of its work, for /metrics: bounded whatever clients send.

One tally for each way a request can end and whoever answered it. A model has a name of its own
here if the catalogue or a price knows it; of others the first UNKNOWN_MODELS_MAX that look like
names. All further ones, and every tally past TALLIES_MAX, count as "other", so that clients who
ask for a hundred thousand models make nothing grow. No text of a client is a label.

Numbers are integers (tokens, nano-dollars, microseconds), so that those of several workers add
up exactly.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable

import msgspec

from omniroute.routing.model import Candidate, Outcome

BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)
"""Upper bounds of the histograms; what is longer has a bucket without a bound."""
TALLIES_MAX = 2_000
MODELS_MAX = 500
UNKNOWN_MODELS_MAX = 50
OTHER = "other"
NOBODY = ""
ANSWERED = "answered"

NAME = re.compile(r"[\w./:@+-]{1,96}", re.ASCII)
_NO_COUNTS = (0,) * (len(BUCKETS_S) + 1)


class Spread(msgspec.Struct, array_like=True):
    """How long something took: how often up to each bound, and in all."""

    counts: list[int] = msgspec.field(default_factory=lambda: list(_NO_COUNTS))
    sum_us: int = 0

    def note(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(BUCKETS_S, seconds)] += 1
        self.sum_us += int(seconds * 1_000_000)

    def add(self, other: "Spread") -> None:
        """Count what another one has counted."""
        self.counts = [
            ours + theirs for ours, theirs in zip(self.counts, other.counts, strict=True)
        ]
        self.sum_us += other.sum_us


class Tally(msgspec.Struct, array_like=True):
    """What was counted of requests that ended alike."""

    requests: int = 0
    fallbacks: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd_nanos: int = 0
    unpriced: int = 0
    total: Spread = msgspec.field(default_factory=Spread)
    first_content: Spread = msgspec.field(default_factory=Spread)

    def note(self, outcome: Outcome) -> None:
        """Count one request."""
        usage, cost = outcome.usage, outcome.cost_usd_nanos
        self.requests += 1
        if len(outcome.attempts) > 1:
            self.fallbacks += 1
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens
        if usage.cached_input_tokens:
            self.cached_input_tokens += usage.cached_input_tokens
        if usage.cache_write_tokens:
            self.cache_write_tokens += usage.cache_write_tokens
        if usage.reasoning_tokens:
            self.reasoning_tokens += usage.reasoning_tokens
        if cost is None:
            self.unpriced += 1
        else:
            self.cost_usd_nanos += cost
        self.total.note(outcome.total_s)
        if outcome.first_content_s is not None:
            self.first_content.note(outcome.first_content_s)

    def add(self, other: "Tally") -> None:
        """Count what another one has counted."""
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.total.add(other.total)
        self.first_content.add(other.first_content)


_NUMBERS = tuple(one for one in Tally.__struct_fields__ if one not in ("total", "first_content"))

Ended = tuple[str, str, str, str, str, str]
"""Door, kind, status, error, provider, model."""
Called = tuple[str, str]
"""Provider, and how the call ended."""
ToolCalled = tuple[str, str]
"""Tool, and how the call ended."""


class Counted(msgspec.Struct, array_like=True):
    """Everything that was counted."""

    requests: dict[Ended, Tally] = msgspec.field(default_factory=dict[Ended, Tally])
    calls: dict[Called, Spread] = msgspec.field(default_factory=dict[Called, Spread])
    tools: dict[ToolCalled, Spread] = msgspec.field(default_factory=dict[ToolCalled, Spread])
    tasks: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    blocked: int = 0
    blocked_us: int = 0

    def add(self, other: "Counted") -> None:
        """Count what another one has counted."""
        for ended, tally in other.requests.items():
            self.requests.setdefault(ended, Tally()).add(tally)
        for called, spread in other.calls.items():
            self.calls.setdefault(called, Spread()).add(spread)
        for tool, spread in other.tools.items():
            self.tools.setdefault(tool, Spread()).add(spread)
        for state, count in other.tasks.items():
            self.tasks[state] = self.tasks.get(state, 0) + count
        self.blocked += other.blocked
        self.blocked_us += other.blocked_us


class Figures:
    """Counts what this process does.

    Attributes:
        counted: so far.
        changes: how often anything was counted.
    """

    def __init__(self) -> None:
        self.counted = Counted()
        self.changes = 0
        self._models: set[tuple[str, str]] = set()
        self._unknown: set[tuple[str, str]] = set()

    def request(self, outcome: Outcome) -> None:
        """Count a request that is over, and its calls."""
        self.changes += 1
        request = outcome.request
        provider, model = self.named(outcome.winner)
        ended = (
            request.door,
            request.operation.kind,
            outcome.status,
            outcome.error or "",
            provider,
            model,
        )
        known = self.counted.requests
        tally = known.get(ended)
        if tally is None:
            if len(known) >= TALLIES_MAX:
                ended = (*ended[:3], OTHER, OTHER, OTHER)
            tally = known.setdefault(ended, Tally())
        tally.note(outcome)
        calls = self.counted.calls
        for attempt in outcome.attempts:
            called = (attempt.candidate.provider, attempt.failure or ANSWERED)
            spread = calls.get(called) or _spread(calls, called)
            spread.note(attempt.ended_s - attempt.started_s)

    def tool(self, tool: str, ended: str, seconds: float) -> None:
        """Count a call of an MCP tool."""
        self.changes += 1
        _spread(self.counted.tools, (tool, ended)).note(seconds)

    def task(self, state: str) -> None:
        """Count an A2A task that came to an end."""
        self.changes += 1
        tasks = self.counted.tasks
        tasks[state] = tasks.get(state, 0) + 1

    def blocked(self, seconds: float) -> None:
        """Count a time in which the event loop did not turn."""
        self.changes += 1
        self.counted.blocked += 1
        self.counted.blocked_us += round(seconds * 1_000_000)

    def named(self, winner: Candidate | None) -> tuple[str, str]:
        """Give the provider and the model that a request is counted for."""
        if winner is None:
            return NOBODY, NOBODY
        model = winner.model
        if winner.simulated:
            # What follows there is how it is to behave.
            model = model.partition("@")[0]
        named = (winner.provider, model)
        if named in self._models:
            return named
        facts = winner.facts
        is_known = facts.price is not None or facts.context_tokens_max is not None
        if len(self._models) >= MODELS_MAX or not NAME.fullmatch(model):
            return winner.provider, OTHER
        if not is_known:
            if len(self._unknown) >= UNKNOWN_MODELS_MAX:
                return winner.provider, OTHER
            self._unknown.add(named)
        self._models.add(named)
        return named


def all_of(counted: Iterable[Counted]) -> Counted:
    """Give what several have counted together."""
    total = Counted()
    for one in counted:
        total.add(one)
    return total


def _spread(known: dict[tuple[str, str], Spread], key: tuple[str, str]) -> Spread:
    spread = known.get(key)
    if spread is None:
        if len(known) >= TALLIES_MAX:
            key = (OTHER, key[1])
        spread = known.setdefault(key, Spread())
    return spread
