"""What a user's own requests have shown of each model, by kind of question.

The idea: three things about a model are learned from how requests went, each for one family of
question, and each as a prior that evidence overrules:

- reliability: the share of its answers that come out well. A failure counts against it only when
  it is the model's own (MODEL_FAULTS): an answer that broke off, stalled, was no answer of its
  dialect, or was withheld by its filter. What the caller did wrong tells nothing of the model,
  and that a provider is down or busy is the health book's matter. The estimate is the mean of a
  Beta distribution that begins as PRIOR good answers and no bad one. It begins at 1, not at the
  model's fitness, because an answer that came is not thereby right: counting it as right would
  raise every model that is used over every one that is not.
- length: the mean output tokens of a finished answer, beginning as PRIOR answers of the length in
  the catalogue's table. An answer that a limit cut off tells no length.
- speed: microseconds for an output token, over all families; None until an answer told it.

When the outcomes of a family reach COUNTED_MAX, everything counted of it is halved: the past
fades, a model that has been mended recovers, and sums stay small. At the start nothing is known
and nothing changes; idle, nothing fades.

A snapshot must stay the same for many requests. So estimates are rounded to two digits and
published at most every PUBLISH_S; `version` rises only when a rounded one has changed.

Counts are kept over a restart by whoever calls `pending` and `stored`; see store/experience.py.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ..catalog.lengths import Lengths, lengths_of
from ..model import Candidate, Outcome

PRIOR = 20
"""How many answers the prior counts as."""
COUNTED_MAX = 400
PUBLISH_S = 10.0
SEEN_MAX = 4096
"""Models and families remembered; the oldest go, as model names are free text."""
MODEL_FAULTS = frozenset({"truncated", "malformed", "timeout_idle"})
FILTERED = "content_filter"
CUT_OFF = "length"

ALL = ""
"""The family under which a model's speed is counted."""

Scope = tuple[str, str]
"""(provider/model, family)"""
Counts = tuple[int, int, int, int, int]
"""good, bad, answers, output_tokens and micros, as Seen has them."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was counted of one model in one family.

    Attributes:
        answers: finished ones, and `output_tokens` is their sum.
        micros: microseconds spent on writing them; kept under ALL alone.
    """

    model: str
    family: str
    good: int = 0
    bad: int = 0
    answers: int = 0
    output_tokens: int = 0
    micros: int = 0


@dataclass(frozen=True, slots=True)
class Learned:
    """What decisions may know of a model: rounded estimates.

    `output_tokens` is None while the catalogue's length holds.
    """

    reliability: float = 1.0
    output_tokens: int | None = None
    token_us: int | None = None


UNKNOWN = Learned()


def reliability(good: int, bad: int) -> float:
    """Give the share of answers that come out well."""
    return (PRIOR + good) / (PRIOR + good + bad)


def expected_length(prior_tokens: int, answers: int, output_tokens: int) -> float:
    """Give the mean length of answers, the prior among them."""
    return (PRIOR * prior_tokens + output_tokens) / (PRIOR + answers)


@dataclass(slots=True)
class Experience:
    """The counts of this process's requests, and those that were stored before.

    Attributes:
        version: rises when what decisions may know has changed.
        lengths: the prior lengths of a model's answers.
    """

    version: int = 0
    lengths: Callable[[str], Lengths] = lengths_of
    _seen: dict[Scope, list[int]] = field(default_factory=dict[Scope, list[int]])
    _news: dict[Scope, list[int]] = field(default_factory=dict[Scope, list[int]])
    _learned: dict[Scope, Learned] = field(default_factory=dict[Scope, Learned])
    _dirty: set[Scope] = field(default_factory=set[Scope])
    _published_s: float | None = None

    def learn(self, outcome: Outcome) -> None:
        """Count what an outcome shows of the models that were called."""
        operation = outcome.request.operation
        if operation.kind != "chat":
            return
        features, finish, winner = operation.features, outcome.finish, outcome.winner
        for one in outcome.attempts:
            if one.failure is not None and one.failure in MODEL_FAULTS:
                self._count((one.candidate.name, features.family), 0, 1)
        if winner is None or outcome.status != "answered":
            return
        model = winner.name
        tokens = outcome.usage.output_tokens if outcome.usage_source == "reported" else 0
        if finish == FILTERED:
            self._count((model, features.family), 0, 1)
        else:
            # Several answers at once tell the length of none.
            tells = finish != CUT_OFF and features.choices == 1
            self._count((model, features.family), 1, 0, tokens if tells else 0)
        last = outcome.attempts[-1]
        took_s = last.ended_s - last.started_s
        if features.stream:
            took_s -= last.first_byte_s or 0.0
        micros = round(took_s * 1e6)
        if tokens > 0 and micros > 0:
            self._count((model, ALL), 0, 0, tokens, micros)

    def refresh(self, now_s: float) -> int:
        """Give the version in force, publishing estimates when it is time."""
        if self._dirty and (self._published_s is None or now_s - self._published_s >= PUBLISH_S):
            self._published_s = now_s
            changed = [self._publish(scope) for scope in self._dirty]
            self._dirty.clear()
            self.version += any(changed)
        return self.version

    def learned(self, candidate: Candidate, family: str) -> Learned:
        """Give what is known of a candidate's model in a family, as last published."""
        return self._learned.get((candidate.name, family), UNKNOWN)

    def token_us(self, candidate: Candidate) -> int | None:
        """Give the microseconds that its model takes for an output token, as last published."""
        return self.learned(candidate, ALL).token_us

    def rows(self) -> tuple[tuple[Seen, Learned], ...]:
        """Give everything that was counted and published, by model and family."""
        return tuple(
            (Seen(*scope, *counts), self._learned.get(scope, UNKNOWN))
            for scope, counts in sorted(self._seen.items())
        )

    def pending(self) -> tuple[Seen, ...]:
        """Give what is new since it was last stored: counts to add."""
        return tuple(Seen(*scope, *counts) for scope, counts in self._news.items())

    def stored(self, seen: Iterable[Seen]) -> None:
        """Forget news that have been stored; what came meanwhile stays."""
        for one in seen:
            scope = (one.model, one.family)
            news = self._news.pop(scope, None)
            left = [now - then for now, then in zip(news or (), _counts(one), strict=False)]
            if any(left):
                self._news[scope] = left

    def heard(self, seen: Iterable[Seen]) -> None:
        """Count what another process has counted and stored; nothing of it is news."""
        for one in seen:
            known = self._known((one.model, one.family))
            if _is_full(known):
                _halve(known)
            known[:] = [sum(both) for both in zip(known, _counts(one), strict=True)]

    def restore(self, seen: Iterable[Seen]) -> None:
        """Take what was stored before; nothing of it is news, and the past of it fades."""
        for one in seen:
            known = self._known((one.model, one.family))
            known[:] = _counts(one)
            while _is_full(known):
                _halve(known)

    def _count(
        self, scope: Scope, good: int = 0, bad: int = 0, output_tokens: int = 0, micros: int = 0
    ) -> None:
        """Count one outcome; with output_tokens it is an answer that tells of them."""
        known, news = self._known(scope), self._news.get(scope)
        if news is None:
            news = self._news[scope] = [0, 0, 0, 0, 0]
        if known[0] + known[1] >= COUNTED_MAX or known[2] >= COUNTED_MAX:
            _halve(known)
        if good:
            known[0] += good
            news[0] += good
        if bad:
            known[1] += bad
            news[1] += bad
        if output_tokens > 0:
            known[2] += 1
            news[2] += 1
            known[3] += output_tokens
            news[3] += output_tokens
            known[4] += micros
            news[4] += micros

    def _known(self, scope: Scope) -> list[int]:
        """Give the counts of a scope to add to; the oldest goes where a new one has no room."""
        self._dirty.add(scope)
        known = self._seen.get(scope)
        if known is not None:
            return known
        if len(self._seen) >= SEEN_MAX:
            gone = next(iter(self._seen))
            del self._seen[gone]
            self._news.pop(gone, None)
            self._learned.pop(gone, None)
            self._dirty.discard(gone)
        self._seen[scope] = known = [0, 0, 0, 0, 0]
        return known

    def _publish(self, scope: Scope) -> bool:
        seen, before = Seen(*scope, *self._seen[scope]), self._learned.get(scope, UNKNOWN)
        if seen.family == ALL:
            micros = seen.micros / seen.output_tokens if seen.output_tokens else 0
            now = Learned(token_us=_two_digits(micros) or None)
        else:
            prior = dict[str, int](self.lengths(seen.model.partition("/")[2])).get(seen.family)
            tokens = None
            if seen.answers and prior is not None:
                tokens = _two_digits(expected_length(prior, seen.answers, seen.output_tokens))
            now = Learned(round(reliability(seen.good, seen.bad), 2), tokens)
        self._learned[scope] = now
        return now != before


def _counts(seen: Seen) -> Counts:
    return seen.good, seen.bad, seen.answers, seen.output_tokens, seen.micros


def _is_full(counts: Sequence[int]) -> bool:
    """Whether the past has to fade before more is counted."""
    return counts[0] + counts[1] >= COUNTED_MAX or counts[2] >= COUNTED_MAX


def _halve(counts: list[int]) -> None:
    """Let the past weigh half."""
    counts[:] = [one // 2 for one in counts]


def _two_digits(value: float) -> int:
    return int(float(f"{value:.2g}"))
