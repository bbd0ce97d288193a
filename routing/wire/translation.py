"""A chat's body in one dialect as a body in another: what every upstream does with it."""

from msgspec import structs

from ..model import Candidate, Dialect, Operation
from .bounds import within
from .codec import Rendered
from .dropped import spelled
from .table import codec


def translated(operation: Operation, candidate: Candidate, dialect: Dialect) -> Rendered:
    """Give the body for a provider of another dialect, and what it is not told.

    Args:
        operation: a chat, in the client's dialect.
        candidate: who is to answer.
        dialect: the provider's.

    Raises:
        BadRequest: the body is not valid, or the dialect cannot say what it asks; names the field.
    """
    chat = codec(operation.dialect).parse_request(operation.body)
    asked = chat.output_tokens_max
    # Whether it streams may stand in the client's path instead of its body.
    chat = structs.replace(chat, stream=operation.features.stream)
    tokens = operation.features.input_tokens
    chat = within(chat, candidate, input_tokens=tokens, dialect=dialect)
    rendered = codec(dialect).render_request(chat, model=candidate.model)
    lowered = asked is not None and asked != chat.output_tokens_max
    dropped = (*(("output_tokens_max",) if lowered else ()), *rendered.dropped)
    return Rendered(rendered.body, spelled(dropped, operation.dialect))
