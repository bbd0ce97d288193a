"""What setting up a client would do to its files: read, worked out, and nothing written."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .changes import Changed, Record, WrongShape, edited_data
from .client import Client, ClientFile, Edit, Format, Part, Transport
from .formats import NotReadable, edited, parsed
from .places import Machine, NoPlace, path_of
from .wishes import Wish, wished

FILE_BYTES_MAX = 32 * 2**20


class NotPlanned(Exception):
    """A client cannot be set up as wished. Says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """A file, and what is to be put into it."""

    path: Path
    form: Format
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class FilePlan:
    """One file and what it is to become.

    Attributes:
        before: as it is; None when there is none.
        after: as it is to be.
        parts: what of the wish it holds.
        records: each change, to be taken back by.
    """

    path: Path
    form: Format
    before: bytes | None
    after: bytes
    parts: frozenset[Part]
    records: tuple[Record, ...] = ()

    @property
    def changes(self) -> bool:
        return self.after != self.before


def planned(
    client: Client, wish: Wish, machine: Machine, project: Path | None
) -> tuple[FilePlan, ...]:
    """Give what a wish makes of a client's files, those that stay as they are among them.

    Raises:
        NotPlanned: the client has nowhere to write it, or a file cannot be read.
    """
    return tuple(_plan_file(one) for one in targets(client, wish, machine, project))


def targets(
    client: Client, wish: Wish, machine: Machine, project: Path | None
) -> tuple[Target, ...]:
    """Give the files that a wish is written into, unread.

    Raises:
        NotPlanned: the client has nowhere to write it.
    """
    found = []
    missing = []
    for file in client.files:
        own = wish if project is None else shared(wish, client, file)
        edits = wished(file.edits, own)
        if not edits:
            continue
        try:
            path = path_of(file.place, machine, project, Path.exists)
            found.append(Target(path, file.format, tuple(edits)))
        except NoPlace as reason:
            missing.append(str(reason))
    if not found:
        raise NotPlanned(f"{client.title}: {_reason(client, wish, missing)}")
    return tuple(found)


def shared(wish: Wish, client: Client, file: ClientFile) -> Wish:
    """Give the wish for a file that others may read, too: a variable's name for a secret."""
    if wish.key is None or file.secret:
        return wish
    return replace(wish, key=client.key_reference or None, reference=bool(client.key_reference))


def transports(client: Client) -> tuple[Transport, ...]:
    """Give the ways in which a client reaches MCP servers."""
    named = [edit.transport for file in client.files for edit in file.edits]
    return tuple(dict.fromkeys(one for one in named if one is not None))


def has_models(client: Client) -> bool:
    """Whether a file tells the client of the model endpoint."""
    return any(edit.part == "models" for file in client.files for edit in file.edits)


def read_file(path: Path) -> bytes | None:
    """Give a file's bytes, None when there is none.

    Raises:
        NotPlanned: it is there and cannot be read.
    """
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise NotPlanned(f"{path} is larger than {FILE_BYTES_MAX} bytes")
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise NotPlanned(f"{path} cannot be read: {os.strerror(error.errno or 0)}") from error


def text_of(path: Path, data: bytes | None) -> str:
    """Give a file's text.

    Raises:
        NotPlanned: it is no UTF-8.
    """
    try:
        return (data or b"").decode()
    except UnicodeDecodeError as error:
        raise NotPlanned(f"{path} is no text in UTF-8; nothing was changed") from error


def fragments(targets: Sequence[Target], *, named: bool = True) -> str:
    """Give what belongs into files that have nothing else, each below its path if it is named."""
    parts = []
    for one in targets:
        changed = edited_data(None, one.edits)
        name = f"# {one.path}\n" if named else ""
        parts.append(f"{name}{edited('', changed.changes, one.form)}")
    return "\n".join(parts)


def _plan_file(target: Target) -> FilePlan:
    path, form = target.path, target.form
    before = read_file(path)
    text = text_of(path, before)
    try:
        changed = edited_data(parsed(text, form), target.edits)
        after = edited(text, changed.changes, form) if changed.changes else text
        checked(after, form, changed)
    except (NotReadable, WrongShape) as error:
        raise NotPlanned(
            f"{path}: {error}; nothing was changed. Mend the file and try again, or put in what "
            "--print shows yourself"
        ) from error
    parts = frozenset(edit.part for edit in target.edits)
    return FilePlan(path, form, before, after.encode(), parts, changed.records)


def checked(text: str, form: Format, changed: Changed) -> None:
    """See that a text says what it should, before it is written.

    Raises:
        NotReadable: it does not: the editor of its format is at fault.
    """
    if (parsed(text, form) or None) != (changed.data or None):
        raise NotReadable("the changed text does not say what it should; please report this")


def _reason(client: Client, wish: Wish, missing: Sequence[str]) -> str:
    if missing:
        return "; ".join(missing)
    if "mcp" in wish.parts and wish.transport not in transports(client):
        return f"it reaches MCP servers only over {' or '.join(transports(client))}"
    return f"no file tells it of the model endpoint: {client.models_by_hand}"
