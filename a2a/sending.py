"""Sends push notifications: what is owed, tried until it arrives or is given up.

A notification arrived when its receiver answered with 2xx. Everything else is tried again,
TRIES_MAX times in all and each time later; 410 says that nobody wants it any more. What is not
our receiver's fault must not cost others: a receiver has PER_HOST_MAX at once and a circuit
breaker, while it is down its notifications wait without counting as tried, and the slowest one
holds only its own.

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
AT_ONCE_MAX = 32
PER_HOST_MAX = 4
BUSY_S = 1.0
"""How long a notification waits whose receiver has enough to do."""
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
        """Begin to send what is due, as far as there is room; give how much was found."""
        room = AT_ONCE_MAX - self._sending.total()
        if room <= 0:
            return 0
        found = await self._store.due(now_unix_s=self._clock.unix(), most=room)
        for one in found:
            host = self._out.host(one.subscription.url)
            until_unix_s = self._held_until(host)
            if until_unix_s is None:
                self._sending[host] += 1
                group.start_soon(self._send, one, host)
            else:
                await self._store.postpone(one, due_unix_s=until_unix_s, counts=False)
        return len(found)

    def _held_until(self, host: str) -> float | None:
        """Give until when a receiver is left alone; None when it may be asked, and then it is."""
        now_s, now_unix_s = self._clock.now(), self._clock.unix()
        if self._sending[host] >= PER_HOST_MAX:
            return now_unix_s + BUSY_S
        breaker = self._breaker(host)
        if breaker.open_until_s > now_s:
            return now_unix_s + breaker.open_until_s - now_s
        return None if breaker.begin(now_s) else now_unix_s + BUSY_S

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
            self._breaker(host).released()
            self._sending[host] -= 1
            if not self._sending[host]:
                del self._sending[host]

    async def _post(self, one: Notification) -> int:
        """Give the status of the answer, 0 for none."""
        headers, body = message_of(one, int(self._clock.unix()))
        try:
            return await self._out.post(one.subscription.url, headers, body)
        except RoutingError as error:
            facts = {"host": self._out.host(one.subscription.url), "reason": str(error)}
            _logger.info("a2a_push_failed", extra=facts)
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
