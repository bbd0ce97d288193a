"""Watching a same-dialect answer go by without reading it.

Before the first content every event is read, since a role or a start message is not yet
content. From then on an event is read only when its bytes hold one of the dialect's rare
markers (a finish, usage, an error, the end); all others cost one search over the bytes.
"""

import re
from collections.abc import Callable, Iterable, Sequence

from ..conversation import Delta
from .sse import ENDS, EVENT_BYTES_MAX, Event, EventBlocks, end_of_event, events_at, split_events


class SseSniffer:
    """A dialect's Sniffer of event streams.

    Args:
        read: gives an event's Deltas; it must bear that events between were left out.
        rare: one of these is found in every event that must be read after the first content.
            Each begins with literal bytes, which makes its search several times faster
            than that of one pattern with alternatives.
        bytes_max: the most bytes one event may have.
    """

    __slots__ = (
        "_answer_id",
        "_blocks",
        "_bytes_max",
        "_committed",
        "_model",
        "_pending",
        "_rare",
        "_read",
        "_searches",
    )

    def __init__(
        self,
        read: Callable[[Event], Sequence[Delta]],
        rare: Sequence[re.Pattern[bytes]],
        bytes_max: int = EVENT_BYTES_MAX,
    ) -> None:
        self._read = read
        self._rare = rare
        self._searches = tuple(pattern.search for pattern in rare)
        self._blocks = EventBlocks(bytes_max)
        self._pending = self._blocks.pending
        self._bytes_max = bytes_max
        self._committed = False
        self._model: str | None = None
        self._answer_id: str | None = None

    def feed(self, data: bytes) -> Delta | None:
        """Give one Delta of all that was found in the events ending here, else None.

        Raises:
            UpstreamFailure: kind "malformed" or "too_large".
        """
        block = self._blocks.feed(data)
        if not block or (self._committed and not self._is_rare(block)):
            return None
        found: list[Delta] = []
        was_committed, at = self._committed, 0
        while not self._committed and at < len(block):
            begin, at = at, end_of_event(block, at)
            for event in split_events(block[begin:at]):
                self._note(event, found)
        words = [match.start() for pattern in self._rare for match in pattern.finditer(block, at)]
        for begin, end in events_at(block, words, at):
            for event in split_events(block[begin:end]):
                if self._is_rare(event.data):
                    self._note(event, found)
        return self._summary(found, self._committed and not was_committed)

    def _note(self, event: Event, found: list[Delta]) -> None:
        for delta in self._read(event):
            self._model = delta.model or self._model
            self._answer_id = delta.answer_id or self._answer_id
            self._committed = self._committed or delta.has_content
            found.append(delta)

    def is_plain(self, data: bytes) -> bool:
        """Whether the bytes that come next are whole events without anything to read."""
        if self._pending or not (self._committed and data.endswith(ENDS)):
            return False
        # One event may not be longer than that; how long the longest is, `feed` looks up.
        return len(data) <= self._bytes_max and not self._is_rare(data)

    def _is_rare(self, data: bytes) -> bool:
        for search in self._searches:  # noqa: SIM110 - a generator costs more than the search
            if search(data) is not None:
                return True
        return False

    def _summary(self, found: Sequence[Delta], content: bool) -> Delta | None:
        delta = summary(found, content=content, model=self._model, answer_id=self._answer_id)
        if not (content or delta.finish or delta.usage or delta.error or delta.ended):
            return None
        # Said once; a role-only event keeps them until there is something to say.
        self._model = self._answer_id = None
        return delta


class WholeSniffer:
    """A dialect's Sniffer of whole answers: feed it the body, once.

    Args:
        read: gives the one Delta of a whole body.
    """

    __slots__ = ("_read",)

    def __init__(self, read: Callable[[bytes], Delta]) -> None:
        self._read = read

    def feed(self, data: bytes) -> Delta | None:
        """Give content, usage, finish, model and the end of a whole answer.

        Raises:
            UpstreamFailure: the body is not an answer of the dialect.
        """
        return self._read(data)

    def is_plain(self, data: bytes) -> bool:
        """Whether a part need not be read: never, as a whole answer has but one."""
        return False


def summary(
    deltas: Iterable[Delta],
    *,
    content: bool,
    model: str | None = None,
    answer_id: str | None = None,
) -> Delta:
    """Give one Delta that says what accounting needs of many; later usage and finish win."""
    finish, usage, error, ended = None, None, None, False
    for delta in deltas:
        finish = delta.finish or finish
        usage = delta.usage or usage
        error = delta.error or error
        ended = ended or delta.ended
        model = delta.model or model
        answer_id = delta.answer_id or answer_id
    return Delta(
        content=content,
        finish=finish,
        usage=usage,
        error=error,
        model=model,
        answer_id=answer_id,
        ended=ended,
    )
