"""Whose keys a key may make and change, and that somebody can still manage the gateway.

The idea: a key gives away at most what it has. A key that it makes or changes has no scope, no
model, no longer life, no higher rate than its own, and is charged to every budget that it is
charged to itself; and only a key that is within these bounds already may be changed, rolled or
revoked by it, or a weak key would take over a strong one. Who needs no key, at this machine, is
bound by nothing. Rates are bounds of each key: what several keys do together is bounded by
budgets alone.

While keys are required, the last usable one that carries `admin` stays: without it nobody could
manage the gateway from elsewhere.

All of it is judged on what the transaction of the change reads, so two that change keys at the
same moment cannot pass each other by.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from omniroute.routing.access import ADMIN
from omniroute.routing.catalog.names import is_within
from omniroute.routing.errors import Conflict, NotAllowed, NotAuthenticated
from omniroute.routing.rates import Rates

from .key_terms import KeyRows, KeyTerms, StoredKey, stored_key


@dataclass(frozen=True, slots=True)
class KeysNow:
    """Every key at the moment of a change, and the budgets that each owns."""

    keys: Mapping[str, StoredKey]
    owned: Mapping[str, tuple[str, ...]]

    @staticmethod
    def of(read: KeyRows) -> "KeysNow":
        """Give them as they were read."""
        return KeysNow({row["key_id"]: stored_key(row) for row in read.rows}, read.owned)

    def charged(self, key_id: str) -> frozenset[str]:
        """Give every budget that a key is charged to."""
        stored = self.keys.get(key_id)
        named = () if stored is None else stored.terms.budget_ids
        return frozenset((*named, *self.owned.get(key_id, ())))

    def check_touch(self, key_id: str, maker: str | None) -> None:
        """Raise NotAllowed unless `maker` may change the key as it is; None may all."""
        if maker is None or maker == key_id:
            return
        own, stored = self._own(maker), self.keys[key_id]
        stronger = stronger_in(stored.terms, than=own)
        missing = self.charged(maker) - self.charged(key_id)
        if missing:
            stronger = f"is not charged to {_some(missing)}"
        if stronger is not None:
            raise NotAllowed(
                f"key {maker} cannot change key {key_id}, which {stronger}: ask for it with a key "
                "that may do as much, or on the gateway's machine"
            )

    def check_terms(self, terms: KeyTerms, maker: str | None) -> None:
        """Raise NotAllowed where terms are stronger than the maker's own."""
        if maker is None:
            return
        stronger = stronger_in(terms, than=self._own(maker))
        if stronger is not None:
            raise NotAllowed(f"key {maker} cannot make a key that {stronger}: it may not itself")

    def check_charged(self, key_id: str, terms: KeyTerms, maker: str | None) -> None:
        """Raise NotAllowed where a key would no more be charged to its maker's budgets."""
        if maker is None:
            return
        paying = {*terms.budget_ids, *self.owned.get(key_id, ())}
        missing = self.charged(maker) - paying
        if missing:
            raise NotAllowed(
                f"key {maker} cannot make a key that is not charged to {_some(missing)}: it is"
            )

    def inherited(self, terms: KeyTerms, maker: str | None) -> KeyTerms:
        """Give terms of a new key that is charged to its maker's budgets, too."""
        if maker is None:
            return terms
        budget_ids = dict.fromkeys((*terms.budget_ids, *sorted(self.charged(maker))))
        return replace(terms, budget_ids=tuple(budget_ids))

    def check_admin_left(
        self,
        key_id: str,
        terms: KeyTerms | None,
        *,
        now_unix_s: float,
        required: Callable[[int], bool],
    ) -> None:
        """Raise Conflict where a change takes the last key that may manage the gateway.

        Args:
            key_id: the key that changes.
            terms: its new ones; None removes it.
            now_unix_s: keys that have ended by then count no more.
            required: whether keys are, where so many are left.
        """
        now = {one.key_id: one.terms for one in self.keys.values()}
        left = {**now, key_id: terms} if terms is not None else dict(now)
        if terms is None:
            left.pop(key_id, None)
        if not _manages(now.get(key_id), now_unix_s) or _manages(left.get(key_id), now_unix_s):
            return
        if required(len(left)) and not any(_manages(one, now_unix_s) for one in left.values()):
            raise Conflict(
                f"key {key_id} is the last one that may manage this gateway, and keys are "
                "required: make another one first (`omniroute keys add --scope admin`), or remove "
                "all other keys before it"
            )

    def named_by_others(self, key_id: str) -> frozenset[str]:
        """Give the budgets of a key that other keys are charged to."""
        others = (one for one in self.keys.values() if one.key_id != key_id)
        named = {budget for one in others for budget in one.terms.budget_ids}
        return frozenset(self.owned.get(key_id, ())) & named

    def _own(self, maker: str) -> KeyTerms:
        stored = self.keys.get(maker)
        if stored is None or not stored.terms.enabled:
            raise NotAuthenticated("the key was revoked while it was used")
        return stored.terms


def stronger_in(terms: KeyTerms, *, than: KeyTerms) -> str | None:
    """Give in words what terms allow that others do not; None where that is nothing."""
    scopes = set(terms.scopes) - set(than.scopes)
    if scopes and ADMIN not in than.scopes:
        return f"carries {_some(scopes)}"
    if than.models:
        if not terms.models:
            return f"may use every model, not {_some(than.models)} alone"
        beyond = [
            one for one in terms.models if not any(is_within(one, its) for its in than.models)
        ]
        if beyond:
            return f"may use {_some(beyond)}"
    ends, its_end = terms.expires_unix_s, than.expires_unix_s
    if its_end is not None and (ends is None or ends > its_end):
        return "ends later than it does, or never"
    return _faster(terms.rates, than.rates)


def _faster(rates: Rates, than: Rates) -> str | None:
    for (name, limit), (_, its_limit) in zip(rates.limits(), than.limits(), strict=True):
        if its_limit is not None and (limit is None or limit > its_limit):
            return f"has a {name} of {'any number' if limit is None else limit}, over {its_limit}"
    return None


def _manages(terms: KeyTerms | None, now_unix_s: float) -> bool:
    if terms is None or not terms.enabled or ADMIN not in terms.scopes:
        return False
    return terms.expires_unix_s is None or terms.expires_unix_s > now_unix_s


def _some(names: "frozenset[str] | set[str] | tuple[str, ...] | list[str]") -> str:
    return ", ".join(sorted(names)[:5])
