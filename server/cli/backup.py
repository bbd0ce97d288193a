"""`omniroute backup`, `backups` and `restore`: a database's copies, made, listed and put back."""

import asyncio
import shutil
from argparse import Namespace
from importlib.metadata import version
from pathlib import Path

from msgspec import to_builtins

from ..backups_json import BackupMadeJson, BackupsJson, RestoreJson, broken_json
from ..settings import Settings, Sources
from ..store.backups import FOLDER, SUFFIX
from .audit import progress
from .client import call, decoded, find_gateway, with_gateway
from .exits import FAILED, OK, Stop
from .output import fields, show, show_json, size, table

PATH = "/api/db-backups"
BACKUP_S_MAX = 3_600.0
RING = (
    "The key ring is not in it, and without it nobody opens the provider keys in there: keep "
    "{ring} elsewhere, too."
)


def backup(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Make a backup; the status is 1 where a chain of records does not verify."""
    target = None if arguments.path is None else _target(Path(arguments.path))
    with with_gateway(settings, sources) as gateway:
        progress("copying and checking the database")
        data = call(gateway, "PUT", PATH, timeout_s=BACKUP_S_MAX)
        progress("")
        made = decoded(data, BackupMadeJson)
        folder = decoded(call(gateway, "GET", PATH), BackupsJson).folder
    path = Path(folder) / made.backup.filename
    if target is not None:
        path = Path(shutil.move(path, target))
    if arguments.json:
        show_json({"path": str(path), **to_builtins(made)})
    else:
        show(made_page(made, path, settings))
    return FAILED if made.broken else OK


def show_all(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """List the backups."""
    with with_gateway(settings, sources) as gateway:
        found = decoded(call(gateway, "GET", PATH), BackupsJson)
    if arguments.json:
        show_json(found)
        return OK
    headings = ("BACKUP", "MADE", "SIZE", "ROWS", "WHY", "DATABASE")
    rows = [
        (one.id, one.created_at, size(one.size), f"{one.rows:,}", one.reason, one.database)
        for one in found.backups
    ]
    parts = [table(headings, rows, right=("SIZE", "ROWS")) if rows else "There is no backup yet."]
    parts.append(f"They are in {found.folder}")
    if found.restore_pending:
        parts.append("One of them is put in the place of the database at the next start.")
    show("\n\n".join(parts))
    return OK


def restore(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Check a backup and put it in the place of the database."""
    done = asyncio.run(_restored(_source(arguments.backup, settings), settings))
    if arguments.json:
        show_json(done)
        return OK
    parts = [done.message]
    if done.missing_key_ids:
        parts.append(
            f"{len(done.missing_key_ids)} keys that it needs are not in the key ring "
            f"({', '.join(done.missing_key_ids)}): put the keyring.json or "
            "STORAGE_ENCRYPTION_KEY of that time back, or enter provider keys again and make "
            "new keys. Chains of records could not be verified."
        )
    if done.broken:
        parts.append(
            f"{len(done.broken)} chains of records did not verify when it was made: "
            "`omniroute audit verify` names the rows."
        )
    show("\n\n".join(parts))
    return OK


def made_page(made: BackupMadeJson, path: Path, settings: Settings) -> str:
    """Give what was made as text."""
    one = made.backup
    facts = (
        ("backup", str(path)),
        ("size", size(one.size)),
        ("rows", f"{one.rows:,}, counted and whole"),
        ("chains", f"{len(made.broken)} broken" if made.broken else "verified"),
    )
    ring = RING.format(ring=settings.data_dir / "keyring.json")
    if settings.storage_encryption_key is not None:
        ring = RING.format(ring="STORAGE_ENCRYPTION_KEY")
    return f"{fields(facts)}\n\n{ring}"


def _target(path: Path) -> Path:
    """Give the file to write: never one that is there, as it may be the only backup."""
    if path.exists() and not path.is_dir():
        raise Stop(f"{path} exists: name another file, or a folder")
    if not path.is_dir() and not path.absolute().parent.is_dir():
        raise Stop(f"there is no folder {path.absolute().parent}")
    return path


def _source(name: str, settings: Settings) -> Path:
    """Give the file of a backup, named by itself or by its id."""
    path = Path(name)
    if path.exists():
        return path.absolute()
    inside = settings.data_dir / FOLDER / f"{name}{SUFFIX}"
    if "/" not in name and inside.exists():
        return inside
    raise Stop(f"there is no backup {name!r}: `omniroute backups` lists those of the data folder")


async def _restored(path: Path, settings: Settings) -> RestoreJson:
    # Alembic and SQLAlchemy are imported by it, and are for this command alone.
    from ..restores import put_back

    running = find_gateway(settings)
    checked, kept = await put_back(
        path, settings, version=version("omniroute"), running=running is not None
    )
    message = f"{path.name} is in the place of the database"
    if running is not None:
        message = (
            f"{path.name} is whole, and is put in its place when the gateway at {running.url} is "
            "stopped and started again"
        )
    elif kept is not None and kept.exists():
        message += f"; what was there is in {kept}"
    return RestoreJson(
        restored=running is None,
        pending=running is not None,
        backup_id=path.stem,
        missing_key_ids=checked.missing_keys,
        broken=broken_json(checked),
        message=message,
    )
