"""The process that starts the workers, replaces those that die, and ends them all.

It holds the listening sockets, but never accepts; it runs no event loop, no thread and opens no
database, so that it can make workers by fork at any time: they share the memory of everything
that it has imported, and start in the time that opening the store takes.

The first worker starts alone, as it may have to bring the tables up to date and to make the
first key; the others follow when its store is open. When all accept connections, one of them
says so to the user.

A worker that ends although nobody asked is replaced: at once when it had lived for STEADY_S,
else after a pause that doubles. After QUICK_MAX such short lives in a row, and while no worker
lives that started well, the gateway ends with a status that says so: whatever kills them would
go on for ever. A first worker that cannot start ends the gateway with its own status, as a
gateway of one process would.

SIGTERM and SIGINT are passed on as a wish to drain, once, and a second one as the order to end.
Workers ignore SIGINT, which a terminal sends to all of a gateway's processes, and take SIGTERM
for the wish to drain however often it comes: a service manager may send it to all of them, too.
"""

import gc
import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..cli.exits import FAILED, OK, UNAVAILABLE
from ..runtime_file import Running
from .place import ANNOUNCE, DRAIN, END, OPENED, READY, Place, Shared

STEADY_S = 10.0
"""A worker that lived for so long had started well."""
PAUSE_S = 0.5
PAUSE_S_MAX = 8.0
QUICK_MAX = 5
"""Short lives in a row, over all workers, after which the gateway gives up."""
LATE_S = 15.0
"""How long after `drain_s` a worker may take to store what is queued before it is killed."""
LOOK_S = 1.0
IDLE_LOOK_S = 0.1

log = logging.getLogger("omniroute")


@dataclass(frozen=True, slots=True)
class Plan:
    """What the supervisor is to run.

    Attributes:
        work: is called in each worker, with its place, and gives its exit status.
        drain_s: how long requests under way may go on after a wish to end.
        idle_s: how long without a request until the gateway ends by itself; None never.
    """

    workers: int
    work: Callable[[Place], int]
    running: Running
    sockets: Sequence[socket.socket]
    drain_s: float
    idle_s: float | None = None


@dataclass(slots=True)
class _Worker:
    """One place and who has it now; `pid` is 0 while nobody does."""

    pid: int = 0
    line: socket.socket | None = None
    due_s: float = 0.0
    started_s: float = 0.0
    ready: bool = False


@dataclass(slots=True)
class Supervisor:
    """Runs a plan."""

    plan: Plan
    shared: Shared
    started_s: float = field(default_factory=time.monotonic)
    _workers: list[_Worker] = field(default_factory=list[_Worker])
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _waking: tuple[socket.socket, socket.socket] = field(default_factory=socket.socketpair)
    _opened: bool = False
    _announced: bool = False
    _stops_s: float | None = None
    _ends_s: float = 0.0
    _quick: int = 0
    _status: int = OK

    def run(self) -> int:
        """Give the gateway's exit status, and in each worker the worker's own."""
        self._listen_to_signals()
        self._workers = [_Worker() for _ in range(self.plan.workers)]
        # What exists now is never freed: counting it as garbage to look through would copy it.
        gc.freeze()
        while True:
            place = self._start_due()
            if place is not None:
                return self.plan.work(place)
            if self._stops_s is not None and not any(one.pid for one in self._workers):
                return self._status
            self._wait()
            self._reap()
            self._look_at_time()

    def _start_due(self) -> Place | None:
        """Start the workers whose time has come. Gives the place, in the process that has it."""
        now = time.monotonic()
        for index, worker in enumerate(self._workers):
            if self._stops_s is not None or worker.pid or now < worker.due_s:
                continue
            if index and not self._opened:
                continue
            place = self._start(index, worker)
            if place is not None:
                return place
        return None

    def _start(self, index: int, worker: _Worker) -> Place | None:
        ours, theirs = socket.socketpair()
        try:
            pid = os.fork()
        except OSError as error:
            ours.close()
            theirs.close()
            log.error("worker_not_started", extra={"worker": index, "reason": str(error)})
            worker.due_s = time.monotonic() + PAUSE_S_MAX
            return None
        if pid == 0:
            ours.close()
            self._become_worker()
            theirs.setblocking(False)
            first = not self._opened
            plan = self.plan
            return Place(
                *(index, plan.workers, plan.running, self.started_s, first),
                shared=self.shared,
                line=theirs,
            )
        theirs.close()
        ours.setblocking(False)
        worker.pid, worker.line, worker.ready = pid, ours, False
        worker.started_s = time.monotonic()
        self.shared.board.process(index, pid)
        self._selector.register(ours, selectors.EVENT_READ, index)
        return None

    def _become_worker(self) -> None:
        """Leave behind what is the supervisor's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        self._selector.close()
        for one in (*self._waking, *(worker.line for worker in self._workers)):
            if one is not None:
                one.close()

    def _listen_to_signals(self) -> None:
        for one in self._waking:
            one.setblocking(False)
        signal.set_wakeup_fd(self._waking[1].fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            # A handler of our own, so that the number is written to the waking socket.
            signal.signal(number, lambda number, frame: None)
        self._selector.register(self._waking[0], selectors.EVENT_READ, None)

    def _wait(self) -> None:
        """Wait for a signal, a word of a worker, or the next thing that is due."""
        for key, _ in self._selector.select(self._pause_s()):
            if key.data is None:
                for number in _received(self._waking[0]):
                    if number in (signal.SIGTERM, signal.SIGINT):
                        self._stop()
            else:
                self._hear(self._workers[key.data])

    def _pause_s(self) -> float:
        now = time.monotonic()
        waits = [LOOK_S if self.plan.idle_s is None else IDLE_LOOK_S]
        if self._stops_s is None:
            waits += [one.due_s - now for one in self._workers if not one.pid and one.due_s > now]
        return max(min(waits), 0.0)

    def _hear(self, worker: _Worker) -> None:
        words = b"" if worker.line is None else _received(worker.line)
        if OPENED in words:
            self._opened = True
        if READY in words:
            worker.ready = True
        if not self._announced and all(one.ready for one in self._workers):
            self._announced = True
            _say(worker, ANNOUNCE)
        if not words:
            # It is gone, or about to: what ended it is told by `_reap`.
            self._hang_up(worker)

    def _hang_up(self, worker: _Worker) -> None:
        if worker.line is not None:
            self._selector.unregister(worker.line)
            worker.line.close()
            worker.line = None

    def _reap(self) -> None:
        """Take note of workers that have ended."""
        for index, worker in enumerate(self._workers):
            if not worker.pid:
                continue
            pid, found = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                self._ended(index, worker, os.waitstatus_to_exitcode(found))

    def _ended(self, index: int, worker: _Worker, status: int) -> None:
        lived_s = time.monotonic() - worker.started_s
        self.shared.clear(index, time.monotonic())
        self._hang_up(worker)
        pid, self._workers[index] = worker.pid, _Worker()
        if self._stops_s is not None:
            self._status = self._status or (OK if status == OK else FAILED)
            return
        if not self._opened:
            # It said why itself, as a gateway of one process does.
            self._give_up(status if status > 0 else FAILED)
            return
        facts = {"worker": index, "process_id": pid, "lived_s": round(lived_s, 1), **_how(status)}
        if status == OK:
            # Somebody asked it to end, and it did so in peace.
            log.info("worker_left", extra=facts)
            return
        self._quick = 0 if lived_s >= STEADY_S else self._quick + 1
        if self._quick >= QUICK_MAX and not self._has_steady():
            log.error("worker_ended_gave_up", extra={**facts, "in_a_row": self._quick})
            self._give_up(UNAVAILABLE)
            return
        doublings = min(self._quick, QUICK_MAX) - 2
        pause_s = min(PAUSE_S * 2**doublings, PAUSE_S_MAX) if doublings >= 0 else 0.0
        log.warning("worker_ended", extra={**facts, "next_in_s": pause_s})
        self._workers[index].due_s = time.monotonic() + pause_s

    def _has_steady(self) -> bool:
        """Whether a worker lives that has started well."""
        now = time.monotonic()
        return any(one.pid and now - one.started_s >= STEADY_S for one in self._workers)

    def _give_up(self, status: int) -> None:
        self._stop()
        self._status = status

    def _stop(self) -> None:
        """Ask the workers to drain; asked again, to end at once."""
        word = DRAIN if self._stops_s is None else END
        now = time.monotonic()
        if self._stops_s is None:
            self._stops_s, self._ends_s = now, now + self.plan.drain_s + LATE_S
            # Else clients could still queue where nobody accepts any more.
            for one in self.plan.sockets:
                one.close()
        else:
            self._ends_s = min(self._ends_s, now + LATE_S)
        for worker in self._workers:
            _say(worker, word)

    def _look_at_time(self) -> None:
        now = time.monotonic()
        if self._stops_s is not None:
            if now >= self._ends_s:
                for worker in self._workers:
                    if worker.pid:
                        os.kill(worker.pid, signal.SIGKILL)
            return
        if self._quick and all(
            one.pid and now - one.started_s >= STEADY_S for one in self._workers
        ):
            self._quick = 0
        if self.plan.idle_s is not None and self._announced:
            idle_since_s = self.shared.board.idle_since_s()
            if idle_since_s is not None and now - idle_since_s >= self.plan.idle_s:
                log.info("idle_exit")
                self._stop()


def _received(line: socket.socket) -> bytes:
    """Give what has come, empty when the other side is gone."""
    try:
        return line.recv(256)
    except BlockingIOError:
        return b"\0"
    except OSError:
        return b""


def _say(worker: _Worker, word: bytes) -> None:
    if worker.line is not None:
        try:
            worker.line.send(word)
        except OSError:
            # It is gone; `_reap` takes note of that.
            return


def _how(status: int) -> dict[str, object]:
    """Give how a process ended: the signal's name, or the status that it gave."""
    if status < 0:
        return {"signal": signal.Signals(-status).name}
    return {"status": status}
