"""How busy each candidate is with the calls of all workers.

A bound on the calls to a candidate holds for all workers together, exactly: a place is taken
under a lock. Who waits for one waits in its own worker, in the order of coming; a place that
another worker gives back is seen within LOOK_S, so between workers it goes to whoever looks
first. A candidate beyond those that the shared memory can hold has its bound divided.
"""

import asyncio

from omniroute.routing.health.loads import Load, Loads, Scope
from omniroute.routing.model import Candidate

from .places import Places

LOOK_S = 0.005


class SharedLoads(Loads):
    """The loads of one worker, which count the calls of the others."""

    def __init__(self, places: Places, *, index: int, workers: int) -> None:
        super().__init__()
        self._places = places
        self._index = index
        self._workers = workers
        self._queued: set[Scope] = set()
        self._looking: asyncio.TimerHandle | None = None

    def in_flight(self, candidate: Candidate) -> int:
        """Give the calls under way of all workers."""
        return self._calls(self._load(candidate))

    def enter_now(self, candidate: Candidate, *, places: int | None) -> bool:
        """Take a place if one is free and nobody here waits for it."""
        load = self._load(candidate)
        if places is None:
            self._write(load, load.in_flight + 1)
            return True
        if load.queue:
            return False
        return self._take(load, places)

    async def enter(self, candidate: Candidate, *, places: int | None, queue_s: float) -> bool:
        """Take a place, waiting for one that this worker or another gives back."""
        scope = (candidate.account_id, candidate.model)
        if places is not None:
            self._queued.add(scope)
            self._look_later()
        return await super().enter(candidate, places=places, queue_s=queue_s)

    def leave(self, candidate: Candidate) -> None:
        """Give a place back."""
        load = self._load(candidate)
        self._write(load, load.in_flight - 1)
        if load.queue:
            self._admit(load)

    def _admit(self, load: Load) -> None:
        while load.queue and (load.queue[0][1].done() or self._take(load, load.queue[0][0])):
            _, turn = load.queue.popleft()
            if not turn.done():
                turn.set_result(None)

    def _take(self, load: Load, places: int) -> bool:
        """Take a place if one is free; gives whether."""
        if load.row is None:
            free = load.in_flight < max(places // self._workers, 1)
            load.in_flight += free
            return free
        with self._places.locked():
            if self._places.calls(load.row) >= places:
                return False
            self._write(load, load.in_flight + 1)
        return True

    def _write(self, load: Load, calls: int) -> None:
        load.in_flight = calls
        if load.row is not None:
            self._places.write(self._index, load.row, calls)

    def _look_later(self) -> None:
        if self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def _look(self) -> None:
        """See whether others have given places back that somebody here waits for."""
        self._looking = None
        for scope in list(self._queued):
            load = self._loads.get(scope)
            if load is None or not load.queue:
                self._queued.discard(scope)
            else:
                self._admit(load)
        if self._queued:
            self._look_later()

    def _calls(self, load: Load) -> int:
        return load.in_flight if load.row is None else self._places.calls(load.row)

    def _new_load(self, scope: Scope) -> Load:
        return Load(row=self._places.row(*scope))
