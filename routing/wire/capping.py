"""A bound on the answer written into a body that otherwise goes on as the client wrote it.

The bound is written in the client's own dialect. A provider of the same one gets these bytes;
for another the body is parsed as ever, and the bound is rendered like any that a client set.
"""

from collections.abc import Mapping
from dataclasses import replace

from ..model import Dialect, Operation
from .openai_chat.render import limit_name
from .splice import fields_of, splice_field

_FIELDS: Mapping[Dialect, tuple[str, ...]] = {
    "openai_chat": ("max_completion_tokens", "max_tokens"),
    "openai_responses": ("max_output_tokens",),
    "anthropic": ("max_tokens",),
    "gemini": ("maxOutputTokens", "max_output_tokens"),
}
"""The names that a dialect has for the bound. The first is written where none stands."""

_GEMINI_CONFIGS = ("generationConfig", "generation_config")


def capped(operation: Operation, output_tokens_max: int, *, model: str) -> Operation:
    """Give the operation with a bound on its answers, whatever bound the client wrote.

    Args:
        operation: a chat.
        output_tokens_max: for all its answers together; each gets its equal part.
        model: the provider's name for the model: OpenAI's newer ones know another field.

    Raises:
        BadRequest: the body is not a JSON object.
    """
    each = output_tokens_max // operation.features.choices
    names = _FIELDS[operation.dialect]
    if operation.dialect == "gemini":
        body = _in_config(operation.body, names, each)
    elif operation.dialect == "openai_chat":
        body = _written(operation.body, names, each, absent=limit_name(model))
    else:
        body = _written(operation.body, names, each, absent=names[0])
    features = replace(operation.features, output_tokens_max=each * operation.features.choices)
    return replace(operation, body=body, features=features)


def _in_config(body: bytes, names: tuple[str, ...], each: int) -> bytes:
    fields = fields_of(body)
    there = [name for name in _GEMINI_CONFIGS if bytes(fields.get(name, b"null")) != b"null"]
    for name in there:
        config = _written(bytes(fields[name]), names, each, absent=names[0])
        body = splice_field(body, name, config)
    if there:
        return body
    return splice_field(body, _GEMINI_CONFIGS[0], _written(b"{}", (), each, absent=names[0]))


def _written(body: bytes, names: tuple[str, ...], each: int, *, absent: str) -> bytes:
    """Give the object with the bound in every field that stands in it, or in a new one."""
    fields = fields_of(body)
    there = [name for name in names if bytes(fields.get(name, b"null")) != b"null"]
    for name in there or (absent,):
        body = splice_field(body, name, b"%d" % each)
    return body
