"""How busy each candidate is: calls under way, and who queues for it.

A place is given to whoever came first. A combo may bound the calls to a candidate; the bound
is passed by each request, so a changed combo counts at once, and calls of other combos count
too, for the candidate is one. A request without a bound does not queue. How long it lets wait
for a first byte is kept by latency.py.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from ..model import Candidate

SCOPES_MAX = 4096
"""How many candidates are remembered at most; those in use are kept."""
QUEUE_MAX = 1024
"""Requests that may queue for one candidate; one more is told at once that it is busy."""

Scope = tuple[str, str]


@dataclass(slots=True)
class Load:
    """Calls under way, and who waits with which bound.

    `row` is where processes that share their loads count it; None in a process of its own.
    """

    in_flight: int = 0
    row: int | None = None
    queue: deque[tuple[int, asyncio.Future[None]]] = field(
        default_factory=deque[tuple[int, asyncio.Future[None]]]
    )


@dataclass(slots=True)
class Loads:
    """The load of every candidate of this process. Holds no clock."""

    _loads: dict[Scope, Load] = field(default_factory=dict[Scope, Load])

    def in_flight(self, candidate: Candidate) -> int:
        """Give the calls under way."""
        load = self._loads.get(_scope(candidate))
        return 0 if load is None else load.in_flight

    def by_account(self) -> dict[str, tuple[int, int]]:
        """Give each account's calls under way, and who queues for it in this process."""
        found: dict[str, tuple[int, int]] = {}
        for (account_id, _), load in self._loads.items():
            calls, queued = found.get(account_id, (0, 0))
            found[account_id] = (calls + self._calls(load), queued + len(load.queue))
        return found

    def free_ppm(self, candidate: Candidate, places: int | None) -> int:
        """Give the share of its places that is free, in millionths.

        Without a bound it is the share of its work that one more call would be.
        """
        busy = self.in_flight(candidate)
        if places is None:
            return 1_000_000 // (busy + 1)
        return max(places - busy, 0) * 1_000_000 // places

    def enter_now(self, candidate: Candidate, *, places: int | None) -> bool:
        """Take a place if one is free and nobody waits for it."""
        load = self._load(candidate)
        if places is not None and (load.in_flight >= places or load.queue):
            return False
        load.in_flight += 1
        return True

    async def enter(self, candidate: Candidate, *, places: int | None, queue_s: float) -> bool:
        """Take a place, after those who came before; False when none came free in time."""
        if self.enter_now(candidate, places=places) or places is None:
            return True
        load = self._load(candidate)
        if len(load.queue) >= QUEUE_MAX:
            return False
        turn = asyncio.get_running_loop().create_future()
        entry = (places, turn)
        load.queue.append(entry)
        try:
            async with asyncio.timeout(queue_s):
                await turn
        except TimeoutError:
            return self._give_up(load, entry)
        except asyncio.CancelledError:
            if self._give_up(load, entry):
                self.leave(candidate)
            raise
        return True

    def leave(self, candidate: Candidate) -> None:
        """Give a place back, to the next in the queue if there is one."""
        load = self._loads[_scope(candidate)]
        load.in_flight -= 1
        if load.queue:
            self._admit(load)

    def _give_up(self, load: Load, entry: tuple[int, asyncio.Future[None]]) -> bool:
        """Leave the queue. Gives whether the place came in the same moment after all."""
        turn = entry[1]
        if entry in load.queue:
            load.queue.remove(entry)
            self._admit(load)
        return turn.done() and not turn.cancelled()

    def _load(self, candidate: Candidate) -> Load:
        scope = _scope(candidate)
        known = self._loads.get(scope)
        if known is None:
            if len(self._loads) >= SCOPES_MAX:
                idle = (one for one, load in self._loads.items() if not load.in_flight)
                self._loads.pop(next(idle, scope), None)
            known = self._loads[scope] = self._new_load(scope)
        return known

    def _new_load(self, scope: Scope) -> Load:
        return Load()

    def _calls(self, load: Load) -> int:
        return load.in_flight

    def _admit(self, load: Load) -> None:
        """Give the places that are free to those who came first."""
        while load.queue and load.in_flight < load.queue[0][0]:
            _, turn = load.queue.popleft()
            if not turn.done():
                load.in_flight += 1
                turn.set_result(None)


def _scope(candidate: Candidate) -> Scope:
    return candidate.account_id, candidate.model
