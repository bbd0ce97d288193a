"""Reading a client's JSON: named fields of objects, with errors that say where and what.

One function turns bytes into values here, and one turns values into bytes, so that every
way in which JSON can be bad ends in the same error.
"""

import re
from collections.abc import Callable, Sequence
from functools import wraps

import msgspec

from ..conversation import Chat
from ..errors import BadRequest

# The largest bound on an answer that is taken; a larger number is a client's mistake, and
# prices times such numbers would not fit the ledger.
OUTPUT_TOKENS_MAX = 10**9

_TOO_DEEP = "the body is nested too deeply"
_WORD = re.compile(r"[A-Za-z0-9_.-]{1,40}\Z")
_WORDS = (
    (bool, "a boolean"),
    (str, "a string"),
    (int, "an integer"),
    (float, "a number"),
    (list, "a list"),
    (dict, "an object"),
)


class Fields:
    """A JSON object of a request: reads its fields by name and knows which were read.

    Every reader raises BadRequest, naming the field by its path, when the value is of the
    wrong type; `null` counts as absent.

    Args:
        values: the object.
        path: where it stands in the body, "" for the body itself.
    """

    __slots__ = ("_read", "_values", "path")

    def __init__(self, values: dict[str, object], path: str = "") -> None:
        self._values = values
        self._read: set[str] = set()
        self.path = path

    def value(self, name: str) -> object:
        """Give a field as it is, None when it is absent."""
        self._read.add(name)
        return self._values.get(name)

    def text(self, name: str) -> str:
        """Give a string that must be there."""
        value = self.value(name)
        if not isinstance(value, str):
            raise self.wrong(name, "a string")
        return value

    def text_or_none(self, name: str) -> str | None:
        value = self.value(name)
        if value is None or isinstance(value, str):
            return value
        raise self.wrong(name, "a string")

    def flag_or_none(self, name: str) -> bool | None:
        value = self.value(name)
        if value is None or isinstance(value, bool):
            return value
        raise self.wrong(name, "a boolean")

    def tokens_or_none(self, name: str) -> int | None:
        """Give an integer from 0 to OUTPUT_TOKENS_MAX."""
        value = self.value(name)
        if value is None:
            return None
        if type(value) is int and 0 <= value <= OUTPUT_TOKENS_MAX:
            return value
        raise self.wrong(name, f"an integer from 0 to {OUTPUT_TOKENS_MAX}")

    def integer_or_none(self, name: str) -> int | None:
        """Give an integer that JSON readers of all languages take."""
        value = self.value(name)
        if value is None:
            return None
        if type(value) is int and -(2**63) <= value < 2**63:
            return value
        raise self.wrong(name, "an integer")

    def number_or_none(self, name: str) -> float | None:
        value = self.value(name)
        if value is None:
            return None
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        raise self.wrong(name, "a number")

    def child_or_none(self, name: str) -> "Fields | None":
        """Give a field that is an object."""
        value = self.value(name)
        if value is None:
            return None
        if isinstance(value, dict):
            return Fields(value, self.path_of(name))
        raise self.wrong(name, "an object")

    def child(self, name: str) -> "Fields":
        """Give an object that must be there."""
        found = self.child_or_none(name)
        if found is None:
            raise self.wrong(name, "an object")
        return found

    def items(self, name: str) -> "list[Fields]":
        """Give a list of objects; an absent one is empty."""
        value = self.value(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(name, "a list")
        return [self._item(name, number, item) for number, item in enumerate(value)]

    def texts(self, name: str) -> tuple[str, ...]:
        """Give a list of strings, of which one alone may stand without the list."""
        value = self.value(name)
        if value is None:
            return ()
        if isinstance(value, str):
            return (value,)
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise self.wrong(name, "a string or a list of strings")

    def mapping(self, name: str) -> dict[str, object]:
        """Give an object as it is; an absent one is empty."""
        child = self.child_or_none(name)
        return {} if child is None else child.values

    def has(self, name: str) -> bool:
        """Whether the field is there and not null; does not count as reading it."""
        return self._values.get(name) is not None

    @property
    def values(self) -> dict[str, object]:
        """The whole object."""
        return self._values

    def rest(self) -> dict[str, object]:
        """Give the fields that nobody has read."""
        return {name: item for name, item in self._values.items() if name not in self._read}

    def path_of(self, name: str) -> str:
        """Give a field's full path, such as `messages[3].content`."""
        return f"{self.path}.{name}" if self.path else name

    def wrong(self, name: str, wanted: str) -> BadRequest:
        """Give the error of a field that is missing or of the wrong type."""
        path = self.path_of(name)
        found = self._values.get(name)
        if found is None:
            return BadRequest(f"`{path}` is missing: it must be {wanted}", field=path)
        return BadRequest(f"`{path}` must be {wanted}, not {_shown(found)}", field=path)

    def unknown(self, name: str, known: Sequence[str]) -> BadRequest:
        """Give the error of a field whose value is none of the known ones."""
        return self.wrong(name, "one of " + ", ".join(known))

    def _item(self, name: str, number: int, item: object) -> "Fields":
        path = f"{self.path_of(name)}[{number}]"
        if isinstance(item, dict):
            return Fields(item, path)
        raise BadRequest(f"`{path}` must be an object, not {_type_of(item)}", field=path)


def body_fields(body: bytes) -> Fields:
    """Give a request body's fields.

    Raises:
        BadRequest: it is not one JSON object in UTF-8, or is nested too deeply.
    """
    try:
        value: object = msgspec.json.decode(body)
    except RecursionError:
        raise BadRequest(_TOO_DEEP) from None
    except UnicodeDecodeError as error:
        raise BadRequest(f"the body is not UTF-8: {error.reason}") from error
    except msgspec.DecodeError as error:
        raise BadRequest(f"the body is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadRequest(f"the body must be a JSON object, not {_type_of(value)}")
    return Fields(value)


def refusing_depth(parse: Callable[[bytes], Chat]) -> Callable[[bytes], Chat]:
    """Make a parser answer a body that is nested past Python's own limit with BadRequest."""

    @wraps(parse)
    def parsed(body: bytes) -> Chat:
        try:
            return parse(body)
        except RecursionError:
            raise BadRequest(_TOO_DEEP) from None

    return parsed


def present(**fields: object) -> dict[str, object]:
    """Give the fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


def encode(value: object) -> bytes:
    """Give a value as compact JSON.

    Raises:
        BadRequest: it is nested too deeply: what a client sent is about to go out again.
    """
    try:
        return msgspec.json.encode(value)
    except RecursionError:
        raise BadRequest(_TOO_DEEP) from None


def encode_text(value: object) -> str:
    """Give a value as compact JSON text; raises as `encode` does."""
    return encode(value).decode()


def _type_of(value: object) -> str:
    if value is None:
        return "null"
    return next(word for kind, word in _WORDS if isinstance(value, kind))


def _shown(value: object) -> str:
    # What a client wrote in the wrong place may be its prompt: only a short word is repeated.
    if isinstance(value, str) and _WORD.match(value):
        return repr(value)
    return _type_of(value)
