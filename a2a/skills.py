"""What this agent can do: a table of skills, each of which turns a message into work.

A skill reads the message before the task is accepted, so that content it cannot take is
refused and not failed. Its work then runs under the rights of the caller and nobody else's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from omniroute.routing.conversation import Chat, Image, Text
from omniroute.routing.conversation import Message as ChatMessage
from omniroute.routing.engine import new_request_id
from omniroute.routing.errors import BadRequest, RoutingError
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller, RouteRequest
from omniroute.routing.ports import Clock
from omniroute.routing.reply import Reply
from omniroute.routing.wire.operations import operation_of_chat

from .faults import Fault
from .story import story_of, story_of_refusal
from .task import SMART_ROUTING, Message, Options, Part, Routing

IMAGE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif")
URL_SCHEMES = frozenset({"https", "http", "data"})


class Work(Protocol):
    """A task's work. `run` it once, `close` it always, then ask for its story."""

    async def run(self, write: Callable[[str], None]) -> None:
        """Write the answer piece by piece, and return when it is whole.

        Raises:
            RoutingError: there is no answer, or no more of it.
        """
        ...

    def close(self) -> None:
        """End whatever still runs for it, at once."""
        ...

    def story(self) -> Routing | None:
        """Give how it was routed; None when nothing was routed."""
        ...


@dataclass(frozen=True, slots=True)
class Order:
    """What a skill gets to work on.

    Attributes:
        context_id: what ties tasks of one conversation together.
        stream: someone reads the answer while it is written.
    """

    message: Message
    options: Options
    context_id: str
    caller: Caller
    stream: bool


@dataclass(frozen=True, slots=True)
class Skill:
    """One thing the agent can do, as the card tells it, and what does it.

    Attributes:
        repeatable: its work may be done again when the process that did it died: it costs
            nothing. Others are, when their client said so (`Options.replay`).
    """

    skill_id: str
    name: str
    description: str
    tags: tuple[str, ...]
    examples: tuple[str, ...]
    input_modes: tuple[str, ...]
    output_modes: tuple[str, ...]
    begin: Callable[[Gateway, Clock, Order], Work]
    repeatable: bool = False


class RoutedAnswer:
    """The work of smart-routing: one answer of the gateway."""

    def __init__(self, gateway: Gateway, request: RouteRequest, caller: Caller) -> None:
        self._gateway = gateway
        self._request = request
        self._caller = caller
        self._reply: Reply | None = None
        self._refusal: RoutingError | None = None

    async def run(self, write: Callable[[str], None]) -> None:
        """Route the request and write the text of the answer as it comes."""
        try:
            self._reply = reply = self._gateway.route.begin(self._request, self._caller)
        except RoutingError as error:
            self._refusal = error
            raise
        await reply.start()
        async for piece in reply:
            if piece.delta is not None and piece.delta.text:
                write(piece.delta.text)

    def close(self) -> None:
        """Cut the upstream call if it still runs; the outcome is recorded with this."""
        if self._reply is not None:
            self._reply.close()

    def story(self) -> Routing | None:
        """Give the outcome's story once the answer is closed."""
        if self._reply is not None and self._reply.outcome is not None:
            return story_of(self._reply.outcome)
        if self._refusal is not None:
            return story_of_refusal(self._request.request_id, self._refusal)
        return None


def skill_named(skill_id: str) -> Skill:
    """Give a skill.

    Raises:
        Fault: there is none of that name.
    """
    skill = SKILLS.get(skill_id)
    if skill is None:
        known = ", ".join(SKILLS)
        raise Fault("unknown_skill", f"no skill {skill_id[:64]!r} here; known are {known}")
    return skill


def begin_routing(gateway: Gateway, clock: Clock, order: Order) -> RoutedAnswer:
    """Give the work that lets the gateway answer a message.

    A whole answer is asked for unless someone reads along: until its last byte another
    candidate can still replace the one that fails.

    Raises:
        Fault: the message holds content that no chat model takes, or none at all.
    """
    options = order.options
    chat = Chat(_conversation(order), stream=order.stream)
    try:
        operation = operation_of_chat(chat, target=options.target)
    except BadRequest as error:
        raise Fault("invalid_params", str(error)) from error
    request = RouteRequest(
        request_id=new_request_id(),
        target=options.target,
        operation=operation,
        at_s=clock.now(),
        door="a2a",
        spend_usd_nanos_max=options.budget_usd_nanos,
        session_id=order.context_id,
        client_request_id=order.message.message_id,
        role=options.role,
    )
    return RoutedAnswer(gateway, request, order.caller)


SKILLS: Mapping[str, Skill] = {
    skill.skill_id: skill
    for skill in (
        Skill(
            skill_id=SMART_ROUTING,
            name="Smart routing",
            description=(
                "Answers a message with the model that suits it at a provider that is up, "
                "falls back when one fails, keeps to a budget, and tells how it chose. "
                "Metadata may name a model or a combo, a budget in US dollars and a role."
            ),
            tags=("routing", "chat", "llm", "fallback", "cost"),
            examples=("Write a haiku about routers.", "Explain this stack trace."),
            input_modes=("text/plain", *IMAGE_TYPES),
            output_modes=("text/plain",),
            begin=begin_routing,
        ),
    )
}


def _conversation(order: Order) -> tuple[ChatMessage, ...]:
    turns = order.options.turns
    if turns:
        return tuple(ChatMessage(turn.role, (Text(turn.text),)) for turn in turns)
    parts = tuple(map(_chat_part, order.message.parts))
    if not any(isinstance(part, Image) or part.text.strip() for part in parts):
        raise Fault("invalid_params", "the message is empty", field="message.parts")
    return (ChatMessage("user" if order.message.role == "user" else "assistant", parts),)


def _chat_part(part: Part) -> Text | Image:
    if part.kind == "text":
        return Text(part.value)
    media_type = (part.media_type or _guessed_type(part)).lower()
    if part.kind == "data" or media_type not in IMAGE_TYPES:
        raise Fault(
            "content_type",
            f"a part of kind {part.kind} and type {media_type[:64] or 'unknown'} is not "
            f"supported; this skill takes text and images ({', '.join(IMAGE_TYPES)})",
        )
    if part.kind == "raw":
        return Image(media_type=media_type, data=part.value)
    if part.value.partition(":")[0].lower() not in URL_SCHEMES:
        raise Fault(
            "content_type", f"an image's URL must be one of {', '.join(sorted(URL_SCHEMES))}"
        )
    return Image(url=part.value, media_type=media_type)


def _guessed_type(part: Part) -> str:
    """Give the type that a name's ending tells; empty when it tells none."""
    name = part.filename or (part.value if part.kind == "url" else "")
    path = name.partition("?")[0].partition("#")[0]
    return _TYPE_BY_ENDING.get(path.rpartition(".")[2].lower(), "")


_TYPE_BY_ENDING = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
}
