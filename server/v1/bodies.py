"""A request's body, read once as bytes under a limit."""

from starlette.types import Receive, Scope

from omniroute.routing.errors import BadRequest, TooLarge


class ClientGone(Exception):
    """The client closed its connection before its request was complete."""


async def read_body(scope: Scope, receive: Receive, *, bytes_max: int) -> bytes:
    """Give the whole body.

    Raises:
        TooLarge: it declares or has more than `bytes_max`.
        BadRequest: it is encoded in a way that we do not read.
        ClientGone: it never came.
    """
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > bytes_max:
            raise _too_large(bytes_max)
        if name == b"content-encoding" and value.lower() != b"identity":
            raise BadRequest(
                f"content-encoding {value.decode('latin-1')!r} is not read here; send the body "
                "as it is"
            )
    message = await receive()
    if message["type"] != "http.request":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        return body if len(body) <= bytes_max else _refuse(bytes_max)
    parts, size = [body], len(body)
    while message.get("more_body", False):
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > bytes_max:
            raise _too_large(bytes_max)
        parts.append(part)
    return b"".join(parts)


def _refuse(bytes_max: int) -> bytes:
    raise _too_large(bytes_max)


def _too_large(bytes_max: int) -> TooLarge:
    return TooLarge(f"the request's body is larger than {bytes_max} bytes")
