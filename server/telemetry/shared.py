"""The figures of all workers, so that a scrape sees one gateway, whichever worker it comes to.

Whoever is scraped asks the others for theirs. Each worker also tells the others once a second
what it has counted, if that is news, so that the counts of one that dies stay: a counter that
falls would look like a new start. What was counted in the last second of a worker that crashed is
lost; of one that ends well nothing is.
"""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from ..workers.mail import Peers
from .figures import Counted, all_of
from .telemetry import Telemetry

FIGURES = "figures"
NEWS = "figures_news"
PROCESSES_MAX = 256
"""Runs of workers whose figures are remembered."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class Live(msgspec.Struct, array_like=True):
    """What is true of one worker at a moment; None where the machine does not tell."""

    process_id: int
    busy: int
    streams: int
    waiting: int
    given_up: int
    cpu_s: float
    resident_bytes: int | None
    descriptors: int | None
    is_short: bool


class Told(msgspec.Struct, array_like=True):
    """What one run of a worker has counted; the highest number is the newest."""

    run: str
    number: int
    counted: Counted


class _Answer(msgspec.Struct, array_like=True):
    live: Live
    known: list[Told]


class SharedFigures:
    """The figures of all workers.

    Args:
        run: names this run of this process.
        live: gives what is true of it now.
    """

    def __init__(
        self, peers: Peers, telemetry: Telemetry, *, run: str, live: Callable[[], Live]
    ) -> None:
        self._peers = peers
        self._telemetry = telemetry
        self._run = run
        self._live = live
        self._others: dict[str, Told] = {}
        self._told = 0
        peers.on(FIGURES, self._answer)
        peers.on(NEWS, self._hear)

    def tell(self) -> None:
        """Tell the others what was counted here, if that is news."""
        own = self._own()
        if self._told != own.number:
            self._told = own.number
            self._peers.tell(NEWS, msgspec.msgpack.encode(own))

    async def gather(self) -> tuple[Counted, Sequence[Live]]:
        """Give what all have counted, and what is true of each that answers."""
        lives = [self._live()]
        for words in await self._peers.ask(FIGURES):
            answer = msgspec.msgpack.decode(words, type=_Answer)
            lives.append(answer.live)
            for told in answer.known:
                self._take(told)
        counted = [self._own().counted, *(one.counted for one in self._others.values())]
        return all_of(counted), sorted(lives, key=lambda one: one.process_id)

    def _own(self) -> Told:
        self._telemetry.drain()
        figures = self._telemetry.figures
        return Told(self._run, figures.changes, figures.counted)

    def _take(self, told: Told) -> None:
        if told.run == self._run:
            return
        known = self._others.get(told.run)
        if known is None:
            while len(self._others) >= PROCESSES_MAX:
                del self._others[next(iter(self._others))]
        if known is None or known.number < told.number:
            self._others[told.run] = told

    async def _answer(self, words: object) -> bytes:
        return msgspec.msgpack.encode(_Answer(self._live(), [self._own(), *self._others.values()]))

    async def _hear(self, words: bytes) -> None:
        self._take(msgspec.msgpack.decode(words, type=Told))


def resident_bytes() -> int | None:
    """Give how much memory this process holds. Source: proc(5), statm."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return None


def descriptors() -> int | None:
    """Give how many files and sockets this process has open. Source: proc(5), fd."""
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return None


def cpu_s() -> float:
    """Give the processor time of this process."""
    return time.process_time()
