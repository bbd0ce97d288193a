"""Schemas of Google's own kind as JSON Schema.

They differ in their type names (`STRING`), in `nullable`, and in that bounds may be written as
strings, as ProtoJSON writes 64-bit numbers. A property may be named like a keyword, so only the
places where schemas stand are followed. JSON Schemas go to Gemini whole: it takes them as they are.

Source: Gemini API reference, "Schema", and "Structured outputs", read 2026-11; numbers: ProtoJSON.
"""

from collections.abc import Mapping

from .media import camel_name

_UNSAID = "TYPE_UNSPECIFIED"
_NAMED = ("properties", "defs", "$defs", "patternProperties")
_LISTED = ("anyOf", "allOf", "oneOf", "prefixItems")
_SINGLE = ("items", "additionalProperties", "not")
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")


def json_schema_of(schema: Mapping[str, object]) -> dict[str, object]:
    """Give a schema of Google's own kind as JSON Schema."""
    found: dict[str, object] = {camel_name(name): value for name, value in schema.items()}
    kind = found.pop("type", None)
    nullable = found.pop("nullable", None) is True
    if isinstance(kind, str) and kind != _UNSAID:
        found = {"type": [kind.lower(), "null"] if nullable else kind.lower(), **found}
    elif kind is not None and kind != _UNSAID:
        found = {"type": kind, **found}
    allowed = found.get("enum")
    if nullable and isinstance(allowed, list) and None not in allowed:
        found["enum"] = [*allowed, None]
    for name, value in found.items():
        found[name] = _below(name, value)
    return found


def _below(name: str, value: object) -> object:
    if name in _NAMED and isinstance(value, Mapping):
        return {key: _schema(one) for key, one in value.items()}
    if name in _LISTED and isinstance(value, list):
        return [_schema(one) for one in value]
    if name in _SINGLE:
        return _schema(value)
    if name in _COUNTS and isinstance(value, str) and value.isdigit():
        return int(value)
    return value


def _schema(value: object) -> object:
    return json_schema_of(value) if isinstance(value, Mapping) else value
