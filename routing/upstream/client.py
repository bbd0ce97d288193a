"""Sends one request over a pooled connection and gives the connection with the answer's head.

A kept connection may have been closed by its peer while it was idle, and that shows only
after the next request was written. Then, and only when it shows at once and without a byte
of an answer, the request goes out a second time, over a new connection. Every other failure
is the caller's to judge: this module never retries an answer.
"""

import asyncio

from ..errors import UpstreamFailure
from ..model import Limits
from .exchange import Exchange
from .pool import Lane


async def send(lane: Lane, head: bytes, body: bytes, limits: Limits) -> Exchange:
    """Send a request and give the connection once `status` and `headers` are there.

    The caller reads the body and closes the connection, however it goes.

    Args:
        lane: where to.
        head: the request's head, complete with the empty line.
        body: its body, as long as the head says.
        limits: deadlines; the total runs from here, the first byte from when it was written.

    Raises:
        UpstreamFailure: no head of an answer came.
    """
    now_s = asyncio.get_running_loop().time()
    total_deadline_s = now_s + limits.total_s
    kept = connection = lane.checkout(now_s)
    while True:
        if connection is None:
            connection = await lane.connect(timeout_s=min(limits.connect_s, limits.total_s))
        connection.send(head, body, limits, total_deadline_s=total_deadline_s)
        try:
            await connection.head()
        except UpstreamFailure:
            if connection is not kept or not connection.stale:
                raise
            connection = None
        except BaseException:
            connection.close()
            raise
        else:
            return connection
