"""Tasks while they run, in this process.

A task runs in the door's own task group, not in the request that sent it: a client that
leaves takes nothing with it, and one that asked not to wait is answered at once. However a
task ends (its answer, a refusal, its client's cancel, its time limit, the gateway's stop),
its work is closed first, so that no upstream call outlives it, and then its end is stored by
a compare-and-set: whoever comes second learns how it really ended.
"""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import anyio
from anyio.abc import TaskGroup

from omniroute.routing.errors import RoutingError, StorageUnavailable, UpstreamFailure
from omniroute.routing.ports import Clock

from .dialects.codec import Began, Ended, StreamStep, Wrote
from .faults import Fault
from .record import event_of, row_of, task_of
from .skills import Work
from .task import ANSWER_ID, ANSWER_NAME, Artifact, Part, State, Task, moved
from .tasks import TaskStore

TASK_S_MAX = 300.0
"""How long a task may run, and so how long a blocking send waits."""
STORE_S_MAX = 5.0
"""How long the store may take to accept a task or its end."""
RUNNING_MAX = 1000
"""Tasks that run at once in this process; more are refused."""
ANSWER_CHARS_MAX = 4 * 2**20
"""The longest answer. It bounds what a task keeps for those who read along."""
SWEEP_EVERY_S = 600.0
"""How often expired tasks are deleted."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a task ends, and what the agent says about it."""

    state: State
    said: str | None = None


COMPLETED = Ending("completed")
CANCELED = Ending("canceled", "canceled by its client")
INTERRUPTED = Ending("failed", "the gateway stopped before the task was done; send it again")
BROKEN = Ending("failed", "an internal error ended the task; the gateway's log has the details")


class Run:
    """One running task. Any number of readers follow what it writes, each from the start.

    Attributes:
        accepted: the task as it was accepted.
        task: the same, and once `done` is set as it ended.
        done: set when the end is stored, or could not be.
        error: why the end could not be stored.
    """

    def __init__(self, task: Task, work: Work, *, keep_content: bool, seconds_max: float) -> None:
        self.accepted = task
        self.task = task
        self.work = work
        self.keep_content = keep_content
        self.done = anyio.Event()
        self.error: RoutingError | None = None
        self.scope = anyio.CancelScope()
        self.ending: Ending | None = None
        self._seconds_max = seconds_max
        self._texts: list[str] = []
        self._chars = 0
        self._changed = anyio.Event()

    @property
    def text(self) -> str:
        """What was written so far."""
        return "".join(self._texts)

    @property
    def wrote(self) -> bool:
        return bool(self._texts)

    def write(self, text: str) -> None:
        """Add to the answer.

        Raises:
            UpstreamFailure: it grows past ANSWER_CHARS_MAX.
        """
        self._chars += len(text)
        if self._chars > ANSWER_CHARS_MAX:
            raise UpstreamFailure(
                f"the answer is longer than {ANSWER_CHARS_MAX} characters", kind="too_large"
            )
        self._texts.append(text)
        self._tell()

    def stop(self, ending: Ending) -> None:
        """End the work now. What had ended already stays as it was."""
        if self.ending is None:
            self.ending = ending
            self.scope.cancel()

    async def run(self) -> Ending:
        """Do the work within its time and give how it ended."""
        if self.ending is not None:
            return self.ending
        self.scope.deadline = anyio.current_time() + self._seconds_max
        with self.scope:
            ending = await self._work()
            # From here on a cancel comes too late.
            self.ending = self.ending or ending
            return ending
        return self.ending or Ending(
            "failed", f"the task took longer than {self._seconds_max:g} s and was ended"
        )

    def end(self, task: Task | None, error: RoutingError | None = None) -> None:
        """Tell everyone who waits how it ended."""
        self.task = task or self.task
        self.error = error
        self.done.set()
        self._tell()

    async def steps(self) -> AsyncGenerator[StreamStep]:
        """Give the task as it was accepted, the text as it comes, and the task as it ended.

        Raises:
            RoutingError: how it ended could not be stored.
        """
        yield Began(self.accepted)
        seen = 0
        while True:
            changed, done = self._changed, self.done.is_set()
            if len(self._texts) > seen:
                text = "".join(self._texts[seen:])
                first, seen = seen == 0, len(self._texts)
                yield Wrote(self.accepted, text, first=first, last=False)
            elif done:
                break
            else:
                await changed.wait()
        if self.error is not None:
            raise self.error
        if seen:
            yield Wrote(self.accepted, "", first=False, last=True)
        yield Ended(self.task)

    async def _work(self) -> Ending:
        try:
            await self.work.run(self.write)
        except RoutingError as error:
            return _ending_of(error)
        except Exception:
            # One task's bug must not end the others, which share this task group.
            _logger.exception("a2a_task_broke", extra={"task_id": self.task.task_id})
            return BROKEN
        return COMPLETED

    def _tell(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()


class Runs:
    """The tasks that run in this process. Works between entering and leaving `lifespan`."""

    def __init__(
        self,
        store: TaskStore,
        clock: Clock,
        *,
        seconds_max: float = TASK_S_MAX,
        running_max: int = RUNNING_MAX,
    ) -> None:
        self._store = store
        self._clock = clock
        self._seconds_max = seconds_max
        self._running_max = running_max
        self._runs: dict[str, Run] = {}
        self._group: TaskGroup | None = None

    @asynccontextmanager
    async def lifespan(self) -> AsyncGenerator[None]:
        """Run tasks; on leaving, end those that still run and wait until that is stored."""
        async with anyio.create_task_group() as group:
            self._group = group
            sweeping = anyio.CancelScope()
            group.start_soon(self._sweep, sweeping)
            try:
                yield
            finally:
                self._group = None
                sweeping.cancel()
                for run in tuple(self._runs.values()):
                    run.stop(INTERRUPTED)

    def find(self, task_id: str, *, owner: str) -> Run | None:
        """Give the run of an owner's task if it runs here."""
        run = self._runs.get(task_id)
        return run if run is not None and run.task.owner == owner else None

    async def accept(self, task: Task, work: Work, *, keep_content: bool) -> Run:
        """Store a new task, then start it. It is committed when this returns.

        Raises:
            Fault: too many tasks run, or the gateway is stopping.
            StorageUnavailable: it could not be stored; it does not run.
        """
        group = self._group
        if group is None:
            raise Fault("internal", "the gateway is stopping; send the task again later")
        if len(self._runs) >= self._running_max:
            raise Fault(
                "internal", f"{self._running_max} tasks run already; send the task again later"
            )
        run = Run(task, work, keep_content=keep_content, seconds_max=self._seconds_max)
        self._runs[task.task_id] = run
        try:
            with anyio.CancelScope(shield=True):
                await self._create(run)
        except BaseException:
            del self._runs[task.task_id]
            raise
        if self._group is group:
            group.start_soon(self._run, run)
        else:
            # The gateway was stopped while the task was stored: it ends as interrupted.
            await self._run(run)
        return run

    async def _create(self, run: Run) -> None:
        row = row_of(run.task, keep_content=run.keep_content)
        try:
            with anyio.fail_after(STORE_S_MAX):
                await self._store.create(row, event_of(run.task))
        except TimeoutError:
            raise StorageUnavailable(
                f"the task could not be stored in {STORE_S_MAX:g} s; send it again"
            ) from None

    async def _run(self, run: Run) -> None:
        ending = INTERRUPTED
        try:
            ending = await run.run()
        finally:
            with anyio.CancelScope(shield=True):
                await self._finish(run, ending)

    async def _finish(self, run: Run, ending: Ending) -> None:
        task: Task | None = None
        error: RoutingError | None = None
        try:
            run.work.close()
            with anyio.fail_after(STORE_S_MAX):
                task = await self._store_end(run, self._ended(run, ending))
        except TimeoutError:
            error = StorageUnavailable("the task's end could not be stored in time")
        except StorageUnavailable as failure:
            error = failure
        except Exception:
            # As in `Run`: the other tasks go on.
            _logger.exception("a2a_task_end_not_stored", extra={"task_id": run.task.task_id})
            error = StorageUnavailable("the task's end could not be stored")
        finally:
            del self._runs[run.task.task_id]
            run.end(task, error)

    def _ended(self, run: Run, ending: Ending) -> Task:
        now = self._clock.unix()
        return replace(
            moved(run.task, ending.state, at_unix_s=now, said=ending.said),
            artifacts=_artifacts(run, ending),
            routing=run.work.story(),
        )

    async def _store_end(self, run: Run, ended: Task) -> Task:
        row = row_of(ended, keep_content=run.keep_content)
        if await self._store.move(row, event_of(ended)):
            return ended
        stored = await self._store.get(ended.task_id, owner=ended.owner)
        if stored is None:
            raise StorageUnavailable("the task's row is gone")
        return task_of(stored)

    async def _sweep(self, scope: anyio.CancelScope) -> None:
        with scope:
            while True:
                await anyio.sleep(SWEEP_EVERY_S)
                try:
                    await self._store.prune(now_unix_s=self._clock.unix())
                except Exception:
                    # The next sweep deletes what this one did not.
                    _logger.exception("a2a_sweep_failed")


def _artifacts(run: Run, ending: Ending) -> tuple[Artifact, ...]:
    """Give the answer, or what there was of it when it broke off."""
    if not run.wrote and ending.state != "completed":
        return ()
    return (Artifact(ANSWER_ID, ANSWER_NAME, (Part("text", run.text),)),)


def _ending_of(error: RoutingError) -> Ending:
    """Give `rejected` for what the client can mend, `failed` for what went wrong."""
    refused = error.status < 500 and not isinstance(error, UpstreamFailure)
    return Ending("rejected" if refused else "failed", str(error))
