"""Audits: stored decisions executed again, and the chains that they are in."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

from starlette.requests import Request

from omniroute.routing.choose.record import difference
from omniroute.routing.errors import BadRequest, NotFound
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller

from ..audits import (
    AuditPageJson,
    BeginJson,
    BrokenJson,
    ChainsJson,
    DifferenceJson,
    EntryJson,
    ExportedJson,
    LogJson,
    RecordsJson,
    VerifiedJson,
)
from ..store.audit import ENTRIES_MAX, Audit, Exported
from ..store.chain import Verified
from ..store.decisions import PAGE_MAX, Decisions, StoredDecision
from ..store.ledger import StoredLedger
from ..store.tool_calls import ToolCalls
from .pages import CURSOR, cursor_of, tell_next
from .queries import Query, count
from .rows import Lines, Row, Tell

DIFFERENCES_MAX = 20
"""Differences told of one page; all are counted."""
EVERY_TIME = float("-inf")


def log_rows(audit: Audit) -> tuple[Row, ...]:
    """Give the route of the log of changes."""

    async def log(request: Request, caller: Caller) -> LogJson:
        limit, target = _limit(request, ENTRIES_MAX), request.query_params.get("target") or None
        before = cursor_of(request, tuple[float, int, str])
        entries, last = await audit.page(limit=limit, before=before, target=target)
        if last is not None and len(entries) == limit:
            tell_next(request, last)
        return LogJson(
            tuple(
                EntryJson(one.at_unix_s, one.actor, one.action, one.target, one.detail)
                for one in entries
            ),
            chains_json(await audit.verify()),
        )

    return (
        Row(
            *("GET", "/api/audit/log", "admin", "List changes and verify them", log),
            query=(
                Query("limit", count(1, ENTRIES_MAX), f"how many; {ENTRIES_MAX} unless said"),
                Query("target", str, "what was changed: an id or a name"),
                CURSOR,
            ),
        ),
    )


def verify_rows(audit: Audit, ledger: StoredLedger, calls: ToolCalls) -> tuple[Row, ...]:
    """Give the routes that verify all chains, and give the log of changes whole."""

    async def verify(request: Request, caller: Caller) -> VerifiedJson:
        found = (
            RecordsJson("audit", chains_json(await audit.verify())),
            RecordsJson("decisions", chains_json(await ledger.verify())),
            RecordsJson("mcp_tool_audit", chains_json(await calls.verify())),
        )
        return VerifiedJson(not any(one.chains.broken for one in found), found)

    async def export(request: Request, caller: Caller) -> Lines:
        async def work(tell: Tell) -> None:
            async with aclosing(audit.everything()) as entries:
                async for one in entries:
                    await tell(_exported(one))

        return Lines(work)

    return (
        Row("GET", "/api/audit/verify", "admin", "Verify every chain of records", verify),
        Row("GET", "/api/audit/export", "admin", "Give the log of changes, a line each", export),
    )


def rows(gateway: Gateway, ledger: StoredLedger, decisions: Decisions) -> tuple[Row, ...]:
    """Give the routes that look at decisions."""

    async def replay(request: Request, caller: Caller) -> AuditPageJson:
        after, limit = request.query_params.get("after", ""), _limit(request, PAGE_MAX)
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
        return chains_json(await ledger.verify())

    return (
        Row(
            *("GET", "/api/audit/route", "admin", "Decide stored decisions again", replay),
            query=(
                Query("limit", count(1, PAGE_MAX), f"how many; {PAGE_MAX} unless said"),
                Query("after", str, "the last request of the page before"),
                Query("since", str, "the id of the request to begin with"),
            ),
        ),
        Row("GET", "/api/audit/chains", "admin", "Verify the chains of decisions", chains),
    )


def chains_json(verified: Verified) -> ChainsJson:
    """Give what a check of chains found."""
    return ChainsJson(
        verified.chains,
        verified.rows,
        tuple(BrokenJson(one.chain_id, one.seq, one.reason) for one in verified.faults),
        sum(one.seq for one in verified.begins),
        tuple(BeginJson(one.chain_id, one.seq, one.mac.hex()) for one in verified.begins),
    )


def _exported(one: Exported) -> ExportedJson:
    link, entry = one.link, one.entry
    return ExportedJson(
        chain_id=link.chain_id,
        seq=link.seq,
        mac=link.mac.hex(),
        at_unix_s=entry.at_unix_s,
        actor=entry.actor,
        action=entry.action,
        target=entry.target,
        detail=entry.detail,
    )


def _limit(request: Request, most: int) -> int:
    text = request.query_params.get("limit", str(most))
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise BadRequest(f"limit is a number from 1 to {most}", field="limit")
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
