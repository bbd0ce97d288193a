"""Gemini's tools and how they are chosen, read and written.

A choice among some functions leaves only those. `VALIDATED` is a choice of the model's with a
promise that the arguments fit, which other dialects have no word for.

Source: Gemini API reference, "Tool", "ToolConfig", read 2026-11.
"""

from collections.abc import Mapping, Sequence
from typing import assert_never

from ...conversation import Tool, ToolChoice
from ..dropped import Dropped
from ..fields import Fields
from ..parts import kept, own, require_function
from .media import DIALECT, camel
from .schemas import json_schema_of

_MODES = ("AUTO", "ANY", "NONE", "VALIDATED")
_UNSAID = "MODE_UNSPECIFIED"


def read_tools(fields: Fields) -> tuple[Tool, ...]:
    """Give the functions of all entries, and each tool of Google's own.

    Raises:
        BadRequest: a tool is not valid; names the field.
    """
    return tuple(tool for item in fields.items("tools") for tool in _entry(camel(item)))


def _entry(fields: Fields) -> list[Tool]:
    found: list[Tool] = []
    for item in fields.items("functionDeclarations"):
        declared = camel(item)
        name = declared.text("name")
        description = declared.text_or_none("description") or ""
        parameters = declared.mapping("parametersJsonSchema")
        if not parameters:
            parameters = json_schema_of(declared.mapping("parameters"))
        found.append(Tool(name, description, parameters, kept(DIALECT, declared.rest())))
    for kind, value in fields.rest().items():
        if value is not None:
            found.append(Tool(kind, rest={DIALECT: {"type": kind, "block": {kind: value}}}))
    return found


def read_choice(
    config: Fields | None, tools: tuple[Tool, ...]
) -> tuple[ToolChoice | None, tuple[Tool, ...], dict[str, object]]:
    """Give the choice, the tools it leaves, and what else is configured.

    Raises:
        BadRequest: it is not valid; names the field.
    """
    if config is None:
        return None, tools, {}
    config = camel(config)
    calling = config.child_or_none("functionCallingConfig")
    if calling is None:
        return None, tools, config.rest()
    calling = camel(calling)
    mode = (calling.text_or_none("mode") or _UNSAID).upper()
    names = calling.texts("allowedFunctionNames")
    left = tuple(tool for tool in tools if not names or tool.name in names)
    more = calling.rest()
    match mode:
        case "ANY" if len(names) == 1:
            choice, left = ToolChoice("named", name=names[0]), tools
        case "ANY":
            choice = ToolChoice("required")
        case "NONE":
            choice, left = ToolChoice("none"), tools
        case "AUTO" | "VALIDATED" | "MODE_UNSPECIFIED":
            choice = ToolChoice("auto")
            more |= {"mode": mode} if mode == "VALIDATED" else {}
        case _:
            raise calling.unknown("mode", _MODES)
    rest = {**config.rest(), "functionCallingConfig": more} if more else config.rest()
    return choice, left, rest


def write_tools(tools: Sequence[Tool], dropped: Dropped) -> list[dict[str, object]]:
    """Give the functions as one entry, and Google's own tools each as its own.

    Raises:
        BadRequest: a tool is another dialect's own.
    """
    declared: list[dict[str, object]] = []
    others: list[dict[str, object]] = []
    for tool in tools:
        rest = own(tool.rest, DIALECT)
        block = rest.get("block")
        if "type" in rest and isinstance(block, Mapping):
            others.append(dict(block))
            continue
        require_function(tool, DIALECT)
        dropped.note_tool(tool.rest, DIALECT)
        function: dict[str, object] = {"name": tool.name}
        if tool.description:
            function["description"] = tool.description
        if tool.parameters:
            function["parametersJsonSchema"] = tool.parameters
        declared.append({**rest, **function})
    return [{"functionDeclarations": declared}, *others] if declared else others


def write_choice(
    choice: ToolChoice | None, configured: object, dropped: Dropped
) -> dict[str, object]:
    """Give the toolConfig, empty where there is nothing to say."""
    config = dict(configured) if isinstance(configured, Mapping) else {}
    if choice is None:
        return config
    if choice.parallel is False:
        dropped.note("parallel")
    more = config.get("functionCallingConfig")
    more = more if isinstance(more, Mapping) else {}
    return {**config, "functionCallingConfig": {**_calling(choice), **more}}


def _calling(choice: ToolChoice) -> dict[str, object]:
    match choice.mode:
        case "auto":
            return {"mode": "AUTO"}
        case "none":
            return {"mode": "NONE"}
        case "required":
            return {"mode": "ANY"}
        case "named":
            return {"mode": "ANY", "allowedFunctionNames": [choice.name or ""]}
        case _:
            assert_never(choice.mode)
