"""Idempotency keys that came with another body, in the audit log.

Such a request is refused (422) and changes nothing; the entry is for whoever looks into why. It
is either a fault of the client's program or somebody who tries names, so the entry names the
key and nothing of the request. One entry a minute and key is written: who repeats a request for
an hour fills no log, and makes no process read the configuration anew more often than that.
"""

from omniroute.routing.ports import Clock

from .changes import Changes, Told

EVERY_S = 60.0
KEYS_MAX = 128


class Mismatches:
    """Writes the entries."""

    def __init__(self, changes: Changes, clock: Clock) -> None:
        self._changes = changes
        self._clock = clock
        self._written: dict[str, float] = {}

    async def note(self, key_id: str) -> None:
        """Note that a key's request was refused.

        Raises:
            StorageUnavailable: it could not be written.
        """
        now = self._clock.now()
        if now - self._written.get(key_id, now - EVERY_S) < EVERY_S:
            return
        self._written.pop(key_id, None)
        if len(self._written) >= KEYS_MAX:
            del self._written[next(iter(self._written))]
        self._written[key_id] = now
        told = Told(actor=key_id, action="idempotency.mismatch", target=key_id, detail={})
        await self._changes.note(told)
