"""The model's name replaced in a body that otherwise goes on as the client wrote it.

The top level is taken apart into its fields' bytes without decoding a value. From their sizes
alone it shows where the name stands, and that no key stands twice, when the body is written
without blanks and escapes, as most are; else walking over the fields finds it. Then only the
name's own bytes are replaced. Where a key does stand twice, the fields are put together again,
each once. On 400 KB of chat the decoder takes 0.06 ms and the walk 0.01 ms; to search for the
key's bytes costs more, and finds them in messages and tools' schemas too.
"""

import re

import msgspec

from ..errors import BadRequest

_KEY = re.compile(rb'[ \t\r\n]*[{,][ \t\r\n]*("(?:[^"\\]|\\.)*")[ \t\r\n]*:[ \t\r\n]*', re.DOTALL)
_END = re.compile(rb"[ \t\r\n]*}")

_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text_decoder = msgspec.json.Decoder(str)
_encoder = msgspec.json.Encoder()


def splice_model(body: bytes, *, old: str, new: str, at: int | None = None) -> bytes:
    """Give the body with `new` as the value of its top-level "model".

    Of a key that stands twice only the last is left, the one that was read and routed, so
    that no provider can read another.

    Args:
        body: a JSON object with a "model" at the top, as `read_features` accepted it.
        old: the name that `read_features` gave.
        new: the name for the provider.
        at: where `place_of` found the value to begin in this body.

    Raises:
        BadRequest: the body is not such an object, or names another model.
    """
    if at is not None:
        written = _encoder.encode(old)
        if body.startswith(written, at):  # it may be written with escapes
            return _with(body, (at, at + len(written)), _encoder.encode(new))
    try:
        fields = _decoder.decode(body)
        named = _text_decoder.decode(fields["model"])
    except KeyError:
        raise BadRequest("`model` is missing: it must be a string", field="model") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"the body is not a JSON object with a model: {error}") from None
    if named != old:
        raise BadRequest(f"`model` is {named!r} and not {old!r}", field="model")
    return _spliced(body, fields, "model", _encoder.encode(new))


def splice_field(body: bytes, name: str, value: bytes) -> bytes:
    """Give a JSON object with the value as its top-level field, at the front if it had none.

    Of a key that stands twice only the last is left, as with `splice_model`.

    Args:
        body: the object.
        name: plain letters, as it stands in the object.
        value: JSON.

    Raises:
        BadRequest: the body is not a JSON object.
    """
    fields = fields_of(body)
    if name in fields:
        return _spliced(body, fields, name, value)
    at = body.index(b"{") + 1
    comma = b"," if fields else b""
    return b'%s"%s":%s%s%s' % (body[:at], name.encode(), value, comma, body[at:])


def fields_of(body: bytes) -> dict[str, msgspec.Raw]:
    """Give the top-level fields of a JSON object, their values as bytes.

    Raises:
        BadRequest: it is not a JSON object.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"the body is not a JSON object: {error}") from None


def place_of(body: bytes, fields: dict[str, msgspec.Raw], wanted: str) -> tuple[int, int] | None:
    """Give where the value of a field begins and ends, None when a key stands twice.

    Args:
        body: a JSON object.
        fields: what `fields_of` gives of it.
        wanted: the name of one of them.
    """
    # Written without blanks and escapes a body has exactly the bytes of its fields: a name with
    # its quotes and colon, the value, a comma or the last brace. A key that stood twice, a blank
    # or an escape would make it longer.
    size, at = 1, 0
    for name, raw in fields.items():
        size += len(name) + 3
        if name == wanted:
            at = size
        size += len(raw) + 1
    if size == len(body):
        return at, at + len(fields[wanted])
    return _walked(body, fields, wanted)


def _spliced(body: bytes, fields: dict[str, msgspec.Raw], name: str, value: bytes) -> bytes:
    place = place_of(body, fields, name)
    if place is None:
        fields[name] = msgspec.Raw(value)
        return _encoder.encode(fields)
    return _with(body, place, value)


def _with(body: bytes, place: tuple[int, int], value: bytes) -> bytes:
    view = memoryview(body)
    return b"".join((view[: place[0]], value, view[place[1] :]))


def _walked(body: bytes, fields: dict[str, msgspec.Raw], wanted: str) -> tuple[int, int] | None:
    """Find the place of a field.

    The walk stands at a true key as long as each key and value it meets is the one that was
    decoded there. A key that stands twice has one entry for two places: the walk then meets
    another value, or another key, or is short of the closing brace.
    """
    end = 0
    found: tuple[int, int] | None = None
    for name, raw in fields.items():
        key = _KEY.match(body, end)
        if key is None or _text_decoder.decode(key[1]) != name:
            return None
        begin = key.end()
        if not body.startswith(raw, begin):
            return None
        end = begin + len(raw)
        if name == wanted:
            found = (begin, end)
    return None if _END.match(body, end) is None else found
