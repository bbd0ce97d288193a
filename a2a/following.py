"""Following a task that runs in another process, or ran in one that is gone: by its log.

A run writes what it says to the log every quarter of a second, so a reader here is that much
behind one of the process where it runs, and gets the same text.
"""

from collections.abc import AsyncGenerator
from dataclasses import replace

from omniroute.routing.errors import Interrupted

from .dialects.codec import Began, Ended, StreamStep, Wrote
from .record import read_event, task_of, written_of
from .task import Task, data_of, text_of
from .tasks import TaskStore
from .watching import Watch


async def followed(
    store: TaskStore, watch: Watch, task: Task, chars: int | None
) -> AsyncGenerator[StreamStep]:
    """Give the steps of a task that does not run here.

    Args:
        store: where its log is.
        watch: tells when the log has grown.
        task: as it stands, with what is known of its answer.
        chars: how many characters of the answer the reader has; None for one who gets them
            with the task.

    Raises:
        StorageUnavailable: the log cannot be read.
        Interrupted: the gateway ends.
    """
    known = text_of(task)
    yield Began(task if chars is None else _without_answer(task))
    # A reader may have more than the log: it read where the task ran.
    seen = len(known) if chars is None else chars
    if seen < len(known) and not task.rests:
        yield Wrote(task, known[seen:], first=seen == 0, last=False, chars=len(known))
        seen = len(known)
    # The log begins with the text of `known`, read again: it may have grown meanwhile.
    after, logged = -1, 0
    while not task.rests:
        if watch.is_stopped:
            raise Interrupted("the gateway is shutting down; follow the task again")
        rows = await store.events(task.task_id, owner=task.owner, after=after)
        if rows:
            after = rows[-1].seq
            text = written_of(read_event(row.payload) for row in rows)
            fresh = text[max(0, seen - logged) :]
            logged += len(text)
            if fresh:
                first = seen == 0
                seen = logged
                yield Wrote(task, fresh, first=first, last=False, chars=seen)
        row = await store.get(task.task_id, owner=task.owner)
        if row is None:
            return
        task = task_of(row)
        if not task.rests:
            await watch.news(task.task_id, after + 1)
    whole, data = text_of(task), data_of(task)
    if whole or data is not None:
        # What was written last may be in the task alone.
        rest, chars = whole[seen:], max(seen, len(whole))
        yield Wrote(task, rest, first=seen == 0, last=True, chars=chars, data=data)
    yield Ended(task)


def _without_answer(task: Task) -> Task:
    return replace(task, artifacts=())
