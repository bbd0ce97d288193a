"""Things on their way to the database that nobody waits for.

`put` never waits and never fails: it keeps the item in memory and wakes the writer, which lets
items gather for a moment and stores them in one go. Outboxes that gather for equally long store
at the same moments, so that what they store shares a commit. While the database does not answer,
items wait and are tried again. There are two bounds: past `spare_max` the oldest item that may be
spared is given up, past `items_max` the oldest of all; each is counted and the loss is logged
when it begins. An item that fails for what it is must not hold up the others: its batch is
stored one by one, and the faulty one is given up.

An item can be found by its id until it is committed, so that a reader misses none.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, Protocol, TypeVar

from omniroute.routing.errors import StorageUnavailable

Item = TypeVar("Item")
Given_contra = TypeVar("Given_contra", contravariant=True)

RETRY_S = 0.25
RETRY_S_MAX = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one outbox.

    Attributes:
        batch_max: the most items in one write.
        spare_max: when this many wait, the oldest spare item is given up.
        items_max: when this many wait, the oldest item is given up.
        gather_s: how long items may gather before they are stored.
    """

    batch_max: int
    spare_max: int
    items_max: int
    gather_s: float


class Write(Protocol[Given_contra]):
    """Stores items in their order, all of them or none.

    `again` says that an earlier try of the same items may have been stored after all.
    """

    def __call__(self, items: Sequence[Given_contra], *, again: bool) -> Awaitable[None]: ...


class Outbox(Generic[Item]):
    """A bounded queue with one writer.

    Args:
        name: what it carries, for the log.
        write: stores items.
    """

    def __init__(self, name: str, write: Write[Item], *, limits: Limits) -> None:
        self._name = name
        self._write = write
        self._limits = limits
        self._batch_max = limits.batch_max
        self._waiting_max = min(limits.spare_max, limits.items_max)
        self._waiting: dict[str, Item] = {}
        self._spare: dict[str, None] = {}
        self._writing: dict[str, Item] = {}
        self._again = False
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._one_writer = asyncio.Lock()
        self.given_up = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._writing)

    def put(self, item_id: str, item: Item, *, is_spare: bool = False) -> None:
        """Take an item. One of the same id that still waits is replaced, in its place.

        A spare one may be given up before the others.
        """
        waiting = self._waiting
        size = len(waiting)
        if not size:
            self._wake.set()
        elif size >= self._waiting_max and item_id not in waiting:
            self._make_room()
        waiting[item_id] = item
        if is_spare:
            self._spare[item_id] = None
        elif self._spare:
            self._spare.pop(item_id, None)
        if size >= self._batch_max:
            self._hurry.set()

    def find(self, item_id: str) -> Item | None:
        """Give an item that is not committed yet."""
        return self._waiting.get(item_id) or self._writing.get(item_id)

    def waiting(self, item_id: str) -> Item | None:
        """Give an item that has not begun to be written, which `put` would still replace."""
        return self._waiting.get(item_id)

    async def run(self) -> None:
        """Be the writer, until cancelled. What is left then is `flush`'s to store."""
        retry_s = RETRY_S
        while True:
            await self._wake.wait()
            with contextlib.suppress(TimeoutError):
                # Not wait_for: in Python 3.11 that loses a cancellation that comes as it ends.
                async with asyncio.timeout_at(self._moment_s()):
                    await self._hurry.wait()
            try:
                await self.flush()
            except StorageUnavailable as error:
                if retry_s == RETRY_S:
                    log.warning("store_outbox_waits", extra=self._facts(error))
                await asyncio.sleep(retry_s)
                retry_s = min(retry_s * 2, RETRY_S_MAX)
            else:
                retry_s = RETRY_S

    async def flush(self) -> None:
        """Store what has been put so far.

        Raises:
            StorageUnavailable: the database does not answer; what is not stored is kept.
        """
        async with self._one_writer:
            left = len(self)
            while left > 0 and self:
                left -= await self._write_batch()

    def _moment_s(self) -> float:
        """Give the loop's time at which to store next."""
        now_s, gather_s = asyncio.get_running_loop().time(), self._limits.gather_s
        return now_s if gather_s == 0 else math.ceil(now_s / gather_s) * gather_s

    async def _write_batch(self) -> int:
        if not self._writing:
            self._take_batch()
            self._hurry.clear()
        size = len(self._writing)
        again, self._again = self._again, True
        try:
            await self._write(list(self._writing.values()), again=again)
        except StorageUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - logged; the writer outlives what it writes
            if size == 1:
                self._lose("store_outbox_refused", error)
            else:
                await self._write_one_by_one()
        self._writing = {}
        self._again = False
        if not self._waiting:
            self._wake.clear()
        return size

    def _take_batch(self) -> None:
        if len(self._waiting) <= self._batch_max:
            self._writing, self._waiting, self._spare = self._waiting, {}, {}
            return
        for item_id in list(islice(self._waiting, self._batch_max)):
            self._writing[item_id] = self._waiting.pop(item_id)
            self._spare.pop(item_id, None)

    async def _write_one_by_one(self) -> None:
        for item_id, item in list(self._writing.items()):
            try:
                await self._write([item], again=True)
            except StorageUnavailable:
                raise
            except Exception as error:  # noqa: BLE001 - as above
                self._lose("store_outbox_refused", error)
            del self._writing[item_id]

    def _make_room(self) -> None:
        if len(self._waiting) >= self._limits.spare_max and self._spare:
            victim = next(iter(self._spare))
            del self._spare[victim]
        elif len(self._waiting) >= self._limits.items_max:
            victim = next(iter(self._waiting))
        else:
            return
        del self._waiting[victim]
        if self.given_up == 0:
            log.error("store_outbox_overflows", extra=self._facts(None))
        self.given_up += 1

    def _lose(self, event: str, error: Exception) -> None:
        self.given_up += 1
        log.error(event, extra=self._facts(error), exc_info=error)

    def _facts(self, error: Exception | None) -> dict[str, object]:
        return {
            "outbox": self._name,
            "waiting": len(self),
            "given_up": self.given_up,
            "reason": None if error is None else str(error),
        }
