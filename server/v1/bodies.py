"""A request's body, read once as bytes under a limit."""

from collections.abc import Mapping

from starlette.types import Receive, Scope

from omniroute.routing.errors import BadRequest, TooLarge

from ..exchange import ClientGone


def check_declared(named: Mapping[bytes, bytes], bytes_max: int) -> None:
    """Look at what a request's headers say of its body.

    Raises:
        TooLarge: it declares more than `bytes_max`.
        BadRequest: it is encoded in a way that we do not read.
    """
    length, encoding = named.get(b"content-length", b""), named.get(b"content-encoding")
    if length.isdigit() and int(length) > bytes_max:
        raise too_large(bytes_max)
    if encoding is not None and encoding.lower() != b"identity":
        raise BadRequest(
            f"content-encoding {encoding.decode('latin-1')!r} is not read here; send the body "
            "as it is"
        )


async def read_body(scope: Scope, receive: Receive, *, bytes_max: int) -> bytes:
    """Give the whole body.

    Raises:
        TooLarge: it declares or has more than `bytes_max`.
        BadRequest: it is encoded in a way that we do not read.
        ClientGone: it never came.
    """
    check_declared(dict(scope["headers"]), bytes_max)
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
