"""Operations: from a client's body, and from a conversation that a door made itself."""

import msgspec
from msgspec import structs

from ..conversation import Chat
from ..model import Dialect, Operation
from .fields import encode
from .openai_chat.usage import usage_wanted
from .splice import fields_of, place_of, splice_field
from .table import codec

OWN_DIALECT: Dialect = "openai_chat"
"""The dialect that a conversation without a body of its own is written in."""


def operation_of_body(
    dialect: Dialect, body: bytes
) -> tuple[str, Operation, dict[str, msgspec.Raw]]:
    """Give the asked model, the operation of a client's chat body, and the body's fields.

    The bytes are kept. They are gone through twice, by the decoder alone: for the routed fields,
    and for the places of all at the top.

    Raises:
        BadRequest: the body is not one of this dialect.
    """
    target, features = codec(dialect).read_features(body)
    fields = fields_of(body)
    place = place_of(body, fields, "model") if target else None
    at = None if place is None else place[0]
    operation = Operation(
        "chat",
        dialect,
        body,
        features,
        model_in_body=target,
        model_at=at,
        wants_usage=usage_wanted(fields),
    )
    return target, operation, fields


def operation_of_path(
    dialect: Dialect, body: bytes, *, stream: bool
) -> tuple[Operation, dict[str, msgspec.Raw]]:
    """Give the operation of a client's chat body whose model and mode stand in the path.

    The bytes are kept, and the body's fields given beside it.

    Raises:
        BadRequest: the body is not one of this dialect.
    """
    _, features = codec(dialect).read_features(body)
    features = structs.replace(features, stream=stream)
    return Operation("chat", dialect, body, features), fields_of(body)


def operation_of_chat(chat: Chat, *, target: str) -> Operation:
    """Give the operation of a conversation whose answer the door reads as Deltas."""
    own = codec(OWN_DIALECT)
    body = own.render_request(chat, model=target).body
    if chat.reasoning_effort is not None:
        # Who answers is not known yet, and the target may be a name of ours that takes no effort.
        body = splice_field(body, "reasoning_effort", encode(chat.reasoning_effort))
    _, features = own.read_features(body)
    return Operation("chat", OWN_DIALECT, body, features, model_in_body=target, forward=False)
