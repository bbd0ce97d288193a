"""A conversation that is kept as items, joined before a request is read.

What a client goes on from by an id becomes the first items of its input, so that a provider of
any dialect is told all of it. Items of former answers lose what only their provider knows them
by: ids, states, and thoughts that are not in the item itself.

Source: OpenAI API reference, "Create a model response", "Conversation state", read 2026-11.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from ...errors import BadRequest, Inexpressible
from ..fields import Fields, encode
from ..splice import fields_of

ITEMS_MAX = 10_000
COMPACTION = "compaction"
"""An item that stands for what was said before it."""
TRIGGER = "compaction_trigger"
"""An item that asks for one."""

Item = Mapping[str, object]

_ID_PREFIXES = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fco",
    "reasoning": "rs",
}
_LEFT_OUT = frozenset({"id", "status"})
_STAYING = ("user", "developer", "system")


class Asked(msgspec.Struct, frozen=True):
    """The fields of a request that tell of kept state."""

    input: msgspec.Raw = msgspec.Raw()
    store: bool | None = None
    previous_response_id: str | None = None
    conversation: msgspec.Raw = msgspec.Raw()
    background: bool | None = None
    generate: bool | None = None


_asked = msgspec.json.Decoder(Asked)


def asked_of(body: bytes) -> Asked:
    """Give what a request says of kept state.

    Raises:
        BadRequest: it is no request, or asks for what is not kept here.
    """
    try:
        asked = _asked.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"the body is not valid: {error}") from None
    if asked.background:
        raise Inexpressible(
            "`background` is not served here: ask without it, streamed where it takes long",
            field="background",
        )
    if asked.conversation and bytes(asked.conversation) != b"null":
        raise Inexpressible(
            "`conversation` is not kept here: go on by `previous_response_id`",
            field="conversation",
        )
    return asked


def items_of(asked: Asked) -> list[Item]:
    """Give the items of a request's own input.

    Raises:
        BadRequest: the input is neither a text nor a list of items.
    """
    try:
        value = msgspec.json.decode(asked.input) if asked.input else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"`input` is not valid: {error}", field="input") from None
    if isinstance(value, str):
        text = {"type": "input_text", "text": value}
        return [{"type": "message", "role": "user", "content": [text]}]
    return [item.values for item in Fields({"input": value}).items("input")]


def identified(items: Sequence[Item], response_id: str) -> list[Item]:
    """Give the items, each with an id."""
    mark = response_id.removeprefix("resp_")
    return [
        item if item.get("id") else {"id": f"{_prefix(item)}_{mark}_in{number}", **item}
        for number, item in enumerate(items)
    ]


def replayed(items: Iterable[Item]) -> list[Item]:
    """Give items of former requests and answers as input of another one.

    A summary of what was said takes the place of all before it but what the user and the
    instructions say.
    """
    found: list[Item] = []
    for item in items:
        kind = item.get("type")
        if kind == COMPACTION:
            found = [one for one in found if one.get("role") in _STAYING]
            found.append(item)
        elif kind == "reasoning":
            found += [item] if item.get("encrypted_content") else []
        elif kind == "item_reference":
            found.append(item)
        elif kind != TRIGGER:
            found.append({name: value for name, value in item.items() if name not in _LEFT_OUT})
    return found


def joined(body: bytes, items: Sequence[Item]) -> bytes:
    """Give a request whose input is these items, and which goes on from nothing.

    Raises:
        BadRequest: the items are more than ITEMS_MAX.
    """
    if len(items) > ITEMS_MAX:
        raise BadRequest(f"a conversation has at most {ITEMS_MAX} items", field="input")
    fields = fields_of(body)
    for name in ("previous_response_id", "conversation", "background", "generate"):
        fields.pop(name, None)
    fields["input"] = msgspec.Raw(encode(items))
    return encode(fields)


def _prefix(item: Item) -> str:
    kind = item.get("type") or "message"
    return _ID_PREFIXES.get(str(kind), "item")
