"""`omniroute mcp`: the tools, how the MCP server is, and the record of its calls."""

from argparse import Namespace
from urllib.parse import urlencode

from ..audits import ChainsJson
from ..mcp_json import CallJson, CallsJson, McpStatusJson, StatsJson, ToolsJson
from ..settings import Settings, Sources
from .audit import VERIFY_S_MAX, broken
from .client import call, decoded, with_gateway
from .exits import FAILED, OK
from .output import NOTHING, duration, fields, listed, show, show_json, table

CALL_HEADINGS = ("WHEN", "TOOL", "OUTCOME", "TOOK", "KEY", "ERA", "OVER", "WHAT CAME OF IT")
TOOL_HEADINGS = ("TOOL", "SCOPE", "WHAT IT DOES")


def status(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Say where MCP is served, and what was called last."""
    with with_gateway(settings, sources) as gateway:
        found = decoded(call(gateway, "GET", "/api/mcp/status"), McpStatusJson)
    if arguments.json:
        show_json(found)
    else:
        show(status_page(found))
    return OK


def tools(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """List the tools."""
    with with_gateway(settings, sources) as gateway:
        found = decoded(call(gateway, "GET", "/api/mcp/tools"), ToolsJson)
    if arguments.json:
        show_json(found)
        return OK
    rows = [
        (one.name, listed(one.scopes), one.description.partition(". ")[0].rstrip("."))
        for one in found.tools
    ]
    show(table(TOOL_HEADINGS, rows))
    return OK


def audit(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """List calls of tools, the newest first."""
    terms = {
        "tool": arguments.tool,
        "apiKeyId": arguments.key,
        "outcome": arguments.outcome,
        "limit": arguments.limit,
        "offset": arguments.offset,
    }
    query = urlencode({name: value for name, value in terms.items() if value})
    with with_gateway(settings, sources) as gateway:
        found = decoded(call(gateway, "GET", f"/api/mcp/audit?{query}"), CallsJson)
    if arguments.json:
        show_json(found)
    else:
        show(calls_page(found))
    return OK


def stats(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Show figures of the last 24 hours."""
    with with_gateway(settings, sources) as gateway:
        found = decoded(call(gateway, "GET", "/api/mcp/audit/stats"), StatsJson)
    if arguments.json:
        show_json(found)
    else:
        show(stats_page(found))
    return OK


def verify(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Verify the record of calls; the status is 1 if it was tampered with."""
    with with_gateway(settings, sources) as gateway:
        data = call(gateway, "GET", "/api/mcp/audit/chains", timeout_s=VERIFY_S_MAX)
    found = decoded(data, ChainsJson)
    if arguments.json:
        show_json(found)
    else:
        verified = f"{found.rows:,} calls in {found.chains:,} chains verified"
        words = f"{verified}, {len(found.broken):,} broken"
        show("\n\n".join([words, *broken(found)]))
    return FAILED if found.broken else OK


def status_page(found: McpStatusJson) -> str:
    """Give how the MCP server is as text."""
    http, activity, kept = found.http_transport, found.activity, found.audit
    last = NOTHING
    if activity.last_call_at is not None:
        last = f"{activity.last_call_tool} at {activity.last_call_at}"
    up = "no gateway runs; `omniroute --mcp` starts one"
    if http.uptime is not None:
        up = f"online for {duration(http.uptime)}"
    rows = [
        ("MCP", up),
        ("over HTTP", listed(http.paths)),
        ("over stdio", "omniroute --mcp"),
        ("calls of 24 hours", f"{activity.total_calls_24h:,}"),
        ("answered", _percent(activity.success_rate)),
        ("last call", last),
        ("arguments", "kept, redacted" if kept.keeps_arguments else "kept as a hash"),
    ]
    if kept.given_up:
        rows.append(("calls that could not be kept", f"{kept.given_up:,}"))
    return fields(rows)


def calls_page(found: CallsJson) -> str:
    """Give a page of calls as text."""
    if not found.entries:
        return "No call of a tool is on record, or none that is like this."
    lines = [table(CALL_HEADINGS, [_row(one) for one in found.entries], right=("TOOK",))]
    shown = found.offset + len(found.entries)
    if shown < found.total:
        lines.append(f"{found.total - shown:,} older ones: --offset {shown}")
    return "\n\n".join(lines)


def stats_page(found: StatsJson) -> str:
    """Give figures as text."""
    mean = NOTHING if found.avg_duration_ms is None else duration(found.avg_duration_ms / 1000)
    parts = [
        fields(
            (
                ("calls of 24 hours", f"{found.total_calls:,}"),
                ("answered", f"{found.answered:,} ({_percent(found.success_rate)})"),
                ("failed", f"{found.failed:,}"),
                ("refused", f"{found.refused:,}"),
                ("cancelled", f"{found.cancelled:,}"),
                ("mean time", mean),
            )
        )
    ]
    if found.top_tools:
        rows = [(one.tool, f"{one.count:,}") for one in found.top_tools]
        parts.append(table(("TOOL", "CALLS"), rows, right=("CALLS",)))
    return "\n\n".join(parts)


def _row(one: CallJson) -> tuple[str, ...]:
    words = one.error_code or one.output_summary or NOTHING
    took = duration(one.duration_ms / 1000)
    era, over = one.era or NOTHING, one.transport
    return one.created_at, one.tool_name, one.outcome, took, one.api_key_id, era, over, words


def _percent(part: float | None) -> str:
    return NOTHING if part is None else f"{part * 100:.1f} %"
