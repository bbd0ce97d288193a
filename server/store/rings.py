"""The key ring over its life: a key is added, everything is sealed with it, an old one retires.

Adding a key changes nothing that is there: what was made with an older key names it and works on.
Secrets are then sealed anew in the background, a few at a time, by whichever process comes to it;
a row that changed meanwhile is left to its new secret.

A key is retired in one unit: what it still seals is sealed anew, the keys derived from it that
cannot be done without (KEPT_USES) are sealed with the newest, and the row says that it is gone.
Every process sees that with the configuration, and seals nothing more with it. A process that had
not yet seen it may store one more secret: so the key opens for GRACE_S more, then everything is
looked through once again and the key leaves the ring's file. Whoever dies in between leaves the
rest to the next who looks.

What cannot be opened (its key was lost, or it was tampered with) stays as it is and is counted.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from omniroute.routing.errors import BadRequest, Conflict, NotFound

from .changes import Changes, Told
from .database import Database, Rows, Statement, Steps
from .keyring import (
    KEPT_USES,
    RING_VARIABLE,
    RetiredKey,
    add_ring_key,
    made_times,
    new_ring_key,
    remove_ring_key,
)
from .ring_standing import ALL_RING_KEYS, RingKeyStanding, read_standing, standing_of
from .vault import SecretLost, Vault, head_of

GRACE_S = 2.0
"""For how long a retired key still opens: eight looks of every other process."""
BATCH_ROWS = 100
RING_KEYS = "ring_keys"
SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Sealed:
    """A table with sealed rows: `page` gives `row_id` and `secret` of rows after $2."""

    table: str
    page: str
    update: str


SEALED = (
    Sealed(
        "accounts",
        "SELECT account_id AS row_id, secret FROM accounts WHERE secret IS NOT NULL "
        "AND substr(secret, 1, 9) <> $1 AND account_id > $2 ORDER BY account_id LIMIT $3",
        "UPDATE accounts SET secret = $3 WHERE account_id = $1 AND secret = $2 "
        "RETURNING account_id",
    ),
    Sealed(
        "task_subscriptions",
        "SELECT task_id || '/' || subscription_id AS row_id, secret FROM task_subscriptions "
        "WHERE secret IS NOT NULL AND substr(secret, 1, 9) <> $1 "
        "AND task_id || '/' || subscription_id > $2 "
        "ORDER BY task_id || '/' || subscription_id LIMIT $3",
        "UPDATE task_subscriptions SET secret = $3 "
        "WHERE task_id || '/' || subscription_id = $1 AND secret = $2 RETURNING task_id",
    ),
    Sealed(
        "shared_proxies",
        "SELECT place AS row_id, secret FROM shared_proxies WHERE substr(secret, 1, 9) <> $1 "
        "AND place > $2 ORDER BY place LIMIT $3",
        "UPDATE shared_proxies SET secret = $3 WHERE place = $1 AND secret = $2 RETURNING place",
    ),
    Sealed(
        "request_contents",
        "SELECT request_id AS row_id, secret FROM request_contents "
        "WHERE substr(secret, 1, 9) <> $1 AND request_id > $2 ORDER BY request_id LIMIT $3",
        "UPDATE request_contents SET secret = $3 WHERE request_id = $1 AND secret = $2 "
        "RETURNING request_id",
    ),
    Sealed(
        RING_KEYS,
        "SELECT key_id AS row_id, secret FROM ring_keys WHERE secret IS NOT NULL "
        "AND substr(secret, 1, 9) <> $1 AND key_id > $2 ORDER BY key_id LIMIT $3",
        "UPDATE ring_keys SET secret = $3 WHERE key_id = $1 AND secret = $2 RETURNING key_id",
    ),
)


@dataclass(slots=True)
class _Pass:
    """One look through all that is sealed."""

    after: str = ""
    place: int = 0
    resealed: int = 0


class Rings:
    """Rotates the ring of one gateway.

    Args:
        folder: where the ring's file is; None when the ring is a variable's.
        grace_s: for how long a retired key still opens.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        changes: Changes,
        folder: Path | None,
        *,
        grace_s: float = GRACE_S,
    ) -> None:
        self._database = database
        self._vault = vault
        self._changes = changes
        self._folder = folder
        self._grace_s = grace_s
        self._sealed_for = ""
        self._pass = _Pass()

    @property
    def in_file(self) -> bool:
        """Whether the ring is a file, which this gateway may write."""
        return self._folder is not None

    async def standing(self) -> Sequence[RingKeyStanding]:
        """Give every key that is there, or that something rests on: the newest first."""
        self._vault.look_again()
        made = {} if self._folder is None else made_times(self._folder)
        return standing_of(self._vault.ring, made, await self._database.read(read_standing))

    async def add(self, *, actor: str) -> str:
        """Put a new key into the ring and give its id; secrets are sealed with it from now on.

        Raises:
            BadRequest: the ring is a variable's, which its owner has to change.
        """
        if self._folder is None:
            raise BadRequest(
                f"the keys of this gateway are those of {RING_VARIABLE}: put a new one at the end "
                "of it on every machine and restart them, then move it to the beginning and "
                "restart them again"
            )
        made, now = new_ring_key(), self._changes.now()

        def steps() -> Steps[None]:
            yield _known(made.key_id, now)

        # On record first: no process seals with a key whose coming nobody was told of.
        await self._changes.make(Told(actor, "keyring.add", made.key_id, {}), steps)
        add_ring_key(self._folder, made)
        self._vault.look_again()
        return made.key_id

    async def retire(self, key_id: str, *, actor: str) -> None:
        """Let a key go: when this returns, nothing needs it and the ring's file lacks it.

        Raises:
            NotFound: the ring has no such key.
            Conflict: it is the newest.
        """
        ring = self._vault.ring
        self._vault.look_again()
        if key_id == ring.newest.key_id:
            raise Conflict(
                "this is the newest key, which everything is sealed with: add a new one first "
                "(`omniroute keyring add`)"
            )
        if key_id not in {key.key_id for key in ring.keys}:
            raise NotFound(
                f"this key ring has no key {key_id!r} that could be retired; "
                "`omniroute keyring list` shows them"
            )
        await self.reseal()
        now = self._changes.now()
        told = Told(actor, "keyring.retire", key_id, {"newest": ring.newest.key_id})
        await self._changes.make(told, partial(self._retirement, key_id, now))
        heed(self._vault, await self._database.read(ALL_RING_KEYS), [])
        await asyncio.sleep(self._grace_s)
        await self._remove(key_id)

    async def poll(self) -> None:
        """Seal a few secrets anew if any are to be, and remove keys that others left behind."""
        newest = self._vault.ring.newest.key_id
        if self._sealed_for != newest and not await self._look(self._pass, newest):
            looked, self._pass = self._pass, _Pass()
            self._sealed_for = newest
            await self._tell(newest, looked.resealed)
        for key in self._vault.ring.leaving:
            [row] = await self._database.read(
                Statement("SELECT retired_unix_s FROM ring_keys WHERE key_id = $1", (key.key_id,))
            )
            if self._changes.now() - float(row["retired_unix_s"]) >= self._grace_s:
                await self._remove(key.key_id)

    async def reseal(self) -> int:
        """Seal with the newest key whatever is not, and give how much that was."""
        newest, looked = self._vault.ring.newest.key_id, _Pass()
        while await self._look(looked, newest):
            pass
        await self._tell(newest, looked.resealed)
        return looked.resealed

    async def _look(self, looked: _Pass, newest: str) -> bool:
        """Go on with a pass, one batch; give whether there is more."""
        sealed = SEALED[looked.place]
        rows, resealed = await self._database.write(
            partial(self._resealing, sealed, newest, looked.after)
        )
        looked.resealed += resealed
        if len(rows) == BATCH_ROWS:
            looked.after = str(rows[-1]["row_id"])
        else:
            looked.place, looked.after = looked.place + 1, ""
        return looked.place < len(SEALED)

    async def _remove(self, key_id: str) -> None:
        """Let go of a retired key, after a last look for what it seals."""
        await self.reseal()
        if self._folder is not None:
            remove_ring_key(self._folder, key_id)
        self._vault.ring.forget(key_id)

    def _retirement(self, key_id: str, now_unix_s: float) -> Steps[None]:
        ring, vault = self._vault.ring, self._vault
        key = ring.opener(key_id)
        assert key is not None  # noqa: S101 - it was there, and only this makes it leave
        derived = {use: key.for_use(use) for use in KEPT_USES} | {"seed": ring.seed}
        kept = vault.seal(msgspec.json.encode(derived), table=RING_KEYS, row_id=key_id)
        yield _known(key_id, now_unix_s)
        yield Statement(
            "UPDATE ring_keys SET retired_unix_s = $2, secret = $3 WHERE key_id = $1",
            (key_id, now_unix_s, kept),
        )

    def _resealing(self, sealed: Sealed, newest: str, after: str) -> Steps[tuple[Rows, int]]:
        rows = yield Statement(sealed.page, (head_of(newest), after, BATCH_ROWS))
        resealed = 0
        for row in rows:
            place = {"table": sealed.table, "row_id": str(row["row_id"])}
            old = bytes(row["secret"])
            try:
                new = self._vault.seal(self._vault.open(old, **place), **place)
            except SecretLost:
                continue
            resealed += len((yield Statement(sealed.update, (place["row_id"], old, new))))
        return rows, resealed

    async def _tell(self, newest: str, resealed: int) -> None:
        if not resealed:
            return

        def nothing() -> Steps[None]:
            yield from ()

        told = Told(SYSTEM, "secrets.reseal", newest, {"secrets": resealed})
        await self._changes.make(told, nothing)


def heed(vault: Vault, rows: Rows, problems: list[str]) -> None:
    """Bring a process's ring up to date with what was added and what is retired.

    Args:
        vault: whose ring it is.
        rows: as ALL_RING_KEYS reads them.
        problems: gets what cannot be opened any more.

    Raises:
        CannotOpenStore: the ring would be left without a key.
    """
    known = {key.key_id for key in vault.ring.keys}
    if any(row["retired_unix_s"] is None and row["key_id"] not in known for row in rows):
        vault.look_again()
    gone = [row for row in rows if row["retired_unix_s"] is not None]
    if {row["key_id"] for row in gone} <= {key.key_id for key in vault.ring.retired}:
        return
    found: list[RetiredKey] = []
    for row in gone:
        try:
            plain = vault.open(bytes(row["secret"]), table=RING_KEYS, row_id=str(row["key_id"]))
        except SecretLost as error:
            problems.append(str(error))
            continue
        found.append(RetiredKey(row["key_id"], msgspec.json.decode(plain, type=dict[str, bytes])))
    vault.ring.retire({str(row["key_id"]) for row in gone}, found)


def unretired(key_id: str, now_unix_s: float) -> Steps[None]:
    """See to it that a key which seals something is not retired before that is stored.

    Raises:
        Conflict: it is retired.
    """
    [row] = yield _known(key_id, now_unix_s)
    if row["retired_unix_s"] is not None:
        raise Conflict("the key ring was changed at this moment: try again")


def _known(key_id: str, now_unix_s: float) -> Statement:
    """Have a row for a key; it is locked until the unit's end."""
    return Statement(
        "INSERT INTO ring_keys (key_id, known_unix_s) VALUES ($1, $2) "
        "ON CONFLICT (key_id) DO UPDATE SET key_id = excluded.key_id RETURNING retired_unix_s",
        (key_id, now_unix_s),
    )
