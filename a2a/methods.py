"""The agent's operations on tasks, in no dialect's words.

Every look at a task is the caller's own: another caller's task is answered like one that
does not exist. Sending needs the scopes of the skill, checked before a task is made of the
message.
"""

import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace

from omniroute.routing.access import require
from omniroute.routing.conversation import Message as ChatMessage
from omniroute.routing.errors import RoutingError, StorageUnavailable
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller
from omniroute.routing.ports import Clock

from .contexts import conversation_before
from .dialects.codec import Send, StreamStep
from .faults import Fault, no_pushes, task_not_found
from .following import followed
from .push import SubscriptionRow
from .pushing import Pushes
from .record import Event, event_of, read_event, row_of, task_of, written_of
from .run import CANCELED, INTERRUPTED, Ending, Run
from .runs import Runs, answered_already
from .skills import SKILLS, skill_named
from .task import TERMINAL, WAITING, Message, Options, Task, answer_of, moved, words_of
from .tasks import Hold, Listing, TaskStore
from .watching import Watch
from .work import Order, Skill

MESSAGES_MAX = 32
"""Messages of one task, the agent's questions among them."""


@dataclass(frozen=True, slots=True)
class Around:
    """What is around this process.

    Attributes:
        callers: gives the caller of a key's id; None when the key is no more.
        canceled: is told the id and the owner of a canceled task that runs in another process.
        kept_s: how long after its last change a task can be asked for; None is for ever.
        pushes: who is told of tasks; None where nobody is.
    """

    callers: Callable[[str], Caller | None]
    canceled: Callable[[str, str], None]
    kept_s: float | None
    pushes: Pushes | None = None


class Agent:
    """Sends, gets and cancels tasks.

    Args:
        around: what is around this process.

    Attributes:
        watch: has to run, for tasks of other processes to be followed.
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
        self._kept_s = around.kept_s
        self._callers = around.callers
        self._pushes = around.pushes
        self._gateway = gateway
        self._store = store
        self.watch = Watch(store)
        self._clock = clock
        self._runs = runs

    async def send(self, send: Send, caller: Caller) -> Task:
        """Give the task of a message: as it came to rest when the message asks to wait.

        Else it is as it was accepted.

        Raises:
            Fault: the message is refused; no task was made.
            NotAllowed: the caller's key lacks a scope that the skill needs.
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
        return followed(self._store, self.watch, task, chars)

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
        if run is not None:
            run.stop(CANCELED)
            await run.done.wait()
            if run.error is not None:
                raise run.error
            task = run.task
        if not task.ended:
            # It waits for its client, or runs in another process, whose own end of it will come
            # second and be ignored.
            task = await self._end(task, CANCELED, caller)
            self._canceled(task_id, caller.key_id)
        if task.state != "canceled":
            raise _not_cancelable(task)
        return task

    async def _accept(self, send: Send, caller: Caller, *, stream: bool) -> Run:
        asked = await self._asked(send.message, caller)
        options = send.options if asked is None else asked.options
        skill = skill_named(options.skill)
        _check(skill, options, caller)
        task = self._new(send, caller) if asked is None else self._answered(asked, send.message)
        names_context = send.message.context_id is not None
        earlier = await self._earlier(skill, task, caller) if names_context else ()
        order = _order(task, caller, earlier, stream=stream)
        work = skill.begin(self._gateway, self._clock, order)
        push = await self._subscription(send, task, caller, is_new=asked is None)
        keeps = caller.keep_content
        return await self._runs.accept(task, work, keep_content=keeps, push=push)

    async def _asked(self, message: Message, caller: Caller) -> Task | None:
        """Give the task that asked its client something which this message answers.

        Raises:
            Fault: the message names a task that is not the caller's, or asks nothing.
        """
        if message.task_id is None:
            return None
        task = await self.get(message.task_id, caller)
        if task.ended:
            raise Fault(
                "unsupported",
                "the task has ended; send a new message with its contextId and without its taskId",
            )
        if task.state != WAITING:
            raise answered_already()
        if message.context_id not in (None, task.context_id):
            # A2A 1.0, section 3.4.3.
            raise Fault("invalid_params", "the task is of another context", field="contextId")
        if len(task.history) + 2 > MESSAGES_MAX:
            raise Fault("unsupported", f"the task has {MESSAGES_MAX} messages already; send anew")
        return task

    def _new(self, send: Send, caller: Caller) -> Task:
        message = send.message
        context_id = message.context_id or str(uuid.uuid4())
        task_id, now = str(uuid.uuid4()), self._clock.unix()
        return Task(
            task_id=task_id,
            context_id=context_id,
            owner=caller.key_id,
            skill=send.options.skill,
            # It begins as soon as it is stored, so one write says both.
            state="working",
            created_unix_s=now,
            at_unix_s=now,
            options=send.options,
            history=(replace(message, context_id=context_id, task_id=task_id),),
            kept_s=self._kept_s,
        )

    async def _subscription(
        self, send: Send, task: Task, caller: Caller, *, is_new: bool
    ) -> SubscriptionRow | None:
        """Give what is stored with a new task; for one that is there it is stored at once."""
        if send.push is None:
            return None
        if self._pushes is None:
            raise no_pushes()
        row = self._pushes.row(task.task_id, send.push)
        if is_new:
            return row
        await self._pushes.subscribe(row, caller, answers=True)
        return None

    def _answered(self, task: Task, message: Message) -> Task:
        """Give the next attempt at a task, with what the agent had asked and the answer to it."""
        answer = replace(message, context_id=task.context_id)
        return replace(
            moved(task, "working", at_unix_s=self._clock.unix()),
            attempt=task.attempt + 1,
            history=(*task.history, *words_of(task), answer),
        )

    async def _earlier(self, skill: Skill, task: Task, caller: Caller) -> tuple[ChatMessage, ...]:
        """Give the conversation that a task goes on with, none where it came whole with it."""
        if not skill.continues or len(task.options.turns) > 1 or not caller.keep_content:
            return ()
        return await conversation_before(task, self._store)

    async def _redo(self, task: Task) -> None:
        """Do a lost task again where that costs nobody twice, else end it."""
        skill, caller = SKILLS.get(task.skill), self._callers(task.owner)
        again = skill is not None and (skill.repeatable or task.options.replay)
        if skill is None or caller is None or not again or not task.history:
            await self._end(task, INTERRUPTED, attempt=task.attempt)
            return
        try:
            earlier = await self._earlier(skill, task, caller)
            order = _order(task, caller, earlier, stream=False)
            work = skill.begin(self._gateway, self._clock, order)
        except StorageUnavailable:
            raise
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


def _order(task: Task, caller: Caller, earlier: tuple[ChatMessage, ...], *, stream: bool) -> Order:
    [*history, message] = task.history
    return Order(
        message=message,
        options=task.options,
        context_id=task.context_id,
        caller=caller,
        stream=stream,
        request_id=task.request_id,
        history=tuple(history),
        earlier=earlier,
    )


def _check(skill: Skill, options: Options, caller: Caller) -> None:
    """Refuse what the caller may not do, and a client that takes nothing of what comes."""
    for scope in skill.scopes:
        require(caller, scope)
    if not any(map(options.takes, skill.output_modes)):
        raise Fault(
            "content_type",
            "acceptedOutputModes has none of what the skill "
            f"{skill.skill_id} gives: {', '.join(skill.output_modes)}",
        )


def _not_cancelable(task: Task) -> Fault:
    return Fault("not_cancelable", f"the task has ended already: it is {task.state}")
