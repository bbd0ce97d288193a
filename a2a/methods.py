"""The agent's operations on tasks, in no dialect's words.

Every look at a task is the caller's own: another caller's task is answered like one that
does not exist. Sending needs write:route, checked before a task is made of the message.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

from omniroute.routing.access import require
from omniroute.routing.engine import ROUTE
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller
from omniroute.routing.ports import Clock

from .dialects.codec import Send
from .faults import Fault, task_not_found
from .record import Event, event_of, read_event, row_of, task_of
from .runs import CANCELED, INTERRUPTED, TASK_S_MAX, Ending, Run, Runs
from .skills import Order, skill_named
from .task import TERMINAL, Task, moved
from .tasks import TaskStore

LOST_AFTER_S = TASK_S_MAX + 60.0
"""An unfinished task of this age runs nowhere any more: its gateway was killed."""


class Agent:
    """Sends, gets and cancels tasks.

    Args:
        canceled: is told the id and the owner of a canceled task that runs in another process.
    """

    def __init__(
        self,
        gateway: Gateway,
        store: TaskStore,
        clock: Clock,
        runs: Runs,
        canceled: Callable[[str, str], None],
    ) -> None:
        self._canceled = canceled
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
        return await self._end(task, INTERRUPTED, caller) if self._is_lost(task) else task

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

    def _is_lost(self, task: Task) -> bool:
        return (
            not task.ended
            and self._clock.unix() - task.created_unix_s > LOST_AFTER_S
            and self._runs.find(task.task_id, owner=task.owner) is None
        )

    async def _end(self, task: Task, ending: Ending, caller: Caller) -> Task:
        """End a task that does not run here, and give it as it really ended."""
        ended = moved(task, ending.state, at_unix_s=self._clock.unix(), said=ending.said)
        row = row_of(ended, keep_content=caller.keep_content)
        if await self._store.move(row, event_of(ended)):
            return ended
        stored = await self._store.get(task.task_id, owner=caller.key_id)
        if stored is None or stored.state not in TERMINAL:
            raise task_not_found()
        return task_of(stored)


def _not_cancelable(task: Task) -> Fault:
    return Fault("not_cancelable", f"the task has ended already: it is {task.state}")
