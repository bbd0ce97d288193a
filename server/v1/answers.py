"""What every chat door sends back: heads, whole answers, errors and keep-alives.

The status line of a stream waits for the first content, so that a refusal still has a status
of its own. When that takes longer than the hold, a `Keeper` commits the stream and keeps it
alive; from then on a failure is the dialect's own error event.
"""

import asyncio
from functools import lru_cache
from typing import Literal

from omniroute.routing.catalog.names import replaced
from omniroute.routing.errors import RoutingError, UpstreamFailure
from omniroute.routing.health.key_rates import Turn
from omniroute.routing.model import Dialect
from omniroute.routing.reply import Reply
from omniroute.routing.wire.codec import Codec
from omniroute.routing.wire.failures import is_hopeless, status_of

from ..exchange import Exchange, Wait, line
from .passing import answered_lines

KEEP_ALIVE_S = 5.0
ORIGINS_MAX = 1024
"""Pairs of provider and model whose lines are remembered."""
JSON = b"content-type: application/json\r\n"
EVENTS = b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
Voice = Dialect | Literal["ollama"]
"""How an answer speaks: a dialect's way, or Ollama's, which is no provider's dialect."""
# Google's SDKs read every line of a stream as data: a comment ends it with an error of theirs. A
# step without words is what Gemini itself sends where there is nothing to say.
GEMINI_IDLE = (
    b'data: {"candidates":[{"content":{"role":"model","parts":[{"text":""}]},"index":0}]}\n\n'
)
KEEP_ALIVES: dict[Voice, bytes] = {
    "openai_chat": b": keep-alive\n\n",
    "openai_responses": b": keep-alive\n\n",
    "anthropic": b'event: ping\ndata: {"type": "ping"}\n\n',
    "gemini": GEMINI_IDLE,
    # Lines of JSON know no comment: a step that says nothing, which fits both of its streams.
    "ollama": b'{"model":"","created_at":"1970-01-01T00:00:00Z","response":"",'
    b'"message":{"role":"assistant","content":""},"done":false}\n',
}
STREAMS: dict[Voice, bytes] = {"ollama": b"content-type: application/x-ndjson\r\n"}
"""How a stream begins; in all dialects it is a stream of events."""


def origin_lines(reply: Reply) -> bytes:
    """Give where the answer comes from: request id, provider, model, number of attempts."""
    winner, request = reply.winner, reply.request
    lines = b"x-request-id: %b\r\n" % request.request_id.encode()
    if winner is not None:
        attempts = len(reply.attempts) + (reply.outcome is None)
        origin = _origin(winner.provider, reply.model_served or winner.model)
        lines += b"%bx-omniroute-attempts: %d\r\n" % (origin, attempts)
        dialect = request.operation.dialect
        if winner.dialect == dialect:
            lines += answered_lines(dialect, reply.headers)
        elif dialect == "anthropic":
            lines += line(b"request-id", request.request_id)
        if dropped := reply.dropped:
            lines += line(b"x-omniroute-dropped", ", ".join(dropped))
        if replaced(request.target, winner.model):
            lines += line(b"x-omniroute-replaced", request.target)
    if request.mode is not None:
        lines += line(b"x-omniroute-mode", _mode(reply))
    return lines


@lru_cache(ORIGINS_MAX)
def _origin(provider: str, model: str) -> bytes:
    return line(b"x-omniroute-provider", provider) + line(b"x-omniroute-model", model)


def _mode(reply: Reply) -> str:
    """Give the mode that the client wished for, or that the strategy has none."""
    decision = reply.decision
    if decision is not None and decision.strategy != "auto":
        return f"ignored; strategy {decision.strategy}"
    return reply.request.mode or ""


def budget_lines(reply: Reply) -> bytes:
    """Give what the answer was clamped to, what budgets and limits have left, and warnings.

    The rest is as last seen by this process, with the request's own money taken off: while a
    stream runs that is its upper bound, after a whole answer what it cost.
    """
    payment = reply.payment
    left, clamp = payment.left_usd_nanos, payment.output_tokens_clamp
    lines = b""
    if clamp is not None:
        lines += b"x-omniroute-max-tokens: %d\r\n" % clamp
    if left is not None:
        lines += b"x-omniroute-budget-remaining-usd: %b\r\n" % _dollars(left)
    # A budget that only alerts warns too, and leaves no rest.
    warnings = payment.warnings
    if warnings:
        lines += line(b"x-omniroute-budget-warning", "; ".join(warnings))
    turn = reply.turn
    return lines if turn is None else lines + _limit_lines(turn)


def _limit_lines(turn: Turn) -> bytes:
    """Give what a key had left of its limits when its request was let in."""
    lines = b""
    if turn.requests_left is not None:
        lines += b"x-omniroute-requests-remaining: %d\r\n" % turn.requests_left
    if turn.tokens_left is not None:
        lines += b"x-omniroute-tokens-remaining: %d\r\n" % turn.tokens_left
    return lines


def cost_line(reply: Reply) -> bytes:
    """Give the cost in dollars, nothing when it is unknown."""
    outcome = reply.outcome
    if outcome is None or outcome.cost_usd_nanos is None:
        return b""
    return b"x-omniroute-cost-usd: %b\r\n" % _dollars(outcome.cost_usd_nanos)


def send_error(exchange: Exchange, codec: Codec, error: RoutingError, *, request_id: str) -> Wait:
    """Send an error in the dialect's own words.

    A provider's own body for a fault of the request reaches a client of the same dialect as
    it is: some clients recover by its wording.
    """
    lines = error_lines(error, codec.name, request_id=request_id)
    body = getattr(error, "body", None)
    if body is None:
        body = codec.render_error(error, request_id=request_id)
    return exchange.whole(status_of(error, codec.name), lines, body)


def error_lines(error: RoutingError, dialect: Dialect, *, request_id: str) -> bytes:
    """Give the lines of an error: its id, when to ask again, and whether to.

    Clients that are told nothing repeat what cannot come out well: Claude Code more than eight
    times over 100 s after a 401. What a provider said of it to a client of its dialect is told
    instead.
    """
    lines = JSON + line(b"x-request-id", request_id)
    if isinstance(error, UpstreamFailure):
        lines += b"x-omniroute-attempts: %d\r\n" % max(len(error.tried), 1)
        if error.body is not None:
            lines += answered_lines(dialect, error.headers)
    told = lines.lower()
    if dialect == "anthropic" and b"\r\nrequest-id:" not in told:
        lines += line(b"request-id", request_id)
    if error.retry_after_s is not None and b"\r\nretry-after:" not in told:
        lines += b"retry-after: %d\r\n" % max(round(error.retry_after_s + 0.5), 1)
    if is_hopeless(error) and b"\r\nx-should-retry:" not in told:
        lines += b"x-should-retry: false\r\n"
    if error.status == 401:
        lines += b'www-authenticate: Bearer realm="omniroute"\r\n'
    return lines


class Keeper:
    """Commits a stream after the hold and keeps it alive until the first content is there."""

    def __init__(self, exchange: Exchange, voice: Voice, request_id: str, *, hold_s: float) -> None:
        self._exchange = exchange
        self._keep_alive = KEEP_ALIVES[voice]
        self._lines = STREAMS.get(voice, EVENTS)
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
        exchange = self._exchange
        wait = exchange.start(200, self._lines + line(b"x-request-id", self._request_id))
        while True:
            if wait is not None:
                await wait
            wait = exchange.write(self._keep_alive)
            if wait is not None:
                await wait
                wait = None
            await asyncio.sleep(KEEP_ALIVE_S)


def _dollars(usd_nanos: int) -> bytes:
    return b"%d.%09d" % divmod(usd_nanos, 1_000_000_000)
