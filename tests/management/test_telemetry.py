"""How long requests take, in the documented shape: streams count to their end."""

from pathlib import Path

import pytest
from msgspec import structs

from omniroute.routing.model import Attempt, Outcome
from omniroute.server.store.phases import newest_times
from omniroute.server.telemetry_json import telemetry_json
from tests.fakes import FakeClock
from tests.store.opened import open_store
from tests.store.outcomes import FIRST, SECOND, SNAPSHOT, answered
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000.0
CHAT = {
    "model": "sim/fast@latency=0,pace=0",
    "messages": [{"role": "user", "content": "hello there"}],
    "stream": True,
}


def took(name: str, total_s: float, first_s: float | None, *attempts: Attempt) -> Outcome:
    made = answered(name, at_unix_s=NOW)
    return structs.replace(
        made, total_s=total_s, first_content_s=first_s, attempts=attempts or made.attempts
    )


async def test_phases_are_told_apart_and_streams_count_to_their_end(tmp_path: Path) -> None:
    """DEFECT of the ancestor: a stream counted until its answer began."""
    streamed = took("r1", 10.0, 1.0, Attempt(1, FIRST, 5.0, 14.5))
    fallen = took(
        "r2",
        4.0,
        3.0,
        Attempt(1, FIRST, 5.0, 6.0, failure="connect"),
        Attempt(2, SECOND, 6.0, 8.5),
    )
    hedged = took(
        "r3",
        3.0,
        2.0,
        Attempt(1, FIRST, 5.0, 7.0, failure="outrun"),
        Attempt(2, SECOND, 6.0, 8.0),
    )
    async with open_store(f"sqlite:///{tmp_path}/s.sqlite", tmp_path, FakeClock()) as store:
        for one in (streamed, fallen, hedged):
            store.ledger.record(one, SNAPSHOT)
        await store.ledger.flush()
        totals, phases = await newest_times(store.database, since_unix_s=NOW - 300, key_id=None)
        later, _ = await newest_times(store.database, since_unix_s=NOW + 1, key_id=None)
        others, _ = await newest_times(store.database, since_unix_s=0, key_id="key-2")

    summary = telemetry_json(300_000, totals, phases)
    assert (summary.count, summary.p50, summary.p95, summary.p99) == (3, 4_000, 10_000, 10_000)
    by_name = {name: (one.count, one.p95) for name, one in summary.phase_breakdown.items()}
    assert by_name == {
        "firstContent": (3, 3_000),
        "stream": (3, 9_000),
        "provider": (3, 9_500),
        "fallback": (2, 2_000),
        "gateway": (3, 500),
    }
    assert (later, others) == ([], [])


async def test_what_never_happened_is_null(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as caller:
        token = {"authorization": f"Bearer {gateway.token}"}
        empty = (await caller.get("/api/telemetry/summary", headers=token)).json()
        await caller.post("/v1/chat/completions", json=CHAT)
        used = (await caller.get("/api/telemetry/summary?windowMs=60000", headers=token)).json()
        wrong = await caller.get("/api/telemetry/summary?windowMs=0", headers=token)

    assert (empty["count"], empty["p50"], empty["windowMs"]) == (0, None, 300_000)
    assert empty["phaseBreakdown"]["stream"] == {"count": 0, "p50": None, "p95": None, "avg": None}
    assert (used["count"], used["windowMs"]) == (1, 60_000)
    assert used["phaseBreakdown"]["stream"]["count"] == 1
    assert used["phaseBreakdown"]["fallback"]["count"] == 0
    assert wrong.status_code == 400
