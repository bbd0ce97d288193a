"""Looking for news of tasks that run elsewhere: one question for all who wait in this process.

Ten thousand readers of as many tasks ask the store as often as one does. The log of a task grows
with each of its changes, so its length says whether there is any news.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import anyio

from omniroute.routing.errors import StorageUnavailable

from .tasks import TaskStore

LOOK_EVERY_S = 0.25
ASKED_MAX = 500
"""Tasks of one question to the store."""

_Known = tuple[str, int]
"""A task, with the length of its log that its readers know."""

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Waiting:
    news: anyio.Event = field(default_factory=anyio.Event)
    readers: int = 0


class Watch:
    """Wakes those who wait for news of tasks. Works while `run` runs.

    Attributes:
        is_stopped: there will be no more news here.
    """

    def __init__(self, store: TaskStore) -> None:
        self.is_stopped = False
        self._store = store
        self._waiting: dict[_Known, _Waiting] = {}
        self._wanted = anyio.Event()

    async def news(self, task_id: str, length: int) -> None:
        """Wait until the log of a task has another length, or the task is gone.

        It ends as well when nobody can tell: who waits asks for itself then, and says why.
        """
        known = (task_id, length)
        waiting = self._waiting.setdefault(known, _Waiting())
        waiting.readers += 1
        self._wanted.set()
        try:
            await waiting.news.wait()
        finally:
            waiting.readers -= 1
            if not waiting.readers and self._waiting.get(known) is waiting:
                del self._waiting[known]

    def stop(self) -> None:
        """Wake everyone: the gateway ends."""
        self.is_stopped = True
        for waiting in self._waiting.values():
            waiting.news.set()

    async def run(self) -> None:
        """Look for news as long as someone waits for them."""
        while True:
            await self._wanted.wait()
            await anyio.sleep(LOOK_EVERY_S)
            if self._waiting:
                await self._look(tuple(self._waiting))
            else:
                self._wanted = anyio.Event()

    async def _look(self, known: Sequence[_Known]) -> None:
        for at in range(0, len(known), ASKED_MAX):
            asked = known[at : at + ASKED_MAX]
            lengths = await self._lengths([task_id for task_id, _ in asked])
            for one in asked:
                if lengths.get(one[0]) != one[1] and one in self._waiting:
                    self._waiting.pop(one).news.set()

    async def _lengths(self, task_ids: Sequence[str]) -> Mapping[str, int]:
        try:
            return await self._store.lengths(task_ids)
        except StorageUnavailable as error:
            _logger.warning("a2a_store_unavailable", extra={"reason": str(error)})
        except Exception:
            # The readers ask for themselves now; the next turn may do what this one did not.
            _logger.exception("a2a_upkeep_failed")
        return {}
