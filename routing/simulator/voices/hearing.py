"""From a decoded body to what was asked: what the voices' readers have in common."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from ...conversation import Json
from ...errors import BadRequest
from ..script import OfferedTool

IMAGE_BYTES = 340
MESSAGES_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call of an earlier turn."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool answered to the call of that id."""

    call_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of the conversation, whatever its dialect."""

    speaker: str
    text: str = ""
    calls: tuple[Call, ...] = ()
    results: tuple[Result, ...] = ()
    images: int = 0


def decode(body: bytes) -> Json:
    """Give the JSON object of a body.

    Raises:
        BadRequest: it is not JSON, or not an object.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadRequest("the body is not a JSON object")
    return value


def text_of(owner: Json, name: str) -> str:
    """Give a required text."""
    value = owner.get(name)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"`{name}` is required and is a text", field=name)
    return value


def flag_of(owner: Json, name: str, *, default: bool = False) -> bool:
    """Give an optional boolean."""
    value = owner.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise BadRequest(f"`{name}` is true or false", field=name)
    return value


def count_of(owner: Json, name: str) -> int | None:
    """Give an optional whole number of at least 1."""
    value = owner.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadRequest(f"`{name}` is a whole number of at least 1", field=name)
    return value


def object_of(owner: Json, name: str) -> Json:
    """Give an optional object; an absent one is empty."""
    value = owner.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadRequest(f"`{name}` is an object", field=name)
    return value


def objects_of(owner: Json, name: str, *, required: bool = False) -> Sequence[Json]:
    """Give a list of objects; an absent one is empty unless it is required."""
    value = owner.get(name)
    if value is None and not required:
        return ()
    if not isinstance(value, list) or (required and not value) or len(value) > MESSAGES_MAX:
        raise BadRequest(f"`{name}` is a list of 1 to {MESSAGES_MAX} objects", field=name)
    for item in value:
        if not isinstance(item, dict):
            raise BadRequest(f"every item of `{name}` is an object", field=name)
    return value


def texts_of(value: object, name: str) -> tuple[str, ...]:
    """Give one text or a list of texts as a tuple; None is empty."""
    items = [value] if isinstance(value, str) else value
    if items is None:
        return ()
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise BadRequest(f"`{name}` is a text or a list of texts", field=name)
    return tuple(items)


def last_words(turns: Sequence[Turn]) -> str:
    """Give the text of the last user turn that has one."""
    for turn in reversed(turns):
        if turn.speaker == "user" and turn.text:
            return turn.text
    return ""


def last_results(turns: Sequence[Turn]) -> tuple[str, ...]:
    """Give what tools answered in the turns at the end, in order; empty when the end is talk."""
    found: list[str] = []
    for turn in reversed(turns):
        if not turn.results:
            break
        found[:0] = [result.text for result in turn.results]
    return tuple(found)


def weigh(turns: Iterable[Turn], tools: Iterable[OfferedTool]) -> int:
    """Give the bytes of all that was said and offered, the same for every dialect.

    An image weighs IMAGE_BYTES, about what vendors charge for a small one.
    """
    size = 0
    for turn in turns:
        size += len(turn.text.encode()) + turn.images * IMAGE_BYTES
        size += sum(len(call.name) + len(call.arguments.encode()) for call in turn.calls)
        size += sum(len(result.text.encode()) for result in turn.results)
    for tool in tools:
        size += len(tool.name) + len(canonical(tool.parameters).encode())
    return size


def check_results(turns: Iterable[Turn]) -> None:
    """Refuse results of calls that nobody made, as the vendors do.

    Raises:
        BadRequest: names the first such id.
    """
    called: set[str] = set()
    for turn in turns:
        called.update(call.call_id for call in turn.calls)
        for result in turn.results:
            if result.call_id not in called:
                raise BadRequest(
                    f"a tool result answers the call {result.call_id!r}, which no earlier "
                    "turn of the assistant made"
                )


def canonical(value: object) -> str:
    """Give JSON text that is the same for equal values.

    Raises:
        BadRequest: the value is nested deeper than orjson writes, 254 levels.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONEncodeError as error:
        raise BadRequest(f"a part of the body cannot be written again: {error}") from error


def canonical_text(written: str) -> str:
    """Give the canonical form of JSON text; text that is not JSON stays as it is."""
    try:
        return canonical(orjson.loads(written))
    except orjson.JSONDecodeError:
        return written


def joined(parts: Iterable[str]) -> str:
    """Give the parts as one text, a line each."""
    return "\n".join(part for part in parts if part)
