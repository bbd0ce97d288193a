"""Tasks while they run, in this process.

A task runs in the door's own task group, not in the request that sent it: a client that
leaves takes nothing with it, and one that asked not to wait is answered at once. However a
task ends (its answer, a refusal, its client's cancel, its time limit, the gateway's stop),
its work is closed first, so that no upstream call outlives it, and then its end is stored by
a compare-and-set: whoever comes second learns how it really ended.
"""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
from anyio.abc import TaskGroup

from omniroute.routing.errors import RoutingError, StorageUnavailable
from omniroute.routing.ports import Clock
from omniroute.routing.tracing import ASKED_BY, within

from .faults import Fault
from .push import SubscriptionRow
from .record import event_of, event_of_text, row_of, task_of
from .run import GONE, INTERRUPTED, Ending, Run
from .task import TERMINAL, Artifact, Task, answer_of, moved
from .tasks import Entry, TaskStore
from .work import Work

TASK_S_MAX = 300.0
"""How long a task may run, and so how long a blocking send waits."""
STORE_S_MAX = 5.0
"""How long the store may take to accept a task or its end."""
RUNNING_MAX = 1000
"""Tasks that run at once in this process; more are refused."""
SAVE_EVERY_S = 0.25
"""How often text that streams is written to the log."""
WATCH_EVERY_S = 0.25
"""How often it is looked whether running tasks were ended by other processes."""
RECOVER_EVERY_S = 5.0
"""How often tasks of dead processes are looked for."""

_logger = logging.getLogger(__name__)


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
    async def lifespan(self, recover: Callable[[], Awaitable[None]]) -> AsyncGenerator[None]:
        """Run tasks; on leaving, end those that still run and wait until that is stored.

        Args:
            recover: takes over the tasks of dead processes; called again and again.
        """
        async with anyio.create_task_group() as group:
            self._group = group
            beside = anyio.CancelScope()
            group.start_soon(self._upkeep, beside, recover)
            try:
                yield
            finally:
                beside.cancel()
                self.stop()

    def stop(self) -> None:
        """Accept no more tasks, and end those that run."""
        self._group = None
        for run in tuple(self._runs.values()):
            run.stop(INTERRUPTED)

    def find(self, task_id: str, *, owner: str) -> Run | None:
        """Give the run of an owner's task if it runs here."""
        run = self._runs.get(task_id)
        return run if run is not None and run.task.owner == owner else None

    def runs_here(self, task_id: str) -> bool:
        """Whether a task is this process's work, from before it is stored until it has ended."""
        return task_id in self._runs

    async def accept(
        self, task: Task, work: Work, *, keep_content: bool, push: SubscriptionRow | None = None
    ) -> Run:
        """Store a task, then start it. It is committed when this returns.

        Args:
            task: a new one, or in its next attempt one that waited for its client.
            work: what it does.
            keep_content: whether its messages and its answer may be stored.
            push: who is told of a new one, stored with it.

        Raises:
            Fault: too many tasks run, the gateway is stopping, or the task does not wait.
            StorageUnavailable: it could not be stored; it does not run.
        """
        group = self._group
        if group is None:
            raise Fault("internal", "the gateway is stopping; send the task again later")
        if len(self._runs) >= self._running_max:
            raise Fault(
                "internal", f"{self._running_max} tasks run already; send the task again later"
            )
        if task.task_id in self._runs:
            raise answered_already()
        run = Run(task, work, keep_content=keep_content, seconds_max=self._seconds_max)
        self._runs[task.task_id] = run
        try:
            with anyio.CancelScope(shield=True):
                await self._create(run, push)
        except BaseException:
            del self._runs[task.task_id]
            raise
        await self._start(run, group)
        return run

    async def resume(self, task: Task, work: Work, *, keep_content: bool) -> None:
        """Work on a task that was taken over: it is stored already."""
        group = self._group
        if group is None:
            # It is lost again when this process has ended, and another one takes it.
            return
        run = Run(task, work, keep_content=keep_content, seconds_max=self._seconds_max)
        self._runs[task.task_id] = run
        await self._start(run, group)

    async def _start(self, run: Run, group: TaskGroup) -> None:
        run.stored = True
        if self._group is group:
            group.start_soon(self._run, run)
        else:
            # The gateway was stopped while the task was stored: it ends as interrupted.
            await self._run(run)

    async def _create(self, run: Run, push: SubscriptionRow | None) -> None:
        row = row_of(run.task, keep_content=run.keep_content)
        try:
            with anyio.fail_after(STORE_S_MAX):
                if run.task.attempt == 1:
                    await self._store.create(row, event_of(run.task), push=push)
                elif not await self._store.wake(row, event_of(run.task)):
                    raise answered_already()
        except TimeoutError:
            raise StorageUnavailable(
                f"the task could not be stored in {STORE_S_MAX:g} s; send it again"
            ) from None

    async def _run(self, run: Run) -> None:
        ending = INTERRUPTED
        with within(f"{run.task_id}/{run.accepted.attempt}", ASKED_BY.get()):
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
        if await self._store.move(row, event_of(ended), attempt=ended.attempt):
            return ended
        stored = await self._store.get(ended.task_id, owner=ended.owner)
        if stored is None:
            raise StorageUnavailable("the task's row is gone")
        if stored.state not in TERMINAL:
            raise StorageUnavailable("another process works on the task now; ask for it again")
        return task_of(stored)

    async def _upkeep(
        self, scope: anyio.CancelScope, recover: Callable[[], Awaitable[None]]
    ) -> None:
        with scope:
            async with anyio.create_task_group() as group:
                group.start_soon(_again, RECOVER_EVERY_S, recover)
                group.start_soon(_again, SAVE_EVERY_S, self._save)
                group.start_soon(_again, WATCH_EVERY_S, self._watch)

    async def _save(self) -> None:
        """Write what streams to the log, for those who read it elsewhere, or later."""
        now = self._clock.unix()
        found = [(run, text) for run in self._runs.values() if (text := run.unsaved())]
        if not found:
            return
        await self._store.append(
            [
                Entry(run.task_id, run.accepted.attempt, event_of_text(text, now))
                for run, text in found
            ]
        )
        for run, text in found:
            run.saved(text)

    async def _watch(self) -> None:
        """Stop the work of tasks that others have ended or taken over."""
        running = [run for run in self._runs.values() if run.stored]
        if not running:
            return
        held = await self._store.held()
        for run in running:
            hold = held.get(run.task_id)
            if hold is None or hold.attempt != run.accepted.attempt:
                run.stop(GONE)


def answered_already() -> Fault:
    """Give the refusal of an answer to a question that is not open any more."""
    return Fault("unsupported", "the task takes no further message while it runs")


async def _again(every_s: float, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        await anyio.sleep(every_s)
        try:
            await work()
        except StorageUnavailable as error:
            _logger.warning("a2a_store_unavailable", extra={"reason": str(error)})
        except Exception:
            # The next turn does what this one did not.
            _logger.exception("a2a_upkeep_failed")


def _artifacts(run: Run, ending: Ending) -> tuple[Artifact, ...]:
    """Give the answer, or what there was of it when it broke off."""
    if ending.state == "completed":
        return answer_of(run.text, run.data)
    return answer_of(run.text) if run.wrote else ()
