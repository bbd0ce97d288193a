"""Usage of a stream whose client did not ask for it.

An OpenAI stream tells its usage only to those who ask (`stream_options.include_usage`), in a
chunk without choices that many clients cannot read. What an answer cost must be known all the
same: so the provider is asked, and that one chunk is taken out of the bytes again. Everything
else is forwarded as it came.

Source: OpenAI API reference, "Create chat completion", `stream_options`.
"""

import re
from collections.abc import Mapping

import msgspec

from ..sse import ENDS, events_at

HELD_BYTES_MAX = 2**20
"""An event that is longer is passed on as it comes: it is not the usage chunk."""

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encoder = msgspec.json.Encoder()
_ASKING = b'"stream_options":{"include_usage":true},'

USAGE = re.compile(rb'"usage"\s*:\s*(?!null|\s)')
"""Where usage is told: most providers say in every chunk that they do not know it yet."""


class _Chunk(msgspec.Struct):
    choices: list[msgspec.Raw] = []
    usage: msgspec.Raw = msgspec.Raw(b"null")


class _Options(msgspec.Struct, gc=False):
    include_usage: bool | None = None


_options = msgspec.json.Decoder(_Options)
_chunks = msgspec.json.Decoder(_Chunk)


def usage_wanted(fields: Mapping[str, msgspec.Raw]) -> bool | None:
    """Whether a request asks for usage; None where what it says of that is not as it should be.

    Args:
        fields: of its body.
    """
    said = fields.get("stream_options")
    if said is None:
        return False
    try:
        return _options.decode(said).include_usage or None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def ask_for_usage(body: bytes, *, wanted: bool | None = None) -> bytes | None:
    """Give the body with usage asked for; None when the client has asked itself.

    Args:
        body: a streamed request as `read_features` accepted it.
        wanted: what `usage_wanted` gives of it.
    """
    if wanted:
        return None
    fields = _fields.decode(body) if wanted is None else {}
    if "stream_options" not in fields:
        start, view = body.index(b"{") + 1, memoryview(body)
        return b"".join((view[:start], _ASKING, view[start:]))
    try:
        options = _fields.decode(fields["stream_options"])
    except msgspec.ValidationError:
        # null, or not an object: the provider says what it thinks of it.
        if bytes(fields["stream_options"]) != b"null":
            return None
        options = {}
    if bytes(options.get("include_usage", b"")) == b"true":
        return None
    options["include_usage"] = msgspec.Raw(b"true")
    fields["stream_options"] = msgspec.Raw(_encoder.encode(options))
    return _encoder.encode(fields)


def without_usage(body: bytes) -> bytes:
    """Give a request that we rendered without asking for usage: some providers refuse it."""
    fields = _fields.decode(body)
    fields.pop("stream_options", None)
    return _encoder.encode(fields)


class UsageHider:
    """Takes the usage chunk out of a stream. Holds back what is not a whole event yet.

    Attributes:
        held_bytes: how much is held back.
    """

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self.held_bytes = 0
        self._tail = b""

    def feed(self, data: bytes) -> bytes:
        """Give the bytes that may go on."""
        seen = self._tail + data
        if not any(end in seen for end in ENDS) and self.held_bytes <= HELD_BYTES_MAX:
            self._hold(data)
            return b""
        data = b"".join((*self._held, data))
        cut = max(data.rfind(end) + len(end) if end in data else 0 for end in ENDS) or len(data)
        self._held, self.held_bytes = [], 0
        whole = data[:cut]
        self._hold(data[cut:])
        return _without_usage_alone(whole)

    def rest(self) -> bytes:
        """Give what was held back, at the stream's end."""
        rest, self._held = b"".join(self._held), []
        return rest

    def _hold(self, data: bytes) -> None:
        self._held.append(data)
        self.held_bytes += len(data)
        # An event's end may be cut by two of its three bytes.
        self._tail = (self._tail + data)[-2:] if self.held_bytes > len(data) else data[-2:]


def _without_usage_alone(block: bytes) -> bytes:
    kept: list[bytes] = []
    at = 0
    for begin, end in events_at(block, [match.start() for match in USAGE.finditer(block)]):
        if _is_usage_alone(block[begin:end]):
            kept.append(block[at:begin])
            at = end
    return block if at == 0 else b"".join((*kept, block[at:]))


def _is_usage_alone(event: bytes) -> bool:
    if not event.startswith(b"data:"):
        return False
    try:
        chunk = _chunks.decode(event[5:])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return not chunk.choices and bytes(chunk.usage) != b"null"
