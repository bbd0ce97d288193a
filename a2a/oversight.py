"""The tasks as the management API shows them: the caller's own ones, all of them to admin.

Another key's task is answered like one that does not exist, here as at every door. Tasks are
told in the documented native shapes, with the id of their key, the attempt and the
state in the standards' finer words beside.
"""

from collections.abc import AsyncGenerator, Sequence

from msgspec import structs

from omniroute.routing.access import ADMIN
from omniroute.routing.model import Caller
from omniroute.routing.ports import Clock

from .dialects.codec import StreamStep
from .dialects.native import full_task
from .faults import task_not_found
from .methods import Agent
from .record import Event, task_of
from .task import Json, Task
from .tasks import Listing, Place, Tally, TaskStore


class Oversight:
    """Looks at tasks and cancels them."""

    def __init__(self, agent: Agent, store: TaskStore, clock: Clock) -> None:
        self._agent = agent
        self._store = store
        self._clock = clock

    async def tally(self, caller: Caller) -> Tally:
        """Count the tasks that the caller sees."""
        return await self._store.tally(_owner(caller))

    async def page(
        self, listing: Listing, caller: Caller, *, artifacts: bool
    ) -> tuple[Sequence[Json], int, Place | None]:
        """Give tasks, newest first and without their logs, and how many there are in all.

        The place is that of the last one, where there may be more.
        """
        page, now = await self._store.page(_owner(caller), listing), self._clock.unix()
        last = page.rows[-1] if len(page.rows) == listing.limit else None
        tasks = [task_of(row) for row in page.rows if row.expires_unix_s > now]
        left_out = {"events"} if artifacts else {"events", "artifacts"}
        return (
            [
                {name: value for name, value in _shown(one, ()).items() if name not in left_out}
                for one in tasks
            ],
            page.total,
            None if last is None else Place(last.updated_unix_s, last.task_id),
        )

    async def task(self, task_id: str, caller: Caller) -> Json:
        """Give one task with its log, and what it has written so far.

        Raises:
            Fault: the caller sees no such task.
        """
        owner = await self._as_owner(task_id, caller)
        task = await self._agent.get(task_id, owner)
        return _shown(task, await self._agent.events(task_id, owner))

    async def follow(self, task_id: str, caller: Caller, chars: int) -> AsyncGenerator[StreamStep]:
        """Give what a task writes, from that many characters on, and its end.

        Raises:
            Fault: the caller sees no such task.
        """
        return await self._agent.follow(task_id, await self._as_owner(task_id, caller), chars)

    async def cancel(self, task_id: str, caller: Caller) -> Task:
        """End a task, its upstream call first.

        Raises:
            Fault: the caller sees no such task, or it has ended before.
        """
        return await self._agent.cancel(task_id, await self._as_owner(task_id, caller))

    async def _as_owner(self, task_id: str, caller: Caller) -> Caller:
        """Give who may do this: the caller, or an administrator in the place of the task's key."""
        if _owner(caller) is not None:
            return caller
        row = await self._store.get(task_id, owner=None)
        if row is None:
            raise task_not_found()
        return structs.replace(caller, key_id=row.owner)


def _owner(caller: Caller) -> str | None:
    return None if ADMIN in caller.scopes else caller.key_id


def _shown(task: Task, events: Sequence[Event]) -> Json:
    whole = full_task(task, events, None)
    return {
        **whole,
        "apiKeyId": task.owner,
        "attempt": task.attempt,
        "a2aState": task.state,
    }
