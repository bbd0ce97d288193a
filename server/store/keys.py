"""Virtual keys: what clients present, `sk-omni-<12 characters>-<43 characters>`.

The twelve characters are the key's public id, shown in lists and logs. The rest is 32 random
bytes and is shown once, when the key is made or rolled. Stored is the id and an HMAC-SHA-256 of
the whole key under a pepper from the key ring: whoever copies the database can use no key, and as
the input is random a slow hash would protect nothing more.

`check` is a dictionary look-up and one HMAC (2 us), no cache and so no cache to poison; whoever
asks may use an answer again while the `generation` is the same and the key `lasts`. What is
refused costs two HMACs, whether the id is unknown, the secret is wrong or it was rolled. Rolling
gives a key another secret; the one before stays good for as long as was asked for, an older one
for no longer. Changes take effect here when they return, in the other workers before that, and in
other processes at their next `load`.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from omniroute.routing.errors import BadRequest, Conflict
from omniroute.routing.model import Caller
from omniroute.routing.ports import Clock
from omniroute.routing.rates import UNLIMITED

from .budget import Budget, checked_budget
from .budget_rows import store_budget
from .changes import Changes, NothingChanged, Told, versioned
from .database import Database, Row, Statement, Steps
from .key_bounds import KeysNow
from .key_secrets import ID_PLACE, KEY_SHAPE, Secret, new_id, new_secret, nobodys, secret_of
from .key_terms import (
    FORGET,
    KeyTerms,
    NewKey,
    StoredKey,
    checked_terms,
    facts_of,
    read_keys,
    stored_key,
    values_of,
)
from .vault import Vault

OVERLAP_S_MAX = 30 * 86_400.0
"""How long the secret before may stay good at most."""
TRIES_MAX = 8
"""How often a change is tried that others overtake."""

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class _Entry:
    """What `check` needs of one key; `old` is the secret before, or nobody's."""

    secret: Secret
    old: Secret
    caller: Caller | None
    expires_unix_s: float | None


class Keys:
    """All keys, in memory. `load` must have returned before `check`.

    Attributes:
        generation: how often they were read; what `check` gives holds until the next, if it
            `lasts`.
        required: whether keys are, where so many are left.
        are_limited: whether any has limits a minute or at once.
    """

    def __init__(self, database: Database, vault: Vault, changes: Changes, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._changes = changes
        self._clock = clock
        self._version = -1
        self.generation = 0
        self.required: Callable[[int], bool] = bool
        self.are_limited = False
        self._catching_up = asyncio.Lock()
        self._stored: dict[str, StoredKey] = {}
        self._entries: dict[str, _Entry] = {}
        self._owned: dict[str, tuple[str, ...]] = {}
        self._nobody = _Entry(nobodys(), nobodys(), caller=None, expires_unix_s=None)

    def __len__(self) -> int:
        return len(self._stored)

    @property
    def version(self) -> int:
        """The `config_version` that these keys were read at."""
        return self._version

    def check(self, presented: str) -> Caller | None:
        """Give whom a presented key belongs to; None when it is no valid key of ours."""
        if KEY_SHAPE.fullmatch(presented) is None:
            return None
        entry, text = self._entries.get(presented[ID_PLACE], self._nobody), presented.encode()
        if not entry.secret.fits(text):
            until, fits = entry.old.until_unix_s, entry.old.fits(text)
            if not fits or until is None or self._clock.unix() >= until:
                return None
        return self._valid(entry)

    def caller_of(self, key_id: str) -> Caller | None:
        """Give whom a key's id belongs to; None when the key is no more, or no more valid."""
        entry = self._entries.get(key_id)
        return None if entry is None else self._valid(entry)

    def lasts(self, key_id: str) -> bool:
        """Whether a key that is valid now stays so until the keys are read anew."""
        stored = self._stored.get(key_id)
        if stored is None:
            return True
        until = stored.old_until_unix_s
        return stored.terms.expires_unix_s is None and (
            until is None or until <= self._clock.unix()
        )

    def all(self) -> tuple[StoredKey, ...]:
        """Give every key, oldest first."""
        return tuple(self._stored.values())

    def find(self, key_id: str) -> StoredKey | None:
        """Give the key of that id."""
        return self._stored.get(key_id)

    def budgets_of(self, key_id: str) -> tuple[str, ...]:
        """Give the budgets that a key owns, also one that is nowhere made: the local user's."""
        return self._owned.get(key_id, ())

    def check_touch(self, key_id: str, maker: str | None) -> None:
        """Raise NotAllowed unless `maker` may change the key, as last seen; None may all."""
        self._now().check_touch(key_id, maker)

    async def load(self) -> None:
        """Read all keys; those that other processes changed take effect here."""
        read = await self._database.read(read_keys)
        if read.version < self._version:
            # Another load overtook this one with newer keys.
            return
        if any(self._vault.ring.find(row["pepper_id"]) is None for row in read.rows):
            self._vault.look_again()
        self._version = read.version
        self.generation += 1
        self._owned = read.owned
        self._stored = {row["key_id"]: stored_key(row) for row in read.rows}
        self._entries = {row["key_id"]: self._entry(row) for row in read.rows}
        self.are_limited = any(one.terms.rates != UNLIMITED for one in self._stored.values())

    async def create(
        self,
        terms: KeyTerms,
        *,
        actor: str,
        maker: str | None = None,
        budget: Callable[[str], Budget] | None = None,
    ) -> NewKey:
        """Make a key, and with it the budget that `budget` gives for its id.

        Args:
            terms: what it may do.
            actor: who makes it, for the audit.
            maker: the key that makes it, which bounds it (see key_bounds.py); None is unbounded.
            budget: gives the budget of the new key's id.

        Raises:
            BadRequest: a scope is unknown, the name is too long, or the budget is not one.
            NotAllowed: the terms are stronger than the maker's own.
        """
        terms = checked_terms(terms, now_unix_s=self._changes.now())
        terms = self._now().inherited(terms, maker)
        key_id = new_id()
        text, digest, pepper = new_secret(key_id, self._vault.ring.newest)
        stored = StoredKey(key_id, terms, self._changes.now(), actor)
        paying = None if budget is None else checked_budget(budget(key_id))

        def steps() -> Steps[None]:
            if maker is not None:
                now = KeysNow.of((yield from read_keys()))
                now.check_terms(terms, maker)
                now.check_charged(key_id, terms, maker)
            yield Statement(
                _INSERT,
                (key_id, digest, pepper, stored.created_unix_s, actor, *values_of(terms)),
            )
            if paying is not None:
                # It has no window yet, whose cap would have to follow.
                yield from store_budget(paying, 0, now_unix_s=stored.created_unix_s)

        cap = None if paying is None else (paying.cap_usd_nanos, paying.period)
        facts = {**facts_of(terms), "budget": cap}
        await self._make(Told(actor, "key.create", key_id, facts), steps)
        return NewKey(stored, text)

    async def change(
        self,
        key_id: str,
        edit: Callable[[KeyTerms], KeyTerms],
        *,
        actor: str,
        maker: str | None = None,
    ) -> StoredKey | None:
        """Give a key the terms that `edit` makes of its own; None when there is none of that id.

        Raises:
            BadRequest: as in `create`.
            NotAllowed: the key, or what it would be, is stronger than its maker.
            Conflict: nobody could manage the gateway any more.
        """
        for _ in range(TRIES_MAX):
            stored = await self._found(key_id)
            if stored is None:
                return None
            now_unix_s = self._changes.now()
            terms = checked_terms(edit(stored.terms), now_unix_s=now_unix_s, before=stored.terms)
            before = stored.terms

            def steps(
                terms: KeyTerms = terms, before: KeyTerms = before, now_unix_s: float = now_unix_s
            ) -> Steps[bool]:
                now = KeysNow.of((yield from read_keys()))
                if key_id not in now.keys:
                    raise NothingChanged
                if now.keys[key_id].terms != before:
                    raise _Overtaken
                now.check_touch(key_id, maker)
                now.check_terms(terms, maker)
                now.check_charged(key_id, terms, maker)
                now.check_admin_left(key_id, terms, now_unix_s=now_unix_s, required=self.required)
                yield Statement(_UPDATE, (key_id, *values_of(terms)))
                if not terms.log_content:
                    yield Statement(FORGET, (key_id,))
                return True

            try:
                if not await self._make(Told(actor, "key.change", key_id, facts_of(terms)), steps):
                    return None
            except _Overtaken:
                await self.load()
                continue
            return replace(stored, terms=terms)
        raise Conflict(f"key {key_id} is changed by others at the same moment: try again")

    async def roll(
        self, key_id: str, *, overlap_s: float, actor: str, maker: str | None = None
    ) -> NewKey | None:
        """Give a key another secret; None when there is none of that id.

        Args:
            key_id: the key, which keeps its id, terms, budgets and history.
            overlap_s: how long the secret that it has now stays good; 0 is not at all.
            actor: who does it, for the audit.
            maker: as in `create`.

        Raises:
            BadRequest: the overlap is too long, or negative.
            NotAllowed: the key is stronger than its maker.
        """
        if not 0 <= overlap_s <= OVERLAP_S_MAX:
            raise BadRequest(
                f"overlap_s is a number of seconds from 0 to {OVERLAP_S_MAX:.0f}",
                field="overlap_s",
            )
        text, digest, pepper = new_secret(key_id, self._vault.ring.newest)
        rolled_unix_s = self._changes.now()
        until = rolled_unix_s + overlap_s if overlap_s else None
        values = (key_id, digest, pepper, until, rolled_unix_s)

        def steps() -> Steps[StoredKey]:
            now = KeysNow.of((yield from read_keys()))
            if key_id not in now.keys:
                raise NothingChanged
            now.check_touch(key_id, maker)
            yield Statement(_ROLL if until is None else _ROLL_OVER, values)
            return now.keys[key_id]

        stored = await self._make(Told(actor, "key.roll", key_id, {"overlap_s": overlap_s}), steps)
        if stored is None:
            return None
        return NewKey(replace(stored, rolled_unix_s=rolled_unix_s, old_until_unix_s=until), text)

    async def revoke(self, key_id: str, *, actor: str, maker: str | None = None) -> bool:
        """Remove a key for good, with its budgets; False when there is none of that id.

        A budget of it that other keys are charged to, too, stays and bounds them.

        Raises:
            NotAllowed: the key is stronger than its maker.
            Conflict: nobody could manage the gateway any more.
        """
        now_unix_s = self._changes.now()

        def steps() -> Steps[bool]:
            read = yield from read_keys()
            now = KeysNow.of(read)
            if key_id not in now.keys:
                raise NothingChanged
            now.check_touch(key_id, maker)
            now.check_admin_left(key_id, None, now_unix_s=now_unix_s, required=self.required)
            yield Statement("DELETE FROM keys WHERE key_id = $1", (key_id,))
            yield Statement(FORGET, (key_id,))
            kept = now.named_by_others(key_id)
            for budget_id in (one for one in read.owned.get(key_id, ()) if one not in kept):
                yield Statement("DELETE FROM budgets WHERE budget_id = $1", (budget_id,))
            # Those of single sessions are nobody else's.
            yield Statement(
                "DELETE FROM budgets WHERE key_id = $1 AND session_id IS NOT NULL", (key_id,)
            )
            return True

        return bool(await self._make(Told(actor, "key.revoke", key_id, {}), steps))

    async def _make(self, told: Told, steps: Callable[[], Steps[Made]]) -> Made | None:
        try:
            made, version = await self._changes.make(told, versioned(steps))
        except NothingChanged:
            return None
        # Of many changes at the same moment one reading is enough.
        async with self._catching_up:
            if self._version < version:
                await self.load()
        return made

    async def _found(self, key_id: str) -> StoredKey | None:
        stored = self._stored.get(key_id)
        if stored is None:
            # Another process may have made it a moment ago.
            await self.load()
            stored = self._stored.get(key_id)
        return stored

    def _now(self) -> KeysNow:
        return KeysNow(self._stored, self._owned)

    def _valid(self, entry: _Entry) -> Caller | None:
        if entry.expires_unix_s is not None and self._clock.unix() >= entry.expires_unix_s:
            return None
        return entry.caller

    def _entry(self, row: Row) -> _Entry:
        terms, ring = stored_key(row).terms, self._vault.ring
        owned = self.budgets_of(row["key_id"])
        caller = Caller(
            key_id=row["key_id"],
            scopes=frozenset(terms.scopes),
            models=terms.models,
            budget_ids=tuple(dict.fromkeys((*terms.budget_ids, *owned))),
            keep_content=terms.keep_content,
            log_content=terms.log_content,
            rates=None if terms.rates == UNLIMITED else terms.rates,
        )
        secret = secret_of(ring, row["pepper_id"], row["digest"])
        old = None
        if row["old_digest"] is not None:
            until = row["old_until_unix_s"]
            old = secret_of(ring, row["old_pepper_id"], row["old_digest"], until)
        return _Entry(
            secret or self._nobody.secret,
            old or self._nobody.old,
            caller=caller if terms.enabled and (secret or old) else None,
            expires_unix_s=terms.expires_unix_s,
        )


class _Overtaken(Exception):
    """A key has changed since it was read."""


_INSERT = (
    "INSERT INTO keys (key_id, digest, pepper_id, created_unix_s, created_by, name, scopes, "
    "models, budget_ids, keep_content, enabled, expires_unix_s, requests_per_minute, "
    "tokens_per_minute, concurrency_max, log_content) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
)
_UPDATE = (
    "UPDATE keys SET name = $2, scopes = $3, models = $4, budget_ids = $5, keep_content = $6, "
    "enabled = $7, expires_unix_s = $8, requests_per_minute = $9, tokens_per_minute = $10, "
    "concurrency_max = $11, log_content = $12 WHERE key_id = $1"
)
_ROLL = (
    "UPDATE keys SET old_digest = NULL, old_pepper_id = NULL, digest = $2, pepper_id = $3, "
    "old_until_unix_s = $4, rolled_unix_s = $5 WHERE key_id = $1"
)
_ROLL_OVER = (
    "UPDATE keys SET old_digest = digest, old_pepper_id = pepper_id, digest = $2, pepper_id = $3, "
    "old_until_unix_s = $4, rolled_unix_s = $5 WHERE key_id = $1"
)
