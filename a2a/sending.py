"""Sends push notifications: what is owed, tried until it arrives or is given up.

A notification arrived when its receiver answered with 2xx. Everything else is tried again,
TRIES_MAX times in all and each time later; 410 says that nobody wants it any more. No receiver
costs another one its notifications: each has PER_HOST_MAX at once and a circuit breaker, and
while it is down or slow its own are put off, without counting as tried.

A receiver knows us by three things: the token it gave, the Authorization header it asked for,
and a signature in the form of Standard Webhooks: `webhook-id` is the same at each try, so that
a notification that arrives twice is known, and `webhook-signature` is an HMAC-SHA-256 over
`id.timestamp.body`. Its key is the credentials of the scheme HMAC-SHA256, which are then never
sent, else the token; a subscription with neither has no secret to sign with.

Sources (read 2026-11): A2A 1.0.1, sections 4.3.3 and 13.2; Standard Webhooks 1.0, "Signature
scheme". The name of the token's header is in no specification: the official SDKs of Python and
Go call it X-A2A-Notification-Token and A2A-Notification-Token, and both are sent.
"""

import base64
import binascii
import hmac
import logging
from collections import Counter
from collections.abc import Mapping

import anyio
import orjson
from anyio.abc import TaskGroup

from omniroute.routing.errors import RoutingError, StorageUnavailable
from omniroute.routing.health.breaker import Breaker
from omniroute.routing.ports import Clock

from .dialects.codec import Codec
from .dialects.detect import NATIVE_CODEC, V03_CODEC, V10_CODEC
from .push import Notification, Outgoing, PushStore, Subscription, Version
from .record import task_of

POLL_S = 0.5
"""How often it is looked for what is owed."""
BACKOFF_S = (2.0, 10.0, 60.0, 300.0)
"""How long after a try the next one comes."""
TRIES_MAX = len(BACKOFF_S) + 1
BATCH_MAX = 32
"""Notifications that are taken at a time."""
AT_ONCE_MAX = 128
PER_HOST_MAX = 8
WAIT_S = 1.0
"""How long one that was taken waits for its receiver to have room."""
BUSY_S = 5.0
"""How much later it is taken again when there was none."""
HOSTS_MAX = 1_000
"""Receivers whose circuit is remembered; the oldest go."""
HMAC_SCHEME = "hmac-sha256"
SECRET_PREFIX = "whsec_"  # noqa: S105
GONE = 410

_logger = logging.getLogger(__name__)

_CODECS: Mapping[Version, Codec] = {"1.0": V10_CODEC, "0.3": V03_CODEC, "native": NATIVE_CODEC}
_TYPES: Mapping[Version, str] = {"1.0": "application/a2a+json"}


class Sender:
    """Sends what a store owes. One in each process; the store gives each notification to one."""

    def __init__(self, store: PushStore, out: Outgoing, clock: Clock) -> None:
        self._store = store
        self._out = out
        self._clock = clock
        self._breakers: dict[str, Breaker] = {}
        self._sending: Counter[str] = Counter()
        # Since when a receiver has had PER_HOST_MAX at once and ended none of them.
        self._full_since_s: dict[str, float] = {}
        self._ended = anyio.Event()

    async def run(self) -> None:
        """Send until cancelled. What was being sent then is sent again by whoever is next."""
        async with anyio.create_task_group() as group:
            while True:
                found = 0
                try:
                    found = await self.turn(group)
                except StorageUnavailable as error:
                    _logger.warning("a2a_store_unavailable", extra={"reason": str(error)})
                except Exception:
                    # The next turn does what this one did not.
                    _logger.exception("a2a_push_turn_failed")
                if not found:
                    await anyio.sleep(POLL_S)

    async def turn(self, group: TaskGroup) -> int:
        """Begin to send what is due, one batch of it; give how much was found."""
        waiting: list[tuple[Notification, str]] = []
        found = await self._store.due(now_unix_s=self._clock.unix(), most=BATCH_MAX)
        for one in found:
            host = self._out.host(one.subscription.url)
            until_unix_s = self._down_until(host)
            if until_unix_s is None:
                waiting.append((one, host))
            else:
                await self._store.postpone(one, due_unix_s=until_unix_s, counts=False)
        for one, _ in await self._begin(waiting, group):
            due_unix_s = self._clock.unix() + BUSY_S
            await self._store.postpone(one, due_unix_s=due_unix_s, counts=False)
        return len(found)

    async def _begin(
        self, waiting: list[tuple[Notification, str]], group: TaskGroup
    ) -> list[tuple[Notification, str]]:
        """Begin to send as room comes; give those whose receivers have none for too long."""
        ends_s = anyio.current_time() + WAIT_S
        while True:
            ended, left = self._ended, []
            for one, host in waiting:
                if self._has_room(host) and self._breaker(host).begin(self._clock.now()):
                    self._take_place(host)
                    group.start_soon(self._send, one, host)
                else:
                    left.append((one, host))
            now_s, waiting = anyio.current_time(), left
            if now_s >= ends_s or all(self._is_slow(host, now_s) for _, host in waiting):
                return waiting
            with anyio.move_on_after(ends_s - now_s):
                await ended.wait()

    def _has_room(self, host: str) -> bool:
        return self._sending[host] < PER_HOST_MAX and self._sending.total() < AT_ONCE_MAX

    def _is_slow(self, host: str, now_s: float) -> bool:
        return now_s - self._full_since_s.get(host, now_s) >= WAIT_S

    def _take_place(self, host: str) -> None:
        self._sending[host] += 1
        if self._sending[host] == PER_HOST_MAX:
            self._full_since_s[host] = anyio.current_time()

    def _give_place(self, host: str) -> None:
        self._sending[host] -= 1
        if not self._sending[host]:
            del self._sending[host]
        self._full_since_s.pop(host, None)
        ended, self._ended = self._ended, anyio.Event()
        ended.set()

    def _down_until(self, host: str) -> float | None:
        """Give until when a receiver is left alone, None when it may be asked."""
        breaker, now_s = self._breaker(host), self._clock.now()
        left_s = breaker.open_until_s - now_s
        return self._clock.unix() + left_s if left_s > 0 else None

    async def _send(self, one: Notification, host: str) -> None:
        try:
            status = await self._post(one)
            self._judge(host, status)
            await self._close(one, host, status)
        except StorageUnavailable as error:
            # Its lease runs out, and it is sent again.
            _logger.warning("a2a_store_unavailable", extra={"reason": str(error)})
        except Exception:
            _logger.exception("a2a_push_broke", extra={"task_id": one.task.task_id})
        finally:
            self._give_place(host)

    async def _post(self, one: Notification) -> int:
        """Give the status of the answer, 0 for none."""
        try:
            headers, body = message_of(one, int(self._clock.unix()))
            return await self._out.post(one.subscription.url, headers, body)
        except RoutingError as error:
            facts = {"host": self._out.host(one.subscription.url), "reason": str(error)}
            _logger.info("a2a_push_failed", extra=facts)
        except Exception:
            # What cannot be sent for what it is must be given up in the end as well.
            _logger.exception("a2a_push_broke", extra={"task_id": one.task.task_id})
        return 0

    def _judge(self, host: str, status: int) -> None:
        """Tell the circuit: a receiver that refuses us is up."""
        breaker = self._breaker(host)
        if status == 0 or status >= 500 or status in (408, 429):
            breaker.failed(self._clock.now())
        else:
            breaker.succeeded()

    async def _close(self, one: Notification, host: str, status: int) -> None:
        arrived = 200 <= status < 300
        if arrived or status == GONE or one.tries >= TRIES_MAX:
            if not arrived:
                facts = {"task_id": one.task.task_id, "host": host, "status": status}
                _logger.warning("a2a_push_given_up", extra=facts | {"tries": one.tries})
            await self._store.settle(one)
            return
        due_unix_s = self._clock.unix() + BACKOFF_S[one.tries - 1]
        await self._store.postpone(one, due_unix_s=due_unix_s, counts=True)

    def _breaker(self, host: str) -> Breaker:
        breaker = self._breakers.get(host)
        if breaker is None:
            if len(self._breakers) >= HOSTS_MAX:
                del self._breakers[next(iter(self._breakers))]
            breaker = self._breakers[host] = Breaker()
        return breaker


def message_of(one: Notification, at_unix_s: int) -> tuple[tuple[tuple[str, str], ...], bytes]:
    """Give the headers and the body of a notification, signed."""
    subscription = one.subscription
    # The messages so far are the receiver's own: it needs the state and the answer.
    body = orjson.dumps(_CODECS[subscription.version].render_sent(task_of(one.task), 0))
    headers = [
        ("content-type", _TYPES.get(subscription.version, "application/json")),
        ("webhook-id", one.event_id),
        ("webhook-timestamp", str(at_unix_s)),
    ]
    if subscription.version != "native":
        headers.append(("a2a-version", subscription.version))
    if subscription.token:
        headers.append(("x-a2a-notification-token", subscription.token))
        headers.append(("a2a-notification-token", subscription.token))
    signs = subscription.scheme.lower() == HMAC_SCHEME
    if subscription.credentials and not signs:
        headers.append(("authorization", f"{subscription.scheme} {subscription.credentials}"))
    secret = _secret(subscription)
    if secret:
        signed = b"%s.%d.%s" % (one.event_id.encode(), at_unix_s, body)
        digest = base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()
        headers.append(("webhook-signature", f"v1,{digest}"))
    return tuple(headers), body


def _secret(subscription: Subscription) -> bytes:
    """Give the key that a receiver verifies with; base64 where it is marked as such."""
    signs = subscription.scheme.lower() == HMAC_SCHEME
    text = subscription.credentials if signs else subscription.token
    if text.startswith(SECRET_PREFIX):
        try:
            return base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
        except binascii.Error:
            return text.encode()
    return text.encode()
