"""Databases that hold a reading back, or do not answer."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal

from omniroute.routing.errors import StorageUnavailable
from omniroute.server.store.database import Database, Unit


@dataclass
class Failing:
    """A database that can be read and, from some moment on, not written; or not even read."""

    real: Database
    writes: bool = True
    reads: bool = True
    written: int = 0
    kind: Literal["sqlite", "postgres"] = "sqlite"

    def submit(self, unit: Unit[Any]) -> "asyncio.Future[Any]":
        return self.real.submit(unit)

    async def write(self, unit: Unit[Any]) -> Any:
        if not self.writes:
            raise StorageUnavailable("the disk is full")
        self.written += 1
        return await self.real.write(unit)

    async def read(self, unit: Unit[Any]) -> Any:
        if not self.reads:
            raise StorageUnavailable("the database does not answer")
        return await self.real.read(unit)


@dataclass
class Held(Failing):
    """A database whose next reading is held back after it has read."""

    read_once: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, unit: Unit[Any]) -> Any:
        found = await self.real.read(unit)
        if not self.read_once.is_set():
            self.read_once.set()
            await self.go_on.wait()
        return found
