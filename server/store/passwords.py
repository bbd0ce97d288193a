"""The one password of the dashboard, hashed; there is none until somebody sets it.

What is stored is made elsewhere (server/passwords.py): this is a row, who changed it and when.
Whoever signed in with the password before is signed out by every change of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from omniroute.routing.access import OWNER

from .changes import Changes, NothingChanged, Told
from .database import Database, Rows, Statement, Steps


@dataclass(frozen=True, slots=True)
class StoredPassword:
    """The password as it is kept."""

    hashed: str = field(repr=False)
    changed_unix_s: float
    changed_by: str


class Passwords:
    """The password, in memory. Those that other processes set are here after the next `load`.

    Attributes:
        stored: the password, None where there is none.
        version: the `config_version` that it was read at.
    """

    def __init__(self, database: Database, changes: Changes) -> None:
        self.stored: StoredPassword | None = None
        self.version = -1
        self._database = database
        self._changes = changes

    async def load(self) -> None:
        """Read it."""

        def unit() -> Steps[tuple[Rows, int]]:
            rows = yield Statement(_READ)
            (row,) = yield Statement("SELECT version FROM config_version")
            return rows, int(row["version"])

        rows, version = await self._database.read(unit)
        if version < self.version:
            # Another load overtook this one with a newer password.
            return
        self.version, self.stored = version, None
        for row in rows:
            changed = float(row["changed_unix_s"])
            self.stored = StoredPassword(row["hashed"], changed, row["changed_by"])

    async def put(self, hashed: str, *, actor: str, only_first: bool = False) -> bool:
        """Set it; gives whether that was done.

        Args:
            hashed: with argon2id.
            actor: who does it, for the audit.
            only_first: do it only where there is none.
        """
        now = self._changes.now()

        def steps() -> Steps[None]:
            if only_first and (yield Statement(_READ)):
                raise NothingChanged
            yield Statement(_PUT, (hashed, now, actor))
            yield Statement(_END, (OWNER, now))

        return await self._make(Told(actor, "password.set", "dashboard", {}), steps)

    async def remove(self, *, actor: str) -> bool:
        """Have none any more; gives whether there was one."""
        now = self._changes.now()

        def steps() -> Steps[None]:
            if not (yield Statement(_REMOVE)):
                raise NothingChanged
            yield Statement(_END, (OWNER, now))

        return await self._make(Told(actor, "password.remove", "dashboard", {}), steps)

    async def _make(self, told: Told, steps: Callable[[], Steps[None]]) -> bool:
        try:
            await self._changes.make(told, steps)
        except NothingChanged:
            return False
        finally:
            await self.load()
        return True


_READ = "SELECT hashed, changed_unix_s, changed_by FROM dashboard_password"
_PUT = (
    "INSERT INTO dashboard_password (only_row, hashed, changed_unix_s, changed_by) "
    "VALUES (1, $1, $2, $3) ON CONFLICT (only_row) DO UPDATE SET hashed = $1, "
    "changed_unix_s = $2, changed_by = $3"
)
_REMOVE = "DELETE FROM dashboard_password RETURNING only_row"
_END = "UPDATE dashboard_sessions SET ended_unix_s = $2 WHERE key_id = $1 AND ended_unix_s IS NULL"
