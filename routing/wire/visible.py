"""Thoughts that a client has not asked to see.

Anthropic's and Gemini's answers hold thoughts only where the request asks for them, and their
clients rely on it: the first block of an answer is its text. Another vendor's model may think aloud
all the same, so its thoughts are left out for such a client, in streams and whole answers alike.
OpenAI's dialects have fields of their own beside the answer, which are always told.

Source: Anthropic API reference, "thinking"; Gemini API reference, "includeThoughts"; read 2026-11.
"""

import re

from msgspec import structs

from ..conversation import Delta
from ..errors import RoutingError
from ..model import Dialect
from .codec import StreamWriter
from .splice import fields_of

_THINKS = re.compile(rb'"type"\s*:\s*"(?:enabled|adaptive)"')
_SHOWS = re.compile(rb'"include_?thoughts"\s*:\s*true', re.IGNORECASE)
_CONFIGS = ("generationConfig", "generation_config")


def shows_thoughts(dialect: Dialect, body: bytes) -> bool:
    """Whether a client's request asks for thoughts, or its dialect always tells them."""
    if dialect == "anthropic":
        asked = fields_of(body).get("thinking")
        return asked is not None and _THINKS.search(bytes(asked)) is not None
    if dialect == "gemini":
        fields = fields_of(body)
        configs = [bytes(fields[name]) for name in _CONFIGS if name in fields]
        return any(_SHOWS.search(config) is not None for config in configs)
    return True


def unthought(delta: Delta, dialect: Dialect) -> Delta:
    """Give a step without its thought. Gemini's proofs stay: they stand at calls, unasked."""
    signature = delta.reasoning_signature if dialect == "gemini" else None
    kept = (delta.reasoning, delta.reasoning_encrypted, delta.reasoning_signature)
    if kept == ("", None, signature):
        return delta
    return structs.replace(
        delta, reasoning="", reasoning_encrypted=None, reasoning_signature=signature
    )


class Unthinking:
    """A writer that leaves thoughts out; see StreamWriter."""

    def __init__(self, writer: StreamWriter, dialect: Dialect) -> None:
        self._writer = writer
        self._dialect = dialect

    def write(self, delta: Delta) -> bytes:
        """Give the bytes of one step."""
        return self._writer.write(unthought(delta, self._dialect))

    def end(self) -> bytes:
        """Give what ends the stream well."""
        return self._writer.end()

    def error(self, error: RoutingError) -> bytes:
        """Give what ends the stream badly."""
        return self._writer.error(error)
