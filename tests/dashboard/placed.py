"""A gateway with an administrator's key, and people who come to its dashboard."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from omniroute.server.compose import Composed
from omniroute.server.passwords import hashed
from omniroute.server.store.audit import Entry
from omniroute.server.store.key_terms import KeyTerms
from tests.dashboard.person import ORIGIN, Person
from tests.v1.whole import client, opened

SESSION, VISIT = "__Host-omniroute-session", "__Host-omniroute-visit"
SIGN_IN = "/dashboard/sign-in"
SESSIONS = "/dashboard/sessions"
PAGE = "/dashboard/settings"
WISH = {"mode": "cheap", "logRetentionDays": "30"}
PASSWORD = "seven fake horses 42"
HASHED = hashed(PASSWORD)


@dataclass
class Place:
    """A gateway with one administrator's key, and how to come to it."""

    composed: Composed
    http: httpx2.AsyncClient
    key: str
    key_id: str

    def person(self, origin: str = ORIGIN) -> Person:
        """Give somebody who was never here."""
        return Person(self.http, origin)

    async def signed_in(self, secret: str = "", origin: str = ORIGIN) -> Person:
        """Give somebody who has signed in, with the administrator's key if nothing is said."""
        person = self.person(origin)
        assert (await person.sign_in(secret or self.key)).status_code == 303
        return person

    async def entries(self) -> list[Entry]:
        """Give what the audit log has of signing in, newest first."""
        told = await self.composed.parts.storage.audit.recent(limit=50)
        return [one for one in told if one.action.startswith(("dashboard", "password"))]


@asynccontextmanager
async def placed(folder: Path, **variables: str) -> AsyncIterator[Place]:
    """Open a gateway."""
    async with opened(folder, **variables) as composed, client(composed) as http:
        terms = KeyTerms(name="boss", scopes=("admin",))
        made = await composed.parts.storage.keys.create(terms, actor="test")
        yield Place(composed, http, made.text, made.stored.key_id)
