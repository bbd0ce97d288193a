"""Reading a client's JSON: one fault with a path for everything that is not as it should be.

A null counts as absent, as in ProtoJSON. Where `snake` is set, the proto's own field names
are read beside the camelCase ones (A2A 1.0, section 5.5, over ProtoJSON's rule that a
parser accepts both).
"""

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import orjson

from ..faults import Fault
from ..task import Json

ID_CHARS_MAX = 256
PARTS_MAX = 256
LIST_MAX = 64
METADATA_BYTES_MAX = 256 * 1024
METADATA_DEPTH_MAX = 32
INT32_MAX = 2**31 - 1

_URL_SAFE = str.maketrans("-_", "+/")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_INTEGER = re.compile(r"-?[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class Fields:
    """A JSON object of a request, and where in the request it stands."""

    values: Json
    path: str = ""
    snake: bool = False

    def has(self, name: str) -> bool:
        """Whether the field is there at all, also as null."""
        return name in self.values or (self.snake and _snake(name) in self.values)

    def raw(self, name: str) -> object:
        """Give the field as it is, None when absent."""
        value = self.values.get(name)
        if value is None and self.snake:
            return self.values.get(_snake(name))
        return value

    def at(self, name: str) -> str:
        """Give the path of a field."""
        return f"{self.path}.{name}" if self.path else name

    def fault(self, name: str, problem: str) -> Fault:
        """Give the fault for a field that is not as it should be."""
        return Fault("invalid_params", f"{self.at(name)} {problem}", field=self.at(name))

    def text(self, name: str) -> str | None:
        """Give a string, None when absent.

        Raises:
            Fault: it is something else.
        """
        value = self.raw(name)
        if value is None or isinstance(value, str):
            return value
        raise self.fault(name, "must be a string")

    def name(self, name: str) -> str | None:
        """Give an identifier: a short string without control characters, None when absent."""
        value = self.text(name)
        if not value:
            return None
        if len(value) > ID_CHARS_MAX or _CONTROL.search(value):
            raise self.fault(
                name, f"must be at most {ID_CHARS_MAX} characters, without control characters"
            )
        return value

    def required_name(self, name: str) -> str:
        """Give an identifier that must be there."""
        value = self.name(name)
        if value is None:
            raise self.fault(name, "is required and must be a string that is not empty")
        return value

    def flag(self, name: str) -> bool | None:
        """Give a boolean, None when absent."""
        value = self.raw(name)
        if value is None or isinstance(value, bool):
            return value
        raise self.fault(name, "must be true or false")

    def count(self, name: str) -> int | None:
        """Give a whole number that is not negative, None when absent.

        A string of digits counts as a number where `snake` is set: ProtoJSON accepts it.
        """
        value = self.raw(name)
        if value is None:
            return None
        if self.snake and isinstance(value, str) and _INTEGER.fullmatch(value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= INT32_MAX:
            raise self.fault(name, "must be a whole number that is not negative")
        return value

    def names(self, name: str) -> tuple[str, ...]:
        """Give a list of strings, empty when absent."""
        value = self.raw(name)
        if value is None:
            return ()
        if not isinstance(value, list) or len(value) > LIST_MAX:
            raise self.fault(name, f"must be a list of at most {LIST_MAX} strings")
        if not all(isinstance(one, str) for one in value):
            raise self.fault(name, "must be a list of strings")
        return tuple(value)

    def part(self, name: str) -> "Fields | None":
        """Give an object within, None when absent."""
        value = self.raw(name)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self.fault(name, "must be an object")
        return Fields(value, self.at(name), self.snake)

    def objects(self, name: str, *, most: int = PARTS_MAX) -> "tuple[Fields, ...]":
        """Give a list of objects that must be there and not be empty."""
        value = self.raw(name)
        if not isinstance(value, list) or not value:
            raise self.fault(name, "is required and must be a list that is not empty")
        if len(value) > most:
            raise self.fault(name, f"has {len(value)} entries, the most is {most}")
        found = []
        for index, one in enumerate(value):
            path = f"{self.at(name)}[{index}]"
            if not isinstance(one, Mapping):
                raise Fault("invalid_params", f"{path} must be an object", field=path)
            found.append(Fields(one, path, self.snake))
        return tuple(found)

    def wrong(self, problem: str) -> Fault:
        """Give the fault for an object that is not as it should be as a whole."""
        return Fault("invalid_params", f"{self.path} {problem}", field=self.path)

    def base64(self, name: str) -> str:
        """Give base64 in the standard alphabet, padded; ProtoJSON allows the URL-safe one too.

        Raises:
            Fault: it is not base64.
        """
        value = (self.text(name) or "").translate(_URL_SAFE).rstrip("=")
        padded = value + "=" * (-len(value) % 4)
        try:
            binascii.a2b_base64(padded, strict_mode=True)
        except ValueError:
            raise self.fault(name, "must be base64") from None
        return padded

    def json(self, name: str) -> str:
        """Give any JSON value as text."""
        value = self.raw(name)
        if _depth(value) > METADATA_DEPTH_MAX:
            raise self.fault(name, f"may have {METADATA_DEPTH_MAX} levels at most")
        return orjson.dumps(value).decode()

    def metadata(self, name: str) -> Json:
        """Give free-form JSON that we keep and give back: an object of bounded size and depth."""
        value = self.raw(name)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise self.fault(name, "must be an object")
        if value and len(self.json(name)) > METADATA_BYTES_MAX:
            raise self.fault(name, f"may have {METADATA_BYTES_MAX} bytes at most")
        return value


@lru_cache(maxsize=256)
def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda found: "_" + found[1].lower(), name)


def _depth(value: object) -> int:
    """Give how deep a value is nested; stops counting just past the limit."""
    level: list[object] = [value]
    depth = 0
    while level and depth <= METADATA_DEPTH_MAX:
        depth += 1
        deeper: list[object] = []
        for one in level:
            if isinstance(one, Mapping):
                deeper.extend(one.values())
            elif isinstance(one, list):
                deeper.extend(one)
        level = [one for one in deeper if isinstance(one, Mapping | list)]
    return depth
