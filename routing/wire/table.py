"""The four dialects by name."""

from ..model import Dialect
from .anthropic.codec import Anthropic
from .codec import Codec
from .gemini.codec import Gemini
from .openai_chat.codec import OpenaiChat
from .openai_responses.codec import OpenaiResponses

_CODECS: dict[Dialect, Codec] = {
    one.name: one for one in (OpenaiChat(), Anthropic(), OpenaiResponses(), Gemini())
}


def codec(dialect: Dialect) -> Codec:
    """Give the codec of a dialect; codecs hold no state and are shared."""
    return _CODECS[dialect]
