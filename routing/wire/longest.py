"""How long a model's answers can be, where the catalogue does not know: told by its name.

A vendor refuses a bound beyond what its model can write, so the row is the vendor's own figure.
The first row that fits counts; a model of no row may write as much as its context has room for.

Sources: the figures that Anthropic, OpenAI, Google and DeepSeek give for their models, as they are
known in 2026-11; not each was compared with its page. One that is too high is refused by the vendor
in its own words, one that is too low makes an answer shorter, which is said.
"""

import re
from functools import lru_cache

NAMES_MAX = 256
"""How many names' figures are kept."""

_ROWS: tuple[tuple[str, int], ...] = (
    (r"claude-(?:opus-4[.-][6-9]|(?:opus|sonnet|fable|mythos)-[5-9])", 128_000),
    (r"claude-opus-4[.-]5|claude-(?:sonnet|haiku)-[45]|claude-3[.-]7", 64_000),
    (r"claude-opus-4", 32_000),
    (r"claude-3[.-]5", 8192),
    (r"claude-3", 4096),
    (r"gpt-[5-9](?:\.\d+)?-chat|gpt-4o|chatgpt-4o", 16_384),
    (r"gpt-[5-9]", 128_000),
    (r"gpt-4\.1", 32_768),
    (r"gpt-4-(?:turbo|1106|0125)|gpt-3\.5", 4096),
    (r"gpt-4(?:-|$)", 8192),
    (r"(?:^|/)o1-mini", 65_536),
    (r"(?:^|/)o1-preview", 32_768),
    (r"(?:^|/)o[1-9]", 100_000),
    (r"gemini-(?:1|2\.0)", 8192),
    (r"gemini-", 65_536),
    (r"deepseek-chat", 8192),
    (r"deepseek-reasoner", 65_536),
)
_COMPILED = tuple((re.compile(pattern, re.IGNORECASE), tokens) for pattern, tokens in _ROWS)


@lru_cache(NAMES_MAX)
def longest_answer(model: str) -> int | None:
    """Give how many tokens a model can answer with, None where its name does not tell."""
    return next((tokens for pattern, tokens in _COMPILED if pattern.search(model)), None)
