"""What a translation leaves out, so that it can be told to who asked.

A hint that the provider's dialect has no word for is left out, and named. What would change the
meaning of the request is refused instead (parts.inexpressible).
"""

from collections.abc import Mapping

from ..conversation import Chat, Json
from ..model import Dialect

NAMES_MAX = 32
"""How many names are told of one request."""
NAME_CHARS_MAX = 64


class Dropped:
    """Collects the names of what is left out, each once, in the order of their coming."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def note(self, name: str) -> None:
        """Note a field by its path in the client's own spelling, as `tools.strict`."""
        if len(self._names) < NAMES_MAX:
            self._names[name[:NAME_CHARS_MAX]] = None

    def note_if(self, name: str, value: object) -> None:
        """Note a field that has a value."""
        if value is not None:
            self.note(name)

    def note_rest(self, rest: Json, dialect: Dialect, *, within: str = "") -> None:
        """Note what a rest keeps for another dialect than the provider's.

        Args:
            rest: keyed by the dialect it came in.
            dialect: the provider's.
            within: what the fields belong to, as `tools`.
        """
        for source, fields in rest.items():
            if source != dialect and isinstance(fields, Mapping) and "type" not in fields:
                for name in fields:
                    self.note(f"{within}.{name}" if within else name)

    def note_chat(self, chat: Chat, dialect: Dialect) -> None:
        """Note the fields of a chat that only another dialect knows."""
        if chat.rest:
            self.note_rest(chat.rest, dialect)

    @property
    def names(self) -> tuple[str, ...]:
        """What was left out."""
        return tuple(self._names)
