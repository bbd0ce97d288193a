"""Whose signature is it? A thought's proof is valid only at the provider that made it.

Anthropic's travel as they are, because its own clients carry them. Those of others get
their dialect's name in front when they are read, so that, whatever client keeps them in
between, they come back to their maker alone and are left out everywhere else.
"""

from ..model import Dialect

NO_PROOF = (
    "skip_thought_signature_validator",
    "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=",
)
"""What says that there is no signature, where Gemini asks for one; also as bytes in base64.

It claims nothing: Google documents it for history that its models did not write.
Source: Gemini API, "Thought signatures", read 2026-11; Gemini CLI sends it, seen 2026-11.
"""

_PLAIN: Dialect = "anthropic"
_MARKED: tuple[Dialect, ...] = ("gemini", "openai_responses", "openai_chat")


def marked(signature: str, dialect: Dialect) -> str:
    """Give the form in which a signature of this dialect's provider travels."""
    return signature if dialect == _PLAIN else f"{dialect}#{signature}"


def unmarked(signature: str | None, dialect: Dialect) -> str | None:
    """Give the signature as its provider made it, None when another one did."""
    if not signature:
        return None
    for owner in _MARKED:
        if signature.startswith(f"{owner}#"):
            return signature[len(owner) + 1 :] if owner == dialect else None
    return signature if dialect == _PLAIN else None
