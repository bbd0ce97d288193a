"""Thoughts that a model wrote into its text, between `<think>` and `</think>`.

Models that think aloud are often served without a parser for it, and their thoughts then stand
at the beginning of the text. A client of another dialect would take them for the answer. So
they are told apart: only at the very beginning, since a tag further on is something that the
model wrote about, and only where an answer is translated; in its own dialect it stays as it is.

A tag may be cut anywhere. What could still become one is held back: at the beginning blank
space and the first letters of a tag, in a thought blank space and at most seven letters of
`</think>`. Blank space around a thought belongs to the tags and is left out.

Sources, read 2026-11: DeepSeek-R1's and Qwen3's model cards, "Usage"; vLLM, "Reasoning outputs".
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import structs

from ...conversation import Delta, TokenLogprob

OPENING = "<think>"
CLOSING = "</think>"
BLANK_CHARS_MAX = 64
"""More blank space than this before a tag is the beginning of a text."""

_State = Literal["beginning", "thinking", "thought", "text"]


class ThoughtSplitter:
    """Feed it the Deltas of one answer, in order; any cuts give the same thoughts and text."""

    __slots__ = ("_held", "_logprobs", "_state", "_thinks")

    def __init__(self) -> None:
        self._state: _State = "beginning"
        self._held = ""
        self._logprobs: tuple[TokenLogprob, ...] = ()
        self._thinks = False

    def split(self, deltas: Sequence[Delta]) -> Sequence[Delta]:
        """Give the Deltas with thoughts and text apart."""
        if self._state == "text":
            return deltas
        found: list[Delta] = []
        for delta in deltas:
            if delta.text or delta.logprobs:
                found += self._fed(delta)
            else:
                if _ends_text(delta):
                    found += self._flushed()
                found.append(delta)
        return found

    def _fed(self, delta: Delta) -> list[Delta]:
        if self._state == "text":
            return [delta]
        rest = structs.replace(delta, text="", logprobs=())
        found = [] if rest == _NOTHING else [rest]
        self._held += delta.text
        self._logprobs += delta.logprobs
        if self._state == "beginning":
            found += self._begun()
        if self._state == "thinking":
            found += self._thinking()
        if self._state == "thought":
            self._held = self._held.lstrip()
            if self._held:
                found += self._flushed()
        return found

    def _begun(self) -> list[Delta]:
        """Give the text if it is one; else nothing, until the tag is whole."""
        said = self._held.lstrip()
        if len(self._held) - len(said) > BLANK_CHARS_MAX:
            return self._flushed()
        if said.startswith(OPENING):
            self._state = "thinking"
            self._held = said[len(OPENING) :]
            return []
        return [] if OPENING.startswith(said) else self._flushed()

    def _thinking(self) -> list[Delta]:
        held, closing, rest = self._held.partition(CLOSING)
        self._logprobs = ()  # of thoughts, which have no place for them
        if not self._thinks:
            held = held.lstrip()
        thought = held.rstrip() if closing else held[: _said_chars(held)]
        if closing:
            self._state, self._held = "thought", rest
        else:
            self._held = held[len(thought) :]
        self._thinks = self._thinks or bool(thought)
        return [Delta(reasoning=thought)] if thought else []

    def _flushed(self) -> list[Delta]:
        """Give what is held: from here on all is text, unless it is a thought that never ended."""
        held, self._held = self._held, ""
        logprobs, self._logprobs = self._logprobs, ()
        if self._state == "thinking":
            return [Delta(reasoning=held)] if held else []
        if not held and not logprobs:
            return []
        self._state = "text"
        return [Delta(text=held, logprobs=logprobs)]


_NOTHING = Delta()


def _ends_text(delta: Delta) -> bool:
    """Whether something comes that what is held cannot wait for."""
    return bool(
        delta.has_content
        or delta.reasoning_signature is not None
        or delta.reasoning_encrypted is not None
        or delta.ended
        or delta.error is not None
    )


def _said_chars(thought: str) -> int:
    """Give how much is said for sure: not the blank end, nor what may begin the closing tag."""
    for size in range(min(len(CLOSING) - 1, len(thought)), 0, -1):
        if thought.endswith(CLOSING[:size]):
            return len(thought[:-size].rstrip())
    return len(thought.rstrip())
