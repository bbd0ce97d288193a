"""A value that fits a JSON Schema, always the same one: what simulated tools are called with.

Covers what tool and answer schemas use: types, required properties, enum, const, default,
examples, bounds, `$ref` into the same schema, anyOf, oneOf and allOf. A schema that says
nothing gives "simulated". Optional properties are left out. Patterns are not solved.
"""

from collections.abc import Mapping

from ..conversation import Json

DEPTH_MAX = 16
VALUES_MAX = 2_000
LENGTH_MAX = 256
_WORD = "simulated"
_FORMATS = {
    "date": "2026-01-02",
    "time": "03:04:05Z",
    "date-time": "2026-01-02T03:04:05Z",
    "email": "simulated@example.com",
    "uri": "https://example.com/simulated",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
    "hostname": "simulated.example.com",
}


def example_of(schema: Json) -> object:
    """Give a JSON value that fits the schema, as far as the module's docstring goes.

    Below DEPTH_MAX levels and after VALUES_MAX values, which only a schema that requires
    itself reaches, everything is None.
    """
    return _Maker(schema).value(schema, 0)


class _Maker:
    """Makes one value; holds the schema that references point into."""

    def __init__(self, root: Json) -> None:
        self._root = root
        self._left = VALUES_MAX

    def value(self, schema: object, depth: int) -> object:
        self._left -= 1
        if depth > DEPTH_MAX or self._left < 0:
            return None
        if not isinstance(schema, Mapping):
            return _WORD
        schema = self._resolved(schema, depth)
        given, value = _given(schema)
        if given:
            return value
        options = schema.get("anyOf", schema.get("oneOf"))
        if isinstance(options, list) and options:
            return self.value(options[0], depth + 1)
        return self._by_type(schema, depth)

    def _by_type(self, schema: Json, depth: int) -> object:
        match _type(schema):
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case kind:
                return _scalar(kind, schema)

    def _resolved(self, schema: Json, depth: int) -> Json:
        """Follow a reference into the root and fold allOf into the schema."""
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/"):
            found: object = self._root
            for name in reference[2:].split("/"):
                key = name.replace("~1", "/").replace("~0", "~")
                found = found.get(key) if isinstance(found, Mapping) else None
            if isinstance(found, Mapping):
                schema = found
        parts = schema.get("allOf")
        if not isinstance(parts, list) or depth > DEPTH_MAX:
            return schema
        folded = {name: value for name, value in schema.items() if name != "allOf"}
        for part in parts:
            if isinstance(part, Mapping):
                _fold(folded, self._resolved(part, depth + 4))
        return folded

    def _array(self, schema: Json, depth: int) -> list[object]:
        count = min(_bound(schema, "minItems", 1), LENGTH_MAX)
        count = min(count, _bound(schema, "maxItems", count))
        items = schema.get("items", {})
        return [self.value(items, depth + 1) for _ in range(count)]

    def _object(self, schema: Json, depth: int) -> dict[str, object]:
        properties, required = schema.get("properties"), schema.get("required")
        known: Json = properties if isinstance(properties, Mapping) else {}
        names = required if isinstance(required, list) else []
        return {
            name: self.value(known.get(name, {}), depth + 1)
            for name in names
            if isinstance(name, str)
        }


def _given(schema: Json) -> tuple[bool, object]:
    """Give whether the schema itself holds a value to take, and that value."""
    for name in ("const", "default"):
        if name in schema:
            return True, schema[name]
    for name in ("enum", "examples"):
        values = schema.get(name)
        if isinstance(values, list) and values:
            return True, values[0]
    return False, None


def _fold(folded: dict[str, object], part: Json) -> None:
    """Add a part of an allOf: properties and required names add up, the rest is replaced."""
    for name, value in part.items():
        known = folded.get(name)
        if name == "properties" and isinstance(known, Mapping) and isinstance(value, Mapping):
            folded[name] = {**known, **value}
        elif name == "required" and isinstance(known, list) and isinstance(value, list):
            folded[name] = [*known, *value]
        else:
            folded[name] = value


def _type(schema: Json) -> str:
    """Give the lower-case type: Gemini writes STRING, and a list of types may hold null."""
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return kind.lower()
    return "object" if "properties" in schema else "array" if "items" in schema else "string"


def _scalar(kind: str, schema: Json) -> object:
    match kind:
        case "integer" | "number":
            least = _bound(schema, "minimum", _bound(schema, "exclusiveMinimum", 0) + 1)
            return min(least, _bound(schema, "maximum", least))
        case "boolean":
            return True
        case "null":
            return None
        case _:
            text = _FORMATS.get(str(schema.get("format")), _WORD)
            least = min(_bound(schema, "minLength", 0), LENGTH_MAX)
            return text.ljust(least, ".")[: _bound(schema, "maxLength", LENGTH_MAX)]


def _bound(schema: Json, name: str, default: int) -> int:
    value = schema.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    return int(value)
