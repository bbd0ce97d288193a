"""Bodies that come packed: gzip, deflate, br and zstd, unpacked piece by piece under a bound.

A small body that unpacks into a huge one is refused as soon as it passes the bound, whatever it
still holds. So that refusing costs no memory either, a body is unpacked twice: once only to
count, keeping nothing, and once to keep what was counted. A body that unpacks to more than
RATIO_MAX of its size is taken for a bomb: text packs ten times, not a hundred.

A body that is packed twice is not read: no client does that, and each packing multiplies.

Sources: RFC 9110, section 8.4.1 (gzip, deflate); RFC 7932 (br); RFC 8878 and RFC 9659 (zstd,
with a window of at most 8 MiB); read 2026-11-23.
"""

import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from omniroute.routing.errors import BadRequest, TooLarge

if TYPE_CHECKING:
    from types import ModuleType

PIECE_BYTES = 64 * 1024
RATIO_MAX = 100
RATIO_BYTES = 2**20
"""A body may unpack to so much, however small it is."""
GZIP_BITS = 31
"""What zlib takes for: a header and a check of gzip's, and its widest window."""
ZLIB_BITS, RAW_BITS = 15, -15
ZSTD_WINDOW_LOG_MAX = 23

Pieces = Iterator[bytes]
ENDS_EARLY = "it ends too early"


class NotPacked(ValueError):
    """Bytes are not what they are said to be."""


def unpacked(body: bytes, bytes_max: int, coding: bytes = b"gzip") -> bytes:
    """Give what a packed body holds.

    Raises:
        TooLarge: it holds more than `bytes_max`, or far more than a text of its size can.
        BadRequest: it is not what its coding says.
    """
    pieces = CODINGS[coding]
    room = min(bytes_max, max(RATIO_BYTES, RATIO_MAX * len(body)))
    try:
        size = 0
        for piece in pieces(body):
            size += len(piece)
            if size > room:
                raise _too_large(bytes_max, room)
        return b"".join(pieces(body))
    except NotPacked as error:
        raise BadRequest(f"the body is not what its content-encoding says: {error}") from None


def _too_large(bytes_max: int, room: int) -> TooLarge:
    if room < bytes_max:
        return TooLarge(f"the request's body unpacks to more than {RATIO_MAX} times its size")
    return TooLarge(f"the request's body is larger than {bytes_max} bytes")


def _gzip(body: bytes) -> Pieces:
    while body:
        reader = zlib.decompressobj(GZIP_BITS)
        yield from _inflated(reader, body)
        body = reader.unused_data


def _deflate(body: bytes) -> Pieces:
    # The header that the name asks for is often left out: two bytes tell.
    has_header = len(body) >= 2 and body[0] & 15 == 8 and (body[0] << 8 | body[1]) % 31 == 0
    reader = zlib.decompressobj(ZLIB_BITS if has_header else RAW_BITS)
    yield from _inflated(reader, body)
    if reader.unused_data:
        raise NotPacked("more comes after its end")


def _inflated(reader: Any, body: bytes) -> Pieces:
    try:
        while not reader.eof:
            piece = reader.decompress(body, PIECE_BYTES)
            if not piece and not reader.eof:
                raise NotPacked(ENDS_EARLY)
            body = reader.unconsumed_tail
            yield piece
    except zlib.error as error:
        raise NotPacked(str(error)) from None


def _brotli(body: bytes) -> Pieces:
    import brotli  # type: ignore[import-untyped]  # noqa: PLC0415 - its first client pays

    reader = brotli.Decompressor()
    try:
        while not reader.is_finished():
            piece = reader.process(body, output_buffer_limit=PIECE_BYTES)
            body = b""
            if not piece and not reader.is_finished():
                raise NotPacked(ENDS_EARLY)
            yield piece
    except brotli.error as error:
        raise NotPacked(str(error)) from None


def _zstd(body: bytes) -> Pieces:
    module: Any = _zstd_module()
    options = {module.DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG_MAX}
    if not body:
        raise NotPacked(ENDS_EARLY)
    try:
        while body:
            reader = module.ZstdDecompressor(options=options)
            while not reader.eof:
                piece = reader.decompress(body, PIECE_BYTES)
                body = b""
                if not piece and not reader.eof and reader.needs_input:
                    raise NotPacked(ENDS_EARLY)
                yield piece
            body = reader.unused_data
    except module.ZstdError as error:
        raise NotPacked(str(error)) from None


def _zstd_module() -> "ModuleType":
    if sys.version_info >= (3, 14):
        from compression import zstd  # noqa: PLC0415 - as above
    else:
        from backports import zstd  # noqa: PLC0415 - as above
    return zstd


CODINGS: Mapping[bytes, Callable[[bytes], Pieces]] = {
    b"gzip": _gzip,
    b"x-gzip": _gzip,
    b"deflate": _deflate,
    b"br": _brotli,
    b"zstd": _zstd,
}
