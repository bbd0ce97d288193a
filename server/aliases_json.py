"""What `/api/aliases` speaks, as values: part of management.py's contract."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AliasJson:
    """A name and what it stands for; `*` in the name is any run of characters, `?` is one."""

    name: str
    target: str


@dataclass(frozen=True, slots=True)
class AliasesJson:
    """Every alias, by name."""

    aliases: tuple[AliasJson, ...]
