"""The agent's operations on tasks, in no dialect's words.

Every look at a task is the caller's own: another caller's task is answered like one that
does not exist. Sending needs write:route, checked before a task is made of the message.
"""

import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace

from omniroute.routing.access import require
from omniroute.routing.engine import ROUTE
from omniroute.routing.errors import RoutingError
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller
from omniroute.routing.ports import Clock

from .dialects.codec import Send, StreamStep
from .faults import Fault, task_not_found
from .following import followed
from .record import Event, event_of, read_event, row_of, task_of, written_of
from .run import CANCELED, INTERRUPTED, Ending, Run
from .runs import Runs
from .skills import SKILLS, Order, skill_named
from .task import TERMINAL, Task, answer_of, moved
from .tasks import Hold, Listing, TaskStore


@dataclass(frozen=True, slots=True)
class Around:
    """What is around this process.

    Attributes:
        callers: gives the caller of a key's id; None when the key is no more.
        canceled: is told the id and the owner of a canceled task that runs in another process.
    """

    callers: Callable[[str], Caller | None]
    canceled: Callable[[str, str], None]


class Agent:
    """Sends, gets and cancels tasks.

    Args:
        around: what is around this process.
    """

    def __init__(
        self,
        gateway: Gateway,
        store: TaskStore,
        clock: Clock,
        runs: Runs,
        around: Around,
    ) -> None:
        self._canceled = around.canceled
        self._callers = around.callers
        self._gateway = gateway
        self._store = store
        self._clock = clock
        self._runs = runs

    async def send(self, send: Send, caller: Caller) -> Task:
        """Give the task of a message: ended when the message asks to wait, else as accepted.

        Raises:
            Fault: the message is refused; no task was made.
            NotAllowed: the caller may not route.
            StorageUnavailable: the task or its end could not be stored.
        """
        if not send.blocking and not caller.keep_content:
            raise Fault(
                "unsupported",
                "this key keeps no content, so an answer could not be fetched later; "
                "send blocking, or stream",
            )
        run = await self._accept(send, caller, stream=False)
        if not send.blocking:
            return run.accepted
        await run.done.wait()
        if run.error is not None:
            raise run.error
        return run.task

    async def stream(self, send: Send, caller: Caller) -> Run:
        """Give the run of a message, to be followed while it writes. Raises as `send` does."""
        return await self._accept(send, caller, stream=True)

    async def get(self, task_id: str, caller: Caller) -> Task:
        """Give the caller's task as it stands.

        Raises:
            Fault: the caller has no such task.
        """
        row = await self._store.get(task_id, owner=caller.key_id)
        if row is None or row.expires_unix_s <= self._clock.unix():
            raise task_not_found()
        task = task_of(row)
        if task.ended:
            return task
        run = self._runs.find(task_id, owner=caller.key_id)
        if run is not None:
            return run.so_far()
        text = written_of(await self.events(task_id, caller))
        return replace(task, artifacts=answer_of(text)) if text else task

    async def listed(self, listing: Listing, caller: Caller) -> tuple[Sequence[Task], int]:
        """Give tasks of the caller, newest first, and how many there are on all pages."""
        page = await self._store.page(caller.key_id, listing)
        now = self._clock.unix()
        return [task_of(row) for row in page.rows if row.expires_unix_s > now], page.total

    async def follow(
        self, task_id: str, caller: Caller, chars: int | None = None
    ) -> AsyncGenerator[StreamStep]:
        """Give the steps of the caller's task from where it stands, wherever it runs.

        The answer's text is told from `chars` on, the number of characters that the reader
        has; a reader who gives None has none, and gets them with the task.

        Raises:
            Fault: the caller has no such task, or it has ended and the reader has nothing of
                it to go on from.
        """
        task = await self.get(task_id, caller)
        if task.ended and chars is None:
            raise Fault("unsupported", f"the task has ended: it is {task.state}; get it instead")
        run = self._runs.find(task_id, owner=caller.key_id)
        if run is not None:
            return run.steps(chars)
        return followed(self._store, task, chars)

    async def recover(self) -> None:
        """End, or do again, the tasks of dead processes, and those left over of this one.

        Raises:
            StorageUnavailable: the store does not answer.
        """
        for row in await self._store.lost(now_unix_s=self._clock.unix()):
            taken = await self._store.take(row)
            if taken is not None:
                await self._redo(task_of(taken))
        for task_id, hold in (await self._store.held()).items():
            if not self._runs.runs_here(task_id):
                # Its end, or its acceptance, was stored too late for anyone to hear of it.
                await self._give_up(task_id, hold)

    async def events(self, task_id: str, caller: Caller) -> Sequence[Event]:
        """Give the log of the caller's task, empty when there is no such task."""
        rows = await self._store.events(task_id, owner=caller.key_id)
        return [read_event(row.payload) for row in rows]

    async def cancel(self, task_id: str, caller: Caller) -> Task:
        """End the caller's task, its upstream call first, and give it as it ended.

        Raises:
            Fault: the caller has no such task, or it has ended before.
        """
        task = await self.get(task_id, caller)
        if task.ended:
            raise _not_cancelable(task)
        run = self._runs.find(task_id, owner=caller.key_id)
        if run is None:
            # It runs in another process, whose own end of it will come second and be ignored.
            ended = await self._end(task, CANCELED, caller)
            self._canceled(task_id, caller.key_id)
        else:
            run.stop(CANCELED)
            await run.done.wait()
            if run.error is not None:
                raise run.error
            ended = run.task
        if ended.state != "canceled":
            raise _not_cancelable(ended)
        return ended

    async def _accept(self, send: Send, caller: Caller, *, stream: bool) -> Run:
        require(caller, ROUTE)
        skill = skill_named(send.options.skill)
        await self._check_continued(send, caller)
        message = send.message
        context_id = message.context_id or str(uuid.uuid4())
        work = skill.begin(
            self._gateway, self._clock, Order(message, send.options, context_id, caller, stream)
        )
        task_id, now = str(uuid.uuid4()), self._clock.unix()
        task = Task(
            task_id=task_id,
            context_id=context_id,
            owner=caller.key_id,
            skill=skill.skill_id,
            # It begins as soon as it is stored, so one write says both.
            state="working",
            created_unix_s=now,
            at_unix_s=now,
            options=send.options,
            history=(replace(message, context_id=context_id, task_id=task_id),),
        )
        return await self._runs.accept(task, work, keep_content=caller.keep_content)

    async def _check_continued(self, send: Send, caller: Caller) -> None:
        """Refuse a message to an existing task: no skill here asks its client anything back."""
        task_id = send.message.task_id
        if task_id is None:
            return
        task = await self.get(task_id, caller)
        state = "has ended" if task.ended else "takes no further message while it runs"
        raise Fault(
            "unsupported",
            f"the task {state}; send a new message with its contextId and without its taskId",
        )

    async def _redo(self, task: Task) -> None:
        """Do a lost task again where that costs nobody twice, else end it."""
        skill, caller = SKILLS.get(task.skill), self._callers(task.owner)
        again = skill is not None and (skill.repeatable or task.options.replay)
        if skill is None or caller is None or not again or not task.history:
            await self._end(task, INTERRUPTED, attempt=task.attempt)
            return
        [*_, message] = task.history
        order = Order(message, task.options, task.context_id, caller, stream=False)
        try:
            work = skill.begin(self._gateway, self._clock, order)
        except RoutingError as error:
            await self._end(task, Ending("failed", str(error)), attempt=task.attempt)
            return
        await self._runs.resume(task, work, keep_content=caller.keep_content)

    async def _give_up(self, task_id: str, hold: Hold) -> None:
        row = await self._store.get(task_id, owner=hold.owner)
        if row is not None and row.attempt == hold.attempt and row.state not in TERMINAL:
            await self._end(task_of(row), INTERRUPTED, attempt=hold.attempt)

    async def _end(
        self, task: Task, ending: Ending, caller: Caller | None = None, attempt: int | None = None
    ) -> Task:
        """End a task that does not run here, and give it as it really ended."""
        ended = moved(task, ending.state, at_unix_s=self._clock.unix(), said=ending.said)
        if not ended.artifacts:
            rows = await self._store.events(task.task_id, owner=task.owner)
            text = written_of(read_event(row.payload) for row in rows)
            ended = replace(ended, artifacts=answer_of(text) if text else ())
        keep = caller is None or caller.keep_content
        row = row_of(ended, keep_content=keep)
        if await self._store.move(row, event_of(ended), attempt=attempt):
            return ended
        stored = await self._store.get(task.task_id, owner=task.owner)
        if stored is None or stored.state not in TERMINAL:
            raise task_not_found()
        return task_of(stored)


def _not_cancelable(task: Task) -> Fault:
    return Fault("not_cancelable", f"the task has ended already: it is {task.state}")
