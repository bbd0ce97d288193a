"""What is read of an answer that is none."""

from ..errors import UpstreamFailure
from .exchange import Exchange

ERROR_BYTES_MAX = 64 * 1024
"""How much of an error's body is read."""


def is_encoded(connection: Exchange) -> bool:
    """Whether a body was compressed, which nobody has asked for."""
    encoding = connection.headers.get(b"content-encoding")
    return encoding is not None and encoding.strip().lower() not in (b"", b"identity")


async def error_body(connection: Exchange) -> bytes:
    """Give what can be read of an error's body, at most ERROR_BYTES_MAX."""
    parts: list[bytes] = []
    size = 0
    try:
        while size < ERROR_BYTES_MAX and (data := await connection.read()):
            parts.append(data)
            size += len(data)
    except UpstreamFailure:
        # The status has said what matters; the rest of the words did not come.
        pass
    return b"".join(parts)[:ERROR_BYTES_MAX]
