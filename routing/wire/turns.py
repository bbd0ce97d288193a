"""The order of turns, which dialects see differently.

Two normal forms: results stand right after the turn that called (as OpenAI, Anthropic and
Gemini all demand), and, for those that want turns to alternate, turns of one side are one.
Nothing is invented: a call without a result stays without one.
"""

from collections import defaultdict, deque
from collections.abc import Sequence

from ..conversation import Message, Role, Text, ToolCall, ToolResult

# The results of each call id that are still to come, with their turns' positions.
_Waiting = defaultdict[str, deque[tuple[int, ToolResult]]]


def regrouped(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Give the messages with every tool result right after the turn of its call.

    After a turn with calls follows one message of role "tool" with their results in the
    calls' order. A result whose call is nowhere before it stays where it is, as a message
    of role "tool" too; other parts of its message keep their place and role.
    """
    waiting: _Waiting = defaultdict(deque)
    for position, message in enumerate(messages):
        for part in message.parts:
            if isinstance(part, ToolResult):
                waiting[part.call_id].append((position, part))
    taken: set[int] = set()
    ordered: list[Message] = []
    for position, message in enumerate(messages):
        results = tuple(
            part for part in message.parts if isinstance(part, ToolResult) and id(part) not in taken
        )
        taken.update(map(id, results))
        others = tuple(part for part in message.parts if not isinstance(part, ToolResult))
        if results:
            ordered.append(Message("tool", results))
        if others or not message.parts:
            ordered.append(Message(message.role, others, message.name))
        calls = tuple(part for part in others if isinstance(part, ToolCall))
        answers = tuple(one for call in calls for one in _next(waiting, call, position, taken))
        if answers:
            ordered.append(Message("tool", answers))
    return tuple(ordered)


def without_system(messages: Sequence[Message]) -> tuple[tuple[Text, ...], tuple[Message, ...]]:
    """Give the texts of all system and developer turns, and the other turns.

    A chat of nothing but instructions would have no turn to answer: they become the
    user's then.
    """
    system = tuple(
        part
        for message in messages
        if message.role in ("system", "developer")
        for part in message.parts
        if isinstance(part, Text) and (part.text or part.rest)
    )
    turns = tuple(one for one in messages if one.role not in ("system", "developer"))
    if not turns and system:
        return (), (Message("user", system),)
    return system, turns


def merged(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Give the turns alternating: neighbours of one side as one; tools are the user's side."""
    ordered: list[Message] = []
    for message in messages:
        role: Role = "assistant" if message.role == "assistant" else "user"
        if ordered and ordered[-1].role == role:
            ordered[-1] = Message(role, ordered[-1].parts + message.parts)
        else:
            ordered.append(Message(role, message.parts))
    return tuple(ordered)


def _next(
    waiting: _Waiting, call: ToolCall, position: int, taken: set[int]
) -> tuple[ToolResult, ...]:
    """Give the first result of a call after its turn that nobody has taken, and take it."""
    results = waiting[call.call_id]
    while results:
        found_at, result = results.popleft()
        if found_at > position and id(result) not in taken:
            taken.add(id(result))
            return (result,)
    return ()
