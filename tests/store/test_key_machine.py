"""Keys that make, change, roll and revoke each other in any order: none ever gains a right.

Threat T40, as a state machine. What a key may do is known here without the gateway's rules: as the
set of things it could ask for, of a small world.
"""

import asyncio
import shutil
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from omniroute.routing.access import ADMIN, SCOPES, expand_scopes
from omniroute.routing.errors import Conflict, NotAllowed, NotAuthenticated
from omniroute.routing.rates import Rates
from omniroute.server.store.budget import Budget
from omniroute.server.store.key_terms import KeyTerms
from tests.fakes import FakeClock
from tests.store.opened import Opened, open_store

NAMES = ("groq/a", "groq/b", "openai/a", "fast")
PATTERNS: dict[str, frozenset[str]] = {
    "groq/*": frozenset({"groq/a", "groq/b"}),
    "*/a": frozenset({"groq/a", "openai/a"}),
    "groq/a": frozenset({"groq/a"}),
    "f*t": frozenset({"fast"}),
    "*": frozenset(NAMES),
}
NEVER = float("inf")
START_UNIX_S = FakeClock().unix_s
TERMS = st.builds(
    KeyTerms,
    name=st.just("a key"),
    scopes=st.sampled_from([("agent",), ("read:health",), ("full", "admin"), ("admin",)]),
    models=st.lists(st.sampled_from(sorted(PATTERNS)), max_size=2).map(tuple),
    expires_unix_s=st.none() | st.sampled_from([START_UNIX_S + 10**6, START_UNIX_S + 10**7]),
    enabled=st.sampled_from([True, True, True, False]),
    rates=st.builds(
        Rates,
        st.none() | st.sampled_from([1, 10]),
        st.none() | st.sampled_from([100]),
        st.none() | st.sampled_from([2, 4]),
    ),
)


@dataclass(frozen=True)
class Power:
    """All that a key could ever do."""

    scopes: frozenset[str]
    names: frozenset[str]
    ends: float
    rates: tuple[float, ...]
    payers: frozenset[str]

    def within(self, other: "Power") -> bool:
        return (
            self.scopes <= other.scopes
            and self.names <= other.names
            and self.ends <= other.ends
            and all(one <= its for one, its in zip(self.rates, other.rates, strict=True))
            # Whoever is charged to more may do less.
            and self.payers >= other.payers
        )


class KeyMachine(RuleBasedStateMachine):
    """Any number of keys, each of which acts on each."""

    migrated: Path
    keys = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp())
        self.opened = AsyncExitStack()
        self.budgets = 0

    def do(self, work: Any) -> Any:
        return self.runner.run(work)

    @initialize(target=keys)
    def begin(self) -> str:
        url = f"sqlite:///{shutil.copy(self.migrated, self.folder / 'storage.sqlite')}"
        opening = self.opened.enter_async_context(open_store(url, self.folder, FakeClock()))
        self.store: Opened = self.do(opening)
        self.store.keys.required = lambda left: True
        made = self.do(self.store.keys.create(KeyTerms("first", ("full", "admin")), actor="start"))
        first: str = made.stored.key_id
        return first

    def teardown(self) -> None:
        self.do(self.opened.aclose())
        self.runner.close()
        shutil.rmtree(self.folder)

    def power(self, key_id: str) -> Power | None:
        """Give what a key could do; None of one that is gone."""
        stored, terms = self.store.keys.find(key_id), None
        if stored is not None:
            terms = stored.terms
        if terms is None:
            return None
        scopes = expand_scopes(terms.scopes)
        allowed = [PATTERNS[one] for one in terms.models]
        return Power(
            frozenset((*SCOPES, ADMIN)) if ADMIN in scopes else scopes,
            frozenset().union(*allowed) if allowed else frozenset((*NAMES, "all else")),
            terms.expires_unix_s or NEVER,
            tuple(NEVER if limit is None else limit for _, limit in terms.rates.limits()),
            frozenset((*terms.budget_ids, *self.store.keys.budgets_of(key_id))),
        )

    def acts(self, key_id: str) -> bool:
        """Whether a key could send the request: it is there, is on, and carries the scope."""
        stored = self.store.keys.find(key_id)
        return stored is not None and stored.terms.enabled and ADMIN in stored.terms.scopes

    @rule(target=keys, maker=keys, terms=TERMS, pays=st.booleans())
    def make(self, maker: str, terms: KeyTerms, pays: bool) -> str:
        own = self.power(maker)
        if own is None or not self.acts(maker):
            return maker
        self.budgets += 1
        budget = f"budget-{self.budgets}"
        try:
            made = self.do(
                self.store.keys.create(
                    terms,
                    actor=maker,
                    maker=maker,
                    budget=(lambda key: Budget(budget, key, budget, 5)) if pays else None,
                )
            )
        except NotAllowed:
            return maker
        child = self.power(made.stored.key_id)
        assert child is not None
        assert child.within(own)
        key_id: str = made.stored.key_id
        return key_id

    @rule(maker=keys, key=keys, terms=TERMS)
    def change(self, maker: str, key: str, terms: KeyTerms) -> None:
        own, before = self.power(maker), self.power(key)
        if own is None or before is None or not self.acts(maker):
            return
        kept = self.store.keys.all()
        edit = lambda now: replace(terms, budget_ids=now.budget_ids)  # noqa: E731
        try:
            self.do(self.store.keys.change(key, edit, actor=maker, maker=maker))
        except (NotAllowed, Conflict):
            assert self.store.keys.all() == kept
            return
        after = self.power(key)
        assert after is not None
        assert before.within(own)
        assert after.within(own)

    @rule(maker=keys, key=keys)
    def drop_budgets(self, maker: str, key: str) -> None:
        own, before = self.power(maker), self.power(key)
        if own is None or before is None or not self.acts(maker):
            return
        edit = lambda now: replace(now, budget_ids=())  # noqa: E731
        try:
            self.do(self.store.keys.change(key, edit, actor=maker, maker=maker))
        except (NotAllowed, Conflict):
            return
        after = self.power(key)
        assert after is not None
        assert after.within(own)

    @rule(maker=keys, key=keys)
    def roll(self, maker: str, key: str) -> None:
        own, before = self.power(maker), self.power(key)
        if own is None or before is None or not self.acts(maker):
            return
        try:
            rolled = self.do(self.store.keys.roll(key, overlap_s=0, actor=maker, maker=maker))
        except NotAllowed:
            assert not before.within(own) or maker != key
            return
        # Whoever has the new secret has what the key may do.
        assert before.within(own)
        assert rolled is not None

    @rule(maker=keys, key=keys)
    def revoke(self, maker: str, key: str) -> None:
        own, before = self.power(maker), self.power(key)
        if own is None or before is None or not self.acts(maker):
            return
        payers = {one.key_id: set(one.terms.budget_ids) for one in self.store.keys.all()}
        try:
            self.do(self.store.keys.revoke(key, actor=maker, maker=maker))
        except (NotAllowed, Conflict):
            assert self.power(key) == before
            return
        assert before.within(own)
        assert self.power(key) is None
        self.do(self.store.budgets.load())
        there = {one.budget_id for one in self.store.budgets.all()}
        # Nobody is charged to what is gone: that would refuse, and must not let through either.
        named = set().union(*(ids for one, ids in payers.items() if one != key))
        assert {one for one in named if one in there} == named

    @rule(key=keys)
    def act_as_one_that_is_gone(self, key: str) -> None:
        if self.power(key) is not None:
            return
        with pytest.raises(NotAuthenticated):
            self.do(self.store.keys.create(KeyTerms("x", ("agent",)), actor=key, maker=key))

    @invariant()
    def somebody_can_manage_the_gateway(self) -> None:
        assert any(self.acts(one.key_id) for one in self.store.keys.all())


def test_no_key_ever_gains_a_right_and_one_can_always_manage(
    migrated_file: Path, tmp_path: Path
) -> None:
    machine = type("Machine", (KeyMachine,), {"migrated": migrated_file})
    limits = settings(
        max_examples=25,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )

    ran = run_machine(machine, limits)

    assert ran


def run_machine(machine: type[RuleBasedStateMachine], limits: settings) -> bool:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(machine, settings=limits)
    return True
