"""A request's body, read once as bytes under a limit, and unpacked under the same one."""

import asyncio
from collections.abc import Mapping

from starlette.types import Receive, Scope

from omniroute.routing.errors import TooLarge, UnknownEncoding

from ..exchange import ClientGone, Exchange
from .packing import CODINGS, unpacked

PACKED = frozenset(CODINGS)
PLAIN = frozenset({b"", b"identity"})
UNPACKED_HERE_BYTES_MAX = 16 * 1024
"""A body that is longer as it came is unpacked beside the event loop."""


async def read_unpacked(exchange: Exchange, bytes_max: int) -> bytes:
    """Give a request's body, unpacked where it came packed.

    Raises:
        TooLarge: it has more than `bytes_max`, as it came or unpacked.
        UnknownEncoding: it is packed in a way that we do not read.
        BadRequest: it is not what its content-encoding says.
        ClientGone: it never came.
    """
    named = exchange.head.named
    check_declared(named, bytes_max)
    body = await exchange.read(bytes_max)
    coding = named.get(b"content-encoding", b"").lower()
    if coding not in PACKED:
        return body
    if len(body) <= UNPACKED_HERE_BYTES_MAX:
        return unpacked(body, bytes_max, coding)
    return await asyncio.to_thread(unpacked, body, bytes_max, coding)


def check_declared(
    named: Mapping[bytes, bytes], bytes_max: int, *, packed: frozenset[bytes] = PACKED
) -> None:
    """Look at what a request's headers say of its body; `packed` is how it may be.

    Raises:
        TooLarge: it declares more than `bytes_max`.
        UnknownEncoding: it is packed in a way that we do not read.
    """
    length, encoding = named.get(b"content-length", b""), named.get(b"content-encoding")
    if length.isdigit() and int(length) > bytes_max:
        raise too_large(bytes_max)
    if encoding is not None and encoding.lower() not in packed | PLAIN:
        raise UnknownEncoding(
            f"content-encoding {encoding.decode('latin-1')[:64]!r} is not read here; send the body "
            f"as it is{', or as gzip, deflate, br or zstd, packed once' if packed else ''}"
        )


async def read_body(
    scope: Scope, receive: Receive, *, bytes_max: int, packed: frozenset[bytes] = frozenset()
) -> bytes:
    """Give the whole body, as it came; `packed` is how it may be.

    Raises:
        TooLarge: it declares or has more than `bytes_max`.
        UnknownEncoding: it is packed in a way that we do not read.
        ClientGone: it never came.
    """
    check_declared(dict(scope["headers"]), bytes_max, packed=packed)
    message = await receive()
    if message["type"] != "http.request":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        if len(body) > bytes_max:
            raise too_large(bytes_max)
        return body
    parts, size = [body], len(body)
    while message.get("more_body", False):
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > bytes_max:
            raise too_large(bytes_max)
        parts.append(part)
    return b"".join(parts)


def too_large(bytes_max: int) -> TooLarge:
    """Give the refusal of a body with more than `bytes_max`."""
    return TooLarge(f"the request's body is larger than {bytes_max} bytes")
