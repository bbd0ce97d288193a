"""Backups of the database: made while it serves, listed, fetched, and laid ready to be put back."""

from typing import Literal

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from omniroute.routing.model import Caller

from ..backups_json import (
    BackupMadeJson,
    BackupsJson,
    RestoreJson,
    RestoreWish,
    backup_json,
    broken_json,
)
from ..store.backups import Backups
from .pages import Lists
from .queries import Query
from .rows import Row, body_as

PATH = "/api/db-backups"
LISTED = Lists(
    "backups",
    lambda one: (one.created_at, one.id),
    (
        Query("reason", Literal["manual", "scheduled"], "why it was made"),
        Query("database", Literal["sqlite", "postgres"], "what it was made of"),
    ),
    newest_first=True,
)


def rows(backups: Backups) -> tuple[Row, ...]:
    """Give the routes."""

    async def listed(request: Request, caller: Caller) -> BackupsJson:
        found = tuple(map(backup_json, await backups.all()))
        return BackupsJson(found, str(backups.folder), backups.restore_pending)

    async def make(request: Request, caller: Caller) -> BackupMadeJson:
        backup, checked = await backups.make(reason="manual", actor=caller.key_id)
        return BackupMadeJson(backup_json(backup), checked.manifest.key_ids, broken_json(checked))

    async def restore(request: Request, caller: Caller) -> RestoreJson:
        wish = await body_as(request, RestoreWish)
        checked = await backups.restore(wish.backupId, actor=caller.key_id)
        return RestoreJson(
            restored=False,
            pending=True,
            backup_id=wish.backupId,
            missing_key_ids=checked.missing_keys,
            broken=broken_json(checked),
            message="it is whole, and is put in its place when the gateway is started again",
        )

    async def export(request: Request, caller: Caller) -> Response:
        wanted = request.query_params.get("id", "")
        if wanted:
            found = await backups.find(wanted)
        else:
            found, _ = await backups.make(reason="manual", actor=caller.key_id)
        return FileResponse(
            found.path, media_type="application/vnd.sqlite3", filename=found.path.name
        )

    which = Query("id", str, "of a backup; without, a new one is made")
    return (
        Row("GET", PATH, "admin", "List backups", listed, lists=LISTED),
        Row("PUT", PATH, "admin", "Make a backup and check it", make, 201),
        Row(
            "POST", PATH, "admin", "Put a backup back at the next start", restore, body=RestoreWish
        ),
        Row("GET", f"{PATH}/export", "admin", "Fetch a backup's file", export, query=(which,)),
    )
