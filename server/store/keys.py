"""Virtual keys: what clients present, `sk-omni-<12 characters>-<43 characters>`.

The twelve characters are the key's public id, shown in lists and logs. The rest is 32 random
bytes and is shown once, when the key is made. Stored is the id and an HMAC-SHA-256 of the whole
key under a pepper from the key ring: whoever copies the database can use no key, and as the
input is random a slow hash would protect nothing more.

`check` is a dictionary look-up and one HMAC (2 us), no cache and so no cache to poison; whoever
asks may use an answer again while the `generation` is the same and the key `lasts`. An unknown
id costs the same as a wrong key. Revoking takes effect here when it returns and in other
processes at their next `load`.
"""

import base64
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from omniroute.routing.access import expand_scopes
from omniroute.routing.errors import BadRequest
from omniroute.routing.model import Caller
from omniroute.routing.ports import Clock

from .budget import Budget, checked_budget
from .budget_rows import store_budget
from .changes import Changes, NothingChanged, Told, removal
from .database import Database, Row, Rows, Statement, Steps
from .keyring import KeyRing
from .vault import Vault

PREFIX = "sk-omni-"
ID_CHARACTERS = 12
SECRET_BYTES = 32
KEY_SHAPE = re.compile(r"sk-omni-[a-z2-7]{12}-[A-Za-z0-9_-]{43}", re.ASCII)
NAME_CHARACTERS_MAX = 200

_ID = slice(len(PREFIX), len(PREFIX) + ID_CHARACTERS)


@dataclass(frozen=True, slots=True)
class KeyTerms:
    """What a key may do, and for how long.

    Attributes:
        scopes: names, aliases or presets, see access.expand_scopes.
        models: allowed targets, `*` as wildcard at the end; empty allows all.
        budget_ids: budgets that every request of the key is charged to, beside its own.
        expires_unix_s: from when on it is refused; None is never.
        keep_content: False keeps nothing of its prompts anywhere.
    """

    name: str
    scopes: tuple[str, ...]
    models: tuple[str, ...] = ()
    budget_ids: tuple[str, ...] = ()
    expires_unix_s: float | None = None
    keep_content: bool = True
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as it is kept. Nothing here helps to use it."""

    key_id: str
    terms: KeyTerms
    created_unix_s: float
    created_by: str


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made. `text` is what the client presents; it is nowhere else."""

    stored: StoredKey
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Entry:
    """What `check` needs of one key. No pepper: the key ring lost it, nothing matches."""

    digest: bytes
    pepper: bytes
    caller: Caller | None
    expires_unix_s: float | None


class Keys:
    """All keys, in memory. `load` must have returned before `check`.

    Attributes:
        generation: how often they were read; what `check` gives holds until the next, if it
            `lasts`.
    """

    def __init__(self, database: Database, vault: Vault, changes: Changes, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._changes = changes
        self._clock = clock
        self._version = -1
        self.generation = 0
        self._stored: dict[str, StoredKey] = {}
        self._entries: dict[str, _Entry] = {}
        self._owned: dict[str, tuple[str, ...]] = {}
        self._nobody = _Entry(
            secrets.token_bytes(32), secrets.token_bytes(32), caller=None, expires_unix_s=None
        )

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
        entry = self._entries.get(presented[_ID], self._nobody)
        digest = hmac.digest(entry.pepper, presented.encode(), "sha256")
        if not hmac.compare_digest(digest, entry.digest) or entry.caller is None:
            return None
        if entry.expires_unix_s is not None and self._clock.unix() >= entry.expires_unix_s:
            return None
        return entry.caller

    def caller_of(self, key_id: str) -> Caller | None:
        """Give whom a key's id belongs to; None when the key is no more, or no more valid."""
        entry = self._entries.get(key_id)
        if entry is None or entry.caller is None:
            return None
        if entry.expires_unix_s is not None and self._clock.unix() >= entry.expires_unix_s:
            return None
        return entry.caller

    def lasts(self, key_id: str) -> bool:
        """Whether a key that is valid now stays so until the keys are read anew."""
        stored = self._stored.get(key_id)
        return stored is None or stored.terms.expires_unix_s is None

    def all(self) -> tuple[StoredKey, ...]:
        """Give every key, oldest first."""
        return tuple(self._stored.values())

    def find(self, key_id: str) -> StoredKey | None:
        """Give the key of that id."""
        return self._stored.get(key_id)

    def budgets_of(self, key_id: str) -> tuple[str, ...]:
        """Give the budgets that a key owns, also one that is nowhere made: the local user's."""
        return self._owned.get(key_id, ())

    async def load(self) -> None:
        """Read all keys; those that other processes changed take effect here."""
        version, rows, owned = await self._database.read(_read_keys)
        if version < self._version:
            # Another load overtook this one with newer keys.
            return
        self._version = version
        self.generation += 1
        self._owned = {key_id: tuple(budget_ids) for key_id, budget_ids in owned.items()}
        self._stored = {row["key_id"]: _stored(row) for row in rows}
        self._entries = {
            row["key_id"]: _entry(row, self._vault.ring, self.budgets_of(row["key_id"]))
            for row in rows
        }

    async def create(
        self, terms: KeyTerms, *, actor: str, budget: Callable[[str], Budget] | None = None
    ) -> NewKey:
        """Make a key, and with it the budget that `budget` gives for its id.

        Raises:
            BadRequest: a scope is unknown, the name is too long, or the budget is not one.
        """
        terms = _checked(terms)
        key_id = base64.b32encode(secrets.token_bytes(8)).decode().lower()[:ID_CHARACTERS]
        secret = base64.urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).decode().rstrip("=")
        text = f"{PREFIX}{key_id}-{secret}"
        newest = self._vault.ring.newest
        digest = hmac.digest(newest.for_use("pepper"), text.encode(), "sha256")
        stored = StoredKey(key_id, terms, self._changes.now(), actor)
        paying = None if budget is None else checked_budget(budget(key_id))

        def steps() -> Steps[None]:
            yield Statement(
                "INSERT INTO keys (key_id, name, digest, pepper_id, scopes, models, budget_ids, "
                "keep_content, enabled, expires_unix_s, created_unix_s, created_by) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
                (
                    *(key_id, terms.name, digest, newest.key_id, _json(terms.scopes)),
                    *(_json(terms.models), _json(terms.budget_ids), terms.keep_content),
                    *(terms.enabled, terms.expires_unix_s, stored.created_unix_s, actor),
                ),
            )
            if paying is not None:
                # It has no window yet, whose cap would have to follow.
                yield from store_budget(paying, 0, now_unix_s=stored.created_unix_s)

        cap = None if paying is None else (paying.cap_usd_nanos, paying.period)
        facts = {**_facts(terms), "budget": cap}
        await self._changes.make(Told(actor, "key.create", key_id, facts), steps)
        await self.load()
        return NewKey(stored, text)

    async def change(self, key_id: str, terms: KeyTerms, *, actor: str) -> bool:
        """Give a key other terms; False when there is none of that id.

        Raises:
            BadRequest: as in `create`.
        """
        terms = _checked(terms)

        def steps() -> Steps[None]:
            changed = yield Statement(
                "UPDATE keys SET name = $2, scopes = $3, models = $4, budget_ids = $5, "
                "keep_content = $6, enabled = $7, expires_unix_s = $8 "
                "WHERE key_id = $1 RETURNING key_id",
                (
                    *(key_id, terms.name, _json(terms.scopes), _json(terms.models)),
                    *(_json(terms.budget_ids), terms.keep_content, terms.enabled),
                    terms.expires_unix_s,
                ),
            )
            if not changed:
                raise NothingChanged

        return await self._make(Told(actor, "key.change", key_id, _facts(terms)), steps)

    async def revoke(self, key_id: str, *, actor: str) -> bool:
        """Remove a key for good, with its budgets; False when there is none of that id."""
        sql = "DELETE FROM keys WHERE key_id = $1 RETURNING key_id"

        def steps() -> Steps[None]:
            yield from removal(sql, key_id)()
            yield Statement("DELETE FROM budgets WHERE key_id = $1", (key_id,))

        return await self._make(Told(actor, "key.revoke", key_id, {}), steps)

    async def _make(self, told: Told, steps: Callable[[], Steps[None]]) -> bool:
        try:
            await self._changes.make(told, steps)
        except NothingChanged:
            return False
        await self.load()
        return True


def _read_keys() -> Steps[tuple[int, Rows, dict[str, list[str]]]]:
    (version,) = yield Statement("SELECT version FROM config_version")
    rows = yield Statement(
        "SELECT key_id, name, digest, pepper_id, scopes, models, budget_ids, keep_content, "
        "enabled, expires_unix_s, created_unix_s, created_by FROM keys "
        "ORDER BY created_unix_s, key_id"
    )
    owned: dict[str, list[str]] = {}
    for row in (yield Statement(_OWNED)):
        owned.setdefault(row["key_id"], []).append(row["budget_id"])
    return int(version["version"]), rows, owned


def _stored(row: Row) -> StoredKey:
    terms = KeyTerms(
        name=row["name"],
        scopes=_names(row["scopes"]),
        models=_names(row["models"]),
        budget_ids=_names(row["budget_ids"]),
        expires_unix_s=row["expires_unix_s"],
        keep_content=bool(row["keep_content"]),
        enabled=bool(row["enabled"]),
    )
    return StoredKey(row["key_id"], terms, float(row["created_unix_s"]), row["created_by"])


def _entry(row: Row, ring: KeyRing, owned: tuple[str, ...]) -> _Entry:
    terms = _stored(row).terms
    key = ring.find(row["pepper_id"])
    caller = Caller(
        key_id=row["key_id"],
        scopes=frozenset(terms.scopes),
        models=terms.models,
        budget_ids=tuple(dict.fromkeys((*terms.budget_ids, *owned))),
        keep_content=terms.keep_content,
    )
    return _Entry(
        digest=bytes(row["digest"]),
        pepper=b"" if key is None else key.for_use("pepper"),
        caller=caller if terms.enabled and key is not None else None,
        expires_unix_s=terms.expires_unix_s,
    )


def _checked(terms: KeyTerms) -> KeyTerms:
    """Give terms with their scopes expanded.

    Raises:
        BadRequest: they are not valid.
    """
    if not 0 < len(terms.name) <= NAME_CHARACTERS_MAX or not terms.name.isprintable():
        raise BadRequest(
            f"a key's name has 1 to {NAME_CHARACTERS_MAX} printable characters", field="name"
        )
    return KeyTerms(
        name=terms.name,
        scopes=tuple(sorted(expand_scopes(terms.scopes))),
        models=terms.models,
        budget_ids=tuple(dict.fromkeys(terms.budget_ids)),
        expires_unix_s=terms.expires_unix_s,
        keep_content=terms.keep_content,
        enabled=terms.enabled,
    )


def _facts(terms: KeyTerms) -> dict[str, object]:
    return {
        "name": terms.name,
        "scopes": terms.scopes,
        "models": terms.models,
        "budget_ids": terms.budget_ids,
        "expires_unix_s": terms.expires_unix_s,
        "enabled": terms.enabled,
    }


def _names(text: str) -> tuple[str, ...]:
    return msgspec.json.decode(text, type=tuple[str, ...])


def _json(names: tuple[str, ...]) -> str:
    return msgspec.json.encode(names).decode()


_OWNED = (
    "SELECT key_id, budget_id FROM budgets WHERE combo IS NULL AND session_id IS NULL "
    "ORDER BY budget_id"
)
