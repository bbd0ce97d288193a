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
_GPT = re.compile(r"(?:^|/)gpt-(\d{1,2})(?:\.(\d{1,2}))?(-codex|-pro)?")

# From which version on a word of effort is known, and up to which.
_OTHERS = ("none", "minimal", "low", "medium", "high")
_BASE = ("low", "medium", "high")


def limit_name(model: str) -> str:
    """Give the field of a chat completion that bounds the answer of a model."""
    return "max_completion_tokens" if _REASONING.search(model) else "max_tokens"


def is_openai(model: str) -> bool:
    """Whether a model is one of OpenAI's own, which take all fields of their dialects."""
    return _OPENAI.search(model) is not None


def reasons(model: str) -> bool:
    """Whether a model is one of OpenAI's that think: effort is known, sampling refused."""
    return _REASONING.search(model) is not None and _CHATTING.search(model) is None


def takes_sampling(model: str, effort: object) -> bool:
    """Whether a model that is asked for an effort takes temperature and the like.

    Source: OpenAI, "Using GPT-5.4", "Parameter compatibility", read 2026-11.
    """
    return not reasons(model) or effort == "none"


def thinks(model: str) -> bool:
    """Whether a model, of whatever vendor, is known to take an effort of thought."""
    return reasons(model) or _THINKING.search(model) is not None


def efforts_of(model: str) -> tuple[str, ...]:
    """Give the words for an effort of thought that a model takes, from the least."""
    if not reasons(model):
        return _OTHERS
    found = _GPT.search(model)
    if found is None:
        return _BASE
    version = (int(found[1]), int(found[2] or 0))
    most = ("xhigh",) if version >= (5, 2) or "-codex-max" in model else ()
    most = (*most, "max") if version >= (5, 6) else most
    if found[3] == "-pro":
        return ("medium", "high", *most) if version >= (5, 1) else ("high",)
    if found[3] == "-codex":
        return (*_BASE, *most)
    return ("none" if version >= (5, 1) else "minimal", *_BASE, *most)
