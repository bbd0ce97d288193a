"""The schema of an answer as Anthropic takes it.

Every object says that it has no further properties, and of the bounds that JSON Schema knows
(lengths, ranges, patterns) Anthropic takes nearly none: they stand in the description, where the
model reads them. Anthropic's own libraries do the same with schemas that they make.

Source: Anthropic's documentation, "Structured outputs", "JSON Schema limitations", read 2026-11.
"""

from collections.abc import Mapping

from ...conversation import Json
from ..dropped import Dropped
from ..fields import encode_text

_KEPT = ("type", "enum", "const", "title", "default", "required")
_NAMED = ("properties", "$defs", "definitions")
_SCHEMAS = (*_NAMED, "anyOf", "oneOf", "allOf", "items")
_OTHERWISE = ("additionalProperties", "description")
_FORMATS = (
    *("date-time", "time", "date", "duration", "email", "hostname", "uri"),
    *("ipv4", "ipv6", "uuid"),
)


def answer_schema(schema: Json, dropped: Dropped) -> dict[str, object]:
    """Give the schema; objects with properties of any name are noted, for they cannot be had."""
    taken: dict[str, object] = {}
    words: dict[str, object] = {}
    for name, value in schema.items():
        if name in _OTHERWISE:
            continue
        if name in _SCHEMAS:
            taken["anyOf" if name == "oneOf" else name] = _below(name, value, dropped)
        elif name in _KEPT or name.startswith("$") or _is_taken(name, value):
            taken[name] = value
        else:
            words[name] = value
    if "object" in _types(schema) or "properties" in schema:
        taken["additionalProperties"] = False
        dropped.note_if("json_schema", schema.get("additionalProperties") or None)
    description = schema.get("description")
    said = [description] if isinstance(description, str) else []
    if words:
        said.append(encode_text(words))
    return {**taken, "description": "\n\n".join(said)} if said else taken


def _types(schema: Json) -> list[object]:
    kind = schema.get("type")
    return kind if isinstance(kind, list) else [kind]


def _is_taken(name: str, value: object) -> bool:
    return (name == "format" and value in _FORMATS) or (name == "minItems" and value in (0, 1))


def _below(name: str, value: object, dropped: Dropped) -> object:
    """Give what stands below: a schema, schemas by name, or a list of them."""
    if name in _NAMED and isinstance(value, Mapping):
        return {key: _schema(one, dropped) for key, one in value.items()}
    if isinstance(value, list):
        return [_schema(one, dropped) for one in value]
    return _schema(value, dropped)


def _schema(value: object, dropped: Dropped) -> object:
    return answer_schema(value, dropped) if isinstance(value, Mapping) else value
