"""Bodies of requests to the management API, read strictly.

A configuration is what its author wrote down: a field that nothing reads, a name that stands
twice or a number that is none would each be a change that does not do what it says. So all of
them are refused, with the place that is wrong, and nothing is changed.

A PATCH is a merge patch (RFC 7396): what it names is put in the place of what there is, objects
are merged, arrays are replaced whole, and null takes a value away, so that its default holds.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NoReturn, TypeVar, cast

import msgspec
from msgspec import inspect

from omniroute.routing.errors import BadRequest

DEPTH_MAX = 64
KINDS_MAX = 512

Body = TypeVar("Body")

# Where a value is wrong is at the end of msgspec's words, and nowhere else. Source: its guide,
# "Validation", read 2026-11.
_PLACE = re.compile(r" - at `\$(?:\[\.\.\.\]|\.)?(.*)`\Z")


def decoded(data: bytes, kind: type[Body]) -> Body:
    """Give a body as a value of `kind`, a dataclass or a struct.

    Raises:
        BadRequest: it is no JSON, or a field is missing, unknown, there twice or of a wrong type.
    """
    _check(_plain(data), kind)
    return _as(lambda: msgspec.json.decode(data, type=kind))


def merged(data: bytes, current: Body) -> Body:
    """Give a value with what a merge patch changes of it.

    Raises:
        BadRequest: as `decoded`; no field needs to be there.
    """
    kind = type(current)
    patch = _plain(data)
    _check(patch, kind)
    if not isinstance(patch, dict):
        raise BadRequest("the body is not right: it is an object with the fields to change")
    whole = _merge(msgspec.to_builtins(current), patch)
    return _as(lambda: msgspec.convert(whole, kind))


def names_in(data: bytes) -> frozenset[str]:
    """Give the names of a body's outermost object; none of anything else."""
    found = _plain(data)
    return frozenset(found) if isinstance(found, dict) else frozenset()


def _plain(data: bytes) -> object:
    """Give JSON as plain values, of a depth that everything after it can take."""
    if not data:
        raise BadRequest("the body is not right: it is empty, and JSON is expected")
    try:
        msgspec.json.decode(data)
        return json.loads(data, object_pairs_hook=_object)
    except RecursionError:
        raise _too_deep() from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadRequest(f"the body is not right: {error}") from error


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadRequest(f"the body is not right: {_shown(twice)} stands twice in one object")
    return found


def _as(read: Callable[[], Body]) -> Body:
    try:
        return read()
    except (msgspec.MsgspecError, UnicodeError) as error:
        place = _PLACE.search(str(error))
        field = None if place is None else place[1] or None
        raise BadRequest(f"the body is not right: {error}", field=field) from error


def _merge(current: object, patch: object) -> object:
    """Give a value with a merge patch applied. Source: RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    whole = dict(current) if isinstance(current, dict) else {}
    for name, one in patch.items():
        if one is None:
            whole.pop(name, None)
        else:
            whole[name] = _merge(whole.get(name), one)
    return whole


def _check(value: object, kind: type) -> None:
    """Refuse what a type has no place for, and what no database keeps."""
    _look(value, _info(kind), (), 0)


@lru_cache(KINDS_MAX)
def _info(kind: type) -> inspect.Type:
    return inspect.type_info(kind)


def _look(value: object, info: inspect.Type | None, place: tuple[str, ...], depth: int) -> None:
    if depth > DEPTH_MAX:
        raise _too_deep()
    match value:
        case str() if "\0" in value:
            _refuse("has the character U+0000, which is no text", place)
        case dict():
            fields = _fields(info, value)
            for name, one in cast("dict[str, object]", value).items():
                here = (*place, name)
                if fields is not None and name not in fields:
                    _refuse_unknown(here, fields)
                _look(name, None, place, depth)
                _look(one, _of_value(info) if fields is None else fields[name], here, depth + 1)
        case list():
            items = _of_items(info, len(value))
            for number, (one, kind) in enumerate(zip(value, items, strict=True)):
                _look(one, kind, (*place, f"[{number}]"), depth + 1)
        case _:
            pass


def _fields(
    info: inspect.Type | None, value: Mapping[str, object]
) -> dict[str, inspect.Type | None] | None:
    """Give the fields that an object may have; None when any."""
    for one in _choices(info):
        match one:
            case inspect.StructType():
                tag = one.tag_field
                if tag is not None and value.get(tag, one.tag) != one.tag:
                    continue
                known: dict[str, inspect.Type | None] = {
                    field.encode_name: field.type for field in one.fields
                }
                return known if tag is None else {tag: None, **known}
            case inspect.DataclassType():
                return {field.encode_name: field.type for field in one.fields}
            case _:
                continue
    return None


def _of_value(info: inspect.Type | None) -> inspect.Type | None:
    """Give the type of an object's values, where it may have any name."""
    found = (one for one in _choices(info) if isinstance(one, inspect.DictType))
    return next((one.value_type for one in found), None)


def _of_items(info: inspect.Type | None, count: int) -> Sequence[inspect.Type | None]:
    for one in _choices(info):
        match one:
            case inspect.ListType() | inspect.VarTupleType() | inspect.SetType():
                return (one.item_type,) * count
            case inspect.TupleType() if len(one.item_types) == count:
                return one.item_types
            case _:
                continue
    return (None,) * count


def _choices(info: inspect.Type | None) -> Sequence[inspect.Type]:
    if info is None:
        return ()
    return info.types if isinstance(info, inspect.UnionType) else (info,)


def _refuse_unknown(place: tuple[str, ...], known: Mapping[str, object]) -> NoReturn:
    _refuse(f"is not a field; known are {', '.join(sorted(known)) or 'none'}", place)


def _refuse(words: str, place: tuple[str, ...]) -> NoReturn:
    where = ".".join(place).replace(".[", "[")
    raise BadRequest(f"the body is not right: {_shown(where)} {words}", field=_field(where))


def _field(where: str) -> str | None:
    return where[:_SHOWN_MAX] or None


_SHOWN_MAX = 200


def _shown(text: str) -> str:
    """Give a name of the client's as a message holds it."""
    return ascii(text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}...")


def _too_deep() -> BadRequest:
    return BadRequest(f"the body is not right: it is nested deeper than {DEPTH_MAX}")
