"""Prompts and answers in the call log, of the keys that wish it and of nobody else.

Off by default, and never of a key that keeps nothing. A request's words are taken when it ends,
made into what is kept (wording.py) and sealed by the vault away from the event loop, and stored by
a writer of their own, a moment later. They are sealed as provider secrets are, since they may hold
anything: a copy of the database, or a backup, shows none of them without the key ring.

They go with their requests; and the oldest of them when all take more than `bytes_max`. A key
that wishes it no more, or is revoked, has what was kept of it removed in the same transaction;
what was under way at that moment is neither stored nor shown.

When the database stays away a few wait; then the oldest are given up, which is counted and logged.
"""

import asyncio
import math
import zlib
from collections.abc import Sequence
from functools import partial

import msgspec
from msgspec import structs

from omniroute.routing.errors import Conflict, StorageUnavailable
from omniroute.routing.ports import Clock, Exchanged

from ..wording import Words, bounded, words_of
from .database import Database, Many, Statement, Steps, Value
from .outbox import Limits, Outbox
from .rings import unretired
from .vault import Vault

TABLE = "request_contents"
WAITING = Limits(batch_max=32, spare_max=256, items_max=256, gather_s=0.05)
PLAIN_BYTES_MAX = 2**22
"""More than any kept words have: what unpacks to more is none of ours."""
BATCH_ROWS = 500

_words = msgspec.json.Decoder(Words)


class StoredContents:
    """Kept prompts and answers. Fulfils the port Contents."""

    def __init__(self, database: Database, vault: Vault, clock: Clock) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._outbox: Outbox[Exchanged] = Outbox("contents", self._write, limits=WAITING)

    @property
    def given_up(self) -> int:
        """Of how many requests they could not be kept."""
        return self._outbox.given_up

    def keep(self, exchanged: Exchanged) -> None:
        """Keep what was asked and answered; never waits."""
        asked = bounded(exchanged.asked)
        if asked is not exchanged.asked:
            exchanged = structs.replace(exchanged, asked=asked)
        self._outbox.put(exchanged.request_id, exchanged, is_spare=True)

    async def run(self) -> None:
        """Store what comes, until cancelled."""
        await self._outbox.run()

    async def flush(self) -> None:
        """Store all so far."""
        await self._outbox.flush()

    async def find(self, request_id: str) -> Words | None:
        """Give what was asked and answered; None where that is not kept.

        Raises:
            SecretLost: it was sealed with a key that is not in the ring.
        """
        await self.flush()
        rows = await self._database.read(Statement(_READ, (request_id,)))
        if not rows:
            return None
        plain = self._vault.open(bytes(rows[0]["secret"]), table=TABLE, row_id=request_id)
        return _words.decode(zlib.decompressobj().decompress(plain, PLAIN_BYTES_MAX))

    async def _write(self, items: Sequence[Exchanged], *, again: bool) -> None:
        # Also what was stored before can be stored again: it stays as it is.
        newest = self._vault.ring.newest.key_id
        rows = await asyncio.to_thread(self._sealed, items)
        try:
            await self._database.write(partial(self._store, rows, newest))
        except Conflict as error:
            raise StorageUnavailable("the key ring was changed at this moment") from error

    def _sealed(self, items: Sequence[Exchanged]) -> list[tuple[Value, ...]]:
        return [
            (
                *(one.request_id, one.key_id, one.at_unix_s),
                self._vault.seal(
                    zlib.compress(msgspec.json.encode(words_of(one))),
                    table=TABLE,
                    row_id=one.request_id,
                ),
            )
            for one in items
        ]

    def _store(self, rows: Sequence[tuple[Value, ...]], newest: str) -> Steps[None]:
        yield from unretired(newest, self._clock.unix())
        wishing = {row["key_id"] for row in (yield Statement(_WISHING))}
        wished = [row for row in rows if row[1] in wishing]
        if wished:
            yield Many(_KEEP, wished)


async def kept_from(database: Database, bytes_max: int) -> float:
    """Give from when on kept words take no more than so many bytes; -inf when all of them do."""
    (row,) = await database.read(Statement(_TOO_MUCH, (bytes_max,)))
    at_unix_s = row["at_unix_s"]
    return -math.inf if at_unix_s is None else math.nextafter(at_unix_s, math.inf)


def outdated(before_unix_s: float) -> Steps[int]:
    """Remove some of what is older than that, or of keys that wish it no more; give how much."""
    old = yield Statement(_OLD, (before_unix_s, BATCH_ROWS))
    unwished = yield Statement(_UNWISHED, (BATCH_ROWS,))
    return len(old) + len(unwished)


_WISHING = "SELECT key_id FROM keys WHERE log_content AND keep_content"
_READ = (
    "SELECT secret FROM request_contents JOIN keys ON keys.key_id = request_contents.key_id "
    "WHERE request_id = $1 AND log_content AND keep_content"
)
_KEEP = (
    "INSERT INTO request_contents (request_id, key_id, at_unix_s, secret) "
    "VALUES ($1, $2, $3, $4) ON CONFLICT (request_id) DO NOTHING"
)
_TOO_MUCH = (
    "SELECT max(at_unix_s) AS at_unix_s FROM (SELECT at_unix_s, sum(length(secret)) "
    "OVER (ORDER BY at_unix_s DESC, request_id DESC) AS total FROM request_contents) AS summed "
    "WHERE total > $1"
)
_OLD = (
    "DELETE FROM request_contents WHERE request_id IN (SELECT request_id FROM request_contents "
    "WHERE at_unix_s < $1 ORDER BY at_unix_s LIMIT $2) RETURNING request_id"
)
_UNWISHED = (
    "DELETE FROM request_contents WHERE request_id IN (SELECT request_id FROM request_contents "
    "WHERE NOT EXISTS (SELECT 1 FROM keys WHERE keys.key_id = request_contents.key_id "
    "AND log_content AND keep_content) LIMIT $1) RETURNING request_id"
)
