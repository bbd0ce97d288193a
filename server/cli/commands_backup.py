"""The commands about backups, as rows of the table of commands."""

from .command import JSON, Command, Option

BACKUP_COMMANDS: tuple[Command, ...] = (
    Command(
        "backup",
        "copy the database while it is used, and check the copy",
        "backup:backup",
        "[options] [path]",
        options=(
            Option(
                "path",
                "a file or folder for it (default: db_backups in the data folder)",
                arity="optional",
            ),
            JSON,
        ),
        examples=("omniroute backup", "omniroute backup /mnt/elsewhere"),
        more="SQLite or PostgreSQL: one file with every row, as of one moment. It is found whole "
        "before it counts: integrity, the number of rows, every chain of records. Secrets stay "
        "sealed in it, and the key ring is not in it: keep that elsewhere, too. The exit status "
        "is 1 when a chain of records did not verify.",
    ),
    Command("backups", "list the backups of the data folder", "backup:show_all", options=(JSON,)),
    Command(
        "restore",
        "check a backup and put it in the place of the database",
        "backup:restore",
        "[options] backup",
        options=(
            Option("backup", "a file, or an id that `omniroute backups` shows"),
            JSON,
        ),
        examples=("omniroute restore /mnt/elsewhere/omniroute-20270131T030000000Z-manual.sqlite",),
        more="What was there is kept beside it. While a gateway runs on the data folder the "
        "backup is put in place when that one is started again. A PostgreSQL database is "
        "replaced as a whole, in one transaction, while no gateway uses it. A backup of one kind "
        "of database may be put into the other.",
    ),
)
