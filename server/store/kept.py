"""Figures that live in memory and are stored now and then.

Requests read and change them without waiting. What is new is stored when `poll` finds that it is
time, and by `flush` at the end; what could not be stored stays new and is tried again.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

from omniroute.routing.ports import Clock

from .database import Database


def _nobody(news: object) -> None:
    """Do as a process does whose figures nobody else keeps."""


class Kept(ABC):
    """Figures and their rows.

    Attributes:
        every_s: how often what is new is stored.
        told: takes what was stored just now, for processes that keep the same figures.
    """

    every_s = 5.0

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._tried_s = clock.now()
        self.told: Callable[[object], None] = _nobody

    async def poll(self) -> None:
        """Store what is new when it is time.

        Raises:
            StorageUnavailable: the database does not answer; what is new is kept.
        """
        if self._clock.now() - self._tried_s >= self.every_s:
            await self.flush()

    async def flush(self) -> None:
        """Store what is new.

        Raises:
            StorageUnavailable: as with `poll`.
        """
        self._tried_s = self._clock.now()
        await self._store()

    @abstractmethod
    async def _store(self) -> None:
        """Store what is new, if anything is."""
