"""From a name to the snapshot a decision reads, prepared once for many requests.

A prepared target holds while nothing that it was made from has changed: the configuration
object in force and the versions of the health book and of what was learned. So a request
normally pays three comparisons. What changes with every request (its time, its size, its limits)
is in the request, not here; see docs/decisions/0004-what-a-snapshot-holds.md.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from msgspec import structs

from .catalog.fitness import FitnessOf, documented_fitness, fitness_of
from .catalog.fitness_rules import ruled
from .catalog.prices import facts_of, priced
from .catalog.resolve import Resolved, resolve
from .choose.balance import COUNTING
from .choose.classic import PACKS, best_scores
from .choose.record import pack_snapshot, snapshot_id
from .health.book import HealthBook
from .health.experience import Experience
from .health.informed import with_fitness, with_lengths
from .health.profiles import profile_named
from .model import Account, Candidate, Combo, Config, Limits, ModelFacts, Snapshot

TARGETS_MAX = 1024
"""Prepared targets kept; model names are free text, so the oldest go."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often one candidate is asked again, and how long it is waited for.

    `concurrency` None is no limit: then nobody queues. `session_s` is how long a session stays
    with who answered it, None for as long as the provider keeps a prompt. `hedge_percentile`
    None never hedges.
    """

    retries: int = 0
    retry_delay_s: float = 2.0
    concurrency: int | None = None
    queue_s: float = 30.0
    session_s: float | None = None
    hedge_percentile: int | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """One target, ready to decide on.

    Attributes:
        shared: several accounts serve a model of it.
        counts: its strategy reads what is counted at the moment.
    """

    config: Config
    health_version: int
    learned_version: int
    snapshot: Snapshot
    snapshot_id: str
    accounts: dict[str, Account]
    limits: Limits
    patience: Patience = Patience()
    shared: bool = False
    counts: bool = False
    facts: Callable[[str, str], ModelFacts] = facts_of


class Preparer:
    """Keeps prepared targets, and makes new ones when something changed.

    Attributes:
        limits: the times and bounds of a call where a combo names no others.
        experience: what own requests have shown of models.
    """

    def __init__(
        self,
        health: HealthBook,
        *,
        facts: Callable[[str, str], ModelFacts] = facts_of,
        limits: Limits = Limits(),  # noqa: B008 - a frozen value
        fitness: FitnessOf = fitness_of,
        experience: Experience | None = None,
    ) -> None:
        self._health = health
        self._facts = facts
        self._fitness = fitness
        self.experience = Experience() if experience is None else experience
        self.limits = limits
        self._targets: OrderedDict[str, Prepared] = OrderedDict()

    def prepare(
        self, config: Config, target: str, *, now_s: float, mode: str | None = None
    ) -> Prepared:
        """Give the target as it stands now, for a request that may wish for a mode of auto.

        Raises:
            ModelNotFound: nothing goes by that name.
            BadRequest: the name is ambiguous.
        """
        if config.resilience != self._health.profile.name:
            self._health.use(profile_named(config.resilience))
        version = self._health.refresh(now_s)
        learned = self.experience.refresh(now_s)
        key = target if mode is None else f"{target}\n{mode}"
        known = self._targets.get(key)
        holds = known is not None and known.config is config and known.learned_version == learned
        if known is not None and holds and known.health_version == version:
            return known
        if known is not None and self._judge(known.snapshot, now_s):
            version = self._health.version
        if known is not None and holds:
            prepared = self._renewed(known, version)
        else:
            prepared = self._made(config, target, version, mode)
        self._targets[key] = prepared
        self._targets.move_to_end(key)
        if len(self._targets) > TARGETS_MAX:
            self._targets.popitem(last=False)
        return prepared

    def informed(self, candidate: Candidate, config: Config) -> Candidate:
        """Give a candidate with what strategy auto reads of its model, whatever strategy it has."""
        fitness = ruled(self._fitness(candidate.model), candidate.name, config.fitness)
        return with_fitness(with_lengths(candidate, self.experience), fitness, self.experience)

    def _renewed(self, known: Prepared, version: int) -> Prepared:
        states = tuple(map(self._health.state, known.snapshot.candidates))
        if states == known.snapshot.states:
            return replace(known, health_version=version)
        snapshot = replace(known.snapshot, states=states)
        packed_id = snapshot_id(pack_snapshot(snapshot))
        return replace(known, health_version=version, snapshot=snapshot, snapshot_id=packed_id)

    def _made(self, config: Config, target: str, version: int, mode: str | None) -> Prepared:
        facts = priced(self._facts, config.prices)
        resolved = resolve(config, target, facts=facts, mode=mode)
        candidates = self._informed(resolved, config)
        shared = any(one.step is not None for one in candidates)
        snapshot = Snapshot(
            target=target,
            combo=resolved.combo,
            strategy=resolved.strategy,
            candidates=candidates,
            states=tuple(map(self._health.state, candidates)),
            config_version=config.version,
            attempts_max=resolved.attempts_max,
            mode=resolved.mode,
            preference=resolved.preference,
        )
        return Prepared(
            config=config,
            health_version=version,
            learned_version=self.experience.version,
            snapshot=snapshot,
            snapshot_id=snapshot_id(pack_snapshot(snapshot)),
            accounts={account.account_id: account for account in config.accounts},
            limits=self._limits_of(_combo(config, resolved.combo)),
            patience=_patience(_combo(config, resolved.combo)),
            shared=shared,
            counts=shared or resolved.strategy in COUNTING,
            facts=facts,
        )

    def _informed(self, resolved: Resolved, config: Config) -> tuple[Candidate, ...]:
        """Give the candidates with what the target's strategy reads of their models."""
        candidates, experience = resolved.candidates, self.experience
        if resolved.strategy in ("auto", "cost-optimized"):
            candidates = tuple(with_lengths(one, experience) for one in candidates)
        if resolved.strategy != "auto":
            return candidates
        documented = resolved.mode in PACKS
        of_tables = documented_fitness if documented else self._fitness
        fitnesses = [ruled(of_tables(one.model), one.name, config.fitness) for one in candidates]
        pairs = zip(candidates, fitnesses, strict=True)
        if documented:
            return tuple(replace(one, fitness=fitness) for one, fitness in pairs)
        return tuple(with_fitness(one, fitness, experience) for one, fitness in pairs)

    def _judge(self, snapshot: Snapshot, now_s: float) -> bool:
        """Let policy classic-6f see its scores; says whether an exclusion began or ended."""
        if snapshot.strategy != "auto" or snapshot.mode not in PACKS:
            return False
        best = best_scores(snapshot, tuple(map(self._health.state, snapshot.candidates)), now_s)
        changed = self._health.healing.judge(best, now_s)
        self._health.version += int(changed)
        return changed

    def _limits_of(self, combo: Combo | None) -> Limits:
        if combo is None:
            return self.limits
        return structs.replace(
            self.limits,
            first_byte_s=combo.first_byte_s or self.limits.first_byte_s,
            total_s=combo.total_s or self.limits.total_s,
        )


def _combo(config: Config, name: str | None) -> Combo | None:
    return next((one for one in config.combos if one.name == name), None)


def _patience(combo: Combo | None) -> Patience:
    usual = Patience()
    if combo is None:
        return usual
    delay_s, queue_s = combo.retry_delay_s, combo.queue_s
    return Patience(
        retries=combo.retries or usual.retries,
        retry_delay_s=usual.retry_delay_s if delay_s is None else delay_s,
        concurrency=combo.concurrency_per_model,
        queue_s=usual.queue_s if queue_s is None else queue_s,
        session_s=combo.session_s,
        hedge_percentile=combo.hedge_percentile,
    )
