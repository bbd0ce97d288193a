"""The MCP server over HTTP: its tools, how it is, and the record of its calls.

A caller sees the calls of its own key; admin sees all.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import get_args

from starlette.requests import Request

from omniroute.routing.access import ADMIN, SCOPES, require
from omniroute.routing.errors import BadRequest
from omniroute.routing.model import Caller
from omniroute.tools.audit import Outcome
from omniroute.tools.units import iso

from ..audits import ChainsJson
from ..mcp_json import (
    ActivityJson,
    AuditStateJson,
    CallJson,
    CallsJson,
    HeartbeatJson,
    HttpTransportJson,
    McpStatusJson,
    StatsJson,
    ToolJson,
    ToolsJson,
    TopJson,
)
from ..parts import Parts
from ..runtime_file import Running, process_lives, read_running, runtime_path
from ..store.boots import last_beat_unix_s
from ..store.tool_calls import PAGE_MAX, STATS_S, Stats, StoredCall, ToolCalls, Wanted
from .audit import chains_json
from .mcp_tools import DOCUMENTED
from .pages import CURSOR, cursor_of, tell_next
from .queries import Query, count
from .rows import Row, number

PAGE = 50
OFFSET_MAX = 10_000_000
HTTP = "streamable-http"
_SUCCESS = {"true": True, "1": True, "false": False, "0": False}


def rows(parts: Parts, paths: Sequence[str], url: str) -> tuple[Row, ...]:
    """Give the routes.

    Args:
        parts: of this process.
        paths: where MCP is served over HTTP.
        url: of the gateway, as clients reach it.
    """
    calls, now = parts.storage.tool_calls, parts.clock.unix

    async def tools(request: Request, caller: Caller) -> ToolsJson:
        return tools_json()

    async def status(request: Request, caller: Caller) -> McpStatusJson:
        found = await _stats(calls, caller, now())
        running = await asyncio.to_thread(_running, parts)
        beat = await last_beat_unix_s(parts.storage.database, parts.storage.boot_id)
        return McpStatusJson(
            status="offline" if running is None else "online",
            online=running is not None,
            enabled=True,
            transport=HTTP,
            heartbeat_path=str(runtime_path(parts.settings.data_dir)),
            heartbeat=None if running is None else _heartbeat(running, beat, now()),
            http_transport=_http(running, now(), paths, url),
            activity=_activity(found),
            audit=AuditStateJson(calls.keeps_arguments, calls.waiting, calls.given_up),
        )

    return (
        *_audit_rows(calls, now),
        Row("GET", "/api/mcp/tools", "read:health", "List the MCP tools", tools),
        Row("GET", "/api/mcp/status", "read:health", "How the MCP server is", status),
    )


def _audit_rows(calls: ToolCalls, now: Callable[[], float]) -> tuple[Row, ...]:
    async def page(request: Request, caller: Caller) -> CallsJson:
        wanted = _wanted(request, caller)
        limit = number(request, "limit", PAGE, least=1, most=PAGE_MAX)
        offset = number(request, "offset", 0, least=0, most=OFFSET_MAX)
        found, total = await calls.page(wanted, limit=limit, offset=offset)
        if len(found) == limit:
            tell_next(request, (found[-1].call.at_unix_s, found[-1].number))
        return CallsJson(tuple(map(_call_json, found)), total, limit, offset)

    async def stats(request: Request, caller: Caller) -> StatsJson:
        found = await _stats(calls, caller, now())
        return StatsJson(
            total_calls=found.calls,
            success_rate=found.success_rate,
            avg_duration_ms=found.duration_ms,
            top_tools=_top(found),
            answered=found.answered,
            failed=found.failed,
            refused=found.refused,
            cancelled=found.cancelled,
        )

    async def chains(request: Request, caller: Caller) -> ChainsJson:
        return chains_json(await calls.verify())

    return (
        Row(
            *("GET", "/api/mcp/audit", "read:usage", "List calls of MCP tools", page),
            query=(
                Query("tool", str, "of one tool"),
                Query("apiKeyId", str, "of one key"),
                Query("outcome", Outcome, "how they ended"),
                Query("success", bool, "whether they were answered"),
                Query("limit", count(1, PAGE_MAX), f"how many; {PAGE} unless said"),
                Query("offset", count(0, OFFSET_MAX), "so many of the newest are left out"),
                CURSOR,
            ),
        ),
        Row("GET", "/api/mcp/audit/stats", "read:usage", "Figures of MCP calls", stats),
        Row("GET", "/api/mcp/audit/chains", ADMIN, "Verify the record of MCP calls", chains),
    )


def tools_json() -> ToolsJson:
    """Give every tool of the table."""
    # With the first question: the table is read when somebody wants it.
    from omniroute.tools.shapes import input_schema  # noqa: PLC0415
    from omniroute.tools.table import TABLE  # noqa: PLC0415

    known = {one.name: one for one in DOCUMENTED}
    found = tuple(
        ToolJson(
            name=tool.name,
            description=tool.description,
            scopes=(tool.scope,),
            phase=known[tool.name].phase,
            audit_level="full",
            source_endpoints=known[tool.name].endpoints,
            title=tool.title,
            changes=tool.changes,
            input_schema=input_schema(tool.takes),
        )
        for tool in TABLE
    )
    return ToolsJson(len(found), sum(bool(one.source_endpoints) for one in found), found)


async def _stats(calls: ToolCalls, caller: Caller, now_unix_s: float) -> Stats:
    return await calls.stats(key_id=_owner(caller), since_unix_s=now_unix_s - STATS_S)


def _owner(caller: Caller) -> str | None:
    return None if ADMIN in caller.scopes else caller.key_id


def _wanted(request: Request, caller: Caller) -> Wanted:
    asked = request.query_params
    owner, key_id = _owner(caller), asked.get("apiKeyId") or None
    if owner is not None and key_id not in {None, owner}:
        require(caller, ADMIN)
    outcome, success = asked.get("outcome") or None, asked.get("success") or None
    if outcome is not None and outcome not in get_args(Outcome):
        raise BadRequest(f"outcome is one of {', '.join(get_args(Outcome))}", field="outcome")
    if success is not None and success not in _SUCCESS:
        raise BadRequest("success is true or false", field="success")
    return Wanted(
        tool=asked.get("tool") or None,
        key_id=owner or key_id,
        outcome=outcome,
        success=None if success is None else _SUCCESS[success],
        before=cursor_of(request, tuple[float, int]),
    )


def _call_json(stored: StoredCall) -> CallJson:
    call = stored.call
    success = None if call.outcome == "cancelled" else call.outcome == "answered"
    return CallJson(
        id=stored.number,
        tool_name=call.tool,
        input_hash=call.arguments_hash,
        output_summary=call.summary,
        duration_ms=call.duration_ms,
        api_key_id=call.key_id,
        success=success,
        error_code=call.error,
        created_at=iso(call.at_unix_s),
        request_id=call.call_id,
        outcome=call.outcome,
        arguments=call.arguments,
        era=call.era,
        transport=call.transport,
    )


def _top(stats: Stats) -> tuple[TopJson, ...]:
    return tuple(TopJson(tool, count) for tool, count in stats.top)


def _activity(found: Stats) -> ActivityJson:
    return ActivityJson(
        total_calls_24h=found.calls,
        success_rate=found.success_rate,
        avg_duration_ms=found.duration_ms,
        top_tools=_top(found),
        last_call_at=None if found.last is None else iso(found.last.at_unix_s),
        last_call_tool=None if found.last is None else found.last.tool,
    )


def _running(parts: Parts) -> Running | None:
    running = read_running(parts.settings.data_dir)
    return running if running is not None and process_lives(running.pid) else None


def _heartbeat(running: Running, beat_unix_s: float | None, now_unix_s: float) -> HeartbeatJson:
    age_ms = None if beat_unix_s is None else round((now_unix_s - beat_unix_s) * 1000)
    return HeartbeatJson(
        pid=running.pid,
        started_at=iso(running.started_unix_s),
        last_heartbeat_at=None if beat_unix_s is None else iso(beat_unix_s),
        version=running.version,
        transport=HTTP,
        scopes_enforced=True,
        allowed_scopes=SCOPES,
        tool_count=tools_json().total,
        pid_alive=True,
        heartbeat_age_ms=age_ms,
        uptime_ms=round((now_unix_s - running.started_unix_s) * 1000),
    )


def _http(
    running: Running | None, now_unix_s: float, paths: Sequence[str], url: str
) -> HttpTransportJson:
    return HttpTransportJson(
        online=running is not None,
        transport=HTTP,
        started_at=None if running is None else iso(running.started_unix_s),
        uptime=None if running is None else int(now_unix_s - running.started_unix_s),
        paths=tuple(paths),
        url=url,
    )
