"""Smart routing, the skill that lets the gateway's models answer."""

from collections.abc import Callable
from typing import Literal

from omniroute.routing.conversation import Chat, Image, Text
from omniroute.routing.conversation import Message as ChatMessage
from omniroute.routing.errors import BadRequest, RoutingError
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller, RouteRequest
from omniroute.routing.ports import Clock
from omniroute.routing.reply import Reply
from omniroute.routing.wire.operations import operation_of_chat

from .faults import Fault
from .story import story_of, story_of_plan, story_of_refusal
from .task import Message, Part, Routing, Turn
from .work import Closing, Order

IMAGE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif")
URL_SCHEMES = frozenset({"https", "http", "data"})


class RoutedAnswer:
    """The work of smart-routing: one answer of the gateway."""

    def __init__(self, gateway: Gateway, request: RouteRequest, caller: Caller) -> None:
        self._gateway = gateway
        self._request = request
        self._caller = caller
        self._reply: Reply | None = None
        self._refusal: RoutingError | None = None

    async def run(self, write: Callable[[str], None]) -> Closing:
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
        return Closing()

    def close(self) -> None:
        """Cut the upstream call if it still runs; the outcome is recorded with this."""
        if self._reply is not None:
            self._reply.close()

    def story(self) -> Routing | None:
        """Give what was decided before the call, and the outcome once the answer is closed."""
        if self._reply is not None:
            outcome, decision = self._reply.outcome, self._reply.decision
            if outcome is not None:
                return story_of(outcome)
            return None if decision is None else story_of_plan(self._reply.request, decision)
        if self._refusal is not None:
            return story_of_refusal(self._request.request_id, self._refusal)
        return None


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
        request_id=order.request_id,
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


def turn_message(turn: Turn) -> ChatMessage:
    """Give a turn of a conversation that came whole as the gateway's models get it."""
    return ChatMessage(turn.role, (Text(turn.text),))


def chat_message(message: Message) -> ChatMessage:
    """Give a message as the gateway's models get it.

    Raises:
        Fault: it holds content that no chat model takes.
    """
    return ChatMessage(_role(message), tuple(map(_chat_part, message.parts)))


def _conversation(order: Order) -> tuple[ChatMessage, ...]:
    turns = order.options.turns
    if turns:
        return (*order.earlier, *map(turn_message, turns))
    parts = tuple(map(_chat_part, order.message.parts))
    if not any(isinstance(part, Image) or part.text.strip() for part in parts):
        raise Fault("invalid_params", "the message is empty", field="message.parts")
    return (*order.earlier, ChatMessage(_role(order.message), parts))


def _role(message: Message) -> Literal["user", "assistant"]:
    return "user" if message.role == "user" else "assistant"


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
