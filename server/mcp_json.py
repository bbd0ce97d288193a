"""What `/api/mcp/*` gives, in the shapes that OmniRoute documents; further fields are ours.

Source: OmniRoute's reference, sections 1.1 and 1.5 (version 2.3.10).
"""

from collections.abc import Mapping
from typing import Any

import msgspec


class Shape(msgspec.Struct, frozen=True, rename="camel"):
    """Base of these shapes: what is not known is null."""


class CallJson(Shape, frozen=True):
    """One call of a tool.

    Attributes:
        id: counts the calls that this database keeps.
        success: None of a cancelled call, which neither succeeded nor failed.
        outcome: answered, failed, refused or cancelled.
        arguments: redacted JSON; null unless the setting mcp_audit_arguments is on.
        era: the version of the protocol that was spoken.
    """

    id: int
    tool_name: str
    input_hash: str | None
    output_summary: str | None
    duration_ms: int
    api_key_id: str
    success: bool | None
    error_code: str | None
    created_at: str
    request_id: str
    outcome: str
    arguments: str | None
    era: str | None
    transport: str


class CallsJson(Shape, frozen=True):
    """One page of calls, the newest first, and how many there are in all."""

    entries: tuple[CallJson, ...]
    total: int
    limit: int
    offset: int


class TopJson(Shape, frozen=True):
    """How often a tool was called."""

    tool: str
    count: int


class StatsJson(Shape, frozen=True):
    """Figures of the last 24 hours.

    Attributes:
        success_rate: 0 to 1, of the calls that were not cancelled; null where there is none.
        avg_duration_ms: of the same.
    """

    total_calls: int
    success_rate: float | None
    avg_duration_ms: float | None
    top_tools: tuple[TopJson, ...]
    answered: int
    failed: int
    refused: int
    cancelled: int


class ToolJson(Shape, frozen=True):
    """One tool.

    Attributes:
        phase: 1 for the essential tools, 2 for the advanced ones.
        audit_level: full: every call is recorded, with a summary of its result.
        source_endpoints: of the management API and /v1, which do or show the same.
        changes: it does more than read: it calls a provider, or changes a setting.
        input_schema: of its arguments, as MCP clients are shown it.
    """

    name: str
    description: str
    scopes: tuple[str, ...]
    phase: int
    audit_level: str
    source_endpoints: tuple[str, ...]
    title: str
    changes: bool
    input_schema: Mapping[str, Any]


class ToolsJson(Shape, frozen=True):
    """Every tool. `mapped_total` counts those with source endpoints."""

    total: int
    mapped_total: int
    tools: tuple[ToolJson, ...]


class HeartbeatJson(Shape, frozen=True):
    """The process that serves MCP, and when it last said that it lives."""

    pid: int
    started_at: str
    last_heartbeat_at: str | None
    version: str
    transport: str
    scopes_enforced: bool
    allowed_scopes: tuple[str, ...]
    tool_count: int
    pid_alive: bool
    heartbeat_age_ms: int | None
    uptime_ms: int


class HttpTransportJson(Shape, frozen=True):
    """MCP over streamable HTTP; the times are null where no gateway listens.

    Attributes:
        url: of the gateway, as clients reach it; the paths are below it.
    """

    online: bool
    transport: str
    started_at: str | None
    uptime: int | None
    paths: tuple[str, ...]
    url: str


class ActivityJson(Shape, frozen=True):
    """What was called in the last 24 hours, and last of all."""

    total_calls_24h: int = msgspec.field(name="totalCalls24h")
    success_rate: float | None
    avg_duration_ms: float | None
    top_tools: tuple[TopJson, ...]
    last_call_at: str | None
    last_call_tool: str | None


class AuditStateJson(Shape, frozen=True):
    """How the record of calls is: what waits to be stored, and what could not be kept."""

    keeps_arguments: bool
    waiting: int
    given_up: int


class McpStatusJson(Shape, frozen=True):
    """How the MCP server is.

    Attributes:
        status: online while a gateway runs on the data folder, else offline: then
            `omniroute --mcp` starts one.
        transport: stdio clients come through the relay, which speaks streamable HTTP, too.
        heartbeat_path: the file that names the running gateway.
        uptime: of `http_transport`, in seconds.
    """

    status: str
    online: bool
    enabled: bool
    transport: str
    heartbeat_path: str
    heartbeat: HeartbeatJson | None
    http_transport: HttpTransportJson
    activity: ActivityJson
    audit: AuditStateJson
