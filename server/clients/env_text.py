"""Changes made in the text of a file of environment variables; other lines stay as they are."""

import io
import re
from collections.abc import Sequence

from dotenv import dotenv_values

from .changes import Change, Put
from .client import Json

_LINE = r"^[ \t]*(export[ \t]+)?{name}[ \t]*=[^\r\n]*"
_PLAIN = re.compile(r"[\w./:@%+,-]*")


def parsed(text: str) -> Json:
    """Give the variables of a text; None of a text with nothing in it."""
    if not text.strip():
        return None
    found = dotenv_values(stream=io.StringIO(text), interpolate=False)
    return dict(found)


def edited(text: str, changes: Sequence[Change]) -> str:
    """Give a text with variables set and taken out."""
    for change in changes:
        (name,) = change.path
        assert isinstance(name, str)  # noqa: S101 - no row has a list of variables
        line = re.compile(_LINE.format(name=re.escape(name)), re.MULTILINE)
        if not isinstance(change, Put):
            text = re.sub(line.pattern + r"(?:\r?\n|\Z)", "", text, flags=re.MULTILINE)
            continue
        value = _quoted(str(change.value))
        found = list(line.finditer(text))
        if found:
            # Of two lines of one name the last counts.
            at = found[-1]
            text = f"{text[: at.start()]}{at[1] or ''}{name}={value}{text[at.end() :]}"
        else:
            end = "" if not text or text.endswith("\n") else "\n"
            text = f"{text}{end}{name}={value}\n"
    return text


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
