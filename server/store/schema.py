"""Which version of the tables this program knows, and what to make of the one that is there."""

from dataclasses import dataclass

from .database import CannotOpenStore

REVISIONS = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
    "0010",
    "0011",
    "0012",
    "0013",
    "0014",
    "0015",
    "0016",
    "0017",
    "0018",
    "0022",
    "0023",
    "0024",
    "0025",
    "0026",
    "0028",
    "0033",
    "0034",
    "0036",
    "0037",
    "0039",
)
"""Every schema this program can start from, oldest first; the files of migrations/versions."""

HEAD = REVISIONS[-1]


@dataclass(frozen=True, slots=True)
class Found:
    """What a database holds: its schema, and the OmniRoute that opened it last, when known."""

    revision: str | None
    has_tables: bool
    written_by: str | None = None


def needs_migration(found: Found, where: str) -> bool:
    """Whether the tables must be made or changed before use.

    Raises:
        CannotOpenStore: the database is newer than this program, or not ours.
    """
    if found.revision == HEAD:
        return False
    if found.revision in REVISIONS or not found.has_tables:
        return True
    if found.revision is None:
        raise CannotOpenStore(
            f"the database {where} belongs to another program: it has tables, but no schema "
            "version of OmniRoute; name an empty one"
        )
    by = f" (last opened by OmniRoute {found.written_by})" if found.written_by else ""
    raise CannotOpenStore(
        f"the database {where} has schema {found.revision}{by} and this OmniRoute knows schemas "
        f"up to {HEAD}: start that version or a newer one, or use another data folder with "
        "--data-dir or DATA_DIR"
    )
