"""Runs of processes: each has an id, and others can tell whether it still lives.

A boot writes that it is there every BEAT_S. On the same machine its process is looked up, so a
crash is noticed at once; from another machine it counts as dead after SILENT_S without a beat.
"""

import os
import secrets
from dataclasses import dataclass

from .database import Database, Row, Statement
from .processes import this_machine, this_process

BEAT_S = 10.0
SILENT_S = 60.0


@dataclass(frozen=True, slots=True)
class Boot:
    """One run of one process."""

    boot_id: str
    machine: str
    process_id: int
    process: str
    version: str
    started_unix_s: float
    gateway: str | None = None


def new_boot(version: str, now_unix_s: float, gateway: str | None = None) -> Boot:
    """Give the run of this process that begins now."""
    process_id = os.getpid()
    return Boot(
        boot_id=secrets.token_hex(8),
        machine=this_machine(),
        process_id=process_id,
        process=this_process(process_id) or str(process_id),
        version=version,
        started_unix_s=now_unix_s,
        gateway=gateway,
    )


async def register_boot(database: Database, boot: Boot) -> None:
    """Store that a run began."""
    await database.write(
        Statement(
            "INSERT INTO boots (boot_id, machine, process_id, process, version, started_unix_s, "
            "seen_unix_s, gateway) VALUES ($1, $2, $3, $4, $5, $6, $6, $7)",
            (
                *(boot.boot_id, boot.machine, boot.process_id, boot.process, boot.version),
                *(boot.started_unix_s, boot.gateway),
            ),
        )
    )


async def beat(database: Database, boot_id: str, now_unix_s: float) -> None:
    """Store that a run still goes on."""
    await database.write(
        Statement("UPDATE boots SET seen_unix_s = $2 WHERE boot_id = $1", (boot_id, now_unix_s))
    )


async def last_beat_unix_s(database: Database, boot_id: str) -> float | None:
    """Give when a run last said that it goes on; None where it is not known."""
    sql = "SELECT seen_unix_s FROM boots WHERE boot_id = $1"
    rows = await database.read(Statement(sql, (boot_id,)))
    return float(rows[0]["seen_unix_s"]) if rows else None


async def end_boot(database: Database, boot_id: str, now_unix_s: float) -> None:
    """Store that a run ended well."""
    await database.write(
        Statement(
            "UPDATE boots SET seen_unix_s = $2, ended_unix_s = $2 WHERE boot_id = $1",
            (boot_id, now_unix_s),
        )
    )


async def gateways_at_work(database: Database, now_unix_s: float) -> int:
    """Give how many gateways serve on this database, each counted once for all of its workers."""
    rows = await database.read(
        Statement(
            "SELECT machine, process_id, process, ended_unix_s, gateway FROM boots "
            "WHERE gateway IS NOT NULL AND ended_unix_s IS NULL AND seen_unix_s > $1",
            (now_unix_s - SILENT_S,),
        )
    )
    return len({row["gateway"] for row in rows if not is_known_dead(row)})


def is_known_dead(boot: Row) -> bool:
    """Whether the run is over for certain: it said so, or its process is gone from here."""
    if boot["ended_unix_s"] is not None:
        return True
    if boot["machine"] != this_machine():
        return False
    return this_process(int(boot["process_id"])) != str(boot["process"])


def is_silent(boot: Row, now_unix_s: float) -> bool:
    """Whether nothing was heard of the run for long."""
    return bool(now_unix_s - boot["seen_unix_s"] > SILENT_S)
