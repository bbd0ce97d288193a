"""The id of a request that has no hot door: its answer names it, and so does what is logged.

A hot door names its requests itself, as their records are kept under that name.
"""

from starlette.types import Message, Scope, Send

from omniroute.routing.engine import new_request_id
from omniroute.tools.audit import REQUEST_ID_PLACE

HEADER = b"x-request-id"


def request_id_of(scope: Scope) -> str:
    """Give the id of a request, the same each time it is asked for."""
    request_id: str | None = scope.get(REQUEST_ID_PLACE)
    if request_id is None:
        request_id = scope[REQUEST_ID_PLACE] = new_request_id()
    return request_id


def identified(scope: Scope, send: Send) -> Send:
    """Give a `send` that names the request in its answer, where whoever answers has not."""
    # Now, as whoever answers may work with a copy of the scope.
    request_id = request_id_of(scope).encode()

    async def name(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            if all(header != HEADER for header, _ in headers):
                headers.append((HEADER, request_id))
                message = {**message, "headers": headers}
        await send(message)

    return name
