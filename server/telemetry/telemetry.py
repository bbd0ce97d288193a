"""Follows what requests come to, off the path of their answers.

The ledger hands over each outcome as it is recorded, which costs a request one short call. A few
times a second, or when somebody wants the figures, all that came is counted and told to whoever
follows: the access log, traces.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from omniroute.a2a.tasks import TaskRow
from omniroute.routing.model import Outcome
from omniroute.tools.audit import UNKNOWN_TOOL, ToolCall

from .figures import OTHER, Figures
from .watchdog import BLOCKED_S, watched

DRAIN_S = 0.25
SEEN_MAX = 10_000
"""When so many wait they are followed at once, by whoever hands over the next."""
TELL_TURNS = 4
"""After so many turns of DRAIN_S the other workers are told."""
AT_ONCE = 256
"""So many are followed in one turn of the event loop."""

log = logging.getLogger("omniroute")

Follower = Callable[[Outcome], None]
Told = TypeVar("Told")


class Telemetry:
    """Counts outcomes and tells them.

    Attributes:
        figures: what was counted.
        followers: are told each outcome, in order.
        tool_followers, task_followers: are told each call of a tool and each task's end, at once.
        tell: tells the other workers what was counted here; called once in TELL_TURNS.
    """

    def __init__(self) -> None:
        self.figures = Figures()
        self.followers: list[Follower] = []
        self.tool_followers: list[Callable[[ToolCall], None]] = []
        self.task_followers: list[Callable[[TaskRow], None]] = []
        self.tell: Callable[[], None] = _nobody
        self._seen: list[Outcome] = []
        self._has_failed = False

    def outcome(self, outcome: Outcome) -> None:
        """Take a request that is over; its body is not needed."""
        self._seen.append(outcome)
        if len(self._seen) >= SEEN_MAX:
            self.drain()

    def drain(self) -> None:
        """Follow everything that came so far."""
        seen, self._seen = self._seen, []
        for outcome in seen:
            self._follow(outcome)

    async def run(self) -> None:
        """Follow what comes, until cancelled; while this runs the event loop is watched."""
        turns = 0
        try:
            with watched(every_s=DRAIN_S) as pulse:
                while True:
                    await asyncio.sleep(DRAIN_S)
                    self._turned(pulse.beat(time.monotonic()))
                    turns = (turns + 1) % TELL_TURNS
                    if not turns:
                        self.tell()
                    await self._follow_seen()
                    pulse.beat(time.monotonic())
        finally:
            self.drain()
            self.tell()

    async def _follow_seen(self) -> None:
        while self._seen:
            seen, self._seen = self._seen[:AT_ONCE], self._seen[AT_ONCE:]
            for outcome in seen:
                self._follow(outcome)
            await asyncio.sleep(0)

    def _turned(self, late_s: float) -> None:
        if late_s >= BLOCKED_S:
            self.figures.blocked(late_s)
            log.warning("loop_turns_again", extra={"duration_ms": round(late_s * 1000)})

    def tool_call(self, call: ToolCall) -> None:
        """Take a call of an MCP tool that is over."""
        # A name that is no tool's is text of a client.
        tool = OTHER if call.error == UNKNOWN_TOOL else call.tool
        self.figures.tool(tool, call.outcome, call.duration_ms / 1000)
        self._tell(self.tool_followers, call)

    def task(self, task: TaskRow) -> None:
        """Take an A2A task that came to an end, or waits for its client."""
        self.figures.task(task.state)
        self._tell(self.task_followers, task)

    def _follow(self, outcome: Outcome) -> None:
        self.figures.request(outcome)
        if self.followers:
            self._tell(self.followers, outcome)

    def _tell(self, followers: Iterable[Callable[[Told], None]], told: Told) -> None:
        """Tell followers; one that fails must not end what it follows."""
        for follower in followers:
            try:
                follower(told)
            except Exception:
                if not self._has_failed:
                    log.exception("follower_failed")
                self._has_failed = True


def _nobody() -> None:
    """Do as a process does that has no others."""
