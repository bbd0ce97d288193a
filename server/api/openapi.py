"""The OpenAPI document, made from the tables of routes.

Every row of the management API is described whole: its parameters, the schema of its body and
of its good answer, how it refuses, what a key needs for it, and the headers by which an edit is
bound to what was seen. Schemas are made of the types that the routes themselves read and give.
What is answered beside the management API is in openapi_doors.py.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from starlette.responses import Response

from ..rights import Needs
from .openapi_doors import DOORS, Doors, needs_of
from .pages import CURSOR
from .rows import Lines, LinesResponse, Row

COMPONENTS = "#/components/schemas/"
REF = COMPONENTS + "{name}"
JSON = "application/json"
PATCH = "Patch"
"""Ends the name of the schema of a merge patch."""
DESCRIPTION = """One gateway for agents and people: MCP, A2A and /v1 over one engine.

Where keys are needed, a key must carry the scope that is named with its security, or `admin`; \
`x-omniroute-scope` says the same. A gateway that is bound to this machine alone and has no key \
lets in whoever is at the machine."""
REFUSALS = {
    "400": "The request is not right; `param` names the field, the parameter or the header.",
    "401": "No key, or one that is not this gateway's.",
    "403": "The key lacks the scope, or may not change this.",
    "404": "It is not there, or is another key's.",
    "409": "It is there already, another thing needs it, or others change it at this moment.",
    "412": "It is not as If-Match or If-None-Match says.",
    "413": "The body is too large.",
    "503": "The database does not answer.",
}
ERROR: Mapping[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": "string"},
            },
        }
    },
}
IF_MATCH = {
    "name": "if-match",
    "in": "header",
    "description": "the ETag of what was seen: it is changed only if it is still that",
    "schema": {"type": "string", "pattern": r'^(\*|"[!#-~]*"(, ?"[!#-~]*")*)$'},
}
IF_NONE_MATCH = {
    "name": "if-none-match",
    "in": "header",
    "description": "* makes it only if it is not there",
    "schema": {"type": "string", "enum": ["*"]},
}
LINK = {"description": "where there is more: the next page", "schema": {"type": "string"}}
TAG = {"description": "of what is shown; for If-Match", "schema": {"type": "string"}}


class Types:
    """The schemas of all types of a table, made together: two of one name get longer ones."""

    def __init__(self, rows: Sequence[Row]) -> None:
        kinds = [
            kind
            for row in rows
            for kind in (row.body, row.answer, *(query.kind for query in row.parameters))
            if _has_schema(kind)
        ]
        schemas, self.components = msgspec.json.schema_components(kinds, ref_template=REF)
        self._schemas = tuple(zip(kinds, schemas, strict=True))

    def schema(self, kind: Any) -> dict[str, Any]:
        """Give the schema of one of them."""
        return next(schema for known, schema in self._schemas if known == kind)


def document(rows: Sequence[Row], *, version: str) -> dict[str, Any]:
    """Give the OpenAPI 3.1 document."""
    paths: dict[str, dict[str, Any]] = {}
    types = Types(rows)
    for row in rows:
        path = row.path.replace(":path}", "}")
        paths.setdefault(path, {})[row.method.lower()] = _operation_of(row, path, types)
    for one in DOORS:
        for path in one.paths:
            paths.setdefault(path, {})[one.method] = _operation_of_door(one, path)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "OmniRoute",
            "version": version,
            "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "tags": [{"name": name} for name in sorted({_tag(path) for path in paths})],
        "paths": paths,
        "components": {
            "schemas": _components(rows, types),
            "responses": {
                _name_of(status): {
                    "description": words,
                    "content": {JSON: {"schema": {"$ref": f"{COMPONENTS}Error"}}},
                }
                for status, words in {**REFUSALS, "default": "An error."}.items()
            },
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation_of(row: Row, path: str, types: Types) -> dict[str, Any]:
    operation = _operation(row.method, path, row.summary, (row.scope,))
    operation["x-omniroute-scope"] = row.scope
    operation["parameters"] += [
        {
            "name": query.name,
            "in": "query",
            "description": query.summary,
            "schema": types.schema(query.kind),
        }
        for query in row.parameters
    ]
    edits = row.thing is not None and row.method != "GET"
    if edits:
        operation["parameters"] += [IF_MATCH] + [IF_NONE_MATCH] * (row.method == "PUT")
    if row.body is not None:
        schema = types.schema(row.body)
        if row.merges:
            schema = {"$ref": schema["$ref"] + PATCH}
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": schema}}}
    operation["responses"] = {
        str(row.status): _good(row, types),
        **_refusals(row, path, edits=edits),
    }
    return operation


def _good(row: Row, types: Types) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "done"}
    if row.is_tagged:
        good["headers"] = {"etag": TAG}
    if any(one.name == CURSOR.name for one in row.parameters):
        good.setdefault("headers", {})["link"] = LINK
    if row.answer is Lines:
        good["content"] = {LinesResponse.media_type: {}}
    elif _has_schema(row.answer):
        good["content"] = {JSON: {"schema": types.schema(row.answer)}}
    return good


def _refusals(row: Row, path: str, *, edits: bool) -> dict[str, Any]:
    writes = row.method != "GET"
    found = {
        "400": True,
        "401": True,
        "403": True,
        "404": "{" in path or row.body is not None,
        "409": writes,
        "412": edits,
        "413": row.body is not None,
        "503": True,
    }
    told = [status for status, is_there in found.items() if is_there]
    return {one: {"$ref": f"#/components/responses/{_name_of(one)}"} for one in (*told, "default")}


def _operation_of_door(one: Doors, path: str) -> dict[str, Any]:
    operation = _operation(one.method, path, one.summary, needs_of(one, one.method, path))
    if one.body is not None:
        content = {one.media_type: {"schema": one.body}}
        operation["requestBody"] = {"required": True, "content": content}
    # How it refuses is said in its vendor's own words: docs/errors.md.
    operation["responses"] = {
        "200": {"description": "done"},
        "default": {"description": "an error, in the words of this door's dialect"},
    }
    return operation


def _operation(method: str, path: str, summary: str, needs: Needs) -> dict[str, Any]:
    names = re.findall(r"\{(\w+)\}", path)
    return {
        "operationId": re.sub(r"\W+", "_", f"{method.lower()}{path}"),
        "summary": summary,
        "tags": [_tag(path)],
        "security": _security(needs),
        "parameters": [
            {
                "name": name,
                "in": "path",
                "required": True,
                "schema": {"type": "string", "minLength": 1},
            }
            for name in names
        ],
    }


def _security(needs: Needs) -> list[dict[str, list[str]]]:
    if needs is None:
        return []
    return [{"key": [scope]} for scope in needs] or [{"key": []}]


def _components(rows: Sequence[Row], types: Types) -> dict[str, Any]:
    found = types.components
    bodies = [row for row in rows if row.body is not None]
    for name in _reached([types.schema(row.body) for row in bodies], found):
        # A body with what nothing reads is refused; see bodies.py.
        if "properties" in found[name]:
            found[name]["additionalProperties"] = False
    patches = {
        name + PATCH: {**_patch(found[name]), "title": name + PATCH}
        for name in _reached([types.schema(row.body) for row in bodies if row.merges], found)
    }
    return dict(sorted({**found, **patches, "Error": ERROR}.items()))


def _patch(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Give the schema of a merge patch: nothing has to be there, and null takes away."""
    required = set(schema.get("required", ()))
    changed = {
        name: _with_patches(one) if name in required else {"anyOf": [_with_patches(one), _NULL]}
        for name, one in schema.get("properties", {}).items()
    }
    kept = {name: one for name, one in schema.items() if name not in {"required", "properties"}}
    return {**kept, "properties": changed}


_NULL = {"type": "null"}


def _with_patches(schema: Any) -> Any:
    """Give a schema whose objects may be patches, too; those in a list are whole."""
    if isinstance(schema, list):
        return [_with_patches(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: one + PATCH
        if name == "$ref"
        else one
        if name in {"items", "prefixItems", "default"}
        else _with_patches(one)
        for name, one in schema.items()
    }


def _reached(schemas: Iterable[Any], components: Mapping[str, Any]) -> list[str]:
    """Give the names of the components that schemas refer to, also through others."""
    found: dict[str, None] = {}
    left = list(schemas)
    while left:
        one = left.pop()
        if isinstance(one, Mapping):
            name = str(one.get("$ref", "")).removeprefix(COMPONENTS)
            if name in components and name not in found:
                found[name] = None
                left.append(components[name])
            left.extend(one.values())
        elif isinstance(one, list | tuple):
            left.extend(one)
    return list(found)


def _tag(path: str) -> str:
    first, _, rest = path.strip("/").partition("/")
    return rest.partition("/")[0] if first == "api" else first or "home"


def _name_of(status: str) -> str:
    return f"Refused{status}" if status.isdecimal() else "Error"


def _has_schema(kind: Any) -> bool:
    """Whether values of a type are JSON of one shape: no answer of its own, and not nothing."""
    if kind in (None, type(None), Lines):
        return False
    return not (isinstance(kind, type) and issubclass(kind, Response))
