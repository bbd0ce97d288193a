"""What is packed, unpacked as it comes: gzip, deflate, br and zstd, a bounded piece at a time.

A decoder is fed what came and gives what can be had of it, in pieces that are bounded however
much a few bytes stand for; whoever takes the pieces counts them and stops where it is too much.
So a bomb costs no memory, and of a stream nothing waits for what comes later. What is packed
twice is not read: nobody does that, and each packing multiplies.

Sources: RFC 9110, section 8.4.1 (gzip, deflate); RFC 7932 (br); RFC 8878 and RFC 9659 (zstd,
with a window of at most 8 MiB); read 2026-11-23.
"""

import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from types import ModuleType

PIECE_BYTES = 64 * 1024
RATIO_MAX = 100
"""What unpacks to more than so many times its size is taken for a bomb: text packs ten times."""
RATIO_BYTES = 2**20
"""As much may come of anything, however small it is."""
GZIP_BITS = 31
"""What zlib takes for: a header and a check of gzip's, and its widest window."""
ZLIB_BITS, RAW_BITS = 15, -15
ZSTD_WINDOW_LOG_MAX = 23

MORE_COMES = "more comes after its end"


class NotPacked(ValueError):
    """Bytes are not what they are said to be."""


class EndsEarly(NotPacked):
    """What was packed is not there in full."""

    def __init__(self) -> None:
        super().__init__("it ends too early")


class Decoder(Protocol):
    """Unpacks one body."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Give what this holds, in pieces of about PIECE_BYTES. They have to be taken in full.

        Raises:
            NotPacked: it is not what its coding says.
        """
        ...

    def end(self) -> None:
        """Note that nothing more comes.

        Raises:
            EndsEarly: it should.
        """
        ...


def room_for(packed_bytes: int, bytes_max: int) -> int:
    """Give to how much so many bytes may unpack."""
    return min(bytes_max, max(RATIO_BYTES, RATIO_MAX * packed_bytes))


class _Gzip:
    """One after the other, as a file of gzip's may hold several."""

    def __init__(self) -> None:
        self._reader: Any = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            reader = self._reader = self._reader or zlib.decompressobj(GZIP_BITS)
            yield from _inflated(reader, data)
            data = b""
            if reader.eof:
                self._reader, data = None, reader.unused_data

    def end(self) -> None:
        if self._reader is not None:
            raise EndsEarly


class _Deflate:
    """The header that the name asks for is often left out: two bytes tell."""

    def __init__(self) -> None:
        self._reader: Any = None
        self._first = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._reader is None:
            data = self._first = self._first + data
            if len(data) < 2:
                return
            has_header = data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0
            self._reader = zlib.decompressobj(ZLIB_BITS if has_header else RAW_BITS)
        if self._reader.eof and data:
            raise NotPacked(MORE_COMES)
        yield from _inflated(self._reader, data)
        if self._reader.unused_data:
            raise NotPacked(MORE_COMES)

    def end(self) -> None:
        if self._reader is None or not self._reader.eof:
            raise EndsEarly


def _inflated(reader: Any, data: bytes) -> Iterator[bytes]:
    try:
        while True:
            piece = reader.decompress(data, PIECE_BYTES)
            data = reader.unconsumed_tail
            if piece:
                yield piece
            # What fills a piece may have left more inside than in what was not taken.
            if reader.eof or (not data and len(piece) < PIECE_BYTES):
                return
    except zlib.error as error:
        raise NotPacked(str(error)) from None


class _Brotli:
    def __init__(self) -> None:
        import brotli  # type: ignore[import-untyped]  # noqa: PLC0415 - the first body pays

        self._reader = brotli.Decompressor()
        self._fault = brotli.error

    def feed(self, data: bytes) -> Iterator[bytes]:
        reader = self._reader
        if data and reader.is_finished():
            raise NotPacked(MORE_COMES)
        try:
            while True:
                piece = reader.process(data, output_buffer_limit=PIECE_BYTES)
                data = b""
                # It says that it takes more also while more can be had of it.
                if not piece:
                    return
                yield piece
                if reader.is_finished():
                    return
        except self._fault as error:
            raise NotPacked(str(error)) from None

    def end(self) -> None:
        if not self._reader.is_finished():
            raise EndsEarly


class _Zstd:
    """One frame after the other."""

    def __init__(self) -> None:
        self._module: Any = _zstd_module()
        self._reader: Any = None
        self._has_begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        module = self._module
        options = {module.DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG_MAX}
        try:
            while data:
                self._has_begun = True
                reader = self._reader = self._reader or module.ZstdDecompressor(options=options)
                while True:
                    piece = reader.decompress(data, PIECE_BYTES)
                    data = b""
                    if piece:
                        yield piece
                    if reader.eof or reader.needs_input:
                        break
                if reader.eof:
                    self._reader, data = None, reader.unused_data
        except module.ZstdError as error:
            raise NotPacked(str(error)) from None

    def end(self) -> None:
        if self._reader is not None or not self._has_begun:
            raise EndsEarly


def _zstd_module() -> "ModuleType":
    if sys.version_info >= (3, 14):
        from compression import zstd  # noqa: PLC0415 - as above
    else:
        from backports import zstd  # noqa: PLC0415 - as above
    return zstd


DECODERS: Mapping[bytes, Callable[[], Decoder]] = {
    b"gzip": _Gzip,
    b"x-gzip": _Gzip,
    b"deflate": _Deflate,
    b"br": _Brotli,
    b"zstd": _Zstd,
}
