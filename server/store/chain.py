"""Hash chains: rows that cannot be changed, reordered, inserted or cut off unseen.

Each writer process has a chain of its own in each chained table, named by its boot, so writers
never wait for each other. A row's MAC covers the MAC before it, its number and its content;
the end of the chain is kept in `chains` with a signature of its own, so that rows missing at
the end are noticed too. Rows at the beginning may be removed behind a checkpoint: the MAC that
the next row builds on, signed in the same way. The key is in the key ring, not in the database:
whoever can write to the database alone can forge none of it. (He could put a whole older backup
back: only an anchor outside the database would show that.)
"""

import hashlib
import hmac
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Literal, Protocol

from msgspec import Struct

from .database import Row, Statement, Steps, T, Unit
from .keyring import KeyRing

Kind = Literal["decisions", "audit", "mcp_tool_audit"]

PAGE_ROWS = 1_000
START = bytes(32)


class Readable(Protocol):
    """What chains are read from: a database, or a backup of one."""

    async def read(self, unit: Unit[T]) -> T:
        """Run a unit that only reads."""
        ...


class Link(Struct, frozen=True, gc=False):
    """What chains one row to the one before."""

    chain_id: str
    seq: int
    mac: bytes


@dataclass(frozen=True, slots=True)
class Start:
    """Where a chain begins: its checkpoint, or nothing at all.

    Attributes:
        secret: what the chain's rows are MACed with.
    """

    chain_id: str
    seq: int
    mac: bytes
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a chain is broken."""

    chain_id: str
    seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check of chains found; sound when there is no fault.

    Attributes:
        begins: where chains begin of which rows were removed, by their signed checkpoints.
    """

    chains: int
    rows: int
    faults: tuple[Fault, ...]
    begins: tuple[Link, ...] = ()


class Chain:
    """The chain that this process writes in one table."""

    def __init__(self, kind: Kind, chain_id: str, ring: KeyRing) -> None:
        self._kind = kind
        self._chain_id = chain_id
        self._key = ring.newest
        self._secret = self._key.for_use("chain")

    def open(self) -> Steps["Growth"]:
        """Read where the chain ends; these steps and `close` belong into the rows' own unit."""
        rows = yield Statement(
            "SELECT seq, mac FROM chains WHERE chain_id = $1 AND kind = $2",
            (self._chain_id, self._kind),
        )
        seq, mac = (int(rows[0]["seq"]), bytes(rows[0]["mac"])) if rows else (0, START)
        return Growth(self._chain_id, seq, mac, self._secret)

    def close(self, growth: "Growth") -> Steps[None]:
        """Sign and store where the chain ends now."""
        end = growth.end
        yield Statement(
            "INSERT INTO chains (chain_id, kind, mac_key_id, seq, mac, signature) "
            "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (chain_id, kind) DO UPDATE SET "
            "seq = excluded.seq, mac = excluded.mac, signature = excluded.signature",
            (
                *(end.chain_id, self._kind, self._key.key_id, end.seq, end.mac),
                _signature(self._secret, self._kind, end),
            ),
        )


class Growth:
    """A chain that rows are added to."""

    def __init__(self, chain_id: str, seq: int, mac: bytes, secret: bytes) -> None:
        self._chain_id = chain_id
        self._seq = seq
        self._mac = mac
        # An HMAC of RFC 2104 whose key's two blocks are hashed once and not for every row.
        block = secret.ljust(hashlib.sha256().block_size, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    @property
    def end(self) -> Link:
        """The newest row's link."""
        return Link(self._chain_id, self._seq, self._mac)

    def link(self, content: bytes) -> Link:
        """Give the link of a new row."""
        seq = self._seq = self._seq + 1
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(framed(self._mac, seq, content))
        outer.update(inner.digest())
        mac = self._mac = outer.digest()
        return Link(self._chain_id, seq, mac)


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


async def chained_rows(
    database: Readable, table: ChainedTable
) -> AsyncGenerator[tuple[str, AsyncGenerator[Row, None]], None]:
    """Give every chain of one table with its rows in order, whether it verifies or not."""
    heads = await database.read(Statement(f"{_HEADS} ORDER BY chains.chain_id", (table.kind,)))
    for head in heads:
        chain_id = str(head["chain_id"])
        yield chain_id, _pages(database, table.rows_sql, chain_id, after=0)


async def verify(database: Readable, ring: KeyRing, table: ChainedTable) -> Verified:
    """Check every chain of one table; rows may be added meanwhile."""
    heads = await database.read(Statement(f"{_HEADS} ORDER BY chains.chain_id", (table.kind,)))
    rows_seen = 0
    faults = [
        Fault(row["chain_id"], int(row["seq"]), "the row belongs to no chain")
        for row in await database.read(Statement(table.orphans_sql))
    ]
    begins: list[Link] = []
    for head in heads:
        begin, seen, fault = await _verify_head(database, ring, table, head)
        rows_seen += seen
        if fault is not None:
            faults.append(fault)
        if begin is not None and begin.seq:
            begins.append(Link(begin.chain_id, begin.seq, begin.mac))
    return Verified(len(heads), rows_seen, tuple(faults), tuple(begins))


def framed(*parts: str | bytes | float) -> bytes:
    """Give parts as bytes that no other parts would give."""
    frames: list[bytes] = []
    for part in parts:
        encoded = part if isinstance(part, bytes) else str(part).encode()
        frames += (len(encoded).to_bytes(8, "big"), encoded)
    return b"".join(frames)


def first_rows(table: ChainedTable, chain_id: str, ring: KeyRing) -> Steps[Start | None]:
    """Give where a chain begins, None where it is not signed by this gateway."""
    rows = yield Statement(f"{_HEADS} AND chains.chain_id = $2", (table.kind, chain_id))
    found = _start(table, rows[0], ring) if rows else None
    return None if isinstance(found, Fault) else found


def verified_part(table: ChainedTable, start: Start, rows: Sequence[Row]) -> Link | None:
    """Give the end of the rows that a chain begins with, None where one is not as it was."""
    seq, mac = start.seq, start.mac
    for row in rows:
        seq += 1
        mac = _row_mac(start.secret, mac, seq, table.content(row))
        if row["seq"] != seq or not hmac.compare_digest(mac, bytes(row["mac"])):
            return None
    return Link(start.chain_id, seq, mac)


def checkpoint(table: ChainedTable, end: Link, ring: KeyRing) -> Steps[None]:
    """Sign where a chain begins from now on. The steps belong into the unit that removes rows."""
    key = ring.newest
    yield Statement(
        "INSERT INTO checkpoints (chain_id, kind, mac_key_id, seq, mac, signature) "
        "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (chain_id, kind) DO UPDATE SET "
        "mac_key_id = excluded.mac_key_id, seq = excluded.seq, mac = excluded.mac, "
        "signature = excluded.signature WHERE excluded.seq > checkpoints.seq",
        (
            *(end.chain_id, table.kind, key.key_id, end.seq, end.mac),
            _signature(key.for_use("chain"), table.kind, end, what="checkpoint"),
        ),
    )


def _start(table: ChainedTable, head: Row, ring: KeyRing) -> Start | Fault:
    """Give where a chain begins, or what is wrong with that."""
    chain_id, key = str(head["chain_id"]), ring.find(head["mac_key_id"])
    if key is None:
        return Fault(chain_id, 0, "its key is not in the key ring")
    secret = key.for_use("chain")
    if head["checkpoint_seq"] is None:
        return Start(chain_id, 0, START, secret)
    link = Link(chain_id, int(head["checkpoint_seq"]), bytes(head["checkpoint_mac"]))
    signer = ring.find(head["checkpoint_key_id"])
    if signer is None or not hmac.compare_digest(
        bytes(head["checkpoint_signature"]),
        _signature(signer.for_use("chain"), table.kind, link, what="checkpoint"),
    ):
        return Fault(chain_id, link.seq, "its checkpoint is not signed by this gateway")
    return Start(chain_id, link.seq, link.mac, secret)


async def _verify_head(
    database: Readable, ring: KeyRing, table: ChainedTable, head: Row
) -> tuple[Start | None, int, Fault | None]:
    """Give where a chain begins, how many of its rows were seen, and the first fault.

    A fault is looked at again where rows were removed behind a new checkpoint meanwhile.
    """
    chain_id = str(head["chain_id"])
    while True:
        start = _start(table, head, ring)
        if isinstance(start, Fault):
            return None, 0, start
        rows = _pages(database, table.rows_sql, chain_id, after=start.seq)
        async with aclosing(rows):
            seen, fault = await _verify_one(table, start, head, rows)
        if start.seq and fault is None:
            behind = await database.read(Statement(table.rows_sql, (chain_id, 0, 1)))
            if behind and int(behind[0]["seq"]) <= start.seq:
                fault = Fault(chain_id, int(behind[0]["seq"]), "the row is behind its checkpoint")
        again = await database.read(
            Statement(f"{_HEADS} AND chains.chain_id = $2", (table.kind, chain_id))
        )
        if fault is None or not again or again[0]["checkpoint_seq"] == head["checkpoint_seq"]:
            return start, max(seen - start.seq, 0), fault
        head = again[0]


async def _pages(
    database: Readable, rows_sql: str, chain_id: str, *, after: int
) -> AsyncGenerator[Row, None]:
    while True:
        rows = await database.read(Statement(rows_sql, (chain_id, after, PAGE_ROWS)))
        for row in rows:
            yield row
        if len(rows) < PAGE_ROWS:
            return
        after = int(rows[-1]["seq"])


async def _verify_one(
    table: ChainedTable, start: Start, head: Row, rows: AsyncIterator[Row]
) -> tuple[int, Fault | None]:
    """Give how many rows were seen, and the first fault. Stops where the chain ended."""
    secret, chain_id = start.secret, start.chain_id
    end = Link(chain_id, int(head["seq"]), bytes(head["mac"]))
    if not hmac.compare_digest(bytes(head["signature"]), _signature(secret, table.kind, end)):
        return 0, Fault(chain_id, end.seq, "its end is not signed by this gateway")
    seq, mac = start.seq, start.mac
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


def _signature(secret: bytes, kind: Kind, link: Link, *, what: str = "end") -> bytes:
    return hmac.digest(secret, framed(what, kind, link.chain_id, link.seq, link.mac), "sha256")


_HEADS = (
    "SELECT chains.chain_id, chains.mac_key_id, chains.seq, chains.mac, chains.signature, "
    "checkpoints.seq AS checkpoint_seq, checkpoints.mac AS checkpoint_mac, "
    "checkpoints.mac_key_id AS checkpoint_key_id, checkpoints.signature AS checkpoint_signature "
    "FROM chains LEFT JOIN checkpoints ON checkpoints.chain_id = chains.chain_id "
    "AND checkpoints.kind = chains.kind WHERE chains.kind = $1"
)
