"""What one row of the table of commands is: its words, options and examples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Arity = Literal["one", "optional", "any", "some", "repeated", "switch", "port"]


@dataclass(frozen=True, slots=True)
class Option:
    """One option, or one word that has its place.

    Attributes:
        name: with its dashes, or the word's name.
        words: what it does; "" hides it.
        value: what stands for an option's value in help.
        arity: `one` value; for words also `optional`, `any` number, or `some`, at least one; for
            options also `repeated`, a `switch` without a value, or a `port`.
    """

    name: str
    words: str
    value: str = ""
    arity: Arity = "one"
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        path: its name with its noun's, such as `keys add`.
        target: `module:function` in this folder; "" for a noun, which does nothing itself.
        usage: what may follow its name.
        more: a paragraph below the examples.
        settings: the settings' options it takes: every one, or the data folder's alone.
    """

    path: str
    words: str
    target: str = ""
    usage: str = "[options]"
    options: Sequence[Option] = ()
    examples: Sequence[str] = ()
    more: str = ""
    aliases: Sequence[str] = ()
    settings: Literal["all", "data_dir", "none"] = "data_dir"


NOUN = "[options] command ..."
JSON = Option("--json", "print JSON", arity="switch")
