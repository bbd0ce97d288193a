"""What callers may read. Needs read:* scopes; changes nothing.

Answers are about the caller's own key; `admin` sees all. Another caller's id gives the same
answer as one that does not exist.
"""

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from .access import ADMIN, require
from .catalog.listing import ModelRow, list_models
from .catalog.prices import facts_of, priced
from .errors import NotFound
from .health.alerts import AlertName
from .health.book import HealthBook
from .health.experience import Experience, Seen
from .health.experience import Learned as LearnedOfModel
from .health.profiles import Profile, profile_named
from .model import Caller, Capability, Combo, ModelFacts
from .moment import Latency
from .ports import Clock, Configs, Ledger, Record
from .preference import FitnessRule
from .quotas import (
    CooldownRow,
    LimitRow,
    QuotaRow,
    TokenOf,
    accounts_meant,
    limit_rows,
    no_tokens,
    quota_rows,
)
from .shaping import Shaping
from .usage import UsageTotal
from .usage_views import Standings, UsageViews, no_budgets


@dataclass(frozen=True, slots=True)
class CircuitRow:
    """One circuit that has a history. `model` is "" for the whole account's."""

    provider: str
    account_id: str
    model: str
    state: str
    failures: int
    last_failure_unix_s: float | None
    next_try_s: float | None


@dataclass(frozen=True, slots=True)
class LockoutRow:
    """A model that its provider does not serve to this account, said `times` times in a row."""

    provider: str
    account_id: str
    model: str
    reason: str
    times: int
    remaining_s: float


@dataclass(frozen=True, slots=True)
class AlertRow:
    """Something that happened `times` times, last at `last_unix_s`; see health/alerts.py."""

    name: AlertName
    provider: str
    account_id: str
    model: str
    detail: str
    at_unix_s: float
    last_unix_s: float
    times: int


@dataclass(frozen=True, slots=True)
class TimingRow:
    """How fast a model at an account answered of late.

    `swapped` counts the answers that came from another model than was asked for.
    """

    provider: str
    account_id: str
    model: str
    latency: Latency
    swapped: int


@dataclass(frozen=True, slots=True)
class HealthView:
    """How the gateway is."""

    version: str
    uptime_s: float
    config_version: int
    accounts: int
    simulated_only: bool
    circuits: tuple[CircuitRow, ...]
    cooldowns: tuple[CooldownRow, ...]
    limits: tuple[LimitRow, ...] = ()
    lockouts: tuple[LockoutRow, ...] = ()


@dataclass(frozen=True, slots=True)
class ComboRow:
    """A combo and, when asked for, what was measured of it."""

    combo: Combo
    metrics: UsageTotal | None = None


@dataclass(frozen=True, slots=True)
class FitnessView:
    """What the user says of how fit models are, and what own requests have shown of them."""

    rules: tuple[FitnessRule, ...]
    seen: tuple[tuple[Seen, LearnedOfModel], ...]


async def _alone() -> None:
    """Do as a gateway of one process does: all that is known is here."""


def _this_process() -> Sequence[int]:
    return (os.getpid(),)


@dataclass(frozen=True, slots=True)
class Views:
    """Read-only questions about the gateway.

    Attributes:
        gather: is awaited before `timings` and `fitness`: brings in what other processes of this
            gateway have measured and learned.
        processes: gives the ids of the processes that the gateway is made of, the one that
            names it first.
        token_of: gives the token that stands for an account's credential in calls.
        standings: gives how budgets stand.
    """

    configs: Configs
    health_book: HealthBook
    ledger: Ledger
    clock: Clock
    version: str
    started_s: float
    facts: Callable[[str, str], ModelFacts] = facts_of
    experience: Experience = field(default_factory=Experience)
    gather: Callable[[], Awaitable[None]] = _alone
    processes: Callable[[], Sequence[int]] = _this_process
    token_of: TokenOf = no_tokens
    standings: Standings = no_budgets

    @property
    def facts_in_force(self) -> Callable[[str, str], ModelFacts]:
        """What is known of models, with the user's own prices."""
        return priced(self.facts, self.configs.current().prices)

    @property
    def usage(self) -> UsageViews:
        """What was used, by whom, and what it cost."""
        started_unix_s = self.clock.unix() - (self.clock.now() - self.started_s)
        return UsageViews(self.configs, self.ledger, self.clock, started_unix_s, self.standings)

    def health(self, caller: Caller) -> HealthView:
        """Give uptime, open circuits and cooldowns. Needs read:health."""
        require(caller, "read:health")
        config, now = self.configs.current(), self.clock.now()
        providers = {account.account_id: account.provider for account in config.accounts}
        to_unix = self.clock.unix() - now
        circuits = tuple(
            CircuitRow(
                provider=providers[account_id],
                account_id=account_id,
                model=model,
                state=one.state(now),
                failures=int(one.failures),
                last_failure_unix_s=None
                if one.last_failure_s is None
                else one.last_failure_s + to_unix,
                next_try_s=max(one.open_until_s - now, 0.0) if one.open_until_s else None,
            )
            for (account_id, model), one in self.health_book.breakers.items()
            if account_id in providers
        )
        cooldowns = tuple(
            CooldownRow(providers[account_id], account_id, model, reason, until_s - now)
            for (account_id, model), (until_s, reason) in self.health_book.rests(now).items()
            if account_id in providers
        )
        return HealthView(
            version=self.version,
            uptime_s=now - self.started_s,
            config_version=config.version,
            accounts=len(config.accounts),
            simulated_only=all(account.simulated for account in config.accounts),
            circuits=circuits,
            cooldowns=cooldowns,
            limits=limit_rows(self.health_book, providers, now),
            lockouts=tuple(
                LockoutRow(
                    *(providers[account_id], account_id, model),
                    *(one.reason, one.times, one.until_s - now),
                )
                for (account_id, model), one in self.health_book.lockouts.items()
                if account_id in providers and one.until_s > now
            ),
        )

    def quotas(
        self, caller: Caller, *, provider: str | None = None, account: str | None = None
    ) -> tuple[QuotaRow, ...]:
        """Give what is left at each account's provider, as far as it is known. Needs read:quota.

        Args:
            caller: who asks.
            provider: only this provider's accounts, by its name or an alias.
            account: only the account of this id or name.

        Raises:
            NotFound: no account is meant by these.
        """
        require(caller, "read:quota")
        known = self.configs.current().accounts
        meant = accounts_meant(known, provider=provider, account=account)
        return quota_rows(self.health_book, meant, self.token_of, self.clock.now())

    def timings(self, caller: Caller) -> tuple[TimingRow, ...]:
        """Give how fast every model that was used of late answers. Needs read:health."""
        require(caller, "read:health")
        providers = {one.account_id: one.provider for one in self.configs.current().accounts}
        return tuple(
            TimingRow(providers[account_id], account_id, model, one.published, one.swapped)
            for (account_id, model), one in self.health_book.measured(self.clock.now())
            if account_id in providers and one.published is not None
        )

    def alerts(self, caller: Caller) -> tuple[AlertRow, ...]:
        """Give what happened of late, the newest first. Needs read:health; budgets need admin."""
        require(caller, "read:health")
        to_unix = self.clock.unix() - self.clock.now()
        return tuple(
            AlertRow(
                *(one.name, one.provider, one.account_id, one.model, one.detail),
                at_unix_s=one.at_s + to_unix,
                last_unix_s=one.last_s + to_unix,
                times=one.times,
            )
            for one in self.health_book.alerts.newest()
            if one.name != "budget_warning" or ADMIN in caller.scopes
        )

    def shaping(self, caller: Caller) -> Shaping:
        """Give what is added to chats. Needs admin."""
        require(caller, ADMIN)
        return self.configs.current().shaping or Shaping()

    def resilience(self, caller: Caller) -> Profile:
        """Give the resilience profile in force. Needs read:health."""
        require(caller, "read:health")
        return profile_named(self.configs.current().resilience)

    def fitness(self, caller: Caller) -> FitnessView:
        """Give the fitness rules, and what was learned of models. Needs read:models."""
        require(caller, "read:models")
        self.experience.refresh(self.clock.now())
        return FitnessView(self.configs.current().fitness, self.experience.rows())

    async def combos(self, caller: Caller, *, include_metrics: bool) -> tuple[ComboRow, ...]:
        """Give every combo, the inactive ones too, with its last month. Needs read:combos."""
        require(caller, "read:combos")
        combos = self.configs.current().combos
        if not include_metrics:
            return tuple(ComboRow(combo) for combo in combos)
        totals = await self.usage.combos(caller, self.usage.began("month"))
        return tuple(ComboRow(combo, totals.get(combo.name, UsageTotal())) for combo in combos)

    def models(
        self,
        caller: Caller,
        *,
        provider: str | None = None,
        capability: Capability | None = None,
    ) -> tuple[ModelRow, ...]:
        """Give what can be asked for by name: combos, our own names, models. Needs read:models."""
        require(caller, "read:models")
        return self.listing(caller, provider=provider, capability=capability)

    def listing(
        self,
        caller: Caller,
        *,
        provider: str | None = None,
        capability: Capability | None = None,
    ) -> tuple[ModelRow, ...]:
        """Give the same to a key that may only route: an SDK lists models before it asks.

        Raises:
            NotAllowed: the key carries neither write:route nor read:models.
        """
        if "read:models" not in caller.scopes:
            require(caller, "write:route")
        return list_models(
            self.configs.current(),
            facts=self.facts_in_force,
            allowed=caller.models,
            provider=provider,
            capability=capability,
        )

    async def explanation(self, request_id: str, caller: Caller) -> Record:
        """Give the whole story of one request. Needs read:usage.

        Raises:
            NotFound: no request has that id, or it is another key's.
        """
        require(caller, "read:usage")
        record = await self.ledger.find(request_id, key_id=self._owner(caller))
        if record is None:
            raise NotFound(
                f"no request {request_id!r} is on record for this key; the id is the answer's "
                "x-request-id header"
            )
        return record

    async def recent(
        self, caller: Caller, *, limit: int, before: tuple[float, str] | None = None
    ) -> Sequence[Record]:
        """Give the newest requests first, of those before a time and an id. Needs read:usage."""
        require(caller, "read:usage")
        return await self.ledger.recent(key_id=self._owner(caller), limit=limit, before=before)

    def _owner(self, caller: Caller) -> str | None:
        return None if ADMIN in caller.scopes else caller.key_id
