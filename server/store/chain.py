"""Hash chains: rows that cannot be changed, reordered, inserted or cut off unseen.

Each writer process has a chain of its own in each chained table, named by its boot, so writers
never wait for each other. A row's MAC covers the MAC before it, its number and its content;
the end of the chain is kept in `chains` with a signature of its own, so that rows missing at
the end are noticed too. The key is in the key ring, not in the database: whoever can write to
the database alone can forge none of it. (He could put a whole older backup back: only an
anchor outside the database would show that.)
"""

import hmac
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

from .database import Database, Row, Statement, Steps
from .keyring import KeyRing, RingKey

Kind = Literal["decisions", "audit"]

PAGE_ROWS = 1_000
START = bytes(32)


@dataclass(frozen=True, slots=True)
class Link:
    """What chains one row to the one before."""

    chain_id: str
    seq: int
    mac: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a chain is broken."""

    chain_id: str
    seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check of chains found; sound when there is no fault."""

    chains: int
    rows: int
    faults: tuple[Fault, ...]


class Chain:
    """The chain that this process writes in one table."""

    def __init__(self, kind: Kind, chain_id: str, ring: KeyRing) -> None:
        self._kind = kind
        self._chain_id = chain_id
        self._key = ring.newest

    def extend(self, contents: Sequence[bytes]) -> Steps[list[Link]]:
        """Give the links of new rows. The steps belong into the unit that stores the rows."""
        rows = yield Statement(
            "SELECT seq, mac FROM chains WHERE chain_id = $1 AND kind = $2",
            (self._chain_id, self._kind),
        )
        seq, mac = (int(rows[0]["seq"]), bytes(rows[0]["mac"])) if rows else (0, START)
        secret = self._key.for_use("chain")
        links: list[Link] = []
        for content in contents:
            seq += 1
            mac = _row_mac(secret, mac, seq, content)
            links.append(Link(self._chain_id, seq, mac))
        yield Statement(
            "INSERT INTO chains (chain_id, kind, mac_key_id, seq, mac, signature) "
            "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (chain_id, kind) DO UPDATE SET "
            "seq = excluded.seq, mac = excluded.mac, signature = excluded.signature",
            (
                self._chain_id,
                self._kind,
                self._key.key_id,
                seq,
                mac,
                _signature(secret, self._kind, links[-1]),
            ),
        )
        return links


@dataclass(frozen=True, slots=True)
class ChainedTable:
    """How the rows of a chained table are read.

    Attributes:
        rows_sql: gives `chain_id`, `seq`, `mac` and what `content` needs of the rows of chain
            $1 after number $2, in order, $3 at most.
        orphans_sql: gives `chain_id` and the lowest `seq` of rows that no chain's end covers.
        content: gives the bytes that a row's MAC covers.
    """

    kind: Kind
    rows_sql: str
    orphans_sql: str
    content: Callable[[Row], bytes]


async def verify(database: Database, ring: KeyRing, table: ChainedTable) -> Verified:
    """Check every chain of one table; rows may be added meanwhile."""
    heads = await database.read(
        Statement(
            "SELECT chain_id, mac_key_id, seq, mac, signature FROM chains WHERE kind = $1 "
            "ORDER BY chain_id",
            (table.kind,),
        )
    )
    rows_seen = 0
    faults = [
        Fault(row["chain_id"], int(row["seq"]), "the row belongs to no chain")
        for row in await database.read(Statement(table.orphans_sql))
    ]
    for head in heads:
        key = ring.find(head["mac_key_id"])
        if key is None:
            faults.append(Fault(head["chain_id"], 0, "its key is not in the key ring"))
            continue
        async with aclosing(_pages(database, table.rows_sql, head["chain_id"])) as rows:
            seen, fault = await _verify_one(table, key, head, rows)
        rows_seen += seen
        if fault is not None:
            faults.append(fault)
    return Verified(len(heads), rows_seen, tuple(faults))


def framed(*parts: str | bytes | float) -> bytes:
    """Give parts as bytes that no other parts would give."""
    encoded = [part if isinstance(part, bytes) else str(part).encode() for part in parts]
    return b"".join(len(part).to_bytes(8, "big") + part for part in encoded)


async def _pages(database: Database, rows_sql: str, chain_id: str) -> AsyncGenerator[Row, None]:
    after = 0
    while True:
        rows = await database.read(Statement(rows_sql, (chain_id, after, PAGE_ROWS)))
        for row in rows:
            yield row
        if len(rows) < PAGE_ROWS:
            return
        after = int(rows[-1]["seq"])


async def _verify_one(
    table: ChainedTable, key: RingKey, head: Row, rows: AsyncIterator[Row]
) -> tuple[int, Fault | None]:
    """Give how many rows were seen, and the first fault. Stops where the chain ended."""
    secret = key.for_use("chain")
    chain_id = str(head["chain_id"])
    end = Link(chain_id, int(head["seq"]), bytes(head["mac"]))
    if not hmac.compare_digest(bytes(head["signature"]), _signature(secret, table.kind, end)):
        return 0, Fault(chain_id, end.seq, "its end is not signed by this gateway")
    seq, mac = 0, START
    async for row in rows:
        if seq == end.seq:
            break
        seq += 1
        if row["seq"] != seq:
            return seq, Fault(chain_id, seq, "the row is missing")
        mac = _row_mac(secret, mac, seq, table.content(row))
        if not hmac.compare_digest(mac, bytes(row["mac"])):
            return seq, Fault(chain_id, seq, "the row was changed")
    if seq != end.seq:
        return seq, Fault(chain_id, seq + 1, f"the rows up to {end.seq} are missing")
    if mac != end.mac:
        return seq, Fault(chain_id, seq, "its end is another one")
    return seq, None


def _row_mac(secret: bytes, before: bytes, seq: int, content: bytes) -> bytes:
    return hmac.digest(secret, framed(before, seq, content), "sha256")


def _signature(secret: bytes, kind: Kind, end: Link) -> bytes:
    return hmac.digest(secret, framed("end", kind, end.chain_id, end.seq, end.mac), "sha256")
