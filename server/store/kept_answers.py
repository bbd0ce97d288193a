"""Answers kept for requests that are repeated under one idempotency key.

A row is a claim while its answer is being made, and the answer afterwards. A claim is taken by
one statement, so of two processes that get the same request exactly one makes the answer. It
runs out on its own when its process dies. A name belongs to its owner: two keys may use the
same one and never meet.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b

import msgspec

from omniroute.routing.errors import IdempotencyMismatch, RequestInFlight, StorageUnavailable
from omniroute.routing.ports import Clock

from .database import Database, Row, Rows, Statement, Steps

KEPT_S = 86_400.0
PRUNED_MAX = 1_000
Headers = list[tuple[bytes, bytes]]

_CLAIM = (
    "INSERT INTO kept_answers (key_id, name_hash, digest, claim_id, until_unix_s) "
    "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (key_id, name_hash) DO UPDATE SET "
    "digest = excluded.digest, claim_id = excluded.claim_id, headers = NULL, body = NULL, "
    "until_unix_s = excluded.until_unix_s WHERE kept_answers.until_unix_s <= $6 RETURNING claim_id"
)
_READ = "SELECT digest, headers, body FROM kept_answers WHERE key_id = $1 AND name_hash = $2"
_KEEP = "UPDATE kept_answers SET headers = $2, body = $3, until_unix_s = $4 WHERE claim_id = $1"
_RELEASE = "DELETE FROM kept_answers WHERE claim_id = $1 AND headers IS NULL"
_PRUNE = (
    "DELETE FROM kept_answers WHERE claim_id IN (SELECT claim_id FROM kept_answers "
    "WHERE until_unix_s <= $1 ORDER BY until_unix_s LIMIT $2) RETURNING claim_id"
)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to make the answer of one name, which is its owner's key and a hash."""

    claim_id: str
    named: tuple[str, str]


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as it was sent: its status was 200."""

    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class _Wish:
    key_id: str
    name_hash: str
    digest: str
    claim: Claim


class KeptAnswers:
    """Kept answers in the database.

    Args:
        claim_s: how long an answer may take; a claim that is older counts as abandoned.
        mismatched: is told the key whose name came with another body.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        claim_s: float,
        mismatched: Callable[[str], Awaitable[None]],
    ) -> None:
        self._mismatched = mismatched
        self._database = database
        self._clock = clock
        self._claim_s = claim_s
        self._freeing: dict[tuple[str, str], asyncio.Future[Rows]] = {}

    async def claim(self, key_id: str, name: str, body: bytes) -> Claim | KeptAnswer:
        """Give the kept answer, or the right to make it.

        Raises:
            RequestInFlight: the answer is being made.
            IdempotencyMismatch: the name was used with another body.
        """
        named = (key_id, _hash(name.encode()))
        wish = _Wish(
            key_id=key_id,
            name_hash=named[1],
            digest=_hash(body),
            claim=Claim(secrets.token_hex(16), named),
        )
        freeing = self._freeing.get(named)
        if freeing is not None:
            # Else a client that asks again at once could come before its own name is free.
            await asyncio.wait((freeing,))
        try:
            return await self._database.write(partial(self._claim, wish))
        except asyncio.CancelledError:
            # The claim may be taken all the same; nobody is left to make its answer.
            self.release(wish.claim)
            raise
        except IdempotencyMismatch:
            # The refusal is the answer, also when nobody can note it.
            with suppress(StorageUnavailable):
                await self._mismatched(key_id)
            raise

    async def keep(self, claim: Claim, answer: KeptAnswer) -> None:
        """Keep the answer for KEPT_S."""
        headers = msgspec.json.encode(
            [(one.decode("latin-1"), value.decode("latin-1")) for one, value in answer.headers]
        ).decode()
        until = self._clock.unix() + KEPT_S
        await self._database.write(Statement(_KEEP, (claim.claim_id, headers, answer.body, until)))

    def release(self, claim: Claim) -> None:
        """Give the name free, for the request to be made again; queued, never waits."""
        queued = self._database.submit(Statement(_RELEASE, (claim.claim_id,)))
        self._freeing[claim.named] = queued
        queued.add_done_callback(partial(self._freed, claim.named))

    def _freed(self, named: tuple[str, str], queued: "asyncio.Future[Rows]") -> None:
        """Take note of how it ended: a claim that could not be given free runs out on its own."""
        if self._freeing.get(named) is queued:
            del self._freeing[named]
        if not queued.cancelled():
            queued.exception()

    async def prune(self, *, now_unix_s: float) -> int:
        """Delete what ran out before now, PRUNED_MAX at most; give how many."""
        return len(await self._database.write(Statement(_PRUNE, (now_unix_s, PRUNED_MAX))))

    def _claim(self, wish: _Wish) -> Steps[Claim | KeptAnswer]:
        now = self._clock.unix()
        owned = (wish.key_id, wish.name_hash)
        claimed = yield Statement(
            _CLAIM, (*owned, wish.digest, wish.claim.claim_id, now + self._claim_s, now)
        )
        if claimed:
            return wish.claim
        rows = yield Statement(_READ, owned)
        if not rows or (rows[0]["headers"] is None and rows[0]["digest"] == wish.digest):
            raise RequestInFlight(
                "a request with this idempotency key is being answered; ask again for its answer"
            )
        if rows[0]["digest"] != wish.digest:
            raise IdempotencyMismatch(
                "this idempotency key was used with another body: give each request a key of "
                "its own, and repeat it only with the same bytes"
            )
        return _kept(rows[0])


def _kept(row: Row) -> KeptAnswer:
    pairs = msgspec.json.decode(row["headers"], type=list[tuple[str, str]])
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
    return KeptAnswer(headers, bytes(row["body"]))


def _hash(data: bytes) -> str:
    return blake2b(data, digest_size=32).hexdigest()
