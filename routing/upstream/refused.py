"""What is read of an answer that is none."""

from ..errors import UpstreamFailure
from .exchange import Exchange
from .unpacked import readable

ERROR_BYTES_MAX = 64 * 1024
"""How much of an error's body is read."""


async def error_body(connection: Exchange) -> bytes:
    """Give what can be read of an error's body, at most ERROR_BYTES_MAX."""
    parts: list[bytes] = []
    size = 0
    try:
        body = readable(connection, ERROR_BYTES_MAX)
        while size < ERROR_BYTES_MAX and (data := await body.read()):
            parts.append(data)
            size += len(data)
    except UpstreamFailure:
        # The status has said what matters; the rest of the words did not come, or nobody can
        # read them.
        pass
    return b"".join(parts)[:ERROR_BYTES_MAX]
