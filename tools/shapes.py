"""From a struct to the JSON Schema that MCP clients are shown.

Every tool's arguments and result are msgspec structs: one definition gives the typed value,
the schema that is listed and the schema that is checked. msgspec's own schema is made simpler
here, because clients differ in how much of JSON Schema they read: no references, no titles,
no descriptions of classes, every enumeration with its type, and in arguments no `null`.
"""

from typing import Any, TypeAlias

import msgspec

Schema: TypeAlias = dict[str, Any]


class Arguments(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Base of what a tool takes. An optional argument that is not given is its default."""


class Result(msgspec.Struct, frozen=True, rename="camel"):
    """Base of what a tool gives. No field has a default: all are there, unknown ones as null."""


def input_schema(arguments: type[Arguments]) -> Schema:
    """Give the schema of a tool's arguments: an object that allows no unknown field."""
    return _simple(arguments, nullable=False)


def output_schema(result: type[Result]) -> Schema:
    """Give the schema of a tool's result: an object that may get further fields later."""
    return _simple(result, nullable=True)


def _simple(type_: type[msgspec.Struct], *, nullable: bool) -> Schema:
    (top,), parts = msgspec.json.schema_components((type_,), ref_template="{name}")
    schema: Schema = _inlined(top, parts, nullable=nullable)
    return schema


def _inlined(node: Any, parts: Schema, *, nullable: bool) -> Any:
    """Give a schema node with what it refers to in its place."""
    if isinstance(node, list):
        return [_inlined(one, parts, nullable=nullable) for one in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        # The referred struct's docstring is for us; the field's own description is for clients.
        referred = {key: value for key, value in parts[node["$ref"]].items() if key != "title"}
        referred.pop("description", None)
        own = {key: value for key, value in node.items() if key != "$ref"}
        return _inlined({**referred, **own}, parts, nullable=nullable)
    found = {
        key: _member(key, value, parts, nullable=nullable)
        for key, value in node.items()
        # Older drafts of JSON Schema do not allow the empty list.
        if (key, value) != ("required", [])
    }
    if "enum" in found and all(isinstance(one, str) for one in found["enum"]):
        found = {"type": "string", **found}
    return found if nullable else _without_null(found)


def _member(key: str, value: Any, parts: Schema, *, nullable: bool) -> Any:
    """Give one keyword's value; the names inside `properties` are no keywords."""
    if key == "properties":
        return {name: _inlined(one, parts, nullable=nullable) for name, one in value.items()}
    return _inlined(value, parts, nullable=nullable)


def _without_null(node: Schema) -> Schema:
    """Give an argument's schema without the null that stands for "not given"."""
    if node.get("default", ...) is None:
        node = {key: value for key, value in node.items() if key != "default"}
    choices = [one for one in node.get("anyOf", ()) if one != {"type": "null"}]
    if len(choices) == 1:
        rest = {key: value for key, value in node.items() if key != "anyOf"}
        return {**choices[0], **rest}
    if None in node.get("enum", ()):
        return {"type": "string", **node, "enum": [one for one in node["enum"] if one is not None]}
    return node
