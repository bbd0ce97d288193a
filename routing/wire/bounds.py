"""How long an answer may be, where the client's bound was meant for another vendor's model.

Clients write what their own vendor's models can do: Claude Code asks for up to 128,000 tokens,
which most models of others refuse outright. A bound is a ceiling and no demand, so on the way to
another dialect it is lowered to what the model can answer and what its context has room for, and
that is said. A model whose context has room for ANSWER_TOKENS_ENOUGH beside the question may
answer, whatever the bound. In the client's own dialect nothing is touched.

Anthropic demands a bound: where the client set none, the model's longest answer is one.
"""

from msgspec import structs

from ..conversation import Chat
from ..model import Candidate, Dialect, Features
from .longest import longest_answer

ANSWER_TOKENS_ENOUGH = 4096


def context_tokens_needed(features: Features, *, is_meant: bool) -> int:
    """Give the room that a model's context must have for a question and its answer.

    Args:
        features: of the question.
        is_meant: the client's bound on the answer was made for such a model.
    """
    asked = features.output_tokens_max or 0
    if not is_meant:
        asked = min(asked, ANSWER_TOKENS_ENOUGH)
    return features.input_tokens + asked


def within(chat: Chat, candidate: Candidate, *, input_tokens: int, dialect: Dialect) -> Chat:
    """Give the chat with a bound that the model takes.

    Args:
        chat: of another dialect.
        candidate: the model, with what is known of it.
        input_tokens: an estimate of the question's.
        dialect: the provider's.
    """
    longest = candidate.facts.output_tokens_max or longest_answer(candidate.model)
    room = candidate.facts.context_tokens_max
    asked = chat.output_tokens_max
    if asked is None:
        return structs.replace(chat, output_tokens_max=longest) if dialect == "anthropic" else chat
    if longest is not None:
        asked = min(asked, longest)
    if room is not None and asked > room - input_tokens:
        asked = max(room - input_tokens, min(asked, ANSWER_TOKENS_ENOUGH))
    return structs.replace(chat, output_tokens_max=asked)
