"""What was done to clients' files, kept so that it can be undone.

Each set-up that changed something has a folder of its own in the data folder, for its owner
alone: the files as they were, byte for byte, and each change with what was there before. Undoing
puts a file back as it was where nothing has changed it since. Where something has (clients write
to their own files), only our changes are taken back, and what was changed again is left.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .changes import MISSING, Found, Missing, Record, taken_back
from .client import Format, Step, Where
from .client import Path as Steps
from .formats import NotReadable, edited, parsed
from .plan import FilePlan, NotPlanned, checked, read_file, text_of

FOLDER = "setup"
RECORD = "record.json"
SETUPS_MAX = 50
"""How many set-ups of one client are kept; the oldest goes."""


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file that was changed: as it was, what it became, and each change.

    Attributes:
        backup: the copy of it as it was; None when there was none.
        digest: SHA-256 of what was written.
    """

    path: Path
    form: Format
    backup: Path | None
    digest: str
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Setup:
    """One set-up of a client.

    Attributes:
        key_id: the key that was made for it; "" when none was.
    """

    folder: Path
    project: Path | None
    key_id: str
    files: tuple[KeptFile, ...]


@dataclass(frozen=True, slots=True)
class Undone:
    """What becomes of one file.

    Attributes:
        after: None when it is to be removed.
        left: what stays, as it was changed since.
    """

    path: Path
    before: bytes | None
    after: bytes | None
    left: tuple[Steps, ...] = ()


def keep(
    data_dir: Path, client: str, stamp: str, plans: Sequence[FilePlan], project: Path | None
) -> Path:
    """Keep the files as they are before they are written, and give the folder with them.

    The stamp names the set-up among those of its client: later ones sort behind.
    """
    folder = _fresh(data_dir / FOLDER / client, stamp)
    files = []
    for number, plan in enumerate(plans, 1):
        backup = f"{number}-{plan.path.name.lstrip('.')}"
        if plan.before is not None:
            _write_private(folder / backup, plan.before)
        files.append(
            {
                "path": str(plan.path),
                "format": plan.form,
                "backup": None if plan.before is None else backup,
                "sha256": hashlib.sha256(plan.after).hexdigest(),
                "changes": [_record_json(one) for one in plan.records],
            }
        )
    told = {"project": None if project is None else str(project), "key_id": "", "files": files}
    _write_private(folder / RECORD, json.dumps(told, indent=1).encode())
    for old in sorted(folder.parent.iterdir())[:-SETUPS_MAX]:
        forget(old)
    return folder


def name_key(folder: Path, key_id: str) -> None:
    """Note the key that was made for a set-up; "" where none was."""
    told = json.loads((folder / RECORD).read_bytes())
    _write_private(folder / RECORD, json.dumps(told | {"key_id": key_id}, indent=1).encode())


def newest(data_dir: Path, client: str, project: Path | None) -> Setup | None:
    """Give the last set-up of a client that was not undone, None when there is none."""
    place = data_dir / FOLDER / client
    for folder in sorted(place.iterdir(), reverse=True) if place.is_dir() else ():
        with suppress(FileNotFoundError):
            setup = _setup(folder)
            if setup.project == project:
                return setup
    return None


def forget(folder: Path) -> None:
    """Remove what is kept of a set-up."""
    shutil.rmtree(folder)


def undone(file: KeptFile) -> Undone:
    """Give what a file is when a set-up is taken back.

    Raises:
        NotPlanned: the file is no more in its format.
    """
    now = read_file(file.path)
    if now is None:
        return Undone(file.path, None, None)
    if hashlib.sha256(now).hexdigest() == file.digest:
        before = None if file.backup is None else file.backup.read_bytes()
        return Undone(file.path, now, before)
    text = text_of(file.path, now)
    try:
        changed = taken_back(parsed(text, file.form), file.records)
        after = edited(text, changed.changes, file.form) if changed.changes else text
        checked(after, file.form, changed)
    except NotReadable as error:
        raise NotPlanned(
            f"{file.path}: {error}; it was changed since and cannot be undone as it is. "
            + ("Remove it." if file.backup is None else f"As it was, it is {file.backup}")
        ) from error
    return Undone(file.path, now, after.encode(), changed.left)


def _fresh(place: Path, stamp: str) -> Path:
    """Make and give a folder that nobody has yet."""
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in range(SETUPS_MAX):
        folder = place / f"{stamp}.{number:02}"
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            return folder
    raise NotPlanned(f"{place} already holds {SETUPS_MAX} set-ups of this second")


def _write_private(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)


def _setup(folder: Path) -> Setup:
    told: dict[str, Any] = json.loads((folder / RECORD).read_bytes())
    return Setup(
        folder,
        None if told["project"] is None else Path(told["project"]),
        told["key_id"],
        tuple(
            KeptFile(
                Path(one["path"]),
                one["format"],
                None if one["backup"] is None else folder / one["backup"],
                one["sha256"],
                tuple(map(_record, one["changes"])),
            )
            for one in told["files"]
        ),
    )


def _record_json(record: Record) -> dict[str, object]:
    values = {"before": record.before, "after": record.after}
    return {
        "path": list(map(_step_json, record.path)),
        "stood": record.stood,
        **{name: value for name, value in values.items() if not isinstance(value, Missing)},
    }


def _record(told: Mapping[str, Any]) -> Record:
    def value(name: str) -> Found:
        found: Found = told.get(name, MISSING)
        return found

    path = tuple(map(_step, told["path"]))
    return Record(path, value("before"), value("after"), told["stood"])


def _step_json(step: Step) -> object:
    return {"field": step.field, "value": step.value} if isinstance(step, Where) else step


def _step(told: Any) -> Step:
    return told if isinstance(told, str) else Where(told["field"], told["value"])
