"""What a dialect must be able to do: one object of this shape per folder of `wire/`.

Four jobs: read what a client sends, write what a provider gets, read what a provider
answers, write what a client gets. Nothing here does input or output; everything is bytes
to values and back. Vendors' fields that no value carries live in `Chat.rest`.
"""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from ..conversation import Chat, Delta
from ..errors import RoutingError
from ..model import Dialect, Features


class Head(Struct, frozen=True, gc=False):
    """What every event of an answer repeats: its id, the model's name, when it began.

    `asked` is the client's own body, for a dialect whose answers repeat some of it.
    """

    answer_id: str
    model: str
    created_unix_s: int
    include_usage: bool = False
    asked: bytes = b"{}"


class Rendered(Struct, frozen=True, gc=False):
    """A request's body for a provider.

    `dropped` names what of the client's request the provider's dialect cannot say: fields by
    their paths in the client's own spelling, without the numbers of items.
    """

    body: bytes
    dropped: tuple[str, ...] = ()


class Sniffer(Protocol):
    """Watches a same-dialect answer go by.

    Builds a Delta only for what accounting needs: the first content, usage, a finish, an
    error, and the end.
    """

    def feed(self, data: bytes) -> Delta | None:
        """Look at bytes as they arrive; they may end anywhere."""
        ...

    def is_plain(self, data: bytes) -> bool:
        """Whether the bytes that come next tell nothing, so that `feed` may be left out."""
        ...


class StreamReader(Protocol):
    """Turns a provider's stream into Deltas. Any chunking of the same bytes gives the same Deltas.

    Raises:
        UpstreamFailure: kind "malformed" or "too_large".
    """

    def feed(self, data: bytes) -> Sequence[Delta]: ...


class StreamWriter(Protocol):
    """Turns Deltas into a client's stream."""

    def write(self, delta: Delta) -> bytes:
        """Give the bytes of one step; empty when the dialect shows nothing of it."""
        ...

    def end(self) -> bytes:
        """Give what ends the stream well, exactly once."""
        ...

    def error(self, error: RoutingError) -> bytes:
        """Give what ends the stream badly, so that the client's SDK raises."""
        ...


class Codec(Protocol):
    """One dialect, both directions."""

    @property
    def name(self) -> Dialect: ...

    def read_features(self, body: bytes) -> tuple[str, Features]:
        """Give the asked model and what a decision reads; decodes only the routed fields.

        Raises:
            BadRequest: not JSON, or a routed field is missing or of the wrong type.
        """
        ...

    def parse_request(self, body: bytes) -> Chat:
        """Give the conversation of a client's body.

        Raises:
            BadRequest: the body is not valid in this dialect; names the field.
        """
        ...

    def render_request(self, chat: Chat, *, model: str) -> Rendered:
        """Give the body for a provider of this dialect, and what it could not say.

        Raises:
            BadRequest: it lacks a word for what changes the meaning; names it.
        """
        ...

    def path(self, *, model: str, stream: bool) -> str:
        """Give the path below an account's base URL, with its query."""
        ...

    def sniffer(self, *, stream: bool) -> Sniffer: ...

    def reader(self) -> StreamReader: ...

    def parse_answer(self, body: bytes) -> Sequence[Delta]:
        """Give the Deltas of a whole answer, as if it had been streamed; the last has `ended`.

        Raises:
            UpstreamFailure: kind "malformed" when it is not an answer of this dialect.
        """
        ...

    def writer(self, head: Head) -> StreamWriter: ...

    def render_answer(self, deltas: Sequence[Delta], head: Head) -> bytes:
        """Fold Deltas into a whole answer: equal to what the stream would fold to."""
        ...

    def render_error(self, error: RoutingError, *, request_id: str) -> bytes:
        """Give the body of an error answer in the dialect's own words."""
        ...

    def error_message(self, body: bytes) -> str | None:
        """Give the message of a provider's error body, None when it is not one."""
        ...
