"""Usage of a stream whose client did not ask for it.

An OpenAI stream tells its usage only to those who ask (`stream_options.include_usage`), in a
chunk without choices that many clients cannot read. What an answer cost must be known all the
same: so the provider is asked, and that one chunk is taken out of the bytes again. Everything
else is forwarded as it came.

Source: OpenAI API reference, "Create chat completion", `stream_options`.
"""

from collections.abc import Mapping

import msgspec

HELD_BYTES_MAX = 2**20
"""An event that is longer is passed on as it comes: it is not the usage chunk."""

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encoder = msgspec.json.Encoder()
_ASKING = b'"stream_options":{"include_usage":true},'
_ENDS = (b"\n\n", b"\r\n\r\n")


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
    """Takes the usage chunk out of a stream. Holds back what is not a whole event yet."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._tail = b""

    def feed(self, data: bytes) -> bytes:
        """Give the bytes that may go on."""
        seen = self._tail + data
        if not any(end in seen for end in _ENDS) and self._held_bytes <= HELD_BYTES_MAX:
            self._hold(data)
            return b""
        data = b"".join((*self._held, data))
        cut = max(data.rfind(end) + len(end) if end in data else 0 for end in _ENDS) or len(data)
        self._held, self._held_bytes = [], 0
        whole = data[:cut]
        self._hold(data[cut:])
        if b'"usage"' not in whole:
            return whole
        end = b"\r\n\r\n" if b"\r\n\r\n" in whole else b"\n\n"
        events = whole.split(end)
        return end.join(event for event in events if not _is_usage_alone(event))

    def rest(self) -> bytes:
        """Give what was held back, at the stream's end."""
        rest, self._held = b"".join(self._held), []
        return rest

    def _hold(self, data: bytes) -> None:
        self._held.append(data)
        self._held_bytes += len(data)
        # An event's end may be cut by three of its four bytes.
        self._tail = (self._tail + data)[-3:] if self._held_bytes > len(data) else data[-3:]


def _is_usage_alone(event: bytes) -> bool:
    if not event.startswith(b"data:") or b'"usage"' not in event:
        return False
    try:
        chunk = _chunks.decode(event[5:])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return not chunk.choices and bytes(chunk.usage) != b"null"
