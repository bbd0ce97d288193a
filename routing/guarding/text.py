"""What a guard finds, taken out of a text: at once, or while the text still comes.

A text that comes in pieces is let go as far as nothing that follows can change it: up to where
something may have begun. So the pieces say together what the whole text would have said, however
it was cut, and no part of a finding gets out before it is known to be one.
"""

from collections import Counter
from collections.abc import Collection

from ..content import Mode
from ..ports import ContentGuard
from .turns import SLICE_CHARS, Steps, at_once


def replaced(kind: str) -> str:
    """Give what stands for a finding."""
    return f"[{kind.upper()}_REDACTED]"


class Watch:
    """One guard with its rule on one side of a request, and what it has found there.

    Attributes:
        found: how often, by kind.
    """

    def __init__(self, guard: ContentGuard, mode: Mode, kinds: Collection[str]) -> None:
        self.guard = guard
        self.mode = mode
        self.kinds = kinds
        self.found: Counter[str] = Counter()

    def text(self, text: str) -> str:
        """Look at a whole text and give it as it may go on."""
        return self.part(text, start=0, end=len(text))[0]

    def looking(self, text: str) -> Steps[str]:
        """Do the same in turns."""
        if len(text) <= SLICE_CHARS:
            return self.text(text)
        gate = Gate(self)
        shown = yield from gate.feeding(text)
        return shown + gate.end()

    def part(self, text: str, *, start: int, end: int) -> tuple[str, int]:
        """Look at a part of a text.

        Args:
            text: with what stands before and behind the part.
            start: where the part begins.
            end: up to where nothing that follows the text can change what is found.

        Returns:
            The part as it may go on, and where the next one begins: never within a finding.
        """
        kept: list[str] = []
        at = start
        for span in self.guard.find(text, self.kinds, start=start):
            if span.start >= end:
                break
            self.found[span.kind] += 1
            kept += (text[at : span.start], self._shown(text, span.start, span.end, span.kind))
            at = span.end
        kept.append(text[at:end])
        return "".join(kept), max(at, end)

    def _shown(self, text: str, start: int, end: int, kind: str) -> str:
        return replaced(kind) if self.mode == "redact" else text[start:end]


class Gate:
    """Lets a text that comes in pieces go on."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._text = ""
        self._start = 0

    def feed(self, text: str) -> str:
        """Take a piece, and give what may go on of all so far."""
        return at_once(self.feeding(text))

    def feeding(self, text: str) -> Steps[str]:
        """Do the same in turns."""
        kept: list[str] = []
        at = 0
        while len(text) - at > SLICE_CHARS:
            kept.append(self._fed(text[at : at + SLICE_CHARS]))
            at += SLICE_CHARS
            yield
        kept.append(self._fed(text[at:]))
        return "".join(kept)

    def end(self) -> str:
        """Give the rest: nothing more comes."""
        shown, _ = self._watch.part(self._text, start=self._start, end=len(self._text))
        self._text, self._start = "", 0
        return shown

    def _fed(self, text: str) -> str:
        if not text:
            return ""
        self._text += text
        guard = self._watch.guard
        end = max(guard.held_from(self._text), len(self._text) - guard.longest, self._start)
        return self._pass(end)

    def _pass(self, end: int) -> str:
        shown, at = self._watch.part(self._text, start=self._start, end=end)
        # One character stays before it: it decides whether something begins behind it.
        self._text, self._start = self._text[max(at - 1, 0) :], min(at, 1)
        return shown
