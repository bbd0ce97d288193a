"""Usage of OpenAI chat completions, and how compatible providers bend it.

Reasoning tokens beside the completion's (xAI), cache counts under other names (DeepSeek,
Moonshot, LiteLLM).

Source: OpenAI API reference, "The chat completion object", `usage`, and the providers' own
references, read 2026-11.
"""

import msgspec

from ...conversation import Usage
from ..counting import TOKENS_MAX, Count, counts_of, usage


class _Read(msgspec.Struct, gc=False):
    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    cache_creation_tokens: Count | None = None


class _Written(msgspec.Struct, gc=False):
    reasoning_tokens: Count | None = None


class Counts(msgspec.Struct, gc=False):
    """What is read of a usage object."""

    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    total_tokens: Count | None = None
    prompt_tokens_details: _Read | None = None
    completion_tokens_details: _Written | None = None
    prompt_cache_hit_tokens: Count | None = None
    cached_tokens: Count | None = None


def usage_of(reported: object) -> Usage | None:
    """Give a usage object's counts, None when it does not report both of them."""
    counts = counts_of(reported, Counts)
    prompt, completion = counts.prompt_tokens, counts.completion_tokens
    if prompt is None or completion is None:
        return None
    read, written = counts.prompt_tokens_details or _Read(), counts.completion_tokens_details
    reasoning = 0 if written is None else written.reasoning_tokens or 0
    if reasoning and counts.total_tokens == prompt + completion + reasoning:
        completion = min(completion + reasoning, TOKENS_MAX)  # the total proves them separate
    cached = (read.cached_tokens, counts.prompt_cache_hit_tokens, counts.cached_tokens)
    return usage(
        input_tokens=prompt,
        output_tokens=completion,
        cached=next((one for one in cached if one is not None), None),
        cache_write=read.cache_write_tokens or read.cache_creation_tokens,
        reasoning=reasoning,
    )


def usage_json(found: Usage) -> dict[str, object]:
    """Give usage in this dialect's words."""
    return {
        "prompt_tokens": found.input_tokens,
        "completion_tokens": found.output_tokens,
        "total_tokens": found.input_tokens + found.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": found.cached_input_tokens,
            "cache_write_tokens": found.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": found.reasoning_tokens},
    }
