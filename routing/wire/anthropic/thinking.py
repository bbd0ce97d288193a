"""How Anthropic's models are asked to think, read and written.

`thinking` says whether: within a budget, as much as the model finds right (adaptive), or not at
all. `output_config.effort` says how hard, also where nothing is thought. A Chat holds a budget
(0 is not at all), an effort, and whether thoughts are shown; what these do not tell stays in its
rest and goes out again as it was.

Written for a model that takes one form alone, the other is turned into it (wire/efforts). Thinking
is a hint: where Anthropic refuses it beside something that is none, it is left out and named.
That is beside a tool that must be called, after a last turn of the assistant, with fewer than
THINKING_TOKENS_MIN tokens, and, within a budget, in the middle of calling tools where the thought
before the call is not Anthropic's. Beside thinking, sampling is left out and named.

Source: Anthropic's documentation, "Extended thinking", "Adaptive thinking", "Effort", read 2026-11.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from ...conversation import Chat, Json, Message, Reasoning, ToolCall, ToolResult
from ..dropped import Dropped
from ..efforts import (
    ANSWER_TOKENS_MIN,
    THINKING_TOKENS_MIN,
    effort_of,
    nearest,
    tokens_of,
)
from ..fields import Fields
from ..signatures import unmarked
from .blocks import DIALECT
from .models import Facts

_SHOWN = {"summarized": True, "omitted": False}
_DISPLAYS = {shown: word for word, shown in _SHOWN.items()}
_TOP_P_MIN = 0.95


class Wish(Struct, frozen=True):
    """What a body says of thinking.

    Attributes:
        field: of `thinking`, what the values do not tell.
        told: the effort that is said without asking for thoughts.
    """

    effort: str | None = None
    tokens_max: int | None = None
    shown: bool | None = None
    field: Json = {}
    told: str | None = None


def read_thinking(fields: Fields | None, effort: str | None) -> Wish:
    """Give what is wished.

    Args:
        fields: `thinking`, if it is there.
        effort: what `output_config` says.

    Raises:
        BadRequest: a field is not valid; names it.
    """
    if fields is None:
        return Wish(effort, told=effort)
    kind = fields.text("type")
    shown = _SHOWN.get(fields.text_or_none("display") or "")
    tokens = fields.tokens_or_none("budget_tokens")
    extra = fields.rest()
    if shown is None and fields.has("display"):
        extra["display"] = fields.value("display")
    if kind == "enabled":
        return Wish(effort, tokens, shown, extra)
    if kind == "disabled":
        return Wish(None, 0, told=effort)
    if kind == "adaptive" and effort is not None:
        return Wish(effort, None, shown, extra)
    return Wish(effort, None, shown, {**extra, "type": kind}, told=effort)


class Thinking(Struct, frozen=True):
    """What a body says of thinking: its field, an effort, and the tokens that it takes."""

    field: Json | None = None
    effort: str | None = None
    tokens: int = 0

    @property
    def is_on(self) -> bool:
        """Whether the model thinks because of it."""
        return self.field is not None and self.field.get("type") != "disabled"


def write_thinking(chat: Chat, facts: Facts, rest: Json, dropped: Dropped) -> Thinking:
    """Give how the model is asked to think; what it cannot be asked is noted.

    Args:
        chat: the wish, and what else is asked for.
        facts: of the model.
        rest: what the chat keeps for this dialect, with what `read_thinking` left there.
        dropped: takes the names.
    """
    thinking = _wished(chat, facts, rest, dropped)
    if not thinking.is_on:
        return thinking
    limit = chat.output_tokens_max
    if thinking.tokens and limit is not None:
        fitting = min(thinking.tokens, limit - ANSWER_TOKENS_MIN)
        field = {**(thinking.field or {}), "budget_tokens": fitting}
        thinking = Thinking(field, thinking.effort, fitting)
    if (
        (thinking.tokens and thinking.tokens < THINKING_TOKENS_MIN)
        or _must_call(chat)
        or _ends_with_assistant(chat.messages)
        or (thinking.tokens and _calls_without_thought(chat.messages))
    ):
        dropped.note("reasoning_effort" if chat.reasoning_effort else "reasoning_tokens_max")
        return Thinking(effort=thinking.effort)
    return thinking


def without_sampling(chat: Chat, facts: Facts, dropped: Dropped, *, thinks: bool) -> set[str]:
    """Give which of the sampling fields cannot be sent; they are noted unless they are neutral."""
    refused: set[str] = set()
    if not facts.sampling or thinks:
        if chat.temperature is not None and chat.temperature != 1:
            refused.add("temperature")
        if chat.top_k is not None:
            refused.add("top_k")
        low = chat.top_p is not None and chat.top_p < (1 if not facts.sampling else _TOP_P_MIN)
        if low:
            refused.add("top_p")
    paired = chat.temperature is not None and chat.top_p not in (None, 1)
    if paired and not facts.sampling_pair and "temperature" not in refused:
        refused.add("top_p")
    for name in sorted(refused):
        dropped.note(name)
    return refused


def _wished(chat: Chat, facts: Facts, rest: Json, dropped: Dropped) -> Thinking:
    said, told = _object(rest.get("thinking")), _told(rest)
    effort, tokens = chat.reasoning_effort, chat.reasoning_tokens_max
    if tokens is None and (effort is None or told is not None):
        if "type" in said:
            return Thinking({**_display(chat, facts, own=True), **said}, told)
        if told is not None:
            return Thinking(effort=told)
        if chat.reasoning_shown and facts.adaptive:
            return Thinking({"type": "adaptive", **_display(chat, facts)})
        return Thinking()
    if tokens == 0 or (tokens is None and effort == "none"):
        if not facts.idle:
            dropped.note("reasoning_tokens_max" if effort is None else "reasoning_effort")
        return Thinking({"type": "disabled"} if facts.idle else None, told)
    more = {name: value for name, value in said.items() if name != "type"}
    return _asked(chat, facts, more, dropped)


def _asked(chat: Chat, facts: Facts, more: Json, dropped: Dropped) -> Thinking:
    effort, tokens = chat.reasoning_effort, chat.reasoning_tokens_max
    word = nearest(effort or effort_of(tokens or 0), facts.efforts)
    display = _display(chat, facts)
    if facts.budget and (tokens is not None or not facts.adaptive):
        budget = tokens_of(effort or "") if tokens is None else tokens
        if budget is None:
            dropped.note("reasoning_effort")
            return Thinking()
        if tokens is None:
            word = None  # the budget says it
        elif effort and word is None:
            dropped.note("reasoning_effort")
        budget = max(budget, THINKING_TOKENS_MIN)
        field = {"type": "enabled", "budget_tokens": budget, **display, **more}
        return Thinking(field, word if effort else None, budget)
    if not facts.adaptive:
        dropped.note("reasoning_effort" if effort else "reasoning_tokens_max")
        return Thinking()
    if tokens is not None:
        dropped.note("reasoning_tokens_max")
    elif word is None:
        dropped.note("reasoning_effort")
    return Thinking({"type": "adaptive", **display, **more}, word)


def _told(rest: Json) -> str | None:
    """Give the effort that the client said without asking for thoughts."""
    effort = _object(rest.get("output_config")).get("effort")
    return effort if isinstance(effort, str) else None


def _object(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def _display(chat: Chat, facts: Facts, *, own: bool = False) -> dict[str, object]:
    if chat.reasoning_shown is None or not (facts.adaptive or own):
        return {}
    return {"display": _DISPLAYS[chat.reasoning_shown]}


def _must_call(chat: Chat) -> bool:
    choice = chat.tool_choice
    return bool(chat.tools) and choice is not None and choice.mode in ("required", "named")


def _ends_with_assistant(messages: Sequence[Message]) -> bool:
    """Whether the last turn is the assistant's, to be gone on from."""
    return bool(messages) and messages[-1].role == "assistant"


def _calls_without_thought(messages: Sequence[Message]) -> bool:
    """Whether tools are being called, and the turn that called has no thought of Anthropic's."""
    if not messages or not any(isinstance(part, ToolResult) for part in messages[-1].parts):
        return False
    turns = (one for one in reversed(messages) if one.role == "assistant")
    calling = next(turns, None)
    if calling is None or not any(isinstance(part, ToolCall) for part in calling.parts):
        return False
    return not any(
        unmarked(part.signature or part.encrypted, DIALECT) is not None
        for part in calling.parts
        if isinstance(part, Reasoning)
    )
