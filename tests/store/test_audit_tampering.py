"""One changed bit anywhere in the log of changes is named, a thousand times of a thousand."""

import math
import random
import struct
from dataclasses import dataclass

import pytest

from omniroute.server.store.changes import Changes, Told
from omniroute.server.store.database import Database, Row, RowRefused, Statement
from tests.fakes import FakeClock
from tests.store.opened import Opened

pytestmark = pytest.mark.anyio

TRIALS = 1_000
ENTRIES = 12
TEXTS = ("chain_id", "actor", "action", "target", "detail")
COLUMNS = (*TEXTS, "seq", "at_unix_s", "mac")
ENDS = ("chain_id", "kind", "mac_key_id", "seq", "mac", "signature")


@dataclass(frozen=True)
class Tampering:
    """One column of one row, and what it is changed to."""

    column: str
    value: str | int | float | bytes

    def statement(self, row: Row) -> Statement:
        # Bytes of a text that are no UTF-8: SQLite takes them, as a change of the file would.
        is_broken_text = self.column in TEXTS and isinstance(self.value, bytes)
        value = "CAST($1 AS TEXT)" if is_broken_text else "$1"
        return Statement(
            f"UPDATE audit SET {self.column} = {value} WHERE chain_id = $2 AND seq = $3",
            (self.value, row["chain_id"], row["seq"]),
        )

    def undone(self, row: Row) -> Statement:
        """Put back what was there, found by its MAC unless that is what was changed."""
        other, value = ("detail", row["detail"]) if self.column == "mac" else ("mac", row["mac"])
        return Statement(
            f"UPDATE audit SET {self.column} = $1 WHERE {other} = $2", (row[self.column], value)
        )


def flipped(value: object, draw: random.Random) -> str | int | float | bytes | None:
    """Give the value with one bit of one byte changed, None where that is no value."""
    match value:
        case str():
            raw = with_flip(value.encode(), draw)
            try:
                return None if b"\0" in raw else raw.decode()
            except UnicodeDecodeError:
                return raw
        case bytes():
            return with_flip(value, draw)
        case int():
            return int(value ^ (1 << draw.randrange(62)))
        case float():
            (number,) = struct.unpack("<d", with_flip(struct.pack("<d", value), draw))
            return float(number) if math.isfinite(number) else None
        case _:
            raise AssertionError(value)


def with_flip(raw: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(raw))
    return raw[:place] + bytes([raw[place] ^ (1 << draw.randrange(8))]) + raw[place + 1 :]


async def filled(store: Opened, clock: FakeClock) -> None:
    changes = Changes(store.database, store.audit, clock)
    for number in range(ENTRIES):
        clock.advance(1.25)
        await changes.note(Told("máría", "look", f"t{number}", {"number": number, "said": "ünï"}))


async def rows_of(database: Database, table: str) -> list[Row]:
    return list(await database.read(Statement(f"SELECT * FROM {table}")))


async def test_every_flipped_bit_of_an_entry_is_named_by_its_row(
    store: Opened, clock: FakeClock
) -> None:
    await filled(store, clock)
    rows, draw = await rows_of(store.database, "audit"), random.Random(8)
    named, tried = [], 0
    while tried < TRIALS:
        row, column = draw.choice(rows), draw.choice(COLUMNS)
        value = flipped(row[column], draw)
        is_broken_text = column in TEXTS and isinstance(value, bytes)
        if value is None or (is_broken_text and store.database.kind == "postgres"):
            # PostgreSQL keeps no text that is not UTF-8, so none can be put there.
            continue
        tampering = Tampering(column, value)
        try:
            await store.database.write(tampering.statement(row))
        except RowRefused:
            # The flipped number is that of another row.
            continue
        tried += 1
        faults = (await store.audit.verify()).faults
        named.append((row["chain_id"], row["seq"]) in {(one.chain_id, one.seq) for one in faults})
        await store.database.write(tampering.undone(row))

    assert named == [True] * TRIALS
    assert (await store.audit.verify()).faults == ()


async def test_every_flipped_bit_of_a_chains_end_is_noticed(
    store: Opened, clock: FakeClock
) -> None:
    await filled(store, clock)
    (row,) = (await rows_of(store.database, "chains"))[:1]
    draw = random.Random(9)
    noticed, tried = [], 0
    while tried < 100:
        column = draw.choice(ENDS)
        value = flipped(row[column], draw)
        if value is None or (isinstance(row[column], str) and isinstance(value, bytes)):
            continue
        tried += 1
        await store.database.write(Statement(f"UPDATE chains SET {column} = $1", (value,)))
        noticed.append((await store.audit.verify()).faults != ())
        await store.database.write(Statement(f"UPDATE chains SET {column} = $1", (row[column],)))

    assert noticed == [True] * 100
    assert (await store.audit.verify()).faults == ()


async def test_text_that_is_not_utf_8_is_an_error_for_writers_and_never_quoted(
    sqlite_store: Opened, clock: FakeClock
) -> None:
    await filled(sqlite_store, clock)
    broken = Statement("UPDATE audit SET actor = CAST($1 AS TEXT) WHERE seq = 1", (b"secret\xff",))
    await sqlite_store.database.write(broken)

    read = await sqlite_store.audit.recent(limit=ENTRIES)
    with pytest.raises(Exception, match="not UTF-8") as refused:
        await sqlite_store.database.write(Statement("SELECT actor FROM audit"))

    assert read[-1].actor == "secret\N{REPLACEMENT CHARACTER}"
    assert "secret" not in str(refused.value)
