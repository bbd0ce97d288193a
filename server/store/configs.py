"""The configuration: accounts, combos, aliases and settings, as one frozen value.

`current` gives the value in force; it is replaced whole and never edited, so a request sees
one configuration from beginning to end. Every change is one transaction (see changes.py) and
takes effect here when it returns. `poll` sees the changes of other processes.

What does not come from the database (accounts found in the environment, starter combos) is put
on top by `overlay`, each time the configuration is read.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import msgspec

from omniroute.routing.catalog.combos import is_starter, validate_combo
from omniroute.routing.catalog.names import spelled
from omniroute.routing.errors import BadRequest, Conflict
from omniroute.routing.model import Account, Combo, Config, Price
from omniroute.routing.preference import FitnessRule, ProfileName
from omniroute.routing.shaping import Shaping
from omniroute.routing.upstream.tunnel import DIRECT

from .changes import Changes, NothingChanged, Told, removal
from .config_rows import (
    ALL_COMBOS,
    RESILIENCE,
    accounts_of,
    combo_row,
    combos_of,
    other_combos,
    read_all,
    resilience_of,
    sealed_secret,
)
from .content_rules import CONTENT, content_rules_of
from .database import Database, Statement, Steps, T
from .fitness_rules import FITNESS, rule_removal_steps, rule_steps, rules_of, setting_put
from .price_overrides import PRICES, price_steps, prices_of
from .proxies import ALL, REMOVAL, place_of, proxies_of, proxy_row, with_proxies
from .proxies import TABLE as PROXIES
from .rings import heed, unretired
from .shaping import SHAPING, shaping_of
from .vault import Vault, sealed_with

_REMOVAL = "DELETE FROM combos WHERE combo_id = $1 RETURNING combo_id"


@dataclass(slots=True)
class _InForce:
    config: Config
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    proxies: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    problems: tuple[str, ...] = ()


class ConfigStore:
    """Fulfils the ports Configs and ConfigStore. `load` must have returned before `current`.

    Args:
        overlay: puts what is not in the database on top of what is.
        proxy: the URL of the proxy of all, where none is stored.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        changes: Changes,
        *,
        overlay: Callable[[Config], Config] = lambda config: config,
        proxy: str | None = None,
    ) -> None:
        self._database = database
        self._vault = vault
        self._changes = changes
        self._overlay = overlay
        self._proxy = proxy
        self._in_force = _InForce(Config(version=0, seed=vault.ring.seed))

    def current(self) -> Config:
        """Give the configuration in force."""
        return self._in_force.config

    @property
    def problems(self) -> tuple[str, ...]:
        """What of the stored configuration cannot be used, in words, without secrets."""
        return self._in_force.problems

    def setting(self, name: str) -> object:
        """Give a setting's value, None when it was never set."""
        return self._in_force.settings.get(name)

    @property
    def proxies(self) -> Mapping[str, str]:
        """Give the URL of each stored proxy by its place; they hold passwords."""
        return self._in_force.proxies

    def place_of_proxy(self, account: Account) -> str | None:
        """Give whose proxy an account shares: a provider's name, ALL, or None for nobody's."""
        return place_of(account, self._with_default(self._in_force.proxies))

    async def load(self) -> None:
        """Read the whole configuration and put it in force.

        Raises:
            StorageUnavailable: the database does not answer; what is in force stays.
        """
        stored = await self._database.read(read_all)
        if stored.version < self._in_force.config.version:
            # Another load overtook this one with a newer configuration.
            return
        problems: list[str] = []
        heed(self._vault, stored.ring_keys, problems)
        settings = {row["name"]: msgspec.json.decode(row["value"]) for row in stored.settings}
        config = Config(
            version=stored.version,
            accounts=accounts_of(stored.accounts, self._vault, problems),
            combos=combos_of(stored.combos, problems),
            aliases=tuple((row["name"], row["target"]) for row in stored.aliases),
            seed=self._vault.ring.seed,
            mode=str(settings.get("mode", "balanced")),
            resilience=resilience_of(settings.get(RESILIENCE), problems),
            fitness=rules_of(settings.get(FITNESS), problems),
            shaping=shaping_of(settings.get(SHAPING), problems),
            prices=prices_of(settings.get(PRICES), problems),
            content=content_rules_of(settings.get(CONTENT), problems),
        )
        proxies = proxies_of(stored.proxies, self._vault, problems)
        config = with_proxies(self._overlay(config), self._with_default(proxies))
        self._in_force = _InForce(config, settings, proxies, tuple(problems))

    async def poll(self) -> bool:
        """Put a newer configuration in force when another process stored one; say whether."""
        (row,) = await self._database.read(Statement("SELECT version FROM config_version"))
        if row["version"] == self.current().version:
            return False
        await self.load()
        return True

    async def put_account(self, account: Account, *, actor: str) -> None:
        """Store an account; its credential and headers are sealed.

        Raises:
            BadRequest: it lacks its id, provider or base URL.
        """
        for name in ("account_id", "provider", "base_url"):
            if not getattr(account, name):
                raise BadRequest(f"an account needs its {name}", field=name)
        secret = sealed_secret(account, self._vault)
        now = self._changes.now()

        def steps() -> Steps[None]:
            yield from unretired(sealed_with(secret), now)
            yield Statement(
                "INSERT INTO accounts (account_id, provider, name, dialect, base_url, secret, "
                "models, enabled, simulated, local, created_unix_s, changed_unix_s, changed_by) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12) "
                "ON CONFLICT (account_id) DO UPDATE SET provider = excluded.provider, "
                "name = excluded.name, dialect = excluded.dialect, "
                "base_url = excluded.base_url, secret = excluded.secret, "
                "models = excluded.models, enabled = excluded.enabled, "
                "simulated = excluded.simulated, local = excluded.local, "
                "changed_unix_s = excluded.changed_unix_s, changed_by = excluded.changed_by",
                (
                    *(account.account_id, account.provider, account.name, account.dialect),
                    *(account.base_url, secret, _json(account.models), account.enabled),
                    *(account.simulated, account.local, now, actor),
                ),
            )

        facts = {"provider": account.provider, "enabled": account.enabled}
        await self._make(Told(actor, "account.put", account.account_id, facts), steps)

    async def remove_account(self, account_id: str, *, actor: str) -> bool:
        """Remove an account with its secret; False when there is none of that id."""
        sql = "DELETE FROM accounts WHERE account_id = $1 RETURNING account_id"
        return await self._remove(
            Told(actor, "account.remove", account_id, {}), removal(sql, account_id)
        )

    async def put_proxy(self, place: str, url: str, *, actor: str) -> None:
        """Have the accounts of a provider, or of ALL, share a proxy."""
        secret, now = (
            self._vault.seal(url.encode(), table=PROXIES, row_id=place),
            self._changes.now(),
        )

        def steps() -> Steps[None]:
            yield from unretired(sealed_with(secret), now)
            yield from proxy_row(place, secret, now, actor)

        await self._make(Told(actor, "proxy.put", place, {"direct": url == DIRECT}), steps)

    async def remove_proxy(self, place: str, *, actor: str) -> bool:
        """Have them share none; False when they did not."""
        return await self._remove(Told(actor, "proxy.remove", place, {}), removal(REMOVAL, place))

    async def put_combo(self, combo: Combo, *, actor: str) -> None:
        """Store a combo.

        Raises:
            BadRequest: it is not valid, or would nest too deep or in a circle.
            Conflict: another combo has its name.
        """
        now = self._changes.now()

        def steps() -> Steps[None]:
            stored = other_combos((yield ALL_COMBOS), combo.combo_id)
            for off in (one for one in stored if _gives_way(one, combo)):
                yield Statement(_REMOVAL, (off.combo_id,))
            stored = [one for one in stored if not _gives_way(one, combo)]
            if any(other.name == combo.name for other in stored):
                raise Conflict(
                    f"there is a combo named {combo.name!r} already: change that one, or choose "
                    "another name"
                )
            validate_combo(combo, _with_overlaid(stored, self.current()))
            yield combo_row(combo, now, actor)

        facts = {"name": combo.name, "strategy": combo.strategy, "active": combo.active}
        await self._make(Told(actor, "combo.put", combo.combo_id, facts), steps)

    async def remove_combo(self, combo_id: str, *, actor: str) -> bool:
        """Remove a combo; False when none of that id is stored.

        Raises:
            Conflict: another combo contains it.
        """

        def steps() -> Steps[None]:
            rows = yield ALL_COMBOS
            names = {row["name"] for row in rows if row["combo_id"] == combo_id}
            for other in other_combos(rows, combo_id):
                if any(spelled(entry.target) in names for entry in other.models):
                    raise Conflict(
                        f"combo {other.name!r} contains this one: remove it from there first"
                    )
            yield from removal(_REMOVAL, combo_id)()

        return await self._remove(Told(actor, "combo.remove", combo_id, {}), steps)

    async def switch_combo(self, combo: Combo, *, active: bool, actor: str) -> bool:
        """Switch a combo on or off and leave the rest of it; False when it is stored no more.

        A starter combo is stored only while it is off: once it is on it follows the accounts
        again.
        """
        now = self._changes.now()

        def steps() -> Steps[None]:
            if not is_starter(combo.combo_id):
                switched = yield Statement(
                    "UPDATE combos SET active = $2, changed_unix_s = $3, changed_by = $4 "
                    "WHERE combo_id = $1 RETURNING combo_id",
                    (combo.combo_id, active, now, actor),
                )
                if not switched:
                    raise NothingChanged
            elif active:
                yield Statement(_REMOVAL, (combo.combo_id,))
            elif not any(one["name"] == combo.name for one in (yield ALL_COMBOS)):
                yield combo_row(replace(combo, active=False), now, actor)

        facts = {"name": combo.name, "active": active}
        try:
            await self._make(Told(actor, "combo.switch", combo.combo_id, facts), steps)
        except NothingChanged:
            return False
        return True

    async def put_alias(self, name: str, target: str, *, actor: str) -> None:
        """Let a name stand for a target.

        Raises:
            BadRequest: either is empty.
        """
        if not name or not target:
            raise BadRequest("an alias needs a name and a target", field="name")
        now = self._changes.now()

        def steps() -> Steps[None]:
            yield Statement(
                "INSERT INTO aliases (name, target, changed_unix_s, changed_by) "
                "VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO UPDATE SET "
                "target = excluded.target, changed_unix_s = excluded.changed_unix_s, "
                "changed_by = excluded.changed_by",
                (name, target, now, actor),
            )

        await self._make(Told(actor, "alias.put", name, {"target": target}), steps)

    async def remove_alias(self, name: str, *, actor: str) -> bool:
        """Remove an alias; False when there is none of that name."""
        sql = "DELETE FROM aliases WHERE name = $1 RETURNING name"
        return await self._remove(Told(actor, "alias.remove", name, {}), removal(sql, name))

    async def put_setting(self, name: str, value: object, *, actor: str) -> None:
        """Set a setting to a value that JSON can say. Settings hold no secrets."""
        now = self._changes.now()

        def steps() -> Steps[None]:
            yield setting_put(name, value, now, actor)

        await self._make(Told(actor, "setting.put", name, {"value": value}), steps)

    async def put_settings(self, values: Mapping[str, object], *, actor: str) -> None:
        """Set several settings at once."""
        now = self._changes.now()

        def steps() -> Steps[None]:
            for name, value in values.items():
                yield setting_put(name, value, now, actor)

        await self._make(Told(actor, "setting.put", "settings", values), steps)

    async def put_resilience(self, profile: ProfileName, *, actor: str) -> None:
        """Keep the resilience profile in force."""
        await self.put_setting(RESILIENCE, profile, actor=actor)

    async def put_shaping(self, shaping: Shaping, *, actor: str) -> None:
        """Keep what is added to requests."""
        await self.put_setting(SHAPING, msgspec.to_builtins(shaping), actor=actor)

    async def put_prices(self, changes: Mapping[str, Price | None], *, actor: str) -> None:
        """Change prices of the user's own; None takes one away."""
        facts = {target: price and asdict(price) for target, price in changes.items()}
        told = Told(actor, "pricing.put", PRICES, facts)
        await self._make(told, price_steps(changes, self._changes.now(), actor))

    async def put_fitness(self, rule: FitnessRule, *, actor: str) -> None:
        """Store a fitness rule, in the place of the one of its pattern and kind."""
        facts = {"kind": rule.kind, "fitness": rule.fitness}
        told = Told(actor, "fitness.put", rule.pattern, facts)
        await self._make(told, rule_steps(rule, self._changes.now(), actor))

    async def remove_fitness(self, pattern: str, kind: str, *, actor: str) -> bool:
        """Remove a fitness rule; False when there is none of that pattern and kind."""
        told = Told(actor, "fitness.remove", pattern, {"kind": kind})
        return await self._remove(
            told, rule_removal_steps(pattern, kind, self._changes.now(), actor)
        )

    def _with_default(self, proxies: Mapping[str, str]) -> Mapping[str, str]:
        return proxies if self._proxy is None else {ALL: self._proxy, **proxies}

    async def _make(self, told: Told, steps: Callable[[], Steps[T]]) -> T:
        value = await self._changes.make(told, steps)
        await self.load()
        return value

    async def _remove(self, told: Told, steps: Callable[[], Steps[None]]) -> bool:
        try:
            await self._make(told, steps)
        except NothingChanged:
            return False
        return True


def _with_overlaid(stored: Sequence[Combo], config: Config) -> tuple[Combo, ...]:
    """Give the stored combos and those that only the overlay knows."""
    known = {combo.name for combo in stored} | {combo.combo_id for combo in stored}
    overlaid = (
        combo for combo in config.combos if combo.name not in known and combo.combo_id not in known
    )
    return (*stored, *overlaid)


def _gives_way(stored: Combo, combo: Combo) -> bool:
    """Whether it is a starter combo that is off, and a combo of the user's own takes its name."""
    return is_starter(stored.combo_id) and stored.name == combo.name


def _json(value: tuple[str, ...]) -> str:
    return msgspec.json.encode(value).decode()
