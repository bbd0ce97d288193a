"""A bound on the answer written into a body that otherwise goes on as the client wrote it.

The bound is written in the client's own dialect. A provider of the same one gets these bytes;
for another the body is parsed as ever, and the bound is rendered like any that a client set.

Anthropic counts thinking into the answer, so its own budget has to follow: it must be less than
`max_tokens` and at least 1,024, else the provider refuses the request. It is lowered to leave
ANSWER_TOKENS_MIN for the words after it. Where that leaves too little to think with, the request
is refused here, with the figure that would do: whoever asks for thinking is not answered without.
Source: Anthropic's Messages API, "thinking", "budget_tokens", read 2026-11.
"""

from collections.abc import Mapping

from msgspec import structs

from ..errors import BudgetExceeded
from ..model import Dialect, Operation
from .efforts import ANSWER_TOKENS_MIN, THINKING_TOKENS_MIN
from .openai_models import limit_name
from .splice import fields_of, splice_field

_FIELDS: Mapping[Dialect, tuple[str, ...]] = {
    "openai_chat": ("max_completion_tokens", "max_tokens"),
    "openai_responses": ("max_output_tokens",),
    "anthropic": ("max_tokens",),
    "gemini": ("maxOutputTokens", "max_output_tokens"),
}
"""The names that a dialect has for the bound. The first is written where none stands."""

_GEMINI_CONFIGS = ("generationConfig", "generation_config")


def capped(
    operation: Operation, output_tokens_max: int, *, model: str, dialect: Dialect
) -> Operation:
    """Give the operation with a bound on its answers, whatever bound the client wrote.

    Args:
        operation: a chat.
        output_tokens_max: for all its answers together; each gets its equal part.
        model: the provider's name for the model: OpenAI's newer ones know another field.
        dialect: the provider's: of another than the client's, it is not asked to think.

    Raises:
        BadRequest: the body is not a JSON object.
        BudgetExceeded: it asks for thinking, and the bound leaves too little for that.
    """
    each = output_tokens_max // operation.features.choices
    names = _FIELDS[operation.dialect]
    if operation.dialect == "gemini":
        body = _in_config(operation.body, names, each)
    elif operation.dialect == "openai_chat":
        body = _written(operation.body, names, each, absent=limit_name(model))
    else:
        body = _written(operation.body, names, each, absent=names[0])
    if operation.dialect == dialect == "anthropic":
        body = _thinking_within(body, each)
    features = structs.replace(
        operation.features, output_tokens_max=each * operation.features.choices
    )
    return structs.replace(operation, body=body, features=features, model_at=None)


def _in_config(body: bytes, names: tuple[str, ...], each: int) -> bytes:
    fields = fields_of(body)
    there = [name for name in _GEMINI_CONFIGS if bytes(fields.get(name, b"null")) != b"null"]
    for name in there:
        config = _written(bytes(fields[name]), names, each, absent=names[0])
        body = splice_field(body, name, config)
    if there:
        return body
    return splice_field(body, _GEMINI_CONFIGS[0], _written(b"{}", (), each, absent=names[0]))


def _thinking_within(body: bytes, each: int) -> bytes:
    asked = fields_of(body).get("thinking")
    if asked is None or not bytes(asked).startswith(b"{"):
        return body
    thinking = bytes(asked)
    budget = bytes(fields_of(thinking).get("budget_tokens", b""))
    if not budget.isdigit() or int(budget) < each:
        return body
    left = each - ANSWER_TOKENS_MIN
    if left < THINKING_TOKENS_MIN:
        raise BudgetExceeded(
            f"the request asks for thinking, which takes at least {THINKING_TOKENS_MIN} tokens and "
            f"{ANSWER_TOKENS_MIN} for the answer, and only {each} can be paid for; ask without "
            "thinking, or raise the budget"
        )
    return splice_field(body, "thinking", splice_field(thinking, "budget_tokens", b"%d" % left))


def _written(body: bytes, names: tuple[str, ...], each: int, *, absent: str) -> bytes:
    """Give the object with the bound in every field that stands in it, or in a new one."""
    fields = fields_of(body)
    there = [name for name in names if bytes(fields.get(name, b"null")) != b"null"]
    for name in there or (absent,):
        body = splice_field(body, name, b"%d" % each)
    return body
