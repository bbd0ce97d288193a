"""One fake per port of routing/ports.py and tools/audit.py, and a gateway made of them.

A fake fulfils its port in memory; the contract tests of the real ones run on the fakes too.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from omniroute.routing.catalog.combos import validate_combo
from omniroute.routing.catalog.fitness_rules import with_rule, without_rule
from omniroute.routing.catalog.price_rules import with_prices
from omniroute.routing.controls import Controls
from omniroute.routing.conversation import Delta, Usage
from omniroute.routing.engine import Engine
from omniroute.routing.errors import BudgetExceeded, Conflict, UpstreamFailure
from omniroute.routing.gateway import Gateway
from omniroute.routing.guard import (
    Action,
    BudgetStanding,
    Guard,
    GuardStanding,
    GuardTerms,
    Tier,
    strictest,
)
from omniroute.routing.health.book import HealthBook
from omniroute.routing.health.experience import Experience
from omniroute.routing.model import (
    Account,
    Call,
    Caller,
    Combo,
    ComboModel,
    Config,
    ModelFacts,
    Outcome,
    Piece,
    Price,
    Snapshot,
)
from omniroute.routing.ports import Hold, Record
from omniroute.routing.preference import FitnessRule, ProfileName
from omniroute.routing.prepare import Preparer
from omniroute.routing.shaping import Shaping
from omniroute.routing.usage import CallDimension, CallRow, Grouping, Selection
from omniroute.routing.usage import Usage as UsageSums
from omniroute.routing.views import Views
from omniroute.tools.audit import ToolCall
from tests import adding_up

ADMIN = Caller("admin-key", frozenset({"admin"}))
NO_HEADERS: Mapping[bytes, bytes] = {}
"""The headers of an answer that tells nothing by them."""
PRICE = Price(input=1_000_000_000, output=2_000_000_000)
"""One dollar per million input tokens, two per million output tokens."""


@dataclass
class FakeClock:
    """Time that moves only when told to."""

    now_s: float = 1000.0
    unix_s: float = 1_700_000_000.0

    def now(self) -> float:
        return self.now_s

    def unix(self) -> float:
        return self.unix_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds
        self.unix_s += seconds


@dataclass
class FakeConfigs:
    """A configuration in memory: both the reading and the changing port."""

    config: Config

    def current(self) -> Config:
        return self.config

    async def put_account(self, account: Account, *, actor: str) -> None:
        others = [one for one in self.config.accounts if one.account_id != account.account_id]
        self._change(accounts=(*others, account))

    async def remove_account(self, account_id: str, *, actor: str) -> bool:
        left = tuple(one for one in self.config.accounts if one.account_id != account_id)
        removed = len(left) < len(self.config.accounts)
        self._change(accounts=left)
        return removed

    async def put_combo(self, combo: Combo, *, actor: str) -> None:
        others = [one for one in self.config.combos if one.combo_id != combo.combo_id]
        if any(one.name == combo.name for one in others):
            raise Conflict(f"a combo named {combo.name!r} exists")
        validate_combo(combo, others)
        self._change(combos=(*others, combo))

    async def remove_combo(self, combo_id: str, *, actor: str) -> bool:
        left = tuple(one for one in self.config.combos if one.combo_id != combo_id)
        removed = len(left) < len(self.config.combos)
        self._change(combos=left)
        return removed

    async def switch_combo(self, combo: Combo, *, active: bool, actor: str) -> bool:
        known = any(one.combo_id == combo.combo_id for one in self.config.combos)
        combos = (
            replace(one, active=active) if one.combo_id == combo.combo_id else one
            for one in self.config.combos
        )
        self._change(combos=tuple(combos))
        return known

    async def put_resilience(self, profile: ProfileName, *, actor: str) -> None:
        self._change(resilience=profile)

    async def put_shaping(self, shaping: Shaping, *, actor: str) -> None:
        self._change(shaping=shaping if shaping.touches else None)

    async def put_prices(self, changes: Mapping[str, Price | None], *, actor: str) -> None:
        self._change(prices=with_prices(self.config.prices, changes))

    async def put_alias(self, name: str, target: str, *, actor: str) -> None:
        self._change(aliases=tuple(sorted({**dict(self.config.aliases), name: target}.items())))

    async def remove_alias(self, name: str, *, actor: str) -> bool:
        left = tuple(one for one in self.config.aliases if one[0] != name)
        removed = len(left) < len(self.config.aliases)
        self._change(aliases=left)
        return removed

    async def put_fitness(self, rule: FitnessRule, *, actor: str) -> None:
        self._change(fitness=with_rule(self.config.fitness, rule))

    async def remove_fitness(self, pattern: str, kind: str, *, actor: str) -> bool:
        left = without_rule(self.config.fitness, pattern, kind)
        removed = len(left) < len(self.config.fitness)
        self._change(fitness=left)
        return removed

    def _change(self, **changes: object) -> None:
        version = self.config.version + 1
        self.config = replace(self.config, version=version, **changes)  # type: ignore[arg-type]


@dataclass
class FakeAnswer:
    """Pieces from a list; a failure in the list is raised in its place."""

    pieces: Sequence[Piece | UpstreamFailure]
    closed: bool = False
    headers: Mapping[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    dropped: tuple[str, ...] = ()
    pour = None

    def __aiter__(self) -> AsyncIterator[Piece]:
        return self._iterate()

    async def _iterate(self) -> AsyncIterator[Piece]:
        for piece in self.pieces:
            if isinstance(piece, UpstreamFailure):
                raise piece
            yield piece

    def close(self) -> None:
        self.closed = True


Script = Callable[[Call], Sequence[Piece | UpstreamFailure]]


@dataclass
class FakeUpstream:
    """Answers by script: by `provider/model`, else by repeating "hello" in two Deltas."""

    scripts: dict[str, Script] = field(default_factory=dict[str, Script])
    calls: list[Call] = field(default_factory=list[Call])
    answers: list[FakeAnswer] = field(default_factory=list[FakeAnswer])
    headers: dict[str, dict[bytes, bytes]] = field(default_factory=dict[str, dict[bytes, bytes]])
    """The answers' headers by `provider/model`."""

    async def open(self, call: Call) -> FakeAnswer:
        self.calls.append(call)
        pieces = self.scripts.get(call.candidate.name, hello)(call)
        if pieces and isinstance(pieces[0], UpstreamFailure):
            raise pieces[0]
        headers = self.headers.get(call.candidate.name, {})
        self.answers.append(FakeAnswer(pieces, headers=headers))
        return self.answers[-1]


def hello(call: Call) -> Sequence[Piece]:
    """Say hello in two Deltas, a finish and a usage of 10 in and 2 out."""
    return (
        Piece(b"", Delta(text="hel")),
        Piece(b"", Delta(text="lo")),
        Piece(
            b"", Delta(finish="stop", usage=Usage(10, 2), model=call.candidate.model, ended=True)
        ),
    )


def failing(failure: UpstreamFailure) -> Script:
    """Give a script that fails before anything came."""
    return lambda call: (failure,)


@dataclass
class MemoryLedger:
    """Outcomes in a list, newest last."""

    records: list[Record] = field(default_factory=list[Record])

    def record(self, outcome: Outcome, snapshot: Snapshot | None) -> None:
        self.records.append(Record(outcome, snapshot))

    async def find(self, request_id: str, *, key_id: str | None) -> Record | None:
        found = [
            record
            for record in self.records
            if record.outcome.request.request_id == request_id
            and key_id in (None, record.outcome.key_id)
        ]
        return found[-1] if found else None

    async def usage(
        self, selection: Selection, by: Sequence[Grouping] = (), *, timed: bool = False
    ) -> UsageSums:
        return adding_up.usage(self._outcomes(), selection, by, timed=timed)

    async def calls(self, selection: Selection, by: CallDimension) -> tuple[CallRow, ...]:
        return adding_up.calls(self._outcomes(), selection, by)

    async def recent(
        self, *, key_id: str | None, limit: int, before: tuple[float, str] | None = None
    ) -> Sequence[Record]:
        own = [one for one in self.records if key_id in (None, one.outcome.key_id)]
        if before is not None:
            own = [one for one in own if _place(one) < before]
        return own[::-1][:limit]

    def _outcomes(self) -> list[Outcome]:
        return [record.outcome for record in self.records]


def _place(record: Record) -> tuple[float, str]:
    return record.outcome.at_unix_s, record.outcome.request.request_id


@dataclass
class MemoryBudgets:
    """Caps by budget id, with what is spent and held."""

    caps: dict[str, int] = field(default_factory=dict[str, int])
    spent: dict[str, int] = field(default_factory=dict[str, int])
    holds: dict[str, Hold] = field(default_factory=dict[str, Hold])
    unpriced: set[str] = field(default_factory=set[str])
    actions: dict[str, tuple[Action, Tier]] = field(default_factory=dict[str, tuple[Action, Tier]])

    def left(self, budget_ids: tuple[str, ...]) -> int | None:
        known = [
            max(self._left(one), 0)
            for one in budget_ids
            if one in self.caps and not self._alerts(one)
        ]
        return min(known, default=None)

    def paying(
        self, budget_ids: tuple[str, ...], *, combo: str | None, session_id: str | None
    ) -> tuple[str, ...]:
        more = tuple(one for one in (f"combo:{combo}", session_id or "") if one in self.caps)
        return (*budget_ids, *more) if more else budget_ids

    def guard(self, budget_ids: tuple[str, ...]) -> Guard | None:
        guards: list[Guard] = []
        for one in budget_ids:
            action, tier = self.actions.get(one, ("block", "cheap"))
            past = self.spent.get(one, 0) * 10 >= self.caps[one] * 8
            if action == "degrade":
                guards.append(Guard(tier, None if past else self._left(one)))
        return strictest(guards)

    def warnings(self, budget_ids: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(
            f"budget {one!r} has spent {self.spent[one]} of {self.caps[one]}"
            for one in budget_ids
            if self.spent.get(one, 0) * 10 >= self.caps[one] * 8
        )

    def pay_unpriced(self, budget_ids: tuple[str, ...]) -> bool:
        return all(one in self.unpriced or self._alerts(one) for one in budget_ids)

    def take(self, hold: Hold) -> bool:
        limits = [one for one in hold.budget_ids if not self._alerts(one)]
        if any(self._left(one) < hold.usd_nanos for one in limits):
            return False
        self.holds[hold.hold_id] = hold
        return True

    async def reserve(self, hold: Hold) -> None:
        if not self.take(hold):
            raise BudgetExceeded(f"{hold.usd_nanos} nano-dollars are more than what is left")

    def settle(self, hold_id: str, *, usd_nanos: int) -> None:
        hold = self.holds.pop(hold_id, None)
        for one in hold.budget_ids if hold is not None else ():
            self.spent[one] = self.spent.get(one, 0) + usd_nanos

    def _alerts(self, budget_id: str) -> bool:
        return self.actions.get(budget_id, ("block", "cheap"))[0] == "alert"

    def _left(self, budget_id: str) -> int:
        held = sum(one.usd_nanos for one in self.holds.values() if budget_id in one.budget_ids)
        return self.caps[budget_id] - self.spent.get(budget_id, 0) - held


@dataclass
class MemoryGuards:
    """Guards among the budgets of the memory, `guard-` and the owner for an id."""

    budgets: MemoryBudgets

    async def standings(self, budget_ids: tuple[str, ...]) -> tuple[BudgetStanding, ...]:
        budgets = self.budgets
        return tuple(
            BudgetStanding(
                *(one, one, "total", budgets.actions.get(one, ("block", "cheap"))[0]),
                is_guard=one.startswith("guard-"),
                cap_usd_nanos=budgets.caps[one],
                spent_usd_nanos=budgets.spent.get(one, 0),
                held_usd_nanos=0,
            )
            for one in budget_ids
            if one in budgets.caps
        )

    async def put_guard(
        self, terms: GuardTerms, *, owner: str, actor: str, restart: bool
    ) -> GuardStanding:
        budget_id, budgets = f"guard-{owner}", self.budgets
        budgets.caps[budget_id] = terms.cap_usd_nanos
        budgets.actions[budget_id] = (terms.action, terms.tier)
        if restart:
            budgets.spent.pop(budget_id, None)
        spent = budgets.spent.get(budget_id, 0)
        return GuardStanding(budget_id, owner, terms, spent, held_usd_nanos=0)


@dataclass
class MemoryAudit:
    """Calls of tools in a list, newest last."""

    keeps_arguments: bool = False
    calls: list[ToolCall] = field(default_factory=list[ToolCall])

    def record(self, call: ToolCall) -> None:
        self.calls.append(call)


@dataclass
class World:
    """A gateway on fakes, with every fake within reach."""

    gateway: Gateway
    clock: FakeClock
    configs: FakeConfigs
    upstream: FakeUpstream
    ledger: MemoryLedger
    budgets: MemoryBudgets
    health: HealthBook


def account(name: str, *models: str, **changes: object) -> Account:
    """Give an account at the provider of that name, of the OpenAI dialect."""
    made = Account(
        account_id=f"acc-{name}",
        provider=name,
        dialect="openai_chat",
        base_url=f"https://{name}.example/v1",
        credential="sk-fake-credential",
        models=models or ("m",),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def combo(name: str, *targets: str, **changes: object) -> Combo:
    """Give a combo of these targets."""
    made = Combo(f"cmb-{name}", name, tuple(ComboModel(target) for target in targets))
    return replace(made, **changes)  # type: ignore[arg-type]


def facts(provider: str, model: str) -> ModelFacts:
    """Know every model: 100,000 tokens of context, 1,000 of output, PRICE."""
    return ModelFacts(context_tokens_max=100_000, output_tokens_max=1_000, price=PRICE)


def world(
    *accounts: Account,
    combos: Sequence[Combo] = (),
    scripts: dict[str, Script] | None = None,
    caps: dict[str, int] | None = None,
    facts_by: Callable[[str, str], ModelFacts] | None = None,
) -> World:
    """Give a gateway on fakes; without accounts it has `one` and `two`, each serving `m`."""
    config = Config(
        version=1,
        accounts=accounts or (account("one"), account("two")),
        combos=tuple(combos),
        seed=b"a fake seed",
    )
    clock, configs, health = FakeClock(), FakeConfigs(config), HealthBook()
    upstream, ledger = FakeUpstream(scripts or {}), MemoryLedger()
    budgets = MemoryBudgets(caps or {})
    experience = Experience()
    engine = Engine(
        configs=configs,
        preparer=Preparer(health, facts=facts_by or facts, experience=experience),
        upstream=upstream,
        ledger=ledger,
        budgets=budgets,
        health=health,
        clock=clock,
    )
    known = facts_by or facts
    guards = MemoryGuards(budgets)
    views = Views(
        *(configs, health, ledger, clock, "0.0.0-test", clock.now(), known, experience),
        standings=guards.standings,
    )
    controls = Controls(configs, configs, health, guards)
    gateway = Gateway(route=engine, view=views, control=controls)
    return World(gateway, clock, configs, upstream, ledger, budgets, health)
