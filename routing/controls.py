"""What callers may change. Needs write:* scopes, or admin for accounts and keys."""

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import structs

from .access import ADMIN, owner_of, require
from .catalog.autos import check_pool
from .catalog.combos import is_starter
from .catalog.fitness_rules import check_rule
from .catalog.names import check_alias
from .catalog.price_rules import with_prices
from .errors import Conflict, NotFound
from .guard import GuardStanding, GuardTerms
from .health.book import HealthBook
from .health.profiles import Profile, profile_named
from .model import Account, Caller, Combo, Price
from .ports import Configs, ConfigStore, GuardStore
from .preference import FitnessRule
from .shaping import Shaping, Thinking, check_shaping


@dataclass(frozen=True, slots=True)
class Controls:
    """Changes to a running gateway. Each is one transaction with its audit row."""

    configs: Configs
    store: ConfigStore
    health_book: HealthBook
    guards: GuardStore

    async def put_account(self, account: Account, caller: Caller) -> None:
        """Add an account or replace the one of its id. Needs admin.

        Raises:
            BadRequest: the account is not valid.
        """
        require(caller, ADMIN)
        await self.store.put_account(account, actor=caller.key_id)

    async def remove_account(self, account_id: str, caller: Caller) -> None:
        """Remove an account for good. Needs admin.

        Raises:
            NotFound: no stored account has that id.
        """
        require(caller, ADMIN)
        if not await self.store.remove_account(account_id, actor=caller.key_id):
            raise NotFound(f"no stored account has the id {account_id!r}")

    async def put_combo(self, combo: Combo, caller: Caller) -> None:
        """Add a combo or replace the one of its id. Needs write:combos.

        Raises:
            BadRequest: its name, models or limits are not valid, or it contains itself.
            Conflict: another combo has its name.
        """
        require(caller, "write:combos")
        if combo.preference is not None:
            check_pool(self.configs.current(), combo)
        await self.store.put_combo(combo, actor=caller.key_id)

    async def remove_combo(self, name: str, caller: Caller) -> None:
        """Remove a combo by its name or id. Needs write:combos.

        Raises:
            NotFound: no combo goes by that.
            Conflict: it is a starter combo, or another one contains it.
        """
        require(caller, "write:combos")
        found = self._combo(name)
        if is_starter(found.combo_id):
            raise Conflict(
                f"{found.name!r} is a starter combo, which follows the accounts that there are: "
                f"switch it off with `omniroute combos switch {found.name} off`"
            )
        if not await self.store.remove_combo(found.combo_id, actor=caller.key_id):
            raise _no_combo(name)

    async def switch_combo(self, name: str, caller: Caller, *, active: bool) -> Combo:
        """Switch a combo on or off, by its name or id. Needs write:combos.

        One that is off is neither routed to nor listed as a model, and combos that contain it go
        on without it. The rest of it stays as it is stored, whoever changes it meanwhile.

        Raises:
            NotFound: no combo goes by that.
        """
        require(caller, "write:combos")
        found = self._combo(name)
        if not await self.store.switch_combo(found, active=active, actor=caller.key_id):
            raise _no_combo(name)
        combos = self.configs.current().combos
        return next(one for one in combos if one.combo_id == found.combo_id)

    def _combo(self, name: str) -> Combo:
        combos = self.configs.current().combos
        found = next((one for one in combos if one.name == name), None)
        found = found or next((one for one in combos if one.combo_id == name), None)
        if found is None:
            raise _no_combo(name)
        return found

    async def put_alias(self, name: str, target: str, caller: Caller) -> None:
        """Let a name, or a pattern of names, stand for another name. Needs write:combos.

        Raises:
            BadRequest: with the field that is wrong.
        """
        require(caller, "write:combos")
        check_alias(self.configs.current().aliases, name, target)
        await self.store.put_alias(name, target, actor=caller.key_id)

    async def remove_alias(self, name: str, caller: Caller) -> None:
        """Remove an alias. Needs write:combos.

        Raises:
            NotFound: there is none of that name.
        """
        require(caller, "write:combos")
        if not await self.store.remove_alias(name, actor=caller.key_id):
            raise NotFound(f"no alias is named {name!r}")

    async def set_prices(self, changes: Mapping[str, Price | None], caller: Caller) -> None:
        """Put prices of the user's own over the table, or take them away. Needs admin.

        They count from the next request on. What requests have cost stays as it was.

        Raises:
            BadRequest: with the target that is wrong.
        """
        require(caller, ADMIN)
        with_prices(self.configs.current().prices, changes)
        await self.store.put_prices(changes, actor=caller.key_id)

    async def put_fitness(self, rule: FitnessRule, caller: Caller) -> FitnessRule:
        """Say how fit some models are for a kind of task; it wins over the tables.

        Needs write:config. Gives the rule as it is kept.

        Raises:
            BadRequest: with the field that is wrong.
        """
        require(caller, "write:config")
        checked = check_rule(rule)
        await self.store.put_fitness(checked, actor=caller.key_id)
        return checked

    async def remove_fitness(self, pattern: str, kind: str, caller: Caller) -> None:
        """Let the tables speak again. Needs write:config.

        Raises:
            NotFound: there is no such rule.
        """
        require(caller, "write:config")
        if not await self.store.remove_fitness(pattern.lower(), kind, actor=caller.key_id):
            of_kind = f" for {kind}" if kind else ""
            raise NotFound(f"no fitness rule has the pattern {pattern!r}{of_kind}")

    async def set_resilience_profile(self, name: str, caller: Caller) -> Profile:
        """Put a resilience profile in force, also for what runs, and keep it. Needs write:config.

        Other processes on the same store follow as soon as they see the change.

        Raises:
            BadRequest: no profile has that name.
        """
        require(caller, "write:config")
        profile = profile_named(name)
        await self.store.put_resilience(profile.name, actor=caller.key_id)
        self.health_book.use(profile)
        return profile

    async def set_system_prompt(self, prompt: str, caller: Caller) -> Shaping:
        """Put a system prompt before every chat's own; "" puts none. Needs admin.

        Raises:
            BadRequest: it is too long.
        """
        return await self._shape(caller, system_prompt=prompt)

    async def set_thinking(self, thinking: Thinking, caller: Caller) -> Shaping:
        """Bound how much models think where a chat asks them to. Needs admin.

        Raises:
            BadRequest: its tokens are too many.
        """
        return await self._shape(caller, thinking=thinking)

    async def _shape(self, caller: Caller, **changes: object) -> Shaping:
        require(caller, ADMIN)
        wanted = structs.replace(self.configs.current().shaping or Shaping(), **changes)
        await self.store.put_shaping(check_shaping(wanted), actor=caller.key_id)
        return wanted

    async def set_budget_guard(
        self, terms: GuardTerms, caller: Caller, *, restart: bool = False
    ) -> GuardStanding:
        """Bound what the caller's own key may spend, from its next request on. Needs write:config.

        It is kept, and stands beside the budgets that others set for the key. What was spent
        under it counts on, unless it is to `restart`.

        Raises:
            BadRequest: the terms are not valid.
        """
        require(caller, "write:config")
        return await self.guards.put_guard(
            terms, owner=owner_of(caller.key_id), actor=caller.key_id, restart=restart
        )

    def reset_health(
        self, caller: Caller, *, account: str | None = None, model: str | None = None
    ) -> int:
        """Close circuits and end rests and lock-outs at once. Needs write:config.

        Args:
            caller: who asks.
            account: an account's id or name, or a provider for all of its accounts; all without.
            model: one model's alone; without, every model's and what holds account-wide.

        Returns:
            How many were ended.

        Raises:
            NotFound: no account goes by that.
        """
        require(caller, "write:config")
        if account is None:
            return self.health_book.reset(model=model)
        found = [
            one
            for one in self.configs.current().accounts
            if account in (one.account_id, one.name, one.provider)
        ]
        if not found:
            raise NotFound(
                f"no account is named {account!r}; `omniroute providers list` shows them"
            )
        return self.health_book.reset(
            {one.account_id for one in found},
            model,
            {one.provider for one in found if model is None},
        )


def _no_combo(name: str) -> NotFound:
    return NotFound(f"no combo is named {name!r}; `omniroute combos list` shows them")
