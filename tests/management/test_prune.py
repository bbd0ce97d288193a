"""POST /api/prune: old requests are counted, and removed until none is left."""

from pathlib import Path

import pytest

from omniroute.server.api.retention import rows
from omniroute.server.store.changes import Changes
from omniroute.server.store.ledger import DECISION_CHAINS
from omniroute.server.store.retention import Retention
from tests.fakes import FakeClock
from tests.management.routes import api
from tests.store.opened import open_store
from tests.store.outcomes import SNAPSHOT, answered

pytestmark = pytest.mark.anyio

DAY_S = 86_400.0


async def test_old_requests_are_counted_and_then_removed(tmp_path: Path) -> None:
    clock = FakeClock()
    async with open_store(f"sqlite:///{tmp_path}/storage.sqlite", tmp_path, clock) as store:
        for request_id, age_days in (("r1", 40), ("r2", 31), ("r3", 5)):
            outcome = answered(request_id, at_unix_s=clock.unix() - age_days * DAY_S)
            store.ledger.record(outcome, SNAPSHOT)
        await store.ledger.flush()
        retention = Retention(store.database, store.ring, DECISION_CHAINS, days=35)
        door = api(*rows(retention, Changes(store.database, store.audit, clock)))

        counted = await door.post("/api/prune", {"dry_run": True})
        removed = await door.post("/api/prune", {"days": 30})
        again = await door.post("/api/prune", {"days": 30})
        audited = await store.audit.recent(limit=5)

    assert (counted["days"], counted["requests"], counted["more"]) == (35, 1, False)
    assert (removed["requests"], removed["decisions"], removed["more"]) == (2, 2, True)
    assert (again["requests"], again["more"]) == (0, False)
    assert [(one.actor, one.action, one.detail) for one in audited] == [
        ("admin-key", "records.prune", '{"days": 30.0}')
    ] * 2


async def test_days_are_asked_for_where_nothing_is_removed_by_itself(tmp_path: Path) -> None:
    clock = FakeClock()
    async with open_store(f"sqlite:///{tmp_path}/storage.sqlite", tmp_path, clock) as store:
        retention = Retention(store.database, store.ring, DECISION_CHAINS, days=None)
        door = api(*rows(retention, Changes(store.database, store.audit, clock)))

        unsaid = await door.call("POST", "/api/prune", {})
        absurd = await door.call("POST", "/api/prune", {"days": 0.5})

    assert (unsaid.status_code, absurd.status_code) == (400, 400)
    assert "retention_days is never" in unsaid.text
    assert "days is 1 to" in absurd.text
