"""The `.env` file: where it is looked for, and its variables.

The first file that exists counts, and the environment is stronger than any of them. Values are
taken as they are written: `${NAME}` is not replaced, so that a key with such characters in it
stays a key.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ENV_FILE_BYTES_MAX = 2**20


@dataclass(frozen=True, slots=True)
class EnvFile:
    """One file, read.

    Attributes:
        variables: what it sets, the last of two equal names counting.
        faulty_lines: numbers of lines that are not NAME=value; they set nothing.
        readable_by_others: whether users beside its owner may read it.
    """

    path: Path
    variables: dict[str, str]
    faulty_lines: tuple[int, ...]
    readable_by_others: bool


class EnvFileUnreadable(Exception):
    """The file exists and cannot be read; the message names it and what to do."""


def find_env_file(folders: Sequence[Path]) -> Path | None:
    """Give the first `.env` file of these folders; a folder named .env is none."""
    for folder in folders:
        path = folder / ".env"
        # A folder that may not be searched looks like one without the file.
        try:
            if path.is_file():
                return path
        except OSError:
            continue
    return None


def read_env_file(path: Path) -> EnvFile:
    """Read a file of NAME=value lines.

    Raises:
        EnvFileUnreadable: it cannot be read, is too large or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(ENV_FILE_BYTES_MAX + 1)
        mode = path.stat().st_mode
    except OSError as error:
        raise EnvFileUnreadable(
            f"{path} cannot be read ({error.strerror}): mend its permissions, or move it away"
        ) from error
    if len(data) > ENV_FILE_BYTES_MAX:
        raise EnvFileUnreadable(f"{path} is larger than {ENV_FILE_BYTES_MAX} bytes: move it away")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise EnvFileUnreadable(f"{path} is not UTF-8 text: save it as UTF-8") from None
    return _parsed(path, text, readable_by_others=bool(mode & 0o044))


def _parsed(path: Path, text: str, *, readable_by_others: bool) -> EnvFile:
    # Takes 25 ms to import, and most starts have no such file.
    from dotenv.parser import parse_stream  # noqa: PLC0415

    variables: dict[str, str] = {}
    faulty: list[int] = []
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            faulty.append(_line(binding.original.string, binding.original.line))
        elif binding.key is not None and binding.value is not None:
            variables[binding.key] = binding.value
    return EnvFile(path, variables, tuple(faulty), readable_by_others)


def _line(string: str, line: int) -> int:
    """Give where a faulty binding stands: its text begins with the empty lines before it."""
    leading = string[: len(string) - len(string.lstrip())]
    return line + leading.count("\n")
