"""What was asked and answered, as it is kept in the call log: JSON, without credentials, bounded.

JSON stays JSON, so that what is shown can be searched and read by programs; a streamed answer
becomes the whole answer that it adds up to. Of each side KEPT_BYTES_MAX bytes are kept: of what is
longer its beginning and its end, as text, since a conversation's first and last words say most.
What is no text at all is told by its length. Credentials go as in everything of others that
people are shown (redacting.py), and so does what a field's name says is one.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from omniroute.routing.conversation import Delta
from omniroute.routing.errors import RoutingError
from omniroute.routing.model import Dialect
from omniroute.routing.ports import Exchanged
from omniroute.routing.wire.codec import Head
from omniroute.routing.wire.table import codec

from .redacting import REDACTED, redacted

KEPT_BYTES_MAX = 2**16
DEPTH_MAX = 64
_NAMES = re.compile(
    r"(?i)(?:^|[_-])(?:password|passwd|secret|api[_-]?key|authorization|credentials?)$"
    r"|^(?:(?:access|refresh|auth|bearer|id)[_-]?)?token$"
)
_TORN = re.compile(r"^[^\s\"']{1,512}|[^\s\"']{1,512}$")
"""What stands at an end where a text was cut: a part of a credential is no more to be known."""


class Words(msgspec.Struct, frozen=True):
    """What was asked and answered; `answered` is None where nothing was."""

    asked: Any
    answered: Any = None


def bounded(asked: bytes) -> bytes:
    """Give as much of a body as is needed to make its words."""
    if len(asked) <= KEPT_BYTES_MAX:
        return asked
    left_out = len(asked) - KEPT_BYTES_MAX
    half = KEPT_BYTES_MAX // 2
    return b"%b\n[%d bytes left out]\n%b" % (
        _whole_words(asked[:half], end=True),
        left_out,
        _whole_words(asked[-half:], end=False),
    )


def words_of(exchanged: Exchanged) -> Words:
    """Give what is kept of a request."""
    answered = exchanged.answered
    if not answered:
        return Words(_told(exchanged.asked))
    if isinstance(answered, bytes):
        answered = _whole(answered, exchanged)
    else:
        answered = _rendered(answered, exchanged)
    return Words(_told(exchanged.asked), _told(bounded(answered)))


def _whole(answered: bytes, exchanged: Exchanged) -> bytes:
    """Give a stream's bytes as the whole answer, others as they are."""
    if not answered.lstrip().startswith((b"data:", b"event:", b":")):
        return answered
    try:
        deltas = codec(exchanged.dialect).reader().feed(answered)
        return _rendered(deltas, exchanged) if deltas else answered
    except RoutingError:
        return answered


def _rendered(deltas: Sequence[Delta], exchanged: Exchanged) -> bytes:
    dialect: Dialect = exchanged.dialect
    model = next((one.model for one in deltas if one.model), "")
    head = Head(exchanged.request_id, model, int(exchanged.at_unix_s))
    return codec(dialect).render_answer(deltas, head)


def _told(data: bytes) -> Any:
    """Give a body as a value: of JSON, as text, or its length where it is neither."""
    try:
        return _redacted(msgspec.json.decode(data), depth=0)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return redacted(data.decode())
    except UnicodeDecodeError:
        return f"[{len(data)} bytes]"


def _redacted(value: Any, *, depth: int) -> Any:
    if isinstance(value, str):
        return redacted(value)
    if depth >= DEPTH_MAX:
        return "[too deep]"
    if isinstance(value, Mapping):
        return {
            redacted(name): REDACTED
            if isinstance(one, str) and _NAMES.search(name)
            else _redacted(one, depth=depth + 1)
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [_redacted(one, depth=depth + 1) for one in value]
    return value


def _whole_words(part: bytes, *, end: bool) -> bytes:
    """Give a part without the word, and the character, that the cut went through."""
    text = part.decode(errors="ignore")
    torn = [one for one in _TORN.finditer(text) if (one.end() == len(text)) == end]
    if not torn:
        return text.encode()
    cut = torn[-1] if end else torn[0]
    return (text[: cut.start()] if end else text[cut.end() :]).encode()
