"""Which budgets pay for a request: its key's own, and those of its combo and of its session."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .budget import Budget
from .windows import Line, Windows

PURSES_MAX = 4_096

Share = tuple[Budget, Line]
"""A budget that pays, and its current window."""


@dataclass(frozen=True, slots=True)
class Purse:
    """The budgets that pay for a request together, looked up once for many requests.

    Attributes:
        shares: of those that exist, each once.
        degrading: of those that keep requests to a tier.
        lines: the windows of all; None when one of the budgets is not known.
        pays_unpriced: whether all let models without a known price through.
        since_unix_s: from when to `until_unix_s` these are the windows; None is always.
    """

    shares: tuple[Share, ...]
    degrading: tuple[Share, ...]
    lines: tuple[Line, ...] | None
    pays_unpriced: bool
    since_unix_s: int | None
    until_unix_s: int


class Paying:
    """The budgets that are not of a key, by what they are of."""

    def __init__(self, budgets: Iterable[Budget] = ()) -> None:
        self._by_combo: dict[str, tuple[str, ...]] = {}
        self._by_session: dict[str, tuple[str, ...]] = {}
        for one in budgets:
            if one.combo is not None:
                _add(self._by_combo, one.combo, one.budget_id)
            elif one.session_id is not None:
                _add(self._by_session, one.session_id, one.budget_id)

    def of(
        self, budget_ids: tuple[str, ...], *, combo: str | None, session_id: str | None
    ) -> tuple[str, ...]:
        """Give the ids of all that pay, those of the key first; each once."""
        if not self._by_combo and not self._by_session:
            return budget_ids
        more = (
            *self._by_combo.get(combo or "", ()),
            *self._by_session.get(session_id or "", ()),
        )
        return tuple(dict.fromkeys((*budget_ids, *more))) if more else budget_ids


def purse_of(budget_ids: tuple[str, ...], budgets: Mapping[str, Budget], windows: Windows) -> Purse:
    """Look up the budgets of these ids and their windows."""
    once = dict.fromkeys(budget_ids)
    found = [budgets[one] for one in once if one in budgets]
    shares = tuple(
        (one, Line(one.budget_id, windows.start(one.period), passes=one.action == "alert"))
        for one in found
    )
    is_whole = len(found) == len(once)
    return Purse(
        shares=shares,
        degrading=tuple(share for share in shares if share[0].action == "degrade"),
        lines=tuple(line for _, line in shares) if is_whole else None,
        pays_unpriced=is_whole
        and all(one.allow_unpriced or one.action == "alert" for one in found),
        since_unix_s=None if all(one.period == "total" for one in found) else windows.day,
        until_unix_s=windows.until,
    )


def _add(known: dict[str, tuple[str, ...]], name: str, budget_id: str) -> None:
    known[name] = (*known.get(name, ()), budget_id)
