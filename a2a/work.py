"""What a skill is made of: the order it gets, the work it does, and what the card says of it.

A skill reads its order before the task is accepted, so that content it cannot take is refused
and not failed. Its work then runs under the rights of the caller and nobody else's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from omniroute.routing.conversation import Message as ChatMessage
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller
from omniroute.routing.ports import Clock

from .task import Message, Options, Routing


@dataclass(frozen=True, slots=True)
class Closing:
    """What a work ends with, beside what it wrote.

    Attributes:
        data: the answer for programs, an object as JSON text.
        question: what it has to know from its client first; then the task waits for that.
    """

    data: str | None = None
    question: str | None = None


class Work(Protocol):
    """A task's work. `run` it once, `close` it always, then ask for its story."""

    async def run(self, write: Callable[[str], None]) -> Closing:
        """Write the answer piece by piece, and return when it is whole.

        Raises:
            RoutingError: there is no answer, or no more of it.
        """
        ...

    def close(self) -> None:
        """End whatever still runs for it, at once."""
        ...

    def story(self) -> Routing | None:
        """Give how it was routed, as far as that is known; None when nothing was routed."""
        ...


@dataclass(frozen=True, slots=True)
class Order:
    """What a skill gets to work on.

    Attributes:
        context_id: what ties tasks of one conversation together.
        stream: someone reads the answer while it is written.
        request_id: what the gateway knows and accounts it as.
        history: what was said in this task before the message, oldest first.
        earlier: the conversation of its context before this task, for a skill that continues it.
    """

    message: Message
    options: Options
    context_id: str
    caller: Caller
    stream: bool
    request_id: str
    history: tuple[Message, ...] = ()
    earlier: tuple[ChatMessage, ...] = ()


@dataclass(frozen=True, slots=True)
class Skill:
    """One thing the agent can do, as the card tells it, and what does it.

    Attributes:
        scopes: what a key needs for it.
        repeatable: its work may be done again when the process that did it died: it costs
            nothing. Others are, when their client said so (`Options.replay`).
        continues: it goes on with the conversation of its context.
    """

    skill_id: str
    name: str
    description: str
    tags: tuple[str, ...]
    examples: tuple[str, ...]
    input_modes: tuple[str, ...]
    output_modes: tuple[str, ...]
    begin: Callable[[Gateway, Clock, Order], Work]
    scopes: tuple[str, ...] = ()
    repeatable: bool = False
    continues: bool = False
