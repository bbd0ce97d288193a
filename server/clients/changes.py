"""What a file's data is and is to be: pure, on values, whatever format they are written in.

Edits become the fewest changes: what the file says already is not touched, and an object that
is there keeps what others put into it. Each change is kept with what was there before, so that
it can be taken back later, too, when the client has written other things into the same file.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from .client import Edit, Json, Path, Step, Where


class WrongShape(Exception):
    """The file has something else where an object or a list should be. Says where."""


class Missing:
    """What is at a path where nothing is."""


MISSING = Missing()
Found: TypeAlias = "Json | Missing"


@dataclass(frozen=True, slots=True)
class Put:
    """A value put at a path, in the place of what is there; objects above it are made."""

    path: Path
    value: Json


@dataclass(frozen=True, slots=True)
class Drop:
    """What is at a path taken out."""

    path: Path


Change: TypeAlias = "Put | Drop"


@dataclass(frozen=True, slots=True)
class Record:
    """One change that was made.

    Attributes:
        before: what was there.
        after: what is there since.
        stood: how many steps of the path were there before.
    """

    path: Path
    before: Found
    after: Found
    stood: int


@dataclass(frozen=True, slots=True)
class Changed:
    """What edits come to.

    Attributes:
        data: as it is afterwards.
    """

    data: Json
    changes: tuple[Change, ...] = ()
    records: tuple[Record, ...] = ()
    left: tuple[Path, ...] = field(default=())


def edited_data(data: Json, edits: Sequence[Edit]) -> Changed:
    """Give the changes that edits ask for.

    Raises:
        WrongShape: the data has another shape than the edits need.
    """
    changes: list[Change] = []
    records: list[Record] = []
    for edit in edits:
        for wanted in _changes_of(data, edit):
            change = _in_place_of_null(data, wanted)
            before = value_at(data, change.path)
            after = change.value if isinstance(change, Put) else MISSING
            records.append(Record(change.path, before, after, _standing(data, change.path)))
            data = applied(data, change)
            changes.append(change)
    return Changed(data, tuple(changes), tuple(records))


def taken_back(data: Json, records: Sequence[Record]) -> Changed:
    """Give the changes that undo others; what was changed again since is left, and told."""
    changes: list[Change] = []
    left: list[Path] = []
    for record in reversed(records):
        now = value_at(data, record.path)
        if now == record.before:
            continue
        if now != record.after:
            left.append(record.path)
            continue
        for change in _backwards(data, record):
            data = applied(data, change)
            changes.append(change)
    return Changed(data, tuple(changes), left=tuple(left))


def value_at(data: Json, path: Path) -> Found:
    """Give what is at a path, MISSING when nothing is."""
    for step in path:
        found = child(data, step)
        if isinstance(found, Missing):
            return MISSING
        data = found
    return data


def child(data: Json, step: Step) -> Found:
    """Give what one step leads to."""
    if isinstance(step, Where):
        if isinstance(data, Sequence) and not isinstance(data, str):
            for one in data:
                if isinstance(one, Mapping) and one.get(step.field) == step.value:
                    return one
        return MISSING
    if isinstance(data, Mapping) and step in data:
        return data[step]
    return MISSING


def applied(data: Json, change: Change) -> Json:
    """Give data with a change made.

    Raises:
        WrongShape: something stands in its way.
    """
    value = change.value if isinstance(change, Put) else MISSING
    if isinstance(value, Missing) and isinstance(value_at(data, change.path), Missing):
        return data
    found = _with(data, change.path, value, ())
    assert not isinstance(found, Missing)  # noqa: S101 - a path has a step, so its root stays
    return found


def nested(path: Path, value: Json) -> Json:
    """Give a value inside the objects and lists that its path names."""
    for step in reversed(path):
        if isinstance(step, Where):
            inner = value if isinstance(value, Mapping) else {}
            value = [{step.field: step.value, **inner}]
        else:
            value = {step: value}
    return value


def in_words(path: Path) -> str:
    """Give a path as people write it."""
    return ".".join(
        f"[{step.field}={step.value}]" if isinstance(step, Where) else step for step in path
    )


def _changes_of(data: Json, edit: Edit) -> Iterator[Change]:
    now = value_at(data, edit.path)
    if edit.default and not isinstance(now, Missing):
        return
    if isinstance(now, Mapping):
        for name in edit.instead_of:
            wanted = isinstance(edit.value, Mapping) and name in edit.value
            if name in now and not wanted:
                yield Drop((*edit.path, name))
    yield from _merging(now, edit.path, edit.value)


def _in_place_of_null(data: Json, change: Change) -> Change:
    """Give a change that puts an object where null stands above its path, to bring that back."""
    if isinstance(change, Put):
        for length in range(1, len(change.path)):
            if value_at(data, change.path[:length]) is None:
                return Put(change.path[:length], nested(change.path[length:], change.value))
    return change


def _merging(now: Found, path: Path, value: Json) -> Iterator[Change]:
    """Give the changes that merge an object into another, or put a value in its place."""
    if isinstance(now, Mapping) and isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _merging(now.get(name, MISSING), (*path, name), inner)
    elif now != value or type(now) is not type(value):
        last = path[-1] if path else ""
        if isinstance(last, Where) and isinstance(value, Mapping):
            value = {last.field: last.value, **value}
        yield Put(path, value)


def _with(data: Found, path: Path, value: Found, walked: Path) -> Found:
    if not path:
        return value
    step, *rest = path
    here = (*walked, step)
    if isinstance(step, Where):
        if data is None or isinstance(data, Missing):
            data = []
        if not isinstance(data, Sequence) or isinstance(data, str):
            raise WrongShape(f"{in_words(walked) or 'the file'} is no list")
        old = child(data, step)
        places = [place for place, one in enumerate(data) if one is old]
        new = _with(old, tuple(rest), value, here)
        put = [] if isinstance(new, Missing) else [_named(step, new)]
        place = places[0] if places else len(data)
        return [*data[:place], *put, *data[place + len(places[:1]) :]]
    if data is None or isinstance(data, Missing):
        data = {}
    if not isinstance(data, Mapping):
        raise WrongShape(f"{in_words(walked) or 'the file'} is no object")
    new = _with(child(data, step), tuple(rest), value, here)
    kept = dict(data)
    if isinstance(new, Missing):
        kept.pop(step, None)
    else:
        kept[step] = new
    return kept


def _named(step: Where, value: Json) -> Json:
    return {step.field: step.value, **value} if isinstance(value, Mapping) else value


def _standing(data: Json, path: Path) -> int:
    """Give how many steps of a path lead to something."""
    return next(
        (
            length - 1
            for length in range(1, len(path) + 1)
            if isinstance(value_at(data, path[:length]), Missing)
        ),
        len(path),
    )


def _backwards(data: Json, record: Record) -> Iterator[Change]:
    if not isinstance(record.before, Missing):
        yield Put(record.path, record.before)
        return
    # What was made to hold it goes with it, as far as nobody put anything beside it.
    path = record.path
    while len(path) - 1 > record.stood:
        above = value_at(data, path[:-1])
        # An object of a list was made with the field by which it is found.
        own = 2 if isinstance(path[-2], Where) else 1
        if not isinstance(above, Mapping | list) or len(above) > own:
            break
        path = path[:-1]
    yield Drop(path)
