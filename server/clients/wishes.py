"""What a set-up wishes of a client's files: the rows' values with what their tokens stand for."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from .client import NO_KEY, Edit, Json, Part, Path, Step, Transport, Where, Whole

_TOKEN = re.compile(r"\{(?:command|args|url|remote|key|model|each(?:\.context|\.output)?)\}")


class _Missing:
    """What a token stands for that has nothing to stand for it."""


_MISSING = _Missing()
_Filled: TypeAlias = "Json | _Missing"


@dataclass(frozen=True, slots=True)
class Model:
    """A model that the gateway lists, and its limits in tokens where they are known."""

    name: str
    context_tokens_max: int | None = None
    output_tokens_max: int | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What the files of a client are to say.

    Attributes:
        url: the gateway's, without a slash at the end.
        command: what serves MCP on standard input and output, with its arguments.
        key: what the client presents; None when the gateway needs none.
        reference: the key is the client's own word for a variable, not a secret.
        remote: the gateway is another machine's.
        parts: what the client is told of.
        models: every model, for clients that want them listed.
    """

    url: str
    command: str
    args: tuple[str, ...]
    key: str | None
    model: str
    transport: Transport = "stdio"
    reference: bool = False
    remote: bool = False
    parts: frozenset[Part] = frozenset({"mcp", "models"})
    models: tuple[Model, ...] = ()


def wished(edits: Sequence[Edit], wish: Wish) -> list[Edit]:
    """Give the edits that a wish asks for, without tokens."""
    found = []
    for edit in edits:
        if edit.part not in wish.parts or edit.transport not in (None, wish.transport):
            continue
        if (edit.needs and wish.key is None) or (edit.needs == "reference" and not wish.reference):
            continue
        found += list(_each(edit, wish))
    return found


def mentions_models(edits: Sequence[Edit]) -> bool:
    """Whether the edits want every model."""
    return any("{each" in repr((edit.path, edit.value)) for edit in edits)


def _each(edit: Edit, wish: Wish) -> Iterator[Edit]:
    repeated = any("{each}" in repr(step) for step in edit.path)
    for model in wish.models if repeated else (None,):
        fill = _filler(wish, edit.part, model)
        value = _filled(edit.value, fill, wish, edit.part)
        if not isinstance(value, _Missing):
            yield replace(edit, path=_path(edit.path, fill), value=value)


def _path(path: Path, fill: Callable[[str], _Filled]) -> Path:
    def filled(step: Step) -> Step:
        if isinstance(step, Where):
            return Where(step.field, str(fill(step.value)))
        return str(fill(step))

    return tuple(map(filled, path))


def _filler(wish: Wish, part: Part, model: Model | None) -> Callable[[str], _Filled]:
    """Give what turns a text with tokens into a value."""
    no_key = NO_KEY if part == "models" else None
    values: Mapping[str, Json] = {
        "{command}": wish.command,
        "{args}": list(wish.args),
        "{url}": wish.url,
        "{remote}": wish.url if wish.remote else None,
        "{key}": no_key if wish.key is None else wish.key,
        "{model}": wish.model,
        "{each}": None if model is None else model.name,
        "{each.context}": None if model is None else model.context_tokens_max,
        "{each.output}": None if model is None else model.output_tokens_max,
    }

    def fill(text: str) -> _Filled:
        found = _TOKEN.findall(text)
        if any(values[token] is None for token in found):
            return _MISSING
        if found == [text]:
            return values[text]
        return _TOKEN.sub(lambda token: str(values[token[0]]), text)

    return fill


def _filled(value: Json, fill: Callable[[str], _Filled], wish: Wish, part: Part) -> _Filled:
    if isinstance(value, str):
        return fill(value)
    if isinstance(value, Mapping):
        pairs = {name: _filled(inner, fill, wish, part) for name, inner in value.items()}
        kept = {name: inner for name, inner in pairs.items() if not isinstance(inner, _Missing)}
        if isinstance(value, Whole) and len(kept) < len(pairs):
            return _MISSING
        return kept if kept or not value else _MISSING
    if isinstance(value, Sequence):
        return list(_elements(value, fill, wish, part))
    return value


def _elements(
    values: Sequence[Json], fill: Callable[[str], _Filled], wish: Wish, part: Part
) -> Iterator[Json]:
    for one in values:
        if "{each}" in repr(one):
            fills = [_filler(wish, part, model) for model in wish.models]
        else:
            fills = [fill]
        for own in fills:
            filled = _filled(one, own, wish, part)
            if isinstance(filled, list) and isinstance(one, str):
                yield from filled
            elif not isinstance(filled, _Missing):
                yield filled
