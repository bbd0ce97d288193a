"""The conversation of a context: what a message with a known contextId goes on with.

It is what this key's own answered tasks of the context hold, the newest of them as far as they
fit. Nothing is kept for it besides those tasks, so it is forgotten with them, and a key that
keeps no content has none. What failed or was canceled is no part of it: a question without
its answer would be asked again.
"""

from collections.abc import Sequence

from omniroute.routing.conversation import Message as ChatMessage
from omniroute.routing.conversation import Text

from .record import task_of
from .smart_routing import chat_message, turn_message
from .task import SMART_ROUTING, Task, text_of
from .tasks import Listing, TaskStore

TASKS_MAX = 20
"""Answered tasks that a conversation goes back."""
CHARS_MAX = 200_000
"""Characters of a conversation, images in base64 among them. Whole tasks are left out."""


async def conversation_before(task: Task, store: TaskStore) -> tuple[ChatMessage, ...]:
    """Give what was said in a task's context before it, oldest first.

    Raises:
        StorageUnavailable: the store does not answer.
    """
    listing = Listing(
        context_id=task.context_id,
        states=frozenset({"completed"}),
        skill=SMART_ROUTING,
        limit=TASKS_MAX,
    )
    page = await store.page(task.owner, listing)
    found = [one for one in map(task_of, page.rows) if _is_before(one, task)]
    found.sort(key=lambda one: one.created_unix_s, reverse=True)
    return _told(found)


def _is_before(one: Task, task: Task) -> bool:
    return (
        one.task_id != task.task_id
        and one.created_unix_s <= task.created_unix_s < one.expires_unix_s
        and bool(one.history)
    )


def _told(newest_first: Sequence[Task]) -> tuple[ChatMessage, ...]:
    told: list[ChatMessage] = []
    chars = 0
    for task in newest_first:
        turns = task.options.turns
        size = sum(len(part.value) for one in task.history for part in one.parts)
        chars += max(size, sum(len(turn.text) for turn in turns)) + len(text_of(task))
        if chars > CHARS_MAX:
            break
        asked = map(turn_message, turns) if turns else map(chat_message, task.history)
        told[:0] = (*asked, ChatMessage("assistant", (Text(text_of(task)),)))
        if len(turns) > 1:
            # It came with all that was said before it.
            break
    return tuple(told)
