"""Arguments against their schema, and what is wrong with them in words.

The words name the field and what it must be, never the value: it may be a prompt.
"""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, cast

import msgspec
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.protocols import Validator
from jsonschema.validators import create

from omniroute.routing.errors import BadRequest

from .shapes import Arguments, Schema

SHOWN_MAX = 20
"""Names listed in a message at most."""


def compiled(schema: Schema) -> Validator:
    """Give a validator of arguments; made once for each tool.

    It is stricter than JSON Schema where Python's JSON is looser than JSON: NaN and the
    infinities are no numbers, and half of a surrogate pair is no string.
    """
    return _Strict(schema)


def checked(validator: Validator, takes: type[Arguments], given: Mapping[str, Any]) -> Arguments:
    """Give the arguments as values. A top-level null means "not given": models send it.

    Raises:
        BadRequest: they do not fit the schema; names the field.
    """
    present = {name: value for name, value in given.items() if value is not None}
    error = best_match(validator.iter_errors(present))
    if error is not None:
        field = _path(error)
        raise BadRequest(f"invalid arguments: {_told(error, field)}", field=field or None)
    # JSON Schema counts 3.0 as an integer, msgspec does so when told that it came from text.
    return msgspec.convert(present, takes, strict=False)


def _path(error: ValidationError) -> str:
    """Give the field in the way people write it: messages[0].role."""
    path = ""
    for part in error.absolute_path:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _told(error: ValidationError, field: str) -> str:
    rule, limit, given = str(error.validator), cast(Any, error.validator_value), error.instance
    where = f"{field} " if field else ""
    match rule, given:
        case "required", dict():
            missing = next(name for name in limit if name not in given)
            return f"{field}.{missing} is missing" if field else f"{missing} is missing"
        case "additionalProperties", dict():
            known = sorted(cast(dict[str, Any], error.schema).get("properties", {}))
            unknown = next(str(name) for name in given if name not in known)
            return f"{where}has no field {unknown[:80]!r}; known are {_listed(known) or 'none'}"
        case "enum", _:
            return f"{where}must be one of {_listed(limit)}"
        case "type", _:
            return f"{where}must be {_KINDS.get(limit, limit)}"
        case _:
            words = _RULES.get(rule, "breaks the rule of its schema: {}")
            return where + words.format(limit)


def _listed(names: Sequence[object]) -> str:
    return ", ".join(str(name) for name in names[:SHOWN_MAX])


_KINDS = {
    "string": "a string of valid Unicode",
    "number": "a finite number",
    "integer": "an integer",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}
_RULES = {
    "minLength": "must have at least {} character(s)",
    "maxLength": "must have at most {} characters",
    "minItems": "must have at least {} item(s)",
    "maxItems": "must have at most {} items",
    "minimum": "must be at least {}",
    "exclusiveMinimum": "must be more than {}",
    "maximum": "must be at most {}",
}


def _is_number(checker: object, value: object) -> bool:
    if isinstance(value, float):
        return isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _is_integer(checker: object, value: object) -> bool:
    if isinstance(value, float):
        return value.is_integer()
    return _is_number(checker, value)


def _is_string(checker: object, value: object) -> bool:
    if not isinstance(value, str):
        return False
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


_CHECKS: dict[str, Callable[[object, object], bool]] = {
    "number": _is_number,
    "integer": _is_integer,
    "string": _is_string,
}
_Strict = create(
    Draft202012Validator.META_SCHEMA,
    Draft202012Validator.VALIDATORS,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(_CHECKS),
)
