"""What each combo has done so far: its turns, its calls of each candidate, who last answered.

Kept in memory, and stored from time to time by whoever calls `pending` and `stored`, so that
a restart goes on where it was; a crash loses the last seconds of counting, which costs no
more than an uneven share. A candidate that is new to a combo starts at the least count of
the others: with nought it would get every request until it had caught up. Calls of a model that
several accounts serve are counted for the model, so that they stay when accounts come and go.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..model import Candidate

COMBOS_MAX = 1024
"""Combos that are counted for at most; the oldest go."""

Scope = tuple[str, str]
TURNS: Scope = ("", "")
"""Where the turns of a combo are counted: no account has an empty id. A model that several
accounts serve is counted there under its whole name."""


@dataclass(frozen=True, slots=True)
class Count:
    """One counter of one combo: what it had stored, or what has come to it since.

    Attributes:
        account_id, model: the candidate; without an account the model's whole name, and both
            empty for the combo's turns.
        good_unix_s: when it last answered; 0 that it no longer counts, None for no news.
    """

    combo: str
    account_id: str
    model: str
    number: int
    good_unix_s: float | None = None


@dataclass(slots=True)
class _News:
    number: int = 0
    good_unix_s: float | None = None


@dataclass(slots=True)
class _Tally:
    numbers: dict[Scope, int] = field(default_factory=dict[Scope, int])
    good: Scope | None = None
    good_unix_s: float = 0.0
    among: Sequence[Candidate] = ()


@dataclass(slots=True)
class Tallies:
    """The counters of every combo, in this process."""

    _tallies: dict[str, _Tally] = field(default_factory=dict[str, _Tally])
    _news: dict[tuple[str, Scope], _News] = field(default_factory=dict[tuple[str, Scope], _News])

    def turn(self, combo: str) -> int:
        """Give how many turns a combo has had."""
        return self._tally(combo).numbers.get(TURNS, 0)

    def uses(self, combo: str, candidates: Iterable[Candidate]) -> tuple[int, ...]:
        """Give how often a combo has called each of its candidates, or the model of equals."""
        numbers = self._tally(combo).numbers
        found = [numbers.get(_counted(one)) for one in candidates]
        least = min((one for one in found if one is not None), default=0)
        return tuple(least if one is None else one for one in found)

    def last_good(self, combo: str, candidates: Sequence[Candidate]) -> int | None:
        """Give the position of the candidate that last answered, None when none is known."""
        good = self._tally(combo).good
        scopes = [(one.account_id, one.model) for one in candidates]
        return scopes.index(good) if good in scopes else None

    def take_turn(self, combo: str) -> None:
        """Count a request."""
        self._add(combo, TURNS, 1)

    def used(self, combo: str, candidate: Candidate, among: Sequence[Candidate]) -> None:
        """Count a call of one of the combo's candidates; those that are new get their start."""
        tally = self._tally(combo)
        if tally.among is not among:
            for one, start in zip(among, self.uses(combo, among), strict=True):
                scope = _counted(one)
                if scope not in tally.numbers:
                    self._add(combo, scope, start)
            tally.among = among
        self._add(combo, _counted(candidate), 1)

    def answered(self, combo: str, candidate: Candidate, *, unix_s: float) -> None:
        """Note who answered well."""
        scope, tally = (candidate.account_id, candidate.model), self._tally(combo)
        tally.good, tally.good_unix_s = scope, unix_s
        self._add(combo, scope, 0, good_unix_s=unix_s)

    def failed(self, combo: str, candidate: Candidate) -> None:
        """Note who failed: it is no longer known to be good."""
        scope, tally = (candidate.account_id, candidate.model), self._tally(combo)
        if tally.good == scope:
            tally.good, tally.good_unix_s = None, 0.0
            self._add(combo, scope, 0, good_unix_s=0.0)

    def pending(self) -> tuple[Count, ...]:
        """Give what is new since it was last stored: numbers to add."""
        return tuple(
            Count(combo, *scope, news.number, news.good_unix_s)
            for (combo, scope), news in self._news.items()
        )

    def stored(self, counts: Iterable[Count]) -> None:
        """Forget news that have been stored; what came meanwhile stays."""
        for one in counts:
            key = (one.combo, (one.account_id, one.model))
            now = self._news.get(key)
            if now is None:
                continue
            now.number -= one.number
            if now.good_unix_s == one.good_unix_s:
                now.good_unix_s = None
            if now == _News():
                del self._news[key]

    def heard(self, counts: Iterable[Count]) -> None:
        """Count what another process has counted and stored; nothing of it is news."""
        for one in counts:
            tally, scope = self._tally(one.combo), (one.account_id, one.model)
            tally.numbers[scope] = tally.numbers.get(scope, 0) + one.number
            if one.good_unix_s == 0 and tally.good == scope:
                tally.good, tally.good_unix_s = None, 0.0
            elif one.good_unix_s is not None and one.good_unix_s > tally.good_unix_s:
                tally.good, tally.good_unix_s = scope, one.good_unix_s

    def restore(self, counts: Iterable[Count]) -> None:
        """Take what was stored before; nothing of it is news."""
        for one in counts:
            tally, scope = self._tally(one.combo), (one.account_id, one.model)
            tally.numbers[scope] = one.number
            if one.good_unix_s and one.good_unix_s > tally.good_unix_s:
                tally.good, tally.good_unix_s = scope, one.good_unix_s

    def _add(
        self, combo: str, scope: Scope, number: int, *, good_unix_s: float | None = None
    ) -> None:
        numbers = self._tally(combo).numbers
        numbers[scope] = numbers.get(scope, 0) + number
        news = self._news.get((combo, scope))
        if news is None:
            news = self._news[combo, scope] = _News()
        news.number += number
        if good_unix_s is not None:
            news.good_unix_s = good_unix_s

    def _tally(self, combo: str) -> _Tally:
        tally = self._tallies.get(combo)
        if tally is None:
            if len(self._tallies) >= COMBOS_MAX:
                gone = next(iter(self._tallies))
                del self._tallies[gone]
                self._news = {key: one for key, one in self._news.items() if key[0] != gone}
            tally = self._tallies[combo] = _Tally()
        return tally


def _counted(candidate: Candidate) -> Scope:
    """Give where a candidate's calls are counted."""
    if candidate.step is None:
        return candidate.account_id, candidate.model
    return "", candidate.name
