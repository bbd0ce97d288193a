"""An idempotency key with another body is refused, and the audit log says so now and then."""

from pathlib import Path

import pytest

from omniroute.routing.errors import IdempotencyMismatch, StorageUnavailable
from omniroute.server.compose import compose
from omniroute.server.settings import Settings
from omniroute.server.store.changes import Changes
from omniroute.server.store.database import Database
from omniroute.server.store.kept_answers import KeptAnswers
from omniroute.server.store.mismatches import EVERY_S, KEYS_MAX, Mismatches
from tests.fakes import FakeClock
from tests.store.opened import Opened

pytestmark = pytest.mark.anyio


async def actors(store: Opened) -> list[str]:
    entries = await store.audit.recent(limit=500)
    return [one.actor for one in entries if one.action == "idempotency.mismatch"]


async def test_a_mismatch_is_audited_once_a_minute_for_each_key(
    store: Opened, clock: FakeClock
) -> None:
    mismatches = Mismatches(Changes(store.database, store.audit, clock), clock)

    for key_id in ("key-1", "key-1", "key-2"):
        await mismatches.note(key_id)
    clock.advance(EVERY_S)
    await mismatches.note("key-1")

    assert sorted(await actors(store)) == ["key-1", "key-1", "key-2"]
    assert (await store.audit.verify()).faults == ()


async def test_of_many_keys_the_oldest_is_forgotten_and_only_written_again(
    sqlite_store: Opened, clock: FakeClock
) -> None:
    mismatches = Mismatches(Changes(sqlite_store.database, sqlite_store.audit, clock), clock)

    for number in range(KEYS_MAX + 1):
        await mismatches.note(f"key-{number}")
    await mismatches.note("key-0")
    await mismatches.note(f"key-{KEYS_MAX}")

    written = await actors(sqlite_store)
    assert written[0] == "key-0"
    assert written[1] == f"key-{KEYS_MAX}"


async def test_the_running_gateway_audits_who_used_a_name_twice(tmp_path: Path) -> None:
    async with compose(Settings(data_dir=tmp_path)) as running:
        storage = running.parts.storage
        await storage.answers.claim("key-mine", "once", b"a body")

        with pytest.raises(IdempotencyMismatch):
            await storage.answers.claim("key-mine", "once", b"another body")
        (entry, *_) = await storage.audit.recent(limit=1)

    assert (entry.actor, entry.action, entry.detail) == ("key-mine", "idempotency.mismatch", "{}")


async def test_a_mismatch_that_cannot_be_noted_is_refused_all_the_same(
    database: Database, clock: FakeClock
) -> None:
    async def away(key_id: str) -> None:
        raise StorageUnavailable("the database is away")

    answers = KeptAnswers(database, clock, claim_s=60.0, mismatched=away)
    await answers.claim("key-mine", "once", b"a body")

    with pytest.raises(IdempotencyMismatch):
        await answers.claim("key-mine", "once", b"another body")
