"""Which content guards look at what: what people configured, and what was found.

A guard looks at the words of a request before anybody is called, and at those of the answer
before its client sees them. What it does with a finding is the rule's mode:

    off      nobody looks, and every byte goes on as it came
    warn     it is counted and recorded, and goes on
    redact   it is replaced by its kind, such as [EMAIL_REDACTED]
    block    the request is refused, or the answer ended

The narrowest rule counts: that of the key, else that of the combo, else the one for all.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

Mode = Literal["off", "warn", "redact", "block"]
Side = Literal["request", "answer"]

RULES_MAX = 1_000
"""Rules of keys and combos together."""


class ContentRule(Struct, frozen=True, forbid_unknown_fields=True):
    """What is done with what a guard finds; no `kinds` are all that it knows."""

    requests: Mode = "off"
    answers: Mode = "off"
    kinds: tuple[str, ...] = ()
    guard: str = "pii"

    @property
    def touches(self) -> bool:
        """Whether anything is looked at."""
        return self.requests != "off" or self.answers != "off"


class ContentRules(Struct, frozen=True, forbid_unknown_fields=True):
    """The rule for all, and those of keys by their ids and of combos by their names."""

    everywhere: ContentRule = ContentRule()
    keys: Mapping[str, ContentRule] = {}
    combos: Mapping[str, ContentRule] = {}

    @property
    def touches(self) -> bool:
        """Whether any request is looked at."""
        return any(
            one.touches for one in (self.everywhere, *self.keys.values(), *self.combos.values())
        )

    def rule(self, key_id: str, combo: str | None) -> ContentRule:
        """Give the rule of a key's request."""
        found = self.keys.get(key_id)
        if found is None and combo is not None:
            found = self.combos.get(combo)
        return self.everywhere if found is None else found


class Span(Struct, frozen=True, gc=False):
    """Where in a text something was found, and of what kind it is."""

    start: int
    end: int
    kind: str


class Finding(Struct, frozen=True, gc=False):
    """How often something of a kind was found, and what was done: nothing of what it said."""

    side: Side
    kind: str
    count: int
    mode: Mode
