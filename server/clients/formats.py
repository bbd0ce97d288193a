"""The formats of clients' files: each is read as data and changed in its own text.

A format's module is imported when a file of it is met, with whatever it needs.
"""

from collections.abc import Sequence

from .changes import Change
from .client import Format, Json


class NotReadable(Exception):
    """A file is not what its name says. Says where and why."""


def parsed(text: str, form: Format) -> Json:
    """Give a file's data; None when there is nothing in it.

    Raises:
        NotReadable: it is not in its format.
    """
    match form:
        case "json" | "jsonc" | "json5":
            from . import json_scan, json_text

            try:
                return json_text.parsed(text, form)
            except json_scan.NotJson as error:
                raise NotReadable(str(error)) from error
        case "env":
            from . import env_text

            return env_text.parsed(text)
        case "toml":
            from . import toml_text

            return toml_text.parsed(text)
        case "yaml":
            from . import yaml_text

            return yaml_text.parsed(text)


def edited(text: str, changes: Sequence[Change], form: Format) -> str:
    """Give a file's text with changes made, and everything else as it was.

    Raises:
        NotReadable: it is not in its format.
        WrongShape: something stands where an object or a list should.
    """
    match form:
        case "json" | "jsonc" | "json5":
            from . import json_text

            return json_text.edited(text, changes, form)
        case "env":
            from . import env_text

            return env_text.edited(text, changes)
        case "toml":
            from . import toml_text

            return toml_text.edited(text, changes)
        case "yaml":
            from . import yaml_text

            return yaml_text.edited(text, changes)
