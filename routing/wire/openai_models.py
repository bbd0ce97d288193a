"""What a model of OpenAI's takes, by its name: one module for both of their dialects.

Their dialects are spoken by many, with models that share none of this: a field that only
OpenAI's models know is sent, on the way from one dialect to another, to these alone.

Source: OpenAI API reference, "max_tokens" (deprecated), "reasoning_effort", "temperature" and
the pages of the models, read 2026-11.
"""

import re

# Models that think before they answer. They refuse max_tokens; many compatible servers know
# only that.
_REASONING = re.compile(r"(?:^|/)(?:o\d|gpt-[5-9]|gpt-\d\d|codex)")
_CHATTING = re.compile(r"-chat(?:-|$)")
_OPENAI = re.compile(r"(?:^|/)(?:o\d|gpt-\d|chatgpt|codex)")
# Models of others that can be told how hard to think.
_THINKING = re.compile(
    r"gpt-oss|deepseek|qwen-?3|grok-[3-9]|glm-[4-9]|kimi-k2|minimax|magistral|claude|"
    r"gemini-(?:2\.5|[3-9])|think|reason|-r1",
    re.IGNORECASE,
)
# Those before took "minimal" for the least thinking, and these take "none".
_KNOWS_NONE = re.compile(r"(?:^|/)gpt-(?:5\.[1-9]|[6-9]|\d\d)")
_KNOWS_MINIMAL = re.compile(r"(?:^|/)gpt-5(?:-|$)")

LOW_TOKENS_MAX = 2048
MEDIUM_TOKENS_MAX = 16384
"""Up to so many tokens of thought are the efforts low and medium."""


def limit_name(model: str) -> str:
    """Give the field of a chat completion that bounds the answer of a model."""
    return "max_completion_tokens" if _REASONING.search(model) else "max_tokens"


def is_openai(model: str) -> bool:
    """Whether a model is one of OpenAI's own, which take all fields of their dialects."""
    return _OPENAI.search(model) is not None


def reasons(model: str) -> bool:
    """Whether a model is one of OpenAI's that think: effort is known, sampling refused."""
    return _REASONING.search(model) is not None and _CHATTING.search(model) is None


def thinks(model: str) -> bool:
    """Whether a model, of whatever vendor, is known to take an effort of thought."""
    return reasons(model) or _THINKING.search(model) is not None


def effort_of(tokens_max: int, model: str) -> str:
    """Give the effort that stands for a budget of thought."""
    if tokens_max > MEDIUM_TOKENS_MAX:
        return "high"
    if tokens_max > LOW_TOKENS_MAX:
        return "medium"
    if tokens_max == 0 and _KNOWS_NONE.search(model):
        return "none"
    if tokens_max == 0 and _KNOWS_MINIMAL.search(model):
        return "minimal"
    return "low"
