"""What a skill is that answers a question from data: a report, or a question back.

A report is text for people and an object for programs, both of the same figures, which are
those that the views give this caller. Its names are camelCase, as the standards want them
everywhere. What is not known is null, never 0.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson

from omniroute.routing.access import require
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller
from omniroute.routing.ports import Clock
from omniroute.routing.views import Views

from ..faults import Fault
from ..task import Json, Message, Options, Routing
from ..work import Closing, Order

QUESTION_CHARS_MAX = 4_000
ROWS_MAX = 50
"""Rows of one list of a report; a longer one is cut and says so."""


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked, and by whom.

    Attributes:
        texts: what the client said in this task, the newest first; not empty.
    """

    texts: tuple[str, ...]
    caller: Caller

    @property
    def text(self) -> str:
        """What was said last."""
        return self.texts[0]


@dataclass(frozen=True, slots=True)
class Told:
    """An answer, in words and as an object."""

    text: str
    data: Json


@dataclass(frozen=True, slots=True)
class Asked:
    """What has to be known first."""

    question: str


Tell = Callable[[Views, Question], Awaitable[Told | Asked]]
NeedsOf = Callable[[Question], tuple[str, ...]]


class ReportWork:
    """The work of a skill that answers from data. It calls no provider and costs nothing."""

    def __init__(self, tell: Callable[[], Awaitable[Told | Asked]], options: Options) -> None:
        self._tell = tell
        self._options = options

    async def run(self, write: Callable[[str], None]) -> Closing:
        """Write the report's text, and give its data, each if the client takes it."""
        told = await self._tell()
        if isinstance(told, Asked):
            return Closing(question=told.question)
        if self._options.takes("text/plain"):
            write(told.text)
        takes_data = self._options.takes("application/json")
        return Closing(orjson.dumps(told.data).decode() if takes_data else None)

    def close(self) -> None:
        """Nothing runs for it."""

    def story(self) -> Routing | None:
        """Nothing was routed."""
        return None


def reporting(
    tell: Tell, needs: NeedsOf = lambda question: ()
) -> Callable[[Gateway, Clock, Order], ReportWork]:
    """Give what begins a skill's work.

    Args:
        tell: makes the report.
        needs: the scopes that a question needs beyond the skill's own; a key without them is
            refused before there is a task.
    """

    def begin(gateway: Gateway, clock: Clock, order: Order) -> ReportWork:
        question = _question_of(order)
        for scope in needs(question):
            require(question.caller, scope)
        return ReportWork(lambda: tell(gateway.view, question), order.options)

    return begin


def _question_of(order: Order) -> Question:
    asked = (*order.history, order.message)
    texts = [_text_of(one) for one in asked if one.role == "user"]
    if not texts or not texts[-1]:
        raise Fault("invalid_params", "the message is empty", field="message.parts")
    if len(texts[-1]) > QUESTION_CHARS_MAX:
        raise Fault(
            "invalid_params",
            f"a question has at most {QUESTION_CHARS_MAX} characters",
            field="message.parts",
        )
    return Question(tuple(reversed(texts)), order.caller)


def _text_of(message: Message) -> str:
    if any(part.kind != "text" for part in message.parts):
        raise Fault("content_type", "this skill takes a question as text, and nothing else")
    return "\n".join(part.value for part in message.parts).strip()
