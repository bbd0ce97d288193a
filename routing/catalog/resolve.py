"""From a name to the candidates that could serve it. Pure: the configuration says it all.

The rules, in order, for a name without its trailing `[1m]`:

1. An active combo of exactly that name: its models in order, nested combos in their place.
2. An alias of the user's: go on with what it stands for.
3. One of our own names (`auto`, `auto/fast`, ...): every chat model that an account is known
   to serve, at most CANDIDATES_MAX, with strategy "auto". `auto/offline` means local servers
   as soon as there is one.
4. `provider/model`, by the provider's name or alias: all accounts of it, in their order. Only
   the first slash splits. A model that nobody listed is passed through, its facts unknown;
   an account with a list of its own serves that list alone.
5. `account/model`, by the account's own name.
6. A model's bare name: all accounts that are known to serve it. Accounts of different
   providers make the name ambiguous, which is an error.
7. An old name: what its vendor replaced it with; `renamed` tells.
8. A bare name that no account lists: all accounts whose provider's price list has it.

Simulated accounts are never mixed with real ones: with a real account enabled, `auto` and
bare names do not see them, and a combo leaves them out as soon as one real model is in it.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, count, islice, zip_longest

from ..errors import BadRequest
from ..model import Account, Candidate, Combo, Config, ModelFacts, Strategy
from ..preference import Preference
from .names import OLD_NAMES, OWN_NAMES, alias_of, spelled
from .prices import Facts
from .providers import provider_named
from .services import served_models
from .simulated import plain_model
from .unknown import no_combo_model, not_found, nothing_for_auto

CANDIDATES_MAX = 64
"""Candidates of one target; the rest is left out."""
TARGET_CHARS_MAX = 256
ALIAS_HOPS_MAX = 4
"""Aliases that lead to aliases."""
COMBO_DEPTH_MAX = 3
ENTRIES_MAX = 1000
"""Entries looked at while nested combos are expanded."""
ATTEMPTS_MAX = 3
"""Candidates tried where a combo does not say."""
WEIGHT_MAX = 1_000_000
"""Weights of a nested combo are kept exact up to this; then they are rounded to parts of it."""


Part = tuple[Fraction, tuple[Candidate, ...]]
"""A model's share of a combo, and the accounts that serve it."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A target and who could serve it.

    Attributes:
        combo: the combo's name when the target is one.
        mode: the mode of strategy "auto".
        preference: of a user-made auto.
        renamed: what an alias or an old name stood for, None when the name was taken as it is.
    """

    target: str
    combo: str | None
    strategy: Strategy
    candidates: tuple[Candidate, ...]
    attempts_max: int
    mode: str
    renamed: str | None = None
    preference: Preference | None = None


def resolve(config: Config, target: str, *, facts: Facts, mode: str | None = None) -> Resolved:
    """Give the candidates of a target, in the configuration's order.

    A `mode` takes the place of the one that strategy auto would have.

    Raises:
        ModelNotFound: nothing goes by that name; says what does, and what to do.
        BadRequest: the name is empty, too long, ambiguous, or its aliases lead in a circle.
    """
    asked = spelled(target[: TARGET_CHARS_MAX + 1])
    if not asked or len(target) > TARGET_CHARS_MAX:
        raise BadRequest(
            f"a model's name has 1 to {TARGET_CHARS_MAX} characters, this one {len(target)}",
            field="model",
        )
    search = _Search(config, facts)
    name = search.follow_aliases(asked)
    combo = search.combos.get(name)
    if combo is not None:
        found = _of_combo(search, target, combo, mode=mode)
        return replace(found, renamed=name if name != asked else None)
    strategy: Strategy = "priority"
    in_force = config.mode
    if name in OWN_NAMES:
        strategy, in_force = "auto", mode or OWN_NAMES[name] or config.mode
        candidates = search.everything(in_force)
        if not candidates:
            raise nothing_for_auto(config)
    else:
        candidates, name = search.model(name)
    return Resolved(
        target=target,
        combo=None,
        strategy=strategy,
        candidates=_stepped(candidates[:CANDIDATES_MAX]),
        attempts_max=ATTEMPTS_MAX,
        mode=in_force,
        renamed=name if name != asked else None,
    )


def models_of(account: Account) -> tuple[str, ...]:
    """Give the models that an account is known to serve: its own list, or its provider's."""
    if account.models:
        return account.models
    known = provider_named(account.provider)
    return () if known is None else (*known.models, *served_models(known.name))


def pooled(config: Config, target: str, *, facts: Facts) -> tuple[Candidate, ...]:
    """Give what an entry of an auto's pool stands for, nothing when nobody serves it."""
    return tuple(_Search(config, facts).entry_of_pool(target))


def known_names(config: Config) -> Iterator[str]:
    """Give the names of combos, our own, and those of models."""
    return _Search(config, lambda provider, model: ModelFacts()).known_names()


def _of_combo(search: "_Search", target: str, combo: Combo, *, mode: str | None) -> Resolved:
    mode = mode if combo.strategy == "auto" else None
    preference, in_force = combo.preference, mode or search.config.mode
    if preference is None:
        candidates = search.combo(combo)
    else:
        preference = preference if mode is None else preference.wishing(mode)
        in_force = preference.mode_among(in_force)
        candidates = _stepped(search.pool(combo, in_force))
    if not candidates:
        raise no_combo_model(combo)
    return Resolved(
        target=target,
        combo=combo.name,
        strategy=combo.strategy,
        candidates=candidates[:CANDIDATES_MAX],
        attempts_max=combo.attempts_max or ATTEMPTS_MAX,
        mode=in_force,
        preference=preference,
    )


class _Search:
    """One look through a configuration."""

    def __init__(self, config: Config, facts: Facts) -> None:
        self.config = config
        self.combos = {one.name: one for one in config.combos if one.active}
        self._facts = facts
        self._accounts = tuple(one for one in config.accounts if one.enabled)
        # What a name that says nothing of the provider may mean.
        self._pool = _real(self._accounts) or self._accounts
        self._entries_left = ENTRIES_MAX

    def follow_aliases(self, name: str) -> str:
        for _ in range(ALIAS_HOPS_MAX + 1):
            if name in self.combos:
                return name
            further = alias_of(self.config.aliases, name)
            if further is None or further == name:
                return name
            name = spelled(further)
        raise BadRequest(
            f"the aliases of {name!r} lead in a circle or through more than {ALIAS_HOPS_MAX}",
            field="model",
        )

    def everything(self, mode: str) -> tuple[Candidate, ...]:
        """Give every known chat model, the first of each account before the second of any.

        So no account is left out because another one has a long list. Mode "offline" stays
        on this machine as soon as a local server is there.
        """
        columns = [self._chats(account) for account in self._pool]
        if mode == "offline":
            columns = [one for one in columns if one and one[0].local] or columns
        return tuple(islice(_in_turn(columns), CANDIDATES_MAX))

    def pool(self, combo: Combo, mode: str, depth: int = 1) -> tuple[Candidate, ...]:
        """Give a user-made auto's candidates, the first of each entry before the second of any.

        An entry may be a provider or an account: then it is all its chat models.
        """
        if not combo.models:
            return self.everything(mode)
        columns = [list(self.entry_of_pool(one.target, depth)) for one in combo.models]
        found: dict[tuple[str, str], Candidate] = {}
        for one in _in_turn(columns):
            found.setdefault((one.account_id, one.model), one)
        real = tuple(one for one in found.values() if not one.simulated) or tuple(found.values())
        if mode == "offline":
            real = tuple(one for one in real if one.local) or real
        return real[:CANDIDATES_MAX]

    def entry_of_pool(self, target: str, depth: int = 1) -> Iterator[Candidate]:
        """Give the candidates of one entry of a pool."""
        name = self.follow_aliases(spelled(target))
        known = provider_named(name)
        provider = name if known is None else known.name
        accounts = [one for one in self._accounts if provider == one.provider]
        accounts = accounts or [one for one in self._accounts if one.name == name]
        if accounts and name not in self.combos:
            return _in_turn([self._chats(one) for one in accounts])
        return (one for _, accounts in self._entry(target, depth) for one in accounts)

    def model(self, name: str) -> tuple[tuple[Candidate, ...], str]:
        """Give the candidates of a model's name, and the name that they were found by.

        Raises:
            ModelNotFound: nobody serves it.
            BadRequest: several providers do.
        """
        found = self._named(name)
        if found:
            return found, name
        # Price lists keep what is retired, so an old name is replaced before they are asked.
        replacement = OLD_NAMES.get(name, "")
        for one, candidates in (
            (name, self._listed(name)),
            (replacement, replacement and self._bare(replacement)),
            (name, self._priced(name)),
        ):
            if candidates:
                _refuse_ambiguous(one, candidates)
                return candidates, one
        raise not_found(self.config, name, self.known_names())

    def combo(self, combo: Combo) -> tuple[Candidate, ...]:
        """Give a combo's candidates with their weights; each account's model once."""
        parts = list(self._parts(combo, 1))
        if any(not accounts[0].simulated for _, accounts in parts):
            parts = [part for part in parts if not part[1][0].simulated]
        weights = _whole([share for share, _ in parts])
        found: dict[tuple[str, str], Candidate] = {}
        for step, (weight, (_, accounts)) in enumerate(zip(weights, parts, strict=True)):
            for one in _equals(accounts, step):
                found.setdefault((one.account_id, one.model), replace(one, weight=weight))
        return tuple(found.values())

    def _parts(self, combo: Combo, depth: int) -> Iterator[Part]:
        """Give each model's accounts with its share of the combo; an entry's share is its weight.

        An entry that stands for several models (a nested combo, a name at several providers)
        divides its share among them. Where no entry has a weight all have the same.
        """
        if combo.preference is not None:
            mode = combo.preference.mode_among(self.config.mode)
            for accounts in _by_model(self.pool(combo, mode, depth)):
                yield Fraction(1), accounts
            return
        weighted = any(entry.weight for entry in combo.models)
        for entry in combo.models:
            self._entries_left -= 1
            if self._entries_left < 0:
                return
            share = Fraction(entry.weight if weighted else 1)
            inside = self._entry(entry.target, depth)
            total = sum((part for part, _ in inside), Fraction(0))
            for part, accounts in inside:
                fraction = part / total if total else Fraction(1, len(inside))
                yield share * fraction, accounts

    def _entry(self, target: str, depth: int) -> list[Part]:
        name = self.follow_aliases(spelled(target))
        nested = self.combos.get(name)
        if nested is not None:
            return list(self._parts(nested, depth + 1)) if depth < COMBO_DEPTH_MAX else []
        # A combo is a list of fallbacks, so several providers of one bare name are welcome.
        found = self._named(name) or self._bare(name)
        return [(Fraction(1), accounts) for accounts in _by_model(found)]

    def _named(self, name: str) -> tuple[Candidate, ...]:
        """Give what `provider/model` or `account/model` stands for."""
        prefix, _, model = name.partition("/")
        if not prefix or not model:
            return ()
        known = provider_named(prefix)
        provider = known.name if known is not None else prefix
        accounts = [one for one in self._accounts if one.provider == provider]
        found = self._at(accounts, model)
        return found or self._at([one for one in self._accounts if one.name == prefix], model)

    def _bare(self, model: str) -> tuple[Candidate, ...]:
        return self._listed(model) or self._priced(model)

    def _listed(self, model: str) -> tuple[Candidate, ...]:
        return tuple(self._candidate(one, model) for one in self._pool if model in models_of(one))

    def _priced(self, model: str) -> tuple[Candidate, ...]:
        found = (one for one in self._pool if self._is_priced(one, model))
        return tuple(self._candidate(one, model) for one in found)

    def _is_priced(self, account: Account, model: str) -> bool:
        known = provider_named(account.provider)
        if account.models or known is None or known.price_list is None:
            return False
        facts = self._facts(account.provider, model)
        return facts.price is not None or facts.context_tokens_max is not None

    def _at(self, accounts: Iterable[Account], model: str) -> tuple[Candidate, ...]:
        serving = [one for one in accounts if _may_serve(one, model)]
        # Who names a model in an account's list says in which format it is asked for.
        named = {one.dialect for one in serving if model in one.models}
        formats = named or {one.dialect for one in serving}
        return tuple(self._candidate(one, model) for one in serving if one.dialect in formats)

    def _chats(self, account: Account) -> list[Candidate]:
        candidates = (self._candidate(account, model) for model in models_of(account))
        return [one for one in candidates if "chat" in one.facts.capabilities]

    def _candidate(self, account: Account, model: str) -> Candidate:
        return Candidate(
            account_id=account.account_id,
            provider=account.provider,
            model=model,
            dialect=account.dialect,
            facts=self._facts(account.provider, model),
            simulated=account.simulated,
            local=account.local,
        )

    def known_names(self) -> Iterator[str]:
        yield from self.combos
        yield from OWN_NAMES
        for account in self._pool:
            for model in models_of(account):
                yield f"{account.provider}/{model}"


def _in_turn(columns: Iterable[list[Candidate]]) -> Iterator[Candidate]:
    """Give the first of each list, then the second of each."""
    rows = chain.from_iterable(zip_longest(*columns))
    return (one for one in rows if one is not None)


def _real(accounts: Sequence[Account]) -> tuple[Account, ...]:
    return tuple(one for one in accounts if not one.simulated)


def _by_model(candidates: Iterable[Candidate]) -> list[tuple[Candidate, ...]]:
    """Give the accounts of each model, in the order of the first of each."""
    found: dict[tuple[str, str], list[Candidate]] = {}
    for one in candidates:
        found.setdefault((one.provider, one.model), []).append(one)
    return list(map(tuple, found.values()))


def _stepped(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Give the same in the same order, the accounts of one model as equals."""
    equals = chain.from_iterable(map(_equals, _by_model(candidates), count()))
    steps = {(one.account_id, one.model): one for one in equals}
    return tuple(steps[one.account_id, one.model] for one in candidates)


def _equals(accounts: Sequence[Candidate], step: int) -> tuple[Candidate, ...]:
    """Give a model's accounts as equals; one alone stays as it is."""
    if len(accounts) == 1:
        return tuple(accounts)
    return tuple(replace(one, step=step) for one in accounts)


def _refuse_ambiguous(model: str, candidates: Sequence[Candidate]) -> None:
    providers = sorted({one.provider for one in candidates})
    if len(providers) > 1:
        choices = ", ".join(f"{provider}/{model}" for provider in providers)
        raise BadRequest(
            f"several providers serve {model!r}: ask for one of {choices}", field="model"
        )


def _may_serve(account: Account, model: str) -> bool:
    """Whether an account takes the name: what a probe saw is a start, not a limit."""
    asked = plain_model(model) if account.simulated else model
    return not account.models or asked in account.models or account.source == "probe"


def _whole(shares: Sequence[Fraction]) -> list[int]:
    """Give whole weights in the same proportion; exact unless they would be huge."""
    scale = math.lcm(*(share.denominator for share in shares))
    top = max(shares, default=Fraction(0)) * scale
    if top <= WEIGHT_MAX:
        return [int(share * scale) for share in shares]
    return [math.ceil(share * scale * WEIGHT_MAX / top) for share in shares]
