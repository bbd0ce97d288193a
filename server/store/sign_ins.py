"""Sessions of the dashboard: which browsers are signed in, and as whom.

A session is what a cookie of 256 random bits stands for. Stored is a MAC of the cookie under a
pepper of the key ring, so whoever copies the database can sign in with nothing of it. Every
request asks the database: a session that was ended by one process is over in all of them.

A session ends when its time is over, when nobody has used it for so long, when somebody signs
it out, or with its key: what the key may do now is what the session may do now. When that has
changed, the browser is given another cookie; the one before stays good for OVERLAP_S, as a
browser asks for several things at once.
"""

import base64
import hmac
import re
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from omniroute.routing.errors import StorageUnavailable
from omniroute.routing.ports import Clock

from .changes import Changes, NothingChanged, Told
from .database import Database, Row, Statement, Steps
from .key_secrets import ID_CHARACTERS, SECRET_BYTES, new_id, secret_of
from .keyring import KeyRing

OVERLAP_S = 20.0
SEEN_S = 60.0
"""How exactly it is kept when a session was last used."""
KEPT_S = 30 * 86_400.0
"""How long a session that is over stays on record."""
PRUNED_MAX = 500
SHOWN_MAX = 500
AGENT_CHARS_MAX = 200
_SHAPE = re.compile(r"[a-z2-7]{12}-[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SignIn:
    """One session.

    Attributes:
        key_id: as whom.
        scopes: what that one could do when the cookie was given.
        ends_unix_s: when it ends whatever is done.
        ended_unix_s: when it was signed out.
        address: where it began.
        agent: what its browser called itself then.
    """

    session_id: str
    key_id: str
    scopes: str
    made_unix_s: float
    seen_unix_s: float
    ends_unix_s: float
    ended_unix_s: float | None
    address: str
    agent: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a cookie stands for.

    Attributes:
        is_open: whether it lets in; a session that is over still says whose it was.
        is_newest: whether the cookie is its last one.
    """

    sign_in: SignIn
    is_open: bool
    is_newest: bool


@dataclass(frozen=True, slots=True)
class NewCookie:
    """A session and its cookie, which is known only now."""

    session_id: str
    text: str = field(repr=False)


class SignIns:
    """All sessions, in the database.

    Attributes:
        idle_s: after how long without a request one is over.
        lasts_s: after how long one is over at most.
    """

    def __init__(self, database: Database, ring: KeyRing, changes: Changes, clock: Clock) -> None:
        self.idle_s = 8 * 3600.0
        self.lasts_s = 7 * 86_400.0
        self._database = database
        self._ring = ring
        self._changes = changes
        self._clock = clock

    async def begin(
        self, key_id: str, scopes: Iterable[str], *, address: str, agent: str, before: str = ""
    ) -> NewCookie:
        """Sign somebody in.

        Args:
            key_id: as whom.
            scopes: what that one may do.
            address: from where.
            agent: what the browser calls itself.
            before: the session that this browser had; it is over now.
        """
        session_id, now = new_id(), self._changes.now()
        text, digest, pepper = _new_text(session_id, self._ring)
        values = (session_id, digest, pepper, key_id, _joined(scopes), now, now)
        agent = agent[:AGENT_CHARS_MAX]

        def steps() -> Steps[None]:
            if before:
                yield Statement(_END, (before, now))
            yield Statement(_BEGIN, (*values, now + self.lasts_s, address, agent))

        facts = {"address": address}
        await self._changes.make(Told(key_id, "dashboard.sign_in", session_id, facts), steps)
        return NewCookie(session_id, text)

    async def find(self, text: str) -> Found | None:
        """Give what a cookie stands for; None when it is none of ours.

        Raises:
            StorageUnavailable: the database does not answer.
        """
        if _SHAPE.fullmatch(text) is None:
            return None
        rows = await self._database.read(Statement(_FIND, (text[:ID_CHARACTERS],)))
        if not rows:
            return None
        row, now = rows[0], self._clock.unix()
        is_newest = self._fits(row, "", text)
        if not is_newest:
            until = row["old_until_unix_s"]
            if until is None or now >= until or not self._fits(row, "old_", text):
                return None
        sign_in = _sign_in(row)
        found = Found(sign_in, self._is_open(sign_in, now), is_newest)
        if found.is_open and now - sign_in.seen_unix_s >= min(SEEN_S, self.idle_s / 4):
            # A page can be read while nothing can be written; the session then ends earlier.
            with suppress(StorageUnavailable):
                await self._database.write(Statement(_SEE, (sign_in.session_id, now)))
        return found

    async def is_open(self, session_id: str) -> bool:
        """Whether a session is open, as far as nobody's cookie is asked for. Raises as `find`."""
        rows = await self._database.read(Statement(_FIND, (session_id,)))
        return bool(rows) and self._is_open(_sign_in(rows[0]), self._clock.unix())

    async def renew(self, sign_in: SignIn, scopes: Iterable[str]) -> NewCookie | None:
        """Give a session whose key has other rights now another cookie; None when it has one."""
        text, digest, pepper = _new_text(sign_in.session_id, self._ring)
        until = self._clock.unix() + OVERLAP_S
        values = (sign_in.session_id, sign_in.scopes, digest, pepper, _joined(scopes), until)
        renewed = await self._database.write(Statement(_RENEW, values))
        return NewCookie(sign_in.session_id, text) if renewed else None

    async def end(self, session_id: str, *, actor: str, of: str | None = None) -> bool:
        """Sign one out; False when no such session is open.

        Args:
            session_id: which.
            actor: who does it, for the audit.
            of: only if it is of this key; None is of any.
        """
        now = self._changes.now()

        def steps() -> Steps[bool]:
            if not (yield Statement(_END_OF, (session_id, now, of))):
                raise NothingChanged
            return True

        with suppress(NothingChanged):
            return await self._changes.make(
                Told(actor, "dashboard.sign_out", session_id, {}), steps
            )
        return False

    async def end_all(self, *, actor: str, of: str | None = None) -> int:
        """Sign all out, or all of one key; give how many were."""
        now = self._changes.now()
        told = Told(actor, "dashboard.sign_out_all", of or "all", {})
        ended = Statement(_END_ALL, (now, of))
        return len(await self._changes.make(told, ended))

    async def open(self, *, of: str | None = None) -> Sequence[SignIn]:
        """Give the sessions that are open, the last used first; of one key, or of all."""
        now = self._clock.unix()
        asked = (now, now - self.idle_s, of, SHOWN_MAX)
        return [_sign_in(row) for row in await self._database.read(Statement(_OPEN, asked))]

    async def prune(self, *, now_unix_s: float) -> int:
        """Remove sessions that have long been over, PRUNED_MAX at most; give how many."""
        asked = (now_unix_s - KEPT_S, PRUNED_MAX)
        return len(await self._database.write(Statement(_PRUNE, asked)))

    def _is_open(self, sign_in: SignIn, now: float) -> bool:
        return (
            sign_in.ended_unix_s is None
            and now < sign_in.ends_unix_s
            and now < sign_in.seen_unix_s + self.idle_s
        )

    def _fits(self, row: Row, which: str, text: str) -> bool:
        digest = row[f"{which}digest"]
        if digest is None:
            return False
        secret = secret_of(self._ring, row[f"{which}pepper_id"], digest)
        return secret is not None and secret.fits(text.encode())


def _new_text(session_id: str, ring: KeyRing) -> tuple[str, bytes, str]:
    secret = base64.urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).decode().rstrip("=")
    text, newest = f"{session_id}-{secret}", ring.newest
    return text, hmac.digest(newest.for_use("pepper"), text.encode(), "sha256"), newest.key_id


def _joined(scopes: Iterable[str]) -> str:
    return " ".join(sorted(scopes))


def _sign_in(row: Row) -> SignIn:
    ended = row["ended_unix_s"]
    return SignIn(
        session_id=row["session_id"],
        key_id=row["key_id"],
        scopes=row["scopes"],
        made_unix_s=float(row["made_unix_s"]),
        seen_unix_s=float(row["seen_unix_s"]),
        ends_unix_s=float(row["ends_unix_s"]),
        ended_unix_s=None if ended is None else float(ended),
        address=row["address"],
        agent=row["agent"],
    )


_COLUMNS = (
    "session_id, key_id, scopes, made_unix_s, seen_unix_s, ends_unix_s, ended_unix_s, address, "
    "agent"
)
_BEGIN = (
    "INSERT INTO dashboard_sessions (session_id, digest, pepper_id, key_id, scopes, made_unix_s, "
    "seen_unix_s, ends_unix_s, address, agent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
)
_FIND = (
    "SELECT digest, pepper_id, old_digest, old_pepper_id, old_until_unix_s, "  # noqa: S608
    f"{_COLUMNS} FROM dashboard_sessions WHERE session_id = $1"
)
_SEE = "UPDATE dashboard_sessions SET seen_unix_s = $2 WHERE session_id = $1 AND seen_unix_s < $2"
_RENEW = (
    "UPDATE dashboard_sessions SET old_digest = digest, old_pepper_id = pepper_id, digest = $3, "
    "pepper_id = $4, scopes = $5, old_until_unix_s = $6 WHERE session_id = $1 AND scopes = $2 "
    "RETURNING session_id"
)
_END = (
    "UPDATE dashboard_sessions SET ended_unix_s = $2 WHERE session_id = $1 AND ended_unix_s IS NULL"
)
_END_OF = (
    "UPDATE dashboard_sessions SET ended_unix_s = $2 WHERE session_id = $1 "
    "AND ended_unix_s IS NULL AND (CAST($3 AS TEXT) IS NULL OR key_id = $3) RETURNING session_id"
)
_END_ALL = (
    "UPDATE dashboard_sessions SET ended_unix_s = $1 WHERE ended_unix_s IS NULL "
    "AND (CAST($2 AS TEXT) IS NULL OR key_id = $2) RETURNING session_id"
)
_OPEN = (
    f"SELECT {_COLUMNS} FROM dashboard_sessions WHERE ended_unix_s IS NULL "  # noqa: S608
    "AND ends_unix_s > $1 AND seen_unix_s > $2 AND (CAST($3 AS TEXT) IS NULL OR key_id = $3) "
    "ORDER BY seen_unix_s DESC, session_id LIMIT $4"
)
_PRUNE = (
    "DELETE FROM dashboard_sessions WHERE session_id IN (SELECT session_id "
    "FROM dashboard_sessions WHERE ended_unix_s < $1 OR seen_unix_s < $1 OR ends_unix_s < $1 "
    "LIMIT $2) RETURNING session_id"
)
