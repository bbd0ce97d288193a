"""MCP: how clients connect, the tools with who may call them, the calls, and one tried out."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import orjson

from omniroute.routing.access import ADMIN, expand_scopes
from omniroute.routing.errors import BadRequest, NotFound
from omniroute.tools.audit import Outcome

from ...management_keys import KeyJson
from ...mcp_json import McpStatusJson, StatsJson, ToolJson, ToolsJson
from ..asking import Asked, Doors, Told
from ..visits import Fields, Menu, PageRow, Shown, Visit

PAGE = "/dashboard/mcp"
ONE = f"{PAGE}/{{tool}}"
SEES = ("read:health",)
USAGE = "read:usage"
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
CALLS = 25
KEYS_SHOWN = 3
ANSWER_CHARS_MAX = 16_000
FILTERS = ("tool", "outcome", "apiKeyId")
VERSION = "2026-07-28"
"""The revision of the protocol that is spoken here: it needs no session."""
_META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
}
_FLAGS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a tool, as a form has it.

    Attributes:
        field: its name in the form.
        kind: text, number, choice, flag, or json for what has parts.
    """

    name: str
    field: str
    kind: str
    required: bool
    about: str
    options: tuple[str, ...] = ()
    default: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call gave: its JSON, and whether that is a result."""

    good: bool
    text: str


def rows() -> tuple[PageRow, ...]:
    """Give the routes of what is read."""
    return (
        PageRow("GET", PAGE, SEES, show_all, menu=Menu("mcp", "wrench-screwdriver")),
        PageRow("GET", ONE, SEES, show_one),
    )


async def show_all(visit: Visit) -> Shown:
    """Show how to connect, the tools and their calls."""
    status: McpStatusJson = await visit.get("/api/mcp/status")
    tools = await _tools(visit)
    told = {name: one for name in FILTERS if (one := visit.query.text(name))}
    asked = {**told, "limit": CALLS, "cursor": visit.query.text("cursor") or None}
    sees_calls, admin = visit.may(USAGE), visit.may(ADMIN)
    called = await visit.call("GET", "/api/mcp/audit", query=asked) if sees_calls else None
    stats: StatsJson | None = await visit.get("/api/mcp/audit/stats") if sees_calls else None
    keys: tuple[KeyJson, ...] = (await visit.get("/api/keys")).keys if admin else ()
    return Shown(
        "mcp.html",
        {
            "status": status,
            "urls": [status.http_transport.url + one for one in status.http_transport.paths],
            "tools": tools,
            "may_call": {one.name: _may_call(one, keys) for one in tools} if admin else None,
            "keys_shown": KEYS_SHOWN,
            "names": {one.key_id: one.name for one in keys},
            "stats": stats,
            "counts": None if stats is None else _counts(stats, tools),
            "calls": None if called is None else called.value,
            "cursor": None if called is None else called.cursor,
            "outcomes": OUTCOMES,
            "told": told,
        },
    )


async def show_one(visit: Visit) -> Shown:
    """Show one tool, with a form made of its arguments."""
    return await _one(visit, None)


@dataclass(frozen=True, slots=True)
class Trying:
    """Calls a tool through the MCP door, with the caller of the page."""

    doors: Doors

    def rows(self) -> tuple[PageRow, ...]:
        """Give the routes."""
        return (PageRow("POST", ONE, SEES, self.call, again=show_one),)

    async def call(self, visit: Visit) -> Shown:
        """Call one tool, and show what it gave."""
        tool = await _tool(visit)
        asked = _asked(tool.name, _said(visit.fields, _arguments(tool)))
        return await _one(visit, _answer(await self.doors.whole(asked, visit.caller)))


async def _one(visit: Visit, answer: Answer | None) -> Shown:
    tool = await _tool(visit)
    return Shown(
        "mcp_tool.html",
        {
            "tool": tool,
            "arguments": _arguments(tool),
            "may_call": all(map(visit.may, tool.scopes)),
            "answer": answer,
            "schema": _pretty(tool.input_schema),
            "sees_calls": visit.may(USAGE),
        },
    )


async def _tools(visit: Visit) -> tuple[ToolJson, ...]:
    listed: ToolsJson = await visit.get("/api/mcp/tools")
    return listed.tools


async def _tool(visit: Visit) -> ToolJson:
    name = visit.part("tool")
    found = next((one for one in await _tools(visit) if one.name == name), None)
    if found is None:
        raise NotFound(f"no tool is called {name[:80]!r}")
    return found


def _may_call(tool: ToolJson, keys: Iterable[KeyJson]) -> list[KeyJson]:
    now_unix_s, needed = time.time(), frozenset(tool.scopes)
    return [
        one
        for one in keys
        if one.enabled
        and (one.expires_unix_s is None or one.expires_unix_s > now_unix_s)
        and (ADMIN in (scopes := expand_scopes(one.scopes)) or needed <= scopes)
    ]


def _counts(stats: StatsJson, tools: Iterable[ToolJson]) -> dict[str, int | None]:
    """Give how often each tool was called; None where only those called most are known."""
    told = {one.tool: one.count for one in stats.top_tools}
    rest = 0 if sum(told.values()) == stats.total_calls else None
    return {one.name: told.get(one.name, rest) for one in tools}


def _arguments(tool: ToolJson) -> tuple[Argument, ...]:
    """Give a tool's arguments, those first that it cannot do without."""
    needed = tool.input_schema.get("required", ())
    parts: Mapping[str, Any] = tool.input_schema["properties"]
    found = [_argument(name, part, required=name in needed) for name, part in parts.items()]
    return tuple(sorted(found, key=lambda one: not one.required))


def _argument(name: str, part: Mapping[str, Any], *, required: bool) -> Argument:
    options = tuple(str(one) for one in part.get("enum", ()))
    kinds = {"boolean": "flag", "number": "number", "integer": "number", "string": "text"}
    default = part.get("default", "")
    return Argument(
        name=name,
        field=f"arg_{name}",
        kind="choice" if options else kinds.get(part.get("type", ""), "json"),
        required=required,
        about=part.get("description", ""),
        options=options or tuple(_FLAGS),
        default=str(default).lower() if isinstance(default, bool) else str(default),
    )


def _said(fields: Fields, arguments: Iterable[Argument]) -> dict[str, object]:
    """Give the arguments that a form has; what was left empty is left out.

    Raises:
        BadRequest: one is not of its kind. What else is wrong, the tool says.
    """
    return {
        one.name: _value(fields, one) for one in arguments if fields.text(one.field) or one.required
    }


def _value(fields: Fields, argument: Argument) -> object:
    text = fields.text(argument.field)
    match argument.kind:
        case "number":
            number = fields.number(argument.field)
            if number is None:
                raise BadRequest(f"{argument.name} is needed", field=argument.field)
            return int(number) if number == int(number) else number
        case "flag" if text in _FLAGS:
            return _FLAGS[text]
        case "json":
            try:
                return orjson.loads(text)
            except orjson.JSONDecodeError:
                raise BadRequest(f"{argument.name} is no JSON", field=argument.field) from None
        case _:
            return text


def _asked(tool: str, arguments: Mapping[str, object]) -> Asked:
    params = {"name": tool, "arguments": arguments, "_meta": _META}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    named = {"mcp-protocol-version": VERSION, "mcp-method": "tools/call", "mcp-name": tool}
    accept = "application/json, text/event-stream"
    return Asked("/mcp", orjson.dumps(body), (), accept=accept, named=named)


def _answer(told: Told) -> Answer:
    """Give what a call gave: the structured content where there is some, else all of it."""
    body = told.body
    if told.headers.get("content-type", "").startswith("text/event-stream"):
        lines = [line[5:] for line in body.splitlines() if line.startswith(b"data:")]
        body = lines[-1] if lines else b""
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Answer(good=False, text=body.decode("utf-8", "replace"))
    result = message.get("result") if isinstance(message, dict) else None
    if not isinstance(result, dict):
        return Answer(good=False, text=_pretty(message))
    shown = result.get("structuredContent") or result.get("content") or result
    return Answer(good=not result.get("isError"), text=_pretty(shown))


def _pretty(value: object) -> str:
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    return text if len(text) <= ANSWER_CHARS_MAX else f"{text[:ANSWER_CHARS_MAX]}…"
