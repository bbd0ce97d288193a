"""The operations on push notifications: subscribe, look, unsubscribe.

A look at a subscription is a look at its task: who may not see the task is answered as if
neither existed.
"""

from collections.abc import Callable, Sequence
from typing import Literal, assert_never

from omniroute.routing.access import require
from omniroute.routing.engine import ROUTE
from omniroute.routing.model import Caller
from omniroute.routing.ports import Clock

from .dialects.pushes import PushCodec, PushQuery, with_id
from .faults import Fault, task_not_found
from .push import SUBSCRIPTIONS_MAX, PushStore, Subscription, SubscriptionRow
from .task import Json
from .tasks import TaskStore

PushOperation = Literal["push_set", "push_get", "push_list", "push_delete"]


class Pushes:
    """Subscriptions of tasks.

    Args:
        check: see Outgoing.check.
    """

    def __init__(
        self, store: PushStore, tasks: TaskStore, clock: Clock, check: Callable[[str], None]
    ) -> None:
        self._store = store
        self._tasks = tasks
        self._clock = clock
        self._check = check

    async def answer(
        self, operation: PushOperation, codec: PushCodec, params: Json, caller: Caller
    ) -> object:
        """Give the result of an operation.

        Raises:
            Fault: the caller has no such task or subscription, or the receiver is refused.
        """
        match operation:
            case "push_set":
                require(caller, ROUTE)
                task_id, subscription = codec.read_set(params)
                await self.subscribe(self.row(task_id, subscription), caller)
                return codec.render(task_id, subscription)
            case "push_get":
                query = codec.read_query(params)
                found = await self._get(query, caller)
                return codec.render(query.task_id, found)
            case "push_list":
                task_id = codec.read_task_id(params)
                return codec.render_all(task_id, await self._all(task_id, caller))
            case "push_delete":
                query = codec.read_query(params, required=True)
                await self._own(query.task_id, caller)
                await self._store.remove(
                    query.task_id, query.subscription_id or "", owner=caller.key_id
                )
                return codec.render_removed()
            case _:
                assert_never(operation)

    def row(self, task_id: str, subscription: Subscription) -> SubscriptionRow:
        """Give what is stored of a subscription; one without an id gets it.

        Raises:
            Fault: its receiver is none that may be told.
        """
        try:
            self._check(subscription.url)
        except ValueError as error:
            raise Fault("invalid_params", f"the webhook's url: {error}", field="url") from error
        return self._store.row(task_id, with_id(subscription, task_id))

    async def subscribe(
        self, row: SubscriptionRow, caller: Caller, *, answers: bool = False
    ) -> None:
        """Store a subscription of the caller's task.

        When the task is not under way the caller may not know, and is told so, unless it
        `answers` the task with this.

        Raises:
            Fault: the caller has no such task, or it has too many.
        """
        stored = await self._store.put(
            row, owner=caller.key_id, now_unix_s=self._clock.unix(), owes=not answers
        )
        if stored == "missing":
            raise task_not_found()
        if stored == "full":
            raise Fault(
                "invalid_params",
                f"the task has {SUBSCRIPTIONS_MAX} push notification configurations, which is "
                "the most; delete one first",
            )

    async def _get(self, query: PushQuery, caller: Caller) -> Subscription:
        found = await self._all(query.task_id, caller)
        # Who sets one without an id finds it under its task's.
        asked = query.subscription_id or query.task_id
        for one in found:
            if one.subscription_id == asked:
                return one
        if query.subscription_id is None and found:
            return found[0]
        raise Fault("task_not_found", "the task has no such push notification configuration")

    async def _all(self, task_id: str, caller: Caller) -> Sequence[Subscription]:
        await self._own(task_id, caller)
        return await self._store.subscriptions(task_id, owner=caller.key_id)

    async def _own(self, task_id: str, caller: Caller) -> None:
        row = await self._tasks.get(task_id, owner=caller.key_id)
        if row is None or row.expires_unix_s <= self._clock.unix():
            raise task_not_found()
