"""The order of turns, which dialects see differently.

Two normal forms: results stand right after the turn that called (as OpenAI, Anthropic and
Gemini all demand), and, for those that want turns to alternate, turns of one side are one.
Nothing is invented: a call without a result stays without one.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence

from ..conversation import (
    Audio,
    Document,
    Image,
    Json,
    Message,
    Part,
    Role,
    Text,
    ToolCall,
    ToolResult,
)

Media = Image | Document | Audio

SYSTEM: tuple[Role, ...] = ("system", "developer")
"""Who gives instructions: OpenAI has two words for it."""

# Where a result stands: its turn, and its place in it.
_Place = tuple[int, int]
_Waiting = defaultdict[str, deque[_Place]]


def regrouped(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Give the messages with every tool result right after the turn of its call.

    After a turn with calls follows one message of role "tool" with their results in the
    calls' order. A result whose call is nowhere before it stays where it is, as a message
    of role "tool" too; other parts of its message keep their place and role.
    """
    waiting: _Waiting = defaultdict(deque)
    for turn, message in enumerate(messages):
        for place, part in enumerate(message.parts):
            if isinstance(part, ToolResult):
                waiting[part.call_id].append((turn, place))
    if not waiting:
        return tuple(messages)
    taken: set[_Place] = set()
    ordered: list[Message] = []
    for turn, message in enumerate(messages):
        places = {place for place in _results(turn, message) if place not in taken}
        taken |= places
        others = tuple(part for part in message.parts if not isinstance(part, ToolResult))
        if places:
            ordered.append(Message("tool", _at(messages, sorted(places))))
        if others or not message.parts:
            ordered.append(Message(message.role, others, message.name, message.rest))
        calls = tuple(part for part in others if isinstance(part, ToolCall))
        answers = [place for call in calls for place in _next(waiting, call, turn, taken)]
        if answers:
            ordered.append(Message("tool", _at(messages, answers)))
    return tuple(ordered)


def without_system(
    messages: Sequence[Message], *, inside: bool = False
) -> tuple[tuple[Text, ...], tuple[Message, ...]]:
    """Give the texts of all system and developer turns, and the other turns.

    A chat of nothing but instructions would have no turn to answer: they become the
    user's then.

    Args:
        messages: in order, each with something in it.
        inside: a system turn may stay where it is, if it stands after the user's side and before
            the assistant's or at the end; Anthropic's newer models take it there.
    """
    staying = _staying(messages) if inside else frozenset[int]()
    system = tuple(
        part
        for place, message in enumerate(messages)
        if message.role in SYSTEM and place not in staying
        for part in message.parts
        if isinstance(part, Text) and (part.text or part.rest)
    )
    turns = tuple(
        one for place, one in enumerate(messages) if one.role not in SYSTEM or place in staying
    )
    if not turns and system:
        return (), (Message("user", system),)
    return system, turns


def shown_by_user(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Give the turns with what the assistant showed (images, files) shown by the user.

    OpenAI's dialects take nothing but text from the assistant. The user shows it right after,
    behind the results of the turn's calls.
    """
    ordered: list[Message] = []
    waiting: list[Part] = []
    for message in messages:
        if waiting and message.role != "tool":
            ordered.append(_showing(waiting))
            waiting = []
        if message.role == "assistant" and any(isinstance(one, Media) for one in message.parts):
            waiting = [part for part in message.parts if isinstance(part, Media)]
            others = tuple(part for part in message.parts if not isinstance(part, Media))
            if others:
                ordered.append(Message("assistant", others, message.name))
        else:
            ordered.append(message)
    return (*ordered, _showing(waiting)) if waiting else tuple(ordered)


def merged(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Give the turns alternating: neighbours of one side as one; tools are the user's side.

    A system turn stays its own, joined only with one like it.
    """
    sides: list[tuple[Role, Json, list[Part]]] = []
    for message in messages:
        role, rest = _side(message), message.rest
        if not sides or sides[-1][:2] != (role, rest):
            sides.append((role, rest, []))
        sides[-1][2].extend(message.parts)
    return tuple(Message(role, tuple(parts), rest=rest) for role, rest, parts in sides)


def _side(message: Message) -> Role:
    if message.role in SYSTEM:
        return "system"
    return "assistant" if message.role == "assistant" else "user"


def _staying(messages: Sequence[Message]) -> frozenset[int]:
    """Give the places of the system turns that stand where Anthropic takes them."""
    staying: set[int] = set()
    run: list[int] = []
    before = ""
    for place, message in enumerate(messages):
        side = _side(message)
        if side == "system":
            run.append(place)
            continue
        if before == "user" and side == "assistant":
            staying.update(run)
        run, before = [], side
    return frozenset(staying.union(run) if before == "user" else staying)


def _showing(parts: Sequence[Part]) -> Message:
    return Message("user", (Text("Shown by the assistant:"), *parts))


def _results(turn: int, message: Message) -> list[_Place]:
    parts = enumerate(message.parts)
    return [(turn, place) for place, part in parts if isinstance(part, ToolResult)]


def _at(messages: Sequence[Message], places: Iterable[_Place]) -> tuple[Part, ...]:
    return tuple(messages[turn].parts[place] for turn, place in places)


def _next(waiting: _Waiting, call: ToolCall, turn: int, taken: set[_Place]) -> tuple[_Place, ...]:
    """Give the first result of a call after its turn that nobody has taken, and take it."""
    places = waiting[call.call_id]
    while places:
        place = places.popleft()
        if place[0] > turn and place not in taken:
            taken.add(place)
            return (place,)
    return ()
