"""The putting back of a backup by a command: checked, then in the place of the database."""

from pathlib import Path

from omniroute.routing.access import LOCAL_CLI
from omniroute.routing.errors import Conflict

from .compose import SystemClock
from .settings import Settings
from .storage import backed_up, key_ring, open_storage
from .store.backup_file import Checked, check_backup
from .store.backups import lay_ready, write_restored
from .store.data_folder import make_data_folder
from .store.database import open_database
from .store.restoring import refuse_while_used, restore_postgres
from .store.sqlite_file import REPLACED

ACTOR = LOCAL_CLI


async def put_back(
    path: Path, settings: Settings, *, version: str, running: bool
) -> tuple[Checked, Path | None]:
    """Put a backup in the place of the database; with a gateway on it, at that one's next start.

    Returns:
        What the check found, and where the database that was there is now.

    Raises:
        NoBackup: it is not whole; nothing was changed.
        Conflict: the database is PostgreSQL, and in use.
    """
    make_data_folder(settings.data_dir)
    where = backed_up(settings, version=version)
    if where.database_path is None:
        checked = await _into_postgres(path, settings, running=running)
        kept = None
    else:
        checked = await lay_ready(where, path, key_ring(settings), actor=ACTOR)
        kept = Path(f"{where.database_path}{REPLACED}")
    if not running:
        # Opening puts it in its place, brings its tables up to date and says so in the audit log.
        async with open_storage(settings, SystemClock(), version=version, overlay=lambda one: one):
            if where.has_staged:
                raise Conflict(
                    f"another process has the database open: {path.name} is whole, and is put in "
                    "its place when that has ended and OmniRoute is started again"
                )
    return checked, kept


async def _into_postgres(path: Path, settings: Settings, *, running: bool) -> Checked:
    if running:
        raise Conflict("a gateway uses the database: stop every gateway on it first")
    checked = await check_backup(path, key_ring(settings))
    async with open_database(settings.store_url) as database:
        await refuse_while_used(database, SystemClock.unix())
    url = f"postgresql://{settings.store_url.partition('://')[2]}"
    await restore_postgres(url, path, checked.manifest)
    write_restored(settings.data_dir, path, actor=ACTOR)
    return checked
