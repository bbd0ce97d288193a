"""How Gemini is asked to think, read and written: `generationConfig.thinkingConfig`.

A model takes a budget or a level, never both; the other is turned into it (wire/efforts). A model
that cannot stop thinking is asked for as little as it can. Thoughts are shown where the client
asked for them, and where it asked for thinking and did not say.

Source: Gemini API, "Thinking", and its reference, "ThinkingConfig", read 2026-11.
"""

from collections.abc import Mapping

from msgspec import Struct

from ...conversation import Chat, Json
from ..dropped import Dropped
from ..efforts import effort_of, nearest, tokens_of
from ..fields import Fields
from .models import Facts

_UNSAID = "THINKING_LEVEL_UNSPECIFIED"
_AS_IT_LIKES = -1


class Wish(Struct, frozen=True):
    """What a body says of thinking; `rest` is what the values do not tell."""

    effort: str | None = None
    tokens_max: int | None = None
    shown: bool | None = None
    rest: Json = {}


def read_thinking(fields: Fields | None) -> Wish:
    """Give what is wished; without a word of it, thoughts are not shown.

    Raises:
        BadRequest: a field is not valid; names it.
    """
    if fields is None or not fields.values:
        return Wish()
    shown = fields.flag_or_none("includeThoughts") or False
    tokens = fields.integer_or_none("thinkingBudget")
    level = fields.text_or_none("thinkingLevel")
    rest = fields.rest()
    if tokens == _AS_IT_LIKES:
        rest, tokens = {**rest, "thinkingBudget": _AS_IT_LIKES}, None
    if tokens is not None and tokens < 0:
        raise fields.wrong("thinkingBudget", "a number of tokens, or -1")
    effort = None if level in (None, "", _UNSAID) else (level or "").lower()
    return Wish(effort, tokens, shown, rest)


def write_thinking(chat: Chat, facts: Facts, said: object, dropped: Dropped) -> dict[str, object]:
    """Give the thinkingConfig, empty where there is nothing to say; what has no word is noted.

    Args:
        chat: the wish.
        facts: of the model.
        said: what the chat's rest keeps of it, for this dialect.
        dropped: takes the names.
    """
    config = dict(said) if isinstance(said, Mapping) else {}
    effort, tokens = chat.reasoning_effort, chat.reasoning_tokens_max
    asked = effort if tokens is None else tokens
    if facts.form == "none":
        if asked not in (None, "none", 0):
            dropped.note("reasoning_effort" if tokens is None else "reasoning_tokens_max")
        return {}
    if tokens == 0 or asked == "none":
        config |= _least(facts, dropped, "reasoning_effort" if tokens is None else None)
    elif facts.form == "level":
        config |= _level(effort, tokens, facts, dropped)
    else:
        config |= _budget(effort, tokens, facts, dropped)
    thinks = asked not in (None, "none", 0)
    if chat.reasoning_shown is not None or thinks:
        config["includeThoughts"] = chat.reasoning_shown is not False
    return config


def _least(facts: Facts, dropped: Dropped, name: str | None) -> dict[str, object]:
    if facts.form == "budget" and facts.idle:
        return {"thinkingBudget": 0}
    dropped.note(name or "reasoning_tokens_max")
    if facts.form == "level":
        return {"thinkingLevel": facts.levels[0].upper()}
    return {"thinkingBudget": facts.tokens_min}


def _level(
    effort: str | None, tokens: int | None, facts: Facts, dropped: Dropped
) -> dict[str, object]:
    if tokens is not None:
        dropped.note("reasoning_tokens_max")
    elif effort is None:
        return {}
    wanted = effort_of(tokens) if tokens is not None else effort or ""
    word = nearest(wanted, facts.levels)
    if word is None:
        dropped.note("reasoning_effort")
        return {}
    return {"thinkingLevel": word.upper()}


def _budget(
    effort: str | None, tokens: int | None, facts: Facts, dropped: Dropped
) -> dict[str, object]:
    if tokens is None and effort is None:
        return {}
    budget = tokens if tokens is not None else tokens_of(effort or "")
    if budget is None:
        dropped.note("reasoning_effort")
        return {}
    return {"thinkingBudget": min(max(budget, facts.tokens_min), facts.tokens_max)}
