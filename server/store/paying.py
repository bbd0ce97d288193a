"""Which budgets pay for a request: its key's own, and those of its combo and of its session."""

from collections.abc import Iterable

from .budget import Budget


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


def _add(known: dict[str, tuple[str, ...]], name: str, budget_id: str) -> None:
    known[name] = (*known.get(name, ()), budget_id)
