"""An answer that is noted, with what was asked for it: its key wishes both to be kept.

What is noted is what the provider was sent and what the client is sent, so after any content guard.
It is taken by the reply as it passes and handed over once, when the reply is closed, however that
comes; what becomes of it is the port's. A reply whose key does not wish for it is a plain one,
which knows nothing of this.
"""

from .conversation import Delta
from .guarded import GuardedReply
from .model import Piece
from .ports import Contents, Exchanged, Sink
from .reply import Reply

ANSWER_BYTES_MAX = 2**18
"""How much of an answer is noted; what comes after that is left out."""
DELTA_BYTES = 48
"""What a Delta counts for beside its text."""


class NotedReply(Reply):
    """A Reply that notes its pieces."""

    _contents: Contents | None = None

    def note(self, contents: Contents) -> None:
        """Have it kept at the end."""
        self._contents = contents
        self._raw: list[bytes] = []
        self._deltas: list[Delta] = []
        self._noted = 0

    async def __anext__(self) -> Piece:
        """Give the next Piece. Raises as that of a Reply."""
        piece = await super().__anext__()
        if self._noted < ANSWER_BYTES_MAX:
            if self.forwards:
                self._keep_raw(piece.raw)
            elif piece.delta is not None:
                self._deltas.append(piece.delta)
                self._noted += _size(piece.delta)
        return piece

    def whole(self) -> bytes | None:
        """Give all bytes of an answer that can be forwarded and is there."""
        found = super().whole()
        if found is not None:
            self._keep_raw(found)
        return found

    async def pour(self, sink: Sink) -> None:
        """Give the Pieces that are left to a sink. Raises as `__anext__`."""
        async for piece in self:
            wait = sink.take(piece)
            if wait is not None:
                await wait

    def close(self) -> None:
        """End as a Reply does, and have noted what there was of it."""
        is_first = self.outcome is None
        super().close()
        outcome = self.outcome
        if not is_first or outcome is None or self._contents is None:
            return
        request = self.request
        answered = b"".join(self._raw) if self._raw else tuple(self._deltas)
        exchanged = Exchanged(
            request.request_id,
            self._caller.key_id,
            outcome.at_unix_s,
            request.operation.dialect,
            request.operation.body,
            answered,
        )
        self._contents.keep(exchanged)

    def _keep_raw(self, data: bytes) -> None:
        self._raw.append(data[: ANSWER_BYTES_MAX - self._noted])
        self._noted += len(data)


class NotedGuardedReply(NotedReply, GuardedReply):
    """The same of an answer that a content guard looks at: noted as it was let go."""


def _size(delta: Delta) -> int:
    call = delta.tool_call
    text = len(delta.text) + len(delta.reasoning) + len(delta.refusal)
    return DELTA_BYTES + text + (0 if call is None else len(call.arguments))
