"""One lease: what a process has of one window of a budget; see leases.py."""

import asyncio
import json
import math
from dataclasses import dataclass, field

from .lease_rows import CHUNK_S, CHUNK_SLACK_S, HOLDS_MIN, Granted, Returned, Wish
from .windows import Line

AHEAD_S = 1.0
"""A chunk is to last about this long."""
FIRST_HOLDS = 16
"""A first chunk pays for so many holds like the one that asked."""
GROWTH = 2
EXPOSED = 8
"""The part of a chunk that holds may take before they are recorded: an eighth."""
LASTS_S = CHUNK_S - CHUNK_SLACK_S


@dataclass(slots=True, eq=False)
class Lease:
    """What this process has of one window.

    Attributes:
        target_usd_nanos: how large its chunks are to be.
        recalled_unix_s: when the window's leases were last called back before it was made.
        used_s: when a hold was last paid.
        asked_s: when a chunk was last asked for, `asked_unix_s` the same by the other clock.
        filled_s: when the last chunk was asked for that was granted.
        lasts_s: until when it may be used, `lasts_unix_s` the same by the other clock: others may
            soon take the process for dead. One of the clocks stands still while the machine
            sleeps, the other one can be set.
        stored_usd_nanos: what the database has for it, for certain.
        unrecorded_usd_nanos: what holds took of that which are not recorded yet.
        exposed_usd_nanos: how much these may take at most.
        pending: how many these holds are.
        text: its window as a reservation's row names it.
        granted: whether there was a chunk.
        filling: whether a chunk is being asked for.
        returning: what is being given back.
    """

    line: Line
    lease_id: str
    target_usd_nanos: int
    recalled_unix_s: float = 0.0
    used_s: float = 0.0
    asked_s: float = 0.0
    asked_unix_s: float = 0.0
    filled_s: float = 0.0
    lasts_s: float = math.inf
    lasts_unix_s: float = math.inf
    stored_usd_nanos: int = 0
    unrecorded_usd_nanos: int = 0
    exposed_usd_nanos: int = 0
    pending: int = 0
    granted: bool = False
    filling: bool = False
    returning: "asyncio.Future[Returned] | None" = None
    text: str = field(init=False)

    def __post_init__(self) -> None:
        self.text = json.dumps([self.line.budget_id, self.line.window_start])

    @property
    def free_usd_nanos(self) -> int:
        """What new holds can have."""
        return self.stored_usd_nanos - self.unrecorded_usd_nanos

    def ran_out(self, now: float, now_unix_s: float) -> bool:
        """Whether it must not be used any more."""
        return not (now < self.lasts_s and now_unix_s < self.lasts_unix_s)

    def asked(self, now: float, now_unix_s: float) -> None:
        """Know that a chunk is being asked for."""
        self.asked_s, self.asked_unix_s, self.used_s = now, now_unix_s, now

    def aim(self, now: float, usd_nanos: int) -> None:
        """Make chunks larger when the last was soon used up, smaller when it lasted long."""
        lasted_s = now - self.filled_s
        if lasted_s < AHEAD_S:
            self.target_usd_nanos *= GROWTH
        elif lasted_s > GROWTH * GROWTH * AHEAD_S:
            least = FIRST_HOLDS * usd_nanos
            self.target_usd_nanos = max(self.target_usd_nanos // GROWTH, least)

    def wish(self, usd_nanos: int) -> Wish:
        """Give the chunk to ask for when holds are of that size."""
        least = HOLDS_MIN * usd_nanos
        return Wish(
            self.line,
            self.lease_id,
            is_new=not self.granted,
            usd_nanos=max(self.target_usd_nanos - self.free_usd_nanos, least),
            usd_nanos_min=least,
            exposed_usd_nanos=max(self.target_usd_nanos // EXPOSED, least),
        )

    def filled(self, wish: Wish, granted: Granted) -> None:
        """Have the chunk that was granted."""
        if not self.granted and granted.standing is not None:
            self.recalled_unix_s = granted.standing.recalled_unix_s
        self.granted = True
        self.target_usd_nanos = min(self.target_usd_nanos, granted.share_usd_nanos)
        self.stored_usd_nanos += granted.usd_nanos
        self.exposed_usd_nanos = max(self.exposed_usd_nanos, wish.exposed_usd_nanos)
        self.filled_s = self.asked_s
        self.lasts_s, self.lasts_unix_s = self.asked_s + LASTS_S, self.asked_unix_s + LASTS_S
