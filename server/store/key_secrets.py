"""The text that a client presents, and what is kept of it."""

import base64
import hmac
import re
import secrets
from dataclasses import dataclass, field

from .keyring import KeyRing, RingKey

PREFIX = "sk-omni-"
ID_CHARACTERS = 12
SECRET_BYTES = 32
KEY_SHAPE = re.compile(r"sk-omni-[a-z2-7]{12}-[A-Za-z0-9_-]{43}", re.ASCII)
ID_PLACE = slice(len(PREFIX), len(PREFIX) + ID_CHARACTERS)


@dataclass(frozen=True, slots=True)
class Secret:
    """What tells a secret when it is presented.

    Attributes:
        until_unix_s: until when it is good, of one that was rolled.
    """

    digest: bytes = field(repr=False)
    pepper: bytes = field(repr=False)
    until_unix_s: float | None = None

    def fits(self, text: bytes) -> bool:
        """Whether a presented key has this secret; takes as long whichever it has."""
        return hmac.compare_digest(hmac.digest(self.pepper, text, "sha256"), self.digest)


def nobodys() -> Secret:
    """Give a secret that nothing fits."""
    return Secret(secrets.token_bytes(32), secrets.token_bytes(32))


def new_id() -> str:
    """Give the public id of a new key."""
    return base64.b32encode(secrets.token_bytes(8)).decode().lower()[:ID_CHARACTERS]


def new_secret(key_id: str, newest: RingKey) -> tuple[str, bytes, str]:
    """Give what a client presents, its digest, and the id of the pepper."""
    secret = base64.urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).decode().rstrip("=")
    text = f"{PREFIX}{key_id}-{secret}"
    return text, hmac.digest(newest.for_use("pepper"), text.encode(), "sha256"), newest.key_id


def secret_of(
    ring: KeyRing, pepper_id: str, digest: bytes, until_unix_s: float | None = None
) -> Secret | None:
    """Give a stored secret; None where the ring has lost its pepper: nothing can fit it."""
    key = ring.find(pepper_id)
    if key is None:
        return None
    return Secret(bytes(digest), key.for_use("pepper"), until_unix_s)
