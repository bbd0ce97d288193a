"""What looks like a secret in a text of others, made unreadable.

A provider that refuses a key may repeat it in its error. Such a text is shown to people with
every credential in it replaced, and enough left to tell what was said.
"""

import re

REDACTED = "[redacted]"
_SHAPES = re.compile(
    r"""
    \b(?:sk|pk|rk|gsk|xai|hf|ghp|gho|glpat|nvapi|pplx|r8|tgp|csk|fw|key)[-_][\w-]{8,}
    | \bAIza[\w-]{20,}
    | \bya29\.[\w.-]{10,}
    | \bA(?:KI|SI)A[A-Z0-9]{12,}
    | \beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?
    """,
    re.VERBOSE,
)
_NAMED = re.compile(
    r"""(?ix)
    \b( bearer \s+
      | (?: x-)? (?: goog-)? api[-_]?key ["']? \s* [:=] \s* ["']?
      | (?: access[-_]|refresh[-_])? token ["']? \s* [:=] \s* ["']?
      | (?: client[-_])? secret ["']? \s* [:=] \s* ["']?
      | password ["']? \s* [:=] \s* ["']?
      | authorization ["']? \s* [:=] \s* ["']? (?: \w+ \s+ )?
    )
    [^\s"',;&}]+
    """
)


def redacted(text: str) -> str:
    """Give a text without what looks like a credential."""
    return _SHAPES.sub(REDACTED, _NAMED.sub(lambda found: found[1] + REDACTED, text))
