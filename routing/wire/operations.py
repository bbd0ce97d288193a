"""Operations: from a client's body, and from a conversation that a door made itself."""

from ..conversation import Chat
from ..model import Dialect, Operation
from .table import codec

OWN_DIALECT: Dialect = "openai_chat"
"""The dialect that a conversation without a body of its own is written in."""


def operation_of_body(dialect: Dialect, body: bytes) -> tuple[str, Operation]:
    """Give the asked model and the operation of a client's chat body; the bytes are kept.

    Raises:
        BadRequest: the body is not one of this dialect.
    """
    target, features = codec(dialect).read_features(body)
    return target, Operation("chat", dialect, body, features, model_in_body=target)


def operation_of_chat(chat: Chat, *, target: str) -> Operation:
    """Give the operation of a conversation whose answer the door reads as Deltas."""
    own = codec(OWN_DIALECT)
    body = own.render_request(chat, model=target)
    _, features = own.read_features(body)
    return Operation("chat", OWN_DIALECT, body, features, model_in_body=target, forward=False)
