"""Who changed what, and when: append-only, chained, stored with the change itself.

An entry is part of the unit that makes the change, so neither is ever stored without the other.
The detail names what changed, never a secret.
"""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from .chain import Chain, ChainedTable, Link, Verified, chained_rows, framed, verify
from .database import Database, Row, Statement, Steps
from .keyring import KeyRing

ENTRIES_MAX = 500

AUDIT_CHAINS = ChainedTable(
    kind="audit",
    rows_sql=(
        "SELECT chain_id, seq, mac, at_unix_s, actor, action, target, detail FROM audit "
        "WHERE chain_id = $1 AND seq > $2 ORDER BY seq LIMIT $3"
    ),
    orphans_sql=(
        "SELECT audit.chain_id, min(audit.seq) AS seq FROM audit LEFT JOIN chains "
        "ON chains.chain_id = audit.chain_id AND chains.kind = 'audit' "
        "WHERE chains.seq IS NULL OR audit.seq > chains.seq GROUP BY audit.chain_id"
    ),
    content=lambda row: _content(_entry(row)),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One change. `detail` is JSON text."""

    at_unix_s: float
    actor: str
    action: str
    target: str
    detail: str


@dataclass(frozen=True, slots=True)
class Exported:
    """One change with its place in its chain, for keeping elsewhere."""

    link: Link
    entry: Entry


class Audit:
    """The audit log, and this process's chain in it."""

    def __init__(self, database: Database, ring: KeyRing, boot_id: str) -> None:
        self._database = database
        self._ring = ring
        self._chain = Chain("audit", boot_id, ring)

    def append(self, entry: Entry) -> Steps[None]:
        """Store an entry. The steps belong into the unit that makes the change.

        Units that append must not overlap in one process: a change of the configuration first
        raises `config_version`, which makes the next one wait.
        """
        growth = yield from self._chain.open()
        link = growth.link(_content(entry))
        yield from self._chain.close(growth)
        yield Statement(
            "INSERT INTO audit (chain_id, seq, at_unix_s, actor, action, target, detail, mac) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            (
                *(link.chain_id, link.seq, entry.at_unix_s),
                *(entry.actor, entry.action, entry.target, entry.detail, link.mac),
            ),
        )

    async def recent(
        self, *, limit: int, before_unix_s: float | None = None, target: str | None = None
    ) -> Sequence[Entry]:
        """Give the newest entries first, at most ENTRIES_MAX.

        Args:
            limit: how many.
            before_unix_s: only entries older than this.
            target: only entries about this.
        """
        before = None if before_unix_s is None else (before_unix_s, -1, "")
        found, _ = await self.page(limit=limit, before=before, target=target)
        return found

    async def page(
        self, *, limit: int, before: tuple[float, int, str] | None, target: str | None
    ) -> tuple[Sequence[Entry], tuple[float, int, str] | None]:
        """Give the newest entries first, at most ENTRIES_MAX, and the place of the last one.

        Args:
            limit: how many.
            before: only entries before this time, place in its chain and chain.
            target: only entries about this.
        """
        at_unix_s, seq, chain_id = before or (None, 0, "")
        rows = await self._database.read(
            Statement(
                "SELECT at_unix_s, actor, action, target, detail, seq, chain_id FROM audit "
                "WHERE (CAST($1 AS DOUBLE PRECISION) IS NULL OR at_unix_s < $1 OR (at_unix_s = $1 "
                "AND (seq < $4 OR (seq = $4 AND chain_id < $5)))) "
                "AND (CAST($2 AS TEXT) IS NULL OR target = $2) "
                "ORDER BY at_unix_s DESC, seq DESC, chain_id DESC LIMIT $3",
                (at_unix_s, target, min(limit, ENTRIES_MAX), seq, chain_id),
            )
        )
        last = rows[-1] if rows else None
        return [_entry(row) for row in rows], None if last is None else (
            float(last["at_unix_s"]),
            int(last["seq"]),
            str(last["chain_id"]),
        )

    async def everything(self) -> AsyncGenerator[Exported, None]:
        """Give every entry with its place and its MAC, chain by chain, as they are stored."""
        async with aclosing(chained_rows(self._database, AUDIT_CHAINS)) as chains:
            async for _, rows in chains:
                async with aclosing(rows):
                    async for row in rows:
                        link = Link(str(row["chain_id"]), int(row["seq"]), bytes(row["mac"]))
                        yield Exported(link, _entry(row))

    async def verify(self) -> Verified:
        """Check that no entry was changed, inserted or removed."""
        return await verify(self._database, self._ring, AUDIT_CHAINS)


def detail_of(facts: Mapping[str, Any]) -> str:
    """Give facts as the JSON text of an entry."""
    return json.dumps(facts, sort_keys=True, ensure_ascii=False)


def _entry(row: Row) -> Entry:
    return Entry(float(row["at_unix_s"]), row["actor"], row["action"], row["target"], row["detail"])


def _content(entry: Entry) -> bytes:
    return framed(entry.at_unix_s, entry.actor, entry.action, entry.target, entry.detail)
