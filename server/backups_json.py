"""What `/api/db-backups` speaks. Names are the documented ones, so in camelCase."""

import time
from dataclasses import dataclass

import msgspec

from .audits import BrokenJson
from .store.backup_file import Checked
from .store.backups import Backup


class BackupJson(msgspec.Struct, frozen=True, rename="camel"):
    """A backup in the data folder.

    `reason` is manual or scheduled; `database` what it was made of, sqlite or postgres; `rows`
    all rows in it.
    """

    id: str
    filename: str
    created_at: str
    size: int
    reason: str
    database: str
    schema: str
    version: str
    rows: int


class BackupsJson(msgspec.Struct, frozen=True, rename="camel"):
    """The backups, the newest first; `restorePending` when one is put back at the next start."""

    backups: tuple[BackupJson, ...]
    folder: str
    restore_pending: bool


class BackupMadeJson(msgspec.Struct, frozen=True, rename="camel"):
    """A backup that was made and checked.

    `broken` is where chains of records did not verify in the database itself, and `keyIds` are
    the keys of the key ring that the backup needs: it is not in it.
    """

    backup: BackupJson
    key_ids: tuple[str, ...]
    broken: tuple[BrokenJson, ...]


class RestoreJson(msgspec.Struct, frozen=True, rename="camel"):
    """A backup that was checked and is put in its place at the next start.

    `missingKeyIds` are keys that this key ring lacks: what was sealed with them is lost.
    """

    restored: bool
    pending: bool
    backup_id: str
    missing_key_ids: tuple[str, ...]
    broken: tuple[BrokenJson, ...]
    message: str


@dataclass(frozen=True, slots=True)
class RestoreWish:
    """Which backup to put back."""

    backupId: str  # noqa: N815 - the documented name


def backup_json(one: Backup) -> BackupJson:
    """Give a backup."""
    made = time.gmtime(one.manifest.made_unix_s)
    return BackupJson(
        id=one.backup_id,
        filename=one.path.name,
        created_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", made),
        size=one.size,
        reason=one.manifest.reason,
        database=one.manifest.kind,
        schema=one.manifest.revision,
        version=one.manifest.version,
        rows=sum(one.manifest.rows.values()),
    )


def broken_json(checked: Checked) -> tuple[BrokenJson, ...]:
    """Give where chains of a backup do not verify."""
    return tuple(BrokenJson(one.chain_id, one.seq, one.reason) for one in checked.broken)
