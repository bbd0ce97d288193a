"""The token that every form sends: only a page of the dashboard, for this browser, has it.

It is a MAC of the session, or of the visit where there is none, under a key of the ring. So it
is the same in every worker, and nothing of it is kept.
"""

import hmac
from typing import Literal

from ..store.keyring import KeyRing

Kind = Literal["session", "visit"]
USE = "forms"


class Tokens:
    """Makes and checks tokens."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def of(self, kind: Kind, value: str) -> str:
        """Give the token of a session's id, or of a visit's cookie."""
        return _mac(self._ring.newest.for_use(USE), kind, value)

    def fits(self, token: str, kind: Kind, value: str) -> bool:
        """Whether it is the token of that; one of an older key of the ring is, too."""
        text = token.encode("utf-8", "replace")
        macs = [_mac(one.for_use(USE), kind, value).encode() for one in self._ring.keys]
        return bool(value) and any(hmac.compare_digest(text, one) for one in macs)


def _mac(key: bytes, kind: Kind, value: str) -> str:
    return hmac.digest(key, f"{kind}\0{value}".encode(), "sha256").hex()
