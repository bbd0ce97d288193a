"""Whose signature is it? A thought's proof is valid only at the provider that made it.

Anthropic's travel as they are, because its own clients carry them. Those of others get
their dialect's name in front when they are read, so that, whatever client keeps them in
between, they come back to their maker alone and are left out everywhere else.

A Responses client keeps one opaque text with a thought. Another vendor's proof goes there with
words in front that say what it is: a signature, or a thought that only its maker reads.
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


_CARRIED_SIGNATURE = "omniroute.signature#"
_CARRIED_DATA = "omniroute.data#"
CARRIED = (_CARRIED_SIGNATURE, _CARRIED_DATA)
"""What the proofs of other vendors begin with where a Responses client keeps them."""


def carried(signature: str | None, data: str | None) -> str | None:
    """Give the one text in which a Responses client keeps a thought's proof, None without one."""
    own = unmarked(data, "openai_responses") or unmarked(signature, "openai_responses")
    if own is not None:
        return own
    if data is not None:
        return _CARRIED_DATA + data
    return None if signature is None else _CARRIED_SIGNATURE + signature


def brought(text: str) -> tuple[str | None, str | None]:
    """Give the signature and the data of a text that a Responses client has kept."""
    if text.startswith(_CARRIED_SIGNATURE):
        return text.removeprefix(_CARRIED_SIGNATURE) or None, None
    if text.startswith(_CARRIED_DATA):
        return None, text.removeprefix(_CARRIED_DATA) or None
    return None, marked(text, "openai_responses")


def is_foreign(proof: object, dialect: Dialect) -> bool:
    """Whether a proof in a body of this dialect is another vendor's, which its provider refuses."""
    if not isinstance(proof, str):
        return False
    if dialect == "openai_responses":
        return proof.startswith(CARRIED)
    return bool(proof) and unmarked(proof, dialect) is None
