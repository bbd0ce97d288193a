"""An Anthropic Messages request into a Chat.

A system turn inside the messages stays where it is. One that Anthropic would show only until the
user's next turn (`clear_at`) is left out once that has come: no model sees it any more. The
effort that a system turn sets for the turns after it counts for the answer that is asked for.

Source: Anthropic API reference, "Create a Message" and its beta, read 2026-11.
"""

from collections.abc import Mapping, Sequence

from ...conversation import Chat, Message, Role, Text
from ..fields import Fields, body_fields, refusing_depth
from ..parts import kept, own
from .blocks import DIALECT, PREFILL, read_content
from .thinking import read_thinking
from .tools import read_choice, read_tools

_ROLES: tuple[Role, ...] = ("user", "assistant", "system")


@refusing_depth
def parse_request(body: bytes) -> Chat:
    """Give the conversation of a request body.

    Raises:
        BadRequest: the body is not valid; names the field.
    """
    fields = body_fields(body)
    fields.text("model")
    messages = _messages(fields)
    system = read_content(fields, "system")
    if system:
        messages = (Message("system", system), *messages)
    json_schema, effort, output_config = _output_config(fields.child_or_none("output_config"))
    effort_now = _effort_set(messages) or effort
    wish = read_thinking(fields.child_or_none("thinking"), effort_now)
    choice = fields.child_or_none("tool_choice")
    tools, aside = read_tools(fields, messages)
    limit = fields.tokens_or_none("max_tokens")
    temperature = fields.number_or_none("temperature")
    top_p = fields.number_or_none("top_p")
    top_k = fields.tokens_or_none("top_k")
    stop = fields.texts("stop_sequences")
    stream = fields.flag_or_none("stream") or False
    metadata = fields.child_or_none("metadata")
    user = None if metadata is None else metadata.text_or_none("user_id")
    rest = {**fields.rest(), **aside}
    told = effort if effort_now != effort else wish.told
    if told is not None:
        output_config["effort"] = told
    partly = {
        "output_config": output_config,
        "thinking": wish.field,
        "metadata": {} if metadata is None else metadata.rest(),
    }
    rest |= {name: more for name, more in partly.items() if more}
    if _is_prefilled(messages):
        rest[PREFILL] = True
    return Chat(
        messages=messages,
        tools=tools,
        tool_choice=None if choice is None else read_choice(choice),
        output_tokens_max=limit,
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        stop=stop,
        json_schema=json_schema,
        stream=stream,
        user=user,
        reasoning_effort=wish.effort,
        reasoning_tokens_max=wish.tokens_max,
        reasoning_shown=wish.shown,
        rest=kept(DIALECT, rest),
    )


def _is_prefilled(messages: Sequence[Message]) -> bool:
    """Whether the answer is to go on from the last turn, as no other dialect lets it."""
    last = messages[-1] if messages else Message("user", ())
    return last.role == "assistant" and any(isinstance(one, Text) for one in last.parts[-1:])


def _messages(fields: Fields) -> tuple[Message, ...]:
    if not fields.has("messages"):
        raise fields.wrong("messages", "a list")
    messages = [_message(item) for item in fields.items("messages")]
    users = [place for place, message in enumerate(messages) if message.role == "user"]
    last = users[-1] if users else 0
    return tuple(
        message
        for place, message in enumerate(messages)
        if place > last or not _is_cleared(message)
    )


def _is_cleared(message: Message) -> bool:
    """Whether Anthropic shows nothing of it once the user has said more."""
    until = own(message.rest, DIALECT).get("clear_at")
    words = all(isinstance(part, Text) and not _changes(part) for part in message.parts)
    return until == "next_user_message" and words


def _changes(part: Text) -> bool:
    return "type" in own(part.rest, DIALECT)


def _message(fields: Fields) -> Message:
    word = fields.text("role")
    role = next((known for known in _ROLES if known == word), None)
    if role is None:
        raise fields.unknown("role", _ROLES)
    # A system turn may set an effort and say nothing.
    if not fields.has("content") and not (role == "system" and fields.has("output_config")):
        raise fields.wrong("content", "a string or a list of blocks")
    parts = read_content(fields, "content")
    return Message(role, parts, rest=kept(DIALECT, fields.rest()))


def _effort_set(messages: Sequence[Message]) -> str | None:
    """Give the effort that the last system turn to set one has set."""
    for message in reversed(messages):
        configured = own(message.rest, DIALECT).get("output_config")
        effort = configured.get("effort") if isinstance(configured, Mapping) else None
        if isinstance(effort, str):
            return effort
    return None


def _output_config(
    fields: Fields | None,
) -> tuple[dict[str, object] | None, str | None, dict[str, object]]:
    """Give the schema of the answer, the effort, and what else is configured."""
    if fields is None:
        return None, None, {}
    effort = fields.text_or_none("effort")
    answer_format = fields.child_or_none("format")
    if answer_format is None:
        return None, effort, fields.rest()
    if answer_format.text("type") != "json_schema":
        raise answer_format.unknown("type", ("json_schema",))
    return {"schema": answer_format.child("schema").values}, effort, fields.rest()
