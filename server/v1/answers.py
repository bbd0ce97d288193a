"""What every chat door sends back: heads, whole answers, errors and keep-alives.

The status line of a stream waits for the first content, so that a refusal still has a status
of its own. When that takes longer than the hold, a `Keeper` commits the stream and keeps it
alive; from then on a failure is the dialect's own error event.
"""

import asyncio

from starlette.types import Send

from omniroute.routing.errors import RoutingError
from omniroute.routing.model import Dialect
from omniroute.routing.reply import Reply
from omniroute.routing.wire.codec import Codec

Header = tuple[bytes, bytes]

KEEP_ALIVE_S = 5.0
JSON: Header = (b"content-type", b"application/json")
EVENTS: tuple[Header, ...] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
)
KEEP_ALIVES: dict[Dialect, bytes] = {
    "openai_chat": b": keep-alive\n\n",
    "openai_responses": b": keep-alive\n\n",
    "anthropic": b'event: ping\ndata: {"type": "ping"}\n\n',
    "gemini": b": keep-alive\n\n",
}


def origin_headers(reply: Reply) -> list[Header]:
    """Give where the answer comes from: request id, provider, model, number of attempts."""
    winner = reply.winner
    headers = [(b"x-request-id", reply.request.request_id.encode())]
    if winner is not None:
        headers += [
            (b"x-omniroute-provider", _printable(winner.provider)),
            (b"x-omniroute-model", _printable(reply.model_served or winner.model)),
            (b"x-omniroute-attempts", b"%d" % (len(reply.attempts) + (reply.outcome is None))),
        ]
    if reply.request.mode is not None:
        headers.append((b"x-omniroute-mode", _mode(reply)))
    return headers


def _mode(reply: Reply) -> bytes:
    """Give the mode that the client wished for, or that the strategy has none."""
    decision = reply.decision
    if decision is not None and decision.strategy != "auto":
        return f"ignored; strategy {decision.strategy}".encode()
    return (reply.request.mode or "").encode()


def budget_headers(reply: Reply) -> list[Header]:
    """Give what the answer was clamped to, what the tightest budget has left, and warnings.

    The rest is as last seen by this process, with the request's own money taken off: while a
    stream runs that is its upper bound, after a whole answer what it cost.
    """
    left, clamp = reply.payment.left_usd_nanos, reply.payment.output_tokens_clamp
    headers: list[Header] = []
    if clamp is not None:
        headers.append((b"x-omniroute-max-tokens", b"%d" % clamp))
    if left is not None:
        headers.append((b"x-omniroute-budget-remaining-usd", _dollars(left)))
    # A budget that only alerts warns too, and leaves no rest.
    warnings = reply.payment.warnings
    if warnings:
        headers.append((b"x-omniroute-budget-warning", _printable("; ".join(warnings))))
    return headers


def cost_header(reply: Reply) -> list[Header]:
    """Give the cost in dollars, nothing when it is unknown."""
    if reply.outcome is None or reply.outcome.cost_usd_nanos is None:
        return []
    return [(b"x-omniroute-cost-usd", _dollars(reply.outcome.cost_usd_nanos))]


async def send_whole(send: Send, status: int, headers: list[Header], body: bytes) -> None:
    """Send an answer that is complete."""
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_error(send: Send, codec: Codec, error: RoutingError, *, request_id: str) -> None:
    """Send an error in the dialect's own words.

    A provider's own body for a fault of the request reaches a client of the same dialect as
    it is: some clients recover by its wording.
    """
    headers = [JSON, (b"x-request-id", request_id.encode())]
    if error.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % max(round(error.retry_after_s + 0.5), 1)))
    if error.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="omniroute"'))
    body = getattr(error, "body", None)
    if body is None:
        body = codec.render_error(error, request_id=request_id)
    await send_whole(send, error.status, headers, body)


class Keeper:
    """Commits a stream after the hold and keeps it alive until the first content is there."""

    def __init__(self, send: Send, dialect: Dialect, request_id: str, *, hold_s: float) -> None:
        self._send = send
        self._keep_alive = KEEP_ALIVES[dialect]
        self._request_id = request_id
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(hold_s, self._begin)

    async def stop(self) -> bool:
        """End the keep-alives. Gives whether the stream was committed."""
        self._timer.cancel()
        if self._task is None:
            return False
        self._task.cancel()
        await asyncio.wait((self._task,))
        return True

    def drop(self) -> None:
        """End at once, for a client that is gone."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        # The task lives no longer than the request: `stop` or `drop` always ends it.
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def _keep(self) -> None:
        headers = [*EVENTS, (b"x-request-id", self._request_id.encode())]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        while True:
            await self._send(
                {"type": "http.response.body", "body": self._keep_alive, "more_body": True}
            )
            await asyncio.sleep(KEEP_ALIVE_S)


def _dollars(usd_nanos: int) -> bytes:
    return b"%d.%09d" % divmod(usd_nanos, 1_000_000_000)


def _printable(text: str) -> bytes:
    """Give a header value of free text: what is not plain ASCII is replaced."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(one if " " <= one <= "~" else "?" for one in text)
    return text.encode()
