"""The tools of a Responses request, and the calls of a model's answer as its client knows them.

A model of another dialect sees functions alone (wire/plain). `asked_tools` finds the client's
own tool by the name of a called function, and `call_item` gives the item that its client waits
for: a function's call, a custom tool's, or that of a tool which OpenAI defines and the client
runs (CLIENT_TOOLS). Tools come in `tools`, and among the input: in `additional_tools` items, and
as what a search has found.

Source: OpenAI API reference, "Create a model response", tools and items, and its Python library
3.54 for their fields, read 2026-11.
"""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from ...conversation import Json, Tool
from ...errors import BadRequest
from ...model import Dialect
from ..fields import Fields, body_fields
from ..parts import kept, own
from ..plain import by_flat_name, free_text

DIALECT: Dialect = "openai_responses"

NAMESPACE = "namespace"
"""In the rest of a function or custom tool: what is said of the group that it belongs to."""

# Items of the input that bring tools.
TOOL_ITEMS = ("additional_tools", "tool_search_output")


class ClientTool(Struct, frozen=True):
    """A tool that OpenAI defines and its client runs.

    Attributes:
        kind: the type in `tools`, and the name of its function.
        call: the type of an item that calls it.
        output: the type of an item with its result.
        holds: the field of a call that holds its arguments.
        description: what its function says, where the client says nothing.
        parameters: of its function, where the client gives none.
        item: further fields of a call.
        fixed: fields that `holds` has beside the arguments.
    """

    kind: str
    call: str
    output: str
    holds: str
    description: str
    parameters: Json
    item: Json = {}
    fixed: Json = {}


def _object(required: list[str], **properties: object) -> Json:
    return {"type": "object", "properties": properties, "required": required}


_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_COUNT = {"type": "integer"}

CLIENT_TOOLS = (
    ClientTool(
        "tool_search",
        call="tool_search_call",
        output="tool_search_output",
        holds="arguments",
        description="Finds tools by what they do; those found can be called from then on.",
        parameters=_object(["query"], query=_TEXT, limit=_COUNT),
        item={"execution": "client"},
    ),
    ClientTool(
        "local_shell",
        call="local_shell_call",
        output="local_shell_call_output",
        holds="action",
        description="Runs a command on the user's machine and gives what it printed.",
        parameters=_object(["command"], command=_TEXTS, working_directory=_TEXT, timeout_ms=_COUNT),
        fixed={"type": "exec", "env": {}},
    ),
    ClientTool(
        "shell",
        call="shell_call",
        output="shell_call_output",
        holds="action",
        description="Runs commands in a shell on the user's machine and gives what they printed.",
        parameters=_object(
            ["commands"], commands=_TEXTS, timeout_ms=_COUNT, max_output_length=_COUNT
        ),
    ),
    ClientTool(
        "apply_patch",
        call="apply_patch_call",
        output="apply_patch_call_output",
        holds="operation",
        description=(
            "Creates, updates or deletes a file. `diff` is a V4A diff, and left out to delete."
        ),
        parameters=_object(
            ["type", "path"],
            type={"type": "string", "enum": ["create_file", "update_file", "delete_file"]},
            path=_TEXT,
            diff=_TEXT,
        ),
    ),
)
_BY_KIND = {one.kind: one for one in CLIENT_TOOLS}
CLIENT_TOOL_BY_CALL = {one.call: one for one in CLIENT_TOOLS}
CLIENT_TOOL_BY_OUTPUT = {one.output: one for one in CLIENT_TOOLS}


def asked_tools(asked: bytes) -> Mapping[str, Tool]:
    """Give the client's tools by the names that a model of another dialect calls them by.

    Args:
        asked: the client's own body (`Head.asked`).
    """
    try:
        fields = body_fields(asked)
        brought = [
            tool
            for item in (fields.items("input") if isinstance(fields.value("input"), list) else ())
            if item.value("type") in TOOL_ITEMS
            for tool in read_tools(item)
        ]
        return by_flat_name(merged(read_tools(fields), brought))
    except (BadRequest, RecursionError):  # then it was refused long before there was an answer
        return {}


def call_item(tool: Tool | None, *, name: str, call_id: str, arguments: str) -> dict[str, object]:
    """Give the item of a call as the client knows the tool; a function's where it is unknown.

    Args:
        tool: of `asked_tools`.
        name: the function that the model has called.
        call_id: names the call.
        arguments: the JSON that the model wrote.
    """
    client_tool = None if tool is None else client_tool_of(tool)
    if client_tool is not None:
        return client_call_item(client_tool, call_id=call_id, arguments=arguments)
    item: dict[str, object] = {"call_id": call_id, "name": name if tool is None else tool.name}
    if tool is not None and tool.namespace:
        item["namespace"] = tool.namespace
    if tool is not None and tool.kind == "custom":
        return {"type": "custom_tool_call", **item, "input": free_text(arguments)}
    return {"type": "function_call", **item, "arguments": arguments}


def client_call_item(client_tool: ClientTool, *, call_id: str, arguments: str) -> dict[str, object]:
    """Give the item of a call of a tool that OpenAI defines and the client runs."""
    try:
        given = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        given = {}
    values = given if isinstance(given, dict) else {}
    return {
        "type": client_tool.call,
        "call_id": call_id,
        **client_tool.item,
        client_tool.holds: {**client_tool.fixed, **values},
    }


def client_tool_of(tool: Tool) -> ClientTool | None:
    """Give the row of a tool that OpenAI defines and its client runs, None for all others."""
    kind = own(tool.rest, DIALECT).get("type") if tool.parameters else None
    return _BY_KIND.get(kind) if isinstance(kind, str) else None


def merged(tools: Iterable[Tool], brought: Iterable[Tool]) -> tuple[Tool, ...]:
    """Give the tools with those that the input brought; what comes later replaces."""
    latest = {(tool.namespace, tool.name): tool for tool in brought}
    kept_ones = (tool for tool in tools if (tool.namespace, tool.name) not in latest)
    return (*kept_ones, *latest.values())


def read_tools(fields: Fields) -> tuple[Tool, ...]:
    """Give the tools of an object's `tools`, those of its namespaces among them.

    Raises:
        BadRequest: one is not valid; names the field.
    """
    return tuple(tool for item in fields.items("tools") for tool in _tools(item))


def _tools(fields: Fields) -> Iterable[Tool]:
    if fields.text("type") != "namespace":
        yield _tool(fields, None)
        return
    name = fields.text("name")
    if not name:
        raise fields.wrong("name", "the name of a group of tools")
    description = fields.text_or_none("description")
    for item in fields.items("tools"):
        yield _tool(item, name, {"description": description} if description else {})


def _tool(fields: Fields, namespace: str | None, about: Json | None = None) -> Tool:
    kind = fields.text("type")
    if kind not in ("function", "custom"):
        return _vendors_own(fields, kind)
    name = fields.text("name")
    description = fields.text_or_none("description") or ""
    parameters: dict[str, object] = {}
    grammar: dict[str, object] | None = None
    if kind == "function":
        parameters = fields.mapping("parameters")
    else:
        grammar = _grammar(fields.child_or_none("format"))
    rest = fields.rest()
    if about:
        rest[NAMESPACE] = about
    return Tool(
        name,
        description,
        parameters,
        kept(DIALECT, rest),
        kind="custom" if kind == "custom" else "function",
        grammar=grammar,
        namespace=namespace,
    )


def _grammar(fields: Fields | None) -> dict[str, object] | None:
    if fields is None or fields.text("type") == "text":
        return None
    if fields.text("type") != "grammar":
        raise fields.unknown("type", ("text", "grammar"))
    return {"syntax": fields.text("syntax"), "definition": fields.text("definition")}


def _vendors_own(fields: Fields, kind: str) -> Tool:
    block = fields.values
    client_tool = _BY_KIND.get(kind)
    if client_tool is None or not _is_run_by_client(fields, kind):
        return Tool(fields.text_or_none("name") or kind, rest={DIALECT: block})
    description = fields.text_or_none("description") or client_tool.description
    return Tool(
        kind, description, fields.mapping("parameters") or client_tool.parameters, {DIALECT: block}
    )


def _is_run_by_client(fields: Fields, kind: str) -> bool:
    if kind == "tool_search":
        return fields.value("execution") == "client"
    environment = fields.child_or_none("environment")
    return environment is None or environment.value("type") == "local"
