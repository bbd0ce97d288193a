"""Audits: stored decisions executed again, and the chains that they are in."""

import asyncio
from collections.abc import Sequence

from starlette.requests import Request

from omniroute.routing.choose.record import difference
from omniroute.routing.errors import BadRequest, NotFound
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller

from ..audits import AuditPageJson, BrokenJson, ChainsJson, DifferenceJson
from ..store.decisions import PAGE_MAX, Decisions, StoredDecision
from ..store.ledger import StoredLedger
from .rows import Row

DIFFERENCES_MAX = 20
"""Differences told of one page; all are counted."""
EVERY_TIME = float("-inf")


def rows(gateway: Gateway, ledger: StoredLedger, decisions: Decisions) -> tuple[Row, ...]:
    """Give the routes."""

    async def replay(request: Request, caller: Caller) -> AuditPageJson:
        after, limit = request.query_params.get("after", ""), _limit(request)
        since_unix_s = await _since(decisions, request.query_params.get("since", ""))
        total: int | None = None
        if not after:
            await ledger.flush()
            total = await decisions.count(since_unix_s)
        page = await decisions.page(after=after, since_unix_s=since_unix_s, limit=limit)
        seed = gateway.view.configs.current().seed
        # In a thread: a page takes long enough to hold up every answer that streams meanwhile.
        found = await asyncio.to_thread(_differences, page, seed)
        return AuditPageJson(
            checked=len(page),
            different=len(found),
            differences=tuple(found[:DIFFERENCES_MAX]),
            last=page[-1].request_id if len(page) == limit else "",
            total=total,
        )

    async def chains(request: Request, caller: Caller) -> ChainsJson:
        verified = await ledger.verify()
        return ChainsJson(
            verified.chains,
            verified.rows,
            tuple(BrokenJson(one.chain_id, one.seq, one.reason) for one in verified.faults),
        )

    return (
        Row("GET", "/api/audit/route", "admin", "Decide stored decisions again", replay),
        Row("GET", "/api/audit/chains", "admin", "Verify the chains of decisions", chains),
    )


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(PAGE_MAX))
    if not text.isdecimal() or not 1 <= int(text) <= PAGE_MAX:
        raise BadRequest(f"limit is a number from 1 to {PAGE_MAX}", field="limit")
    return int(text)


async def _since(decisions: Decisions, request_id: str) -> float:
    if not request_id:
        return EVERY_TIME
    found = await decisions.arrival_unix_s(request_id)
    if found is None:
        raise NotFound(f"no request {request_id!r} is on record to begin with")
    return found


def _differences(page: Sequence[StoredDecision], seed: bytes) -> list[DifferenceJson]:
    return [
        DifferenceJson(one.request_id, what) for one in page if (what := _difference(one, seed))
    ]


def _difference(one: StoredDecision, seed: bytes) -> str:
    if one.snapshot is None:
        return "its snapshot is missing"
    return difference(one.record, one.snapshot, seed)
