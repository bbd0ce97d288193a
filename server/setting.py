"""What is said of one setting: a row of the table in settings_names.py."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "address",
    "machine_name",
    "port",
    "workers",
    "folder",
    "file",
    "url",
    "networks",
    "hosts",
    "origins",
    "require_key",
    "require_key_switch",
    "size",
    "memory",
    "mebibytes",
    "count",
    "seconds",
    "seconds_or_never",
    "days_or_never",
    "count_or_never",
    "size_or_never",
    "milliseconds",
    "level",
    "log_format",
    "switch",
    "database",
    "secret",
    "proxy",
    "password",
]
"""How the text of a value is read; settings.py has one function for each."""


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable that sets a setting, and how its text is read."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of Settings, in words.

    Attributes:
        name: the field's name.
        default: the default as people read it.
        variables: what sets it, strongest first; the first is the one we recommend.
        flag: the command line's option, None where there is none.
        flag_words: what the flag does, where that is not the setting's first sentence.
        value_name: what stands for the value in help; "" for an option without one.
        unit: of the value, "" where it has none.
        repeats: the flag may be given several times, the variable holds a list with commas.
    """

    name: str
    default: str
    meaning: str
    variables: tuple[Variable, ...]
    flag: str | None = None
    flag_words: str = ""
    value_name: str = ""
    unit: str = ""
    repeats: bool = False

    @property
    def kind(self) -> Kind:
        """How a value of the flag or of the recommended variable is read."""
        return self.variables[0].kind

    @property
    def secret(self) -> bool:
        """Whether the value may never be shown."""
        return self.kind in ("secret", "database", "proxy", "password")


def set_by(*names: str, kind: Kind, **others: Kind) -> tuple[Variable, ...]:
    """Give the variables of one setting: `names` read as `kind`, `others` as they say."""
    return (
        *(Variable(name, kind) for name in names),
        *(Variable(name, other) for name, other in others.items()),
    )
