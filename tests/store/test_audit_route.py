"""Stored decisions executed again, in pages: what is equal, what is not, and from where on."""

import contextlib
import random

import pytest

from omniroute.routing.errors import RoutingError
from omniroute.server.api.audit import rows
from omniroute.server.store.database import Statement, Steps
from omniroute.server.store.decisions import Decisions
from tests.fakes import ADMIN
from tests.management.routes import Api, api
from tests.routing.test_decide import random_request, random_world
from tests.store.opened import Opened

pytestmark = pytest.mark.anyio

DECISIONS = 60


async def audited(store: Opened) -> Api:
    """Keep some decisions, one second apart, and give the audit's routes."""
    random_source = random.Random(31)
    here = random_world(random_source)
    for _ in range(DECISIONS):
        with contextlib.suppress(RoutingError):
            (await here.gateway.route.open(random_request(random_source, here), ADMIN)).close()
        here.clock.advance(1.0)
    for record in here.ledger.records:
        store.ledger.record(record.outcome, record.snapshot)
    await store.ledger.flush()
    return api(*rows(here.gateway, store.ledger, Decisions(store.database)))


async def change(store: Opened, statement: Statement) -> None:
    def steps() -> Steps[None]:
        yield statement

    await store.database.write(steps)


async def test_every_stored_decision_comes_out_as_it_was_in_pages(store: Opened) -> None:
    here = await audited(store)
    totals: list[int | None] = []
    checked, after = 0, ""

    while True:
        page = await here.get(f"/api/audit/route?limit=25&after={after}")
        totals.append(page["total"])
        checked, after = checked + page["checked"], page["last"]
        assert page["different"] == 0
        if not after:
            break

    assert checked == DECISIONS
    assert totals == [DECISIONS, None, None]
    chains = await here.get("/api/audit/chains")
    assert (chains["chains"], chains["rows"], chains["broken"]) == (1, DECISIONS, [])


async def test_a_changed_and_a_broken_decision_are_told_apart(store: Opened) -> None:
    here = await audited(store)
    ids = [
        str(row["request_id"])
        for row in await store.database.read(
            Statement("SELECT request_id FROM decisions ORDER BY request_id LIMIT 2")
        )
    ]
    (stored,) = await store.database.read(
        Statement("SELECT record FROM decisions WHERE request_id = $1", (ids[0],))
    )
    other = bytes(stored["record"]).replace(b'"strategy":', b'"strategy": ')
    for statement in (
        Statement("UPDATE decisions SET record = $2 WHERE request_id = $1", (ids[0], other)),
        Statement("UPDATE decisions SET record = $2 WHERE request_id = $1", (ids[1], b"[")),
    ):
        await change(store, statement)

    page = await here.get("/api/audit/route")
    chains = await here.get("/api/audit/chains")

    told = {one["request_id"]: one["what"] for one in page["differences"]}
    assert (page["checked"], page["different"]) == (DECISIONS, 2)
    assert told[ids[0]] == "the stored bytes are others"
    assert told[ids[1]].startswith("it cannot be read")
    assert [one["reason"] for one in chains["broken"]] == ["the row was changed"]


async def test_a_range_begins_with_the_request_that_is_named(store: Opened) -> None:
    here = await audited(store)
    (middle,) = await store.database.read(
        Statement("SELECT request_id FROM outcomes ORDER BY at_unix_s LIMIT 1 OFFSET 40")
    )

    page = await here.get(f"/api/audit/route?since={middle['request_id']}")
    unknown = await here.call("GET", "/api/audit/route?since=req_none")
    wrong = await here.call("GET", "/api/audit/route?limit=0")

    assert (page["checked"], page["total"]) == (DECISIONS - 40, DECISIONS - 40)
    assert (unknown.status_code, wrong.status_code) == (404, 400)
