"""How hard a model should think: words in some dialects, numbers of tokens in others.

OpenAI and Anthropic's newer models take a word, Anthropic's older models and Gemini 2.5 a budget.
No vendor says how many tokens a word is worth at another vendor's model; the one published table
is Google's, for OpenAI's words at Gemini 2.5, and it is taken for all. Words above "high" have no
number there: they are worth the most that every Gemini 2.5 model takes, which is that of "high".

Source: Gemini API, "OpenAI compatibility", "Thinking", read 2026-11.
"""

from collections.abc import Sequence

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""Every word that a vendor knows, from the least."""

THINKING_TOKENS_MIN = 1024
"""The least budget that Anthropic takes; see wire/capping."""
ANSWER_TOKENS_MIN = 256
"""What is left for the words after a thought, where a bound holds both."""

_TOKENS = {
    "none": 0,
    "minimal": 1024,
    "low": 1024,
    "medium": 8192,
    "high": 24_576,
    "xhigh": 24_576,
    "max": 24_576,
}


def tokens_of(effort: str) -> int | None:
    """Give the budget that a word is worth, None for a word that we do not know."""
    return _TOKENS.get(effort)


def effort_of(tokens: int) -> str:
    """Give the least word whose budget holds so many tokens; "high" for more than that."""
    words = ("none", "low", "medium")
    return next((word for word in words if tokens <= _TOKENS[word]), "high")


def nearest(effort: str, known: Sequence[str]) -> str | None:
    """Give the word itself where it is known, else the next one below it, else the one above.

    Args:
        effort: what the client asked for.
        known: what the model takes, from the least.

    Returns:
        None where nothing is known, or the word itself is unknown to everyone.
    """
    if effort in known or not known or effort not in EFFORTS:
        return effort if effort in known else None
    place = EFFORTS.index(effort)
    below = [word for word in known if EFFORTS.index(word) < place]
    return below[-1] if below else known[0]
