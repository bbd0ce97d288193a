"""The items of conversations that were kept."""

import msgspec

from omniroute.routing.errors import PreviousResponseNotFound
from omniroute.routing.wire.openai_responses.history import Item

from ..store.kept_responses import KeptResponse, KeptResponses

_items = msgspec.json.Decoder(list[dict[str, object]])
_object = msgspec.json.Decoder(dict[str, object])


async def history(kept: KeptResponses, key_id: str, response_id: str) -> list[Item]:
    """Give all items of a conversation, up to and with a response.

    Raises:
        PreviousResponseNotFound: it is not kept for this key, or not all of it.
    """
    rows = await kept.chain(key_id, response_id)
    if rows is None:
        raise PreviousResponseNotFound(
            f"Previous response with id {response_id!r} not found.", field="previous_response_id"
        )
    return [item for row in rows for item in (*items_in(row), *output_of(row))]


def items_in(row: KeptResponse) -> list[dict[str, object]]:
    """Give the items that a kept response was asked beside those before it."""
    return _items.decode(row.items)


def output_of(row: KeptResponse) -> list[dict[str, object]]:
    """Give the items that a kept response answered."""
    output = _object.decode(row.response)["output"]
    return [one for one in output if isinstance(one, dict)] if isinstance(output, list) else []
