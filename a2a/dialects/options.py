"""Routing options of a request: which skill, which model or combo, what it may cost.

The standards carry them as metadata, under our extension's URI or plainly; the native
dialect has them at the top and in its own `metadata`. The first place that says something
about an option wins.
"""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Literal, get_args

from ..task import SMART_ROUTING, Options, Turn
from .fields import Fields

BUDGET_USD_MAX = Decimal(1_000_000)
BUDGET_CHARS_MAX = 32
NANOS_A_DOLLAR = 1_000_000_000
TURNS_MAX = 1024

TurnRole = Literal["system", "developer", "user", "assistant"]
_ROLES: dict[str, TurnRole] = {role: role for role in get_args(TurnRole)} | {"agent": "assistant"}


def read_options(places: Sequence[Fields], *, turns: tuple[Turn, ...] = ()) -> Options:
    """Give the options that the places say, the earlier place first.

    Raises:
        Fault: an option is of the wrong type or out of its range.
    """
    return Options(
        skill=_first(places, "skill") or SMART_ROUTING,
        model=_first(places, "model") or "auto",
        combo=_first(places, "combo"),
        budget_usd_nanos=_budget(places),
        role=_first(places, "role"),
        turns=turns,
        replay=next((found for one in places if (found := one.flag("replay")) is not None), False),
    )


def read_turns(place: Fields) -> tuple[Turn, ...]:
    """Give the conversation under `messages`, empty when there is none.

    An entry without content is left out, a missing role means the user.

    Raises:
        Fault: an entry is no chat message.
    """
    if place.raw("messages") is None:
        return ()
    entries = place.objects("messages", most=TURNS_MAX)
    turns = (_turn(entry) for entry in entries)
    return tuple(turn for turn in turns if turn.text)


def _turn(entry: Fields) -> Turn:
    name = entry.text("role") or "user"
    role = _ROLES.get(name)
    if role is None:
        raise entry.fault("role", f"is {name!r}, known are {', '.join(_ROLES)}")
    return Turn(role, turn_text(entry))


def turn_text(entry: Fields) -> str:
    """Give the text of a chat message: its `content`, or its `parts` joined with newlines.

    Raises:
        Fault: it has content that is no text.
    """
    content = entry.raw("content")
    if isinstance(content, str):
        return content
    name = "parts" if content is None else "content"
    if entry.raw(name) is None:
        return ""
    return "\n".join(filter(None, map(_part_text, entry.objects(name))))


def _part_text(part: Fields) -> str:
    kind = part.text("type") or part.text("kind") or "text"
    text = part.text("text") or part.text("content")
    if kind != "text" or text is None:
        raise part.fault("text", "is missing: this form of the request carries text only")
    return text


def _first(places: Sequence[Fields], name: str) -> str | None:
    return next((found for place in places if (found := place.name(name)) is not None), None)


def _budget(places: Sequence[Fields]) -> int | None:
    """Give the most the task may cost; the request says it in dollars."""
    for place in places:
        value = place.raw("budget")
        if value is None:
            continue
        # By way of its shortest text, so that 0.1 is a tenth of a dollar and not a bit more.
        told = str(value) if isinstance(value, int | float | str) else ""
        try:
            dollars = Decimal(told if len(told) <= BUDGET_CHARS_MAX else "")
        except InvalidOperation:
            raise place.fault("budget", "must be a number of US dollars") from None
        if not dollars.is_finite() or not 0 <= dollars <= BUDGET_USD_MAX:
            raise place.fault("budget", f"must be between 0 and {BUDGET_USD_MAX} US dollars")
        return int(dollars * NANOS_A_DOLLAR)
    return None
