"""One task while it runs: its work, what it has written so far, and those who read along."""

import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace

import anyio

from omniroute.routing.errors import RoutingError, UpstreamFailure

from .dialects.codec import Began, Ended, StreamStep, Wrote
from .task import WAITING, State, Task, answer_of
from .work import Work

ANSWER_CHARS_MAX = 4 * 2**20
"""The longest answer. It bounds what a task keeps for those who read along."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a task ends, and what the agent says about it."""

    state: State
    said: str | None = None


COMPLETED = Ending("completed")
CANCELED = Ending("canceled", "canceled by its client")
INTERRUPTED = Ending("failed", "the gateway stopped before the task was done; send it again")
GONE = Ending("failed", "another process took it over, or ended it")
BROKEN = Ending("failed", "an internal error ended the task; the gateway's log has the details")


class Run:
    """One running task. Any number of readers follow what it writes, each from the start.

    Attributes:
        accepted: the task as it was accepted.
        task: the same, and once `done` is set as it ended.
        done: set when the end is stored, or could not be.
        error: why the end could not be stored.
        stored: whether the store has it: until then nobody else can end it.
        data: the answer for programs, once the work is done.
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
        self._saved = 0
        self.stored = False
        self.data: str | None = None
        self._changed = anyio.Event()

    @property
    def task_id(self) -> str:
        return self.accepted.task_id

    def unsaved(self) -> str:
        """Give what was written and is not in the log yet."""
        if self._saved == len(self._texts) or not self.keep_content:
            return ""
        return "".join(self._texts[self._saved :])

    def saved(self, text: str) -> None:
        """Take that this text, from `unsaved`, is in the log."""
        while text:
            text = text[len(self._texts[self._saved]) :]
            self._saved += 1

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

    def so_far(self) -> Task:
        """Give the task as it stands, with what was written and how it is routed."""
        if self.done.is_set():
            return self.task
        artifacts = answer_of(self.text) if self.wrote else ()
        return replace(self.task, artifacts=artifacts, routing=self.work.story())

    async def steps(self, chars: int | None = 0) -> AsyncGenerator[StreamStep]:
        """Give the task, the text as it comes, and the task as it ended.

        Args:
            chars: how many characters of the answer the reader has; None for a reader who
                gets them with the task, as it stands.

        Raises:
            RoutingError: how it ended could not be stored.
        """
        at = len(self._texts) if chars is None else 0
        seen = self._chars if chars is None else 0
        skip = chars or 0
        yield Began(self.accepted if chars is not None else self.so_far())
        while True:
            changed, done = self._changed, self.done.is_set()
            if len(self._texts) > at:
                text = "".join(self._texts[at:])
                at, before, seen = len(self._texts), seen, seen + len(text)
                text = text[max(0, skip - before) :]
                if text:
                    first = seen == len(text)
                    yield Wrote(self.accepted, text, first=first, last=False, chars=seen)
            elif done:
                break
            else:
                await changed.wait()
        if self.error is not None:
            raise self.error
        data = self.data if self.task.state == "completed" else None
        if seen or data is not None:
            yield Wrote(self.accepted, "", first=not seen, last=True, chars=seen, data=data)
        yield Ended(self.task)

    async def _work(self) -> Ending:
        try:
            closing = await self.work.run(self.write)
        except RoutingError as error:
            return _ending_of(error)
        except Exception:
            # One task's bug must not end the others, which share this task group.
            _logger.exception("a2a_task_broke", extra={"task_id": self.task.task_id})
            return BROKEN
        if closing.question is not None:
            return Ending(WAITING, closing.question)
        self.data = closing.data
        return COMPLETED

    def _tell(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()


def _ending_of(error: RoutingError) -> Ending:
    """Give `rejected` for what the client can mend, `failed` for what went wrong."""
    refused = error.status < 500 and not isinstance(error, UpstreamFailure)
    return Ending("rejected" if refused else "failed", str(error))
